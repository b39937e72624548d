//! What a batch changes. Each statement takes a whole batch as [`Rows`], so its text does not depend on the batch and is
//! prepared once.

use std::collections::BTreeMap;

use entity::{
    credits::Credits,
    id::{AccountId, ChatId, FileId, MessageId, UserId, WorkspaceId},
    timestamp::Timestamp,
};
use sea_orm::{ActiveEnum, ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};

use crate::{
    chat,
    db::{self, Column, Database, Rows},
    error::{Error, Result},
    message::writer::{
        charge::{Charge, Entry, Taken},
        store::{ROUTES_REVISION, embedded},
    },
};

/// A message to be written, queued.
pub(in crate::message::writer) struct NewMessage {
    pub(in crate::message::writer) id: MessageId,
    pub(in crate::message::writer) workspace_id: WorkspaceId,
    pub(in crate::message::writer) account_id: AccountId,
    pub(in crate::message::writer) chat_id: ChatId,
    pub(in crate::message::writer) text: Option<String>,
    pub(in crate::message::writer) file_id: Option<FileId>,
    /// Absent where a bot has written it.
    pub(in crate::message::writer) user_id: Option<UserId>,
    pub(in crate::message::writer) reply_to: Option<MessageId>,
    pub(in crate::message::writer) label: Option<String>,
    pub(in crate::message::writer) chat_name: Option<String>,
}

/// What a batch changes if its workspaces are as they are remembered.
pub(in crate::message::writer) struct Changes {
    pub(in crate::message::writer) messages: Vec<NewMessage>,
    pub(in crate::message::writer) entries: Vec<Entry>,
    pub(in crate::message::writer) charges: Vec<Charge>,
    pub(in crate::message::writer) period_start: Timestamp,
    pub(in crate::message::writer) now: Timestamp,
}

impl Changes {
    /// Whose messages they are.
    pub(in crate::message::writer) fn workspaces(&self) -> impl Iterator<Item = WorkspaceId> {
        self.charges.iter().map(|charge| charge.taken.workspace_id)
    }
}

/// One change of a batch: a statement over rows. `{rows}` stands for them, `$1` for now, `$2` for the period. The rows
/// name their workspace as `w`.
struct Part {
    sql: &'static str,
    rows: Rows,
    /// How many rows it must change; `None` if it may find some done already.
    expected: Option<usize>,
}

impl Part {
    /// The statement's text on PostgreSQL, its rows bound behind the values that are there and `joined` with more.
    fn on_postgres(self, values: &mut Vec<Value>, joined: &str) -> String {
        let sql = self.sql.replace(
            "{listed}",
            ", active_hour = $1 / 3600000000, read = read OR x.o = 1, \
             unread = CASE x.o WHEN 1 THEN 0 ELSE unread END, \
             autoresponse_locked = CASE x.o WHEN 1 THEN autoresponse ELSE autoresponse_locked END, \
             name = COALESCE(x.n, name), name_folded = COALESCE(x.f, name_folded), \
             name_given = name_given OR x.n IS NOT NULL",
        );
        let sql = sql.replace("$1", "$1::bigint").replace("$2", "$2::bigint");
        sql.replace("{rows}", &(self.rows.bind(DbBackend::Postgres, values) + joined))
    }

    /// The statement's text on SQLite, likewise. What fails takes the whole transaction back, so no statement needs a
    /// journal to undo itself with.
    fn on_sqlite(self, values: &mut Vec<Value>) -> String {
        let sql = self.sql.replace("{rows}", &self.rows.bind(DbBackend::Sqlite, values));
        let sql = sql.replace("{listed}", "").replace(" RETURNING 1", "").replacen("UPDATE ", "UPDATE OR FAIL ", 1);
        match sql.contains("ON CONFLICT") {
            true => sql,
            false => sql.replacen("INSERT INTO ", "INSERT OR FAIL INTO ", 1),
        }
    }

    fn new(sql: &'static str, columns: Vec<(&'static str, Column)>) -> Self {
        let rows = Rows::new(columns);
        Self { sql, expected: Some(rows.len()), rows }
    }
}

/// Stands for the user of a message that a bot has written.
const NOBODY: i64 = 0;

