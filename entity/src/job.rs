//! Work that must happen after a commit.

use sea_orm::entity::prelude::*;

use crate::{id::JobId, timestamp::Timestamp};

/// One job, written in the transaction that made it necessary.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    /// Its id, time-ordered.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// What to do, as JSON.
    pub work: String,
    /// When it may run next; a worker that takes it moves this past its lease.
    pub due_at: Timestamp,
    /// How often it has been begun.
    pub tries: i32,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// In which line it stands; absent where it waits for nothing.
    pub lane: Option<String>,
    /// Since when it stands there: before what came later, also while it is done or waits to be tried again.
    pub placed_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
