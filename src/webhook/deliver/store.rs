//! SQL of the workers: whose deliveries are due, leasing them, and what came of it.
//!
//! A lease is a due date in the future and the name of the worker's turn. Whoever settles names the turn, so that a
//! worker whose lease has ended changes nothing any more.
//!
//! Where the order counts, an owner's deliveries are one worker's at a time: nobody leases any while another has some,
//! and on PostgreSQL a lock that lasts as long as the transaction keeps two from looking at the same moment.

use std::collections::BTreeSet;

use entity::{
    delivery::{Column, Entity, State},
    delivery_attempt, event,
    id::{DeliveryId, EventId, LeaseId, PartnerId, SubscriptionId, WorkspaceId},
    partner_webhook as endpoint,
    timestamp::Timestamp,
    webhook_subscription as subscription,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, Statement, UpdateMany, Value,
    sea_query::{Expr, LockType},
};

use uuid::Uuid;

use crate::{
    error::Result,
    webhook::{Owner, deliver::LEASE_SECONDS, tell::OWN_MESSAGE_SECONDS},
};

/// Among how many due deliveries, by id, their events' numbers decide where the order counts: what happened at nearly the
/// same moment, by the clocks of two machines, can have got its number the other way round.
const LOOKED_THROUGH: i64 = 64;

/// An owner that has due deliveries.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) owner: Owner,
    /// Whether its endpoint fails.
    pub(super) is_failing: bool,
    /// Whether it is a subscription some of whose deliveries another worker has.
    pub(super) is_taken: bool,
}

/// A delivery that is ours until the lease ends.
#[derive(Debug)]
pub(super) struct Leased {
    pub(super) id: DeliveryId,
    pub(super) event_id: EventId,
    pub(super) owner: Owner,
    pub(super) sequence: Option<i64>,
    pub(super) tries: i32,
}

/// How many deliveries of an owner to lease.
pub(super) struct Room {
    pub(super) owner: Owner,
    pub(super) count: i64,
    /// Whether they are to be the first of all that happened, and nobody else may have any.
    pub(super) in_order: bool,
}

#[derive(FromQueryResult)]
struct WaitingRow {
    partner_id: Option<PartnerId>,
    subscription_id: Option<SubscriptionId>,
    is_failing: bool,
    is_taken: bool,
}

#[derive(FromQueryResult)]
struct LeasedRow {
    id: DeliveryId,
    event_id: EventId,
    partner_id: Option<PartnerId>,
    subscription_id: Option<SubscriptionId>,
    sequence: Option<i64>,
    tries: i32,
}

/// All owners with due deliveries, those that wait longest first. It goes from owner to owner through the indices, so
/// a long queue of one costs no more than a short one.
const WAITING: &str = "
    WITH RECURSIVE partner(id) AS (
        SELECT MIN(partner_id) FROM deliveries WHERE due_at IS NOT NULL AND partner_id IS NOT NULL
        UNION ALL
        SELECT (SELECT MIN(d.partner_id) FROM deliveries d WHERE d.due_at IS NOT NULL AND d.partner_id > partner.id)
        FROM partner WHERE partner.id IS NOT NULL
    ), subscription(id) AS (
        SELECT MIN(subscription_id) FROM deliveries WHERE due_at IS NOT NULL AND subscription_id IS NOT NULL
        UNION ALL
        SELECT (SELECT MIN(d.subscription_id) FROM deliveries d
            WHERE d.due_at IS NOT NULL AND d.subscription_id > subscription.id)
        FROM subscription WHERE subscription.id IS NOT NULL
    ), waiting AS (
        SELECT partner.id AS partner_id, CAST(NULL AS BIGINT) AS subscription_id, (
            SELECT MIN(d.due_at) FROM deliveries d WHERE d.due_at IS NOT NULL AND d.partner_id = partner.id
        ) AS oldest
        FROM partner WHERE partner.id IS NOT NULL
        UNION ALL
        SELECT NULL, subscription.id, (
            SELECT MIN(d.due_at) FROM deliveries d WHERE d.due_at IS NOT NULL AND d.subscription_id = subscription.id
        )
        FROM subscription WHERE subscription.id IS NOT NULL
    )
    SELECT waiting.partner_id, waiting.subscription_id,
        (w.failing_since IS NOT NULL OR COALESCE(s.errors_counter, 0) > 0) AS is_failing, EXISTS (
            SELECT 1 FROM deliveries d WHERE d.due_at IS NOT NULL AND d.subscription_id = waiting.subscription_id
            AND d.due_at > $1 AND d.due_at <= $2 AND d.lease <> $3
        ) AS is_taken
    FROM waiting LEFT JOIN partner_webhooks w ON w.partner_id = waiting.partner_id
    LEFT JOIN webhook_subscriptions s ON s.id = waiting.subscription_id
    WHERE waiting.oldest <= $1
    ORDER BY waiting.oldest, waiting.partner_id, waiting.subscription_id";

