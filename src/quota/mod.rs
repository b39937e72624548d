//! Billing periods: what a workspace was granted in each and has used of it.
//!
//! A period is a UTC calendar month. Its row is made at its first use, with what the seats of that moment grant, so no
//! job has to reset anything. Raising seats grants at once; lowering acts from the next period; lowering and raising
//! again grants nothing twice. Whoever changes what is left holds the period's row (`take`), which serialises all
//! that spends, grants and refunds in one workspace.

use std::cell::Cell;

use entity::{credits::Credits, id::WorkspaceId, quota_period::Model, timestamp::Timestamp, workspace};
use jiff::{ToSpan, tz::TimeZone};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    credit,
    error::{Error, Result},
    plan,
};

pub mod api_calls;
pub mod close;
pub mod figures;
pub mod notify;
pub mod reader;
mod store;
pub mod threshold;

pub(crate) use store::{Change, apply, lock_of};

thread_local! {
    /// The period that was asked for last: nearly always the one that is asked for next.
    static LAST: Cell<Period> = const { Cell::new(Period { start: Timestamp(0), end: Timestamp(0) }) };
}

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
        let last = LAST.get();
        if last.start <= at && at < last.end {
            return Ok(last);
        }
        let period = Self::calculate(at)?;
        LAST.set(period);
        Ok(period)
    }

    fn calculate(at: Timestamp) -> Result<Self> {
        let outside = |error: jiff::Error| Error::Internal(format!("calendar: {error}"));
        let instant = jiff::Timestamp::from_microsecond(at.0).map_err(outside)?;
        let start = instant.to_zoned(TimeZone::UTC).first_of_month().and_then(|day| day.start_of_day());
        let start = start.map_err(outside)?;
        let end = start.checked_add(1.month()).map_err(outside)?;
        let micros = |time: &jiff::Zoned| Timestamp(time.timestamp().as_microsecond());
        Ok(Self { start: micros(&start), end: micros(&end) })
    }
}

/// Takes the row of the current period for this transaction; its first use opens the period.
///
/// # Errors
/// What the database says.
pub(crate) async fn take(app: &App, tx: &DatabaseTransaction, workspace_id: WorkspaceId) -> Result<Model> {
    let mut rows = take_all(app, tx, &[workspace_id]).await?;
    rows.pop().ok_or_else(|| Error::Internal("a period was not opened".to_owned()))
}

/// [`take`] for several workspaces, in the order of their ids, which is the order in which everybody takes them.
///
/// # Errors
/// What the database says.
pub(crate) async fn take_all(app: &App, tx: &DatabaseTransaction, ids: &[WorkspaceId]) -> Result<Vec<Model>> {
    let start = Period::containing(app.clock.now())?.start;
    let rows = store::lock_all(tx, ids, start).await?;
    if rows.len() == ids.len() {
        return Ok(rows);
    }
    for id in ids.iter().filter(|id| !rows.iter().any(|row| row.workspace_id == **id)) {
        open(app, tx, *id, start).await?;
    }
    store::lock_all(tx, ids, start).await
}

/// Grants what `seats` buy in the current period, as far as they were not granted before.
///
/// # Errors
/// What the database says.
pub async fn grant_seats(app: &App, tx: &DatabaseTransaction, workspace: &workspace::Model, seats: i32) -> Result<()> {
    let row = take(app, tx, workspace.id).await?;
    if seats <= row.seats_granted {
        return Ok(());
    }
    let plan = plan::by_id(tx, workspace.plan_id).await?;
    let granted = per_seats(plan.credits_per_seat, seats - row.seats_granted)?;
    let change = Change { seats_granted: seats - row.seats_granted, recurring_granted: granted, ..Change::of(&row) };
    store::apply(tx, &change).await?;
    credit::record_seats(app, tx, &row, granted).await?;
    notify::messages_may_have_recovered(app, tx, workspace, row.period_start).await
}

/// Opens the current period, if it is not, before the seats change.
///
/// # Errors
/// What the database says.
pub async fn keep_granted(app: &App, tx: &DatabaseTransaction, workspace: &workspace::Model) -> Result<()> {
    take(app, tx, workspace.id).await.map(|_| ())
}

async fn open(app: &App, tx: &DatabaseTransaction, id: WorkspaceId, start: Timestamp) -> Result<()> {
    let workspace = crate::workspace::by_id(tx, id).await?.ok_or(Error::WorkspaceNotFound)?;
    let plan = plan::by_id(tx, workspace.plan_id).await?;
    let granted = per_seats(plan.credits_per_seat, workspace.seats_total)?;
    let before = store::latest_before(tx, id, start).await?;
    let told = notify::seats_from(before.as_ref());
    if let Some(row) = store::insert(tx, (id, start), workspace.seats_total, granted, told).await? {
        credit::record_seats(app, tx, &row, granted).await?;
    }
    Ok(())
}

fn per_seats(credits: Credits, seats: i32) -> Result<Credits> {
    credits.times(i64::from(seats)).ok_or_else(|| Error::Internal("credits overflow".to_owned()))
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
