//! SQL of invitations. The workspace comes first, but for the look-up by digest, which finds out whose it is.

use entity::{
    group,
    id::{UserId, WorkspaceId},
    invitation::{ActiveModel, Column, Entity, Model},
    timestamp::Timestamp,
    user,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, Set,
    Unchanged,
    sea_query::{Expr, OnConflict},
};

use crate::{
    app::App,
    error::Result,
    invitation::{LINK_SECONDS, invite::Invite},
};

/// A link to be written.
pub(super) struct NewLink {
    pub(super) digest: Vec<u8>,
    pub(super) sealed: Vec<u8>,
}

pub(super) async fn all(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).all(db).await?)
}

pub(super) async fn by_digest(db: &impl ConnectionTrait, digest: &[u8]) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Digest.eq(digest)).one(db).await?)
}

pub(super) async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    user_id: UserId,
) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(user_id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await?)
}

pub(super) async fn open(tx: &DatabaseTransaction, workspace_id: WorkspaceId) -> Result<u64> {
    Ok(user::Entity::find()
        .filter(user::Column::WorkspaceId.eq(workspace_id))
        .filter(user::Column::Status.eq(user::Status::Invited))
        .count(tx)
        .await?)
}

/// Writes a user that holds no seat yet.
pub(super) async fn insert_user(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    group: &group::Model,
    command: &Invite,
) -> Result<user::Model> {
    let now = app.clock.now();
    let row = user::ActiveModel {
        workspace_id: Set(workspace_id),
        group_id: Set(group.id),
        role: Set(command.role.unwrap_or(user::Role::Agent)),
        display_name: Set(command.display_name()),
        email: Set(command.email.clone()),
        status: Set(user::Status::Invited),
        suspension_order: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    Ok(row.insert(tx).await?)
}

pub(super) async fn save_user(
    app: &App,
    tx: &DatabaseTransaction,
    before: &user::Model,
    change: user::ActiveModel,
) -> Result<user::Model> {
    let row = user::ActiveModel { id: Unchanged(before.id), updated_at: Set(app.clock.now()), ..change };
    Ok(row.update(tx).await?)
}

/// Gives a user a link in the place of an earlier one.
pub(super) async fn put_link(
    app: &App,
    tx: &DatabaseTransaction,
    user: &user::Model,
    invited_by: UserId,
    link: &NewLink,
) -> Result<()> {
    let now = app.clock.now();
    let row = ActiveModel {
        user_id: Set(user.id),
        workspace_id: Set(user.workspace_id),
        invited_by: Set(invited_by),
        digest: Set(link.digest.clone()),
        sealed: Set(Some(link.sealed.clone())),
        expires_at: Set(now.plus_seconds(LINK_SECONDS)),
        accepted_at: Set(None),
        created_at: Set(now),
    };
    let earlier = OnConflict::column(Column::UserId)
        .update_columns([
            Column::InvitedBy,
            Column::Digest,
            Column::Sealed,
            Column::ExpiresAt,
            Column::AcceptedAt,
            Column::CreatedAt,
        ])
        .to_owned();
    Entity::insert(row).on_conflict(earlier).exec_without_returning(tx).await?;
    Ok(())
}

/// Ends a link that was accepted.
pub(super) async fn set_accepted(tx: &DatabaseTransaction, invitation: &Model, now: Timestamp) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::AcceptedAt, Expr::value(now))
        .col_expr(Column::Sealed, Expr::value(Option::<Vec<u8>>::None))
        .filter(Column::UserId.eq(invitation.user_id))
        .filter(Column::WorkspaceId.eq(invitation.workspace_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes a user that never held a seat, with its invitation.
pub(super) async fn remove(tx: &DatabaseTransaction, user: &user::Model) -> Result<()> {
    Entity::delete_by_id(user.id).exec(tx).await?;
    user::Entity::delete_by_id(user.id).exec(tx).await?;
    Ok(())
}
