//! Answers that are given again to a repeated request.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// One key of one caller, with what its first request led to.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// Whose key it is: `partner:<id>`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    /// The caller's key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// SHA-256 of operation, target and body.
    pub fingerprint: Vec<u8>,
    /// What the request led to, sealed; absent only inside the transaction that makes it.
    pub outcome: Option<Vec<u8>>,
    /// When it was first used; kept for 30 days.
    pub created_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
