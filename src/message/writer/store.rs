//! SQL of the writer. Each statement takes a whole batch as one JSON document, so its text does not depend on the
//! batch and is prepared once; the two databases differ in how they unfold it.

use std::collections::{BTreeMap, HashMap};

use entity::{
    credit_entry::Bucket,
    credits::Credits,
    id::{AccountId, ChatId, MessageId, UserId, WorkspaceId},
    timestamp::Timestamp,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, FromQueryResult, Statement};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    db,
    error::{Error, Result},
    message::{Jid, writer::charge::Entry},
};

/// What a batch needs to know of a workspace, its period's row and its balance held for the transaction.
#[derive(FromQueryResult)]
pub(super) struct Held {
    pub(super) workspace_id: WorkspaceId,
    pub(super) recurring_granted: Credits,
    pub(super) recurring_used: Credits,
    pub(super) non_recurring_used: Credits,
    pub(super) messages_notified: i32,
    pub(super) revision: i64,
    pub(super) balance: Credits,
    channels: Option<String>,
    /// Whether it has a webhook.
    pub(super) is_subscribed: bool,
}

/// An account that a message may go through.
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) phone: String,
    pub(super) connected_at: Timestamp,
    pub(super) is_usable: bool,
}

impl Held {
    /// The workspace's accounts.
    pub(super) fn accounts(&self) -> Result<Vec<Account>> {
        let Some(text) = &self.channels else { return Ok(Vec::new()) };
        let rows: Vec<(AccountId, String, Timestamp, i32)> =
            serde_json::from_str(text).map_err(|error| Error::Internal(format!("accounts: {error}")))?;
        let account = |(id, phone, connected_at, usable)| Account { id, phone, connected_at, is_usable: usable != 0 };
        Ok(rows.into_iter().map(account).collect())
    }
}

/// Takes the rows of these workspaces that are there, in the order in which everybody takes them.
pub(super) async fn hold(tx: &DatabaseTransaction, ids: &[WorkspaceId], period_start: Timestamp) -> Result<Vec<Held>> {
    const SELECT: &str = "SELECT q.workspace_id, q.recurring_granted, q.recurring_used, q.non_recurring_used, \
        q.messages_notified, q.revision, w.balance, (SELECT {accounts} FROM channels c \
        WHERE c.workspace_id = q.workspace_id) AS channels, EXISTS (SELECT 1 FROM webhook_subscriptions s \
        WHERE s.workspace_id = q.workspace_id AND s.enabled AND s.deleted_at IS NULL) AS is_subscribed \
        FROM quota_periods q JOIN wallets w ON w.workspace_id = q.workspace_id \
        WHERE q.workspace_id {one_of} AND q.period_start = $1 ORDER BY q.workspace_id";
    let usable = "CASE WHEN c.state = 'connected' AND NOT c.suspended THEN 1 ELSE 0 END";
    let (one_of, list) = db::one_of(tx.get_database_backend(), "$2", ids);
    let (accounts, lock) = match tx.get_database_backend() {
        DbBackend::Postgres => (
            "json_agg(json_build_array(c.account_id, c.phone, c.connected_at, {usable}))::text",
            " FOR NO KEY UPDATE OF q, w",
        ),
        _ => ("json_group_array(json_array(c.account_id, c.phone, c.connected_at, {usable}))", ""),
    };
    let accounts = accounts.replace("{usable}", usable);
    let sql = SELECT.replace("{accounts}", &accounts).replace("{one_of}", &one_of) + lock;
    let statement =
        Statement::from_sql_and_values(tx.get_database_backend(), sql, [period_start.0.into(), list.into()]);
    Ok(Held::find_by_statement(statement).all(tx).await?)
}

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
    let table = table_of(backend, columns, 1);
    let rows = Value::Array(rows.to_vec()).to_string();
    let values = [rows.into()].into_iter().chain(more);
    Statement::from_sql_and_values(backend, sql.replace("{rows}", &table), values)
}

/// The rows of the JSON array that is bound as `$place`, as a table `x`.
fn table_of(backend: DbBackend, columns: &[(&str, &str)], place: usize) -> String {
    match backend {
        DbBackend::Postgres => {
            let columns = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect::<Vec<_>>().join(", ");
            format!("json_to_recordset(${place}::json) AS x({columns})")
        }
        _ => {
            let column = |(name, kind): &(&str, &str)| match *kind {
                "uuid" => format!("unhex(value->>'{name}') AS {name}"),
                _ => format!("value->>'{name}' AS {name}"),
            };
            let columns = columns.iter().map(column).collect::<Vec<_>>().join(", ");
            format!("(SELECT {columns} FROM json_each(${place})) AS x")
        }
    }
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

/// One change of a batch: a statement over rows. `{rows}` stands for them, `$1` for now, `$2` for the period.
struct Part {
    sql: &'static str,
    columns: &'static [(&'static str, &'static str)],
    rows: String,
    /// How many rows it must change; `None` if it may find some done already.
    expected: Option<usize>,
}

impl Part {
    fn new<T: Serialize>(
        sql: &'static str,
        columns: &'static [(&'static str, &'static str)],
        rows: &[T],
    ) -> Result<Self> {
        let expected = Some(rows.len());
        let rows = serde_json::to_string(rows).map_err(|error| Error::Internal(format!("batch: {error}")))?;
        Ok(Self { sql, columns, rows, expected })
    }
}

#[derive(Serialize)]
struct MessageRow<'a> {
    i: String,
    w: WorkspaceId,
    a: AccountId,
    c: ChatId,
    t: &'a str,
    u: UserId,
    r: Option<String>,
}

