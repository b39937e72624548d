//! Telling workspaces what happens in them (`contracts/timelines.md` §4): one function for each kind of thing, called
//! in the transaction of the change.
//!
//! Where nobody listens, a call costs one look, and the writer of messages not even that: it knows from its own look
//! whether a workspace listens at all. Where somebody does, everything that the bodies say is read in one statement
//! for each kind of row, however many events there are; then events, numbers and deliveries are written together.
//!
//! Everything of one transaction is told by one call: subscriptions that number their events are taken in the order of
//! their ids, once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{
    call, channel, chat, file,
    id::{BotId, ChatId, FileId, MessageId, WorkspaceId},
    message::{self, Status},
    timestamp::Timestamp,
    user,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    error::{Error, Result},
    file::by_ids as files_by_ids,
    webhook::{
        subscription::Topic,
        tell::{
            audience::{Audience, Happened},
            facts::ChatFacts,
            payload::Payload,
        },
    },
};

pub(super) mod audience;
mod facts;
mod payload;
mod sample;
mod store;

pub use sample::example;

/// How much later than everything else a message of the workspace's own is told of, in seconds: whoever sent it has its
/// uid by then.
pub const OWN_MESSAGE_SECONDS: i64 = 1;

/// Messages that were written, and chats that were made for them.
pub(crate) struct Written {
    /// Workspaces that they are in.
    pub(crate) workspaces: Vec<WorkspaceId>,
    /// All of them were sent, or all were received.
    pub(crate) direction: message::Direction,
    /// Chats that are new.
    pub(crate) new_chats: Vec<ChatId>,
    /// The messages.
    pub(crate) messages: Vec<MessageId>,
}

/// Tells of messages and of the chats that they began.
///
/// # Errors
/// What the database says.
pub(crate) async fn written(app: &App, tx: &DatabaseTransaction, written: &Written) -> Result<()> {
    let (of_messages, of_chats) = match written.direction {
        message::Direction::Sent => {
            ([Topic::MessageNew, Topic::MessageSentNew], [Topic::ChatNew, Topic::ChatOutgoingNew])
        }
        message::Direction::Received => {
            ([Topic::MessageNew, Topic::MessageReceivedNew], [Topic::ChatNew, Topic::ChatIncomingNew])
        }
    };
    let topics = [of_messages, of_chats].concat();
    let audience = Audience::of(tx, &written.workspaces, &topics).await?;
    if audience.is_empty() {
        return Ok(());
    }
    let messages = store::messages(tx, &written.messages).await?;
    let chats = messages.iter().map(|message| message.chat_id).chain(written.new_chats.iter().copied());
    let chats = facts::chats(tx, chats.collect::<BTreeSet<_>>()).await?;
    let files = files(tx, &messages).await?;
    let mut happened = Vec::new();
    for chat in written.new_chats.iter().filter_map(|id| chats.get(id)) {
        begun(app, &audience, chat, of_chats, &mut happened)?;
    }
    let delay_seconds = match written.direction {
        message::Direction::Sent => OWN_MESSAGE_SECONDS,
        message::Direction::Received => 0,
    };
    for message in &messages {
        let Some(chat) = chats.get(&message.chat_id) else { continue };
        for topic in of_messages {
            if audience.wants(chat.workspace_id, topic) {
                let attachment = attachment(app, &files, message)?;
                let body =
                    Payload::message(&app.config.public_url, topic, chat, (message, attachment), None).to_body()?;
                happened.push(Happened::in_chat(chat, topic, body).later(delay_seconds));
            }
        }
    }
    audience.tell(app, tx, happened).await
}

