//! The writer: commits all messages that have arrived while the batch before them was being committed, in one
//! transaction (group commit, DESIGN Credits 3).
//!
//! Callers are answered after the commit. The queue is bounded: a caller who finds it full is told to come back, and
//! nothing is charged. Holds end with the answer, whatever it is; the meter learns what the ledger has left. Where the
//! database did not answer a commit, it is looked up what came of it before anybody is told, or until the caller's time
//! is nearly over.

use std::{
    future, io,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use entity::{id::MessageId, timestamp::Timestamp};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{
    app::App,
    error::{Error, Result},
    message::{
        send::Sending,
        writer::{batch::Committed, charge::Charged, doubt::Doubtful},
    },
    signal::Signal,
};

mod batch;
mod brought;
mod charge;
mod direct;
mod doubt;
mod holds;
mod memory;
mod resolve;
mod store;

/// Most messages that wait for the writer.
const WAITING_AT_MOST: usize = 4096;
/// Most messages of one transaction.
const AT_ONCE: usize = 512;
/// A batch with as many messages says that there are many callers.
const SEVERAL: usize = 4;
/// How many messages the next batch then waits for.
const ENOUGH: usize = 20;
/// How long it waits for them at most; for half of a large batch, twice as long.
const GATHER_FOR: Duration = Duration::from_millis(1);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A message with whoever waits for its answer.
struct Waiting {
    sending: Sending,
    asker: Asker,
}

/// Who waits for an answer.
struct Asker {
    answer: oneshot::Sender<Result<MessageId>>,
    /// Which message it is, once its outcome has to be looked up.
    doubted: Arc<OnceLock<MessageId>>,
}

impl Asker {
    fn answer(self, outcome: Result<MessageId>) {
        // Whoever has stopped waiting finds the message under its key, or in its chat.
        let _ = self.answer.send(outcome);
    }
}

/// Where messages are handed in.
pub struct Writer(mpsc::Sender<Waiting>);

/// Where they come out.
pub struct Queue(mpsc::Receiver<Waiting>);

impl Writer {
    /// A writer, and the queue that [`start`] empties.
    #[must_use]
    pub fn new() -> (Self, Queue) {
        let (sender, receiver) = mpsc::channel(WAITING_AT_MOST);
        (Self(sender), Queue(receiver))
    }

    /// Hands a message in and waits for the commit, for nine tenths of a request's time: so it can still be said that
    /// the outcome is not known.
    pub(super) async fn accept(&self, app: &App, sending: Sending) -> Result<MessageId> {
        let (answer, answered) = oneshot::channel();
        let doubted = Arc::new(OnceLock::new());
        let asker = Asker { answer, doubted: Arc::clone(&doubted) };
        if let Err(refused) = self.0.try_send(Waiting { sending, asker }) {
            let (mpsc::error::TrySendError::Full(waiting) | mpsc::error::TrySendError::Closed(waiting)) = refused;
            holds::give_back(app, &[waiting.sending]);
            return Err(Error::Busy { retry_after: RETRY_AFTER });
        }
        let patience = Duration::from_millis(app.config.request_timeout_ms) * 9 / 10;
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(outcome)) => outcome,
            // Also where the process ends.
            Ok(Err(_)) | Err(_) => Err(Error::OutcomeUnknown { message: doubted.get().copied() }),
        }
    }
}

impl Queue {
    /// Waits for messages and takes all that wait; false when there will be none. A batch costs the database as much as
    /// some twenty of its messages, so when there are fewer, or far fewer than there were `last` time, because their
    /// callers have only just been answered, the next ones are waited for a little.
    async fn fill(&mut self, waiting: &mut Vec<Waiting>, last: usize) -> bool {
        if self.0.recv_many(waiting, AT_ONCE).await == 0 {
            return false;
        }
        let (wanted, patience) = match last / 2 {
            half if half > ENOUGH => (half, 2 * GATHER_FOR),
            _ if last >= SEVERAL => (ENOUGH, GATHER_FOR),
            _ => return true,
        };
        let gathering = async { while waiting.len() < wanted && self.0.recv_many(waiting, AT_ONCE).await > 0 {} };
        // Whether it was worth it or not.
        let _ = tokio::time::timeout(patience, gathering).await;
        true
    }
}

/// Begins to commit what is handed in, for as long as the runtime lives. On SQLite this has a thread of its own: the
/// database works on the thread that asks it, and a commit waits for the disk.
///
/// # Errors
/// What the system says if there can be no more threads.
pub fn start(app: Arc<App>, queue: Queue) -> io::Result<()> {
    if !app.db.is_sqlite() {
        tokio::spawn(run(app, queue));
        return Ok(());
    }
    let (runtime, (alive, ended)) = (Handle::current(), oneshot::channel::<()>());
    // The runtime drops it when it ends itself, and waits for no threads of others.
    tokio::spawn(async move {
        let _alive = alive;
        future::pending::<()>().await;
    });
    let work = async move {
        tokio::select! {
            biased;
            _ = ended => {}
            () = run(app, queue) => {}
        }
    };
    thread::Builder::new().name("writer".to_owned()).spawn(move || runtime.block_on(work))?;
    Ok(())
}

async fn run(app: Arc<App>, mut queue: Queue) {
    let mut waiting = Vec::with_capacity(AT_ONCE);
    let memory = memory::Memory::default();
    let mut last = 0;
    while queue.fill(&mut waiting, last).await {
        // On SQLite a batch costs little besides its messages.
        last = if app.db.is_sqlite() { 0 } else { waiting.len() };
        let (sendings, askers): (Vec<Sending>, Vec<_>) = waiting.drain(..).map(|one| (one.sending, one.asker)).unzip();
        let begun_at = app.clock.now();
        let committed = batch::commit(&app, &memory, &sendings).await;
        // The next batch need not wait until all of this one have been told.
        let app = Arc::clone(&app);
        tokio::spawn(async move { tell(&app, sendings, askers, committed, begun_at) });
    }
}

/// Tells callers what came of their messages; of those in doubt once it is known.
fn tell(app: &Arc<App>, sendings: Vec<Sending>, askers: Vec<Asker>, committed: Committed, begun_at: Timestamp) {
    let mut doubtful = Vec::new();
    let mut settled = Vec::with_capacity(sendings.len());
    let mut answers = Vec::with_capacity(sendings.len());
    for ((sending, asker), outcome) in sendings.into_iter().zip(askers).zip(committed.outcomes) {
        match outcome {
            Err(Error::OutcomeUnknown { message: Some(id) }) => doubtful.push(Doubtful::new(id, sending, asker)),
            outcome => {
                settled.push(sending);
                answers.push((asker, outcome));
            }
        }
    }
    conclude(app, &settled, answers, &committed.ledger, committed.is_work);
    if !doubtful.is_empty() {
        tokio::spawn(doubt::settle(Arc::clone(app), doubtful, begun_at));
    }
}

/// Tells callers what came of their messages, and the meter of what they held.
fn conclude(
    app: &App,
    sendings: &[Sending],
    answers: Vec<(Asker, Result<MessageId>)>,
    ledger: &[Charged],
    is_work: bool,
) {
    if is_work {
        app.signals.publish(Signal::Work);
    }
    for charged in ledger {
        app.figures.forget(charged.workspace_id);
    }
    answers.into_iter().for_each(|(asker, outcome)| asker.answer(outcome));
    holds::settle(app, sendings, ledger);
}
