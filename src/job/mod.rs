//! The worker: runs stored work and looks at attempts that are due, on any number of replicas without a leader.
//!
//! Everything here starts from the state in the database, so a worker that dies loses nothing: its leases end and
//! another goes on. Signals make it prompt; a look every second makes it sure. What may have to wait for a provider is
//! done in turns of its own: one session at a time and in order, many sessions at once, and of one provider no more than
//! leave room for others. What is done every minute has a loop of its own.
//!
//! Stored work stands in lanes, a session's for what is about it. Of a lane only the oldest is done, by one worker of all,
//! and what somebody wrote holds up what comes after it until it is stored, also while it waits to be tried again. Each
//! does so for two and a half minutes at most; then it is set aside, and said so.
//!
//! | what | how often | what it does |
//! |---|---|---|
//! | [`crate::queue::Work`] | when due | see there; tried again after 1, 2, 4 … 300 s, for about a day |
//! | [`crate::message::dispatch`] | when a channel is due | hands messages over, in a loop of its own |
//! | messages of unknown fate | a day later | [`crate::message::status::give_up_unknown`] |
//! | chats that wait for a bot | when due | [`crate::bot::turn`], in a loop of its own |
//! | attempts | when their code runs out | [`crate::onboarding::advance`] |
//! | channels that wait for a phone | when their code runs out | [`crate::channel::link`] |
//! | messages without words in the index | every second | [`crate::search::index`], in a loop of its own |
//! | deliveries | when due | [`crate::webhook::deliver`], in a loop of its own |
//! | idempotency keys | every minute | forgets those over 30 days old |
//! | changes of access | every minute | forgets those over a day old |
//! | files | every minute | [`crate::file::purge`], in a loop of its own |
//! | billing periods | every minute | [`crate::quota::close`] |
//! | traffic of channels | every minute | [`crate::channel::traffic`] counts it and forgets what is too fine and old |
//! | sessions at providers | every minute | looks at those that nobody has for 5 minutes, unless a look is stored |
//! | channels without such a session | every minute | tests those that nobody has looked at for 5 minutes |
//! | callbacks of providers | every minute | forgets those over 2 days old |
//! | deliveries of subscriptions | every minute | forgets those that ended over 10 days ago, and all but 1000 of each |

use std::{sync::Arc, time::Duration};

use entity::{channel::ConnectorKind, id::AttemptId, timestamp::Timestamp};
use tokio::sync::{broadcast, watch};

use crate::{
    app::App,
    bot::turn as bots,
    channel::{health, link, traffic},
    connector::session,
    error::Result,
    file::purge,
    idempotency,
    job::{
        run::Begun,
        turns::{Lane, Place, Turns},
    },
    message::{dispatch, status},
    onboarding::advance,
    quota::close,
    search::index,
    signal::Signal,
    token::access,
    webhook::{deliver, subscription::retention},
};

mod run;
mod store;
mod turns;

const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How long a worker waits for all that it has begun before it looks for more.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often a worker looks again, unasked, while something that it has begun takes long.
const LOOK_WHILE_BUSY: Duration = Duration::from_millis(200);
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Works until `stop` says so; what was begun is finished first. No loop waits for another.
pub async fn work(app: Arc<App>, stop: watch::Receiver<bool>) {
    let dispatching = Box::pin(dispatch::work(Arc::clone(&app), stop.clone()));
    let delivering = Box::pin(deliver::run(Arc::clone(&app), stop.clone()));
    let indexing = Box::pin(index::work(Arc::clone(&app), stop.clone()));
    let answering = Box::pin(bots::work(Arc::clone(&app), stop.clone()));
    let sweeping = Box::pin(sweep_often(&app, stop.clone()));
    let purging = Box::pin(purge::work(Arc::clone(&app), stop.clone()));
    tokio::join!(Box::pin(do_jobs(&app, stop)), sweeping, dispatching, delivering, indexing, answering, purging);
}

