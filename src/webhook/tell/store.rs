//! SQL of telling: who listens, what bodies say, and the rows of events and deliveries. The workspace comes first, or
//! ids that a change in one has just brought about.

use std::collections::HashMap;

use entity::{
    chat_label, delivery, event,
    id::{AccountId, ChatId, MessageId, SubscriptionId, WorkspaceId},
    message,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, Statement,
};

use crate::{
    db,
    error::{Error, Result},
    webhook::tell::facts::{AccountFacts, ChatFacts},
};

/// Rows of one INSERT: PostgreSQL and SQLite count their parameters in 16 bits.
const ROWS_AT_ONCE: usize = 500;

/// An enabled subscription.
#[derive(FromQueryResult)]
pub(super) struct Listener {
    pub(super) id: SubscriptionId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) event_type: String,
    pub(super) numbered: bool,
}

/// All enabled subscriptions of these workspaces, by id, without the webhooks of the Channels API.
pub(super) async fn listeners(tx: &DatabaseTransaction, workspaces: &[WorkspaceId]) -> Result<Vec<Listener>> {
    let backend = tx.get_database_backend();
    let (one_of, list) = db::one_of(backend, "$1", workspaces);
    let sql = format!(
        "SELECT s.id, s.workspace_id, s.event_type, s.numbered FROM webhook_subscriptions s \
         WHERE s.workspace_id {one_of} AND s.enabled AND s.deleted_at IS NULL AND s.events IS NULL ORDER BY s.id"
    );
    Ok(Listener::find_by_statement(Statement::from_sql_and_values(backend, sql, [list.into()])).all(tx).await?)
}

/// Counts events of a subscription on; the number of the last. Its row is held from here on, so that numbers are in the
/// order of commits.
pub(super) async fn count_on(tx: &DatabaseTransaction, id: SubscriptionId, count: i64) -> Result<i64> {
    let sql =
        "UPDATE webhook_subscriptions SET last_sequence = last_sequence + $2 WHERE id = $1 RETURNING last_sequence";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [id.into(), count.into()]);
    let row = tx.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::Internal("a subscription is gone".to_owned()))?;
    Ok(row.try_get("", "last_sequence")?)
}

pub(super) async fn insert(
    tx: &DatabaseTransaction,
    events: Vec<event::ActiveModel>,
    deliveries: Vec<delivery::ActiveModel>,
) -> Result<()> {
    for rows in events.chunks(ROWS_AT_ONCE) {
        event::Entity::insert_many(rows.to_vec()).exec_without_returning(tx).await?;
    }
    for rows in deliveries.chunks(ROWS_AT_ONCE) {
        delivery::Entity::insert_many(rows.to_vec()).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Columns of an account with its owner and its workspace.
const ACCOUNT: &str = "w.partner_id, w.time_zone, a.external_id AS wid, a.phone AS account_phone, a.account_name, \
    a.connected_at, a.disconnected_at, (a.state = 'connected' AND NOT a.suspended AND NOT a.deactivated) AS is_active, \
    o.display_name AS owner_name, o.email AS owner_email";

/// One account.
pub(super) async fn account(tx: &DatabaseTransaction, id: AccountId) -> Result<Option<AccountFacts>> {
    let sql = format!(
        "SELECT {ACCOUNT} FROM channels a JOIN workspaces w ON w.id = a.workspace_id JOIN users o ON o.id = a.user_id \
         WHERE a.account_id = $1"
    );
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [id.into()]);
    Ok(AccountFacts::find_by_statement(statement).one(tx).await?)
}

/// Chats with their accounts, without their labels.
pub(super) async fn chats(tx: &DatabaseTransaction, ids: &[ChatId]) -> Result<Vec<ChatFacts>> {
    let backend = tx.get_database_backend();
    let (one_of, list) = db::one_of(backend, "$1", ids);
    let sql = format!(
        "SELECT c.id, c.workspace_id, c.name, c.phone, c.jid, c.is_group, c.closed, c.read, \
         c.autoresponse AND NOT c.autoresponse_locked AS is_answered_automatically, c.created_at, \
         CASE WHEN c.autoresponse AND NOT c.autoresponse_locked THEN (SELECT m.created_at FROM messages m \
         WHERE m.id = c.last_message_id AND m.direction = 'received' AND (m.kind IS NULL OR EXISTS (SELECT 1 \
         FROM calls k WHERE k.id = m.id AND k.outcome = 'missed'))) END AS waiting_since, \
         c.last_message_id, c.last_message_at, r.display_name AS responsible_name, r.email AS responsible_email, \
         {ACCOUNT} FROM chats c JOIN workspaces w ON w.id = c.workspace_id \
         JOIN channels a ON a.account_id = c.account_id JOIN users o ON o.id = a.user_id \
         LEFT JOIN users r ON r.id = c.responsible_user_id WHERE c.id {one_of}"
    );
    Ok(ChatFacts::find_by_statement(Statement::from_sql_and_values(backend, sql, [list.into()])).all(tx).await?)
}

/// Labels of chats, in order.
pub(super) async fn labels(tx: &DatabaseTransaction, ids: &[ChatId]) -> Result<HashMap<ChatId, Vec<String>>> {
    let rows = chat_label::Entity::find()
        .filter(chat_label::Column::ChatId.is_in(ids.iter().copied()))
        .order_by_asc(chat_label::Column::Label)
        .all(tx)
        .await?;
    let mut labels: HashMap<ChatId, Vec<String>> = HashMap::new();
    for row in rows {
        labels.entry(row.chat_id).or_default().push(row.label);
    }
    Ok(labels)
}

/// Messages, in the order in which they were accepted or received.
pub(super) async fn messages(tx: &DatabaseTransaction, ids: &[MessageId]) -> Result<Vec<message::Model>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = message::Entity::find().filter(message::Column::Id.is_in(ids.iter().copied()));
    Ok(found.order_by_asc(message::Column::Id).all(tx).await?)
}
