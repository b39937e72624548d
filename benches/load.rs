//! Load from this process, for requests that are made anew each time, such as those that carry a signed token: a
//! closed loop (so many clients, each sends its next request when it has its answer) and an open loop (requests leave
//! on time, whether the ones before were answered or not). Its own cost is in every figure, so it is for hundreds of
//! requests a second; for thousands there are `wrk.rs` and `open_loop.rs`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use quartermaster::clock::Clock;
use serde_json::json;

use crate::{seed::PARTNER, series::Run};

/// A client that keeps its connections.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// Signs requests as the partner.
pub(crate) fn signed(request: reqwest::RequestBuilder, key: &EncodingKey) -> reqwest::RequestBuilder {
    let now = Clock::system().now().0 / 1_000_000;
    let claims = json!({ "partner_id": PARTNER, "nbf": now - 180, "exp": now + 180 });
    let token = encode(&Header::new(Algorithm::HS256), &claims, key).expect("a token");
    request.bearer_auth(token).header("X-TL-Partner-Id", PARTNER)
}

/// Sends what `request` makes, from `clients` clients, for `length`. Everything that is not 2xx is an error.
pub(crate) async fn run<F>(clients: usize, length: Duration, request: F) -> Run
where
    F: Fn(&reqwest::Client, u64) -> reqwest::RequestBuilder + Send + Sync + 'static,
{
    let request = Arc::new(request);
    let (number, errors) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let watch = Clock::system().stopwatch();
    let workers: Vec<_> = (0..clients)
        .map(|_| {
            let (request, number, errors) = (Arc::clone(&request), Arc::clone(&number), Arc::clone(&errors));
            tokio::spawn(async move {
                let client = client();
                let mut took = Vec::new();
                while watch.elapsed() < length {
                    let one = Clock::system().stopwatch();
                    let answer = request(&client, number.fetch_add(1, Ordering::Relaxed)).send().await;
                    let is_good = match answer {
                        Ok(answer) => answer.status().is_success() && answer.bytes().await.is_ok(),
                        Err(_) => false,
                    };
                    if is_good {
                        took.push(one.elapsed());
                    } else {
                        errors.fetch_add(1, Ordering::Relaxed);
                    }
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for worker in workers {
        took.extend(worker.await.expect("a client"));
    }
    Run::of(took, watch.elapsed(), errors.load(Ordering::Relaxed))
}

/// Sends what `request` makes at `per_second` for `length`. A request's time begins when it should have left, so a
/// server that falls behind is not spared.
pub(crate) async fn at_rate<F>(per_second: u32, length: Duration, request: F) -> Run
where
    F: Fn(&reqwest::Client, u64) -> reqwest::RequestBuilder + Send + Sync + 'static,
{
    let client = client();
    let watch = Clock::system().stopwatch();
    let interval = Duration::from_secs(1) / per_second;
    let mut sent = Vec::new();
    for number in 0.. {
        let due = interval * number;
        if due >= length {
            break;
        }
        tokio::time::sleep(due.saturating_sub(watch.elapsed())).await;
        let one = request(&client, u64::from(number)).send();
        sent.push(tokio::spawn(async move {
            let answer = one.await.ok()?;
            let is_good = answer.status().is_success() && answer.bytes().await.is_ok();
            is_good.then(|| watch.elapsed() - due)
        }));
    }
    let (mut took, mut errors) = (Vec::new(), 0);
    for answer in sent {
        match answer.await.expect("a request") {
            Some(time) => took.push(time),
            None => errors += 1,
        }
    }
    Run::of(took, watch.elapsed(), errors)
}
