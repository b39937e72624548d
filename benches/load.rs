//! Two load generators: a closed loop for maxima (so many clients, each sends its next request when it has its answer)
//! and an open loop for tails (requests leave on time, whether the ones before were answered or not).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quartermaster::clock::Clock;

/// What a run measured.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) errors: u64,
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
                let client = reqwest::Client::builder().no_proxy().build().expect("a client");
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
    summary(took, watch.elapsed(), errors.load(Ordering::Relaxed))
}

/// Sends what `request` makes at `per_second` for `length`. A request's time begins when it should have left, so a
/// server that falls behind is not spared.
pub(crate) async fn at_rate<F>(per_second: u32, length: Duration, request: F) -> Run
where
    F: Fn(&reqwest::Client, u64) -> reqwest::RequestBuilder + Send + Sync + 'static,
{
    let request = Arc::new(request);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
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
    summary(took, watch.elapsed(), errors)
}

fn summary(mut took: Vec<Duration>, elapsed: Duration, errors: u64) -> Run {
    let elapsed = elapsed.as_secs_f64();
    took.sort_unstable();
    let at = |share: usize| took.get((took.len() * share / 100).min(took.len().saturating_sub(1)));
    let millis = |share| at(share).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0);
    let count = u32::try_from(took.len()).map_or(f64::INFINITY, f64::from);
    Run { per_second: count / elapsed, p50_ms: millis(50), p99_ms: millis(99), errors }
}

/// The run in the middle of several, by throughput, with the lowest and the highest.
pub(crate) fn median(mut runs: Vec<Run>) -> (Run, f64, f64) {
    runs.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    let errors = runs.iter().map(|run| run.errors).sum();
    let middle = Run { errors, ..runs[runs.len() / 2] };
    (middle, runs[0].per_second, runs[runs.len() - 1].per_second)
}
