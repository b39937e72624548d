//! The schema on both databases: up, down, up again, and its guards.

use entity::{
    id::JobId,
    job::{self, Entity},
    timestamp::Timestamp,
};
use quartermaster::{
    clock::Clock,
    db::{self, Database},
};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, Statement};
use serde_json::{Value, json};

use crate::support::{
    TestApp,
    database::{Mode, Upgrade, empty_postgres},
};

#[tokio::test]
async fn the_schema_goes_up_down_and_up_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = match Mode::current() {
        Mode::Embedded => format!("sqlite://{}", folder.path().join("schema.db").display()),
        Mode::Clustered => empty_postgres().await,
    };
    let db = Database::open(&url, 2).await.expect("a database");
    let steps = db.missing_migrations().await.expect("a count");
    assert!(steps > 0);
    for _ in 0..2 {
        db.migrate().await.expect("up");
        assert_eq!(db.missing_migrations().await.expect("a count"), 0);
        db.migrate_down().await.expect("down");
        assert_eq!(db.missing_migrations().await.expect("a count"), steps);
    }
    db.migrate().await.expect("up");
    db.migrate().await.expect("up again is harmless");
    db.close().await;
}

/// Also with what somebody wrote that PostgreSQL takes out of no JSON.
#[tokio::test]
async fn jobs_that_wait_get_their_lanes() {
    let upgrade = Upgrade::before("m0059_lanes").await;
    let db = &upgrade.db;
    let session = "01990000-0000-7000-8000-000000000001";
    let event = json!({ "event": "message", "text": "a\u{0}b" });
    let message = json!({ "kind": "provider_event", "connector": "waha", "session": session, "event": event });
    let receipt = json!({ "kind": "message_status", "receipt": { "account_id": 7 } });
    let plan = json!({ "kind": "plan_changed", "plan": 1 });
    let works: [(&Value, Option<String>, i64); 3] = [
        (&message, Some(format!("waha/{session}")), 10),
        (&receipt, Some("account/7".to_owned()), 90),
        (&plan, None, 90),
    ];
    let clock = Clock::system();
    // More than are read at once.
    for index in 0..1002 {
        let sql = "INSERT INTO jobs (id, work, due_at, tries, created_at) VALUES ($1, $2, 90, 2, 10)";
        let values = [JobId(clock.uuid()).into(), works[index % 3].0.to_string().into()];
        let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        db.execute_raw(statement).await.expect("a job");
    }
    upgrade.up().await;
    let jobs = Entity::find().order_by_asc(job::Column::Id).all(db).await.expect("jobs");
    assert_eq!(jobs.len(), 1002);
    for (index, job) in jobs.into_iter().enumerate() {
        let (_, lane, placed_at) = &works[index % 3];
        assert_eq!((&job.lane, job.placed_at), (lane, Timestamp(*placed_at)));
    }
}

#[tokio::test]
async fn processes_that_start_together_end_with_one_schema() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = match Mode::current() {
        Mode::Embedded => format!("sqlite://{}", folder.path().join("schema.db").display()),
        Mode::Clustered => empty_postgres().await,
    };
    let starting = (0..4).map(|_| async {
        let db = Database::open(&url, 2).await.expect("a database");
        db.migrate().await.expect("a schema");
        assert_eq!(db.missing_migrations().await.expect("a count"), 0);
        db.close().await;
    });
    futures_util::future::join_all(starting).await;
}

#[tokio::test]
async fn the_database_itself_guards_the_seats() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    acme.workspace("Bakery", 3).await;
    for (change, guard) in [
        ("seats_used = 4", "workspaces_seats_used_check"),
        ("seats_used = -1", "workspaces_seats_used_check"),
        ("seats_total = 0, seats_used = 0", "workspaces_seats_total_check"),
        ("seats_total = 1000", "workspaces_seats_total_check"),
        ("slug = ''", "workspaces_slug_check"),
    ] {
        let broken = db::write(&app.app.db, "test", async |tx| {
            let outcome = tx.execute_unprepared(&format!("UPDATE workspaces SET {change}")).await;
            let error = outcome.expect_err("the guard refuses");
            assert_eq!(db::constraint_of(&error).as_deref(), Some(guard), "{error}");
            Err::<(), _>(quartermaster::error::Error::Contention)
        })
        .await;
        assert!(broken.is_err());
    }
}