fn messages_part(messages: &[NewMessage]) -> Part {
    let numbers = |of: fn(&NewMessage) -> i64| Column::Numbers(messages.iter().map(of).collect());
    Part::new(
        "INSERT INTO messages (id, workspace_id, account_id, chat_id, direction, status, text, origin, user_id, \
         reply_to, file_id, tries, created_at, updated_at) \
         SELECT x.i, x.w, x.a, x.c, 'sent', 'queued', x.t, CASE x.u WHEN 0 THEN 'Bot' ELSE 'Public API' END, \
         NULLIF(x.u, 0), x.r, x.f, 0, $1, $1 FROM {rows} \
         RETURNING 1",
        vec![
            ("i", Column::Ids(messages.iter().map(|message| message.id.0).collect())),
            ("w", numbers(|message| message.workspace_id.0)),
            ("a", numbers(|message| message.account_id.0)),
            ("c", numbers(|message| message.chat_id.0)),
            ("t", Column::OptionalTexts(messages.iter().map(|message| message.text.clone()).collect())),
            ("u", numbers(|message| message.user_id.map_or(NOBODY, |id| id.0))),
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

/// Takes credits from balances whose rows are held.
fn balances_parts(taken: &[Taken]) -> Vec<Part> {
    let numbers = |of: fn(&Taken) -> i64| Column::Numbers(taken.iter().map(of).collect());
    let periods = Part::new(
        "UPDATE quota_periods SET recurring_used = recurring_used + x.r, \
         non_recurring_used = non_recurring_used + x.n, revision = revision + 1 FROM {rows} \
         WHERE workspace_id = x.w AND period_start = $2 RETURNING 1",
        vec![
            ("w", numbers(|one| one.workspace_id.0)),
            ("r", numbers(|one| one.recurring.0)),
            ("n", numbers(|one| one.non_recurring.0)),
        ],
    );
    std::iter::once(periods).chain(wallets_part(taken)).collect()
}

fn wallets_part(taken: &[Taken]) -> Option<Part> {
    let taken: Vec<&Taken> = taken.iter().filter(|one| one.non_recurring > Credits::ZERO).collect();
    let numbers = |of: fn(&Taken) -> i64| Column::Numbers(taken.iter().map(|one| of(one)).collect());
    let part = || {
        Part::new(
            "UPDATE wallets SET balance = balance - x.n FROM {rows} WHERE workspace_id = x.w RETURNING 1",
            vec![("w", numbers(|one| one.workspace_id.0)), ("n", numbers(|one| one.non_recurring.0))],
        )
    };
    (!taken.is_empty()).then(part)
}

/// Makes the messages the newest of their chats, and gives these the names that were asked for. Somebody's own message
/// leaves a chat read and stops its bot; a bot's leaves it as it is. What has come since a message got its id stays newer.
fn chats_part(messages: &[NewMessage]) -> Part {
    let mut newest: BTreeMap<ChatId, (&NewMessage, Option<&str>, bool)> = BTreeMap::new();
    for message in messages {
        let chat = newest.entry(message.chat_id).or_insert((message, None, false));
        *chat = (message, message.chat_name.as_deref().or(chat.1), chat.2 || message.user_id.is_some());
    }
    let names =
        |name: fn(&str) -> String| Column::OptionalTexts(newest.values().map(|chat| chat.1.map(name)).collect());
    Part::new(
        "UPDATE chats SET last_message_id = CASE WHEN last_message_id > x.m THEN last_message_id ELSE x.m END, \
         last_message_at = CASE WHEN last_message_id > x.m THEN last_message_at ELSE $1 END, \
         updated_at = $1{listed} FROM {rows} \
         WHERE id = x.c RETURNING 1",
        vec![
            ("c", Column::Numbers(newest.keys().map(|id| id.0).collect())),
            ("w", Column::Numbers(newest.values().map(|chat| chat.0.workspace_id.0).collect())),
            ("m", Column::Ids(newest.values().map(|chat| chat.0.id.0).collect())),
            ("o", Column::Numbers(newest.values().map(|chat| i64::from(chat.2)).collect())),
            ("n", names(str::to_owned)),
            ("f", names(crate::workspace::fold)),
        ],
    )
}

/// On SQLite: the same for what is in the index that lists are read from. Most chats are so already and are not
/// touched, so that this index is not written again for each message. PostgreSQL sees by itself what stays.
fn listed_part(messages: &[NewMessage], now: Timestamp) -> Part {
    let mut chats: BTreeMap<ChatId, bool> = BTreeMap::new();
    for message in messages {
        *chats.entry(message.chat_id).or_default() |= message.user_id.is_some();
    }
    let part = Part::new(
        "UPDATE chats SET active_hour = x.h, read = read OR x.o = 1, \
         unread = CASE x.o WHEN 1 THEN 0 ELSE unread END, \
         autoresponse_locked = CASE x.o WHEN 1 THEN autoresponse ELSE autoresponse_locked END FROM {rows} \
         WHERE id = x.c AND (active_hour <> x.h OR x.o = 1 AND (NOT read OR autoresponse_locked <> autoresponse))",
        vec![
            ("h", Column::Numbers(vec![chat::hour_of(now); chats.len()])),
            ("o", Column::Numbers(chats.values().map(|is_own| i64::from(*is_own)).collect())),
            ("c", Column::Numbers(chats.keys().map(|id| id.0).collect())),
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
        "UPDATE chats SET name = x.n, name_folded = x.f, name_given = TRUE FROM {rows} WHERE id = x.c",
        vec![
            ("c", Column::Numbers(given.keys().map(|id| id.0).collect())),
            ("n", Column::Texts(given.values().map(|name| (*name).to_owned()).collect())),
            ("f", Column::Texts(given.values().map(|name| crate::workspace::fold(name)).collect())),
        ],
    ))
}

/// Counts the messages into the queues of their channels, which are due if nothing waited there, once they have rested.
fn queues_part(messages: &[NewMessage]) -> Part {
    let mut counts: BTreeMap<(AccountId, WorkspaceId), i64> = BTreeMap::new();
    for message in messages {
        *counts.entry((message.account_id, message.workspace_id)).or_default() += 1;
    }
    Part::new(
        "UPDATE send_queues SET queued = queued + x.n, \
         due_at = COALESCE(due_at, CASE WHEN rest_until > $1 THEN rest_until ELSE $1 END) FROM {rows} \
         WHERE account_id = x.a RETURNING 1",
        vec![
            ("a", Column::Numbers(counts.keys().map(|queue| queue.0.0).collect())),
            ("w", Column::Numbers(counts.keys().map(|queue| queue.1.0).collect())),
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

/// Writes a batch in one way to the database and back: on PostgreSQL as one statement, on SQLite as a row of them.
pub(in crate::message::writer) async fn write(
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
    let fixed = vec![now.0.into(), period_start.0.into()];
    match tx.get_database_backend() {
        DbBackend::Postgres => {
            parts.extend(labels_part(messages));
            write_at_once(tx, parts, fixed).await
        }
        _ => {
            parts.extend(names_part(messages));
            write_in_turn(tx, parts, fixed.clone()).await?;
            for part in labels_part(messages).into_iter().chain([listed_part(messages, now)]) {
                write_in_turn(tx, vec![part], fixed.clone()).await?;
            }
            Ok(())
        }
    }
}

async fn write_at_once(tx: &DatabaseTransaction, parts: Vec<Part>, mut values: Vec<Value>) -> Result<()> {
    let mut steps = Vec::with_capacity(parts.len());
    let mut counts = Vec::with_capacity(parts.len());
    let expected: Vec<Option<usize>> = parts.iter().map(|part| part.expected).collect();
    for (number, part) in parts.into_iter().enumerate() {
        steps.push(format!("s{number} AS ({})", part.on_postgres(&mut values, "")));
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

/// Each statement is a walk to the connection's thread and back unless they go there together.
async fn write_in_turn(tx: &DatabaseTransaction, parts: Vec<Part>, mut values: Vec<Value>) -> Result<()> {
    let expected = parts.iter().map(|part| part.expected).sum();
    let steps: Vec<String> = parts.into_iter().map(|part| part.on_sqlite(&mut values)).collect();
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, steps.join("; "), values);
    let changed = tx.execute_raw(statement).await?.rows_affected();
    expect_rows(i64::try_from(changed).unwrap_or(-1), expected)
}

/// Writes a batch in a transaction by itself: for each of its workspaces everything if its rows are still as they are
/// remembered, else nothing. Returns those that it was done for.
pub(in crate::message::writer) async fn write_if_unchanged(
    db: &Database,
    changes: &Changes,
) -> Result<Vec<WorkspaceId>> {
    if let Some(stepwise) = db.stepwise() {
        return stepwise.write(|connection| embedded::write_if_unchanged(connection, changes)).await;
    }
    let Changes { messages, entries, charges, period_start, now } = changes;
    /// The rows come in the order in which everybody takes them. Whoever waits for one sees what it waited for.
    const CHARGED: &str = "UPDATE quota_periods q SET recurring_used = q.recurring_used + x.r, \
        non_recurring_used = q.non_recurring_used + x.n, revision = q.revision + 1 FROM {rows} \
        WHERE q.workspace_id = x.w AND q.period_start = $2 AND q.revision = x.v \
        AND x.b = (SELECT w.balance FROM wallets w WHERE w.workspace_id = x.w) AND x.g = {routes} \
        RETURNING x.w, x.c, x.a";
    let (chats, queues) = (chats_part(messages), queues_part(messages));
    let (chat_counts, queue_counts) = (chats.rows.counts_of("w"), queues.rows.counts_of("w"));
    let counts = |counts: &BTreeMap<i64, i64>| {
        let count = |charge: &Charge| counts.get(&charge.taken.workspace_id.0).copied().unwrap_or(0);
        Column::Numbers(charges.iter().map(count).collect())
    };
    let numbers = |of: fn(&Charge) -> i64| Column::Numbers(charges.iter().map(of).collect());
    let charged = Part::new(
        CHARGED,
        vec![
            ("w", numbers(|one| one.taken.workspace_id.0)),
            ("v", numbers(|one| one.revision)),
            ("b", numbers(|one| one.balance.0)),
            ("g", numbers(|one| one.routes_revision)),
            ("r", numbers(|one| one.taken.recurring.0)),
            ("n", numbers(|one| one.taken.non_recurring.0)),
            ("c", counts(&chat_counts)),
            ("a", counts(&queue_counts)),
        ],
    );
    let mut values = vec![now.0.into(), period_start.0.into()];
    let charged = charged.on_postgres(&mut values, "").replace("{routes}", ROUTES_REVISION);
    let mut of_charged = |part: Part| part.on_postgres(&mut values, " JOIN charged ON charged.w = x.w");
    let taken: Vec<Taken> = charges.iter().map(|one| one.taken).collect();
    let mut steps = vec![format!("charged AS ({charged})")];
    steps.push(format!("chats_changed AS ({})", of_charged(chats)));
    steps.push(format!("queues_changed AS ({})", of_charged(queues)));
    let others = [messages_part(messages), charges_part(entries)].into_iter().chain(wallets_part(&taken));
    steps.extend(others.enumerate().map(|(number, part)| format!("s{number} AS ({})", of_charged(part))));
    // What does not fit divides by zero, which takes it all back.
    let sql = format!(
        "WITH {} SELECT (SELECT string_agg(w::text, ',') FROM charged) AS charged, 1 / ( \
         (SELECT count(*) FROM chats_changed) = (SELECT COALESCE(sum(c), 0) FROM charged) AND \
         (SELECT count(*) FROM queues_changed) = (SELECT COALESCE(sum(a), 0) FROM charged))::int AS fits",
        steps.join(", ")
    );
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let row = db.batches().query_one_raw(statement).await.map_err(db::of_commit)?;
    let row = row.ok_or_else(|| Error::Internal("a batch says nothing".to_owned()))?;
    let charged: Option<String> = row.try_get("", "charged")?;
    let id = |text: &str| text.parse().map(WorkspaceId);
    let ids = charged.iter().flat_map(|ids| ids.split(',')).map(id).collect::<Result<_, _>>();
    ids.map_err(|error| Error::Internal(format!("workspaces of a batch: {error}")))
}

fn expect_rows(changed: i64, expected: Option<usize>) -> Result<()> {
    let is_all = expected.is_none_or(|expected| usize::try_from(changed).is_ok_and(|changed| changed == expected));
    if is_all { Ok(()) } else { Err(Error::Internal(format!("{changed} rows were changed, not {expected:?}"))) }
}
