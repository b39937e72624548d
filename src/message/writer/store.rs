//! SQL of the writer. Each statement takes a whole batch as [`Rows`], so its text does not depend on the batch and is
//! prepared once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{
    credits::Credits,
    id::{AccountId, ChatId, FileId, MessageId, UserId, WorkspaceId},
    timestamp::Timestamp,
};
use sea_orm::{ActiveEnum, ConnectionTrait, DatabaseTransaction, DbBackend, FromQueryResult, Statement};

use crate::{
    chat,
    db::{self, Column, Rows},
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
    pub(super) text: Option<String>,
    pub(super) file_id: Option<FileId>,
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

/// A statement over rows: `{rows}` in the text stands for them, as a table `x`; what it takes besides comes first.
fn over(backend: DbBackend, sql: &str, mut values: Vec<sea_orm::Value>, rows: Rows) -> Statement {
    let table = rows.bind(backend, &mut values);
    Statement::from_sql_and_values(backend, sql.replace("{rows}", &table), values)
}

pub(super) async fn chats(tx: &DatabaseTransaction, ids: Vec<ChatId>) -> Result<Vec<ChatPlace>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Rows::new(vec![("i", Column::Numbers(ids.iter().map(|id| id.0).collect()))]);
    let sql = "SELECT c.id, c.workspace_id, c.account_id, c.jid FROM chats c \
               WHERE c.id IN (SELECT x.i FROM {rows})";
    let statement = over(tx.get_database_backend(), sql, vec![], rows);
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
    let (accounts, jids): (Vec<_>, Vec<_>) = jids.into_iter().map(|(account, jid)| (account.0, jid)).unzip();
    let rows = Rows::new(vec![("a", Column::Numbers(accounts)), ("j", Column::Texts(jids))]);
    let sql = "SELECT c.id, c.workspace_id, c.account_id, c.jid FROM {rows} \
               JOIN chats c ON c.account_id = x.a AND c.jid = x.j";
    let statement = over(tx.get_database_backend(), sql, vec![], rows);
    Ok(ChatPlace::find_by_statement(statement).all(tx).await?)
}

pub(super) async fn messages(tx: &DatabaseTransaction, ids: Vec<MessageId>) -> Result<Vec<MessagePlace>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Rows::new(vec![("i", Column::Ids(ids.iter().map(|id| id.0).collect()))]);
    let sql = "SELECT m.id, m.workspace_id, m.account_id FROM messages m WHERE m.id IN (SELECT x.i FROM {rows})";
    let statement = over(tx.get_database_backend(), sql, vec![], rows);
    Ok(MessagePlace::find_by_statement(statement).all(tx).await?)
}

/// Which of these messages are there.
pub(super) async fn stored(db: &impl ConnectionTrait, ids: &[MessageId]) -> Result<Vec<MessageId>> {
    let rows = Rows::new(vec![("i", Column::Ids(ids.iter().map(|id| id.0).collect()))]);
    let sql = "SELECT m.id, m.workspace_id, m.account_id FROM messages m WHERE m.id IN (SELECT x.i FROM {rows})";
    let statement = over(db.get_database_backend(), sql, vec![], rows);
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
    let new_chats: Vec<_> = new.iter().map(|((account, jid), workspace)| (account, jid, workspace)).collect();
    let phone = |jid: &Jid| jid.phone().map(|phone| phone.as_str().to_owned());
    let name = |jid: &Jid| phone(jid).unwrap_or_else(|| jid.as_str().to_owned());
    let numbers =
        |of: &dyn Fn(&(&AccountId, &Jid, &WorkspaceId)) -> i64| Column::Numbers(new_chats.iter().map(of).collect());
    let texts = |of: &dyn Fn(&Jid) -> String| Column::Texts(new_chats.iter().map(|(_, jid, _)| of(jid)).collect());
    let rows = Rows::new(vec![
        ("a", numbers(&|chat| chat.0.0)),
        ("j", texts(&|jid| jid.as_str().to_owned())),
        ("w", numbers(&|chat| chat.2.0)),
        ("p", Column::OptionalTexts(new_chats.iter().map(|(_, jid, _)| phone(jid)).collect())),
        ("n", texts(&name)),
        ("g", numbers(&|chat| i64::from(chat.1.is_group()))),
    ]);
    let sql = "INSERT INTO chats (workspace_id, account_id, jid, phone, name, name_folded, is_group, closed, read, \
               created_at, updated_at) \
               SELECT x.w, x.a, x.j, x.p, x.n, x.n, x.g <> 0, FALSE, TRUE, $1, $1 FROM {rows} WHERE TRUE \
               ON CONFLICT (account_id, jid) DO NOTHING";
    let sql = match tx.get_database_backend() {
        DbBackend::Postgres => sql.replace("$1", "$1::bigint"),
        _ => sql.to_owned(),
    };
    tx.execute_raw(over(tx.get_database_backend(), &sql, vec![now.0.into()], rows)).await?;
    let keys = new.keys().map(|(account, jid)| (*account, jid.as_str().to_owned())).collect();
    let found = chats_by_jid(tx, keys).await?;
    found.into_iter().map(|chat| Ok((chat.account_id, Jid::parse(&chat.jid)?, chat.id))).collect()
}

