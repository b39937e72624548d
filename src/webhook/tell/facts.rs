//! What bodies say of chats and accounts.

use std::collections::{BTreeSet, HashMap};

use entity::{
    id::{ChatId, MessageId, PartnerId, WorkspaceId},
    timestamp::Timestamp,
};
use sea_orm::{DatabaseTransaction, FromQueryResult};

use crate::{
    error::{Error, Result},
    webhook::tell::store,
    zone,
};

/// An account, its owner and its workspace.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct AccountFacts {
    pub(super) partner_id: PartnerId,
    pub(super) time_zone: String,
    /// Its id on the network.
    pub(super) wid: String,
    pub(super) account_phone: String,
    pub(super) account_name: String,
    pub(super) connected_at: Timestamp,
    pub(super) disconnected_at: Option<Timestamp>,
    pub(super) is_active: bool,
    pub(super) owner_name: String,
    pub(super) owner_email: String,
}

impl AccountFacts {
    /// An instant as its workspace writes it.
    pub(super) fn time(&self, at: Timestamp) -> String {
        zone::local_time(at, &self.time_zone)
    }
}

/// A chat and its account.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct ChatFacts {
    pub(super) id: ChatId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) name: String,
    pub(super) phone: Option<String>,
    pub(super) jid: String,
    pub(super) is_group: bool,
    pub(super) closed: bool,
    pub(super) read: bool,
    pub(super) is_answered_automatically: bool,
    /// Since when the other side waits for an automatic answer.
    pub(super) waiting_since: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    pub(super) last_message_id: Option<MessageId>,
    pub(super) last_message_at: Option<Timestamp>,
    pub(super) responsible_name: Option<String>,
    pub(super) responsible_email: Option<String>,
    #[sea_orm(nested)]
    pub(super) account: AccountFacts,
    #[sea_orm(skip)]
    pub(super) labels: Vec<String>,
}

/// These chats, by id.
pub(super) async fn chats(tx: &DatabaseTransaction, ids: BTreeSet<ChatId>) -> Result<HashMap<ChatId, ChatFacts>> {
    let ids: Vec<ChatId> = ids.into_iter().collect();
    let found = store::chats(tx, &ids).await?;
    let mut labels = store::labels(tx, &ids).await?;
    let with_labels = |chat: ChatFacts| {
        let labels = labels.remove(&chat.id).unwrap_or_default();
        (chat.id, ChatFacts { labels, ..chat })
    };
    Ok(found.into_iter().map(with_labels).collect())
}

/// This chat.
pub(super) async fn chat(tx: &DatabaseTransaction, id: ChatId) -> Result<ChatFacts> {
    let found = chats(tx, BTreeSet::from([id])).await?.remove(&id);
    found.ok_or_else(|| Error::Internal("a chat is not there".to_owned()))
}
