//! What the Channels API keeps of a channel besides the account itself. Accounts that were linked with a page have no
//! row before somebody changes something of theirs, or a worker looks how they are.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    attempt::Failure,
    id::{AccountId, WorkspaceId},
    timestamp::Timestamp,
};

/// What is known of a channel's connection besides whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Health {
    /// Nobody has looked yet.
    Unknown,
    /// All that was looked at is as it should be.
    Healthy,
    /// Something is not as it should be, but it works.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// The settings of one channel.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "channel_settings")]
pub struct Model {
    /// The channel.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// Name for people; empty where the account's own serves.
    pub name: String,
    /// How it is set up, as JSON, without what is secret.
    pub config: String,
    /// What is secret of that, as JSON, sealed.
    pub secrets: Option<Vec<u8>>,
    /// What the customer keeps with it, as JSON.
    pub metadata: String,
    /// The account that the set-up names, with its network in front; no two channels of a workspace have the same.
    pub identity: Option<String>,
    /// The account's name on its network, where that is not a number.
    pub username: Option<String>,
    /// What signs what comes to the channel's address, sealed.
    pub webhook_secret: Vec<u8>,
    /// Public token with which a website opens its widget; for web chats only.
    pub widget_token: Option<String>,
    /// When it was last switched on.
    pub activated_at: Option<Timestamp>,
    /// When it was last switched off.
    pub deactivated_at: Option<Timestamp>,
    /// Why, in the customer's words.
    pub deactivation_reason: Option<String>,
    /// Until when its session waits for a phone; absent while none does.
    pub connecting_until: Option<Timestamp>,
    /// When a worker looks at that session next.
    pub look_at: Option<Timestamp>,
    /// Why it was not connected when it was last tried.
    pub link_failure: Option<Failure>,
    /// How the connection is.
    pub health: Health,
    /// When that was last looked at.
    pub checked_at: Option<Timestamp>,
    /// When it was last seen to work.
    pub worked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
