//! Who did what.

use sea_orm::entity::prelude::*;

use crate::{
    id::{AuditId, PartnerId, WorkspaceId},
    timestamp::Timestamp,
};

/// One change, written in its transaction. Secrets never stand in it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entries")]
pub struct Model {
    /// Its id, time-ordered.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it: `partner:<id>`, `operator:<name>`, `link:<id>`, `connector:<kind>`, `system`.
    pub actor: String,
    /// What was done: `workspace.create`.
    pub action: String,
    /// The partner it concerns.
    pub partner_id: Option<PartnerId>,
    /// The workspace it concerns.
    pub workspace_id: Option<WorkspaceId>,
    /// The thing it was done to.
    pub target: String,
    /// What it was before, as JSON.
    pub before: Option<String>,
    /// What it became, as JSON.
    pub after: Option<String>,
    /// The request that asked for it.
    pub request_id: Option<String>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
