//! SQL of traffic. Ids of messages are in the order in which they were made, so a stretch of time is a stretch of ids; of
//! what is sent counts when it went out, which the message says.

use std::collections::HashMap;

use entity::{
    channel_total,
    channel_traffic::{ActiveModel, Column, Entity, Model, Span},
    id::{AccountId, MessageId},
    message,
    timestamp::Timestamp,
    traffic_progress,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, FromQueryResult,
    QueryFilter, QueryOrder, QuerySelect, Statement,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use crate::{channel::traffic::Counts, db, error::Result};

const ROWS_AT_ONCE: usize = 300;
/// The row that says how far counting has come.
const MARK: i64 = 1;

/// The first minute that is not counted.
pub(super) async fn progress(db: &impl ConnectionTrait) -> Result<Timestamp> {
    let mark = traffic_progress::Entity::find_by_id(MARK).one(db).await?;
    Ok(mark.map_or(Timestamp(0), |mark| mark.until))
}

/// Moves that on; tells whether it was where it was seen.
pub(super) async fn set_progress(tx: &DatabaseTransaction, seen: Timestamp, until: Timestamp) -> Result<bool> {
    use traffic_progress::{Column, Entity};
    let moved = Entity::update_many()
        .col_expr(Column::Until, Expr::value(until))
        .filter(Column::Id.eq(MARK))
        .filter(Column::Until.eq(seen))
        .exec(tx)
        .await?;
    Ok(moved.rows_affected == 1)
}

/// When the next message came or went out, or the next conversation began, from `at` on. Of those that came and those
/// that are accepted the ids are looked at, so that there may be nothing to count there.
pub(super) async fn next_after(db: &impl ConnectionTrait, at: Timestamp) -> Result<Option<Timestamp>> {
    #[derive(FromQueryResult)]
    struct Next {
        id: MessageId,
    }
    let sql = "SELECT id FROM messages WHERE id >= $1 ORDER BY id LIMIT 1";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [first_id(at).into()]);
    let message = Next::find_by_statement(statement).one(db).await?.map(|next| made_at(next.id));
    let sent = message::Entity::find()
        .select_only()
        .column(message::Column::SentAt)
        .filter(message::Column::SentAt.gte(at))
        .order_by_asc(message::Column::SentAt)
        .into_tuple::<Option<Timestamp>>()
        .one(db)
        .await?
        .flatten();
    let chat = entity::chat::Entity::find()
        .filter(entity::chat::Column::CreatedAt.gte(at))
        .order_by_asc(entity::chat::Column::CreatedAt)
        .one(db)
        .await?
        .map(|chat| chat.created_at);
    Ok(message.into_iter().chain(sent).chain(chat).min())
}

/// What happened from `start` until `end`, account by account.
pub(super) async fn count(
    db: &impl ConnectionTrait,
    start: Timestamp,
    end: Timestamp,
) -> Result<HashMap<AccountId, Counts>> {
    let mut all: HashMap<AccountId, Counts> = HashMap::new();
    let ids = vec![first_id(start).into(), first_id(end).into()];
    for row in messages(db, Way::In, "m.id >= $1 AND m.id < $2", ids).await? {
        row.add_to(all.entry(row.account_id).or_default());
    }
    let range = vec![start.into(), end.into()];
    for row in messages(db, Way::Out, "m.sent_at >= $1 AND m.sent_at < $2", range.clone()).await? {
        row.add_to(all.entry(row.account_id).or_default());
    }
    for row in responses(db, "m.sent_at >= $1 AND m.sent_at < $2", range).await? {
        row.add_to(all.entry(row.account_id).or_default());
    }
    let begun = "SELECT account_id, COUNT(*) AS started FROM chats WHERE created_at >= $1 AND created_at < $2 \
                 GROUP BY account_id";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), begun, [start.0.into(), end.0.into()]);
    for row in Begun::find_by_statement(statement).all(db).await? {
        all.entry(row.account_id).or_default().started += row.started;
    }
    Ok(all)
}

/// What these accounts sent and got from `until` on.
pub(super) async fn uncounted(
    db: &impl ConnectionTrait,
    ids: &[AccountId],
    until: Timestamp,
) -> Result<HashMap<AccountId, Counts>> {
    let (one_of, list) = db::one_of(db.get_database_backend(), "$2", ids);
    let mut all: HashMap<AccountId, Counts> = HashMap::new();
    let came = format!("m.id >= $1 AND m.account_id {one_of}");
    for row in messages(db, Way::In, &came, vec![first_id(until).into(), list.clone().into()]).await? {
        row.add_to(all.entry(row.account_id).or_default());
    }
    let went = format!("m.sent_at >= $1 AND m.account_id {one_of}");
    for row in messages(db, Way::Out, &went, vec![until.into(), list.into()]).await? {
        row.add_to(all.entry(row.account_id).or_default());
    }
    Ok(all)
}

