//! The floor without group commit: pgbench, 16 clients, one transaction for each message.

use std::{env, fs, process::Command, time::Duration};

use sea_orm::sqlx::{Connection, PgConnection, raw_sql};

use crate::series::Run;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/floors/transactions.sql");
pub(crate) const CLIENTS: u32 = 16;

/// Makes the tables.
pub(crate) async fn prepare(database: &str) {
    let mut connection = PgConnection::connect(database).await.expect("PostgreSQL");
    raw_sql(include_str!("accepted.sql")).execute(&mut connection).await.expect("the schema");
}

/// Runs pgbench, whose log has the time of every transaction.
pub(crate) fn run(database: &str, length: Duration) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let program = env::var("QMBENCH_PGBENCH").unwrap_or_else(|_| "pgbench".to_owned());
    let output = Command::new(program)
        .args(["--no-vacuum", "--protocol=prepared", "--log", "--file", SCRIPT])
        .args(["--client", &CLIENTS.to_string(), "--time", &length.as_secs().to_string(), database])
        .current_dir(folder.path())
        .output()
        .expect("pgbench");
    assert!(output.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
    let log = fs::read_dir(folder.path()).expect("a folder").next().expect("a log").expect("a log");
    let text = fs::read_to_string(log.path()).expect("a log");
    let micros = |line: &str| line.split(' ').nth(2).and_then(|field| field.parse().ok());
    let took = text.lines().map(|line| Duration::from_micros(micros(line).expect("a time"))).collect();
    Run::of(took, length, 0)
}
