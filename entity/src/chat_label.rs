//! Labels on chats.

use sea_orm::entity::prelude::*;

use crate::id::{ChatId, WorkspaceId};

/// One label on one chat.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "chat_labels")]
pub struct Model {
    /// The chat.
    #[sea_orm(primary_key, auto_increment = false)]
    pub chat_id: ChatId,
    /// The label.
    #[sea_orm(primary_key, auto_increment = false)]
    pub label: String,
    /// Where both belong.
    pub workspace_id: WorkspaceId,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
