//! Writing down what came of a turn, under its lease.
//!
//! A worker whose lease has gone to somebody else changes neither queue nor message: the other has called the message
//! unknown. What it learnt is then evidence like any receipt, and may settle the unknown.

use std::time::Duration;

use entity::{id::WorkspaceId, timestamp::Timestamp};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    connector::Delivery,
    credit, db,
    error::Result,
    message::{
        dispatch::{
            claim::{Task, Turn},
            store,
        },
        state::Event,
        status::{self, Facts, Receipt, ReceiptEvent},
    },
};

/// How often a message is handed over at most.
pub const MOST_TRIES: i32 = 8;
/// Pauses after each try that a provider put off without saying for how long, in seconds.
const WAITS_SECONDS: [u64; 7] = [2, 5, 15, 30, 60, 120, 300];
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// The share of the plan's pause that is waited, in 1/10000: from the first, and how many more there are.
const JITTER: (i64, u16) = (7_500, 5_001);

/// What became of the settling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is written down.
    Done,
    /// The lease had gone to somebody else.
    LeaseLost,
}

/// What follows from an answer.
struct Outcome<'a> {
    event: Event,
    facts: Facts<'a>,
    /// How long the channel waits, where it is not the plan's pause.
    wait: Option<Duration>,
}

/// Writes down what came of a turn.
///
/// # Errors
/// What the database says.
pub async fn settle(app: &App, turn: &Turn, delivery: &Delivery) -> Result<Settled> {
    let settled = db::retried(|| settle_once(app, turn, delivery)).await?;
    if settled == Settled::LeaseLost {
        tracing::warn!(message.id = %turn.message.id, "a turn ended after its lease");
        tell_late(app, turn, delivery).await?;
    }
    Ok(settled)
}

async fn settle_once(app: &App, turn: &Turn, delivery: &Delivery) -> Result<Settled> {
    let message = &turn.message;
    let outcome = outcome(turn, delivery);
    db::write(&app.db, "message.settle", async |tx| {
        if outcome.event == Event::Failed {
            // Before the queue's row: that is the order in which everybody takes the two.
            credit::lock_period_of(tx, message.workspace_id, message.id).await?;
        }
        let due_at = match outcome.wait {
            Some(wait) => later(app.clock.now(), wait),
            None => paced(app, tx, message.workspace_id).await?,
        };
        let leaving = i64::from(outcome.event != Event::Postponed);
        if !store::release(tx, message.account_id, turn.lease, leaving, due_at).await? {
            return Ok(Settled::LeaseLost);
        }
        status::step(app, tx, message, outcome.event, outcome.facts).await?;
        Ok(Settled::Done)
    })
    .await
}

fn outcome<'a>(turn: &Turn, delivery: &'a Delivery) -> Outcome<'a> {
    let failed = |reason: &'a str| Outcome {
        event: Event::Failed,
        facts: Facts { reason: Some(reason), ..Facts::default() },
        // Where nothing was sent, nothing is waited for.
        wait: matches!(turn.task, Task::Fail(_)).then_some(Duration::ZERO),
    };
    match delivery {
        Delivery::Accepted { provider_ref } => Outcome {
            event: Event::Accepted,
            facts: Facts { provider_ref: Some(provider_ref), ..Facts::default() },
            wait: None,
        },
        Delivery::Rejected { reason } => failed(reason),
        Delivery::TryLater { reason, .. } if turn.message.tries >= MOST_TRIES => failed(reason),
        Delivery::TryLater { after, .. } => {
            let wait = after.unwrap_or_else(|| wait_after(turn.message.tries)).min(LONGEST_WAIT);
            Outcome { event: Event::Postponed, facts: Facts::default(), wait: Some(wait) }
        }
        Delivery::Lost => Outcome { event: Event::Lost, facts: Facts::default(), wait: None },
    }
}

async fn tell_late(app: &App, turn: &Turn, delivery: &Delivery) -> Result<()> {
    let (event, provider_ref) = match delivery {
        Delivery::Accepted { provider_ref } => (ReceiptEvent::Sent, Some(provider_ref.clone())),
        Delivery::Rejected { reason } if turn.task == Task::Send => {
            (ReceiptEvent::Failed { reason: reason.clone() }, None)
        }
        Delivery::Rejected { .. } | Delivery::TryLater { .. } | Delivery::Lost => return Ok(()),
    };
    let message_id = Some(turn.message.id);
    let receipt = Receipt { account_id: turn.message.account_id, message_id, provider_ref, event };
    status::received(app, &receipt).await?;
    Ok(())
}

/// The pause after this many tries.
fn wait_after(tries: i32) -> Duration {
    let index = usize::try_from(tries.max(1) - 1).unwrap_or(0).min(WAITS_SECONDS.len() - 1);
    Duration::from_secs(WAITS_SECONDS[index])
}

/// When the channel's next message may go: after the plan's pause, times a random 0.75 to 1.25.
pub(super) async fn paced(app: &App, tx: &DatabaseTransaction, workspace_id: WorkspaceId) -> Result<Timestamp> {
    let pacing_ms = store::pacing_ms(tx, workspace_id).await?;
    let (least, more) = JITTER;
    let share = least + i64::from(u16::from_be_bytes(app.clock.random()) % more);
    // Milliseconds times 1/10000, in microseconds.
    let micros = pacing_ms.saturating_mul(share) / 10;
    Ok(Timestamp(app.clock.now().0.saturating_add(micros)))
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_there_is_one_less_than_tries() {
        assert_eq!(WAITS_SECONDS.len() + 1, usize::try_from(MOST_TRIES).expect("a number"));
        assert_eq!([1, 2, 7, 8, 100].map(|tries| wait_after(tries).as_secs()), [2, 5, 300, 300, 300]);
        assert!(WAITS_SECONDS.is_sorted());
    }
}
