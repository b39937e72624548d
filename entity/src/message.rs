//! Messages, sent and received.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{AccountId, ChatId, FileId, MessageId, UserId, WorkspaceId},
    timestamp::Timestamp,
};

/// Which way it goes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Direction {
    /// From the workspace.
    Sent,
    /// To the workspace.
    Received,
}

/// How far it has come.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// It waits for its turn.
    Queued,
    /// It is being handed to the provider.
    Sending,
    /// The provider has it.
    Sent,
    /// The phone has it.
    Delivered,
    /// Somebody has read it.
    Read,
    /// It will not arrive; its credits were given back.
    Failed,
    /// The provider's answer was lost; it is never sent again blindly.
    Unknown,
    /// It came from outside.
    Received,
}

/// What it is, where it is not something that goes through a network.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// Written for the team; never sent.
    Note,
    /// A call that has ended; how is known of the call of the same id.
    Call,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    /// Its uid on the wire.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// The account that it goes through.
    pub account_id: AccountId,
    /// Its chat.
    pub chat_id: ChatId,
    /// Which way it goes.
    pub direction: Direction,
    /// How far it has come.
    pub status: Status,
    /// What it is, where it is not a message of the network.
    pub kind: Option<Kind>,
    /// Whether a note is for the team only.
    pub is_private: Option<bool>,
    /// Its text.
    pub text: Option<String>,
    /// Where it was written, as the wire names it.
    pub origin: String,
    /// As whom it was sent.
    pub user_id: Option<UserId>,
    /// What who wrote it in a group is called; absent in direct chats, which are with whoever writes.
    pub sender_name: Option<String>,
    /// The number of who wrote it in a group, where it is known.
    pub sender_phone: Option<String>,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// The file that it carries, or has carried.
    pub file_id: Option<FileId>,
    /// The provider's own id of it.
    pub provider_ref: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// How often it was handed to the provider.
    pub tries: i32,
    /// When it was written, as its network says; absent where that is not told, and with all that is sent from here.
    pub told_at: Option<Timestamp>,
    /// When it went out; absent before that, of what came, notes and calls, and of what had gone out and was counted
    /// before the schema step `m0060_sent`.
    pub sent_at: Option<Timestamp>,
    /// When it was accepted or received.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
}

impl Model {
    /// When it was written: as its network says, else when it was accepted or received.
    #[must_use]
    pub fn written_at(&self) -> Timestamp {
        self.told_at.unwrap_or(self.created_at)
    }
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
