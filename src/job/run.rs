//! Taking stored work and doing it.

use std::{sync::Arc, time::Duration};

use entity::{job, timestamp::Timestamp};
use sea_orm::DatabaseTransaction;
use tokio::sync::Notify;

use crate::{
    app::App,
    connector::callback::{Event, perform as callback},
    db,
    error::{Error, Result},
    invitation,
    job::{
        store::{self, Head},
        turns::{Lane, Place, Turns},
    },
    message::reaction,
    onboarding,
    queue::Work,
    quota,
    webhook::subscription::warning,
};

const LEASE_SECONDS: i64 = 30;
/// How often the lease of work that takes its time is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// How long a lane has its turn while it has something to do: whoever waits for the same provider is to have one too.
const TURN: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF_SECONDS: i64 = 300;
/// The same for what holds up its lane.
const LONGEST_BACKOFF_IN_PLACE_SECONDS: i64 = 15;
/// The same, always, for what came before its account was recorded: that is done as soon as it is due.
const UNRECORDED_PAUSE_SECONDS: i64 = 5;
/// How long after work may lose its place it is said to be an error, in seconds: once.
const SET_ASIDE_SECONDS: i64 = 90;
const MOST_TRIES: i32 = 300;
/// How often a session is asked to be removed at most: for a month. What stays at a provider rings and bills on, and nobody
/// else looks for it.
const MOST_TRIES_TO_END: i32 = 30 * 24 * 3600 / 300;

/// What a look through the lanes has begun.
pub(super) struct Begun {
    /// How many turns.
    pub(super) turns: usize,
    /// When the first of what is left is due.
    pub(super) next: Option<Timestamp>,
}

/// Does what is due, one lane after the other; returns how much that was.
pub(super) async fn run_due(app: &App) -> Result<usize> {
    let (mut after, mut done) = (String::new(), 0);
    loop {
        let look = look(app, &after).await?;
        for head in &look.due {
            done += run(app, head).await?;
        }
        match look.goes_on_after {
            Some(lane) => after = lane,
            None => return Ok(done),
        }
    }
}

/// Begins what is due and need not wait for what has begun, each lane by itself. Lanes are looked through a part at a time,
/// from where the last look stopped, until something is begun or all have been looked at.
pub(super) async fn begin_due(app: &Arc<App>, turns: &mut Turns, after: &mut String) -> Result<Begun> {
    let (mut begun, mut next) = (0, None);
    let mut is_whole = after.is_empty();
    loop {
        let look = look(app, after).await?;
        next = next.into_iter().chain(look.next).min();
        for head in look.due {
            let place = place_of(&head);
            if turns.has_room(place) {
                let app = Arc::clone(app);
                turns.begin(place, async move { run_or_warn(&app, &head).await });
                begun += 1;
            }
        }
        let is_end = look.goes_on_after.is_none();
        *after = look.goes_on_after.unwrap_or_default();
        if begun > 0 || is_end && is_whole {
            return Ok(Begun { turns: begun, next });
        }
        is_whole |= is_end;
    }
}

/// Looks at the lanes behind this one, once everything stands in its lane.
async fn look(app: &App, after: &str) -> Result<store::Look> {
    loop {
        let look = store::look(&app.db, after, app.clock.now()).await?;
        if look.unplaced.is_empty() {
            return Ok(look);
        }
        db::write(&app.db, "job.place", async |tx| store::place(tx, &look.unplaced).await).await?;
    }
}

async fn run_or_warn(app: &App, head: &Head) {
    if let Err(error) = run(app, head).await {
        tracing::warn!(%error, job.id = %head.id, "what came of a job could not be written down");
    }
}

/// Does the work of a lane in its order, until something has to wait, another worker has it, or its turn is over; returns
/// how much that was.
async fn run(app: &App, head: &Head) -> Result<usize> {
    let began = app.clock.stopwatch();
    let mut done = 0;
    let mut leased = db::write(&app.db, "job.lease", async |tx| {
        let now = app.clock.now();
        store::lease(tx, head, now, now.plus_seconds(LEASE_SECONDS)).await
    })
    .await?;
    while let Some(job) = leased {
        let (outcome, leases) = perform_leased(app, &job).await;
        done += 1;
        let goes_on = head.lane.is_some() && began.elapsed() < TURN;
        leased = db::write(&app.db, "job.settle", async |tx| {
            if !settle(app, tx, &job, &leases, outcome).await? {
                tracing::warn!(job.id = %job.id, "a job ended after its lease");
                return Ok(None);
            }
            let now = app.clock.now();
            if goes_on { store::lease(tx, head, now, now.plus_seconds(LEASE_SECONDS)).await } else { Ok(None) }
        })
        .await?;
    }
    Ok(done)
}