pub(super) async fn waiting(db: &impl ConnectionTrait, lease: LeaseId, now: Timestamp) -> Result<Vec<Waiting>> {
    let values = [now.into(), last_lease(now).into(), lease.into()];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), WAITING, values);
    let rows = WaitingRow::find_by_statement(statement).all(db).await?;
    let waiting = |row: WaitingRow| {
        let owner = Owner::from_columns(row.partner_id, row.subscription_id)?;
        Some(Waiting { owner, is_failing: row.is_failing, is_taken: row.is_taken })
    };
    Ok(rows.into_iter().filter_map(waiting).collect())
}

/// Takes due deliveries, the oldest of each owner, for the turn `lease` until `until`; each owner's come in the order in
/// which things happened. What another worker is taking at this moment is passed over.
pub(super) async fn lease(
    tx: &DatabaseTransaction,
    rooms: &[Room],
    lease: LeaseId,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Leased>> {
    let backend = tx.get_database_backend();
    let skip = if backend == DbBackend::Postgres { "FOR NO KEY UPDATE SKIP LOCKED" } else { "" };
    let mut values: Vec<Value> = vec![now.into(), until.into(), lease.into()];
    let lanes = free(tx, rooms).await?;
    let mut parts = if lanes.is_empty() { Vec::new() } else { in_order(backend, &lanes, now, &mut values) };
    for room in rooms.iter().filter(|room| !room.in_order) {
        let (place, count) = (values.len() + 1, values.len() + 2);
        let (column, owner): (_, Value) = match &room.owner {
            Owner::Partner(id) => ("partner_id", id.clone().into()),
            Owner::Subscription(id) => ("subscription_id", (*id).into()),
        };
        values.extend([owner, room.count.into()]);
        parts.push(format!(
            "SELECT id FROM (
                SELECT id FROM deliveries WHERE due_at IS NOT NULL AND {column} = ${place} AND due_at <= $1
                ORDER BY due_at, id LIMIT ${count} {skip}
            ) AS of_{place}"
        ));
    }
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "WITH taken AS MATERIALIZED ({})
        UPDATE deliveries SET due_at = $2, lease = $3 WHERE id IN (SELECT id FROM taken)
        RETURNING id, event_id, partner_id, subscription_id, sequence, tries",
        parts.join(" UNION ALL ")
    );
    let rows = LeasedRow::find_by_statement(Statement::from_sql_and_values(backend, sql, values)).all(tx).await?;
    let leased = |row: LeasedRow| {
        let owner = Owner::from_columns(row.partner_id, row.subscription_id)?;
        Some(Leased { id: row.id, event_id: row.event_id, owner, sequence: row.sequence, tries: row.tries })
    };
    let mut leased: Vec<Leased> = rows.into_iter().filter_map(leased).collect();
    leased.sort_unstable_by_key(|one| (one.sequence, one.id));
    Ok(leased)
}

/// No lease ends later, even one by a clock that is ahead of ours.
fn last_lease(now: Timestamp) -> Timestamp {
    now.plus_seconds(2 * LEASE_SECONDS)
}

/// A subscription whose deliveries go in order, and how many to lease.
type InOrder = (SubscriptionId, i64);

/// Statements for the first due deliveries of subscriptions whose order counts, after whose values these come.
/// PostgreSQL has one for all of them: it plans each statement anew that has another text.
fn in_order(backend: DbBackend, lanes: &[InOrder], now: Timestamp, values: &mut Vec<Value>) -> Vec<String> {
    let soon = values.len() + 1;
    let (last, until) = (soon + 1, soon + 2);
    values.extend([now.plus_seconds(OWN_MESSAGE_SECONDS).into(), DeliveryId(Uuid::max()).into()]);
    values.push(last_lease(now).into());
    if backend == DbBackend::Postgres {
        let list =
            |each: fn(&InOrder) -> i64| lanes.iter().map(|lane| each(lane).to_string()).collect::<Vec<_>>().join(",");
        let (ids, counts) = (values.len() + 1, values.len() + 2);
        values.extend([list(|(id, _)| id.0).into(), list(|(_, count)| *count).into()]);
        let first = first_due("lane.subscription", "lane.room", [soon, last, until]);
        return vec![format!(
            "SELECT id FROM (
                SELECT d.id FROM UNNEST(
                    string_to_array(${ids}, ',')::bigint[], string_to_array(${counts}, ',')::bigint[]
                ) AS lane(subscription, room)
                CROSS JOIN LATERAL ({first}) AS picked
                JOIN deliveries d ON d.id = picked.id AND d.state = 'pending' AND d.due_at <= $1
                FOR NO KEY UPDATE OF d SKIP LOCKED
            ) AS in_order"
        )];
    }
    let part = |(id, count): &InOrder| {
        values.extend([(*id).into(), (*count).into()]);
        let place = values.len();
        let first = first_due(&format!("${}", place - 1), &format!("${place}"), [soon, last, until]);
        format!("SELECT id FROM ({first}) AS of_{place}")
    };
    lanes.iter().map(part).collect()
}

