//! An accepted, durable, charged message in embedded mode, beside a prototype of its path on the same database.

use crate::{
    floors,
    message::{FEW, FLOOR_ROWS, MANY, PRODUCT_ROWS, check, floor_requests, requests},
    place::Place,
    report::{Report, Target},
    seed,
    series::{Contender, in_turns},
    wrk,
};

pub(crate) async fn measure(report: &mut Report) {
    let place = Place::embedded();
    let app = place.app().await;
    let tokens = seed::customers(&app, 1).await.tokens;
    app.db.clone().close().await;
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite://{}", folder.path().join("floor.db").display());
    let (product, floor) = (place.serve(), floors::start("embedded", &[&database]));
    let (product, floor) = (requests(&product, &tokens), floor_requests(&floor, 1));
    let closed = |target, connections| move |length| wrk::run(target, connections, length);
    let [floor_few, few, floor_many, many] = in_turns([
        Contender::new(format!("floor: prototype, {FEW} connections"), closed(&floor, FEW)),
        Contender::new(format!("accepted message, {FEW} connections"), closed(&product, FEW)),
        Contender::new(format!("floor: prototype, {MANY} connections"), closed(&floor, MANY)),
        Contender::new(format!("accepted message, {MANY} connections"), closed(&product, MANY)),
    ]);
    report.throughput(&floor_few, Target::NONE);
    report.throughput(&few, Target { per_second: 18_000.0, ..Target::NONE });
    report.share(&few, &floor_few, Some(0.55));
    report.throughput(&floor_many, Target::NONE);
    report.throughput(&many, Target::NONE);
    report.share(&many, &floor_many, None);
    check(report, &place.database_url(), PRODUCT_ROWS, product.answered()).await;
    check(report, &database, FLOOR_ROWS, floor.answered()).await;
}
