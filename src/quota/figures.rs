//! What a workspace may use in the current period and has used of it (DESIGN Credits 7).

use entity::{credits::Credits, id::WorkspaceId, quota_period};
use sea_orm::ConnectionTrait;

use crate::{
    app::App,
    credit,
    error::{Error, Result},
    quota::{Period, store},
};

/// The figures of one workspace in one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The period.
    pub period: Period,
    /// Credits that may be used: granted for the period, and those without expiry that were used in it or are left.
    pub messages_total: Credits,
    /// Credits used, of both kinds.
    pub messages_used: Credits,
    /// Credits left, of both kinds.
    pub messages_left: Credits,
    /// Credits left of those that do not expire.
    pub non_recurring_balance: Credits,
    /// API calls that may be made.
    pub api_calls_total: i64,
    /// API calls made.
    pub api_calls_used: i64,
    /// Counts the changes of what is left within the period.
    pub revision: i64,
}

/// Sums that figures are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// The period.
    pub period: Period,
    /// Recurring credits granted.
    pub recurring_granted: Credits,
    /// Recurring credits used.
    pub recurring_used: Credits,
    /// Credits used in the period of those that do not expire.
    pub non_recurring_used: Credits,
    /// Credits left of those that do not expire.
    pub non_recurring_balance: Credits,
    /// API calls that may be made.
    pub api_calls_total: i64,
    /// API calls made.
    pub api_calls_used: i64,
    /// Counts the changes of what is left.
    pub revision: i64,
}

impl Sums {
    /// The sums of a period's row.
    #[must_use]
    pub fn of(row: &quota_period::Model, period: Period, balance: Credits, api_calls_total: i64) -> Self {
        Self {
            period,
            recurring_granted: row.recurring_granted,
            recurring_used: row.recurring_used,
            non_recurring_used: row.non_recurring_used,
            non_recurring_balance: balance,
            api_calls_total,
            api_calls_used: row.api_calls_used,
            revision: row.revision,
        }
    }
}

impl Figures {
    /// Adds the sums up.
    ///
    /// # Errors
    /// If the amounts do not fit.
    pub fn new(sums: &Sums) -> Result<Self> {
        let used = credit::sum(sums.recurring_used, sums.non_recurring_used)?;
        let non_recurring = credit::sum(sums.non_recurring_used, sums.non_recurring_balance)?;
        let total = credit::sum(sums.recurring_granted, non_recurring)?;
        Ok(Self {
            period: sums.period,
            messages_total: total,
            messages_used: used,
            messages_left: credit::sum(total, credit::negated(used)?)?,
            non_recurring_balance: sums.non_recurring_balance,
            api_calls_total: sums.api_calls_total,
            api_calls_used: sums.api_calls_used,
            revision: sums.revision,
        })
    }
}

/// The figures of the current period. In a period that nobody has used yet, they are what the seats will grant.
///
/// # Errors
/// `workspace_not_found`.
pub async fn figures(app: &App, db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Figures> {
    let period = Period::containing(app.clock.now())?;
    let rows = store::overviews(db, &[workspace_id], period.start).await?;
    rows.first().ok_or(Error::WorkspaceNotFound)?.figures(period)
}