/// One change of a batch: a statement over rows. `{rows}` stands for them, `$1` for now, `$2` for the period.
struct Part {
    sql: &'static str,
    rows: Rows,
    /// How many rows it must change; `None` if it may find some done already.
    expected: Option<usize>,
}

impl Part {
    fn new(sql: &'static str, columns: Vec<(&'static str, Column)>) -> Self {
        let rows = Rows::new(columns);
        Self { sql, expected: Some(rows.len()), rows }
    }
}

fn messages_part(messages: &[NewMessage]) -> Part {
    let numbers = |of: fn(&NewMessage) -> i64| Column::Numbers(messages.iter().map(of).collect());
    Part::new(
        "INSERT INTO messages (id, workspace_id, account_id, chat_id, direction, status, text, origin, user_id, \
         reply_to, file_id, tries, created_at, updated_at) \
         SELECT x.i, x.w, x.a, x.c, 'sent', 'queued', x.t, 'Public API', x.u, x.r, x.f, 0, $1, $1 FROM {rows} \
         RETURNING 1",
        vec![
            ("i", Column::Ids(messages.iter().map(|message| message.id.0).collect())),
            ("w", numbers(|message| message.workspace_id.0)),
            ("a", numbers(|message| message.account_id.0)),
            ("c", numbers(|message| message.chat_id.0)),
            ("t", Column::OptionalTexts(messages.iter().map(|message| message.text.clone()).collect())),
            ("u", numbers(|message| message.user_id.0)),
            ("r", Column::OptionalIds(messages.iter().map(|message| message.reply_to.map(|id| id.0)).collect())),
            ("f", Column::OptionalIds(messages.iter().map(|message| message.file_id.map(|id| id.0)).collect())),
        ],
    )
}

fn charges_part(entries: &[Entry]) -> Part {
    let numbers = |of: fn(&Entry) -> i64| Column::Numbers(entries.iter().map(of).collect());
    let bucket = |entry: &Entry| entry.bucket.to_value();
    Part::new(
        "INSERT INTO credit_entries (workspace_id, period_start, bucket, kind, amount, message_id, created_at) \
         SELECT x.w, $2, x.b, 'charge', x.n, x.m, $1 FROM {rows} RETURNING 1",
        vec![
            ("w", numbers(|entry| entry.workspace_id.0)),
            ("b", Column::Texts(entries.iter().map(bucket).collect())),
            ("n", numbers(|entry| entry.amount.0)),
            ("m", Column::Ids(entries.iter().map(|entry| entry.message_id.0).collect())),
        ],
    )
}

/// What a batch takes of a workspace: recurring credits, and those that do not expire.
type Taken = (WorkspaceId, Credits, Credits);

