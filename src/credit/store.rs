//! SQL of the ledger. The workspace comes first.

use entity::{
    credit_entry::{ActiveModel, Bucket, Column, Entity, Kind, Model},
    credits::Credits,
    id::{MessageId, WorkspaceId},
    quota_period, wallet,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, FromQueryResult,
    QueryFilter, QueryOrder, QuerySelect, Set, Statement, sea_query::Expr,
};

use crate::{
    app::App,
    db,
    error::{Error, Result},
    page::PageRequest,
};

/// A check of one sum of a period against entries of some kinds.
macro_rules! period_check {
    ($column:literal, $bucket:literal, $kinds:literal, $sign:literal) => {
        concat!(
            "SELECT 'workspace ' || p.workspace_id || ' period ' || p.period_start AS subject, \
             CAST(p.", $column, " AS BIGINT) AS found, CAST(COALESCE(e.total, 0) * ", $sign,
            " AS BIGINT) AS expected FROM ( \
                 SELECT n.workspace_id, n.period_start, COALESCE(q.", $column, ", 0) AS ", $column,
            " FROM (SELECT workspace_id, period_start FROM credit_entries UNION \
                    SELECT workspace_id, period_start FROM quota_periods) n \
                 LEFT JOIN quota_periods q ON q.workspace_id = n.workspace_id AND q.period_start = n.period_start) p \
             LEFT JOIN (SELECT workspace_id, period_start, SUM(amount) AS total FROM credit_entries \
                 WHERE bucket = '", $bucket, "' AND kind IN (", $kinds, ") GROUP BY workspace_id, period_start) e \
             ON e.workspace_id = p.workspace_id AND e.period_start = p.period_start \
             WHERE p.", $column, " <> COALESCE(e.total, 0) * ", $sign
        )
    };
}

/// An entry to be written.
pub(super) struct NewEntry {
    pub(super) bucket: Bucket,
    pub(super) kind: Kind,
    pub(super) amount: Credits,
    pub(super) message_id: Option<MessageId>,
    pub(super) note: Option<String>,
}

/// Writes an entry. A second of its kind for a message is refused by the database.
pub(super) async fn insert(
    app: &App,
    tx: &DatabaseTransaction,
    period: &quota_period::Model,
    new: NewEntry,
) -> Result<()> {
    let row = ActiveModel {
        workspace_id: Set(period.workspace_id),
        period_start: Set(period.period_start),
        bucket: Set(new.bucket),
        kind: Set(new.kind),
        amount: Set(new.amount),
        message_id: Set(new.message_id),
        note: Set(new.note),
        created_at: Set(app.clock.now()),
        ..Default::default()
    };
    row.insert(tx).await?;
    Ok(())
}

/// What a message was charged and given back.
pub async fn of_message(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    message_id: MessageId,
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(db::compared((Entity, Column::WorkspaceId)).eq(workspace_id))
        .filter(Column::MessageId.eq(message_id))
        .order_by_asc(Column::Id)
        .all(db)
        .await?)
}

/// Makes a workspace's balance of credits that do not expire: none.
pub(crate) async fn open_wallet(tx: &DatabaseTransaction, workspace_id: WorkspaceId) -> Result<()> {
    let row = wallet::ActiveModel { workspace_id: Set(workspace_id), balance: Set(Credits::ZERO) };
    wallet::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// Adds to the credits that do not expire, or takes from them; they never fall below zero.
pub(crate) async fn add_wallet(tx: &DatabaseTransaction, workspace_id: WorkspaceId, amount: Credits) -> Result<()> {
    let updated = wallet::Entity::update_many()
        .col_expr(wallet::Column::Balance, Expr::col(wallet::Column::Balance).add(amount.0))
        .filter(wallet::Column::WorkspaceId.eq(workspace_id))
        .filter(Expr::col(wallet::Column::Balance).add(amount.0).gte(0))
        .exec(tx)
        .await?;
    if updated.rows_affected == 1 {
        return Ok(());
    }
    Err(Error::InsufficientCredits { available: balance(tx, workspace_id).await? })
}

/// Credits of a workspace that do not expire.
pub(crate) async fn balance(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Credits> {
    let row = wallet::Entity::find_by_id(workspace_id).one(db).await?;
    Ok(row.map_or(Credits::ZERO, |row| row.balance))
}

/// One row more than the page holds.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    page: PageRequest,
) -> Result<Vec<Model>> {
    let query = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::Id.gt(page.after));
    Ok(query.order_by_asc(Column::Id).limit(page.limit + 1).all(db).await?)
}

/// Two figures that should be one.
#[derive(FromQueryResult)]
pub(super) struct Difference {
    pub(super) subject: String,
    pub(super) found: i64,
    pub(super) expected: i64,
}

