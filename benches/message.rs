//! An accepted, durable, charged message in clustered mode, beside a prototype of its path and beside one transaction
//! for each message. Nothing is sent on: no worker runs.

use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::{Value, json};

use crate::{
    floors::{self, transactions},
    open_loop,
    place::{Place, new_database, redis_url},
    process::{Process, Target as Requests},
    report::{Report, Target},
    seed,
    series::{Contender, LENGTH, RUNS, Series, in_turns},
    wrk,
};

pub(crate) const PATH: &str = "/integrations/api/messages";
pub(crate) const FEW: u32 = 64;
pub(crate) const MANY: u32 = 256;
pub(crate) const WORKSPACES: i64 = 1000;
/// As many people are written to, so that the warm-up makes every chat.
const PEOPLE: usize = 1000;
/// What the tails are measured at, as a share of the most that was measured.
pub(crate) const CALM: f64 = 0.7;

pub(crate) async fn measure(report: &mut Report) {
    let place = Place::clustered("bench_message").await;
    let app = place.app().await;
    let tokens = seed::customers(&app, WORKSPACES).await.tokens;
    app.db.clone().close().await;
    let product = place.serve();
    let grouped_database = new_database("floor_message").await;
    let grouped = floors::start("accepted", &[&grouped_database, &redis_url()]);
    let single_database = new_database("floor_transactions").await;
    transactions::prepare(&single_database).await;

    let one = requests(&product, &tokens[..1]);
    let many = requests(&product, &tokens);
    let (floor_one, floor_many) = (floor_requests(&grouped, 1), floor_requests(&grouped, WORKSPACES));
    let closed = |target, connections| move |length| wrk::run(target, connections, length);
    let prototype = "floor: prototype";
    let [single, floor_one_few, floor_many_few, one_few, many_few] = in_turns([
        Contender::new("floor: one transaction for each message", |length| transactions::run(&single_database, length)),
        Contender::new(format!("{prototype}, one workspace, {FEW} connections"), closed(&floor_one, FEW)),
        Contender::new(format!("{prototype}, 1,000 workspaces, {FEW} connections"), closed(&floor_many, FEW)),
        Contender::new(format!("accepted message, one workspace, {FEW} connections"), closed(&one, FEW)),
        Contender::new(format!("accepted message, 1,000 workspaces, {FEW} connections"), closed(&many, FEW)),
    ]);
    let [floor_one_many, floor_many_many, one_many, many_many] = in_turns([
        Contender::new(format!("{prototype}, one workspace, {MANY} connections"), closed(&floor_one, MANY)),
        Contender::new(format!("{prototype}, 1,000 workspaces, {MANY} connections"), closed(&floor_many, MANY)),
        Contender::new(format!("accepted message, one workspace, {MANY} connections"), closed(&one, MANY)),
        Contender::new(format!("accepted message, 1,000 workspaces, {MANY} connections"), closed(&many, MANY)),
    ]);
    report.throughput(&single, Target::NONE);
    for (series, floor) in [(&one_few, &floor_one_few), (&many_few, &floor_many_few)] {
        report.throughput(floor, Target::NONE);
        report.throughput(series, Target { per_second: 12_000.0, ..Target::NONE });
        report.share(series, floor, Some(0.6));
        report.share(series, &single, Some(4.0));
    }
    for (series, floor) in [(&one_many, &floor_one_many), (&many_many, &floor_many_many)] {
        report.throughput(floor, Target::NONE);
        report.throughput(series, Target::NONE);
        report.share(series, floor, None);
    }
    let calm = |series: &Series| CALM * series.median().per_second;
    let tails = Target { p50_ms: 5.0, p99_ms: 20.0, ..Target::NONE };
    paced(report, &one, "one workspace", calm(&one_few), tails);
    paced(report, &many, "1,000 workspaces", calm(&many_few), tails);
    paced(report, &floor_one, "prototype instead of the product", calm(&one_few), Target::NONE);
    paced(report, &one, "one workspace", calm(&one_many), Target::NONE);
    paced(report, &floor_one, "prototype instead of the product", calm(&one_many), Target::NONE);
    own_cost(report, calm(&one_few));

    let answered = one.answered() + many.answered();
    check(report, &place.database_url(), PRODUCT_ROWS, answered).await;
    check(report, &grouped_database, FLOOR_ROWS, floor_one.answered() + floor_many.answered()).await;
}