/// Takes credits from balances whose rows are held.
fn balances_parts(taken: &[Taken]) -> Vec<Part> {
    let columns = |some: &[&Taken]| {
        let numbers = |of: fn(&Taken) -> i64| Column::Numbers(some.iter().map(|one| of(one)).collect());
        vec![("w", numbers(|one| one.0.0)), ("r", numbers(|one| one.1.0)), ("n", numbers(|one| one.2.0))]
    };
    let mut parts = vec![Part::new(
        "UPDATE quota_periods SET recurring_used = recurring_used + x.r, \
         non_recurring_used = non_recurring_used + x.n, revision = revision + 1 FROM {rows} \
         WHERE workspace_id = x.w AND period_start = $2 RETURNING 1",
        columns(&taken.iter().collect::<Vec<_>>()),
    )];
    let from_wallets: Vec<&Taken> = taken.iter().filter(|one| one.2 > Credits::ZERO).collect();
    if !from_wallets.is_empty() {
        let sql = "UPDATE wallets SET balance = balance - x.n FROM {rows} WHERE workspace_id = x.w RETURNING 1";
        parts.push(Part::new(sql, columns(&from_wallets)));
    }
    parts
}

/// Makes the messages the newest of their chats, and gives these the names that were asked for.
fn chats_part(messages: &[NewMessage]) -> Part {
    let mut newest: BTreeMap<ChatId, (MessageId, Option<&str>)> = BTreeMap::new();
    for message in messages {
        let chat = newest.entry(message.chat_id).or_insert((message.id, None));
        *chat = (message.id, message.chat_name.as_deref().or(chat.1));
    }
    let names =
        |name: fn(&str) -> String| Column::OptionalTexts(newest.values().map(|chat| chat.1.map(name)).collect());
    Part::new(
        "UPDATE chats SET last_message_id = x.m, last_message_at = $1, updated_at = $1, read = TRUE, \
         autoresponse_locked = autoresponse{hour}{name} FROM {rows} WHERE id = x.c RETURNING 1",
        vec![
            ("c", Column::Numbers(newest.keys().map(|id| id.0).collect())),
            ("m", Column::Ids(newest.values().map(|chat| chat.0.0).collect())),
            ("n", names(str::to_owned)),
            ("f", names(crate::workspace::fold)),
        ],
    )
}

/// On SQLite: moves the chats into the hour of their newest message. Most are there already and are not touched, so
/// that their place in the order of chats, which is an index, is not written again for each message. PostgreSQL sees
/// by itself that the hour stays.
fn hours_part(messages: &[NewMessage], now: Timestamp) -> Part {
    let chats: BTreeSet<i64> = messages.iter().map(|message| message.chat_id.0).collect();
    let part = Part::new(
        "UPDATE chats SET active_hour = x.h FROM {rows} WHERE id = x.c AND active_hour <> x.h",
        vec![
            ("h", Column::Numbers(vec![chat::hour_of(now); chats.len()])),
            ("c", Column::Numbers(chats.into_iter().collect())),
        ],
    );
    Part { expected: None, ..part }
}

/// On SQLite: gives chats the names that were asked for, and touches no others: names are in an index too.
fn names_part(messages: &[NewMessage]) -> Option<Part> {
    let given: BTreeMap<ChatId, &str> =
        messages.iter().filter_map(|message| Some((message.chat_id, message.chat_name.as_deref()?))).collect();
    if given.is_empty() {
        return None;
    }
    Some(Part::new(
        "UPDATE chats SET name = x.n, name_folded = x.f FROM {rows} WHERE id = x.c",
        vec![
            ("c", Column::Numbers(given.keys().map(|id| id.0).collect())),
            ("n", Column::Texts(given.values().map(|name| (*name).to_owned()).collect())),
            ("f", Column::Texts(given.values().map(|name| crate::workspace::fold(name)).collect())),
        ],
    ))
}

/// Counts the messages into the queues of their channels, which are due if nothing waited there.
fn queues_part(messages: &[NewMessage]) -> Part {
    let mut counts: BTreeMap<AccountId, i64> = BTreeMap::new();
    for message in messages {
        *counts.entry(message.account_id).or_default() += 1;
    }
    Part::new(
        "UPDATE send_queues SET queued = queued + x.n, due_at = COALESCE(due_at, $1) FROM {rows} \
         WHERE account_id = x.a RETURNING 1",
        vec![
            ("a", Column::Numbers(counts.keys().map(|id| id.0).collect())),
            ("n", Column::Numbers(counts.into_values().collect())),
        ],
    )
}

