//! SQL of turns. Those that are due are looked for across all owners: whoever is due is served.

use entity::{
    bot_turn::{ActiveModel, Column, Entity, Model},
    chat,
    id::{ChatId, LeaseId, MessageId, WorkspaceId},
    timestamp::Timestamp,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, FromQueryResult,
    QueryFilter, QueryOrder, QuerySelect, Statement, Unchanged, Value,
    sea_query::{Expr, LockType},
};

use crate::{
    app::App,
    bot::turn::{LONGEST_QUIET_SECONDS, PER_WORKSPACE, QUIET_SECONDS},
    db,
    error::Result,
};

/// A turn that could be taken.
#[derive(FromQueryResult)]
pub(super) struct Candidate {
    pub(super) chat_id: ChatId,
    pub(super) workspace_id: WorkspaceId,
}

/// Notes the newest message that waits. While somebody is answering, the lease stays what it is.
pub(super) async fn wait(app: &App, tx: &DatabaseTransaction, chat: &chat::Model, id: MessageId) -> Result<()> {
    let sql = "INSERT INTO bot_turns (chat_id, workspace_id, message_id, waiting_since, due_at, tries, replies,
            replies_since, day_replies, day_since) VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, 0)
        ON CONFLICT (chat_id) DO UPDATE SET message_id = excluded.message_id,
            waiting_since = COALESCE(bot_turns.waiting_since, excluded.waiting_since),
            due_at = CASE
                WHEN bot_turns.lease IS NOT NULL THEN bot_turns.due_at
                WHEN bot_turns.waiting_since + $6 < excluded.due_at THEN bot_turns.waiting_since + $6
                ELSE excluded.due_at END";
    let now = app.clock.now();
    let values: [Value; 6] = [
        chat.id.into(),
        chat.workspace_id.into(),
        id.into(),
        now.into(),
        now.plus_seconds(QUIET_SECONDS).into(),
        (LONGEST_QUIET_SECONDS * Timestamp::SECOND).into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
    Ok(())
}

pub(super) async fn next_due(db: &impl ConnectionTrait) -> Result<Option<Timestamp>> {
    let next = Entity::find().filter(Column::DueAt.is_not_null()).order_by_asc(Column::DueAt).one(db).await?;
    Ok(next.and_then(|turn| turn.due_at))
}

/// Turns that are due, the longest waiting first, but of no workspace more than it may have under way.
pub(super) async fn candidates(db: &impl ConnectionTrait, now: Timestamp, most: usize) -> Result<Vec<Candidate>> {
    let sql = "SELECT d.chat_id, d.workspace_id FROM (
            SELECT chat_id, workspace_id, due_at,
                row_number() OVER (PARTITION BY workspace_id ORDER BY due_at, chat_id) AS place
            FROM bot_turns WHERE due_at <= $1
        ) AS d WHERE d.place <= $2 ORDER BY d.due_at, d.chat_id LIMIT $3";
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let values: [Value; 3] = [now.into(), count(PER_WORKSPACE).into(), count(most).into()];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(Candidate::find_by_statement(statement).all(db).await?)
}

/// Leases those of these turns that are still due, each counted as a question unless its answer is there.
pub(super) async fn lease(
    tx: &DatabaseTransaction,
    now: Timestamp,
    chats: &[ChatId],
    lease: LeaseId,
    until: Timestamp,
) -> Result<Vec<Model>> {
    let backend = tx.get_database_backend();
    let (one_of, list) = db::one_of(backend, "$4", chats);
    let skip = if backend == DbBackend::Postgres { " FOR NO KEY UPDATE SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE bot_turns SET lease = $2, due_at = $3, tries = tries + CASE WHEN reply IS NULL THEN 1 ELSE 0 END
         WHERE chat_id IN (SELECT chat_id FROM bot_turns WHERE chat_id {one_of} AND due_at <= $1{skip}) RETURNING *"
    );
    let values: [Value; 4] = [now.into(), lease.into(), until.into(), list.into()];
    Ok(Entity::find().from_raw_sql(Statement::from_sql_and_values(backend, sql, values)).all(tx).await?)
}

/// Keeps what the bot said about this message, if the lease is still ours.
pub(super) async fn keep_reply(
    tx: &DatabaseTransaction,
    turn: &Model,
    message_id: MessageId,
    reply: &str,
) -> Result<bool> {
    let kept = Entity::update_many()
        .col_expr(Column::AnsweredId, Expr::value(message_id))
        .col_expr(Column::Reply, Expr::value(reply))
        .filter(Column::ChatId.eq(turn.chat_id))
        .filter(Column::WorkspaceId.eq(turn.workspace_id))
        .filter(Column::Lease.eq(turn.lease))
        .exec(tx)
        .await?;
    Ok(kept.rows_affected == 1)
}

/// The turn for this transaction, if the lease is still ours.
pub(super) async fn held(tx: &DatabaseTransaction, turn: &Model) -> Result<Option<Model>> {
    let mut query = Entity::find_by_id(turn.chat_id)
        .filter(Column::WorkspaceId.eq(turn.workspace_id))
        .filter(Column::Lease.eq(turn.lease));
    if tx.get_database_backend() == DbBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    Ok(query.one(tx).await?)
}

pub(super) async fn save(tx: &DatabaseTransaction, turn: &Model) -> Result<()> {
    let change = ActiveModel { chat_id: Unchanged(turn.chat_id), ..ActiveModel::from(turn.clone()).reset_all() };
    change.update(tx).await?;
    Ok(())
}

pub(super) async fn forgive(tx: &DatabaseTransaction, workspace_id: WorkspaceId, chat_id: ChatId) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Replies, Expr::value(0))
        .col_expr(Column::DayReplies, Expr::value(0))
        .filter(Column::ChatId.eq(chat_id))
        .filter(Column::WorkspaceId.eq(workspace_id))
        .exec(tx)
        .await?;
    Ok(())
}
