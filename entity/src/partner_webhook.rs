//! Where a partner wants to hear of events.

use sea_orm::entity::prelude::*;

use crate::{id::PartnerId, timestamp::Timestamp};

/// One partner's endpoint.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "partner_webhooks")]
pub struct Model {
    /// The partner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub partner_id: PartnerId,
    /// The address.
    pub url: String,
    /// Whether events are sent there.
    pub enabled: bool,
    /// Why not.
    pub disabled_reason: Option<String>,
    /// Since when no delivery has succeeded.
    pub failing_since: Option<Timestamp>,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
