//! SQL of users and groups; the workspace comes first.

use std::collections::{HashMap, HashSet};

use entity::{
    channel, group,
    id::{GroupId, UserId, WorkspaceId},
    user::{ActiveModel, Column, Entity, Model, Role, Status},
    workspace,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Set, Unchanged,
    sea_query::{BinOper, Expr, ExprTrait, LockType},
};

use crate::{
    app::App,
    error::{Error, Result},
    page::PageRequest,
    user::NewUsers,
    workspace::seats::Holder,
};

const DEFAULT_GROUP: &str = "Default";

pub(crate) async fn insert_default_group(tx: &DatabaseTransaction, workspace_id: WorkspaceId) -> Result<GroupId> {
    let row = group::ActiveModel {
        workspace_id: Set(workspace_id),
        name: Set(DEFAULT_GROUP.to_owned()),
        ..Default::default()
    };
    Ok(row.insert(tx).await?.id)
}

/// Inserts users and then names them by the ids they got: `Agent 7`, `7-<workspace>@<mail host>`.
pub(crate) async fn insert(
    app: &App,
    tx: &DatabaseTransaction,
    workspace: &workspace::Model,
    new: &NewUsers,
    mail_host: &str,
) -> Result<Vec<Model>> {
    let now = app.clock.now();
    let row = || ActiveModel {
        workspace_id: Set(workspace.id),
        group_id: Set(new.group_id),
        role: Set(new.role),
        display_name: Set(String::new()),
        email: Set(String::new()),
        status: Set(Status::Activated),
        suspension_order: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let inserted = Entity::insert_many((0..new.count).map(|_| row())).exec_with_returning(tx).await?;
    let ids: Vec<UserId> = inserted.into_iter().map(|user| user.id).collect();
    let title = match new.role {
        Role::Owner => "Owner ",
        Role::Admin => "Admin ",
        Role::Agent => "Agent ",
    };
    let number = || Expr::col(Column::Id).cast_as("text");
    let joined = |left: Expr, right: Expr| left.binary(BinOper::Custom("||"), right);
    Entity::update_many()
        .col_expr(Column::DisplayName, joined(Expr::value(title), number()))
        .col_expr(Column::Email, joined(number(), Expr::value(format!("-{}@{mail_host}", workspace.slug))))
        .filter(Column::WorkspaceId.eq(workspace.id))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec(tx)
        .await?;
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace.id))
        .filter(Column::Id.is_in(ids))
        .order_by_asc(Column::Id)
        .all(tx)
        .await?)
}

pub(crate) async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: UserId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await?)
}

/// The user with this address, which is folded.
pub(crate) async fn by_email(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    email: &str,
) -> Result<Option<Model>> {
    // No text that is stored has it, and PostgreSQL refuses to look for it.
    if email.contains('\0') {
        return Ok(None);
    }
    Ok(Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::Email.eq(email)).one(db).await?)
}

/// Takes the user's row for this transaction. On SQLite the whole database is taken already.
pub(crate) async fn lock(tx: &DatabaseTransaction, workspace_id: WorkspaceId, id: UserId) -> Result<Option<Model>> {
    let mut query = Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id));
    if tx.get_database_backend() == DbBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    Ok(query.one(tx).await?)
}

pub(crate) async fn all(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).order_by_asc(Column::Id).all(db).await?)
}

/// Those who arrange what belongs to others, and hold a seat.
pub(crate) async fn in_charge(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Role.is_in([Role::Owner, Role::Admin]))
        .filter(Column::Status.eq(Status::Activated))
        .order_by_asc(Column::Id)
        .all(db)
        .await?)
}

/// Those of these users that are the workspace's.
pub(crate) async fn by_ids(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    ids: impl IntoIterator<Item = UserId>,
) -> Result<HashMap<UserId, Model>> {
    let query = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::Id.is_in(ids));
    Ok(query.all(db).await?.into_iter().map(|user| (user.id, user)).collect())
}

/// One row more than the page holds.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    page: PageRequest,
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Id.gt(page.after))
        .order_by_asc(Column::Id)
        .limit(page.limit + 1)
        .all(db)
        .await?)
}

pub(crate) async fn groups(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Vec<group::Model>> {
    Ok(group::Entity::find()
        .filter(group::Column::WorkspaceId.eq(workspace_id))
        .order_by_asc(group::Column::Id)
        .all(db)
        .await?)
}

pub(crate) async fn group_of_title(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    title: &str,
) -> Result<group::Model> {
    let query =
        group::Entity::find().filter(group::Column::WorkspaceId.eq(workspace_id)).filter(group::Column::Name.eq(title));
    let found = if title.contains('\0') { None } else { query.one(db).await? };
    found.ok_or_else(|| Error::TeamNotFound(title.to_owned()))
}

/// Users that hold a seat, with whether an account is connected for them.
pub(crate) async fn holders(tx: &DatabaseTransaction, workspace_id: WorkspaceId) -> Result<Vec<Holder>> {
    let connected: Vec<channel::Model> = channel::Entity::find()
        .filter(channel::Column::WorkspaceId.eq(workspace_id))
        .filter(channel::Column::State.eq(channel::State::Connected))
        .filter(channel::Column::Standalone.eq(false))
        .all(tx)
        .await?;
    let connected: HashSet<UserId> = connected.into_iter().map(|channel| channel.user_id).collect();
    let users = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Status.eq(Status::Activated))
        .all(tx)
        .await?;
    let holder = |user: Model| Holder { id: user.id, role: user.role, is_connected: connected.contains(&user.id) };
    Ok(users.into_iter().map(holder).collect())
}

/// Takes a user's seat, last in the row of suspensions.
pub(crate) async fn suspend(app: &App, tx: &DatabaseTransaction, workspace_id: WorkspaceId, id: UserId) -> Result<()> {
    let last: Option<Option<i64>> = Entity::find()
        .select_only()
        .column_as(Expr::col(Column::SuspensionOrder).max(), "last")
        .filter(Column::WorkspaceId.eq(workspace_id))
        .into_tuple()
        .one(tx)
        .await?;
    let order = last.flatten().unwrap_or(0).checked_add(1);
    let order = order.ok_or_else(|| Error::Internal("suspension order overflow".to_owned()))?;
    set_status(app, tx, id, Status::Suspended, Some(order)).await
}

/// Gives a user its seat back.
pub(crate) async fn restore(app: &App, tx: &DatabaseTransaction, workspace_id: WorkspaceId, id: UserId) -> Result<()> {
    find(tx, workspace_id, id).await?.ok_or(Error::UserNotFound)?;
    set_status(app, tx, id, Status::Activated, None).await
}

async fn set_status(app: &App, tx: &DatabaseTransaction, id: UserId, status: Status, order: Option<i64>) -> Result<()> {
    let row = ActiveModel {
        id: Unchanged(id),
        status: Set(status),
        suspension_order: Set(order),
        updated_at: Set(app.clock.now()),
        ..Default::default()
    };
    row.update(tx).await?;
    Ok(())
}

/// Suspended users, the latest first.
pub(crate) async fn latest_suspended(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    limit: u64,
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Status.eq(Status::Suspended))
        .order_by_desc(Column::SuspensionOrder)
        .limit(limit)
        .all(tx)
        .await?)
}