/// Does work, and keeps its lease meanwhile; tells what the lease is by then, or may be.
async fn perform_leased(app: &App, job: &job::Model) -> (Result<()>, Vec<Timestamp>) {
    let ended = Notify::new();
    let work = async {
        let outcome = perform(app, job).await;
        ended.notify_one();
        outcome
    };
    // Beside the work, which may have the turn to write that a renewal waits for.
    let leases = async {
        let mut leases = vec![job.due_at];
        loop {
            tokio::select! {
                () = ended.notified() => return leases,
                () = tokio::time::sleep(RENEW_EVERY) => {}
            }
            let until = app.clock.now().plus_seconds(LEASE_SECONDS);
            match db::write(&app.db, "job.renew", async |tx| store::renew(tx, job.id, &leases, until).await).await {
                Ok(true) => leases = vec![until],
                Ok(false) => tracing::warn!(job.id = %job.id, "another worker has begun the same"),
                Err(error) => {
                    tracing::warn!(%error, job.id = %job.id, "a lease could not be renewed");
                    if matches!(error, Error::OutcomeUnknown { .. }) {
                        leases.push(until);
                    }
                }
            }
        }
    };
    tokio::join!(Box::pin(work), leases)
}

/// Where work stands in line, and whose answer is waited for in it.
fn place_of(head: &Head) -> Place {
    let lane = head.lane.as_deref().and_then(|lane| lane.split_once('/'));
    let known = lane.and_then(|(line, id)| match line {
        "account" => Some(Place { lane: Lane::Account(id.parse().ok()?), connector: None }),
        "message" => Some(Place { lane: Lane::Message(id.parse().ok()?), connector: None }),
        connector => Some(Place { lane: Lane::Session(id.parse().ok()?), connector: Some(connector.parse().ok()?) }),
    });
    known.unwrap_or(Place { lane: Lane::Own(head.id), connector: None })
}

async fn perform(app: &App, job: &job::Model) -> Result<()> {
    let work: Work =
        serde_json::from_str(&job.work).map_err(|error| Error::Internal(format!("job {}: {error}", job.id)))?;
    if job.tries > most_tries(Some(&work)) {
        return Err(Error::Internal(format!("job {} has never come to an end", job.id)));
    }
    match work {
        Work::EndSession { connector, session } => app.connectors.get(connector).end(app, session).await,
        Work::SessionChanged { connector, session } => onboarding::session_changed(app, connector, session).await,
        Work::PlanChanged { plan } => quota::notify::plan_changed(app, plan).await,
        Work::MessageStatus { receipt, heard_at } => callback::receipt(app, &receipt, heard_at).await,
        Work::ProviderEvent { connector, session, event, happened_at, heard_at } => {
            let told = callback::Told { connector, session, event: *event, happened_at, heard_at, tries: job.tries };
            // In a place of its own: it is the deepest of all.
            Box::pin(callback::perform(app, &told)).await
        }
        Work::SendReaction { workspace, message } => reaction::send_own(app, workspace, message).await,
        Work::SendInvitation { workspace, user } => invitation::mail::send(app, workspace, user).await,
        Work::WarnOfWebhook { workspace, user, subscription } => {
            warning::send(app, workspace, user, subscription).await
        }
    }
}

