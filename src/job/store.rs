//! SQL of the job queue.
//!
//! A lane shows its oldest work only, the one that is being done or waits to be tried again included: however much waits
//! behind it, a look costs a few steps in an index for each lane.

use entity::{
    id::JobId,
    job::{Column, Entity, Model},
    timestamp::Timestamp,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, Statement, Value, sea_query::Expr,
};

use crate::{
    db::{self, Database},
    error::Result,
    queue::Work,
};

/// How many lanes one look goes through.
pub(super) const LANES_AT_ONCE: usize = 1000;
/// How much work that stands in no lane one look finds.
const ALONE_AT_ONCE: u64 = 100;
/// How often work is begun before it may lose its place.
pub(super) const TRIES_IN_PLACE: i32 = 3;
/// How long work that fails keeps its place in its lane, in seconds: longer than a file, or a channel that is just being
/// linked, is waited for.
pub(super) const IN_PLACE_SECONDS: i64 = 150;

/// The first work of each lane, those that come behind a name and are so many, in the order of their names. A join would
/// be planned for an empty queue.
const HEADS: &str = "WITH RECURSIVE lanes (lane, number) AS (
        SELECT first.lane, 1 FROM (SELECT lane FROM jobs WHERE lane > $1 ORDER BY lane LIMIT 1) AS first
        UNION ALL
        SELECT (SELECT j.lane FROM jobs j WHERE j.lane > l.lane ORDER BY j.lane LIMIT 1), l.number + 1
        FROM lanes l WHERE l.lane IS NOT NULL AND l.number < $2
    )
    SELECT l.lane, (SELECT j.id FROM jobs j WHERE j.lane = l.lane ORDER BY j.placed_at, j.id LIMIT 1) AS id,
        (SELECT j.due_at FROM jobs j WHERE j.lane = l.lane ORDER BY j.placed_at, j.id LIMIT 1) AS due_at
    FROM lanes l WHERE l.lane IS NOT NULL ORDER BY l.lane";
/// Takes work that is due. What keeps failing, or never comes to an end, stands behind what it holds up from then on.
const LEASE: &str = "UPDATE jobs SET due_at = $1, tries = tries + 1,
        placed_at = CASE WHEN tries >= $2 AND created_at < $3 THEN $1 ELSE placed_at END
    WHERE id = {first} AND due_at <= $4 RETURNING *";
const FIRST_OF_LANE: &str = "(SELECT j.id FROM jobs j WHERE j.lane = $5 ORDER BY j.placed_at, j.id LIMIT 1)";

/// The first work of a lane, or work that stands in none.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Head {
    pub(super) id: JobId,
    pub(super) lane: Option<String>,
    pub(super) due_at: Timestamp,
}

/// Work and the lane that it belongs in.
pub(super) type Unplaced = (JobId, String, Timestamp);

/// What a look finds.
pub(super) struct Look {
    /// What processes of a release before have stored without its lane.
    pub(super) unplaced: Vec<Unplaced>,
    /// What is due.
    pub(super) due: Vec<Head>,
    /// When the first of the rest is.
    pub(super) next: Option<Timestamp>,
    /// Behind which lane there are more; `None` at the end.
    pub(super) goes_on_after: Option<String>,
}

/// Looks at the lanes behind this one, and at what stands in none.
pub(super) async fn look(db: &Database, after: &str, now: Timestamp) -> Result<Look> {
    db::snapshot(db, async |tx| {
        use_indices(tx).await?;
        let mut heads = heads(tx, after).await?;
        let goes_on_after = heads.get(LANES_AT_ONCE - 1).and_then(|head| head.lane.clone());
        let (alone, unplaced) = alone(tx).await?;
        heads.extend(alone);
        let next = heads.iter().map(|head| head.due_at).filter(|due_at| *due_at > now).min();
        heads.retain(|head| head.due_at <= now);
        Ok(Look { unplaced, due: heads, next, goes_on_after })
    })
    .await
}

async fn heads(tx: &DatabaseTransaction, after: &str) -> Result<Vec<Head>> {
    let most = i64::try_from(LANES_AT_ONCE).unwrap_or(i64::MAX);
    let values: [Value; 2] = [after.into(), most.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), HEADS, values);
    Ok(Head::find_by_statement(statement).all(tx).await?)
}

/// What stands in no lane, and what only has not been given one.
async fn alone(tx: &DatabaseTransaction) -> Result<(Vec<Head>, Vec<Unplaced>)> {
    let query = Entity::find().filter(Column::Lane.is_null());
    let found = query.order_by_asc(Column::DueAt).order_by_asc(Column::Id).limit(ALONE_AT_ONCE).all(tx).await?;
    let (mut alone, mut unplaced) = (Vec::new(), Vec::new());
    for job in found {
        let work: Option<Work> = serde_json::from_str(&job.work).ok();
        // What came stands where it came, however often it has been tried; the rest may be for later.
        let since = if matches!(work, Some(Work::ProviderEvent { .. })) { job.created_at } else { job.due_at };
        match work.and_then(|work| work.lane()) {
            Some(lane) => unplaced.push((job.id, lane, since)),
            None => alone.push(Head { id: job.id, lane: None, due_at: job.due_at }),
        }
    }
    Ok((alone, unplaced))
}