/// What happened to one account from `until` on, minute by minute.
pub(super) async fn minutes_since(
    db: &impl ConnectionTrait,
    id: AccountId,
    until: Timestamp,
) -> Result<Vec<(Timestamp, Counts)>> {
    #[derive(FromQueryResult)]
    struct Begun {
        created_at: Timestamp,
    }
    let backend = db.get_database_backend();
    let mut all = Vec::new();
    let (came, ids) = ("m.id >= $1 AND m.account_id = $2", vec![first_id(until).into(), id.into()]);
    let mut messages = messages_by_minute(db, Way::In, came, ids).await?;
    let (went, values) = ("m.sent_at >= $1 AND m.account_id = $2", vec![until.into(), id.into()]);
    messages.extend(messages_by_minute(db, Way::Out, went, values.clone()).await?);
    for row in messages {
        let mut counts = Counts::default();
        row.add_to(&mut counts);
        all.push((Timestamp(row.minute * 60 * Timestamp::SECOND), counts));
    }
    for row in responses(db, went, values).await? {
        let mut counts = Counts::default();
        row.add_to(&mut counts);
        all.push((until, counts));
    }
    let begun = "SELECT created_at FROM chats WHERE created_at >= $1 AND account_id = $2";
    let statement = Statement::from_sql_and_values(backend, begun, [until.0.into(), id.into()]);
    for row in Begun::find_by_statement(statement).all(db).await? {
        all.push((row.created_at, Counts { started: 1, ..Counts::default() }));
    }
    Ok(all)
}

pub(super) async fn since(
    db: &impl ConnectionTrait,
    ids: &[AccountId],
    span: Span,
    start: Timestamp,
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::AccountId.is_in(ids.iter().copied()))
        .filter(Column::Span.eq(span))
        .filter(Column::Start.gte(start))
        .all(db)
        .await?)
}

/// What is counted of these accounts from `start` until `end`.
pub(super) async fn between(
    db: &impl ConnectionTrait,
    ids: &[AccountId],
    span: Span,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Model>> {
    if start >= end {
        return Ok(Vec::new());
    }
    let counted = Entity::find().filter(Column::AccountId.is_in(ids.iter().copied())).filter(Column::Span.eq(span));
    Ok(counted.filter(Column::Start.gte(start)).filter(Column::Start.lt(end)).all(db).await?)
}

pub(super) async fn totals(db: &impl ConnectionTrait, ids: &[AccountId]) -> Result<Vec<channel_total::Model>> {
    use channel_total::{Column, Entity};
    Ok(Entity::find().filter(Column::AccountId.is_in(ids.iter().copied())).all(db).await?)
}

/// Adds to what is counted.
pub(super) async fn add(tx: &DatabaseTransaction, rows: Vec<Model>) -> Result<()> {
    let mut sums = OnConflict::columns([Column::AccountId, Column::Span, Column::Start]);
    for column in [
        Column::Received,
        Column::Sent,
        Column::Started,
        Column::Closed,
        Column::Responses,
        Column::ResponseSeconds,
        Column::ResolutionSeconds,
    ] {
        let sum = Expr::col((Entity, column)).add(Expr::col((sea_orm::sea_query::Alias::new("excluded"), column)));
        sums.value(column, sum);
    }
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let rows = rows.iter().map(|row| ActiveModel::from(row.clone()).reset_all());
        Entity::insert_many(rows).on_conflict(sums.clone()).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Adds to what is counted in all.
pub(super) async fn add_totals(tx: &DatabaseTransaction, counts: &HashMap<AccountId, Counts>) -> Result<()> {
    const SQL: &str = "INSERT INTO channel_totals (account_id, received, sent, last_received_at, last_sent_at) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account_id) DO UPDATE SET \
        received = channel_totals.received + excluded.received, sent = channel_totals.sent + excluded.sent, \
        last_received_at = COALESCE(excluded.last_received_at, channel_totals.last_received_at), \
        last_sent_at = COALESCE(excluded.last_sent_at, channel_totals.last_sent_at)";
    for (id, counts) in counts {
        let values = [
            (*id).into(),
            counts.received.into(),
            counts.sent.into(),
            counts.last_received_at.map(|at| at.0).into(),
            counts.last_sent_at.map(|at| at.0).into(),
        ];
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), SQL, values)).await?;
    }
    Ok(())
}

pub(super) async fn delete_before(tx: &DatabaseTransaction, span: Span, before: Timestamp) -> Result<u64> {
    let old = Entity::delete_many().filter(Column::Span.eq(span)).filter(Column::Start.lt(before));
    Ok(old.exec(tx).await?.rows_affected)
}

