//! Invitations of users.

use sea_orm::entity::prelude::*;

use crate::{
    id::{UserId, WorkspaceId},
    timestamp::Timestamp,
};

/// The invitation of one user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub struct Model {
    /// Who is invited.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Where to.
    pub workspace_id: WorkspaceId,
    /// By whom.
    pub invited_by: UserId,
    /// SHA-256 of the link's token.
    pub digest: Vec<u8>,
    /// The token under the master key; absent once it was accepted.
    pub sealed: Option<Vec<u8>>,
    /// When the link stops working.
    pub expires_at: Timestamp,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// When it was last sent.
    pub created_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
