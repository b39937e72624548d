//! Secrets with which partners sign.

use sea_orm::entity::prelude::*;

use crate::{
    id::{PartnerId, SecretId},
    timestamp::Timestamp,
};

/// One secret of a partner; two verify while a rotation overlaps.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "partner_secrets")]
pub struct Model {
    /// Its id, time-ordered: the oldest that has not expired signs.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SecretId,
    /// Whose secret it is.
    pub partner_id: PartnerId,
    /// The secret under the master key.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops verifying; set by a rotation.
    pub expires_at: Option<Timestamp>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
