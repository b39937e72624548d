//! SQL of the writer. Each statement takes a whole batch as one JSON document, so its text does not depend on the
//! batch and is prepared once; the two databases differ in how they unfold it.

use std::collections::{BTreeMap, HashMap};

use entity::{
    credits::Credits,
    id::{AccountId, ChatId, MessageId, UserId, WorkspaceId},
    timestamp::Timestamp,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, FromQueryResult, Statement};
use serde_json::{Value, json};

use crate::{
    error::{Error, Result},
    message::{Jid, writer::charge::Entry},
};

/// A message to be written, queued.
pub(super) struct NewMessage {
    pub(super) id: MessageId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) account_id: AccountId,
    pub(super) chat_id: ChatId,
    pub(super) text: String,
    pub(super) user_id: UserId,
    pub(super) reply_to: Option<MessageId>,
    pub(super) label: Option<String>,
    pub(super) chat_name: Option<String>,
}

/// Whose a chat is.
#[derive(FromQueryResult)]
pub(super) struct ChatPlace {
    pub(super) id: ChatId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) account_id: AccountId,
    pub(super) jid: String,
}

/// Whose a message is.
#[derive(FromQueryResult)]
pub(super) struct MessagePlace {
    pub(super) id: MessageId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) account_id: AccountId,
}

/// A statement over the rows of one JSON array. In the text, `{rows}` is a table `x` with a column for each of
/// `columns`; kinds are `bigint`, `text` and `uuid`.
fn over(
    backend: DbBackend,
    sql: &str,
    columns: &[(&str, &str)],
    rows: &[Value],
    more: Vec<sea_orm::Value>,
) -> Statement {
    let table = match backend {
        DbBackend::Postgres => {
            let columns = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect::<Vec<_>>().join(", ");
            format!("json_to_recordset($1::json) AS x({columns})")
        }
        _ => {
            let column = |(name, kind): &(&str, &str)| match *kind {
                "uuid" => format!("unhex(value->>'{name}') AS {name}"),
                _ => format!("value->>'{name}' AS {name}"),
            };
            let columns = columns.iter().map(column).collect::<Vec<_>>().join(", ");
            format!("(SELECT {columns} FROM json_each($1)) AS x")
        }
    };
    let rows = Value::Array(rows.to_vec()).to_string();
    let values = [rows.into()].into_iter().chain(more);
    Statement::from_sql_and_values(backend, sql.replace("{rows}", &table), values)
}

fn hex(id: MessageId) -> String {
    id.0.simple().to_string()
}

pub(super) async fn chats(tx: &DatabaseTransaction, ids: Vec<ChatId>) -> Result<Vec<ChatPlace>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Value> = ids.iter().map(|id| json!({ "i": id })).collect();
    let sql = "SELECT c.id, c.workspace_id, c.account_id, c.jid FROM chats c \
               WHERE c.id IN (SELECT x.i FROM {rows})";
    let statement = over(tx.get_database_backend(), sql, &[("i", "bigint")], &rows, vec![]);
    Ok(ChatPlace::find_by_statement(statement).all(tx).await?)
}

pub(super) async fn chats_by_jid(
    tx: &DatabaseTransaction,
    mut jids: Vec<(AccountId, String)>,
) -> Result<Vec<ChatPlace>> {
    jids.sort_unstable();
    jids.dedup();
    if jids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Value> = jids.iter().map(|(account, jid)| json!({ "a": account, "j": jid })).collect();
    let sql = "SELECT c.id, c.workspace_id, c.account_id, c.jid FROM {rows} \
               JOIN chats c ON c.account_id = x.a AND c.jid = x.j";
    let statement = over(tx.get_database_backend(), sql, &[("a", "bigint"), ("j", "text")], &rows, vec![]);
    Ok(ChatPlace::find_by_statement(statement).all(tx).await?)
}

pub(super) async fn messages(tx: &DatabaseTransaction, ids: Vec<MessageId>) -> Result<Vec<MessagePlace>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Value> = ids.iter().map(|id| json!({ "i": hex(*id) })).collect();
    let sql = "SELECT m.id, m.workspace_id, m.account_id FROM messages m WHERE m.id IN (SELECT x.i FROM {rows})";
    let statement = over(tx.get_database_backend(), sql, &[("i", "uuid")], &rows, vec![]);
    Ok(MessagePlace::find_by_statement(statement).all(tx).await?)
}

