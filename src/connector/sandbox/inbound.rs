//! Somebody outside writes to a linked simulated phone, or to a channel that has signed in.

use entity::id::{AttemptId, ChannelId, FileId, MessageId};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    channel as channels,
    chat::{self as chats, update::Name},
    connector::sandbox::{
        devices::{self, Arrived, Message, SentFile},
        phones::Scope,
        store,
    },
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    message::{
        Jid, Text, read,
        receive::{self, Incoming},
    },
    phone::Phone,
};

/// A message from outside.
#[derive(Clone, Debug)]
pub struct Write {
    /// The linked phone.
    pub phone: Phone,
    /// Who writes.
    pub from: Phone,
    /// What they are called, where their phone tells it.
    pub from_name: Option<Name>,
    /// The group that it is written to; the phone itself where absent.
    pub group: Option<Jid>,
    /// What the group is called.
    pub group_name: Option<Name>,
    /// The message that it answers, as one of the accounts knows it.
    pub reply_to: Option<MessageId>,
    /// What; absent only where there is a file.
    pub text: Option<Text>,
    /// The file that comes with it.
    pub file: Option<SentFile>,
}

/// A text from outside to a channel on any network.
#[derive(Clone, Debug)]
pub struct WriteToChannel {
    /// The channel.
    pub channel_id: ChannelId,
    /// Who writes: a number, an address, or an id on the network.
    pub from: String,
    /// What they are called, where the network tells it.
    pub from_name: Option<Name>,
    /// What.
    pub text: Text,
}

impl Write {
    /// The conversation on the network.
    fn chat(&self) -> Jid {
        self.group.clone().unwrap_or_else(|| Jid::of(&self.from))
    }
}

/// Writes to a phone. All its linked devices get the message, as those of a real one do, and each workspace gets the
/// file as one of its own.
///
/// # Errors
/// `phone_not_linked` if no account of the scope is connected to it; `invalid_request` naming `file` if there is nothing
/// in it; `file_too_large`; `message_not_found` if no phone has what it answers, `invalid_request` naming `reply_to` if
/// that is in another chat.
pub async fn write(app: &App, scope: &Scope, command: &Write, request: &Repeatable) -> Result<Arrived> {
    devices::hear(app, scope, Message::Inbound(command), request).await
}

/// Writes to a channel.
///
/// # Errors
/// `phone_not_linked` if no channel of the scope that is connected and switched on has this id; `invalid_request` naming
/// `from`.
pub async fn write_to_channel(
    app: &App,
    scope: &Scope,
    command: &WriteToChannel,
    request: &Repeatable,
) -> Result<Arrived> {
    db::retried(|| write_to_channel_once(app, scope, command, request)).await
}

async fn write_to_channel_once(
    app: &App,
    scope: &Scope,
    command: &WriteToChannel,
    request: &Repeatable,
) -> Result<Arrived> {
    db::write(&app.db, "sandbox.inbound", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let channel = channels::open_by_id(tx, command.channel_id).await?.ok_or(Error::PhoneNotLinked)?;
        if store::in_scope(tx, scope, channel.session).await?.is_none() {
            return Err(Error::PhoneNotLinked);
        }
        let from = Jid::on(channel.network, &command.from).map_err(|error| match error {
            Error::InvalidField { reason, .. } => Error::field("from", reason),
            error => error,
        })?;
        let incoming = Incoming {
            session: channel.session,
            from,
            author: None,
            author_name: command.from_name.as_ref().map(|name| name.as_str().to_owned()),
            group_name: None,
            answers: Vec::new(),
            text: Some(command.text.clone()),
            file: None,
            provider_ref: format!("sandbox-{}", app.clock.uuid()),
            told_at: None,
        };
        let arrived = Arrived { messages: vec![receive::store_incoming(app, tx, &incoming).await?.message_id] };
        request.finish(app, tx, &arrived).await?;
        Ok(arrived)
    })
    .await
}

/// The provider's id of the message that it answers, if it answers one.
pub(super) async fn answers(tx: &DatabaseTransaction, scope: &Scope, command: &Write) -> Result<Vec<String>> {
    let Some(id) = command.reply_to else { return Ok(Vec::new()) };
    let mut is_linked = false;
    for session in store::whatsapp_of(tx, scope, &command.phone).await? {
        let Some(channel) = channels::open_by_session(tx, session.id).await? else { continue };
        is_linked = true;
        let message = read::find(tx, channel.workspace_id, id).await?;
        let Some(message) = message.filter(|message| message.account_id == channel.account_id) else { continue };
        let chat = chats::find(tx, channel.workspace_id, message.chat_id).await?;
        if chat.is_none_or(|chat| chat.jid != command.chat().as_str()) {
            return Err(Error::field("reply_to", "must be a message of the same chat"));
        }
        // What no phone has yet cannot be answered.
        let provider_ref = message.provider_ref.ok_or_else(|| Error::MessageNotFound(id.to_string()))?;
        return Ok(vec![provider_ref]);
    }
    Err(if is_linked { Error::MessageNotFound(id.to_string()) } else { Error::PhoneNotLinked })
}

/// What a linked device has of it.
pub(super) fn incoming(
    command: &Write,
    session: AttemptId,
    file: Option<FileId>,
    (provider_ref, answers): (&str, &[String]),
) -> Incoming {
    Incoming {
        session,
        from: command.chat(),
        author: command.group.is_some().then(|| command.from.clone()),
        author_name: command.from_name.as_ref().map(|name| name.as_str().to_owned()),
        group_name: command.group_name.as_ref().map(|name| name.as_str().to_owned()),
        answers: answers.to_vec(),
        text: command.text.clone(),
        file,
        provider_ref: provider_ref.to_owned(),
        told_at: None,
    }
}
