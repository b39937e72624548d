//! Members of groups, as far as they are known.

use sea_orm::entity::prelude::*;

use crate::id::{ChatId, WorkspaceId};

/// One member of one group.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "chat_members")]
pub struct Model {
    /// The group.
    #[sea_orm(primary_key, auto_increment = false)]
    pub chat_id: ChatId,
    /// The member's number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub phone: String,
    /// Where the group belongs.
    pub workspace_id: WorkspaceId,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
