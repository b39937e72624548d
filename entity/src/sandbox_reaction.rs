//! What the simulated provider was given as the account's own reaction to a message.

use sea_orm::entity::prelude::*;

use crate::{
    id::{AttemptId, MessageId},
    timestamp::Timestamp,
};

/// The reaction to one message at the provider.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sandbox_reactions")]
pub struct Model {
    /// The message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: MessageId,
    /// The session that it came through.
    pub session_id: AttemptId,
    /// The emoji; absent once it was taken back.
    pub emoji: Option<String>,
    /// How often it was given.
    pub changes: i32,
    /// When it was last given.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
