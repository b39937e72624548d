//! What chats are shown with, read in one statement for each kind of thing, however many chats there are.

use std::collections::{BTreeSet, HashMap};

use entity::{
    call::Outcome,
    chat::Model,
    id::{AccountId, ChatId, MessageId, WorkspaceId},
    message::{self, Direction, Kind},
    timestamp::Timestamp,
};
use sea_orm::ConnectionTrait;

use crate::{
    call as calls, channel,
    chat::{ChatDetails, ChatWithAccount, LastMessage, Member, store, visibility::View},
    error::{Error, Result},
    file,
    message::read::{self, ById},
    phone::Phone,
    user,
};

/// Chats with all that they are shown with to who has this view, and with those of `last_messages` that are theirs.
///
/// # Errors
/// What the database says.
pub async fn details(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    view: View,
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
    let mut calls = calls::by_ids(db, workspace_id, last_messages.values().filter_map(call_id)).await?;
    let is_seen = |direct: &Model| channels.get(&direct.account_id).is_some_and(|own| view.shows_chat(direct, own));
    let mut members = members(db, workspace_id, &chats, is_seen).await?;
    let waiting = waiting(db, workspace_id, &chats, &last_messages).await?;
    let with_everything = |chat: Model| {
        let channel = channels.get(&chat.account_id).ok_or_else(without_account)?;
        let owner = users.get(&channel.user_id).ok_or_else(without_account)?;
        let message = chat.last_message_id.and_then(|id| last_messages.remove(&id));
        Ok(ChatDetails {
            labels: labels.remove(&chat.id).unwrap_or_default(),
            members: members.remove(&chat.id).unwrap_or_default(),
            responsible: chat.responsible_user_id.and_then(|id| users.get(&id).cloned()),
            last_message: message.map(|message| {
                let author = message.user_id.and_then(|id| users.get(&id).cloned());
                let file = message.file_id.and_then(|id| files.get(&id).cloned());
                let call = calls.remove(&message.id);
                LastMessage { message, author, file, call }
            }),
            waiting_since: chat.last_message_id.and_then(|id| waiting.get(&id).copied()),
            held: ChatWithAccount { chat, channel: channel.clone(), owner: owner.clone() },
        })
    };
    chats.into_iter().map(with_everything).collect()
}

/// Known members of those chats that are groups, by number, each with the direct chat if it is seen.
async fn members(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    chats: &[Model],
    is_seen: impl Fn(&Model) -> bool,
) -> Result<HashMap<ChatId, Vec<Member>>> {
    let groups: HashMap<ChatId, AccountId> =
        chats.iter().filter(|chat| chat.is_group).map(|chat| (chat.id, chat.account_id)).collect();
    if groups.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = store::members(db, workspace_id, groups.keys().copied()).await?;
    let jid = |phone: &str| Phone::parse(phone).map(|phone| phone.whatsapp_id());
    let jids = rows.iter().map(|row| jid(&row.phone)).collect::<Result<BTreeSet<_>>>()?;
    let direct = store::by_jids(db, workspace_id, groups.values().copied().collect(), jids).await?;
    let direct = direct.into_iter().filter(is_seen);
    let direct: HashMap<_, _> = direct.map(|chat| ((chat.account_id, chat.jid.clone()), chat)).collect();
    let mut members: HashMap<ChatId, Vec<Member>> = HashMap::new();
    for row in rows {
        let Some(account_id) = groups.get(&row.chat_id) else { continue };
        let chat = direct.get(&(*account_id, jid(&row.phone)?));
        let direct = chat.map(|chat| (chat.id, chat.name.clone()));
        members.entry(row.chat_id).or_default().push(Member { phone: row.phone, direct });
    }
    Ok(members)
}

/// Newest messages that came in chats that are answered automatically, and when; calls only if they were missed. Few
/// chats are, and their messages are read unless they have been.
async fn waiting(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    chats: &[Model],
    known: &ById,
) -> Result<HashMap<MessageId, Timestamp>> {
    let newest = chats.iter().filter(|chat| chat.is_answered_automatically()).filter_map(|chat| chat.last_message_id);
    let (known_ids, unknown): (Vec<MessageId>, Vec<MessageId>) = newest.partition(|id| known.contains_key(id));
    let read = if unknown.is_empty() { ById::new() } else { read::by_ids(db, workspace_id, unknown).await? };
    let of_known = known_ids.iter().filter_map(|id| known.get(id));
    let received = of_known.chain(read.values()).filter(|message| message.direction == Direction::Received);
    let received: Vec<&message::Model> = received.collect();
    let calls = calls::by_ids(db, workspace_id, received.iter().filter_map(|message| call_id(message))).await?;
    let waits = |message: &&message::Model| calls.get(&message.id).is_none_or(|call| call.outcome == Outcome::Missed);
    Ok(received.into_iter().filter(waits).map(|message| (message.id, message.created_at)).collect())
}

fn call_id(message: &message::Model) -> Option<MessageId> {
    (message.kind == Some(Kind::Call)).then_some(message.id)
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
