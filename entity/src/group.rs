//! Groups of users in a workspace.

use sea_orm::entity::prelude::*;

use crate::id::{GroupId, WorkspaceId};

/// A group; the Public API calls it team.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "groups")]
pub struct Model {
    /// Number on the wire.
    #[sea_orm(primary_key)]
    pub id: GroupId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// Its title, unique in the workspace.
    pub name: String,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
