//! Ending periods: what is left of their recurring credits expires, in words of the ledger.

use entity::{credits::Credits, quota_period::Model};

use crate::{
    app::App,
    credit, db,
    error::Result,
    quota::{Change, Period, store},
};

const AT_ONCE: u64 = 200;

/// Closes all periods that have ended; returns how many.
///
/// # Errors
/// What the database says.
pub async fn close_ended(app: &App) -> Result<u64> {
    let current = Period::containing(app.clock.now())?.start;
    let mut closed = 0;
    loop {
        let rows = store::ended(app.db.reader(), current, AT_ONCE).await?;
        if rows.is_empty() {
            return Ok(closed);
        }
        for row in &rows {
            db::retried(|| close(app, row)).await?;
            closed += 1;
        }
    }
}

async fn close(app: &App, seen: &Model) -> Result<()> {
    db::write(&app.db, "quota.close", async |tx| {
        let row = store::lock_of(tx, seen.workspace_id, seen.period_start).await?;
        let Some(row) = row.filter(|row| row.closed_at.is_none()) else { return Ok(()) };
        let left = credit::sum(row.recurring_granted, credit::negated(row.recurring_used)?)?;
        if left > Credits::ZERO {
            store::apply(tx, &Change { recurring_expired: left, ..Change::of(&row) }).await?;
            credit::record_expiry(app, tx, &row, left).await?;
        }
        store::set_closed(tx, &row, app.clock.now()).await
    })
    .await
}
