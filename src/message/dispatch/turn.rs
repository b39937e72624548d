//! One turn: hand the message over, outside any transaction, and have written down what came of it.

use std::time::Duration;

use entity::{id::MessageId, message::Direction};

use crate::{
    app::App,
    connector::{Answered, Delivery, Outgoing},
    error::Result,
    file::{self, Attachment},
    message::{
        Jid,
        dispatch::{
            claim::{Task, Turn},
            settle, store,
        },
        read,
    },
};

/// How long a provider may take. Who answers later is not heard: the message may have left.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// With [`SEND_TIMEOUT`] no longer than the lease.
const SETTLE_TRIES: u32 = 10;
const SETTLE_PAUSE: Duration = Duration::from_secs(1);
const REASON_NO_ADDRESS: &str = "no_address";
const REASON_NO_FILE: &str = "file_gone";
const REASON_NOT_BEGUN: &str = "not_begun";

/// Takes a turn to its end. What cannot be written down is left to the end of the lease.
pub(super) async fn run(app: &App, turn: &Turn) {
    let delivery = hand_over(app, turn).await;
    for _ in 0..SETTLE_TRIES {
        match settle::settle(app, turn, &delivery).await {
            Ok(_) => return,
            Err(error) => tracing::warn!(%error, message.id = %turn.message.id, "a turn is not written down yet"),
        }
        tokio::time::sleep(SETTLE_PAUSE).await;
    }
    tracing::error!(message.id = %turn.message.id, "what became of a message could not be written down");
}

/// Does what the turn is about; never in a transaction.
pub async fn hand_over(app: &App, turn: &Turn) -> Delivery {
    if let Task::Fail(reason) = turn.task {
        return Delivery::Rejected { reason: reason.to_owned() };
    }
    if turn.until <= app.clock.now() {
        // Whoever was held up for so long leaves the message to the next.
        return Delivery::TryLater { after: None, reason: REASON_NOT_BEGUN.to_owned() };
    }
    match outgoing(app, turn).await {
        // Nothing removes the file of a message that waits; whoever does it by hand does not get half of it sent.
        Ok(Some(outgoing)) if turn.message.file_id.is_some() && outgoing.attachment.is_none() => {
            Delivery::Rejected { reason: REASON_NO_FILE.to_owned() }
        }
        Ok(Some(outgoing)) => within(SEND_TIMEOUT, app.connectors.get(turn.connector).send(app, &outgoing)).await,
        Ok(None) => Delivery::Rejected { reason: REASON_NO_ADDRESS.to_owned() },
        Err(error) => {
            tracing::warn!(%error, message.id = %turn.message.id, "a message could not be read");
            Delivery::TryLater { after: None, reason: REASON_NOT_BEGUN.to_owned() }
        }
    }
}

async fn outgoing(app: &App, turn: &Turn) -> Result<Option<Outgoing>> {
    let chat = store::chat(app.db.reader(), turn.workspace_id(), turn.message.chat_id).await?;
    let Some(recipient) = chat.and_then(|chat| Jid::from_stored(&chat.jid).ok()) else { return Ok(None) };
    let file = file::of_message(app.db.reader(), turn.workspace_id(), turn.message.file_id).await?;
    let answered = match turn.message.reply_to {
        Some(id) => answered(app, turn, id, &recipient).await?,
        None => None,
    };
    Ok(Some(Outgoing {
        message_id: turn.message.id,
        account_id: turn.account_id(),
        session: turn.session,
        recipient,
        text: turn.message.text.clone().unwrap_or_default(),
        attachment: file.map(|file| Attachment { file }),
        answered,
    }))
}

/// The message that is answered; `None` if its provider has told no id of it, or it is not there any more: the answer
/// then goes without it.
async fn answered(app: &App, turn: &Turn, id: MessageId, recipient: &Jid) -> Result<Option<Answered>> {
    let db = app.db.reader();
    let Some(message) = read::find(db, turn.workspace_id(), id).await? else { return Ok(None) };
    let Some(provider_ref) = message.provider_ref else { return Ok(None) };
    let chat = if message.chat_id == turn.message.chat_id {
        Some(recipient.clone())
    } else {
        let chat = store::chat(db, turn.workspace_id(), message.chat_id).await?;
        chat.and_then(|chat| Jid::from_stored(&chat.jid).ok())
    };
    let is_own = message.direction == Direction::Sent;
    Ok(chat.map(|chat| Answered { provider_ref, chat, is_own, text: message.text.unwrap_or_default() }))
}

async fn within(limit: Duration, sending: impl Future<Output = Delivery>) -> Delivery {
    tokio::time::timeout(limit, sending).await.unwrap_or(Delivery::Lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_answer_in_time_has_perhaps_sent_it() {
        assert_eq!(within(Duration::from_millis(1), std::future::pending()).await, Delivery::Lost);
        let prompt = Delivery::Accepted { provider_ref: "x".to_owned() };
        assert_eq!(within(SEND_TIMEOUT, std::future::ready(prompt.clone())).await, prompt);
    }
}
