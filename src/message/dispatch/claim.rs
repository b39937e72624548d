//! Taking channels that are due, and deciding what each one's turn is about.
//!
//! One transaction takes them all, so a channel's queue, its state and its oldest message are seen together. What needs
//! no refund is settled in it at once. If its commit is not answered, what it may have taken is taken back: nothing of
//! it has been handed over.

use entity::{
    channel::{self, ConnectorKind},
    id::{AccountId, AttemptId, LeaseId, MessageId, WorkspaceId},
    message::{Model, Status},
    send_queue,
    timestamp::Timestamp,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    db,
    error::{Error, Result},
    message::{
        dispatch::{settle, store},
        state::{self, Event},
        status::{self, Facts},
    },
};

/// How long a worker has a channel for itself, in seconds: longer than handing over and settling take together.
pub const LEASE_SECONDS: i64 = 30;
/// How long messages of a channel that cannot send are kept, in seconds.
pub const KEPT_SECONDS: i64 = 24 * 3600;
/// Why a message failed whose channel stayed disconnected.
pub const REASON_DISCONNECTED: &str = "channel_disconnected";
/// Why a message failed whose channel stayed suspended.
pub const REASON_SUSPENDED: &str = "channel_suspended";
/// Why a message failed whose channel stayed switched off.
pub const REASON_DEACTIVATED: &str = "channel_deactivated";
/// Why a message failed whose channel was deleted.
pub const REASON_DELETED: &str = "channel_deleted";

/// What was taken.
#[derive(Debug, Default)]
pub struct Claimed {
    /// Channels with something to do.
    pub turns: Vec<Turn>,
    /// How many were looked at and put aside.
    pub parked: usize,
}

/// One channel's turn with its oldest message.
#[derive(Debug)]
pub struct Turn {
    /// The message.
    pub message: Model,
    /// Who speaks to the channel's provider.
    pub connector: ConnectorKind,
    /// The channel's session there.
    pub session: AttemptId,
    /// What to do with the message.
    pub task: Task,
    /// The proof that it is this worker's turn.
    pub(super) lease: LeaseId,
    /// When the turn is over, whatever came of it.
    pub(super) until: Timestamp,
}

impl Turn {
    pub(super) const fn account_id(&self) -> AccountId {
        self.message.account_id
    }

    pub(super) const fn workspace_id(&self) -> WorkspaceId {
        self.message.workspace_id
    }
}

/// What a turn is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Hand the message over; it is `sending` already.
    Send,
    /// Fail it, for this reason.
    Fail(&'static str),
}

/// Whether something can be sent through a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Open,
    Closed { since: Timestamp, reason: &'static str },
    Gone,
}

/// What follows from the state of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Do(Task),
    /// Whoever was handing it over is gone.
    Abandoned,
    /// Nothing can be sent now.
    WaitUntil(Timestamp),
}

/// Takes at most `most` channels that are due.
///
/// # Errors
/// What the database says; nothing is taken then, as far as the database lets that be known.
pub async fn claim(app: &App, most: usize) -> Result<Claimed> {
    // Looking is cheap and mostly enough; a transaction that may write is not.
    let next = store::next_due(app.db.reader()).await?;
    if next.is_none_or(|next| next > app.clock.now()) {
        return Ok(Claimed::default());
    }
    let lease_id = LeaseId(app.clock.uuid());
    let claimed = db::retried(|| claim_once(app, most, lease_id)).await;
    if matches!(claimed, Err(Error::OutcomeUnknown { .. }))
        && let Err(error) = db::retried(|| take_back(app, lease_id)).await
    {
        tracing::warn!(%error, "messages may have been taken that nobody hands over; they become unknown");
    }
    claimed
}

/// Gives channels back that were leased without anybody knowing. Their messages have not been handed over.
async fn take_back(app: &App, lease_id: LeaseId) -> Result<()> {
    let now = app.clock.now();
    db::write(&app.db, "message.take_back", async |tx| {
        let accounts = store::end_lease(tx, lease_id, now).await?;
        store::set_queued_again(tx, &accounts, now).await
    })
    .await
}

async fn claim_once(app: &App, most: usize, lease_id: LeaseId) -> Result<Claimed> {
    db::write(&app.db, "message.claim", async |tx| {
        let now = app.clock.now();
        let lease = store::Lease { id: lease_id, until: now.plus_seconds(LEASE_SECONDS) };
        let queues = store::lease_due(tx, now, &lease, most).await?;
        if queues.is_empty() {
            return Ok(Claimed::default());
        }
        let channels = store::channels(tx, &queues).await?;
        let messages = store::oldest_waiting(tx, &lease).await?;
        let mut claimed = Claimed::default();
        let mut leaving: Vec<MessageId> = Vec::new();
        for queue in &queues {
            let channel = channels.iter().find(|channel| channel.account_id == queue.account_id);
            let channel = channel.ok_or_else(|| Error::Internal("a queue has no channel".to_owned()))?;
            let message = messages.iter().find(|message| message.account_id == queue.account_id);
            match look(app, tx, &lease, queue, channel, message).await? {
                Some(turn) => {
                    leaving.extend((turn.task == Task::Send).then_some(turn.message.id));
                    claimed.turns.push(turn);
                }
                None => claimed.parked += 1,
            }
        }
        store::set_sending(tx, &leaving, now).await?;
        Ok(claimed)
    })
    .await
}

