//! SQL of workspaces. The partner comes first, or the id of a workspace that was found under its partner.

use entity::{
    id::{GroupId, PartnerId, UserId, WorkspaceId, WorkspaceSlug},
    partner,
    workspace::{ActiveModel, Column, Entity, Model, Status},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait,
    QueryFilter, QueryOrder, QuerySelect, Set, Unchanged,
    sea_query::{Expr, LockType},
};

use crate::{
    app::App,
    db,
    error::{Error, Result},
    page::PageRequest,
    workspace::{create::CreateWorkspace, list::Filter},
};

pub(crate) async fn find(
    db: &impl ConnectionTrait,
    partner_id: &PartnerId,
    slug: &WorkspaceSlug,
) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::PartnerId.eq(partner_id.clone()))
        .filter(Column::Slug.eq(slug.clone()))
        .one(db)
        .await?)
}

pub(crate) async fn by_id(db: &impl ConnectionTrait, id: WorkspaceId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// Takes the row for this transaction. On SQLite the whole database is taken already.
pub(crate) async fn lock(tx: &DatabaseTransaction, id: WorkspaceId) -> Result<Model> {
    let mut query = Entity::find_by_id(id);
    if tx.get_database_backend() == sea_orm::DbBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    query.one(tx).await?.ok_or(Error::WorkspaceNotFound)
}

pub(crate) async fn insert(
    app: &App,
    tx: &DatabaseTransaction,
    partner: &partner::Model,
    slug: &WorkspaceSlug,
    command: &CreateWorkspace,
) -> Result<Model> {
    let now = app.clock.now();
    let row = ActiveModel {
        partner_id: Set(partner.id.clone()),
        slug: Set(slug.clone()),
        display_name: Set(command.display_name.as_str().to_owned()),
        display_name_folded: Set(command.display_name.folded()),
        plan_id: Set(partner.plan_id),
        status: Set(Status::Active),
        seats_total: Set(command.seats.get()),
        seats_used: Set(1),
        time_zone: Set(command.time_zone.as_str().to_owned()),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let insert = Entity::insert(row).on_conflict_do_nothing_on([Column::PartnerId, Column::Slug]);
    let inserted = db::insert_or_none(insert, tx).await?;
    inserted.ok_or_else(|| Error::WorkspaceCreationFailed { slug: slug.to_string() })
}

pub(crate) async fn set_owner(
    tx: &DatabaseTransaction,
    workspace: &Model,
    owner: Option<UserId>,
    group_id: GroupId,
) -> Result<Model> {
    let change = ActiveModel { owner_user_id: Set(owner), group_id: Set(Some(group_id)), ..Default::default() };
    save(tx, workspace, change).await
}

pub(crate) async fn save(tx: &DatabaseTransaction, before: &Model, change: ActiveModel) -> Result<Model> {
    Ok(ActiveModel { id: Unchanged(before.id), ..change }.update(tx).await?)
}

/// Takes `count` free seats, if there are as many; tells whether there were.
pub(crate) async fn take_seats(
    app: &App,
    tx: &DatabaseTransaction,
    partner_id: &PartnerId,
    slug: &WorkspaceSlug,
    count: i32,
) -> Result<bool> {
    let taken = Entity::update_many()
        .col_expr(Column::SeatsUsed, Expr::col(Column::SeatsUsed).add(count))
        .col_expr(Column::UpdatedAt, Expr::value(app.clock.now()))
        .filter(Column::PartnerId.eq(partner_id.clone()))
        .filter(Column::Slug.eq(slug.clone()))
        .filter(Expr::col(Column::SeatsUsed).add(count).lte(Expr::col(Column::SeatsTotal)))
        .exec(tx)
        .await?;
    Ok(taken.rows_affected == 1)
}

/// One row more than the page holds.
pub(crate) async fn page(
    db: &impl ConnectionTrait,
    partner_id: &PartnerId,
    filter: &Filter,
    page: PageRequest,
) -> Result<Vec<Model>> {
    let mut query = Entity::find().filter(Column::PartnerId.eq(partner_id.clone())).filter(Column::Id.gt(page.after));
    if let Some(text) = &filter.text {
        let is_either =
            Condition::any().add(db::contains(Column::DisplayNameFolded, text)).add(db::contains(Column::Slug, text));
        query = query.filter(is_either);
    }
    if let Some(status) = filter.status {
        query = query.filter(Column::Status.eq(status));
    }
    Ok(query.order_by_asc(Column::Id).limit(page.limit + 1).all(db).await?)
}
