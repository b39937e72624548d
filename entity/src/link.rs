//! Onboarding links.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    channel::Network,
    id::{LinkId, UserId, WorkspaceId},
    timestamp::Timestamp,
};

/// Whether a link opens anything. Expiry is not a state: it follows from `expires_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// It can connect one account.
    Active,
    /// It has connected one.
    Used,
    /// It was taken back.
    Revoked,
}

/// A hosted page for one user: unguessable, expiring, single use.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "links")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LinkId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// Whose account it connects.
    pub user_id: UserId,
    /// The network it connects to.
    pub network: Network,
    /// SHA-256 of its token.
    pub digest: Vec<u8>,
    /// Its token under the master key.
    pub sealed: Vec<u8>,
    /// Whether it opens anything.
    pub state: State,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// Attempts started on it.
    pub attempts_used: i32,
    /// Pairing codes asked for on it.
    pub pairing_codes_used: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used or taken back.
    pub closed_at: Option<Timestamp>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