/// Removes work that is done, keeps what failed for later, and gives up aloud; tells whether the lease was still ours.
async fn settle(
    app: &App,
    tx: &DatabaseTransaction,
    job: &job::Model,
    leases: &[Timestamp],
    outcome: Result<()>,
) -> Result<bool> {
    let (id, tries, now) = (job.id, job.tries, app.clock.now());
    // What is done is done, whoever has begun it again.
    let Err(error) = outcome else { return store::remove(tx, id).await };
    let work: Option<Work> = serde_json::from_str(&job.work).ok();
    if tries >= most_tries(work.as_ref()) {
        tracing::error!(%error, job.id = %id, tries, "a job is given up");
        return store::remove(tx, id).await;
    }
    let has_its_order = has_its_order(work.as_ref(), &error);
    let keeps_its_place =
        has_its_order && (tries < store::TRIES_IN_PLACE || job.created_at.plus_seconds(store::IN_PLACE_SECONDS) >= now);
    let is_unrecorded = matches!((&error, &work), (Error::ChannelNotConnected, Some(Work::ProviderEvent { .. })));
    if is_unrecorded {
        store::let_pass(tx, job, now).await?;
    }
    let pause = if is_unrecorded { UNRECORDED_PAUSE_SECONDS } else { backoff_seconds(tries) };
    let times = if keeps_its_place {
        (now.plus_seconds(pause.min(LONGEST_BACKOFF_IN_PLACE_SECONDS)), job.placed_at)
    } else {
        (now.plus_seconds(pause), now.plus_seconds(pause))
    };
    let is_late = job.created_at.plus_seconds(store::IN_PLACE_SECONDS + SET_ASIDE_SECONDS) < now;
    if has_its_order && !keeps_its_place && (tries <= store::TRIES_IN_PLACE || !is_late) {
        tracing::error!(%error, job.id = %id, tries, "a job is set aside, and tried again out of its order");
    } else {
        tracing::warn!(%error, job.id = %id, tries, "a job is tried again later");
    }
    store::postpone(tx, job.id, leases, times, &error.description()).await
}

/// Whether what comes after it has to wait until it is tried again: what somebody wrote is read in the order in which it
/// was written. What was written on the phone waits while messages of ours are handed over, and holds up nothing then.
fn has_its_order(work: Option<&Work>, error: &Error) -> bool {
    let Some(Work::ProviderEvent { event, .. }) = work else { return false };
    match **event {
        Event::Message(_) => true,
        Event::GoneOut(_) => {
            matches!(error, Error::ProviderUnavailable | Error::ProviderLimited { .. } | Error::ChannelNotConnected)
        }
        _ => false,
    }
}

const fn most_tries(work: Option<&Work>) -> i32 {
    match work {
        Some(Work::EndSession { .. }) => MOST_TRIES_TO_END,
        _ => MOST_TRIES,
    }
}

fn backoff_seconds(tries: i32) -> i64 {
    let doublings = u32::try_from(tries.clamp(1, 20) - 1).unwrap_or(0);
    (1i64 << doublings).min(LONGEST_BACKOFF_SECONDS)
}

#[cfg(test)]
mod tests {
    use entity::{
        channel::ConnectorKind,
        id::{AccountId, AttemptId, JobId, MessageId, WorkspaceId},
    };
    use strum::IntoEnumIterator;
    use uuid::Uuid;

    use super::*;
    use crate::message::status::{Receipt, ReceiptEvent};

    /// The place is read from what the work calls its lane.
    #[test]
    fn work_has_its_place() {
        let id = JobId(Uuid::from_u128(2));
        let place = |lane| place_of(&Head { id, lane, due_at: Timestamp(0) });
        let (session, message) = (AttemptId(Uuid::from_u128(1)), MessageId(Uuid::from_u128(3)));
        for connector in ConnectorKind::iter() {
            for work in [Work::EndSession { connector, session }, Work::SessionChanged { connector, session }] {
                let expected = Place { lane: Lane::Session(session), connector: Some(connector) };
                assert_eq!(place(work.lane()), expected);
            }
        }
        let account_id = AccountId(7);
        let receipt = Receipt { account_id, message_id: None, provider_ref: None, event: ReceiptEvent::Read };
        let status = Work::MessageStatus { receipt, heard_at: None };
        assert_eq!(place(status.lane()), Place { lane: Lane::Account(account_id), connector: None });
        let reaction = Work::SendReaction { workspace: WorkspaceId(1), message };
        assert_eq!(place(reaction.lane()), Place { lane: Lane::Message(message), connector: None });
        let own = Place { lane: Lane::Own(id), connector: None };
        for lane in [None, Some("waha/x"), Some("nobody/1"), Some("account/x"), Some("x")] {
            assert_eq!(place(lane.map(str::to_owned)), own);
        }
    }

    #[test]
    fn what_ends_sessions_is_tried_for_a_month() {
        let (connector, session) = (ConnectorKind::Waha, AttemptId(Uuid::from_u128(1)));
        for (work, expected) in [
            (Work::EndSession { connector, session }, MOST_TRIES_TO_END),
            (Work::SessionChanged { connector, session }, MOST_TRIES),
        ] {
            assert_eq!(most_tries(Some(&work)), expected);
        }
    }

    #[test]
    fn pauses_double_up_to_five_minutes() {
        assert_eq!([1, 2, 3, 9, 10, 300].map(backoff_seconds), [1, 2, 4, 256, 300, 300]);
    }
}
