//! Messages that exist: one, those of a chat, and what became of one.
//!
//! The messages of a chat are ordered by their uids, which is the order in which they were accepted or received.

use std::collections::HashMap;

use entity::{
    call, file,
    id::{ChatId, FileId, MessageId, UserId, WorkspaceId},
    message::{Kind, Model},
    message_status, reaction, user,
};
use sea_orm::ConnectionTrait;

use crate::{
    app::App,
    call as calls,
    chat::{self, ChatWithAccount},
    error::{Error, Result},
    file as files,
    message::{reaction as reactions, read::filter::Filter},
    page::{NumberedPage, PageNumber},
    user as users,
};

pub mod filter;
mod store;

pub use store::page;
pub(crate) use store::{by_ids, find, until};

/// Messages by their uids.
pub(crate) type ById = HashMap<MessageId, Model>;

/// Messages of one chat, with what they are shown with.
#[derive(Clone, Debug)]
pub struct Messages {
    /// The chat and its account.
    pub held: ChatWithAccount,
    /// The messages.
    pub page: NumberedPage<Model>,
    /// Users as whom they were sent.
    pub authors: HashMap<UserId, user::Model>,
    /// Files that they carry, as far as these are kept.
    pub files: HashMap<FileId, file::Model>,
    /// Reactions to them.
    pub reactions: HashMap<MessageId, Vec<reaction::Model>>,
    /// Calls that some of them stand for.
    pub calls: HashMap<MessageId, call::Model>,
}

/// One message, with what it is shown with.
#[derive(Clone, Debug)]
pub struct MessageDetails {
    /// The chat and its account.
    pub held: ChatWithAccount,
    /// The message.
    pub message: Model,
    /// The user as whom it was sent.
    pub author: Option<user::Model>,
    /// The file that it carries, as long as it is kept.
    pub file: Option<file::Model>,
    /// Reactions to it, oldest first.
    pub reactions: Vec<reaction::Model>,
    /// The call that it stands for.
    pub call: Option<call::Model>,
}

/// Reads a uid as it stands in a path or a query.
///
/// # Errors
/// `message_not_found`: what is no uuid is nobody's message.
pub fn parse_uid(text: &str) -> Result<MessageId> {
    text.parse().map_err(|_| Error::MessageNotFound(text.to_owned()))
}

/// One message.
///
/// # Errors
/// `message_not_found`.
pub async fn get(app: &App, workspace_id: WorkspaceId, uid: &str) -> Result<MessageDetails> {
    let db = app.db.reader();
    let message = by_uid(db, workspace_id, uid).await?;
    let not_found = || Error::MessageNotFound(uid.to_owned());
    let chat = chat::find(db, workspace_id, message.chat_id).await?.ok_or_else(not_found)?;
    let held = chat::details::with_account(db, workspace_id, chat).await?;
    let author = match message.user_id {
        Some(id) => users::find(db, workspace_id, id).await?,
        None => None,
    };
    let file = files::of_message(db, workspace_id, message.file_id).await?;
    let reactions = reactions::of_messages(db, workspace_id, [message.id]).await?.remove(&message.id);
    let call = calls::by_ids(db, workspace_id, call_id(&message)).await?.remove(&message.id);
    Ok(MessageDetails { held, message, author, file, reactions: reactions.unwrap_or_default(), call })
}

/// One page of the messages of a chat.
///
/// # Errors
/// `chat_not_found`; `message_not_found` if the filter names a message that is not in the chat.
pub async fn of_chat(
    app: &App,
    workspace_id: WorkspaceId,
    chat_id: &str,
    filter: &Filter,
    page: PageNumber,
) -> Result<Messages> {
    let db = app.db.reader();
    let chat = chat::find(db, workspace_id, chat::parse_id(chat_id)?).await?;
    let chat = chat.ok_or_else(|| Error::ChatNotFound(chat_id.to_owned()))?;
    for bound in filter.newer_than.iter().chain(&filter.older_than) {
        require_in_chat(db, workspace_id, chat.id, *bound).await?;
    }
    let page = NumberedPage::of(store::page(db, workspace_id, chat.id, filter, page).await?);
    let authors = page.items.iter().filter_map(|message| message.user_id);
    let authors = users::by_ids(db, workspace_id, authors).await?;
    let files = files::by_ids(db, workspace_id, page.items.iter().filter_map(|message| message.file_id)).await?;
    let held = chat::details::with_account(db, workspace_id, chat).await?;
    let reactions = reactions::of_messages(db, workspace_id, page.items.iter().map(|message| message.id)).await?;
    let calls = calls::by_ids(db, workspace_id, page.items.iter().filter_map(call_id)).await?;
    Ok(Messages { held, page, authors, files, reactions, calls })
}

/// What became of a message, step by step: sent, delivered, read, failed.
///
/// # Errors
/// `message_not_found`.
pub async fn history(app: &App, workspace_id: WorkspaceId, uid: &str) -> Result<Vec<message_status::Model>> {
    let db = app.db.reader();
    let message = by_uid(db, workspace_id, uid).await?;
    store::history(db, &message).await
}

fn call_id(message: &Model) -> Option<MessageId> {
    (message.kind == Some(Kind::Call)).then_some(message.id)
}

async fn by_uid(db: &impl ConnectionTrait, workspace_id: WorkspaceId, uid: &str) -> Result<Model> {
    let message = find(db, workspace_id, parse_uid(uid)?).await?;
    message.ok_or_else(|| Error::MessageNotFound(uid.to_owned()))
}

async fn require_in_chat(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    chat_id: ChatId,
    id: MessageId,
) -> Result<()> {
    let message = find(db, workspace_id, id).await?.filter(|message| message.chat_id == chat_id);
    message.map(drop).ok_or_else(|| Error::MessageNotFound(id.to_string()))
}
