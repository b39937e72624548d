//! The schema on both databases: up, down, up again, and its guards.

use quartermaster::db::{self, Database};
use sea_orm::ConnectionTrait;

use crate::support::{
    TestApp,
    database::{Mode, empty_postgres},
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
