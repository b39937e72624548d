//! Partners: resellers, who own workspaces.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{PartnerId, PlanId},
    timestamp::Timestamp,
};

/// Whether a partner may call us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// Its requests are served.
    Active,
    /// Its requests, and those of its workspaces, are refused.
    Disabled,
}

/// A reseller.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "partners")]
pub struct Model {
    /// The slug that its backends send as `X-TL-Partner-Id`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PartnerId,
    /// Name for the operator.
    pub name: String,
    /// Plan of the workspaces that it creates.
    pub plan_id: PlanId,
    /// Whether it may call us.
    pub status: Status,
    /// Its workspaces use simulated phones.
    pub sandbox: bool,
    /// Name that its customers see; the partner's name where absent.
    pub brand_name: Option<String>,
    /// Accent colour on its pages, `#rrggbb`.
    pub brand_color: Option<String>,
    /// Origins that may embed its pages: a JSON array of `scheme://host[:port]`.
    pub embedding_origins: String,
    /// Percentages of a quota at which the partner is told, ascending, separated by commas.
    pub thresholds: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
