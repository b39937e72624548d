//! Each try of a delivery.

use sea_orm::entity::prelude::*;

use crate::{
    id::{DeliveryAttemptId, DeliveryId},
    timestamp::Timestamp,
};

/// One try.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery_attempts")]
pub struct Model {
    /// Order of writing.
    #[sea_orm(primary_key)]
    pub id: DeliveryAttemptId,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// When it was sent.
    pub at: Timestamp,
    /// How long the answer took, in milliseconds.
    pub duration_ms: i64,
    /// HTTP status of the answer, if one came.
    pub status: Option<i32>,
    /// Why no answer came, or why it does not count.
    pub error: Option<String>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
