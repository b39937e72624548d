//! SQL of what becomes of messages. The owner comes first, but for the look at all that are overdue.
//!
//! Statuses that partial indices are about stand in the statements as words: a database cannot see that a parameter
//! implies an index.

use entity::{
    id::{AccountId, MessageId, WorkspaceId},
    message::{Column, Direction, Entity, Model, Status},
    message_status,
    timestamp::Timestamp,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::Expr,
};

use crate::{app::App, error::Result, message::status::Receipt};

/// A status with what belongs to it.
pub(super) struct Change<'a> {
    pub(super) status: Status,
    pub(super) reason: Option<&'a str>,
    pub(super) provider_ref: Option<&'a str>,
}

/// The message that a receipt is about.
pub(super) async fn find(tx: &DatabaseTransaction, receipt: &Receipt) -> Result<Option<Model>> {
    let ours =
        Entity::find().filter(Column::AccountId.eq(receipt.account_id)).filter(Column::Direction.eq(Direction::Sent));
    let ours = match (receipt.message_id, &receipt.provider_ref) {
        (Some(id), _) => ours.filter(Column::Id.eq(id)),
        (None, Some(provider_ref)) => ours.filter(Column::ProviderRef.eq(provider_ref.as_str())),
        (None, None) => return Ok(None),
    };
    Ok(ours.one(tx).await?)
}

/// Whether something of the account is being handed over, so that its provider's id may not be known yet.
pub(super) async fn is_sending(tx: &DatabaseTransaction, account_id: AccountId) -> Result<bool> {
    let sending = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Expr::cust("status IN ('queued', 'sending')"))
        .filter(Column::Status.eq(Status::Sending));
    Ok(sending.one(tx).await?.is_some())
}

pub(super) async fn by_id(tx: &DatabaseTransaction, workspace_id: WorkspaceId, id: MessageId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(tx).await?)
}

/// Messages whose fate has been unknown since before `before`, the longest first.
pub(super) async fn unknown_since(db: &impl ConnectionTrait, before: Timestamp, limit: u64) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Expr::cust("status = 'unknown'"))
        .filter(Column::UpdatedAt.lte(before))
        .order_by_asc(Column::UpdatedAt)
        .limit(limit)
        .all(db)
        .await?)
}

/// Changes a message that still is as it was seen; tells whether it was.
pub(super) async fn set(app: &App, tx: &DatabaseTransaction, seen: &Model, change: &Change<'_>) -> Result<bool> {
    let mut update = Entity::update_many()
        .col_expr(Column::Status, Expr::value(change.status))
        .col_expr(Column::UpdatedAt, Expr::value(app.clock.now()))
        .filter(Column::Id.eq(seen.id))
        .filter(Column::WorkspaceId.eq(seen.workspace_id))
        .filter(Column::Status.eq(seen.status));
    if let Some(reason) = change.reason {
        update = update.col_expr(Column::Failure, Expr::value(reason));
    }
    if let (Some(provider_ref), None) = (change.provider_ref, &seen.provider_ref) {
        update = update.col_expr(Column::ProviderRef, Expr::value(provider_ref));
    }
    Ok(update.exec(tx).await?.rows_affected == 1)
}

/// Adds a line to the history of a message.
pub(super) async fn record(app: &App, tx: &DatabaseTransaction, id: MessageId, change: &Change<'_>) -> Result<()> {
    let row = message_status::ActiveModel {
        message_id: Set(id),
        status: Set(change.status),
        reason: Set(change.reason.map(str::to_owned)),
        at: Set(app.clock.now()),
        ..Default::default()
    };
    message_status::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}
