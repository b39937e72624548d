//! Objects of the storage that belong to no content: uploads under way, and what is to be removed.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blob_strays")]
pub struct Model {
    /// Its name in the storage.
    #[sea_orm(primary_key, auto_increment = false)]
    pub object_key: String,
    /// The storage's name of an upload in parts.
    pub upload_id: Option<String>,
    /// When it is removed, unless a content claims it before.
    pub due_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
