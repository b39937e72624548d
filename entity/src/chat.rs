//! Chats: conversations of an account with a person or a group.

use sea_orm::entity::prelude::*;

use crate::{
    id::{AccountId, ChatId, MessageId, UserId, WorkspaceId},
    timestamp::Timestamp,
};

/// One chat.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "chats")]
pub struct Model {
    /// Number on the wire.
    #[sea_orm(primary_key)]
    pub id: ChatId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// The account that it is held with.
    pub account_id: AccountId,
    /// Its id on the network.
    pub jid: String,
    /// The other side's number; absent for groups.
    pub phone: Option<String>,
    /// Name for people.
    pub name: String,
    /// The name for search and order.
    pub name_folded: String,
    /// Whether a client gave it the name; one that only its network told, or its number, is nobody's alone.
    pub name_given: bool,
    /// Whether it is a group.
    pub is_group: bool,
    /// Whether it is closed.
    pub closed: bool,
    /// Whether it has been read.
    pub read: bool,
    /// How many messages have come since; of no meaning in one that has been read.
    pub unread: i64,
    /// Whether it is answered automatically.
    pub autoresponse: bool,
    /// Whether somebody has written in it since, so that it is not until it is switched on again.
    pub autoresponse_locked: bool,
    /// Who looks after it.
    pub responsible_user_id: Option<UserId>,
    /// Its newest message.
    pub last_message_id: Option<MessageId>,
    /// When that was.
    pub last_message_at: Option<Timestamp>,
    /// The hour of that, counted from 1970; 0 where there was none.
    pub active_hour: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Model {
    /// Whether what comes is answered automatically now.
    #[must_use]
    pub const fn is_answered_automatically(&self) -> bool {
        self.autoresponse && !self.autoresponse_locked
    }
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
