//! Finding out through which account and in which chat each message of a batch goes.

use std::collections::HashMap;

use entity::{
    channel::{self, State},
    id::{AccountId, ChatId, MessageId, WorkspaceId},
};
use sea_orm::DatabaseTransaction;

use crate::{
    channel as channels,
    error::{Error, Result},
    message::{Destination, Jid, send::Sending, writer::store},
    phone::Phone,
};

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) account_id: AccountId,
    pub(super) chat: Chat,
}

/// A chat that is there, or one that is to be made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Chat {
    Known(ChatId),
    New(AccountId, Jid),
}

/// What a batch needs to know of accounts, chats and messages that it refers to.
pub(super) struct Places {
    channels: HashMap<WorkspaceId, Vec<channel::Model>>,
    chats: HashMap<ChatId, store::ChatPlace>,
    by_jid: HashMap<(AccountId, String), ChatId>,
    messages: HashMap<MessageId, store::MessagePlace>,
}

impl Places {
    pub(super) async fn read(tx: &DatabaseTransaction, ids: &[WorkspaceId], sendings: &[Sending]) -> Result<Self> {
        let mut channels: HashMap<WorkspaceId, Vec<channel::Model>> = HashMap::new();
        for channel in channels::all_of(tx, ids).await? {
            channels.entry(channel.workspace_id).or_default().push(channel);
        }
        let mut places = Self { channels, chats: HashMap::new(), by_jid: HashMap::new(), messages: HashMap::new() };
        let named = sendings.iter().filter_map(|one| match one.command.destination {
            Destination::Chat(id) => Some(id),
            _ => None,
        });
        let addressed: Vec<(AccountId, String)> = sendings.iter().filter_map(|one| places.address(one)).collect();
        let answered = sendings.iter().filter_map(|one| one.command.reply_to);
        let chats = store::chats(tx, named.collect()).await?;
        places.chats = chats.into_iter().map(|chat| (chat.id, chat)).collect();
        for chat in store::chats_by_jid(tx, addressed).await? {
            places.by_jid.insert((chat.account_id, chat.jid), chat.id);
        }
        let messages = store::messages(tx, answered.collect()).await?;
        places.messages = messages.into_iter().map(|message| (message.id, message)).collect();
        Ok(places)
    }

    /// Where a message goes.
    pub(super) fn route(&self, sending: &Sending) -> Result<Route> {
        let workspace_id = sending.caller.workspace.id;
        let route = match &sending.command.destination {
            Destination::Phone { phone, account } => self.to_jid(workspace_id, &Jid::of(phone), account.as_ref())?,
            Destination::Jid { jid, account } => self.to_jid(workspace_id, jid, account.as_ref())?,
            Destination::Chat(id) => {
                let unknown = || Error::ChatNotFound(id.to_string());
                let chat = self.chats.get(id).filter(|chat| chat.workspace_id == workspace_id).ok_or_else(unknown)?;
                let channels = self.channels.get(&workspace_id).map_or(&[][..], Vec::as_slice);
                let channel = channels.iter().find(|channel| channel.account_id == chat.account_id);
                channel.filter(|channel| is_usable(channel)).ok_or(Error::ChannelNotConnected)?;
                Route { account_id: chat.account_id, chat: Chat::Known(*id) }
            }
        };
        if let Some(uid) = sending.command.reply_to {
            let known = self.messages.get(&uid);
            let fits = known
                .is_some_and(|message| message.workspace_id == workspace_id && message.account_id == route.account_id);
            if !fits {
                return Err(Error::MessageNotFound(uid.to_string()));
            }
        }
        Ok(route)
    }

    fn to_jid(&self, id: WorkspaceId, jid: &Jid, account: Option<&Phone>) -> Result<Route> {
        let account_id = self.channel(id, account)?.account_id;
        let known = self.by_jid.get(&(account_id, jid.as_str().to_owned()));
        let chat = known.map_or_else(|| Chat::New(account_id, jid.clone()), |id| Chat::Known(*id));
        Ok(Route { account_id, chat })
    }

    /// The account of this number, or the one that was connected last.
    fn channel(&self, id: WorkspaceId, account: Option<&Phone>) -> Result<&channel::Model> {
        let channels = self.channels.get(&id).map_or(&[][..], Vec::as_slice);
        match account {
            Some(phone) => {
                let known = channels.iter().find(|channel| channel.phone == phone.as_str());
                let channel = known.ok_or_else(|| Error::AccountNotFound(phone.as_str().to_owned()))?;
                Some(channel).filter(|channel| is_usable(channel)).ok_or(Error::ChannelNotConnected)
            }
            None => {
                let usable = channels.iter().filter(|channel| is_usable(channel));
                usable
                    .max_by_key(|channel| (channel.connected_at, channel.account_id))
                    .ok_or(Error::ChannelNotConnected)
            }
        }
    }

    fn address(&self, sending: &Sending) -> Option<(AccountId, String)> {
        let (jid, account) = match &sending.command.destination {
            Destination::Phone { phone, account } => (Jid::of(phone), account),
            Destination::Jid { jid, account } => (jid.clone(), account),
            Destination::Chat(_) => return None,
        };
        let channel = self.channel(sending.caller.workspace.id, account.as_ref()).ok()?;
        Some((channel.account_id, jid.as_str().to_owned()))
    }
}

fn is_usable(channel: &channel::Model) -> bool {
    channel.state == State::Connected && !channel.suspended
}
