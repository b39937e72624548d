//! What became of messages, step by step.

use sea_orm::entity::prelude::*;

use crate::{
    id::{MessageId, MessageStatusId},
    message::Status,
    timestamp::Timestamp,
};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message_statuses")]
pub struct Model {
    /// Order of writing.
    #[sea_orm(primary_key)]
    pub id: MessageStatusId,
    /// The message.
    pub message_id: MessageId,
    /// What it became.
    pub status: Status,
    /// Why, where it failed.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
