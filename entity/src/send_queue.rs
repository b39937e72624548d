//! What waits on a channel to be sent.

use sea_orm::entity::prelude::*;

use crate::{
    id::{AccountId, LeaseId, WorkspaceId},
    timestamp::Timestamp,
};

/// One channel's queue.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "send_queues")]
pub struct Model {
    /// The channel.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// Messages that are queued or being sent.
    pub queued: i64,
    /// When the next may go, or when the lease on it ends; absent while nothing waits.
    pub due_at: Option<Timestamp>,
    /// Until when the channel rests after its last message.
    pub rest_until: Timestamp,
    /// Whose turn it is.
    pub lease: Option<LeaseId>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
