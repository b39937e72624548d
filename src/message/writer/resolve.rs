//! Finding out through which account and in which chat each message of a batch goes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use entity::id::{AccountId, ChatId, FileId, MessageId, WorkspaceId};
use sea_orm::DatabaseTransaction;

use crate::{
    channel::capabilities::{self, With},
    error::{Error, Result},
    file,
    message::{
        Destination, Jid,
        send::{Author, Sending},
        writer::{
            memory::{Address, Memory, Place},
            store,
        },
    },
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
#[derive(Default)]
pub(super) struct Places {
    accounts: HashMap<WorkspaceId, Arc<[store::Account]>>,
    chats: HashMap<ChatId, Place>,
    by_jid: HashMap<Address, ChatId>,
    /// Those of the chats that a bot writes to, and may.
    answered_automatically: HashSet<ChatId>,
    messages: HashMap<MessageId, store::MessagePlace>,
    /// Chats that had to be asked for.
    asked_for: Vec<store::ChatPlace>,
    files: HashMap<FileId, entity::file::Model>,
}

impl Places {
    /// What is remembered. It knows no messages and no files.
    pub(super) fn recall<'a>(
        memory: &Memory,
        held: impl Iterator<Item = &'a store::Held>,
        sendings: &[&Sending],
    ) -> Self {
        let accounts = held.map(|held| (held.workspace_id, held.accounts())).collect();
        let mut places = Self { accounts, ..Self::default() };
        for sending in sendings {
            if let Destination::Chat(id) = sending.command.destination {
                places.chats.extend(memory.place_of(id).map(|place| (id, place)));
            } else if let Some(address) = places.address(sending) {
                places.by_jid.extend(memory.chat_at(&address).map(|id| (address, id)));
            }
        }
        places
    }

    /// What is remembered, and the rest from the database.
    pub(super) async fn read<'a>(
        tx: &DatabaseTransaction,
        memory: &Memory,
        held: impl Iterator<Item = &'a store::Held>,
        sendings: &[&Sending],
    ) -> Result<Self> {
        let mut places = Self::recall(memory, held, sendings);
        places.files = file::attachable(tx, sendings.iter().filter_map(|one| one.command.file).collect()).await?;
        let (mut named, mut addressed) = (Vec::new(), Vec::new());
        for sending in sendings {
            match (&sending.command.destination, places.address(sending)) {
                (Destination::Chat(id), _) if sending.author == Author::Bot || !places.chats.contains_key(id) => {
                    named.push(*id);
                }
                (_, Some(address)) if !places.by_jid.contains_key(&address) => addressed.push(address),
                _ => {}
            }
        }
        for chat in store::chats(tx, named).await? {
            if chat.is_answered_automatically {
                places.answered_automatically.insert(chat.id);
            }
            places.chats.insert(chat.id, chat.place());
            places.asked_for.push(chat);
        }
        for chat in store::chats_by_jid(tx, addressed).await? {
            places.by_jid.insert(chat.address(), chat.id);
            places.asked_for.push(chat);
        }
        let answered = sendings.iter().filter_map(|one| one.command.reply_to);
        let messages = store::messages(tx, answered.collect()).await?;
        places.messages = messages.into_iter().map(|message| (message.id, message)).collect();
        Ok(places)
    }

    /// Chats that had to be asked for.
    pub(super) fn asked_for(&self) -> &[store::ChatPlace] {
        &self.asked_for
    }

    /// Where a message goes.
    pub(super) fn route(&self, sending: &Sending) -> Result<Route> {
        let workspace_id = sending.caller.workspace.id;
        let route = match &sending.command.destination {
            Destination::Phone { phone, account } => self.to_jid(workspace_id, &Jid::of(phone), account.as_ref())?,
            Destination::Jid { jid, account } => self.to_jid(workspace_id, jid, account.as_ref())?,
            Destination::Channel { account_id, jid } => {
                let own = self.accounts(workspace_id).iter().find(|account| account.id == *account_id);
                own.filter(|account| account.is_usable).ok_or(Error::ChannelNotConnected)?;
                self.through(*account_id, jid)
            }
            Destination::Chat(id) => {
                let unknown = || Error::ChatNotFound(id.to_string());
                let chat = self.chats.get(id).filter(|chat| chat.workspace_id == workspace_id).ok_or_else(unknown)?;
                let own = self.accounts(workspace_id).iter().find(|account| account.id == chat.account_id);
                own.filter(|account| account.is_usable).ok_or(Error::ChannelNotConnected)?;
                if sending.author == Author::Bot && !self.answered_automatically.contains(id) {
                    return Err(Error::PermissionDenied("the chat is not answered automatically"));
                }
                Route { account_id: chat.account_id, chat: Chat::Known(*id) }
            }
        };
        self.require_fitting(workspace_id, route.account_id, sending)?;
        if let Some(uid) = sending.command.reply_to {
            let known = self.messages.get(&uid);
            let fits = known
                .is_some_and(|message| message.workspace_id == workspace_id && message.account_id == route.account_id);
            if !fits {
                return Err(Error::MessageNotFound(uid.to_string()));
            }
            if known.is_some_and(|message| message.kind.is_some()) {
                return Err(Error::field("reply_to", "must be a message of the network, not a note or a call"));
            }
        }
        Ok(route)
    }

    /// Passes if an account takes a text as long as this, and such a file.
    fn require_fitting(&self, workspace_id: WorkspaceId, account_id: AccountId, sending: &Sending) -> Result<()> {
        let own = self.accounts(workspace_id).iter().find(|account| account.id == account_id);
        let file = sending.command.file.map(|uid| self.file(workspace_id, uid)).transpose()?;
        let Some(own) = own else { return Ok(()) };
        if let Some(text) = &sending.command.text {
            let with = if file.is_some() { With::File } else { With::Nothing };
            capabilities::check_text(own.network, text.as_str(), with, "text")?;
        }
        file.map_or(Ok(()), |file| capabilities::check_file(own.network, own.connector, file, "file_uid"))
    }

    /// The workspace's file of this uid, which a message may carry.
    fn file(&self, workspace_id: WorkspaceId, uid: FileId) -> Result<&entity::file::Model> {
        let own = self.files.get(&uid).filter(|file| file.workspace_id == workspace_id);
        own.ok_or_else(|| Error::FileNotFound(uid.to_string()))
    }

    fn to_jid(&self, id: WorkspaceId, jid: &Jid, account: Option<&Phone>) -> Result<Route> {
        Ok(self.through(self.account(id, account)?.id, jid))
    }

    fn through(&self, account_id: AccountId, jid: &Jid) -> Route {
        let known = self.by_jid.get(&(account_id, jid.as_str().to_owned()));
        let chat = known.map_or_else(|| Chat::New(account_id, jid.clone()), |id| Chat::Known(*id));
        Route { account_id, chat }
    }

    fn accounts(&self, id: WorkspaceId) -> &[store::Account] {
        self.accounts.get(&id).map_or(&[][..], AsRef::as_ref)
    }

    /// The WhatsApp account of this number, or the one that was connected last.
    fn account(&self, id: WorkspaceId, phone: Option<&Phone>) -> Result<&store::Account> {
        let mut accounts = self.accounts(id).iter().filter(|account| account.is_whatsapp);
        match phone {
            Some(phone) => {
                let known = accounts.find(|account| account.phone == phone.as_str());
                let account = known.ok_or_else(|| Error::AccountNotFound(phone.as_str().to_owned()))?;
                Some(account).filter(|account| account.is_usable).ok_or(Error::ChannelNotConnected)
            }
            None => {
                let usable = accounts.filter(|account| account.is_usable);
                usable.max_by_key(|account| (account.connected_at, account.id)).ok_or(Error::ChannelNotConnected)
            }
        }
    }

    /// The address of a message that names no chat of ours.
    pub(super) fn address(&self, sending: &Sending) -> Option<Address> {
        let (jid, account) = match &sending.command.destination {
            Destination::Phone { phone, account } => (Jid::of(phone), account),
            Destination::Jid { jid, account } => (jid.clone(), account),
            Destination::Channel { account_id, jid } => return Some((*account_id, jid.as_str().to_owned())),
            Destination::Chat(_) => return None,
        };
        let account = self.account(sending.caller.workspace.id, account.as_ref()).ok()?;
        Some((account.id, jid.as_str().to_owned()))
    }
}
