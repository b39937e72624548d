//! SQL of workspace tokens. The workspace comes first, but for the look-up by digest, which finds out whose it is.

use entity::{
    access_change,
    id::{TokenId, UserId, WorkspaceId},
    timestamp::Timestamp,
    token::{ActiveModel, Column, Entity, Kind, Model},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, Set,
    Unchanged, sea_query::Expr,
};

use crate::{app::App, error::Result, token::Scopes};

/// A token to be written.
pub(super) struct NewRow {
    pub(super) id: TokenId,
    pub(super) user_id: UserId,
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) scopes: Scopes,
    pub(super) digest: Vec<u8>,
    pub(super) sealed: Option<Vec<u8>>,
}

pub(super) async fn insert(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    new: NewRow,
) -> Result<Model> {
    let row = ActiveModel {
        id: Set(new.id),
        workspace_id: Set(workspace_id),
        user_id: Set(new.user_id),
        kind: Set(new.kind),
        name: Set(new.name),
        scopes: Set(new.scopes.to_text()),
        digest: Set(new.digest),
        sealed: Set(new.sealed),
        created_at: Set(app.clock.now()),
        revoked_at: Set(None),
    };
    Ok(row.insert(tx).await?)
}

/// The token of this digest, if it has not been revoked.
pub(super) async fn by_digest(db: &impl ConnectionTrait, digest: &[u8]) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Digest.eq(digest)).filter(Column::RevokedAt.is_null()).one(db).await?)
}

pub(super) async fn current_partner_api(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Kind.eq(Kind::PartnerApi))
        .filter(Column::RevokedAt.is_null())
        .one(db)
        .await?)
}

pub(super) async fn revoke_partner_api(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    at: Timestamp,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(at))
        .col_expr(Column::Sealed, Expr::value(Option::<Vec<u8>>::None))
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Kind.eq(Kind::PartnerApi))
        .filter(Column::RevokedAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: TokenId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await?)
}

pub(super) async fn all(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).order_by_asc(Column::Id).all(db).await?)
}

pub(super) async fn revoke(tx: &DatabaseTransaction, row: &Model, at: Timestamp) -> Result<Model> {
    let change =
        ActiveModel { id: Unchanged(row.id), revoked_at: Set(Some(at)), sealed: Set(None), ..Default::default() };
    Ok(change.update(tx).await?)
}

pub(super) async fn insert_change(tx: &DatabaseTransaction, row: access_change::Model) -> Result<()> {
    let row: access_change::ActiveModel = row.into();
    access_change::Entity::insert(row.reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn changes_since(db: &impl ConnectionTrait, since: Timestamp) -> Result<Vec<access_change::Model>> {
    let query = access_change::Entity::find().filter(access_change::Column::ChangedAt.gte(since));
    Ok(query.all(db).await?)
}

pub(super) async fn delete_changes(tx: &DatabaseTransaction, before: Timestamp) -> Result<u64> {
    let query = access_change::Entity::delete_many().filter(access_change::Column::ChangedAt.lt(before));
    Ok(query.exec(tx).await?.rows_affected)
}
