//! The delivery worker: leases what is due, sends it, writes down what came of it. Any number of workers, no leader.
//!
//! A round looks whose deliveries are due, leases as many of each owner as its lane has room for, and reads events,
//! addresses and secrets once for all of them. Each delivery is sent by a task of its own, outside any transaction;
//! one more task writes down what has come in, many at a time. A lease is 15 s: a delivery that does not get its turn
//! in time is given back untried, and those of a worker that died go to another. What a caller waits for, the test of
//! a hook, is sent at once beside all that: it may be the second request open to its endpoint.
//!
//! A delivery can reach its endpoint twice: when a worker dies between sending and writing down. Its `webhook-id` is
//! the same then.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use entity::{
    event,
    id::{DeliveryId, LeaseId},
    timestamp::Timestamp,
};
use futures_util::future::join_all;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    mpsc, watch,
};

use crate::{
    app::App,
    db,
    error::Result,
    signal::Signal,
    webhook::{
        Owner,
        deliver::{
            lanes::Lanes,
            send::{Parcel, Place, Tried},
            settle::Outcome,
            store::Leased,
        },
        retry::{self, Answer, Step},
    },
};

pub mod lanes;
mod send;
mod settle;
mod sign;
mod store;
mod target;

/// How long a worker has deliveries for itself, in seconds.
pub const LEASE_SECONDS: i64 = 15;
/// What must be left of a lease to begin a request: its longest time, and some to write the outcome down.
const NEEDED_SECONDS: i64 = 7;
/// How long a delivery may have waited for its turn before it is looked whether it is still wanted.
const STALE_AFTER: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
const OUTCOMES_WAITING: usize = 1024;
const SETTLED_AT_ONCE: usize = 256;

/// Delivers until `stop` says so; what is being sent then is finished, what waits is given back.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let lanes = Arc::new(Lanes::new());
    let lease = LeaseId(app.clock.uuid());
    let (outcomes, arrived) = mpsc::channel(OUTCOMES_WAITING);
    let leasing = async {
        lease_until_stopped(&app, &lanes, lease, &outcomes, &mut stop).await;
        lanes.close();
        drop(outcomes);
    };
    tokio::join!(leasing, settle_what_arrives(&app, &lanes, lease, arrived));
}

/// Does one round and waits for all of it, for tests; returns how much that was.
///
/// # Errors
/// What the database says.
pub async fn run_due(app: &App) -> Result<usize> {
    let lanes = Lanes::new();
    let lease = LeaseId(app.clock.uuid());
    let parcels = take(app, &lanes, lease).await?;
    let outcomes = join_all(parcels.into_iter().map(|parcel| carry(app, &lanes, parcel))).await;
    if !outcomes.is_empty() {
        settle::settle(app, lease, &outcomes).await;
    }
    Ok(outcomes.len())
}

/// Sends a delivery that was stored with this lease, without waiting for a worker, and writes down what came of it.
///
/// # Errors
/// What the database says; a worker sends it then, once the lease has ended.
pub(super) async fn at_once(
    app: &App,
    owner: &Owner,
    (delivery_id, lease): (DeliveryId, LeaseId),
    event: event::Model,
) -> Result<()> {
    let lanes = Lanes::new();
    let targets = target::all(app, BTreeSet::from([owner.clone()])).await?;
    let Some(target) = targets.get(owner) else { return Ok(()) };
    let parcel = Parcel {
        delivery_id,
        tries: 0,
        sequence: None,
        event: Arc::new(event),
        target: Arc::clone(target),
        leased_until: app.clock.now().plus_seconds(LEASE_SECONDS),
        ticket: lanes.ticket(owner),
    };
    let outcome = carry(app, &lanes, parcel).await;
    settle::settle(app, lease, &[outcome]).await;
    // Workers have left the owner's other deliveries alone meanwhile.
    app.signals.publish(Signal::Event);
    Ok(())
}

async fn lease_until_stopped(
    app: &Arc<App>,
    lanes: &Arc<Lanes>,
    lease: LeaseId,
    outcomes: &mpsc::Sender<Outcome>,
    stop: &mut watch::Receiver<bool>,
) {
    let mut signals = app.signals.subscribe();
    while !*stop.borrow() {
        // What was signalled until now is seen by the look that follows.
        while signals.try_recv().is_ok() {}
        let pause = match take(app, lanes, lease).await {
            Ok(parcels) if parcels.is_empty() => until_next(app).await,
            Ok(parcels) => {
                for parcel in parcels {
                    let (app, lanes, outcomes) = (Arc::clone(app), Arc::clone(lanes), outcomes.clone());
                    tokio::spawn(async move {
                        let outcome = carry(&app, &lanes, parcel).await;
                        // Whoever writes outcomes down stays until the last of us has ended.
                        let _ = outcomes.send(outcome).await;
                    });
                }
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "the worker could not look for deliveries");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = heard_of_events(&mut signals) => {}
            () = lanes.settled.notified() => {}
            _ = stop.changed() => {}
        }
    }
}

