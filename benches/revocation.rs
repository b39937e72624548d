//! How long a token that was rotated on one replica is still taken on another.
//!
//! The other replica is asked with the token just before, so that it knows it. It is asked again and again from the
//! moment at which the rotation was answered, without pause, so what is measured includes the refused request.

use std::time::Duration;

use jsonwebtoken::EncodingKey;
use quartermaster::clock::Clock;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::{
    floors, load,
    place::{Place, redis_url},
    report::Report,
    seed,
    series::at,
};

const ROUNDS: usize = 1000;
const TARGET: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn measure(report: &mut Report) {
    let place = Place::clustered("bench_revocation").await;
    let app = place.app().await;
    let seeded = seed::customers(&app, 1).await;
    app.db.clone().close().await;
    let (here, there) = (place.serve(), place.serve());
    let slug = seed::slug(seed::FIRST_ID);
    let token_url = format!("http://{}/partner/api/v1/workspaces/{slug}/api-token", here.address);
    let read_url = format!("http://{}/integrations/api/workspace", there.address);
    let (client, key) = (load::client(), EncodingKey::from_secret(seeded.secret.as_bytes()));

    let published = floors::publish::times(&redis_url(), ROUNDS).await;
    let mut token = token_of(load::signed(client.get(&token_url), &key)).await;
    let (mut since_request, mut since_answer) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        assert_eq!(asked(&client, &read_url, &token).await, StatusCode::OK);
        let whole = Clock::system().stopwatch();
        let next = token_of(load::signed(client.post(&token_url), &key)).await;
        let rest = Clock::system().stopwatch();
        while asked(&client, &read_url, &token).await != StatusCode::UNAUTHORIZED {
            assert!(rest.elapsed() < PATIENCE, "the old token is still taken");
        }
        since_answer.push(rest.elapsed());
        since_request.push(whole.elapsed());
        token = next;
    }
    times(report, "floor: PUBLISH to its arrival", published, None);
    times(report, "refused on the other replica, since the rotation was answered", since_answer, Some(TARGET));
    times(report, "the same since the rotation was asked for", since_request, None);
}

async fn asked(client: &Client, url: &str, token: &str) -> StatusCode {
    let answer = client.get(url).bearer_auth(token).send().await.expect("an answer");
    let status = answer.status();
    answer.bytes().await.expect("a body");
    status
}

async fn token_of(request: reqwest::RequestBuilder) -> String {
    let answer = request.send().await.and_then(reqwest::Response::error_for_status).expect("a token");
    let body: Value = answer.json().await.expect("JSON");
    body["token"].as_str().expect("a token").to_owned()
}

fn times(report: &mut Report, name: &str, mut took: Vec<Duration>, at_most: Option<Duration>) {
    took.sort_unstable();
    report.time(&format!("{name}, p50"), at(&took, 500), None);
    report.time(&format!("{name}, p99.9 of {ROUNDS}"), at(&took, 999), at_most);
}
