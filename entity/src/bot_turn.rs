//! What a bot has still to answer, a row for each chat.

use sea_orm::entity::prelude::*;

use crate::{
    id::{ChatId, LeaseId, MessageId, WorkspaceId},
    timestamp::Timestamp,
};

/// One chat's turn.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bot_turns")]
pub struct Model {
    /// The chat.
    #[sea_orm(primary_key, auto_increment = false)]
    pub chat_id: ChatId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// The newest message that has no answer; absent while nothing waits.
    pub message_id: Option<MessageId>,
    /// When the oldest message came that has no answer.
    pub waiting_since: Option<Timestamp>,
    /// When it is answered, or when the lease on it ends; absent while nothing waits.
    pub due_at: Option<Timestamp>,
    /// Who is answering.
    pub lease: Option<LeaseId>,
    /// How often the bot was asked about what waits.
    pub tries: i32,
    /// The message that the bot was last asked about.
    pub answered_id: Option<MessageId>,
    /// What it said to that; kept until it is sent.
    pub reply: Option<String>,
    /// Replies of the shorter window.
    pub replies: i32,
    /// When that window began.
    pub replies_since: Timestamp,
    /// Replies of the longer window.
    pub day_replies: i32,
    /// When that window began.
    pub day_since: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
