//! An authenticated read with rate limit and call counting, beside a handler that does nothing and one that asks
//! Redis once.

use crate::{
    floors,
    place::{Place, redis_url},
    process::Target as Requests,
    report::{Report, Target},
    seed,
    series::{Contender, in_turns},
    wrk,
};

const PATH: &str = "/integrations/api/workspace";
const CONNECTIONS: u32 = 64;
const WORKSPACES: i64 = 1000;

pub(crate) async fn measure(report: &mut Report) {
    let place = Place::clustered("bench_read").await;
    let app = place.app().await;
    let tokens = seed::customers(&app, WORKSPACES).await.tokens;
    app.db.clone().close().await;
    let (product, constant) = (place.serve(), floors::start("constant", &[]));
    let metered = floors::start("metered", &[&redis_url()]);
    let constant = Requests::anonymous(&constant, floors::PATH);
    let metered = Requests::anonymous(&metered, floors::PATH);
    let one = Requests::get(&product, PATH, &tokens[..1]);
    let many = Requests::get(&product, PATH, &tokens);
    let closed = |target| move |length| wrk::run(target, CONNECTIONS, length);
    let [constant, metered, one, many] = in_turns([
        Contender::new("floor: a constant", closed(&constant)),
        Contender::new("floor: one script call on Redis", closed(&metered)),
        Contender::new("authenticated read, one workspace", closed(&one)),
        Contender::new("authenticated read, 1,000 workspaces", closed(&many)),
    ]);
    report.throughput(&constant, Target::NONE);
    report.throughput(&metered, Target::NONE);
    for product in [&one, &many] {
        report.throughput(product, Target { per_second: 20_000.0, ..Target::NONE });
        report.share(product, &constant, None);
        report.share(product, &metered, Some(0.6));
    }
}
