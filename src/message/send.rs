//! Accepting a message: handed to the writer, answered after the commit.

use std::sync::Arc;

use entity::id::MessageId;

use crate::{
    app::App, caller::WorkspaceCaller, error::Result, idempotency::Repeatable, message::SendMessage,
    meter::admission::Hold,
};

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
}

/// Accepts a message: once this returns `Ok`, it is stored, charged, and waits for its turn.
///
/// # Errors
/// `quota_exceeded`; `chat_not_found`, `message_not_found`, `file_not_found`, `account_not_found`,
/// `channel_not_connected`;
/// `idempotency_key_reused`; `busy` if the writer has fallen behind or the database does not answer. Nothing is
/// charged then.
pub async fn send(app: &App, sending: Sending) -> Result<MessageId> {
    app.writer.accept(app, sending).await
}
