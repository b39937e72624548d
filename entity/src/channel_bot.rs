//! Which bot answers what comes to a channel.

use sea_orm::entity::prelude::*;

use crate::{
    id::{AccountId, BotId, WorkspaceId},
    timestamp::Timestamp,
};

/// A channel's bot.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "channel_bots")]
pub struct Model {
    /// The channel, which has at most one.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Where both belong.
    pub workspace_id: WorkspaceId,
    /// The bot.
    pub bot_id: BotId,
    /// Since when.
    pub created_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
