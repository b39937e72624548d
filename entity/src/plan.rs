//! Plans: what a seat buys.

use sea_orm::entity::prelude::*;

use crate::{credits::Credits, id::PlanId, timestamp::Timestamp};

/// What workspaces on this plan may use.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "plans")]
pub struct Model {
    /// Number on the wire.
    #[sea_orm(primary_key)]
    pub id: PlanId,
    /// Name for the operator, unique.
    pub name: String,
    /// Recurring credits per seat and period.
    pub credits_per_seat: Credits,
    /// API calls per workspace and period, reads included.
    pub api_calls_per_period: i64,
    /// Sustained requests per second of one token.
    pub token_rate_per_second: i32,
    /// Requests above the rate that one token may make at once.
    pub token_burst: i32,
    /// Sustained requests per second of one workspace.
    pub workspace_rate_per_second: i32,
    /// Sustained requests per second of one partner.
    pub partner_rate_per_second: i32,
    /// Pause between two messages of one channel, in milliseconds.
    pub pacing_ms: i64,
    /// Most channels of one workspace; its seats where absent.
    pub max_channels: Option<i32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
