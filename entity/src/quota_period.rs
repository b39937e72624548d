//! What a workspace was granted and has used in a billing period.

use sea_orm::entity::prelude::*;

use crate::{credits::Credits, id::WorkspaceId, timestamp::Timestamp};

/// One workspace in one period (UTC calendar month).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quota_periods")]
pub struct Model {
    /// Whose period it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: WorkspaceId,
    /// First instant of the period.
    #[sea_orm(primary_key, auto_increment = false)]
    pub period_start: Timestamp,
    /// Highest seat count granted in the period; lowering seats does not lower it.
    pub seats_granted: i32,
    /// Recurring credits granted.
    pub recurring_granted: Credits,
    /// Recurring credits that were left when the period ended.
    pub recurring_expired: Credits,
    /// Recurring credits used.
    pub recurring_used: Credits,
    /// Credits used in the period of those that do not expire.
    pub non_recurring_used: Credits,
    /// API calls counted.
    pub api_calls_used: i64,
    /// Highest threshold of message credits that was told of, in percent; 0 for none.
    pub messages_notified: i32,
    /// How often the thresholds of message credits were armed anew.
    pub messages_arming: i32,
    /// Highest threshold of API calls that was told of, in percent; 0 for none.
    pub api_calls_notified: i32,
    /// How often the thresholds of API calls were armed anew.
    pub api_calls_arming: i32,
    /// Whether full seats were told of: 100 if in this period, 1 if in one before and they have not recovered since,
    /// else 0.
    pub seats_notified: i32,
    /// How often the threshold of seats was armed anew.
    pub seats_arming: i32,
    /// Counts the changes of what is left, so that an older figure is not taken for a newer one.
    pub revision: i64,
    /// When what was left expired; absent while the period is open.
    pub closed_at: Option<Timestamp>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
