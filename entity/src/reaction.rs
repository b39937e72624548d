//! Reactions to messages: at most one of each who sees them.

use sea_orm::entity::prelude::*;

use crate::{
    id::{MessageId, WorkspaceId},
    timestamp::Timestamp,
};

/// One reaction.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reactions")]
pub struct Model {
    /// The message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: MessageId,
    /// Whose it is: an id on the network.
    #[sea_orm(primary_key, auto_increment = false)]
    pub reactor: String,
    /// Where the message belongs.
    pub workspace_id: WorkspaceId,
    /// Name of whose it is, for people.
    pub name: String,
    /// Number of whose it is, where it is known.
    pub phone: Option<String>,
    /// The emoji.
    pub emoji: String,
    /// Whether it is the workspace's own account's.
    pub is_own: bool,
    /// When it was placed.
    pub reacted_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
