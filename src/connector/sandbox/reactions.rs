//! Somebody outside reacts to a message of a linked simulated phone.

use entity::id::MessageId;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    channel as channels,
    chat::update::Name,
    connector::sandbox::{phones::Scope, store},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    message::{
        Jid,
        reaction::{self, Emoji, Incoming},
        read,
    },
    phone::Phone,
};

/// A reaction from outside.
#[derive(Clone, Debug)]
pub struct React {
    /// The linked phone.
    pub phone: Phone,
    /// Who reacts.
    pub from: Phone,
    /// What they are called, where their phone tells it.
    pub from_name: Option<Name>,
    /// The message, as one of the accounts knows it.
    pub message_id: MessageId,
    /// With what; `None` takes it back.
    pub emoji: Option<Emoji>,
}

/// What the linked devices of the phone heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reacted {
    /// The message, once in each workspace that the phone is linked to and that has it.
    pub messages: Vec<MessageId>,
}

/// Reacts to a message. All linked devices of the phone hear of it, as those of a real one do.
///
/// # Errors
/// `phone_not_linked` if no account of the scope is connected to it; `message_not_found` if none has the message.
pub async fn react(app: &App, scope: &Scope, command: &React, request: &Repeatable) -> Result<Reacted> {
    db::retried(|| react_once(app, scope, command, request)).await
}

async fn react_once(app: &App, scope: &Scope, command: &React, request: &Repeatable) -> Result<Reacted> {
    db::write(&app.db, "sandbox.reaction", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let not_found = || Error::MessageNotFound(command.message_id.to_string());
        let (mut channels, mut provider_ref) = (Vec::new(), None);
        for session in store::whatsapp_of(tx, scope, &command.phone).await? {
            // The phone knows the device; the account is another's, or not connected any more.
            let Some(channel) = channels::open_by_session(tx, session.id).await? else { continue };
            let message = read::find(tx, channel.workspace_id, command.message_id).await?;
            let own = message.filter(|message| message.account_id == channel.account_id);
            provider_ref = provider_ref.or(own.and_then(|message| message.provider_ref));
            channels.push(channel);
        }
        if channels.is_empty() {
            return Err(Error::PhoneNotLinked);
        }
        // What no phone has yet cannot be reacted to.
        let provider_ref = provider_ref.ok_or_else(not_found)?;
        let mut messages = Vec::new();
        for channel in channels {
            let incoming = Incoming {
                session: channel.session,
                provider_ref: provider_ref.clone(),
                from: Jid::of(&command.from),
                name: command.from_name.as_ref().map(|name| name.as_str().to_owned()),
                emoji: command.emoji.clone(),
                happened_at: None,
            };
            match reaction::store_received(app, tx, &incoming).await {
                Ok((id, _)) => messages.push(id),
                // It came before this account was linked.
                Err(Error::MessageNotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let reacted = Reacted { messages };
        request.finish(app, tx, &reacted).await?;
        Ok(reacted)
    })
    .await
}
