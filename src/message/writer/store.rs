//! SQL of the writer. Each statement takes a whole batch as [`Rows`], so its text does not depend on the batch and is
//! prepared once.

use std::{collections::HashMap, sync::Arc};

use entity::{
    channel::{ConnectorKind, Network},
    credits::Credits,
    id::{AccountId, ChatId, MessageId, WorkspaceId},
    message::Kind,
    timestamp::Timestamp,
};
use sea_orm::{
    ColIdx, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, QueryResult, Statement,
    TryGetError, TryGetable,
};

use crate::{
    db::{self, Column, Rows},
    error::Result,
    message::{
        Jid,
        writer::memory::{Address, Place},
    },
};

mod changes;
mod embedded;

pub(super) use changes::{Changes, NewMessage, write, write_if_unchanged};

/// The accounts of the workspace `x.w` on PostgreSQL, as one text.
const ACCOUNTS: &str = "SELECT json_agg(json_build_array(c.account_id, c.phone, c.connected_at, \
    CASE WHEN c.state = 'connected' AND NOT c.suspended AND NOT c.deactivated THEN 1 ELSE 0 END, \
    CASE WHEN c.network = 'whatsapp' AND c.phone <> '' THEN 1 ELSE 0 END, c.network, c.connector) ORDER BY c.account_id)::text \
    FROM channels c WHERE c.workspace_id = x.w AND c.deleted_at IS NULL";
/// The same on SQLite.
const ACCOUNTS_SQLITE: &str = "SELECT json_group_array(json_array(c.account_id, c.phone, c.connected_at, \
    CASE WHEN c.state = 'connected' AND NOT c.suspended AND NOT c.deactivated THEN 1 ELSE 0 END, \
    CASE WHEN c.network = 'whatsapp' AND c.phone <> '' THEN 1 ELSE 0 END, c.network, c.connector) ORDER BY c.account_id) \
    FROM channels c WHERE c.workspace_id = x.w AND c.deleted_at IS NULL";
/// Whether the workspace `x.w` hears of its messages; webhooks of the Channels API do not.
const HAS_WEBHOOK: &str = "EXISTS (SELECT 1 FROM webhook_subscriptions s \
    WHERE s.workspace_id = x.w AND s.enabled AND s.deleted_at IS NULL AND s.events IS NULL)";

/// How often either has changed.
const ROUTES_REVISION: &str = "COALESCE((SELECT r.revision FROM workspace_routes r WHERE r.workspace_id = x.w), 0)";

/// What a batch needs to know of a workspace, its period's row and its balance held for the transaction.
#[derive(Clone, FromQueryResult)]
pub(super) struct Held {
    pub(super) workspace_id: WorkspaceId,
    pub(super) recurring_granted: Credits,
    pub(super) recurring_used: Credits,
    pub(super) non_recurring_used: Credits,
    pub(super) messages_notified: i32,
    /// Whether the period has ended and what was left of it has expired.
    pub(super) is_closed: bool,
    pub(super) revision: i64,
    pub(super) balance: Credits,
    pub(super) channels: Channels,
    /// Whether it has a webhook.
    pub(super) is_subscribed: bool,
    /// Counts changes of the last two.
    pub(super) routes_revision: i64,
}

/// The accounts of a workspace; they are read once, and remembered as they are.
#[derive(Clone)]
pub(super) struct Channels(Arc<[Account]>);

/// An account that a message may go through.
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) phone: String,
    pub(super) connected_at: Timestamp,
    pub(super) is_usable: bool,
    /// Whether it is one that numbers on WhatsApp are written to from.
    pub(super) is_whatsapp: bool,
    pub(super) network: Network,
    pub(super) connector: ConnectorKind,
}

impl Held {
    /// The workspace's accounts.
    pub(super) fn accounts(&self) -> Arc<[Account]> {
        Arc::clone(&self.channels.0)
    }
}

impl TryGetable for Channels {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let Some(text) = Option::<String>::try_get_by(row, index)? else { return Ok(Self(Arc::default())) };
        let rows: Vec<(AccountId, String, Timestamp, i32, i32, Network, ConnectorKind)> =
            serde_json::from_str(&text).map_err(|error| DbErr::Json(format!("accounts: {error}")))?;
        let account = |(id, phone, connected_at, usable, whatsapp, network, connector)| {
            let (is_usable, is_whatsapp) = (usable != 0, whatsapp != 0);
            Account { id, phone, connected_at, is_usable, is_whatsapp, network, connector }
        };
        Ok(Self(rows.into_iter().map(account).collect()))
    }
}

