//! How much went through channels, counted in minutes, hours and days.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{id::AccountId, timestamp::Timestamp};

/// How long a stretch of time is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Span {
    /// 60 seconds.
    Minute,
    /// 3600 seconds.
    Hour,
    /// A day of UTC.
    Day,
}

/// What went through a channel in one stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "channel_traffic")]
pub struct Model {
    /// The channel.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// How long the stretch is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub span: Span,
    /// When it begins.
    #[sea_orm(primary_key, auto_increment = false)]
    pub start: Timestamp,
    /// Messages that came.
    pub received: i64,
    /// Messages that went out.
    pub sent: i64,
    /// Conversations that began.
    pub started: i64,
    /// Conversations that were closed.
    pub closed: i64,
    /// Messages that answered what had come.
    pub responses: i64,
    /// How long that had waited in all, in seconds.
    pub response_seconds: i64,
    /// How old the closed conversations were in all, in seconds.
    pub resolution_seconds: i64,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