impl<'a> From<&'a NewMessage> for MessageRow<'a> {
    fn from(message: &'a NewMessage) -> Self {
        Self {
            i: hex(message.id),
            w: message.workspace_id,
            a: message.account_id,
            c: message.chat_id,
            t: &message.text,
            u: message.user_id,
            r: message.reply_to.map(hex),
        }
    }
}

#[derive(Serialize)]
struct ChargeRow {
    w: WorkspaceId,
    b: Bucket,
    n: Credits,
    m: String,
}

#[derive(Serialize)]
struct TakenRow {
    w: WorkspaceId,
    r: Credits,
    n: Credits,
}

#[derive(Serialize)]
struct ChatRow<'a> {
    c: ChatId,
    m: String,
    n: Option<&'a str>,
    f: Option<String>,
}

#[derive(Serialize)]
struct QueueRow {
    a: AccountId,
    n: i64,
}

#[derive(Serialize)]
struct LabelRow<'a> {
    c: ChatId,
    l: &'a str,
    w: WorkspaceId,
}

fn messages_part(messages: &[NewMessage]) -> Result<Part> {
    Part::new(
        "INSERT INTO messages (id, workspace_id, account_id, chat_id, direction, status, text, origin, user_id, \
         reply_to, tries, created_at, updated_at) \
         SELECT x.i, x.w, x.a, x.c, 'sent', 'queued', x.t, 'Public API', x.u, x.r, 0, $1, $1 FROM {rows} RETURNING 1",
        &[
            ("i", "uuid"),
            ("w", "bigint"),
            ("a", "bigint"),
            ("c", "bigint"),
            ("t", "text"),
            ("u", "bigint"),
            ("r", "uuid"),
        ],
        &messages.iter().map(MessageRow::from).collect::<Vec<_>>(),
    )
}

fn charges_part(entries: &[Entry]) -> Result<Part> {
    let row =
        |entry: &Entry| ChargeRow { w: entry.workspace_id, b: entry.bucket, n: entry.amount, m: hex(entry.message_id) };
    Part::new(
        "INSERT INTO credit_entries (workspace_id, period_start, bucket, kind, amount, message_id, created_at) \
         SELECT x.w, $2, x.b, 'charge', x.n, x.m, $1 FROM {rows} RETURNING 1",
        &[("w", "bigint"), ("b", "text"), ("n", "bigint"), ("m", "uuid")],
        &entries.iter().map(row).collect::<Vec<_>>(),
    )
}

/// Takes credits from balances whose rows are held.
fn balances_parts(taken: &[(WorkspaceId, Credits, Credits)]) -> Result<Vec<Part>> {
    const COLUMNS: &[(&str, &str)] = &[("w", "bigint"), ("r", "bigint"), ("n", "bigint")];
    let rows: Vec<TakenRow> = taken.iter().map(|(w, r, n)| TakenRow { w: *w, r: *r, n: *n }).collect();
    let mut parts = vec![Part::new(
        "UPDATE quota_periods SET recurring_used = recurring_used + x.r, \
         non_recurring_used = non_recurring_used + x.n, revision = revision + 1 FROM {rows} \
         WHERE workspace_id = x.w AND period_start = $2 RETURNING 1",
        COLUMNS,
        &rows,
    )?];
    let from_wallets: Vec<TakenRow> = rows.into_iter().filter(|row| row.n > Credits::ZERO).collect();
    if !from_wallets.is_empty() {
        let sql = "UPDATE wallets SET balance = balance - x.n FROM {rows} WHERE workspace_id = x.w RETURNING 1";
        parts.push(Part::new(sql, COLUMNS, &from_wallets)?);
    }
    Ok(parts)
}