/// Statements that find what does not agree; each selects `subject`, `found` and `expected`.
pub(super) const CHECKS: [(&str, &str); 10] = [
    ("recurring granted", period_check!("recurring_granted", "recurring", "'grant', 'adjust', 'allocate'", "1")),
    ("recurring used", period_check!("recurring_used", "recurring", "'charge', 'refund'", "-1")),
    ("recurring expired", period_check!("recurring_expired", "recurring", "'expire'", "-1")),
    ("non-recurring used", period_check!("non_recurring_used", "non_recurring", "'charge', 'refund'", "-1")),
    (
        "closed period",
        "SELECT 'workspace ' || workspace_id || ' period ' || period_start AS subject, \
         recurring_used + recurring_expired AS found, recurring_granted AS expected FROM quota_periods \
         WHERE closed_at IS NOT NULL AND recurring_used + recurring_expired <> recurring_granted",
    ),
    (
        // A row that is missing is one of zero.
        "balance",
        "SELECT 'workspace ' || n.workspace_id AS subject, CAST(SUM(n.balance) AS BIGINT) AS found, \
         CAST(SUM(n.entered) AS BIGINT) AS expected FROM ( \
             SELECT workspace_id, balance, 0 AS entered FROM wallets UNION ALL \
             SELECT workspace_id, 0, SUM(amount) FROM credit_entries WHERE bucket = 'non_recurring' \
             GROUP BY workspace_id) n \
         GROUP BY n.workspace_id HAVING SUM(n.balance) <> SUM(n.entered)",
    ),
    (
        // A refund goes back where its charge came from, which is looked up by the index.
        "refund",
        "SELECT 'entry ' || r.id AS subject, r.amount AS found, CAST(-COALESCE(c.amount, 0) AS BIGINT) AS expected \
         FROM credit_entries r LEFT JOIN credit_entries c ON c.message_id = r.message_id AND c.kind = 'charge' \
         AND c.bucket = r.bucket AND c.workspace_id = r.workspace_id AND c.period_start = r.period_start \
         WHERE r.kind = 'refund' AND r.amount <> -COALESCE(c.amount, 0)",
    ),
    (
        // A text or a file costs one credit, both together two; a message that failed has them back, and notes, calls
        // and what was written on the phone cost nothing.
        "charge of a message",
        "SELECT 'message of workspace ' || m.workspace_id || ' accepted at ' || m.created_at AS subject, \
         CAST(-COALESCE(e.total, 0) AS BIGINT) AS found, \
         CASE WHEN m.direction = 'received' OR m.status = 'failed' OR m.kind IN ('note', 'call') \
         OR m.origin LIKE 'synced from %' THEN 0 \
         WHEN m.text IS NOT NULL AND m.file_id IS NOT NULL THEN 2 ELSE 1 END AS expected \
         FROM messages m LEFT JOIN ( \
             SELECT message_id, SUM(amount) AS total FROM credit_entries WHERE message_id IS NOT NULL \
             GROUP BY message_id) e ON e.message_id = m.id \
         WHERE -COALESCE(e.total, 0) <> CASE \
         WHEN m.direction = 'received' OR m.status = 'failed' OR m.kind IN ('note', 'call') \
         OR m.origin LIKE 'synced from %' THEN 0 \
         WHEN m.text IS NOT NULL AND m.file_id IS NOT NULL THEN 2 ELSE 1 END",
    ),
    (
        "entry without its message",
        "SELECT 'entry ' || e.id AS subject, CAST(1 AS BIGINT) AS found, CAST(0 AS BIGINT) AS expected \
         FROM credit_entries e LEFT JOIN messages m ON m.id = e.message_id AND m.workspace_id = e.workspace_id \
         WHERE e.message_id IS NOT NULL AND m.id IS NULL",
    ),
    (
        "queue",
        "SELECT 'account ' || n.account_id AS subject, CAST(SUM(n.queued) AS BIGINT) AS found, \
         CAST(SUM(n.waiting) AS BIGINT) AS expected FROM ( \
             SELECT account_id, queued, 0 AS waiting FROM send_queues UNION ALL \
             SELECT account_id, 0, COUNT(*) FROM messages WHERE status IN ('queued', 'sending') \
             GROUP BY account_id) n \
         GROUP BY n.account_id HAVING SUM(n.queued) <> SUM(n.waiting)",
    ),
];

pub(super) async fn differences(db: &impl ConnectionTrait, sql: &str) -> Result<Vec<Difference>> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    Ok(Difference::find_by_statement(statement).all(db).await?)
}

pub(super) async fn count(db: &impl ConnectionTrait, table: &str) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) AS found FROM {table}");
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(row.map(|row| row.try_get("", "found")).transpose()?.unwrap_or(0))
}
