//! Billing periods and what a workspace was granted in them.
//!
//! A period is a UTC calendar month. Raising seats grants at once; lowering acts from the next period; lowering and
//! raising again grants nothing twice. Nothing consumes message credits or counts API calls yet, so `used` of both is
//! zero by construction.

use entity::{credits::Credits, id::WorkspaceId, plan, timestamp::Timestamp, workspace};
use jiff::{ToSpan, tz::TimeZone};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::{
    app::App,
    error::{Error, Result},
};

mod store;

/// A billing period, both instants in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First instant.
    pub start: Timestamp,
    /// First instant of the next period.
    pub end: Timestamp,
}

impl Period {
    /// The calendar month that `at` lies in.
    ///
    /// # Errors
    /// If `at` lies outside the calendar.
    pub fn containing(at: Timestamp) -> Result<Self> {
        let outside = |error: jiff::Error| Error::Internal(format!("calendar: {error}"));
        let instant = jiff::Timestamp::from_microsecond(at.0).map_err(outside)?;
        let start = instant.to_zoned(TimeZone::UTC).first_of_month().and_then(|day| day.start_of_day());
        let start = start.map_err(outside)?;
        let end = start.checked_add(1.month()).map_err(outside)?;
        let micros = |time: &jiff::Zoned| Timestamp(time.timestamp().as_microsecond());
        Ok(Self { start: micros(&start), end: micros(&end) })
    }
}

/// What a workspace may use in a period and has used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The period.
    pub period: Period,
    /// Credits granted.
    pub messages_total: Credits,
    /// Credits used.
    pub messages_used: Credits,
    /// API calls granted.
    pub api_calls_total: i64,
    /// API calls used.
    pub api_calls_used: i64,
    /// Credits that do not expire.
    pub non_recurring_balance: Credits,
}

/// Grants what `seats` buy in the current period, as far as they were not granted before.
///
/// # Errors
/// What the database says.
pub async fn grant_seats(app: &App, tx: &DatabaseTransaction, workspace_id: WorkspaceId, seats: i32) -> Result<()> {
    let period = Period::containing(app.clock.now())?;
    store::raise(tx, workspace_id, period.start, seats).await
}

/// Keeps what is granted in the current period before the seats are lowered.
///
/// # Errors
/// What the database says.
pub async fn keep_granted(app: &App, tx: &DatabaseTransaction, workspace: &workspace::Model) -> Result<()> {
    grant_seats(app, tx, workspace.id, workspace.seats_total).await
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
    let granted = store::seats_granted(db, workspace.id, period.start).await?;
    let seats = granted.unwrap_or(0).max(workspace.seats_total);
    let total = plan.credits_per_seat.times(i64::from(seats));
    Ok(Figures {
        period,
        messages_total: total.ok_or_else(|| Error::Internal("credits overflow".to_owned()))?,
        messages_used: Credits::ZERO,
        api_calls_total: plan.api_calls_per_period,
        api_calls_used: 0,
        non_recurring_balance: Credits::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().expect("an instant").as_microsecond())
    }

    #[test]
    fn periods_are_calendar_months() {
        for (instant, start, end) in [
            ("2026-09-01T00:00:00Z", "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"),
            ("2026-09-30T23:59:59.999999Z", "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"),
            ("2026-12-31T12:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ] {
            let period = Period::containing(at(instant)).expect("a period");
            assert_eq!(period, Period { start: at(start), end: at(end) }, "{instant}");
        }
    }
}
