//! The writer: commits all messages that have arrived while the batch before them was being committed, in one
//! transaction (group commit, DESIGN Credits 3).
//!
//! Callers are answered after the commit. The queue is bounded: a caller who finds it full is told to come back, and
//! nothing is charged. Holds end with the answer, whatever it is; the meter learns what the ledger has left.

use std::{sync::Arc, time::Duration};

use entity::id::MessageId;
use tokio::sync::{mpsc, oneshot};

use crate::{
    app::App,
    error::{Error, Result},
    message::send::Sending,
    signal::Signal,
};

mod batch;
mod brought;
mod charge;
mod direct;
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
    answer: oneshot::Sender<Result<MessageId>>,
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

    /// Hands a message in and waits for the commit.
    pub(super) async fn accept(&self, app: &App, sending: Sending) -> Result<MessageId> {
        let (answer, answered) = oneshot::channel();
        if let Err(refused) = self.0.try_send(Waiting { sending, answer }) {
            let (mpsc::error::TrySendError::Full(waiting) | mpsc::error::TrySendError::Closed(waiting)) = refused;
            holds::give_back(app, &[waiting.sending]);
            return Err(Error::Busy { retry_after: RETRY_AFTER });
        }
        answered.await.map_err(|_| Error::Busy { retry_after: RETRY_AFTER })?
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
        let (sendings, answers): (Vec<Sending>, Vec<_>) =
            waiting.drain(..).map(|one| (one.sending, one.answer)).unzip();
        let committed = batch::commit(&app, &memory, &sendings).await;
        if committed.is_work {
            app.signals.publish(Signal::Work);
        }
        for charged in &committed.ledger {
            app.figures.forget(charged.workspace_id);
        }
        for (answer, outcome) in answers.into_iter().zip(committed.outcomes) {
            // Whoever has stopped waiting finds the message under its key, or in its chat.
            let _ = answer.send(outcome);
        }
        holds::settle(&app, &sendings, &committed.ledger);
    }
}