/// Gives work its lane and its place in it.
pub(super) async fn place(tx: &DatabaseTransaction, unplaced: &[Unplaced]) -> Result<()> {
    for (id, lane, since) in unplaced {
        Entity::update_many()
            .col_expr(Column::Lane, Expr::value(lane.as_str()))
            .col_expr(Column::PlacedAt, Expr::value(*since))
            .filter(Column::Id.eq(*id))
            .filter(Column::Lane.is_null())
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Has PostgreSQL find rows by index: it plans while the queue is empty, and keeps the plan until the queue is long.
async fn use_indices(tx: &DatabaseTransaction) -> Result<()> {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
    }
    Ok(())
}

/// Leases the first work of a lane, or this that stands in none, if it is due and nobody else was faster.
pub(super) async fn lease(
    tx: &DatabaseTransaction,
    head: &Head,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Model>> {
    use_indices(tx).await?;
    let (first, value): (_, Value) = match &head.lane {
        Some(lane) => (FIRST_OF_LANE, lane.as_str().into()),
        None => ("$5", head.id.into()),
    };
    let made_before = now.plus_seconds(-IN_PLACE_SECONDS);
    let values: [Value; 5] = [until.into(), TRIES_IN_PLACE.into(), made_before.into(), now.into(), value];
    let sql = LEASE.replace("{first}", first);
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(Entity::find().from_raw_sql(statement).one(tx).await?)
}

/// Keeps work for later, if it is still leased as it was; tells whether it is.
pub(super) async fn postpone(
    tx: &DatabaseTransaction,
    id: JobId,
    leases: &[Timestamp],
    (due_at, placed_at): (Timestamp, Timestamp),
    reason: &str,
) -> Result<bool> {
    let updated = Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(due_at))
        .col_expr(Column::PlacedAt, Expr::value(placed_at))
        .col_expr(Column::LastError, Expr::value(reason))
        .filter(Column::Id.eq(id))
        .filter(Column::DueAt.is_in(leases.iter().copied()))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Leases work for longer, if it is still leased as it was; tells whether it is.
pub(super) async fn renew(tx: &DatabaseTransaction, id: JobId, leases: &[Timestamp], until: Timestamp) -> Result<bool> {
    let updated = Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(until))
        .filter(Column::Id.eq(id))
        .filter(Column::DueAt.is_in(leases.iter().copied()))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Has due work about the state of a session done before this, which waits for what that tells.
pub(super) async fn let_pass(tx: &DatabaseTransaction, job: &Model, now: Timestamp) -> Result<()> {
    let is_about_state = ["session_changed", "end_session"]
        .map(|kind| Column::Work.starts_with(format!("{{\"kind\":\"{kind}\"")))
        .into_iter()
        .fold(Condition::any(), Condition::add);
    Entity::update_many()
        .col_expr(Column::PlacedAt, Expr::value(job.placed_at.0 - 1))
        .filter(Column::Lane.eq(job.lane.clone()))
        .filter(Column::PlacedAt.gte(job.placed_at))
        .filter(Column::DueAt.lte(now))
        .filter(is_about_state)
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes work; tells whether it was there.
pub(super) async fn remove(tx: &DatabaseTransaction, id: JobId) -> Result<bool> {
    Ok(Entity::delete_by_id(id).exec(tx).await?.rows_affected == 1)
}

#[cfg(test)]
mod tests {
    use entity::{channel::ConnectorKind, id::AttemptId};
    use sea_orm::Set;
    use uuid::Uuid;

    use super::*;

    const BEFORE: Timestamp = Timestamp(1_000);
    const NOW: Timestamp = Timestamp(2_000);
    const LATER: Timestamp = Timestamp(3_000);

    async fn empty(folder: &tempfile::TempDir) -> Database {
        let url = format!("sqlite://{}", folder.path().join("jobs.db").display());
        let db = Database::open(&url, 1).await.expect("a database");
        db.migrate().await.expect("a schema");
        db
    }

    async fn add(db: &Database, jobs: &[(u128, Option<&str>, Timestamp)]) {
        let row = |(id, lane, placed_at): &(u128, Option<&str>, Timestamp)| entity::job::ActiveModel {
            id: Set(JobId(Uuid::from_u128(*id))),
            work: Set("{}".to_owned()),
            due_at: Set(*placed_at),
            tries: Set(0),
            last_error: Set(None),
            created_at: Set(*placed_at),
            lane: Set(lane.map(str::to_owned)),
            placed_at: Set(*placed_at),
        };
        db::write(db, "test", async |tx| {
            for part in jobs.chunks(500) {
                Entity::insert_many(part.iter().map(row)).exec_without_returning(tx).await?;
            }
            Ok(())
        })
        .await
        .expect("jobs");
    }

    async fn due(db: &Database, after: &str) -> (Vec<u128>, Option<Timestamp>, Option<String>) {
        let look = look(db, after, NOW).await.expect("a look");
        (look.due.iter().map(|head| head.id.0.as_u128()).collect(), look.next, look.goes_on_after)
    }

    #[tokio::test]
    async fn a_lane_shows_its_oldest_and_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = empty(&folder).await;
        assert_eq!(due(&db, "").await, (vec![], None, None));
        add(
            &db,
            &[
                (9, Some("a"), BEFORE),
                (2, Some("a"), BEFORE),
                (1, Some("a"), NOW),
                (3, Some("b"), NOW),
                (4, Some("c"), LATER),
                (5, None, NOW),
                (6, None, BEFORE),
                (7, None, LATER),
            ],
        )
        .await;
        assert_eq!(due(&db, "").await, (vec![2, 3, 6, 5], Some(LATER), None));
        assert_eq!(due(&db, "a").await, (vec![3, 6, 5], Some(LATER), None));
        let head = |lane: &str| Head { id: JobId(Uuid::nil()), lane: Some(lane.to_owned()), due_at: NOW };
        let leased = async |lane| {
            let leasing = db::write(&db, "test", async |tx| lease(tx, &head(lane), NOW, LATER).await);
            let leased = leasing.await.expect("a look");
            leased.map(|job| (job.id.0.as_u128(), job.due_at, job.tries, job.placed_at))
        };
        assert_eq!(leased("a").await, Some((2, LATER, 1, BEFORE)));
        // Whatever waits behind it.
        assert_eq!((leased("a").await, leased("c").await, leased("d").await), (None, None, None));
        assert_eq!(due(&db, "").await.0, [3, 6, 5]);
    }

    #[tokio::test]
    async fn what_was_stored_without_its_lane_is_placed() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = empty(&folder).await;
        add(&db, &[(1, None, BEFORE), (2, None, BEFORE)]).await;
        let work = Work::EndSession { connector: ConnectorKind::Waha, session: AttemptId(Uuid::from_u128(7)) };
        let text = serde_json::to_string(&work).expect("JSON");
        let change = Entity::update_many().col_expr(Column::Work, Expr::value(text));
        let change = change.filter(Column::Id.eq(JobId(Uuid::from_u128(2))));
        db::write(&db, "test", async |tx| Ok(change.clone().exec(tx).await?)).await.expect("work");
        let found = look(&db, "", NOW).await.expect("a look");
        let lane = work.lane().expect("a lane");
        assert_eq!(found.unplaced, [(JobId(Uuid::from_u128(2)), lane.clone(), BEFORE)]);
        db::write(&db, "test", async |tx| place(tx, &found.unplaced).await).await.expect("placed");
        let found = look(&db, "", NOW).await.expect("a look");
        let lanes: Vec<Option<String>> = found.due.into_iter().map(|head| head.lane).collect();
        assert_eq!((found.unplaced, lanes), (vec![], vec![Some(lane), None]));
    }

    #[tokio::test]
    async fn a_lease_is_renewed_by_whoever_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = empty(&folder).await;
        add(&db, &[(1, Some("a"), BEFORE)]).await;
        let id = JobId(Uuid::from_u128(1));
        let renewed =
            async |lease, until| db::write(&db, "test", async |tx| renew(tx, id, &[lease], until).await).await;
        assert!(renewed(BEFORE, LATER).await.expect("a look"));
        assert!(!renewed(BEFORE, NOW).await.expect("a look"), "it is another's");
        assert_eq!(due(&db, "").await, (vec![], Some(LATER), None));
    }

    #[tokio::test]
    async fn lanes_are_looked_through_a_part_at_a_time_and_by_index() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = empty(&folder).await;
        let names: Vec<String> = (0..LANES_AT_ONCE + 5).map(|number| format!("{number:05}")).collect();
        let jobs: Vec<_> = (1..).zip(&names).map(|(id, name)| (id, Some(name.as_str()), BEFORE)).collect();
        add(&db, &jobs).await;
        let (first, _, goes_on_after) = due(&db, "").await;
        assert_eq!((first.len(), goes_on_after.as_deref()), (LANES_AT_ONCE, Some(names[LANES_AT_ONCE - 1].as_str())));
        assert_eq!(due(&db, &names[LANES_AT_ONCE - 1]).await, ((1001..=1005).collect(), None, None));
        let sql = format!("EXPLAIN QUERY PLAN {HEADS}");
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, ["".into(), 10.into()]);
        let plan = db.reader().query_all_raw(statement).await.expect("a plan");
        let plan: Vec<String> = plan.iter().map(|row| row.try_get("", "detail").expect("a step")).collect();
        assert!(plan.iter().filter(|step| step.contains("jobs_lane_idx")).count() >= 3, "{plan:#?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN j")), "{plan:#?}");
    }
}
