//! What a workspace wants to hear of, and where.

use sea_orm::entity::prelude::*;

use crate::{
    id::{SubscriptionId, WorkspaceId},
    timestamp::Timestamp,
};

/// One subscription, which the wire calls a webhook.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_subscriptions")]
pub struct Model {
    /// Number on the wire.
    #[sea_orm(primary_key)]
    pub id: SubscriptionId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The type of the events.
    pub event_type: String,
    /// The address.
    pub url: String,
    /// SHA-256 of the address, which is too long for an index.
    pub url_digest: Vec<u8>,
    /// Whether events are sent there.
    pub enabled: bool,
    /// Tries that failed since the last one that did not.
    pub errors_counter: i64,
    /// Whether its events are numbered.
    pub numbered: bool,
    /// Number of the last event, where they are numbered.
    pub last_sequence: i64,
    /// The secret that signs, sealed; absent where nothing is signed.
    pub secret: Option<Vec<u8>>,
    /// The secret before it, sealed.
    pub previous_secret: Option<Vec<u8>>,
    /// Until when that one signs too.
    pub previous_expires_at: Option<Timestamp>,
    /// Name for people; only webhooks of the Channels API have one.
    pub name: Option<String>,
    /// Types of the events, of those webhooks, separated by spaces; absent for a subscription to one type.
    pub events: Option<String>,
    /// How often a try of theirs that failed is repeated, where they say so.
    pub max_retries: Option<i32>,
    /// How long an answer to them may take, in seconds, where they say so.
    pub timeout_seconds: Option<i32>,
    /// When it was first made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was deleted; it is kept, because making it again restores it.
    pub deleted_at: Option<Timestamp>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
