//! Lists, histories and search of a workspace with 1,000,000 messages in 50,000 chats, on both databases, beside what
//! one indexed statement of the same rows takes. What the databases do for it is written to `plans.md`.

use std::{thread, time::Duration};

use quartermaster::clock::Clock;
use sea_orm::{ConnectionTrait, Statement};

use crate::{
    open_loop::Connection,
    place::Place,
    process::{Process, Target as Requests},
    report::{Report, Target},
    scale::{
        cases::Case,
        data::{Data, HOT_CHAT},
        rows::Store,
    },
    seed::FIRST_ID,
    series::{Run, Series},
};

mod cases;
mod data;
#[path = "../../tests/support/explaining.rs"]
mod explaining;
mod plans;
mod random;
mod rows;

const TARGET: Target = Target { p99_ms: 50.0, ..Target::NONE };
/// Requests of one kind: enough for a tail.
const TIMES: usize = 200;
const WARM_UP: usize = 4;
const REST: Duration = Duration::from_secs(1);

pub(crate) async fn measure(report: &mut Report) {
    let mut plans = String::new();
    let place = Place::embedded();
    on(report, &place, "SQLite", &mut plans).await;
    drop(place);
    on(report, &Place::clustered("bench_scale").await, "PostgreSQL", &mut plans).await;
    plans::write(&plans);
}

async fn on(report: &mut Report, place: &Place, database: &str, plans: &mut String) {
    let data = data::fill(place).await;
    plans::explain(&place.database_url(), database, &data, plans).await;
    for (name, sql) in FLOORS {
        report
            .throughput(&floor(&place.database_url(), &format!("floor: {database}, {name}"), sql).await, Target::NONE);
    }
    let product = place.serve();
    thread::sleep(REST);
    let started = product.resident_mib();
    let cases = cases::all(&data);
    for case in &cases {
        let run = ask(&product, case);
        report.throughput(&Series { name: format!("{database}, {}", case.name), runs: vec![run] }, TARGET);
    }
    thread::sleep(REST);
    let once = product.resident_mib();
    for case in &cases {
        ask(&product, case);
    }
    thread::sleep(REST);
    let again = product.resident_mib();
    report.note(
        &format!("{database}, memory as started, after all of it, and after all of it again"),
        &format!("{started:.1}, {once:.1}, {again:.1} MiB"),
    );
    check(&data);
}

/// The least that the rows of a page can cost: one statement that an index answers, sent from here.
const FLOORS: [(&str, &str); 2] = [
    ("51 chats", "SELECT * FROM chats WHERE workspace_id = $1 ORDER BY active_hour DESC LIMIT 51"),
    ("51 messages of a chat", "SELECT * FROM messages WHERE chat_id = $1 ORDER BY id DESC LIMIT 51"),
];

async fn floor(url: &str, name: &str, sql: &str) -> Series {
    let store = Store::open(url).await;
    let connection = &store.connection;
    let id = if sql.contains("FROM chats") { FIRST_ID } else { HOT_CHAT };
    let watch = Clock::system().stopwatch();
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let started = watch.elapsed();
        let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, [id.into()]);
        let rows = connection.query_all_raw(statement).await.expect("rows");
        assert_eq!(rows.len(), 51, "{sql}");
        took.push(watch.elapsed() - started);
    }
    Series { name: name.to_owned(), runs: vec![Run::of(took, watch.elapsed(), 0)] }
}

/// Asks one after another, over one connection: how long a caller waits on a machine that has nothing else to do.
fn ask(product: &Process, case: &Case) -> Run {
    let target = Requests::paths(product, &case.token, &case.paths);
    let mut connection = Connection::open(product.address).expect("a connection");
    let before = product.processor_seconds();
    let mut errors = 0;
    let mut took = Vec::with_capacity(TIMES);
    for request in target.requests.iter().cycle().take(WARM_UP * target.requests.len()) {
        connection.ask(request).expect("an answer");
    }
    let watch = Clock::system().stopwatch();
    for request in target.requests.iter().cycle().take(TIMES) {
        let started = watch.elapsed();
        let answer = connection.ask(request).expect("an answer");
        took.push(watch.elapsed() - started);
        errors += u64::from(!answer.starts_with(b"HTTP/1.1 2"));
    }
    let elapsed = watch.elapsed();
    let asked = f64::from(u32::try_from(TIMES + WARM_UP * target.requests.len()).expect("a count"));
    let server_us = (product.processor_seconds() - before) * 1e6 / asked;
    Run { server_us: Some(server_us), ..Run::of(took, elapsed, errors) }
}

fn check(data: &Data) {
    assert!(!data.name.is_empty() && !data.phone.is_empty() && !data.middle.is_nil(), "what is asked for is not there");
}
