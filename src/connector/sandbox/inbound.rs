//! Somebody outside writes to a linked simulated phone.

use entity::id::{AttemptId, MessageId};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    connector::sandbox::{phones::Scope, store},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    message::{
        Jid, Text,
        receive::{self, Incoming},
    },
    phone::Phone,
};

/// A text from outside.
#[derive(Clone, Debug)]
pub struct Write {
    /// The linked phone.
    pub phone: Phone,
    /// Who writes.
    pub from: Phone,
    /// What.
    pub text: Text,
}

/// What the linked devices of the phone received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrived {
    /// The message, once in each workspace that the phone is linked to.
    pub messages: Vec<MessageId>,
}

/// Writes to a phone. All its linked devices get the text, as those of a real one do.
///
/// # Errors
/// `phone_not_linked` if no account of the scope is connected to it.
pub async fn write(app: &App, scope: &Scope, command: &Write, request: &Repeatable) -> Result<Arrived> {
    db::retried(|| write_once(app, scope, command, request)).await
}

async fn write_once(app: &App, scope: &Scope, command: &Write, request: &Repeatable) -> Result<Arrived> {
    db::write(&app.db, "sandbox.inbound", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let provider_ref = format!("sandbox-{}", app.clock.uuid());
        let mut messages = Vec::new();
        for session in store::linked_to(tx, scope, &command.phone).await? {
            let incoming = incoming(command, session.id, &provider_ref);
            match receive::store_incoming(app, tx, &incoming).await {
                Ok(received) => messages.push(received.message_id),
                // The phone knows the device; the account is another's, or not connected any more.
                Err(Error::ChannelNotConnected) => {}
                Err(error) => return Err(error),
            }
        }
        if messages.is_empty() {
            return Err(Error::PhoneNotLinked);
        }
        let arrived = Arrived { messages };
        request.finish(app, tx, &arrived).await?;
        Ok(arrived)
    })
    .await
}

fn incoming(command: &Write, session: AttemptId, provider_ref: &str) -> Incoming {
    Incoming {
        session,
        from: Jid::of(&command.from),
        text: command.text.clone(),
        provider_ref: provider_ref.to_owned(),
    }
}
