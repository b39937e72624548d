//! All floors without the product: what a machine can do before anything of ours runs on it.

use crate::{
    floors::{self, PATH, publish, transactions},
    message::{CALM, FEW, FLOOR_ROWS, MANY, WORKSPACES, check, floor_requests, own_cost, paced},
    place::{new_database, redis_url},
    process::Target as Requests,
    report::{Report, Target},
    series::{Contender, at, in_turns},
    wrk,
};

const ROUNDS: usize = 1000;

pub(crate) async fn measure(report: &mut Report) {
    let (grouped, single) = (new_database("floor_message").await, new_database("floor_transactions").await);
    transactions::prepare(&single).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = format!("sqlite://{}", folder.path().join("floor.db").display());
    let (constant, metered) = (floors::start("constant", &[]), floors::start("metered", &[&redis_url()]));
    let (constant, metered) = (Requests::anonymous(&constant, PATH), Requests::anonymous(&metered, PATH));
    let (accepted, embedded) =
        (floors::start("accepted", &[&grouped, &redis_url()]), floors::start("embedded", &[&file]));
    let (one, many) = (floor_requests(&accepted, 1), floor_requests(&accepted, WORKSPACES));
    let embedded = floor_requests(&embedded, 1);
    let closed = |target, connections| move |length| wrk::run(target, connections, length);
    let all = in_turns([
        Contender::new("a constant", closed(&constant, FEW)),
        Contender::new("one script call on Redis", closed(&metered, FEW)),
        Contender::new("one transaction for each message", |length| transactions::run(&single, length)),
        Contender::new(format!("clustered prototype, one workspace, {FEW} connections"), closed(&one, FEW)),
        Contender::new(format!("clustered prototype, one workspace, {MANY} connections"), closed(&one, MANY)),
        Contender::new(format!("clustered prototype, 1,000 workspaces, {FEW} connections"), closed(&many, FEW)),
        Contender::new(format!("clustered prototype, 1,000 workspaces, {MANY} connections"), closed(&many, MANY)),
        Contender::new(format!("embedded prototype, {FEW} connections"), closed(&embedded, FEW)),
        Contender::new(format!("embedded prototype, {MANY} connections"), closed(&embedded, MANY)),
    ]);
    for series in &all {
        report.throughput(series, Target::NONE);
    }
    let [_, _, _, clustered, ..] = &all;
    let rate = CALM * clustered.median().per_second;
    paced(report, &one, "clustered prototype, one workspace", rate, Target::NONE);
    own_cost(report, rate);
    check(report, &grouped, FLOOR_ROWS, one.answered() + many.answered()).await;
    check(report, &file, FLOOR_ROWS, embedded.answered()).await;
    let published = publish::times(&redis_url(), ROUNDS).await;
    report.time("PUBLISH to its arrival, p50", at(&published, 500), None);
    report.time("PUBLISH to its arrival, p99.9", at(&published, 999), None);
}
