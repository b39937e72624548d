//! Receiving: a text or a file that a provider has for one of our accounts is stored once, in its chat, for nothing.
//!
//! Providers repeat themselves; their own id of a message, unique for the account, says what is known. A chat that
//! gets a message is open and unread again. What the account's owner writes on a phone is stored too (`own`).
//!
//! A chat is called by its number or id until somebody gives it a name, or whoever writes there tells what they are
//! called; what a group is called only its provider tells. What is told follows what is told later, and several chats
//! may be called so; a name that was given is never replaced from outside.

use entity::{
    channel,
    id::{AttemptId, ChatId, FileId, MessageId},
    message::{Direction, Status},
    timestamp::Timestamp,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    bot, channel as channels,
    chat::{self as chats, update::Name},
    db,
    error::{Error, Result},
    file,
    message::{Jid, Text},
    phone::Phone,
    webhook::tell::{self, Written},
};

pub(crate) mod own;
mod store;

pub(crate) use store::{find_chat, open_chat, plausible};

/// A text or a file from outside.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The session that it came to.
    pub session: AttemptId,
    /// The conversation on the network: who writes, or the group that is written to.
    pub from: Jid,
    /// Who writes in a group, where that is known; a direct conversation is with whoever writes.
    pub author: Option<Phone>,
    /// What who writes calls themselves, where the provider tells it, as it came.
    pub author_name: Option<String>,
    /// What the group is called, where the provider tells it, as it came.
    pub group_name: Option<String>,
    /// The ids under which the provider may know the message that it answers; none where it answers nothing.
    pub answers: Vec<String>,
    /// What is written; absent only where there is a file.
    pub text: Option<Text>,
    /// The file that came with it, kept provisionally in the account's workspace.
    pub file: Option<FileId>,
    /// The provider's own id of it, unique for the account.
    pub provider_ref: String,
    /// When it was written, where the provider tells it, as it came.
    pub told_at: Option<Timestamp>,
}

/// Who wrote in a group.
#[derive(Default)]
struct Sender {
    name: Option<String>,
    phone: Option<String>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The message.
    pub message_id: MessageId,
    /// Its chat.
    pub chat_id: ChatId,
    /// Whether it was not known before.
    pub is_new: bool,
}

/// Stores a message from outside; one that is known already changes nothing.
///
/// # Errors
/// `channel_not_connected` if no connected account has this session, or it is switched off; `file_not_found` if its workspace has no such file.
pub async fn receive(app: &App, incoming: &Incoming) -> Result<Received> {
    let receiving =
        async || db::write(&app.db, "message.receive", async |tx| store_incoming(app, tx, incoming).await).await;
    db::retried(receiving).await
}

/// [`receive`] within a transaction.
pub(crate) async fn store_incoming(app: &App, tx: &DatabaseTransaction, incoming: &Incoming) -> Result<Received> {
    let channel = channels::open_by_session(tx, incoming.session).await?.ok_or(Error::ChannelNotConnected)?;
    if let Some(known) = store::by_provider_ref(tx, &channel, &incoming.provider_ref).await? {
        return Ok(Received { message_id: known.id, chat_id: known.chat_id, is_new: false });
    }
    if let Some(id) = incoming.file
        && file::attachable(tx, vec![id]).await?.get(&id).is_none_or(|file| file.workspace_id != channel.workspace_id)
    {
        return Err(Error::FileNotFound(id.to_string()));
    }
    let (mut chat, is_new_chat) = store::open_chat(app, tx, &channel, &incoming.from).await?;
    let told = if chat.is_group { &incoming.group_name } else { &incoming.author_name };
    if let Some(name) = told.as_deref().and_then(Name::from_outside) {
        chat = store::name_chat(app, tx, chat, &name).await?;
    }
    let sender = if chat.is_group { sender(tx, &channel, incoming).await? } else { Sender::default() };
    if let Some(author) = incoming.author.as_ref().filter(|_| chat.is_group) {
        chats::remember_member(tx, &chat, author).await?;
    }
    let reply_to = store::answered(tx, &chat, &incoming.answers).await?;
    let message_id = MessageId(app.clock.uuid());
    let new = store::NewMessage {
        direction: Direction::Received,
        status: Status::Received,
        text: incoming.text.as_ref(),
        file: incoming.file,
        sender,
        reply_to,
        provider_ref: &incoming.provider_ref,
        told_at: incoming.told_at,
    };
    if !store::insert(app, tx, message_id, (&channel, &chat), new).await? {
        // Somebody brought the same at the same time; the repeated operation finds it.
        return Err(Error::Contention);
    }
    store::set_unread(app, tx, &chat, message_id).await?;
    bot::turn::received(app, tx, &chat, message_id).await?;
    let written = Written {
        workspaces: vec![chat.workspace_id],
        direction: Direction::Received,
        new_chats: is_new_chat.then_some(chat.id).into_iter().collect(),
        messages: vec![message_id],
    };
    tell::written(app, tx, &written).await?;
    Ok(Received { message_id, chat_id: chat.id, is_new: true })
}

/// Who wrote in a group, as far as it is known: by the name that the provider tells, else as the account's own chat with
/// them is called, else by their number.
async fn sender(tx: &DatabaseTransaction, channel: &channel::Model, incoming: &Incoming) -> Result<Sender> {
    let phone = incoming.author.as_ref();
    let name = match (incoming.author_name.as_deref().and_then(Name::from_outside), phone) {
        (Some(name), _) => Some(name.as_str().to_owned()),
        (None, Some(phone)) => {
            let direct = store::find_chat(tx, channel, &Jid::of(phone)).await?;
            Some(direct.map_or_else(|| phone.as_str().to_owned(), |chat| chat.name))
        }
        (None, None) => None,
    };
    Ok(Sender { name, phone: phone.map(|phone| phone.as_str().to_owned()) })
}
