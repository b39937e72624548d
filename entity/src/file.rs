//! Files of workspaces.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{BlobId, FileId, UserId, WorkspaceId},
    timestamp::Timestamp,
};

/// How a message shows it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// As what it is: a picture, a film, a sound, a document.
    Media,
    /// As a document, whatever it is.
    Document,
    /// As something that was spoken.
    Voice,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "files")]
pub struct Model {
    /// Its uid on the wire.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FileId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Its content, which it may share.
    pub blob_id: BlobId,
    /// Its name.
    pub filename: String,
    /// Its name in the form that is searched.
    pub filename_folded: String,
    /// Its media type.
    pub content_type: String,
    /// Its length in bytes.
    pub size: i64,
    /// How a message shows it.
    pub kind: Kind,
    /// As whom it was uploaded; nobody for what came from outside.
    pub user_id: Option<UserId>,
    /// Until when a message has time to carry it; then it goes, if none does.
    pub provisional_until: Option<Timestamp>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// Since when only the messages that carry it show it.
    pub deleted_at: Option<Timestamp>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