/// Files of these messages that are kept.
async fn files(tx: &DatabaseTransaction, messages: &[message::Model]) -> Result<HashMap<FileId, file::Model>> {
    let mut by_workspace: BTreeMap<WorkspaceId, Vec<FileId>> = BTreeMap::new();
    for (message, id) in messages.iter().filter_map(|message| Some((message, message.file_id?))) {
        by_workspace.entry(message.workspace_id).or_default().push(id);
    }
    let mut files = HashMap::new();
    for (workspace_id, ids) in by_workspace {
        files.extend(files_by_ids(tx, workspace_id, ids).await?);
    }
    Ok(files)
}

/// What a message carries. Its address is good from now on, so it is made for each event.
fn attachment(
    app: &App,
    files: &HashMap<FileId, file::Model>,
    message: &message::Model,
) -> Result<Option<payload::Attachment>> {
    message.file_id.and_then(|id| files.get(&id)).map(|file| payload::Attachment::new(app, file)).transpose()
}

/// A chat has begun: the second type is for direct chats only.
fn begun(
    app: &App,
    audience: &Audience,
    chat: &ChatFacts,
    [of_all, of_direct]: [Topic; 2],
    happened: &mut Vec<Happened>,
) -> Result<()> {
    for topic in [Some(of_all), (!chat.is_group).then_some(of_direct)].into_iter().flatten() {
        if audience.wants(chat.workspace_id, topic) {
            let body = Payload::chat(&app.config.public_url, topic, (chat, app.clock.now()), None).to_body()?;
            happened.push(Happened::in_chat(chat, topic, body));
        }
    }
    Ok(())
}

/// Tells what became of a sent message: delivered, read or failed. Other statuses are nobody's business.
///
/// # Errors
/// What the database says.
pub(crate) async fn status(
    app: &App,
    tx: &DatabaseTransaction,
    message: &message::Model,
    status: Status,
    reason: Option<&str>,
) -> Result<()> {
    let Some(topic) = Topic::of_status(status) else { return Ok(()) };
    let audience = Audience::of(tx, &[message.workspace_id], &[topic]).await?;
    if audience.is_empty() {
        return Ok(());
    }
    let chat = facts::chat(tx, message.chat_id).await?;
    let step = payload::Step { status, at: app.clock.now(), reason };
    let files = files(tx, std::slice::from_ref(message)).await?;
    let attachment = attachment(app, &files, message)?;
    let body = Payload::message(&app.config.public_url, topic, &chat, (message, attachment), Some(step)).to_body()?;
    audience.tell(app, tx, vec![Happened::in_chat(&chat, topic, body)]).await
}

/// Tells that an account was connected, disconnected, suspended or resumed, as its row says now.
///
/// # Errors
/// What the database says.
pub(crate) async fn account(app: &App, tx: &DatabaseTransaction, topic: Topic, channel: &channel::Model) -> Result<()> {
    let audience = Audience::of(tx, &[channel.workspace_id], &[topic]).await?;
    if audience.is_empty() {
        return Ok(());
    }
    let account = store::account(tx, channel.account_id).await?;
    let account = account.ok_or_else(|| Error::Internal("an account is not there".to_owned()))?;
    let body = Payload::account(topic, &account).to_body()?;
    let happened = Happened::new(channel.workspace_id, account.partner_id.clone(), topic, body);
    audience.tell(app, tx, vec![happened]).await
}

/// Tells of a call, and of the chat if it began with the call.
///
/// # Errors
/// What the database says.
pub(crate) async fn call(app: &App, tx: &DatabaseTransaction, call: &call::Model, is_new_chat: bool) -> Result<()> {
    let of_chats = match call.direction {
        call::Direction::Incoming => [Topic::ChatNew, Topic::ChatIncomingNew],
        call::Direction::Outgoing => [Topic::ChatNew, Topic::ChatOutgoingNew],
    };
    let topic = Topic::of_call(call.direction, call.outcome);
    let topic = topic.ok_or_else(|| Error::Internal("a call ended as it cannot".to_owned()))?;
    let mut topics = vec![topic];
    topics.extend(of_chats.into_iter().filter(|_| is_new_chat));
    let audience = Audience::of(tx, &[call.workspace_id], &topics).await?;
    if audience.is_empty() {
        return Ok(());
    }
    let chat = facts::chat(tx, call.chat_id).await?;
    let mut happened = Vec::new();
    if is_new_chat {
        begun(app, &audience, &chat, of_chats, &mut happened)?;
    }
    if audience.wants(call.workspace_id, topic) {
        let body = Payload::call(&app.config.public_url, topic, &chat, call).to_body()?;
        happened.push(Happened::in_chat(&chat, topic, body));
    }
    audience.tell(app, tx, happened).await
}

