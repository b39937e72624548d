//! Writing counted API calls down, at least every second, and telling partners of thresholds that they reach.
//!
//! Between two writes they are known to the meter only: a process that dies loses the calls of that time, which costs
//! the platform some calls and the customer nothing. So does a write whose commit is not answered: its calls may be
//! written down, and are rather lost than counted twice. After each write the meter is told the sum, because Redis may
//! have been away while they were made, or have lost some.

use std::{collections::HashMap, sync::Arc, time::Duration};

use entity::{
    id::{PartnerId, WorkspaceId},
    quota_period::Model,
    timestamp::Timestamp,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    db,
    error::{Error, Result},
    meter::Settlement,
    quota::{self, Period, notify, store, threshold::Thresholds},
    signal::Signal,
    workspace,
};

const WRITE_EVERY: Duration = Duration::from_millis(500);
const AT_ONCE: usize = 200;

type Counts = Vec<((WorkspaceId, Timestamp), i64)>;

/// Writes until the application stops, and once more then.
pub async fn keep_writing(app: Arc<App>) {
    let mut stop = app.stop.subscribe();
    let mut is_known_failing = false;
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(WRITE_EVERY) => {}
            _ = stop.changed() => {}
        }
        app.meter.prune(app.clock.now());
        match write(&app).await {
            Ok(_) => is_known_failing = false,
            Err(error) => {
                if !is_known_failing {
                    tracing::warn!(%error, "API calls are not written down yet");
                }
                is_known_failing = true;
            }
        }
    }
}

/// Writes what was counted; tells for how many workspaces.
///
/// # Errors
/// What the database says; what was not written is kept, but for calls of a write that may have been done.
pub async fn write(app: &App) -> Result<usize> {
    let mut counts: Counts = app.meter.calls.take().into_iter().collect();
    counts.sort_unstable_by_key(|(key, _)| *key);
    let all = counts.len();
    while !counts.is_empty() {
        let some = &counts[..counts.len().min(AT_ONCE)];
        match db::retried(|| write_some(app, some)).await {
            Ok(written) => {
                if written.is_news {
                    app.signals.publish(Signal::Work);
                }
                let now = app.clock.now();
                for (partner_id, workspace_id, period, calls) in written.sums {
                    app.meter.settle(&partner_id, workspace_id, &Settlement::counted(now, period, calls));
                }
                counts.drain(..counts.len().min(AT_ONCE));
            }
            Err(error) => {
                if matches!(error, Error::OutcomeUnknown { .. }) {
                    counts.drain(..counts.len().min(AT_ONCE));
                }
                app.meter.calls.put_back(counts.into_iter().collect());
                return Err(error);
            }
        }
    }
    Ok(all)
}

/// What a write came to.
struct Written {
    /// Whether there is something to tell partners.
    is_news: bool,
    /// Calls of each workspace and period with those that were written.
    sums: Vec<(PartnerId, WorkspaceId, Period, i64)>,
}

async fn write_some(app: &App, counts: &[((WorkspaceId, Timestamp), i64)]) -> Result<Written> {
    db::write(&app.db, "quota.write_calls", async |tx| {
        let ids: Vec<WorkspaceId> = ids(counts);
        let current = Period::containing(app.clock.now())?.start;
        let rules = store::calls_rules(tx, &ids).await?;
        let rules: HashMap<_, _> = rules.into_iter().map(|rule| (rule.workspace_id, rule)).collect();
        let open = quota::take_all(app, tx, &ids).await?;
        let open: HashMap<_, _> = open.into_iter().map(|row| (row.workspace_id, row)).collect();
        let mut counted = Vec::with_capacity(counts.len());
        let mut written = Written { is_news: false, sums: Vec::with_capacity(counts.len()) };
        for ((id, period_start), count) in counts {
            let row = if *period_start == current {
                open.get(id).cloned()
            } else {
                // Counted in the last moments of a period that has ended since.
                store::lock_of(tx, *id, *period_start).await?
            };
            let (Some(mut row), Some(rule)) = (row, rules.get(id)) else { continue };
            counted.push((*id, *period_start, *count));
            row.api_calls_used += count;
            let period = Period::containing(*period_start)?;
            written.sums.push((rule.partner_id.clone(), *id, period, row.api_calls_used));
            written.is_news |= tell(app, tx, &row, rule).await?;
        }
        store::add_calls(tx, &counted).await?;
        Ok(written)
    })
    .await
}

fn ids(counts: &[((WorkspaceId, Timestamp), i64)]) -> Vec<WorkspaceId> {
    let mut ids: Vec<WorkspaceId> = counts.iter().map(|((id, _), _)| *id).collect();
    ids.dedup();
    ids
}

async fn tell(app: &App, tx: &DatabaseTransaction, row: &Model, rule: &store::CallsRule) -> Result<bool> {
    let limit = rule.api_calls_per_period;
    let thresholds = Thresholds::from_stored(&rule.thresholds);
    if thresholds.reached(row.api_calls_notified, row.api_calls_used, limit).is_empty() {
        return Ok(false);
    }
    let workspace = workspace::by_id(tx, row.workspace_id).await?.ok_or(Error::WorkspaceNotFound)?;
    notify::api_calls_used(app, tx, &workspace, row, limit, &thresholds).await
}