#[derive(FromQueryResult)]
struct Begun {
    account_id: AccountId,
    started: i64,
}

#[derive(FromQueryResult)]
struct Messages {
    account_id: AccountId,
    minute: i64,
    received: i64,
    sent: i64,
    last_received_at: Option<Timestamp>,
    last_sent_at: Option<Timestamp>,
}

impl Messages {
    fn add_to(&self, counts: &mut Counts) {
        counts.received += self.received;
        counts.sent += self.sent;
        counts.last_received_at = Ord::max(counts.last_received_at, self.last_received_at);
        counts.last_sent_at = Ord::max(counts.last_sent_at, self.last_sent_at);
    }
}

/// Which way messages went. Notes and calls are none.
#[derive(Clone, Copy)]
enum Way {
    /// They came.
    In,
    /// They went out.
    Out,
}

impl Way {
    const fn sql(self) -> &'static str {
        match self {
            Self::In => {
                "SELECT m.account_id, {minute} AS minute, COUNT(*) AS received, CAST(0 AS BIGINT) AS sent, \
                 MAX(m.created_at) AS last_received_at, CAST(NULL AS BIGINT) AS last_sent_at FROM messages m \
                 WHERE {range} AND m.direction = 'received' AND m.kind IS NULL GROUP BY m.account_id, minute"
            }
            Self::Out => {
                "SELECT m.account_id, {minute} AS minute, CAST(0 AS BIGINT) AS received, COUNT(*) AS sent, \
                 CAST(NULL AS BIGINT) AS last_received_at, MAX(m.sent_at) AS last_sent_at FROM messages m \
                 WHERE {range} GROUP BY m.account_id, minute"
            }
        }
    }

    const fn minute(self) -> &'static str {
        match self {
            Self::In => "m.created_at / 60000000",
            Self::Out => "m.sent_at / 60000000",
        }
    }
}

async fn messages(
    db: &impl ConnectionTrait,
    way: Way,
    range: &str,
    values: Vec<sea_orm::Value>,
) -> Result<Vec<Messages>> {
    grouped(db, way, "CAST(0 AS BIGINT)", range, values).await
}

async fn messages_by_minute(
    db: &impl ConnectionTrait,
    way: Way,
    range: &str,
    values: Vec<sea_orm::Value>,
) -> Result<Vec<Messages>> {
    grouped(db, way, way.minute(), range, values).await
}

async fn grouped(
    db: &impl ConnectionTrait,
    way: Way,
    minute: &str,
    range: &str,
    values: Vec<sea_orm::Value>,
) -> Result<Vec<Messages>> {
    let sql = way.sql().replace("{minute}", minute).replace("{range}", range);
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(Messages::find_by_statement(statement).all(db).await?)
}

#[derive(FromQueryResult)]
struct Responses {
    account_id: AccountId,
    responses: i64,
    waited: Option<i64>,
}

impl Responses {
    fn add_to(&self, counts: &mut Counts) {
        counts.responses += self.responses;
        counts.response_seconds += self.waited.unwrap_or(0);
    }
}

/// Messages that answered what came just before them in their chat, and how long that had waited, in seconds.
async fn responses(db: &impl ConnectionTrait, range: &str, values: Vec<sea_orm::Value>) -> Result<Vec<Responses>> {
    const SQL: &str = "SELECT m.account_id, COUNT(*) AS responses, \
        CAST(SUM(m.sent_at - p.created_at) / 1000000 AS BIGINT) AS waited \
        FROM messages m JOIN messages p ON p.id = (SELECT q.id FROM messages q WHERE q.chat_id = m.chat_id \
        AND q.id < m.id AND q.kind IS NULL ORDER BY q.id DESC LIMIT 1) \
        WHERE {range} AND p.direction = 'received' GROUP BY m.account_id";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), SQL.replace("{range}", range), values);
    Ok(Responses::find_by_statement(statement).all(db).await?)
}

/// The least id that a message made at this instant can have.
fn first_id(at: Timestamp) -> MessageId {
    let millis = u64::try_from(at.0 / 1000).unwrap_or(0);
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    MessageId(Uuid::from_bytes(bytes))
}

/// When a message was made.
fn made_at(id: MessageId) -> Timestamp {
    let mut millis = [0; 8];
    millis[2..].copy_from_slice(&id.0.as_bytes()[..6]);
    Timestamp(i64::try_from(u64::from_be_bytes(millis)).unwrap_or(i64::MAX).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn ids_say_when_they_were_made() {
        let at = Timestamp(1_789_027_200_123_000);
        let id = MessageId(Clock::manual(at).uuid());
        assert_eq!(made_at(id), at);
        assert!(first_id(at) <= id && id < first_id(Timestamp(at.0 + 1000)));
    }
}
