//! Accepting a message: handed to the writer, answered after the commit.

use std::sync::Arc;

use entity::id::MessageId;

use crate::{
    app::App,
    caller::WorkspaceCaller,
    error::{Error, Result},
    idempotency::{self, Earlier, Repeatable},
    message::SendMessage,
    meter::{Settlement, admission::Hold},
};

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The caller.
    Caller,
    /// A bot: only while the chat is answered automatically, which it does not stop.
    Bot,
}

/// A message to be accepted.
pub struct Sending {
    /// Who sends it.
    pub caller: Arc<WorkspaceCaller>,
    /// Credits that the meter holds for it; the writer gives them back.
    pub hold: Option<Hold>,
    /// What is sent.
    pub command: SendMessage,
    /// The request, which may come again.
    pub request: Repeatable,
    /// Who wrote it.
    pub author: Author,
}

/// Gives back what the meter holds for a message that is not handed in after all.
pub fn give_up(app: &App, caller: &WorkspaceCaller, hold: Option<Hold>) {
    let Some(hold) = hold else { return };
    let ended = Settlement::ending(app.clock.now(), hold.period, hold.generation, hold.credits);
    app.meter.settle(&caller.workspace.partner_id, caller.workspace.id, &ended);
}

/// The message of a request that has come before. Whoever cannot tell any more where it is to go asks for it: chats may
/// be called otherwise by then.
///
/// # Errors
/// `idempotency_key_reused`.
pub async fn answered(app: &App, request: &Repeatable) -> Result<Option<MessageId>> {
    match idempotency::earlier(app, app.db.reader(), &[request]).await?.pop() {
        Some(Earlier::Answered(id)) => Ok(Some(id)),
        Some(Earlier::Another) => Err(Error::IdempotencyKeyReused),
        Some(Earlier::None) | None => Ok(None),
    }
}

/// Accepts a message: once this returns `Ok`, it is stored, charged, and waits for its turn.
///
/// # Errors
/// `quota_exceeded`; `chat_not_found`, `message_not_found`, `file_not_found`, `account_not_found`,
/// `channel_not_connected`; `invalid_request` naming `text` or `file_uid` for more than the network takes, and
/// `channel_refused` where it takes none such; `chat_name_taken`, and `invalid_request` naming `label` for one too many;
/// `idempotency_key_reused`; `busy` if the writer has fallen behind or the database does not answer: nothing is
/// charged then; `outcome_unknown` if the database broke off in the commit and does not say in time what came of it.
pub async fn send(app: &App, sending: Sending) -> Result<MessageId> {
    app.writer.accept(app, sending).await
}