/// Makes the messages the newest of their chats, and gives these the names that were asked for.
fn chats_part(messages: &[NewMessage]) -> Result<Part> {
    let mut newest: BTreeMap<ChatId, (MessageId, Option<&str>)> = BTreeMap::new();
    for message in messages {
        let chat = newest.entry(message.chat_id).or_insert((message.id, None));
        *chat = (message.id, message.chat_name.as_deref().or(chat.1));
    }
    let row = |(c, (id, n)): (ChatId, (MessageId, Option<&'_ str>))| {
        (c, hex(id), n.map(str::to_owned), n.map(crate::workspace::fold))
    };
    let rows: Vec<_> = newest.into_iter().map(row).collect();
    let rows: Vec<ChatRow<'_>> =
        rows.iter().map(|(c, m, n, f)| ChatRow { c: *c, m: m.clone(), n: n.as_deref(), f: f.clone() }).collect();
    Part::new(
        "UPDATE chats SET last_message_id = x.m, last_message_at = $1, updated_at = $1, \
         name = COALESCE(x.n, name), name_folded = COALESCE(x.f, name_folded) FROM {rows} WHERE id = x.c RETURNING 1",
        &[("c", "bigint"), ("m", "uuid"), ("n", "text"), ("f", "text")],
        &rows,
    )
}

/// Counts the messages into the queues of their channels, which are due if nothing waited there.
fn queues_part(messages: &[NewMessage]) -> Result<Part> {
    let mut counts: BTreeMap<AccountId, i64> = BTreeMap::new();
    for message in messages {
        *counts.entry(message.account_id).or_default() += 1;
    }
    Part::new(
        "UPDATE send_queues SET queued = queued + x.n, due_at = COALESCE(due_at, $1) FROM {rows} \
         WHERE account_id = x.a RETURNING 1",
        &[("a", "bigint"), ("n", "bigint")],
        &counts.into_iter().map(|(a, n)| QueueRow { a, n }).collect::<Vec<_>>(),
    )
}

fn labels_part(messages: &[NewMessage]) -> Result<Option<Part>> {
    let row = |message: &NewMessage| message.label.clone().map(|label| (message.chat_id, label, message.workspace_id));
    let labels: Vec<_> = messages.iter().filter_map(row).collect();
    if labels.is_empty() {
        return Ok(None);
    }
    let rows: Vec<LabelRow<'_>> = labels.iter().map(|(c, l, w)| LabelRow { c: *c, l, w: *w }).collect();
    let part = Part::new(
        "INSERT INTO chat_labels (chat_id, label, workspace_id) SELECT x.c, x.l, x.w FROM {rows} WHERE TRUE \
         ON CONFLICT (chat_id, label) DO NOTHING RETURNING 1",
        &[("c", "bigint"), ("l", "text"), ("w", "bigint")],
        &rows,
    )?;
    Ok(Some(Part { expected: None, ..part }))
}

/// Writes a batch: on PostgreSQL all of it in one statement, so that it costs one way to the database and back.
pub(super) async fn write(
    tx: &DatabaseTransaction,
    messages: &[NewMessage],
    entries: &[Entry],
    taken: &[(WorkspaceId, Credits, Credits)],
    period_start: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let mut parts = vec![messages_part(messages)?, charges_part(entries)?];
    parts.extend(balances_parts(taken)?);
    parts.extend([chats_part(messages)?, queues_part(messages)?]);
    parts.extend(labels_part(messages)?);
    let fixed = [now.0.into(), period_start.0.into()];
    match tx.get_database_backend() {
        DbBackend::Postgres => write_at_once(tx, parts, fixed).await,
        _ => write_in_turn(tx, parts, fixed).await,
    }
}

async fn write_at_once(tx: &DatabaseTransaction, parts: Vec<Part>, fixed: [sea_orm::Value; 2]) -> Result<()> {
    let mut steps = Vec::with_capacity(parts.len());
    let mut counts = Vec::with_capacity(parts.len());
    let mut values: Vec<sea_orm::Value> = fixed.into();
    let expected: Vec<Option<usize>> = parts.iter().map(|part| part.expected).collect();
    for (number, part) in parts.into_iter().enumerate() {
        values.push(part.rows.into());
        let table = table_of(DbBackend::Postgres, part.columns, values.len());
        let sql = part.sql.replace("{rows}", &table).replace("$1", "$1::bigint").replace("$2", "$2::bigint");
        steps.push(format!("s{number} AS ({sql})"));
        counts.push(format!("(SELECT count(*) FROM s{number}) AS n{number}"));
    }
    let sql = format!("WITH {} SELECT {}", steps.join(", "), counts.join(", "));
    let row = tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await?;
    let row = row.ok_or_else(|| Error::Internal("a batch says nothing".to_owned()))?;
    for (number, expected) in expected.into_iter().enumerate() {
        expect_rows(row.try_get::<i64>("", &format!("n{number}"))?, expected)?;
    }
    Ok(())
}

async fn write_in_turn(tx: &DatabaseTransaction, parts: Vec<Part>, fixed: [sea_orm::Value; 2]) -> Result<()> {
    for part in parts {
        let sql = part.sql.replace("{rows}", &table_of(DbBackend::Sqlite, part.columns, 3)).replace(" RETURNING 1", "");
        let [now, period] = fixed.clone();
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, [now, period, part.rows.into()]);
        let changed = tx.execute_raw(statement).await?.rows_affected();
        expect_rows(i64::try_from(changed).unwrap_or(-1), part.expected)?;
    }
    Ok(())
}

fn expect_rows(changed: i64, expected: Option<usize>) -> Result<()> {
    let is_all = expected.is_none_or(|expected| usize::try_from(changed).is_ok_and(|changed| changed == expected));
    if is_all { Ok(()) } else { Err(Error::Internal(format!("{changed} rows were changed, not {expected:?}"))) }
}
