//! Reactions to messages. The account's own is stored, and given to its provider after the commit by a job that looks
//! at what is stored then; others', and those that its owner makes on a phone, are brought by providers. Each who reacts
//! has one reaction to a message.

use std::collections::{BTreeMap, HashMap};

use entity::{
    channel,
    id::{AccountId, AttemptId, MessageId, WorkspaceId},
    message::{Direction, Model as Message, Status},
    reaction::Model,
    timestamp::Timestamp,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    channel as channels, chat,
    connector::OutgoingReaction,
    db,
    error::{Error, Result},
    message::{Jid, read, receive},
    phone::Phone,
    queue::{self, Work},
    signal::Signal,
    user as users,
    webhook::tell::{self, Reaction, ReactionAction},
};

mod emoji;
mod store;

pub use emoji::Emoji;

/// Most reactions to one message that are shown.
pub const MAX_SHOWN: u64 = 1000;
const NOT_YET: std::time::Duration = std::time::Duration::from_secs(1);

/// A reaction that a provider brings.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The session that it came to.
    pub session: AttemptId,
    /// The provider's own id of the message.
    pub provider_ref: String,
    /// Who reacts.
    pub from: Jid,
    /// The name of who reacts, where the provider tells it; else it is known from the account's chats, or is the number.
    pub name: Option<String>,
    /// With what; `None` takes it back.
    pub emoji: Option<Emoji>,
    /// When, where the provider tells it, as it came.
    pub happened_at: Option<Timestamp>,
}

/// A reaction that the account's owner has made on a phone.
#[derive(Clone, Debug)]
pub struct OwnReaction {
    /// The session that it came to.
    pub session: AttemptId,
    /// The provider's own id of the message.
    pub provider_ref: String,
    /// With what; `None` takes it back.
    pub emoji: Option<Emoji>,
    /// When, as the provider says.
    pub happened_at: Timestamp,
}

/// Reactions by the messages that they are to, oldest first.
pub(crate) async fn of_messages(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    ids: impl IntoIterator<Item = MessageId>,
) -> Result<HashMap<MessageId, Vec<Model>>> {
    let ids: Vec<MessageId> = ids.into_iter().collect();
    let mut found: HashMap<MessageId, Vec<Model>> = HashMap::new();
    if !ids.is_empty() {
        for reaction in store::of_messages(db, workspace_id, ids).await? {
            found.entry(reaction.message_id).or_default().push(reaction);
        }
    }
    Ok(found)
}

/// Reactions to one message, oldest first.
///
/// # Errors
/// `message_not_found`.
pub async fn of_message(app: &App, workspace_id: WorkspaceId, uid: &str) -> Result<Vec<Model>> {
    let db = app.db.reader();
    let message = find(db, workspace_id, uid).await?;
    Ok(of_messages(db, workspace_id, [message.id]).await?.remove(&message.id).unwrap_or_default())
}

/// Sets the account's own reaction to a message, or takes it back. It costs nothing.
///
/// # Errors
/// `message_not_found`; `reaction_refused` for notes, calls and messages that failed; `channel_not_connected`.
pub async fn react(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    uid: &str,
    emoji: Option<&Emoji>,
) -> Result<MessageId> {
    let id = db::retried(|| react_once(app, caller, origin, uid, emoji)).await?;
    app.signals.publish(Signal::Work);
    Ok(id)
}

async fn react_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    uid: &str,
    emoji: Option<&Emoji>,
) -> Result<MessageId> {
    let workspace_id = caller.workspace.id;
    db::write(&app.db, "message.react", async |tx| {
        let message = find(tx, workspace_id, uid).await?;
        if message.kind.is_some() || message.status == Status::Failed {
            return Err(Error::ReactionRefused);
        }
        let channel = channel(tx, workspace_id, message.account_id).await?;
        if !channel.is_open() {
            return Err(Error::ChannelNotConnected);
        }
        store::lock(tx, &message).await?;
        let before = store::of(tx, &message, &channel.external_id).await?.map(|reaction| reaction.emoji);
        let after = emoji.map(|emoji| emoji.as_str().to_owned());
        if before == after {
            return Ok(message.id);
        }
        place_own(app, tx, (&channel, app.clock.now()), &message, before.as_deref(), emoji).await?;
        queue::enqueue(app, tx, &Work::SendReaction { workspace: workspace_id, message: message.id }).await?;
        let entry = audit::Entry::in_workspace("message.react", &caller.workspace, message.id)
            .before(json!({ "reaction": before }))
            .after(json!({ "reaction": after }));
        audit::record(app, tx, origin, entry).await?;
        Ok(message.id)
    })
    .await
}