/// Tells that somebody else, or nobody, is responsible for a chat: after the change, with who it was before.
///
/// # Errors
/// What the database says.
pub async fn responsible(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    chat_id: ChatId,
    previous: Option<&user::Model>,
) -> Result<()> {
    let topics = [Topic::ChatResponsibleAssigned, Topic::ChatResponsibleUnassigned];
    let audience = Audience::of(tx, &[workspace_id], &topics).await?;
    if audience.is_empty() {
        return Ok(());
    }
    let chat = facts::chat(tx, chat_id).await?;
    let topic = topics[usize::from(chat.responsible_email.is_none())];
    if !audience.wants(workspace_id, topic) {
        return Ok(());
    }
    let body = Payload::chat(&app.config.public_url, topic, (&chat, app.clock.now()), previous).to_body()?;
    audience.tell(app, tx, vec![Happened::in_chat(&chat, topic, body)]).await
}

/// A message that a bot did not answer.
#[derive(Clone, Debug)]
pub struct BotSilence {
    /// The bot.
    pub bot_id: BotId,
    /// Its name.
    pub bot_name: String,
    /// Why, as one word.
    pub reason: String,
    /// Why, in words.
    pub description: String,
    /// The newest message that has no answer.
    pub message_id: MessageId,
    /// When it was given up.
    pub at: Timestamp,
}

/// Tells that a bot did not answer, or is stopped in a chat.
///
/// # Errors
/// What the database says.
pub(crate) async fn bot(
    app: &App,
    tx: &DatabaseTransaction,
    topic: Topic,
    chat: &chat::Model,
    silence: &BotSilence,
) -> Result<()> {
    let audience = Audience::of(tx, &[chat.workspace_id], &[topic]).await?;
    if audience.is_empty() {
        return Ok(());
    }
    let chat = facts::chat(tx, chat.id).await?;
    let body = Payload::bot(&app.config.public_url, topic, &chat, silence).to_body()?;
    audience.tell(app, tx, vec![Happened::in_chat(&chat, topic, body)]).await
}

/// A change of the reactions to a message.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// Where.
    pub workspace_id: WorkspaceId,
    /// The chat of the message.
    pub chat_id: ChatId,
    /// The message.
    pub message_id: MessageId,
    /// Whether it was set or taken back.
    pub action: ReactionAction,
    /// The emoji that was set or taken back.
    pub emoji: String,
    /// Whose it is: name and number.
    pub reactor: (String, String),
    /// When.
    pub at: Timestamp,
    /// How often each emoji stands at the message after the change.
    pub reactions: BTreeMap<String, i64>,
}

/// What happened to a reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReactionAction {
    /// It was set.
    Set,
    /// It was taken back.
    Clear,
}

/// Tells of a reaction, in the transaction that stores it.
///
/// # Errors
/// What the database says.
pub async fn reaction(app: &App, tx: &DatabaseTransaction, reaction: &Reaction) -> Result<()> {
    let topic = Topic::MessageReaction;
    let audience = Audience::of(tx, &[reaction.workspace_id], &[topic]).await?;
    if audience.is_empty() {
        return Ok(());
    }
    let chat = facts::chat(tx, reaction.chat_id).await?;
    let body = Payload::reaction(&app.config.public_url, topic, &chat, reaction).to_body()?;
    audience.tell(app, tx, vec![Happened::in_chat(&chat, topic, body)]).await
}
