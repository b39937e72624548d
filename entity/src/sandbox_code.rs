//! QR codes of the simulated provider.

use sea_orm::entity::prelude::*;

use crate::{id::AttemptId, timestamp::Timestamp};

/// One code of a session's row of five; valid in its own window only.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sandbox_codes")]
pub struct Model {
    /// The payload of the QR code.
    #[sea_orm(primary_key, auto_increment = false)]
    pub payload: String,
    /// Whose code it is.
    pub session_id: AttemptId,
    /// Its place in the row, from 1.
    pub seq: i32,
    /// When it is shown.
    pub issued_at: Timestamp,
    /// When the next one replaces it.
    pub expires_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