/// Stores what somebody else reacts with. Repeating it is harmless; tells whether it changed anything.
///
/// # Errors
/// `channel_not_connected` if no connected account has this session; `message_not_found`.
pub async fn received(app: &App, incoming: &Incoming) -> Result<bool> {
    db::retried(|| received_once(app, incoming)).await
}

async fn received_once(app: &App, incoming: &Incoming) -> Result<bool> {
    db::write(&app.db, "message.reaction", async |tx| Ok(store_received(app, tx, incoming).await?.1)).await
}

/// [`received`] within a transaction; the message, and whether anything changed.
pub(crate) async fn store_received(
    app: &App,
    tx: &DatabaseTransaction,
    incoming: &Incoming,
) -> Result<(MessageId, bool)> {
    let channel = channels::open_by_session(tx, incoming.session).await?.ok_or(Error::ChannelNotConnected)?;
    let found = store::message_of_provider(tx, &channel, &incoming.provider_ref).await?;
    let message = found.ok_or_else(|| Error::MessageNotFound(incoming.provider_ref.clone()))?;
    let id = incoming.from.as_str();
    store::lock(tx, &message).await?;
    let before = store::of(tx, &message, id).await?.map(|reaction| reaction.emoji);
    if before.as_deref() == incoming.emoji.as_ref().map(Emoji::as_str) {
        return Ok((message.id, false));
    }
    let now = app.clock.now();
    let at = receive::plausible(incoming.happened_at, now).unwrap_or(now);
    if id == channel.external_id {
        place_own(app, tx, (&channel, at), &message, before.as_deref(), incoming.emoji.as_ref()).await?;
        return Ok((message.id, true));
    }
    let name = name_of(tx, &channel, incoming).await?;
    let phone = incoming.from.phone();
    let phone = phone.as_ref().map(Phone::as_str);
    let reactor = store::Reactor { id, name: &name, phone, is_own: false, at };
    place(app, tx, &message, &reactor, before.as_deref(), incoming.emoji.as_ref()).await?;
    Ok((message.id, true))
}

/// What who reacts is called: as the provider says, else as the account's own chat with them is called, else by their
/// number; nothing where all that is known is an id.
async fn name_of(tx: &DatabaseTransaction, channel: &channel::Model, incoming: &Incoming) -> Result<String> {
    if let Some(name) = &incoming.name {
        return Ok(name.clone());
    }
    let direct = receive::find_chat(tx, channel, &incoming.from).await?;
    let number = || incoming.from.phone().map(|phone| phone.as_str().to_owned());
    Ok(direct.map(|chat| chat.name).or_else(number).unwrap_or_default())
}

/// Stores what the account's owner reacts with on a phone, in the place of what was set here, unless that is later.
/// Repeating it is harmless; tells whether it changed anything.
///
/// # Errors
/// As [`received`].
pub async fn received_own(app: &App, own: &OwnReaction) -> Result<bool> {
    db::retried(|| received_own_once(app, own)).await
}

async fn received_own_once(app: &App, own: &OwnReaction) -> Result<bool> {
    db::write(&app.db, "message.own_reaction", async |tx| {
        let channel = channels::open_by_session(tx, own.session).await?.ok_or(Error::ChannelNotConnected)?;
        let found = store::message_of_provider(tx, &channel, &own.provider_ref).await?;
        let message = found.ok_or_else(|| Error::MessageNotFound(own.provider_ref.clone()))?;
        store::lock(tx, &message).await?;
        let before = store::of(tx, &message, &channel.external_id).await?;
        // Some providers count in seconds.
        let until = own.happened_at.plus_seconds(1);
        if before.as_ref().is_some_and(|before| before.reacted_at > until) {
            return Ok(false);
        }
        let before = before.map(|before| before.emoji);
        if before.as_deref() == own.emoji.as_ref().map(Emoji::as_str) {
            return Ok(false);
        }
        let now = app.clock.now();
        let at = receive::plausible(Some(own.happened_at), now).unwrap_or(now);
        place_own(app, tx, (&channel, at), &message, before.as_deref(), own.emoji.as_ref()).await?;
        Ok(true)
    })
    .await
}

