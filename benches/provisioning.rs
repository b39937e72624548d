//! Workspaces made per second, beside the floor on the same database.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::EncodingKey;
use quartermaster::http::Server;
use serde_json::json;

use crate::{
    floors, load,
    place::Place,
    report::{Report, Target},
    seed,
    series::{LENGTH, RUNS, Run, Series},
};

const CLIENTS: usize = 16;
const WARM_UP: Duration = Duration::from_secs(2);
const TARGET_PER_SECOND: u32 = 500;

pub(crate) async fn measure(report: &mut Report) {
    on(&Place::embedded(), report).await;
    on(&Place::clustered("bench_provisioning").await, report).await;
}

/// Runs of the floor and of the product take turns, so that a machine that drifts drifts under both.
async fn on(place: &Place, report: &mut Report) {
    let app = place.app().await;
    let secret = seed::partner(&app, "starter").await;
    let server = Server::bind(Arc::clone(&app)).await.expect("a port");
    let url = format!("http://{}/partner/api/v1/workspaces", server.address());
    tokio::spawn(server.run(app.stop.subscribe()));
    let floor = floors::provisioning::serve(app.db.clone()).await;
    floor_run(&floor, WARM_UP).await;
    product_run(&url, &secret, 0, WARM_UP).await;
    let series = |name: String| Series { name, runs: Vec::new() };
    let mut floors = series(format!("floor: the same rows without checks, {}", place.name));
    let mut products = series(format!("workspaces provisioned, {}, {CLIENTS} clients", place.name));
    let mut paced = series(format!("the same at {TARGET_PER_SECOND}/s, open loop, {}", place.name));
    for turn in 1..=RUNS {
        floors.runs.push(floor_run(&floor, LENGTH).await);
        products.runs.push(product_run(&url, &secret, turn, LENGTH).await);
    }
    for turn in 1..=RUNS {
        let next = product_request(&url, &secret, RUNS + turn);
        paced.runs.push(load::at_rate(TARGET_PER_SECOND, LENGTH, next).await);
    }
    app.stop.send_replace(true);
    report.throughput(&floors, Target::NONE);
    report.throughput(&products, Target { per_second: f64::from(TARGET_PER_SECOND), ..Target::NONE });
    report.share(&products, &floors, None);
    report.throughput(&paced, Target { p99_ms: 25.0, ..Target::NONE });
}

async fn floor_run(url: &str, length: Duration) -> Run {
    let url = url.to_owned();
    load::run(CLIENTS, length, move |client, number| {
        client.post(&url).json(&json!({ "display_name": format!("Bakery {number}"), "seats_purchased": 3 }))
    })
    .await
}

async fn product_run(url: &str, secret: &str, turn: usize, length: Duration) -> Run {
    load::run(CLIENTS, length, product_request(url, secret, turn)).await
}

fn product_request(
    url: &str,
    secret: &str,
    turn: usize,
) -> impl Fn(&reqwest::Client, u64) -> reqwest::RequestBuilder + Send + Sync + 'static {
    let (url, key) = (url.to_owned(), EncodingKey::from_secret(secret.as_bytes()));
    move |client, number| {
        let body = json!({ "display_name": format!("Bakery {turn} {number}"), "seats_purchased": 3 });
        load::signed(client.post(&url), &key).json(&body)
    }
}