/// Which of these messages are there.
pub(super) async fn stored(db: &impl ConnectionTrait, ids: &[MessageId]) -> Result<Vec<MessageId>> {
    let rows: Vec<Value> = ids.iter().map(|id| json!({ "i": hex(*id) })).collect();
    let sql = "SELECT m.id, m.workspace_id, m.account_id FROM messages m WHERE m.id IN (SELECT x.i FROM {rows})";
    let statement = over(db.get_database_backend(), sql, &[("i", "uuid")], &rows, vec![]);
    let found = MessagePlace::find_by_statement(statement).all(db).await?;
    Ok(found.into_iter().map(|message| message.id).collect())
}

/// Makes chats that are not there; those that somebody else makes meanwhile are found.
pub(super) async fn make_chats(
    tx: &DatabaseTransaction,
    new: &HashMap<(AccountId, Jid), WorkspaceId>,
    now: Timestamp,
) -> Result<Vec<(AccountId, Jid, ChatId)>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Value> = new
        .iter()
        .map(|((account, jid), workspace)| {
            let phone = jid.phone().map(|phone| phone.as_str().to_owned());
            let name = phone.clone().unwrap_or_else(|| jid.as_str().to_owned());
            json!({ "a": account, "j": jid.as_str(), "w": workspace, "p": phone, "n": name, "g": i32::from(jid.is_group()) })
        })
        .collect();
    let columns = [("a", "bigint"), ("j", "text"), ("w", "bigint"), ("p", "text"), ("n", "text"), ("g", "bigint")];
    let sql = "INSERT INTO chats (workspace_id, account_id, jid, phone, name, name_folded, is_group, closed, read, \
               created_at, updated_at) \
               SELECT x.w, x.a, x.j, x.p, x.n, x.n, x.g <> 0, FALSE, TRUE, $2, $2 FROM {rows} WHERE TRUE \
               ON CONFLICT (account_id, jid) DO NOTHING";
    tx.execute_raw(over(tx.get_database_backend(), sql, &columns, &rows, vec![now.0.into()])).await?;
    let keys = new.keys().map(|(account, jid)| (*account, jid.as_str().to_owned())).collect();
    let found = chats_by_jid(tx, keys).await?;
    found.into_iter().map(|chat| Ok((chat.account_id, Jid::parse(&chat.jid)?, chat.id))).collect()
}

pub(super) async fn insert_messages(tx: &DatabaseTransaction, messages: &[NewMessage], now: Timestamp) -> Result<()> {
    let rows: Vec<Value> = messages
        .iter()
        .map(|message| {
            json!({
                "i": hex(message.id), "w": message.workspace_id, "a": message.account_id, "c": message.chat_id,
                "t": message.text, "u": message.user_id, "r": message.reply_to.map(hex),
            })
        })
        .collect();
    let columns = [
        ("i", "uuid"),
        ("w", "bigint"),
        ("a", "bigint"),
        ("c", "bigint"),
        ("t", "text"),
        ("u", "bigint"),
        ("r", "uuid"),
    ];
    let sql = "INSERT INTO messages (id, workspace_id, account_id, chat_id, direction, status, text, origin, user_id, \
               reply_to, tries, created_at, updated_at) \
               SELECT x.i, x.w, x.a, x.c, 'sent', 'queued', x.t, 'Public API', x.u, x.r, 0, $2, $2 FROM {rows}";
    tx.execute_raw(over(tx.get_database_backend(), sql, &columns, &rows, vec![now.0.into()])).await?;
    Ok(())
}

pub(super) async fn insert_charges(
    tx: &DatabaseTransaction,
    entries: &[Entry],
    period_start: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let rows: Vec<Value> = entries
        .iter()
        .map(|entry| {
            json!({ "w": entry.workspace_id, "b": entry.bucket, "n": entry.amount, "m": hex(entry.message_id) })
        })
        .collect();
    let columns = [("w", "bigint"), ("b", "text"), ("n", "bigint"), ("m", "uuid")];
    let sql = "INSERT INTO credit_entries (workspace_id, period_start, bucket, kind, amount, message_id, created_at) \
               SELECT x.w, $2, x.b, 'charge', x.n, x.m, $3 FROM {rows}";
    let more = vec![period_start.0.into(), now.0.into()];
    tx.execute_raw(over(tx.get_database_backend(), sql, &columns, &rows, more)).await?;
    Ok(())
}