/// Takes the rows of these workspaces that are there, in the order in which everybody takes them.
pub(super) async fn hold(tx: &DatabaseTransaction, ids: &[WorkspaceId], period_start: Timestamp) -> Result<Vec<Held>> {
    const SELECT: &str = "SELECT q.workspace_id, q.recurring_granted, q.recurring_used, q.non_recurring_used, \
        q.messages_notified, q.closed_at IS NOT NULL AS is_closed, q.revision, w.balance, ({accounts}) AS channels, {has_webhook} AS is_subscribed, {routes} AS routes_revision \
        FROM quota_periods q JOIN wallets w ON w.workspace_id = q.workspace_id \
        WHERE q.workspace_id {one_of} AND q.period_start = $1 ORDER BY q.workspace_id";
    let backend = tx.get_database_backend();
    let (one_of, list) = db::one_of(backend, "$2", ids);
    let (accounts, lock) = match backend {
        DbBackend::Postgres => (ACCOUNTS, " FOR NO KEY UPDATE OF q, w"),
        _ => (ACCOUNTS_SQLITE, ""),
    };
    let sql = SELECT.replace("{accounts}", accounts).replace("{has_webhook}", HAS_WEBHOOK);
    let sql = sql.replace("{routes}", ROUTES_REVISION);
    let sql = sql.replace("x.w", "q.workspace_id").replace("{one_of}", &one_of) + lock;
    let statement = Statement::from_sql_and_values(backend, sql, [period_start.0.into(), list.into()]);
    Ok(Held::find_by_statement(statement).all(tx).await?)
}

/// Takes the rows of these workspaces from this period on and counts their revisions on: what knows older ones changes
/// nothing any more.
pub(super) async fn bar(tx: &DatabaseTransaction, ids: &[WorkspaceId], since: Timestamp) -> Result<()> {
    let backend = tx.get_database_backend();
    let (one_of, list) = db::one_of(backend, "$2", ids);
    let rows = format!("workspace_id {one_of} AND period_start >= $1");
    let mut steps = vec![format!("UPDATE quota_periods SET revision = revision + 1 WHERE {rows}")];
    if backend == DbBackend::Postgres {
        let take =
            format!("SELECT 1 FROM quota_periods WHERE {rows} ORDER BY workspace_id, period_start FOR NO KEY UPDATE");
        steps.insert(0, take);
    }
    for sql in steps {
        let values = [since.0.into(), list.as_str().into()];
        tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    }
    Ok(())
}

/// Whose a chat is.
#[derive(FromQueryResult)]
pub(super) struct ChatPlace {
    pub(super) id: ChatId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) account_id: AccountId,
    pub(super) jid: String,
    pub(super) is_answered_automatically: bool,
}

impl ChatPlace {
    /// How the network knows it.
    pub(super) fn address(&self) -> Address {
        (self.account_id, self.jid.clone())
    }

    /// Whose it is.
    pub(super) const fn place(&self) -> Place {
        Place { workspace_id: self.workspace_id, account_id: self.account_id }
    }
}

/// Whose a message is.
#[derive(FromQueryResult)]
pub(super) struct MessagePlace {
    pub(super) id: MessageId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) account_id: AccountId,
    /// What it is, where it is not a message of the network.
    pub(super) kind: Option<Kind>,
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
    let sql = "SELECT c.id, c.workspace_id, c.account_id, c.jid, \
               c.autoresponse AND NOT c.autoresponse_locked AS is_answered_automatically FROM chats c \
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
    let sql = "SELECT c.id, c.workspace_id, c.account_id, c.jid, \
               c.autoresponse AND NOT c.autoresponse_locked AS is_answered_automatically FROM {rows} \
               JOIN chats c ON c.account_id = x.a AND c.jid = x.j";
    let statement = over(tx.get_database_backend(), sql, vec![], rows);
    Ok(ChatPlace::find_by_statement(statement).all(tx).await?)
}

pub(super) async fn messages(tx: &DatabaseTransaction, ids: Vec<MessageId>) -> Result<Vec<MessagePlace>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Rows::new(vec![("i", Column::Ids(ids.iter().map(|id| id.0).collect()))]);
    let sql =
        "SELECT m.id, m.workspace_id, m.account_id, m.kind FROM messages m WHERE m.id IN (SELECT x.i FROM {rows})";
    let statement = over(tx.get_database_backend(), sql, vec![], rows);
    Ok(MessagePlace::find_by_statement(statement).all(tx).await?)
}

/// Which of these messages are there.
pub(super) async fn stored(db: &impl ConnectionTrait, ids: &[MessageId]) -> Result<Vec<MessageId>> {
    let rows = Rows::new(vec![("i", Column::Ids(ids.iter().map(|id| id.0).collect()))]);
    let sql =
        "SELECT m.id, m.workspace_id, m.account_id, m.kind FROM messages m WHERE m.id IN (SELECT x.i FROM {rows})";
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
    found.into_iter().map(|chat| Ok((chat.account_id, Jid::from_stored(&chat.jid)?, chat.id))).collect()
}
