//! Contents of files, each stored once in its workspace.

use sea_orm::entity::prelude::*;

use crate::{
    id::{BlobId, WorkspaceId},
    timestamp::Timestamp,
};

/// One content.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blobs")]
pub struct Model {
    /// Its number.
    #[sea_orm(primary_key)]
    pub id: BlobId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Digest of the content.
    pub sha256: Vec<u8>,
    /// Its name in the storage.
    pub object_key: String,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