/// Takes credits from balances whose rows are held.
pub(super) async fn take_credits(
    tx: &DatabaseTransaction,
    taken: &[(WorkspaceId, Credits, Credits)],
    period_start: Timestamp,
) -> Result<()> {
    let rows: Vec<Value> = taken
        .iter()
        .map(|(id, recurring, non_recurring)| json!({ "w": id, "r": recurring, "n": non_recurring }))
        .collect();
    let columns = [("w", "bigint"), ("r", "bigint"), ("n", "bigint")];
    let sql = "UPDATE quota_periods SET recurring_used = recurring_used + x.r, \
               non_recurring_used = non_recurring_used + x.n, revision = revision + 1 FROM {rows} \
               WHERE workspace_id = x.w AND period_start = $2";
    let backend = tx.get_database_backend();
    let changed = tx.execute_raw(over(backend, sql, &columns, &rows, vec![period_start.0.into()])).await?;
    expect_rows(changed.rows_affected(), rows.len())?;
    let from_wallets: Vec<Value> = rows.into_iter().filter(|row| row["n"] != 0).collect();
    if from_wallets.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE wallets SET balance = balance - x.n FROM {rows} WHERE workspace_id = x.w";
    let changed = tx.execute_raw(over(backend, sql, &columns, &from_wallets, vec![])).await?;
    expect_rows(changed.rows_affected(), from_wallets.len())
}

fn expect_rows(changed: u64, expected: usize) -> Result<()> {
    let is_all = usize::try_from(changed).is_ok_and(|changed| changed == expected);
    if is_all { Ok(()) } else { Err(Error::Internal("a balance is not there".to_owned())) }
}

/// Makes the messages the newest of their chats, and gives these the names that were asked for.
pub(super) async fn touch_chats(tx: &DatabaseTransaction, messages: &[NewMessage], now: Timestamp) -> Result<()> {
    let mut newest: BTreeMap<ChatId, (MessageId, Option<&str>)> = BTreeMap::new();
    for message in messages {
        let chat = newest.entry(message.chat_id).or_insert((message.id, None));
        *chat = (message.id, message.chat_name.as_deref().or(chat.1));
    }
    let rows: Vec<Value> = newest
        .into_iter()
        .map(|(chat, (id, name))| json!({ "c": chat, "m": hex(id), "n": name, "f": name.map(crate::workspace::fold) }))
        .collect();
    let columns = [("c", "bigint"), ("m", "uuid"), ("n", "text"), ("f", "text")];
    let sql = "UPDATE chats SET last_message_id = x.m, last_message_at = $2, updated_at = $2, \
               name = COALESCE(x.n, name), name_folded = COALESCE(x.f, name_folded) FROM {rows} WHERE id = x.c";
    tx.execute_raw(over(tx.get_database_backend(), sql, &columns, &rows, vec![now.0.into()])).await?;
    Ok(())
}

/// Counts the messages into the queues of their channels, which are due if nothing waited there.
pub(super) async fn add_to_queues(tx: &DatabaseTransaction, messages: &[NewMessage], now: Timestamp) -> Result<()> {
    let mut counts: BTreeMap<AccountId, i64> = BTreeMap::new();
    for message in messages {
        *counts.entry(message.account_id).or_default() += 1;
    }
    let rows: Vec<Value> = counts.iter().map(|(account, count)| json!({ "a": account, "n": count })).collect();
    let columns = [("a", "bigint"), ("n", "bigint")];
    let sql = "UPDATE send_queues SET queued = queued + x.n, due_at = COALESCE(due_at, $2) FROM {rows} \
               WHERE account_id = x.a";
    let changed = tx.execute_raw(over(tx.get_database_backend(), sql, &columns, &rows, vec![now.0.into()])).await?;
    expect_rows(changed.rows_affected(), rows.len())
}

pub(super) async fn add_labels(tx: &DatabaseTransaction, messages: &[NewMessage]) -> Result<()> {
    let labelled = messages.iter().filter_map(|message| {
        let label = message.label.as_deref()?;
        Some(json!({ "c": message.chat_id, "l": label, "w": message.workspace_id }))
    });
    let rows: Vec<Value> = labelled.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [("c", "bigint"), ("l", "text"), ("w", "bigint")];
    let sql = "INSERT INTO chat_labels (chat_id, label, workspace_id) SELECT x.c, x.l, x.w FROM {rows} WHERE TRUE \
               ON CONFLICT (chat_id, label) DO NOTHING";
    tx.execute_raw(over(tx.get_database_backend(), sql, &columns, &rows, vec![])).await?;
    Ok(())
}