async fn do_jobs(app: &Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut signals = app.signals.subscribe();
    let mut turns = Turns::default();
    let mut after = String::new();
    while !*stop.borrow() {
        let pause = match begin_due(app, &mut turns, &mut after).await {
            Ok(Begun { turns: 0, next }) if turns.is_empty() => until_next(app, next).await,
            // What is due next may have to wait for what has begun.
            Ok(Begun { turns: 0, next }) => until_next(app, next).await.max(LOOK_WHILE_BUSY),
            Ok(_) => {
                turns.all_ended(PATIENCE).await;
                continue;
            }
            Err(error) => {
                tracing::warn!(error = %error, "the worker could not look for work");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = heard_of_work(&mut signals) => {}
            () = turns.one_ended() => {}
            _ = stop.changed() => {}
        }
    }
    turns.finish().await;
}

/// Begins all that is due now. What waits for a provider holds up nothing else.
async fn begin_due(app: &Arc<App>, turns: &mut Turns, after: &mut String) -> Result<Begun> {
    let mut begun = 0;
    let has_room = |connector, session| turns.has_room(Place { lane: Lane::Session(session), connector });
    for (connector, session) in advance::take_due(app, &turns.full(), has_room).await? {
        let app = Arc::clone(app);
        begun += begin(turns, connector, session, async move { advance::look(&app, session).await });
    }
    let has_room =
        |connector, session| turns.has_room(Place { lane: Lane::Session(session), connector: Some(connector) });
    for (connector, session) in link::take_due(app, &turns.full(), has_room).await? {
        let app = Arc::clone(app);
        begun += begin(turns, Some(connector), session, async move { link::look(&app, connector, session).await });
    }
    let work = run::begin_due(app, turns, after).await?;
    Ok(Begun { turns: begun + work.turns + status::give_up_unknown(app).await?, next: work.next })
}

/// Begins to look at a session; one that finds no room any more is looked at when its lease is over.
fn begin(
    turns: &mut Turns,
    connector: Option<ConnectorKind>,
    session: AttemptId,
    turn: impl Future<Output = ()> + Send + 'static,
) -> usize {
    let place = Place { lane: Lane::Session(session), connector };
    let has_room = turns.has_room(place);
    if has_room {
        turns.begin(place, turn);
    }
    usize::from(has_room)
}

/// Does all that is due now but deliveries, one after the other, for tests; returns how much that was.
///
/// # Errors
/// What the database says. Work that fails is kept for later and is no error here.
pub async fn run_due(app: &App) -> Result<usize> {
    let waiting = advance::advance_due(app).await? + link::advance_due(app).await?;
    Ok(run::run_due(app).await? + waiting + status::give_up_unknown(app).await?)
}

/// Does what is due until nothing is, for tests: no sleeping, no signals.
///
/// # Errors
/// What the database says.
pub async fn drain(app: &App) -> Result<()> {
    while run_due(app).await?
        + Box::pin(bots::run_due(app)).await?
        + dispatch::run_due(app).await?
        + deliver::run_due(app).await?
        > 0
    {}
    while index::index_due(app).await? > 0 {}
    Ok(())
}

/// Sweeps at once and then from time to time.
async fn sweep_often(app: &App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        sweep(app).await;
        tokio::select! {
            () = tokio::time::sleep(SWEEP_EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn sweep(app: &App) {
    swept("idempotency keys forgotten", idempotency::forget_old(app).await);
    swept("changes of access forgotten", access::forget_old(app).await);
    swept("sessions looked at", session::probe(app).await);
    swept("channels looked at", health::probe(app).await);
    swept("callbacks forgotten", session::forget_old_callbacks(app).await);
    swept("periods closed", close::close_ended(app).await);
    swept("minutes of traffic counted", traffic::roll_up(app).await);
    swept("rows of traffic forgotten", traffic::forget_old(app).await);
    swept("deliveries forgotten", retention::forget_old(app).await);
}

fn swept(what: &str, outcome: Result<u64>) {
    match outcome {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, what, "swept"),
        Err(error) => tracing::warn!(%error, what, "could not be swept"),
    }
}

/// How long until something is due, stored work or another thing, a second at most.
async fn until_next(app: &App, work: Option<Timestamp>) -> Duration {
    let attempts = advance::next_due(app).await.ok().flatten();
    let waiting = link::next_due(app).await.ok().flatten();
    let Some(next) = attempts.into_iter().chain(waiting).chain(work).min() else { return LONGEST_PAUSE };
    let millis = u64::try_from(app.clock.now().millis_until(next)).unwrap_or(0);
    // One millisecond more, so that what is due then is due when we look.
    Duration::from_millis(millis + 1).min(LONGEST_PAUSE)
}

/// Hears of work once, however often it was said meanwhile.
async fn heard_of_work(signals: &mut broadcast::Receiver<Signal>) {
    loop {
        match signals.recv().await {
            Ok(Signal::Work) | Err(broadcast::error::RecvError::Lagged(_)) => break,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
    *signals = signals.resubscribe();
}