/// Makes a channel's turn, or puts the channel aside.
async fn look(
    app: &App,
    tx: &DatabaseTransaction,
    lease: &store::Lease,
    queue: &send_queue::Model,
    channel: &channel::Model,
    message: Option<&Model>,
) -> Result<Option<Turn>> {
    let now = app.clock.now();
    let Some(message) = message else {
        tracing::error!(account.id = %queue.account_id, queued = queue.queued, "a queue counts messages that are not there");
        store::release(tx, queue.account_id, lease.id, queue.queued, now).await?;
        return Ok(None);
    };
    match decide(message.status, message.created_at, reach(channel), now) {
        Decision::WaitUntil(due_at) => {
            store::release(tx, queue.account_id, lease.id, 0, due_at).await?;
            Ok(None)
        }
        Decision::Abandoned => {
            tracing::warn!(message.id = %message.id, "a worker is gone; what became of its message is unknown");
            let due_at = settle::paced(app, tx, queue.workspace_id).await?;
            store::release(tx, queue.account_id, lease.id, 1, due_at).await?;
            status::step(app, tx, message, Event::Lost, Facts::default()).await?;
            Ok(None)
        }
        Decision::Do(task) => {
            let mut message = message.clone();
            if task == Task::Send {
                let taken = state::next(message.status, Event::Taken);
                message.status = taken.ok_or_else(|| Error::Internal("a message is not queued".to_owned()))?;
                message.tries += 1;
            }
            Ok(Some(Turn {
                message,
                connector: channel.connector,
                session: channel.session,
                task,
                lease: lease.id,
                until: lease.until,
            }))
        }
    }
}

/// Whether something can be sent through a channel now.
fn reach(channel: &channel::Model) -> Reach {
    let closed = |reason| Reach::Closed { since: channel.updated_at, reason };
    match channel.state {
        _ if channel.deleted_at.is_some() => Reach::Gone,
        channel::State::Connected if channel.suspended => closed(REASON_SUSPENDED),
        channel::State::Connected if channel.deactivated => closed(REASON_DEACTIVATED),
        channel::State::Connected => Reach::Open,
        channel::State::Disconnected => {
            let since = channel.disconnected_at.unwrap_or(channel.updated_at);
            Reach::Closed { since, reason: REASON_DISCONNECTED }
        }
    }
}

fn decide(status: Status, accepted_at: Timestamp, reach: Reach, now: Timestamp) -> Decision {
    if status == Status::Sending {
        return Decision::Abandoned;
    }
    let (since, reason) = match reach {
        Reach::Open => return Decision::Do(Task::Send),
        Reach::Gone => return Decision::Do(Task::Fail(REASON_DELETED)),
        Reach::Closed { since, reason } => (since, reason),
    };
    let deadline = since.max(accepted_at).plus_seconds(KEPT_SECONDS);
    if deadline <= now { Decision::Do(Task::Fail(reason)) } else { Decision::WaitUntil(deadline) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_counts_from_the_later_of_the_end_and_the_acceptance() {
        use Decision::{Abandoned, Do, WaitUntil};
        use Status::{Queued, Sending};
        let now = Timestamp(1_789_027_200_000_000);
        let hours = |hours: i64| now.plus_seconds(hours * 3600);
        let closed = |since| Reach::Closed { since: hours(since), reason: REASON_DISCONNECTED };
        for (status, accepted, reach, expected) in [
            (Queued, -100, Reach::Open, Do(Task::Send)),
            (Sending, -1, Reach::Open, Abandoned),
            (Sending, -100, closed(-30), Abandoned),
            (Queued, -23, closed(-30), WaitUntil(hours(1))),
            (Queued, -30, closed(-23), WaitUntil(hours(1))),
            (Queued, -30, closed(-24), Do(Task::Fail(REASON_DISCONNECTED))),
            (Queued, -24, closed(-25), Do(Task::Fail(REASON_DISCONNECTED))),
            (Queued, 0, Reach::Gone, Do(Task::Fail(REASON_DELETED))),
            (Sending, 0, Reach::Gone, Abandoned),
        ] {
            assert_eq!(decide(status, hours(accepted), reach, now), expected, "{status} {accepted} {reach:?}");
        }
    }
}
