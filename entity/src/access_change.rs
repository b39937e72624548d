//! Changes of who may come in: a token revoked, a workspace or a partner suspended.

use sea_orm::entity::prelude::*;

use crate::{
    id::{AccessChangeId, PartnerId, WorkspaceId},
    timestamp::Timestamp,
};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_changes")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccessChangeId,
    /// The partner it concerns.
    pub partner_id: PartnerId,
    /// The workspace it concerns; absent for all of the partner's.
    pub workspace_id: Option<WorkspaceId>,
    /// When it was made.
    pub changed_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