/// The first due deliveries of a subscription, so many. `places` are those of the values for a moment from now, the
/// last of all ids and the end of the last lease: nothing while another worker has any, and nothing that happened after
/// what is to be told of within the moment. The plus keeps SQLite from sorting all that is due.
fn first_due(subscription: &str, count: &str, places: [usize; 3]) -> String {
    let [soon, last, until] = places;
    format!(
        "SELECT id FROM (
            SELECT id, sequence FROM deliveries
            WHERE due_at IS NOT NULL AND subscription_id = {subscription} AND +due_at <= $1
            ORDER BY id LIMIT {LOOKED_THROUGH}
        ) AS due WHERE id < COALESCE((
            SELECT id FROM deliveries
            WHERE due_at IS NOT NULL AND subscription_id = {subscription} AND due_at > $1 AND due_at <= ${soon}
            AND tries = 0 AND lease IS NULL ORDER BY id LIMIT 1
        ), ${last}) AND NOT EXISTS (
            SELECT 1 FROM deliveries
            WHERE due_at IS NOT NULL AND subscription_id = {subscription} AND due_at > $1 AND due_at <= ${until}
            AND lease <> $3
        )
        ORDER BY COALESCE(sequence, 0), id LIMIT {count}"
    )
}

/// Those subscriptions among the rooms in order whose deliveries nobody else is leasing at this moment.
async fn free(tx: &DatabaseTransaction, rooms: &[Room]) -> Result<Vec<InOrder>> {
    let of_room = |room: &Room| match &room.owner {
        Owner::Subscription(id) if room.in_order => Some((*id, room.count)),
        _ => None,
    };
    let mut lanes: Vec<InOrder> = rooms.iter().filter_map(of_room).collect();
    // SQLite has one writer.
    if lanes.is_empty() || tx.get_database_backend() != DbBackend::Postgres {
        return Ok(lanes);
    }
    let list = lanes.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>().join(",");
    let sql = "SELECT id FROM UNNEST(string_to_array($1, ',')::bigint[]) AS listed(id) \
        WHERE pg_try_advisory_xact_lock(hashtextextended('webhook lane', id))";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [list.into()]);
    let rows = tx.query_all_raw(statement).await?;
    let free = rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect::<Result<BTreeSet<SubscriptionId>>>()?;
    lanes.retain(|(id, _)| free.contains(id));
    Ok(lanes)
}

/// The first due date after `now`.
pub(super) async fn next_due(db: &impl ConnectionTrait, now: Timestamp) -> Result<Option<Timestamp>> {
    let query = Entity::find().select_only().column(Column::DueAt).filter(Column::DueAt.gt(now));
    Ok(query.order_by_asc(Column::DueAt).into_tuple::<Timestamp>().one(db).await?)
}

pub(super) async fn events(db: &impl ConnectionTrait, ids: Vec<EventId>) -> Result<Vec<event::Model>> {
    Ok(event::Entity::find().filter(event::Column::Id.is_in(ids)).all(db).await?)
}

pub(super) async fn endpoints(db: &impl ConnectionTrait, ids: Vec<PartnerId>) -> Result<Vec<endpoint::Model>> {
    Ok(endpoint::Entity::find().filter(endpoint::Column::PartnerId.is_in(ids)).all(db).await?)
}

/// Subscriptions of these ids; the owner is known from their deliveries.
pub(super) async fn subscriptions(
    db: &impl ConnectionTrait,
    ids: Vec<SubscriptionId>,
) -> Result<Vec<subscription::Model>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(subscription::Entity::find().filter(subscription::Column::Id.is_in(ids)).all(db).await?)
}

/// How many tries of a subscription have failed since the last that did not.
#[derive(FromQueryResult)]
pub(super) struct Counted {
    pub(super) workspace_id: WorkspaceId,
    pub(super) errors_counter: i64,
}