/// Places the account's own reaction of this instant, and tells of it.
async fn place_own(
    app: &App,
    tx: &DatabaseTransaction,
    (channel, at): (&channel::Model, Timestamp),
    message: &Message,
    before: Option<&str>,
    emoji: Option<&Emoji>,
) -> Result<()> {
    let owner = users::find(tx, channel.workspace_id, channel.user_id).await?;
    let name = owner.map(|owner| owner.display_name).unwrap_or_default();
    let (id, phone) = (channel.external_id.as_str(), Some(channel.phone.as_str()));
    let reactor = store::Reactor { id, name: &name, phone, is_own: true, at };
    place(app, tx, message, &reactor, before, emoji).await
}

/// Places a reaction where there was another one, or none, and tells of it.
async fn place(
    app: &App,
    tx: &DatabaseTransaction,
    message: &Message,
    reactor: &store::Reactor<'_>,
    before: Option<&str>,
    emoji: Option<&Emoji>,
) -> Result<()> {
    store::set(tx, message, reactor, emoji).await?;
    let mut reactions = BTreeMap::new();
    for reaction in store::of_messages(tx, message.workspace_id, vec![message.id]).await? {
        *reactions.entry(reaction.emoji).or_default() += 1;
    }
    let action = if emoji.is_some() { ReactionAction::Set } else { ReactionAction::Clear };
    let told = Reaction {
        workspace_id: message.workspace_id,
        chat_id: message.chat_id,
        message_id: message.id,
        action,
        emoji: emoji.map(Emoji::as_str).or(before).unwrap_or_default().to_owned(),
        reactor: (reactor.name.to_owned(), reactor.phone.unwrap_or_default().to_owned()),
        at: reactor.at,
        reactions,
    };
    tell::reaction(app, tx, &told).await
}

/// Gives the provider the account's own reaction as it is stored now. What can never be given is forgotten.
///
/// # Errors
/// `busy` while the provider does not have the message itself yet; `channel_not_connected` while nothing is sent through
/// its channel, for which messages wait too; `provider_unavailable`.
pub(crate) async fn send_own(app: &App, workspace_id: WorkspaceId, id: MessageId) -> Result<()> {
    let db = app.db.reader();
    let Some(message) = read::find(db, workspace_id, id).await? else { return Ok(()) };
    let channel = channel(db, workspace_id, message.account_id).await?;
    let is_gone = channel.deleted_at.is_some() || message.status == Status::Failed;
    let Some(chat) = chat::find(db, workspace_id, message.chat_id).await?.filter(|_| !is_gone) else { return Ok(()) };
    if matches!(message.status, Status::Queued | Status::Sending | Status::Unknown) {
        return Err(Error::Busy { retry_after: NOT_YET });
    }
    if !channel.is_open() {
        return Err(Error::ChannelNotConnected);
    }
    let own = store::of(db, &message, &channel.external_id).await?;
    let outgoing = OutgoingReaction {
        message_id: message.id,
        provider_ref: message.provider_ref,
        session: channel.session,
        chat: chat.jid,
        is_to_own_message: message.direction == Direction::Sent,
        emoji: own.map(|reaction| reaction.emoji),
    };
    app.connectors.get(channel.connector).react(app, &outgoing).await
}

async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, uid: &str) -> Result<Message> {
    let found = read::find(db, workspace_id, read::parse_uid(uid)?).await?;
    found.ok_or_else(|| Error::MessageNotFound(uid.to_owned()))
}

async fn channel(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: AccountId) -> Result<channel::Model> {
    let found = channels::by_ids(db, workspace_id, [id]).await?.remove(&id);
    found.ok_or_else(|| Error::Internal("a message has no account in its workspace".to_owned()))
}
