//! The writer: commits all messages that have arrived while the batch before them was being committed, in one
//! transaction (group commit, DESIGN Credits 3).
//!
//! Callers are answered after the commit. The queue is bounded: a caller who finds it full is told to come back, and
//! nothing is charged. Holds end with the answer, whatever it is; the meter learns what the ledger has left. Where the
//! database did not answer a commit, it is looked up what came of it before anybody is told, or until the caller's time
//! is nearly over.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use entity::id::MessageId;
use tokio::sync::{mpsc, oneshot};

use crate::{
    app::App,
    error::{Error, Result},
    message::{
        send::Sending,
        writer::{charge::Charged, doubt::Doubtful},
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
/// How long a batch that is small for what there was before waits for more.
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
    /// A writer, and the queue that [`run`] empties.
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
    /// some twenty of its messages, so when there are far fewer than there were last time, because their callers have
    /// only just been answered, the next ones are waited for a little.
    async fn fill(&mut self, waiting: &mut Vec<Waiting>, last: usize) -> bool {
        if self.0.recv_many(waiting, AT_ONCE).await == 0 {
            return false;
        }
        let gathering = async { while waiting.len() * 2 < last && self.0.recv_many(waiting, AT_ONCE).await > 0 {} };
        // Whether it was worth it or not.
        let _ = tokio::time::timeout(GATHER_FOR, gathering).await;
        true
    }
}

/// Commits what is handed in for as long as the application lives.
pub async fn run(app: Arc<App>, mut queue: Queue) {
    let mut waiting = Vec::with_capacity(AT_ONCE);
    let memory = memory::Memory::default();
    let mut last = 0;
    while queue.fill(&mut waiting, last).await {
        // On SQLite a batch costs little besides its messages.
        last = if app.db.is_sqlite() { 0 } else { waiting.len() };
        let (sendings, askers): (Vec<Sending>, Vec<_>) = waiting.drain(..).map(|one| (one.sending, one.asker)).unzip();
        let begun_at = app.clock.now();
        let committed = batch::commit(&app, &memory, &sendings).await;
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
        conclude(&app, &settled, answers, &committed.ledger, committed.is_work);
        if !doubtful.is_empty() {
            tokio::spawn(doubt::settle(Arc::clone(&app), doubtful, begun_at));
        }
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
