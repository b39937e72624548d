//! SQL of what waits on channels. Queues are looked for across all owners: whoever is due is served.

use entity::{
    channel, chat,
    id::{AccountId, ChatId, LeaseId, MessageId, WorkspaceId},
    message::{self, Status},
    send_queue::{Column, Entity, Model},
    timestamp::Timestamp,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait, FromQueryResult, QueryFilter,
    QueryOrder, Statement, Value, sea_query::Expr,
};

use crate::{
    db,
    error::{Error, Result},
};

/// A turn's proof and end.
pub(super) struct Lease {
    pub(super) id: LeaseId,
    pub(super) until: Timestamp,
}

pub(super) async fn next_due(db: &impl ConnectionTrait) -> Result<Option<Timestamp>> {
    let next = Entity::find().filter(Column::DueAt.is_not_null()).order_by_asc(Column::DueAt).one(db).await?;
    Ok(next.and_then(|queue| queue.due_at))
}

/// Leases channels that are due, the longest waiting first. Those that another worker is taking are passed over.
pub(super) async fn lease_due(
    tx: &DatabaseTransaction,
    now: Timestamp,
    lease: &Lease,
    most: usize,
) -> Result<Vec<Model>> {
    // Materialised, or the limit would hold for each look at it and not for all of them together.
    let sql = |skip: &str| {
        format!(
            "WITH due AS MATERIALIZED (
                SELECT account_id FROM send_queues WHERE due_at <= $1 ORDER BY due_at, account_id LIMIT $2{skip}
            )
            UPDATE send_queues SET lease = $3, due_at = $4
            WHERE account_id IN (SELECT account_id FROM due)
            RETURNING account_id, workspace_id, queued, due_at, rest_until, lease"
        )
    };
    let backend = tx.get_database_backend();
    let sql = if backend == DbBackend::Postgres { sql(" FOR NO KEY UPDATE SKIP LOCKED") } else { sql("") };
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let values: [Value; 4] = [now.into(), most.into(), lease.id.into(), lease.until.into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    Ok(Entity::find().from_raw_sql(statement).all(tx).await?)
}

/// The oldest message of each leased channel that is queued or was being handed over.
pub(super) async fn oldest_waiting(tx: &DatabaseTransaction, lease: &Lease) -> Result<Vec<message::Model>> {
    let sql = "SELECT messages.* FROM messages WHERE messages.id IN (
            SELECT (
                SELECT waiting.id FROM messages AS waiting
                WHERE waiting.account_id = send_queues.account_id AND waiting.status IN ('queued', 'sending')
                ORDER BY waiting.id LIMIT 1
            )
            FROM send_queues WHERE send_queues.due_at = $1 AND send_queues.lease = $2
        )";
    let values: [Value; 2] = [lease.until.into(), lease.id.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(message::Entity::find().from_raw_sql(statement).all(tx).await?)
}

pub(super) async fn channels(tx: &DatabaseTransaction, queues: &[Model]) -> Result<Vec<channel::Model>> {
    let ids = queues.iter().map(|queue| queue.account_id);
    Ok(channel::Entity::find().filter(channel::Column::AccountId.is_in(ids)).all(tx).await?)
}

/// Marks messages as being handed over, each counted as a try.
pub(super) async fn set_sending(tx: &DatabaseTransaction, ids: &[MessageId], now: Timestamp) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let updated = message::Entity::update_many()
        .col_expr(message::Column::Status, Expr::value(Status::Sending))
        .col_expr(message::Column::Tries, Expr::col(message::Column::Tries).add(1))
        .col_expr(message::Column::UpdatedAt, Expr::value(now))
        .filter(message::Column::Id.is_in(ids.iter().copied()))
        .filter(message::Column::Status.eq(Status::Queued))
        .exec(tx)
        .await?;
    let is_complete = usize::try_from(updated.rows_affected).is_ok_and(|rows| rows == ids.len());
    if is_complete { Ok(()) } else { Err(Error::Contention) }
}

/// Gives a channel back, `leaving` messages shorter: the next goes at `due_at` or later, after a message that left also if
/// none waits yet, and never before the channel has rested. Tells whether the lease still was ours.
pub(super) async fn release(
    tx: &DatabaseTransaction,
    account_id: AccountId,
    lease: LeaseId,
    leaving: i64,
    due_at: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE send_queues
        SET queued = queued - $1, lease = NULL,
            due_at = CASE WHEN queued <= $1 THEN NULL WHEN rest_until > $2 THEN rest_until ELSE $2 END,
            rest_until = CASE WHEN $1 > 0 AND rest_until < $2 THEN $2 ELSE rest_until END
        WHERE account_id = $3 AND lease = $4";
    let values: [Value; 4] = [leaving.into(), due_at.into(), account_id.into(), lease.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected() == 1)
}

/// Ends a lease on all its channels; tells which those are. A commit that takes them at this moment is waited for.
pub(super) async fn end_lease(tx: &DatabaseTransaction, lease: LeaseId, now: Timestamp) -> Result<Vec<AccountId>> {
    if tx.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT account_id FROM send_queues WHERE lease = $1 OR due_at <= $2
            ORDER BY account_id FOR NO KEY UPDATE";
        let values: [Value; 2] = [lease.into(), now.into()];
        tx.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await?;
    }
    let sql = "UPDATE send_queues
        SET lease = NULL, due_at = CASE WHEN rest_until > $1 THEN rest_until ELSE $1 END
        WHERE lease = $2
        RETURNING account_id, workspace_id, queued, due_at, rest_until, lease";
    let values: [Value; 2] = [now.into(), lease.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let queues = Entity::find().from_raw_sql(statement).all(tx).await?;
    Ok(queues.into_iter().map(|queue| queue.account_id).collect())
}

/// Has the messages of these channels that were to be handed over wait again, their tries not counted. A channel has
/// one such message at most, and it is of the channel's last lease.
pub(super) async fn set_queued_again(tx: &DatabaseTransaction, accounts: &[AccountId], now: Timestamp) -> Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let backend = tx.get_database_backend();
    let (one_of, list) = db::one_of(backend, "$2", accounts);
    let sql = format!(
        "UPDATE messages SET status = 'queued', tries = tries - 1, updated_at = $1
        WHERE account_id {one_of} AND status = 'sending'"
    );
    let values: [Value; 2] = [now.into(), list.into()];
    tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(())
}

/// The pause that the workspace's plan demands.
pub(super) async fn pacing_ms(tx: &DatabaseTransaction, workspace_id: WorkspaceId) -> Result<i64> {
    #[derive(FromQueryResult)]
    struct Row {
        pacing_ms: i64,
    }
    let sql = "SELECT plans.pacing_ms FROM workspaces JOIN plans ON plans.id = workspaces.plan_id
        WHERE workspaces.id = $1";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [workspace_id.into()]);
    let row = Row::find_by_statement(statement).one(tx).await?;
    row.map(|row| row.pacing_ms).ok_or_else(|| Error::Internal("a queue has no workspace".to_owned()))
}

pub(super) async fn chat(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: ChatId,
) -> Result<Option<chat::Model>> {
    Ok(chat::Entity::find_by_id(id).filter(chat::Column::WorkspaceId.eq(workspace_id)).one(db).await?)
}
