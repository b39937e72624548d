//! Calls of accounts, known once they have ended.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{AccountId, CallId, ChatId, WorkspaceId},
    timestamp::Timestamp,
};

/// Which way it went.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Direction {
    /// Somebody called the account.
    Incoming,
    /// The account called somebody.
    Outgoing,
}

/// How it ended.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nobody of ours took it.
    Missed,
    /// It was taken, and has ended.
    Answered,
    /// It was refused.
    Rejected,
    /// The other side took it, and it has ended.
    Ended,
    /// The other side did not take it.
    #[strum(serialize = "No Answer")]
    NoAnswer,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "calls")]
pub struct Model {
    /// Its uid on the wire.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CallId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// The account.
    pub account_id: AccountId,
    /// The chat with the other side.
    pub chat_id: ChatId,
    /// The provider's own id of it, unique for the account.
    pub provider_ref: String,
    /// Which way it went.
    pub direction: Direction,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it was a video call.
    pub is_video: bool,
    /// How long they spoke, where that is known.
    pub duration_seconds: Option<i64>,
    /// When we heard of it.
    pub created_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