async fn settle_what_arrives(app: &App, lanes: &Lanes, lease: LeaseId, mut arrived: mpsc::Receiver<Outcome>) {
    let mut batch = Vec::with_capacity(SETTLED_AT_ONCE);
    while arrived.recv_many(&mut batch, SETTLED_AT_ONCE).await > 0 {
        settle::settle(app, lease, &batch).await;
        batch.clear();
        lanes.settled.notify_one();
    }
}

/// Leases what is due and there is room for.
async fn take(app: &App, lanes: &Lanes, lease: LeaseId) -> Result<Vec<Parcel>> {
    let now = app.clock.now();
    let waiting = store::waiting(app.db.reader(), lease, now).await?;
    let rooms = lanes.rooms(&waiting, u32::from_be_bytes(app.clock.random()));
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let until = now.plus_seconds(LEASE_SECONDS);
    let leased = db::write(&app.db, "delivery.lease", async |tx| store::lease(tx, &rooms, lease, now, until).await);
    let leased = leased.await?;
    let ids: Vec<DeliveryId> = leased.iter().map(|one| one.id).collect();
    let packed = pack(app, lanes, leased, until).await;
    if packed.is_err() {
        // If that fails too, they wait until the lease ends.
        let _ = db::write(&app.db, "delivery.give_back", async |tx| store::give_back(tx, lease, ids, now).await).await;
    }
    packed
}

/// Reads what it takes to send what was leased.
async fn pack(app: &App, lanes: &Lanes, leased: Vec<Leased>, until: Timestamp) -> Result<Vec<Parcel>> {
    if leased.is_empty() {
        return Ok(Vec::new());
    }
    // From here on they count, so that one round does not lease for the room of another.
    let tickets: Vec<_> = leased.iter().map(|one| lanes.ticket(&one.owner)).collect();
    let owners: BTreeSet<Owner> = leased.iter().map(|one| one.owner.clone()).collect();
    let (events, targets) = tokio::try_join!(
        store::events(app.db.reader(), leased.iter().map(|one| one.event_id).collect()),
        target::all(app, owners),
    )?;
    let events: HashMap<_, _> = events.into_iter().map(|event| (event.id, Arc::new(event))).collect();
    let mut parcels = Vec::with_capacity(leased.len());
    for (one, ticket) in leased.into_iter().zip(tickets) {
        let (Some(event), Some(target)) = (events.get(&one.event_id), targets.get(&one.owner)) else { continue };
        parcels.push(Parcel {
            delivery_id: one.id,
            tries: one.tries,
            sequence: one.sequence,
            event: Arc::clone(event),
            target: Arc::clone(target),
            leased_until: until,
            ticket,
        });
    }
    Ok(parcels)
}

/// Sends one delivery when it is its turn.
async fn carry(app: &App, lanes: &Lanes, parcel: Parcel) -> Outcome {
    let tried = match &parcel.target.place {
        Place::Nobody(_) => Some(send::send(app, &parcel).await),
        Place::Endpoint { .. } => {
            let waiting = app.clock.stopwatch();
            match lanes.enter(&parcel.ticket).await {
                Some(_slots) if app.clock.now().plus_seconds(NEEDED_SECONDS) <= parcel.leased_until => {
                    Some(send_if_wanted(app, &parcel, waiting.elapsed()).await)
                }
                _ => None,
            }
        }
    };
    let mut had_failed = false;
    let tried = tried.map(|tried| {
        let chance = u32::from_be_bytes(app.clock.random());
        let step = retry::step(parcel.target.policy, &tried.answer, parcel.tries + 1, app.clock.now(), chance);
        if !matches!(tried.answer, Answer::Nobody(_)) {
            had_failed = parcel.ticket.note(step == Step::Delivered, tried.duration_ms);
        }
        (tried, step)
    });
    let Parcel { delivery_id, tries, target, ticket, .. } = parcel;
    Outcome { delivery_id, tries, target, tried, had_failed, _ticket: ticket }
}

/// Sends, unless the subscription has been deleted or switched off while the delivery waited for its turn.
async fn send_if_wanted(app: &App, parcel: &Parcel, waited: Duration) -> Tried {
    if let Owner::Subscription(id) = &parcel.target.owner
        && waited > STALE_AFTER
        && let Ok(found) = store::subscriptions(app.db.reader(), vec![*id]).await
        && let Some(reason) = target::closed(found.first())
    {
        return Tried { at: app.clock.now(), duration_ms: 0, answer: Answer::Nobody(reason.to_owned()) };
    }
    send::send(app, parcel).await
}

/// How long until something becomes due, a second at most.
async fn until_next(app: &App) -> Duration {
    let now = app.clock.now();
    let Ok(Some(next)) = store::next_due(app.db.reader(), now).await else { return LONGEST_PAUSE };
    let millis = u64::try_from(now.millis_until(next)).unwrap_or(0);
    Duration::from_millis(millis + 1).min(LONGEST_PAUSE)
}

async fn heard_of_events(signals: &mut broadcast::Receiver<Signal>) {
    loop {
        match signals.recv().await {
            Ok(Signal::Work | Signal::Event) | Err(RecvError::Lagged(_)) => return,
            Ok(Signal::Link(_) | Signal::Access(_) | Signal::Visitor(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
