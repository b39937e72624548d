//! Memory of an idle replica with many workspaces in the database: as started, and after each has called once.

use std::{thread, time::Duration};

use crate::{floors, open_loop, place::Place, process::Target as Requests, report::Report, seed};

const WORKSPACES: i64 = 100_000;
const TARGET_MIB: f64 = 200.0;
/// Longer than what is counted in memory waits to be written.
const REST: Duration = Duration::from_secs(3);

pub(crate) async fn measure(report: &mut Report) {
    let place = Place::clustered("bench_memory").await;
    let app = place.app().await;
    let tokens = seed::customers(&app, WORKSPACES).await.tokens;
    app.db.clone().close().await;
    let constant = floors::start("constant", &[]);
    report.memory("floor: a handler that returns a constant", constant.resident_mib(), None);
    let product = place.serve();
    thread::sleep(REST);
    report.memory("100,000 workspaces, as started", product.resident_mib(), Some(TARGET_MIB));
    let run = open_loop::each_once(&Requests::get(&product, "/integrations/api/workspace", &tokens));
    assert_eq!(run.errors, 0, "some workspaces were refused");
    thread::sleep(REST);
    report.memory("100,000 workspaces, after one call of each", product.resident_mib(), Some(TARGET_MIB));
}
