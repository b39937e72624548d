//! Workspaces: the customers of partners.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{GroupId, PartnerId, PlanId, UserId, WorkspaceId, WorkspaceSlug},
    timestamp::Timestamp,
};

/// Whether a workspace is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// In use.
    Active,
    /// Its tokens and links are refused.
    Suspended,
}

/// One customer of a partner.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workspaces")]
pub struct Model {
    /// Number inside the database.
    #[sea_orm(primary_key)]
    pub id: WorkspaceId,
    /// Who sells it.
    pub partner_id: PartnerId,
    /// Its id on the wire; never changes.
    pub slug: WorkspaceSlug,
    /// Name for people.
    pub display_name: String,
    /// The name folded for search and order.
    pub display_name_folded: String,
    /// What its seats buy.
    pub plan_id: PlanId,
    /// Whether it is served.
    pub status: Status,
    /// Seats bought.
    pub seats_total: i32,
    /// Seats held by users that are not suspended.
    pub seats_used: i32,
    /// The user that the partner's tokens act as.
    pub owner_user_id: Option<UserId>,
    /// The group new users join.
    pub group_id: Option<GroupId>,
    /// IANA zone in which the Public API writes times; display only.
    pub time_zone: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
