//! How much has gone through each channel in all, up to where [`crate::traffic_progress`] says.

use sea_orm::entity::prelude::*;

use crate::{id::AccountId, timestamp::Timestamp};

/// What has gone through a channel.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "channel_totals")]
pub struct Model {
    /// The channel.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Messages that came.
    pub received: i64,
    /// Messages that went out.
    pub sent: i64,
    /// When the last one came.
    pub last_received_at: Option<Timestamp>,
    /// When the last one went out.
    pub last_sent_at: Option<Timestamp>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