/// Counts tries of a subscription's address that failed, unless it has another by now: from nothing again if one of
/// them did not.
pub(super) async fn count_errors(
    tx: &DatabaseTransaction,
    id: SubscriptionId,
    url: &str,
    count: i64,
    is_from_nothing: bool,
) -> Result<Option<Counted>> {
    let before = if is_from_nothing { "0" } else { "errors_counter" };
    let sql = format!(
        "UPDATE webhook_subscriptions SET errors_counter = {before} + $3 WHERE id = $1 AND url = $2 \
         RETURNING workspace_id, errors_counter"
    );
    let values = [id.into(), url.into(), count.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(Counted::find_by_statement(statement).one(tx).await?)
}

pub(super) async fn insert_attempts(tx: &DatabaseTransaction, rows: Vec<delivery_attempt::ActiveModel>) -> Result<()> {
    if !rows.is_empty() {
        delivery_attempt::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Those of these deliveries that are still this turn's, with their tries. They stay so for the rest of the
/// transaction.
pub(super) async fn still_leased(
    tx: &DatabaseTransaction,
    lease: LeaseId,
    ids: Vec<DeliveryId>,
) -> Result<BTreeSet<(DeliveryId, i32)>> {
    let mut query = Entity::find()
        .select_only()
        .columns([Column::Id, Column::Tries])
        .filter(Column::Id.is_in(ids))
        .filter(Column::Lease.eq(lease))
        .filter(Column::State.eq(State::Pending))
        .order_by_asc(Column::Id);
    if tx.get_database_backend() == DbBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    Ok(query.into_tuple::<(DeliveryId, i32)>().all(tx).await?.into_iter().collect())
}

/// Ends deliveries of this turn.
pub(super) async fn finish(
    tx: &DatabaseTransaction,
    lease: LeaseId,
    ids: Vec<DeliveryId>,
    state: State,
    now: Timestamp,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    ours(lease)
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
        .col_expr(Column::DueAt, Expr::value(Option::<Timestamp>::None))
        .col_expr(Column::FinishedAt, Expr::value(now))
        .filter(Column::Id.is_in(ids))
        .exec(tx)
        .await?;
    Ok(())
}

/// Has a delivery of this turn tried again.
pub(super) async fn postpone(
    tx: &DatabaseTransaction,
    lease: LeaseId,
    id: DeliveryId,
    due_at: Timestamp,
) -> Result<()> {
    ours(lease)
        .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
        .col_expr(Column::DueAt, Expr::value(due_at))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Gives deliveries of this turn back, untried.
pub(super) async fn give_back(
    tx: &DatabaseTransaction,
    lease: LeaseId,
    ids: Vec<DeliveryId>,
    now: Timestamp,
) -> Result<()> {
    if !ids.is_empty() {
        ours(lease).col_expr(Column::DueAt, Expr::value(now)).filter(Column::Id.is_in(ids)).exec(tx).await?;
    }
    Ok(())
}

/// A change of deliveries that are still this turn's, which ends it.
fn ours(lease: LeaseId) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::Lease, Expr::value(Option::<LeaseId>::None))
        .filter(Column::Lease.eq(lease))
        .filter(Column::State.eq(State::Pending))
}

/// Remembers since when an endpoint fails, unless that is known or its address is another by now; tells whether it is
/// news.
pub(super) async fn set_failing(
    tx: &DatabaseTransaction,
    partner_id: &PartnerId,
    url: &str,
    since: Timestamp,
) -> Result<bool> {
    let updated = endpoint::Entity::update_many()
        .col_expr(endpoint::Column::FailingSince, Expr::value(since))
        .filter(endpoint::Column::PartnerId.eq(partner_id.clone()))
        .filter(endpoint::Column::Url.eq(url))
        .filter(endpoint::Column::FailingSince.is_null())
        .exec(tx)
        .await?;
    Ok(updated.rows_affected > 0)
}

/// Remembers that an endpoint works; tells whether it is news.
pub(super) async fn set_working(tx: &DatabaseTransaction, partner_id: &PartnerId) -> Result<bool> {
    let updated = endpoint::Entity::update_many()
        .col_expr(endpoint::Column::FailingSince, Expr::value(Option::<Timestamp>::None))
        .filter(endpoint::Column::PartnerId.eq(partner_id.clone()))
        .filter(endpoint::Column::FailingSince.is_not_null())
        .exec(tx)
        .await?;
    Ok(updated.rows_affected > 0)
}

/// Sends nothing more to an endpoint, unless its address is another by now; tells whether it was enabled.
pub(super) async fn disable(
    tx: &DatabaseTransaction,
    partner_id: &PartnerId,
    url: &str,
    reason: &str,
    now: Timestamp,
) -> Result<bool> {
    let updated = endpoint::Entity::update_many()
        .col_expr(endpoint::Column::Enabled, Expr::value(false))
        .col_expr(endpoint::Column::DisabledReason, Expr::value(reason))
        .col_expr(endpoint::Column::UpdatedAt, Expr::value(now))
        .filter(endpoint::Column::PartnerId.eq(partner_id.clone()))
        .filter(endpoint::Column::Url.eq(url))
        .filter(endpoint::Column::Enabled.eq(true))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected > 0)
}