/// Requests of these workspaces to the product, one after another, to [`PEOPLE`] different numbers.
pub(crate) fn requests<'a>(product: &'a Process, tokens: &[String]) -> Requests<'a> {
    let body = |person| json!({ "phone": phone(person), "text": "hello" });
    let requests: Vec<(Option<&str>, Value)> =
        tokens.iter().cycle().zip(0..PEOPLE).map(|(token, person)| (Some(token.as_str()), body(person))).collect();
    Requests::post(product, PATH, &requests)
}

/// The same to a floor, which takes the workspace's word for who it is.
pub(crate) fn floor_requests(floor: &Process, workspaces: i64) -> Requests<'_> {
    let body = |(workspace, person)| json!({ "workspace": workspace, "phone": phone(person), "text": "hello" });
    let requests: Vec<(Option<&str>, Value)> =
        (1..=workspaces).cycle().zip(0..PEOPLE).map(|pair| (None, body(pair))).collect();
    Requests::post(floor, floors::PATH, &requests)
}

fn phone(person: usize) -> String {
    format!("+1555{person:07}")
}

/// Runs the open loop at this rate.
pub(crate) fn paced(report: &mut Report, target: &Requests, whose: &str, per_second: f64, wanted: Target) {
    let name = format!("open loop at {per_second:.0}/s, {whose}");
    let runs = (0..RUNS).map(|_| open_loop::run(target, per_second, LENGTH).run).collect();
    report.throughput(&Series { name, runs }, wanted);
}

/// What the generator adds to the times above, and takes from the product.
pub(crate) fn own_cost(report: &mut Report, per_second: f64) {
    let floor = floors::start("constant", &[]);
    let target = Requests::anonymous(&floor, floors::PATH);
    let paced = open_loop::run(&target, per_second, LENGTH);
    let shown = format!(
        "p50 {:.2} ms, p99 {:.2} ms, {:.2} of a core",
        paced.run.p50_ms, paced.run.p99_ms, paced.generator_cores
    );
    report.note("the generator of the open loop against a constant, at the same rate", &shown);
}

/// Messages, and messages that were charged.
pub(crate) const PRODUCT_ROWS: [&str; 2] =
    ["messages", "(SELECT DISTINCT message_id FROM credit_entries WHERE kind = 'charge') AS charged"];
/// The same of the prototype.
pub(crate) const FLOOR_ROWS: [&str; 2] = ["messages", "entries"];

/// Panics unless every message that was answered is stored and charged. More may be: wrk hangs up on the last ones.
pub(crate) async fn check(report: &mut Report, database: &str, rows: [&str; 2], answered: u64) {
    let connection = Database::connect(database).await.expect("the database");
    // One statement, because what wrk left behind may be committed between two.
    let [messages, charges] = rows;
    let sql =
        format!("SELECT (SELECT count(*) FROM {messages}) AS messages, (SELECT count(*) FROM {charges}) AS charges");
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.expect("counts").expect("counts");
    let count = |name| row.try_get::<i64>("", name).expect("a count");
    let (stored, charged) = (count("messages"), count("charges"));
    assert_eq!(stored, charged, "messages and charges differ");
    assert!(u64::try_from(stored).is_ok_and(|stored| stored >= answered), "{answered} were answered, {stored} stored");
    report.note("answered, of those stored and charged", &format!("{answered} of {stored}"));
}
