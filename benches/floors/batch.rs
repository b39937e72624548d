//! What the floors of accepted messages share: the request, its answer, and the hand-over to a writer that commits
//! all that has arrived while it committed what came before.

use entity::timestamp::Timestamp;
use poem::{Error, Result, http::StatusCode, web::Json};
use quartermaster::clock::Clock;
use serde::{Deserialize, Serialize};
use tokio::sync::{
    mpsc::{self, Receiver, Sender},
    oneshot,
};
use uuid::Uuid;

const WAITING: usize = 4096;
const AT_ONCE: usize = 1000;

#[derive(Deserialize)]
pub(super) struct Request {
    pub(super) workspace: i64,
    phone: String,
    text: String,
}

#[derive(Serialize)]
pub(super) struct Answer {
    status: &'static str,
    data: Accepted,
}

#[derive(Serialize)]
struct Accepted {
    message_uid: Uuid,
}

/// A message that waits for its commit.
pub(super) struct Waiting {
    pub(super) id: Uuid,
    pub(super) workspace: i64,
    pub(super) phone: String,
    pub(super) text: String,
    pub(super) at: Timestamp,
    committed: oneshot::Sender<()>,
}

/// Hands messages over to the writer.
pub(super) struct Desk {
    clock: Clock,
    queue: Sender<Waiting>,
}

impl Desk {
    pub(super) fn open() -> (Self, Receiver<Waiting>) {
        let (queue, waiting) = mpsc::channel(WAITING);
        (Self { clock: Clock::system(), queue }, waiting)
    }

    /// Answers after the commit.
    pub(super) async fn accept(&self, request: Request) -> Result<Json<Answer>> {
        let (committed, is_committed) = oneshot::channel();
        let Request { workspace, phone, text } = request;
        let id = self.clock.uuid();
        let failed = |_| Error::from_status(StatusCode::SERVICE_UNAVAILABLE);
        let waiting = Waiting { id, workspace, phone, text, at: self.clock.now(), committed };
        self.queue.send(waiting).await.map_err(|_| Error::from_status(StatusCode::SERVICE_UNAVAILABLE))?;
        is_committed.await.map_err(failed)?;
        Ok(Json(Answer { status: "ok", data: Accepted { message_uid: id } }))
    }
}

/// What the writer commits next.
pub(super) struct Batch {
    queue: Receiver<Waiting>,
    pub(super) messages: Vec<Waiting>,
}

impl Batch {
    pub(super) fn new(queue: Receiver<Waiting>) -> Self {
        Self { queue, messages: Vec::with_capacity(AT_ONCE) }
    }

    /// Waits for messages and takes all that wait; false when there will be none.
    pub(super) async fn fill(&mut self) -> bool {
        self.queue.recv_many(&mut self.messages, AT_ONCE).await > 0
    }

    /// Says to all callers that their messages are committed.
    pub(super) fn answer(&mut self) {
        for message in self.messages.drain(..) {
            // A caller that has gone does not hear it.
            let _ = message.committed.send(());
        }
    }
}
