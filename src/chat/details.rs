//! What chats are shown with, read in one statement for each kind of thing, however many chats there are.

use entity::{chat::Model, id::WorkspaceId};
use sea_orm::ConnectionTrait;

use crate::{
    channel,
    chat::{ChatDetails, ChatWithAccount, LastMessage, store},
    error::{Error, Result},
    file,
    message::read::ById,
    user,
};

/// Chats with all that they are shown with, and with those of `last_messages` that are theirs.
pub(crate) async fn details(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    chats: Vec<Model>,
    mut last_messages: ById,
) -> Result<Vec<ChatDetails>> {
    if chats.is_empty() {
        return Ok(Vec::new());
    }
    let channels = channel::by_ids(db, workspace_id, chats.iter().map(|chat| chat.account_id)).await?;
    let mut labels = store::labels(db, workspace_id, chats.iter().map(|chat| chat.id)).await?;
    let owners = channels.values().map(|channel| channel.user_id);
    let responsible = chats.iter().filter_map(|chat| chat.responsible_user_id);
    let authors = last_messages.values().filter_map(|message| message.user_id);
    let users = user::by_ids(db, workspace_id, owners.chain(responsible).chain(authors)).await?;
    let files = file::by_ids(db, workspace_id, last_messages.values().filter_map(|message| message.file_id)).await?;
    let with_everything = |chat: Model| {
        let channel = channels.get(&chat.account_id).ok_or_else(without_account)?;
        let owner = users.get(&channel.user_id).ok_or_else(without_account)?;
        let message = chat.last_message_id.and_then(|id| last_messages.remove(&id));
        Ok(ChatDetails {
            labels: labels.remove(&chat.id).unwrap_or_default(),
            responsible: chat.responsible_user_id.and_then(|id| users.get(&id).cloned()),
            last_message: message.map(|message| {
                let author = message.user_id.and_then(|id| users.get(&id).cloned());
                let file = message.file_id.and_then(|id| files.get(&id).cloned());
                LastMessage { message, author, file }
            }),
            held: ChatWithAccount { chat, channel: channel.clone(), owner: owner.clone() },
        })
    };
    chats.into_iter().map(with_everything).collect()
}

/// The chat with its account.
pub(crate) async fn with_account(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    chat: Model,
) -> Result<ChatWithAccount> {
    let channel = channel::by_ids(db, workspace_id, [chat.account_id]).await?.remove(&chat.account_id);
    let channel = channel.ok_or_else(without_account)?;
    let owner = user::find(db, workspace_id, channel.user_id).await?.ok_or_else(without_account)?;
    Ok(ChatWithAccount { chat, channel, owner })
}

/// Foreign keys hold that this is so.
fn without_account() -> Error {
    Error::Internal("a chat has no account in its workspace".to_owned())
}
