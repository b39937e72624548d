//! In which line a job stands, and since when. Jobs that are there get theirs from their work; those that processes of
//! the version before still store stand in none.
//!
//! Both databases know JSON, but neither takes every text out of it, so the work is read.

use sea_orm_migration::{
    MigrationName,
    prelude::{DbErr, MigrationTrait, SchemaManager, async_trait},
    sea_orm::{self, ConnectionTrait, DbBackend, Statement},
};
use serde_json::Value;

use crate::apply;

const BEFORE: &[&str] =
    &["ALTER TABLE jobs ADD COLUMN lane {text}", "ALTER TABLE jobs ADD COLUMN placed_at BIGINT NOT NULL DEFAULT 0"];
/// Processes of the version before look jobs up by `jobs_due_at_idx`, which stays for them.
const AFTER: &[&str] = &[
    "CREATE INDEX jobs_lane_idx ON jobs (lane, placed_at, id) WHERE lane IS NOT NULL",
    "CREATE INDEX jobs_alone_idx ON jobs (due_at, id) WHERE lane IS NULL",
];
const DOWN: &[&str] = &[
    "DROP INDEX jobs_alone_idx",
    "DROP INDEX jobs_lane_idx",
    "ALTER TABLE jobs DROP COLUMN placed_at",
    "ALTER TABLE jobs DROP COLUMN lane",
];
/// How many jobs are read at once.
const AT_ONCE: usize = 1000;

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0059_lanes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        apply(manager, BEFORE).await?;
        place(manager).await?;
        apply(manager, AFTER).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        apply(manager, DOWN).await
    }
}

async fn place(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    // Ids as texts, in and out.
    let (written, first, read) = match db.get_database_backend() {
        DbBackend::Sqlite => ("hex(id)", "unhex($1)", "unhex(v.name)"),
        _ => ("CAST(id AS TEXT)", "CAST(CAST($1 AS TEXT) AS UUID)", "CAST(v.name AS UUID)"),
    };
    let jobs = format!(
        "SELECT {written} AS name, work, due_at, created_at FROM jobs WHERE id > {first} ORDER BY id LIMIT {AT_ONCE}"
    );
    let statement = |sql: &str, values| Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let mut after = "0".repeat(32);
    loop {
        let rows = db.query_all_raw(statement(&jobs, vec![after.as_str().into()])).await?;
        let (mut places, mut values): (Vec<String>, Vec<sea_orm::Value>) = (Vec::new(), Vec::new());
        for row in &rows {
            let (name, work): (String, String) = (row.try_get("", "name")?, row.try_get("", "work")?);
            let work: Value = serde_json::from_str(&work).unwrap_or_default();
            // When a message came, however often it has been tried; the rest may be for later.
            let since = if work["kind"] == "provider_event" { "created_at" } else { "due_at" };
            let since: i64 = row.try_get("", since)?;
            let first = values.len() + 1;
            places.push(format!(
                "(CAST(${first} AS TEXT), CAST(${} AS BIGINT), CAST(${} AS TEXT))",
                first + 1,
                first + 2
            ));
            values.extend([lane(&work).into(), since.into(), name.as_str().into()]);
            after = name;
        }
        if !rows.is_empty() {
            let places = places.join(", ");
            let change = format!(
                "WITH v (lane, placed_at, name) AS (VALUES {places}) \
                 UPDATE jobs SET lane = v.lane, placed_at = v.placed_at FROM v WHERE jobs.id = {read}"
            );
            db.execute_raw(statement(&change, values)).await?;
        }
        if rows.len() < AT_ONCE {
            return Ok(());
        }
    }
}

/// The line of this work.
fn lane(work: &Value) -> Option<String> {
    let text = |field: &str| work[field].as_str();
    match text("kind")? {
        "end_session" | "session_changed" | "provider_event" => {
            Some(format!("{}/{}", text("connector")?, text("session")?))
        }
        "message_status" => Some(format!("account/{}", work["receipt"]["account_id"].as_i64()?)),
        "send_reaction" => Some(format!("message/{}", text("message")?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn work_has_the_line_that_its_ids_say() {
        let session = "01990000-0000-7000-8000-000000000001";
        let of_session = Some(format!("waha/{session}"));
        for (work, expected) in [
            (json!({ "kind": "end_session", "connector": "waha", "session": session }), of_session.clone()),
            (json!({ "kind": "session_changed", "connector": "waha", "session": session }), of_session.clone()),
            (json!({ "kind": "provider_event", "connector": "waha", "session": session, "event": {} }), of_session),
            (json!({ "kind": "message_status", "receipt": { "account_id": 7 } }), Some("account/7".to_owned())),
            (json!({ "kind": "send_reaction", "message": session }), Some(format!("message/{session}"))),
            (json!({ "kind": "plan_changed", "plan": 1 }), None),
            (json!({ "kind": "end_session" }), None),
            (Value::Null, None),
        ] {
            assert_eq!(lane(&work), expected, "{work}");
        }
    }
}
