//! Which channel of a workspace a network's name alone means. Portals that know one channel of each type use it.

use sea_orm::entity::prelude::*;

use crate::{
    channel::Network,
    id::{AccountId, WorkspaceId},
};

/// The place that a workspace has for one channel of a network.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "channel_slots")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: WorkspaceId,
    /// The network.
    #[sea_orm(primary_key, auto_increment = false)]
    pub network: Network,
    /// The channel that was made for it, deleted or not.
    pub account_id: Option<AccountId>,
    /// Whether a campaign of the customer's runs on it, which keeps it connected.
    pub campaign_running: bool,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