fn labels_part(messages: &[NewMessage]) -> Option<Part> {
    let labelled: Vec<&NewMessage> = messages.iter().filter(|message| message.label.is_some()).collect();
    if labelled.is_empty() {
        return None;
    }
    let numbers = |of: fn(&NewMessage) -> i64| Column::Numbers(labelled.iter().map(|message| of(message)).collect());
    let part = Part::new(
        "INSERT INTO chat_labels (chat_id, label, workspace_id) SELECT x.c, x.l, x.w FROM {rows} WHERE TRUE \
         ON CONFLICT (chat_id, label) DO NOTHING RETURNING 1",
        vec![
            ("c", numbers(|message| message.chat_id.0)),
            ("l", Column::Texts(labelled.iter().filter_map(|message| message.label.clone()).collect())),
            ("w", numbers(|message| message.workspace_id.0)),
        ],
    );
    Some(Part { expected: None, ..part })
}

/// Writes a batch: on PostgreSQL all of it in one statement, so that it costs one way to the database and back.
pub(super) async fn write(
    tx: &DatabaseTransaction,
    messages: &[NewMessage],
    entries: &[Entry],
    taken: &[Taken],
    period_start: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let mut parts = vec![messages_part(messages), charges_part(entries)];
    parts.extend(balances_parts(taken));
    parts.extend([chats_part(messages), queues_part(messages)]);
    parts.extend(labels_part(messages));
    let fixed = vec![now.0.into(), period_start.0.into()];
    match tx.get_database_backend() {
        DbBackend::Postgres => write_at_once(tx, parts, fixed).await,
        _ => {
            parts.push(hours_part(messages, now));
            parts.extend(names_part(messages));
            write_in_turn(tx, parts, &fixed).await
        }
    }
}

async fn write_at_once(tx: &DatabaseTransaction, parts: Vec<Part>, mut values: Vec<sea_orm::Value>) -> Result<()> {
    let mut steps = Vec::with_capacity(parts.len());
    let mut counts = Vec::with_capacity(parts.len());
    let expected: Vec<Option<usize>> = parts.iter().map(|part| part.expected).collect();
    for (number, part) in parts.into_iter().enumerate() {
        let sql = part.sql.replace("{hour}", ", active_hour = $1 / 3600000000");
        let sql = sql.replace("{name}", ", name = COALESCE(x.n, name), name_folded = COALESCE(x.f, name_folded)");
        let sql = sql.replace("$1", "$1::bigint").replace("$2", "$2::bigint");
        let sql = sql.replace("{rows}", &part.rows.bind(DbBackend::Postgres, &mut values));
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

async fn write_in_turn(tx: &DatabaseTransaction, parts: Vec<Part>, fixed: &[sea_orm::Value]) -> Result<()> {
    for part in parts {
        let mut values = fixed.to_vec();
        let sql = part.sql.replace("{rows}", &part.rows.bind(DbBackend::Sqlite, &mut values));
        // What fails takes the whole transaction back, so no statement needs a journal to undo itself with.
        let sql = sql.replace("{hour}", "").replace("{name}", "").replace(" RETURNING 1", "").replacen(
            "UPDATE ",
            "UPDATE OR FAIL ",
            1,
        );
        let sql = match sql.contains("ON CONFLICT") {
            true => sql,
            false => sql.replacen("INSERT INTO ", "INSERT OR FAIL INTO ", 1),
        };
        let changed =
            tx.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)).await?.rows_affected();
        expect_rows(i64::try_from(changed).unwrap_or(-1), part.expected)?;
    }
    Ok(())
}

fn expect_rows(changed: i64, expected: Option<usize>) -> Result<()> {
    let is_all = expected.is_none_or(|expected| usize::try_from(changed).is_ok_and(|changed| changed == expected));
    if is_all { Ok(()) } else { Err(Error::Internal(format!("{changed} rows were changed, not {expected:?}"))) }
}
