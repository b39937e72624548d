//! The machine, the versions and the settings that figures were made on. Refuses to measure without durability.

use std::{env, fmt::Write, fs, process::Command};

use quartermaster::clock::Clock;
use sea_orm::sqlx::{Connection, PgConnection, query_as};

use crate::{
    place::{postgres_url, redis_url},
    series::{LENGTH, RUNS, at},
};

const SYNCS: usize = 200;

/// A list of what matters for the figures.
///
/// # Panics
/// If PostgreSQL or Redis do not keep what they commit.
pub(crate) async fn describe() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let lines = [
        ("machine", machine()),
        ("build", build()),
        ("everything on it", "load generator, product, floors, PostgreSQL and Redis".to_owned()),
        ("kernel", kernel.trim().to_owned()),
        ("disk", disk()),
        ("compiler", first_line("rustc", &["--version"])),
        ("PostgreSQL", postgres().await),
        ("Redis", redis().await),
        ("SQLite", "WAL, synchronous=FULL, a connection that writes and one for batches".to_owned()),
        ("load", format!("{}; one thread", first_line("wrk", &["-v"]))),
        ("pools", "product 16 connections to PostgreSQL, its default; floors one; pgbench 16".to_owned()),
        (
            "runs",
            format!(
                "{RUNS} of {} s after a warm-up of 2 s, floors and product in turns; median (lowest–highest)",
                LENGTH.as_secs()
            ),
        ),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text
}

/// The processors.
pub(crate) fn machine() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores, {}", model.map_or("unknown", |(_, model)| model.trim()))
}

/// The profile, and what the environment made of its link-time optimisation.
pub(crate) fn build() -> String {
    let changed = option_env!("CARGO_PROFILE_BENCH_LTO");
    changed.map_or_else(|| "release profile".to_owned(), |lto| format!("release profile with lto={lto}"))
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    output(program, arguments).lines().next().unwrap_or("unknown").to_owned()
}

fn last_line(program: &str, arguments: &[&str]) -> String {
    output(program, arguments).lines().last().unwrap_or("unknown").to_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// The file system of temporary files, where both databases keep theirs, and what a commit must wait for there.
fn disk() -> String {
    let folder = env::temp_dir();
    let system = last_line("df", &["--output=fstype", &folder.to_string_lossy()]);
    let file = tempfile::tempfile_in(&folder).expect("a file");
    let page = [0; 4096];
    let mut took: Vec<_> = (0..SYNCS)
        .map(|_| {
            let watch = Clock::system().stopwatch();
            std::os::unix::fs::FileExt::write_all_at(&file, &page, 0).expect("a page");
            file.sync_data().expect("a synced page");
            watch.elapsed()
        })
        .collect();
    took.sort_unstable();
    let (p50, p99) = (at(&took, 500).as_secs_f64() * 1e6, at(&took, 990).as_secs_f64() * 1e6);
    format!("{system}; writing and syncing 4 KiB takes {p50:.0} µs (p99 {p99:.0} µs)")
}

async fn postgres() -> String {
    let mut connection = PgConnection::connect(&postgres_url()).await.expect("PostgreSQL");
    let settings: Vec<(String, String)> = query_as(
        "SELECT name, current_setting(name) FROM pg_settings WHERE name IN ('server_version', 'fsync',
         'full_page_writes', 'synchronous_commit', 'max_connections', 'shared_buffers', 'max_wal_size') ORDER BY name",
    )
    .fetch_all(&mut connection)
    .await
    .expect("settings");
    for durable in ["fsync", "full_page_writes", "synchronous_commit"] {
        let is_on = settings.iter().any(|(name, setting)| name == durable && setting == "on");
        assert!(is_on, "{durable} is off: figures of this server are not of durable messages");
    }
    settings.iter().map(|(name, setting)| format!("{name}={setting}")).collect::<Vec<_>>().join(", ")
}

async fn redis() -> String {
    let client = redis::Client::open(redis_url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("Redis");
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await.expect("its version");
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("unknown");
    let mut words = vec![version.trim().to_owned()];
    for name in ["appendonly", "appendfsync"] {
        let (_, setting): (String, String) =
            redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut connection).await.expect("a setting");
        words.push(format!("{name}={setting}"));
    }
    words.join(", ")
}
