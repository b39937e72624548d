//! Visitors of web chats who have written, or have said who they are.

use sea_orm::entity::prelude::*;

use crate::{
    id::{AccountId, VisitorId, WorkspaceId},
    timestamp::Timestamp,
};

/// One visitor.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webchat_visitors")]
pub struct Model {
    /// Their id on the network.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: VisitorId,
    /// The channel that they visit.
    pub account_id: AccountId,
    /// Where that belongs.
    pub workspace_id: WorkspaceId,
    /// Who they are in the customer's own system, proved by that.
    pub external_id: Option<String>,
    /// Their address, as they or the customer's system say.
    pub email: Option<String>,
    /// Their name, likewise.
    pub name: Option<String>,
    /// Number of the last entry that they get to see; 0 before the first.
    pub last_entry: i64,
    /// Up to which entry their browser has them.
    pub delivered_entry: i64,
    /// Up to which entry they have seen them.
    pub read_entry: i64,
    /// When they were first known.
    pub created_at: Timestamp,
    /// When what is known of them last changed.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
