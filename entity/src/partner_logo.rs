//! Logos that partners uploaded for their pages.

use sea_orm::entity::prelude::*;

use crate::{id::PartnerId, timestamp::Timestamp};

/// A partner's logo: PNG, JPEG or WebP, at most 256 KiB.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "partner_logos")]
pub struct Model {
    /// Whose logo it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub partner_id: PartnerId,
    /// Media type, found from the bytes.
    pub content_type: String,
    /// The picture.
    pub bytes: Vec<u8>,
    /// When it was uploaded.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
