//! What a workspace was granted in a billing period.

use sea_orm::entity::prelude::*;

use crate::{id::WorkspaceId, timestamp::Timestamp};

/// One workspace in one period (UTC calendar month).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quota_periods")]
pub struct Model {
    /// Whose period it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: WorkspaceId,
    /// First instant of the period.
    #[sea_orm(primary_key, auto_increment = false)]
    pub period_start: Timestamp,
    /// Highest seat count granted in the period; lowering seats does not lower it.
    pub seats_granted: i32,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
