//! SQL of what becomes of messages. The owner comes first, but for the look at all that are overdue.
//!
//! Statuses that partial indices are about stand in the statements as words: a database cannot see that a parameter
//! implies an index.

use entity::{
    chat,
    id::{AccountId, MessageId, WorkspaceId},
    message::{Column, Direction, Entity, Model, Status},
    message_status,
    timestamp::Timestamp,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set,
    sea_query::Expr,
};

use crate::{
    app::App,
    error::Result,
    file,
    message::status::{GoneOut, Receipt},
};

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

/// Whether something of the account is being handed over, or was since then without an answer, so that its provider's
/// id may not be known yet.
pub(super) async fn is_on_its_way(tx: &DatabaseTransaction, account_id: AccountId, since: Timestamp) -> Result<bool> {
    if sending(account_id).one(tx).await?.is_some() {
        return Ok(true);
    }
    let unknown = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Expr::cust("status = 'unknown'"))
        .filter(Column::ProviderRef.is_null())
        .filter(Column::UpdatedAt.gte(since));
    Ok(unknown.one(tx).await?.is_some())
}

/// Whether a message of the account is being handed over, and was begun to be until then.
pub(super) async fn is_being_handed_over(
    tx: &DatabaseTransaction,
    account_id: AccountId,
    begun_until: Timestamp,
) -> Result<bool> {
    let sending = sending(account_id).filter(Column::UpdatedAt.lte(begun_until));
    Ok(sending.one(tx).await?.is_some())
}

fn sending(account_id: AccountId) -> Select<Entity> {
    Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Expr::cust("status IN ('queued', 'sending')"))
        .filter(Column::Status.eq(Status::Sending))
}

/// Whether the provider's id of a message that has gone out is known.
pub(super) async fn is_known(tx: &DatabaseTransaction, gone: &GoneOut<'_>) -> Result<bool> {
    let known =
        Entity::find().filter(Column::AccountId.eq(gone.account_id)).filter(Column::ProviderRef.eq(gone.provider_ref));
    Ok(known.one(tx).await?.is_some())
}

/// The oldest message that says this in this chat, and of which nobody knows whether it has left.
pub(super) async fn without_answer(tx: &DatabaseTransaction, gone: &GoneOut<'_>) -> Result<Option<Model>> {
    let chat = chat::Entity::find()
        .filter(chat::Column::AccountId.eq(gone.account_id))
        .filter(chat::Column::Jid.eq(gone.jid))
        .one(tx)
        .await?;
    let Some(chat) = chat else { return Ok(None) };
    let found = Entity::find()
        .filter(Column::AccountId.eq(gone.account_id))
        .filter(Column::ChatId.eq(chat.id))
        .filter(Expr::cust("status = 'unknown'"))
        .filter(Column::ProviderRef.is_null())
        .order_by_asc(Column::Id)
        .all(tx)
        .await?;
    let files = file::by_ids(tx, chat.workspace_id, found.iter().filter_map(|message| message.file_id)).await?;
    let is_its_name = |id| files.get(&id).is_some_and(|file| file.filename == gone.text);
    let says_so = |message: &Model| match &message.text {
        // Networks take spaces at the ends away.
        Some(text) => text.trim() == gone.text.trim(),
        None => gone.text.is_empty() || gone.has_file && message.file_id.is_some_and(is_its_name),
    };
    Ok(found.into_iter().find(says_so))
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

/// Changes a message that still is as it was seen, and notes when it went out; tells whether it was so.
pub(super) async fn set(app: &App, tx: &DatabaseTransaction, seen: &Model, change: &Change<'_>) -> Result<bool> {
    let mut update = Entity::update_many()
        .col_expr(Column::Status, Expr::value(change.status))
        .col_expr(Column::UpdatedAt, Expr::value(app.clock.now()))
        .filter(Column::Id.eq(seen.id))
        .filter(Column::WorkspaceId.eq(seen.workspace_id))
        .filter(Column::Status.eq(seen.status));
    if seen.sent_at.is_none() && has_gone_out(change.status) && !has_gone_out(seen.status) {
        update = update.col_expr(Column::SentAt, Expr::value(app.clock.now()));
    }
    if let Some(reason) = change.reason {
        update = update.col_expr(Column::Failure, Expr::value(reason));
    }
    if let (Some(provider_ref), None) = (change.provider_ref, &seen.provider_ref) {
        update = update.col_expr(Column::ProviderRef, Expr::value(provider_ref));
    }
    Ok(update.exec(tx).await?.rows_affected == 1)
}

/// Whether a message of this status has gone out.
const fn has_gone_out(status: Status) -> bool {
    matches!(status, Status::Sent | Status::Delivered | Status::Read)
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
