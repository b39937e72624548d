//! Handing queued messages to providers: each channel one message at a time, in the order of their ids, with its
//! plan's pause between two.
//!
//! A worker leases channels that are due ([`claim`]), hands one message of each over outside any transaction
//! ([`turn`]) and writes down what came of it under the lease ([`settle`]). A worker that dies loses its lease, not
//! the message: if the message was queued it is still queued; if it was being handed over nobody knows whether it
//! left, so it becomes `unknown` and is never sent again. Rows are taken in the order period, queue, message.
//!
//! What a connector answers decides what follows:
//!
//! | answer | message | channel |
//! |---|---|---|
//! | accepted | `sent` | goes on after the pause |
//! | rejected | `failed`, refunded | goes on after the pause |
//! | try later | `queued` again | waits as long as the provider says (an hour at most), else 2, 5, 15, 30, 60, 120, 300 s |
//! | try later, the 8th time | `failed`, refunded | goes on after the pause |
//! | lost, or nothing within 20 s | `unknown` | goes on after the pause |
//!
//! Nothing is sent through a channel that is disconnected or suspended. What is queued there is kept for 24 h, counted
//! from the later of that and the message's acceptance, and then fails.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    sync::{broadcast, watch},
    task::JoinSet,
};

use crate::{app::App, error::Result, signal::Signal};

pub mod claim;
pub mod settle;
mod store;
pub mod turn;

/// How many channels one worker serves at once.
pub const IN_FLIGHT: usize = 32;
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Hands messages over until `stop` says so; what was begun is finished first.
pub async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut signals = app.signals.subscribe();
    let mut turns = JoinSet::new();
    while !*stop.borrow() {
        let pause = match begin(&app, &mut turns).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(%error, "the dispatcher could not look for messages");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = heard_of_work(&mut signals) => {}
            Some(ended) = turns.join_next() => warn_of_panic(ended),
            _ = stop.changed() => {}
        }
    }
    while let Some(ended) = turns.join_next().await {
        warn_of_panic(ended);
    }
}

/// Begins as many turns as are free and due; tells how long to wait for more.
async fn begin(app: &Arc<App>, turns: &mut JoinSet<()>) -> Result<Duration> {
    let free = IN_FLIGHT.saturating_sub(turns.len());
    if free == 0 {
        return Ok(LONGEST_PAUSE);
    }
    for turn in claim::claim(app, free).await?.turns {
        let app = Arc::clone(app);
        turns.spawn(async move { turn::run(&app, &turn).await });
    }
    let Some(next) = store::next_due(app.db.reader()).await? else { return Ok(LONGEST_PAUSE) };
    let millis = u64::try_from(app.clock.now().millis_until(next)).unwrap_or(0);
    // Never less than a moment: what is due may be held by somebody else just now.
    Ok(Duration::from_millis(millis + 1).clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
}

/// A panic ends its own turn only: the lease runs out and the message becomes unknown.
fn warn_of_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "handing a message over failed inside");
    }
}

/// Gives every channel that is due now one turn; returns how many had one.
///
/// # Errors
/// What the database says.
pub async fn run_due(app: &App) -> Result<usize> {
    let claimed = claim::claim(app, IN_FLIGHT).await?;
    join_all(claimed.turns.iter().map(|turn| turn::run(app, turn))).await;
    Ok(claimed.turns.len() + claimed.parked)
}

async fn heard_of_work(signals: &mut broadcast::Receiver<Signal>) {
    loop {
        match signals.recv().await {
            Ok(Signal::Work) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
