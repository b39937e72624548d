//! Workspaces made per second, beside the floor on the same database.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use quartermaster::clock::Clock;
use serde_json::json;

use crate::{Place, floors, load, report::Report};

const CLIENTS: usize = 16;
const WARM_UP: Duration = Duration::from_secs(2);
const LENGTH: Duration = Duration::from_secs(5);
const RUNS: usize = 3;
const TARGET_PER_SECOND: u32 = 500;

/// Runs of the floor and of the product take turns, so that a machine that drifts drifts under both.
pub(crate) async fn measure(place: &Place, report: &mut Report) {
    let (app, base, secret) = place.product().await;
    let floor = floors::provisioning::serve(app.db.clone()).await;
    let url = format!("{base}/partner/api/v1/workspaces");
    floor_run(&floor, WARM_UP).await;
    product_run(&url, &secret, 0, WARM_UP).await;
    let (mut floors, mut products) = (Vec::new(), Vec::new());
    for turn in 1..=RUNS {
        floors.push(floor_run(&floor, LENGTH).await);
        products.push(product_run(&url, &secret, turn, LENGTH).await);
    }
    let mut paced = Vec::new();
    for turn in 1..=RUNS {
        let next = product_request(&url, &secret, RUNS + turn);
        paced.push(load::at_rate(TARGET_PER_SECOND, LENGTH, next).await);
    }
    app.stop.send_replace(true);
    report.paced(
        &format!("the same at {TARGET_PER_SECOND}/s, open loop, {}", place.name),
        load::median(paced),
        "p99 ≤ 25 ms",
    );
    report.compare(
        &format!("workspaces provisioned, {} ({CLIENTS} clients)", place.name),
        "the same rows, no checks",
        load::median(floors),
        load::median(products),
        "≥ 500/s, p99 ≤ 25 ms",
    );
}

async fn floor_run(url: &str, length: Duration) -> load::Run {
    let url = url.to_owned();
    load::run(CLIENTS, length, move |client, number| {
        client.post(&url).json(&json!({ "display_name": format!("Bakery {number}"), "seats_purchased": 3 }))
    })
    .await
}

async fn product_run(url: &str, secret: &str, turn: usize, length: Duration) -> load::Run {
    load::run(CLIENTS, length, product_request(url, secret, turn)).await
}

fn product_request(
    url: &str,
    secret: &str,
    turn: usize,
) -> impl Fn(&reqwest::Client, u64) -> reqwest::RequestBuilder + Send + Sync + 'static {
    let (url, key) = (url.to_owned(), EncodingKey::from_secret(secret.as_bytes()));
    move |client, number| {
        let now = Clock::system().now().0 / 1_000_000;
        let claims = json!({ "partner_id": "acme", "nbf": now - 180, "exp": now + 180 });
        let token = encode(&Header::new(Algorithm::HS256), &claims, &key).expect("a token");
        let body = json!({ "display_name": format!("Bakery {turn} {number}"), "seats_purchased": 3 });
        client.post(&url).bearer_auth(token).header("X-TL-Partner-Id", "acme").json(&body)
    }
}
