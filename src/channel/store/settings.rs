//! SQL of what the Channels API keeps of channels. The workspace comes first, but for what workers look for.

use std::collections::HashMap;

use entity::{
    channel::{self, ConnectorKind},
    channel_settings::{ActiveModel, Column, Entity, Model},
    id::{AccountId, AttemptId, ChannelId, WorkspaceId},
    timestamp::Timestamp,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, FromQueryResult,
    JoinType, QueryFilter, QueryOrder, QuerySelect, Select, Unchanged, sea_query::Expr,
};

use crate::error::Result;

pub(in crate::channel) async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: AccountId,
) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await?)
}

pub(in crate::channel) async fn all(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
) -> Result<HashMap<AccountId, Model>> {
    let rows = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.account_id, row)).collect())
}

/// Which channel of the workspace has this account.
pub(in crate::channel) async fn by_identity(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    identity: &str,
) -> Result<Option<AccountId>> {
    let found = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::Identity.eq(identity));
    Ok(found.one(db).await?.map(|row| row.account_id))
}

/// The settings of the web chat with this public token.
pub(in crate::channel) async fn by_widget_token(db: &impl ConnectionTrait, token: &str) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::WidgetToken.eq(token)).one(db).await?)
}

pub(in crate::channel) async fn insert(tx: &DatabaseTransaction, row: &Model) -> Result<()> {
    Entity::insert(ActiveModel::from(row.clone()).reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

pub(in crate::channel) async fn save(tx: &DatabaseTransaction, row: &Model) -> Result<()> {
    let change = ActiveModel { account_id: Unchanged(row.account_id), ..ActiveModel::from(row.clone()).reset_all() };
    change.update(tx).await?;
    Ok(())
}

pub(in crate::channel) async fn delete(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    id: AccountId,
) -> Result<()> {
    Entity::delete_many()
        .filter(Column::AccountId.eq(id))
        .filter(Column::WorkspaceId.eq(workspace_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// A channel whose session is to be looked at.
#[derive(FromQueryResult)]
pub(in crate::channel) struct Due {
    account_id: AccountId,
    look_at: Timestamp,
    pub(in crate::channel) connector: ConnectorKind,
    pub(in crate::channel) session: AttemptId,
}

/// Channels whose session is to be looked at, the longest due first, but for those of these connectors.
pub(in crate::channel) async fn due(
    db: &impl ConnectionTrait,
    now: Timestamp,
    most: u64,
    without: &[ConnectorKind],
) -> Result<Vec<Due>> {
    let due = with_channel(channel::Entity::find().select_only())
        .columns([channel::Column::AccountId, channel::Column::Connector, channel::Column::Session])
        .column(Column::LookAt)
        .filter(Column::LookAt.is_not_null())
        .filter(Column::LookAt.lte(now))
        .filter(channel::Column::Connector.is_not_in(without.iter().copied()));
    Ok(due.order_by_asc(Column::LookAt).limit(most).into_model().all(db).await?)
}

/// Channels with their settings.
fn with_channel(channels: Select<channel::Entity>) -> Select<channel::Entity> {
    let settings = channel::Entity::belongs_to(Entity).from(channel::Column::AccountId).to(Column::AccountId).into();
    channels.join(JoinType::InnerJoin, settings)
}

/// Connected channels of these connectors that have settings and that nobody has looked at since `before`, but for
/// some.
pub(in crate::channel) async fn unchecked_since(
    db: &impl ConnectionTrait,
    connectors: &[ConnectorKind],
    before: Timestamp,
    without: &[ChannelId],
    most: u64,
) -> Result<Vec<channel::Model>> {
    let is_due = Column::CheckedAt.is_null().or(Column::CheckedAt.lt(before));
    Ok(with_channel(channel::Entity::find())
        .filter(channel::Column::State.eq(channel::State::Connected))
        .filter(channel::Column::DeletedAt.is_null())
        .filter(channel::Column::Connector.is_in(connectors.iter().copied()))
        .filter(is_due)
        .filter(channel::Column::Id.is_not_in(without.iter().copied()))
        .order_by_asc(Column::CheckedAt)
        .limit(most)
        .all(db)
        .await?)
}

/// When the next one is.
pub(in crate::channel) async fn next_due(db: &impl ConnectionTrait) -> Result<Option<Timestamp>> {
    let next = Entity::find().filter(Column::LookAt.is_not_null()).order_by_asc(Column::LookAt);
    Ok(next.one(db).await?.and_then(|row| row.look_at))
}

/// Takes one of them for a while; tells whether nobody else has.
pub(in crate::channel) async fn lease(tx: &DatabaseTransaction, seen: &Due, until: Timestamp) -> Result<bool> {
    let taken = Entity::update_many()
        .col_expr(Column::LookAt, Expr::value(until))
        .filter(Column::AccountId.eq(seen.account_id))
        .filter(Column::LookAt.eq(seen.look_at))
        .exec(tx)
        .await?;
    Ok(taken.rows_affected == 1)
}
