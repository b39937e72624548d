//! What a workspace may use in the current period and has used of it (DESIGN Credits 7).

use entity::{credits::Credits, plan, quota_period, workspace};
use sea_orm::ConnectionTrait;

use crate::{
    app::App,
    credit,
    error::Result,
    quota::{Period, per_seats, store},
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

impl Figures {
    /// The figures of a period's row.
    ///
    /// # Errors
    /// If the amounts do not fit.
    pub fn of(row: &quota_period::Model, period: Period, balance: Credits, api_calls_total: i64) -> Result<Self> {
        let used = credit::sum(row.recurring_used, row.non_recurring_used)?;
        let non_recurring = credit::sum(row.non_recurring_used, balance)?;
        let total = credit::sum(row.recurring_granted, non_recurring)?;
        Ok(Self {
            period,
            messages_total: total,
            messages_used: used,
            messages_left: credit::sum(total, credit::negated(used)?)?,
            non_recurring_balance: balance,
            api_calls_total,
            api_calls_used: row.api_calls_used,
            revision: row.revision,
        })
    }

    /// Those of a period that nobody has used yet: what the seats will grant.
    ///
    /// # Errors
    /// If the amounts do not fit.
    pub fn untouched(period: Period, plan: &plan::Model, seats: i32, balance: Credits) -> Result<Self> {
        let total = credit::sum(per_seats(plan.credits_per_seat, seats)?, balance)?;
        Ok(Self {
            period,
            messages_total: total,
            messages_used: Credits::ZERO,
            messages_left: total,
            non_recurring_balance: balance,
            api_calls_total: plan.api_calls_per_period,
            api_calls_used: 0,
            revision: 0,
        })
    }
}

/// The figures of the current period.
///
/// # Errors
/// What the database says.
pub async fn figures(
    app: &App,
    db: &impl ConnectionTrait,
    workspace: &workspace::Model,
    plan: &plan::Model,
) -> Result<Figures> {
    let period = Period::containing(app.clock.now())?;
    let balance = credit::balance(db, workspace.id).await?;
    match store::find(db, workspace.id, period.start).await? {
        Some(row) => Figures::of(&row, period, balance, plan.api_calls_per_period),
        None => Figures::untouched(period, plan, workspace.seats_total, balance),
    }
}
