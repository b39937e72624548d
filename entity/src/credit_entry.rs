//! Entries of the ledger. They are only ever added.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    credits::Credits,
    id::{CreditEntryId, MessageId, WorkspaceId},
    timestamp::Timestamp,
};

/// Which credits.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Bucket {
    /// Those of the period, per seat.
    Recurring,
    /// Those that do not expire.
    NonRecurring,
}

/// What happened to them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// They were given.
    Grant,
    /// A message took them.
    Charge,
    /// A message gave them back.
    Refund,
    /// Their period ended.
    Expire,
    /// The operator corrected the balance.
    Adjust,
    /// They were moved from or to the partner.
    Allocate,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_entries")]
pub struct Model {
    /// Order of writing.
    #[sea_orm(primary_key)]
    pub id: CreditEntryId,
    /// Whose ledger.
    pub workspace_id: WorkspaceId,
    /// First instant of the period that it counts for.
    pub period_start: Timestamp,
    /// Which credits.
    pub bucket: Bucket,
    /// What happened.
    pub kind: Kind,
    /// Signed: what it adds to what is left.
    pub amount: Credits,
    /// The message that was charged or refunded.
    pub message_id: Option<MessageId>,
    /// Why, in words.
    pub note: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
