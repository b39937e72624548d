//! Callbacks of providers that were taken in, so that one that comes again is known.

use sea_orm::entity::prelude::*;

use crate::{id::AttemptId, timestamp::Timestamp};

/// One callback.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connector_callbacks")]
pub struct Model {
    /// The session that it is about.
    #[sea_orm(primary_key, auto_increment = false)]
    pub session_id: AttemptId,
    /// SHA-256 of the provider's id of it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: Vec<u8>,
    /// SHA-256 of the name of what it changes, where only the latest change counts.
    pub about: Option<Vec<u8>>,
    /// When it happened, as the provider says.
    pub happened_at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
