//! Users: the seat holders of a workspace.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{GroupId, UserId, WorkspaceId},
    timestamp::Timestamp,
};

/// What a user is in its workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Made with the workspace; never suspended by a downgrade.
    Owner,
    /// Sees and arranges everything, as the owner does.
    Admin,
    /// Made by the partner to hang a channel on.
    Agent,
}

/// Whether a user holds a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// Holds a seat.
    Activated,
    /// Lost its seat in a downgrade.
    Suspended,
    /// Has not accepted its invitation yet, and holds no seat.
    Invited,
}

/// A user of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Number on the wire.
    #[sea_orm(primary_key)]
    pub id: UserId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// Its group.
    pub group_id: GroupId,
    /// What it is there.
    pub role: Role,
    /// Name for people.
    pub display_name: String,
    /// System address that cannot log in, or the address that was invited, folded.
    pub email: String,
    /// Whether it holds a seat.
    pub status: Status,
    /// Place in the row of suspensions of its workspace; the highest is restored first.
    pub suspension_order: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Model {
    /// Whether it sees and arranges what belongs to others in its workspace.
    #[must_use]
    pub const fn is_in_charge(&self) -> bool {
        matches!(self.role, Role::Owner | Role::Admin)
    }
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
