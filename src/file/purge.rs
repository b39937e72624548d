//! What the worker removes: files that have been kept long enough, files whose message never came, and strays.

use std::{sync::Arc, time::Duration};

use entity::{file::Model, timestamp::Timestamp};
use tokio::sync::watch;

use crate::{
    app::App,
    db,
    error::{Error, Result},
    file::{delete, pass::Pass, store, strays},
};

const SWEEP_EVERY: Duration = Duration::from_secs(60);
const SECONDS_PER_DAY: i64 = 24 * 3600;

/// Removes what is due, every minute until `stop` says so.
pub async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match sweep(&app).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "files were removed"),
            Err(error) => tracing::warn!(%error, "files could not be looked through"),
        }
        tokio::select! {
            () = tokio::time::sleep(SWEEP_EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Removes all that is due, in batches; returns how many files that were. What cannot be removed now is logged and
/// looked at again next time.
///
/// # Errors
/// What the database says to a look, once the others have been tried.
pub async fn sweep(app: &App) -> Result<u64> {
    let unclaimed = remove_unclaimed(app).await;
    let outlived = match kept_since(app) {
        Some(before) => remove_all_outlived(app, before).await,
        None => Ok(0),
    };
    strays::remove_due(app).await?;
    Ok(unclaimed? + outlived?)
}

/// Files that were stored before this have been kept long enough; `None` if they are kept for ever.
fn kept_since(app: &App) -> Option<Timestamp> {
    let days = i64::from(app.config.file_retention_days);
    (days > 0).then(|| app.clock.now().plus_seconds(-days * SECONDS_PER_DAY))
}

async fn remove_unclaimed(app: &App) -> Result<u64> {
    let (now, mut pass) = (app.clock.now(), Pass::default());
    loop {
        let due = store::overdue(app.db.reader(), now, pass.failed()).await?;
        for file in &due {
            pass.count(db::retried(|| settle_provisional(app, file)).await, |error| warn(file, &error));
        }
        if !pass.goes_on(app, due.len()).await {
            return Ok(pass.removed());
        }
    }
}

async fn remove_all_outlived(app: &App, before: Timestamp) -> Result<u64> {
    let mut pass = Pass::default();
    loop {
        let due = store::outlived(app.db.reader(), before, pass.failed()).await?;
        for file in &due {
            pass.count(db::retried(|| remove_outlived(app, file, before)).await, |error| warn(file, &error));
        }
        if !pass.goes_on(app, due.len()).await {
            return Ok(pass.removed());
        }
    }
}

fn warn(file: &Model, error: &Error) {
    tracing::warn!(%error, file.id = %file.id, "a file is removed later");
}

async fn settle_provisional(app: &App, seen: &Model) -> Result<bool> {
    db::write(&app.db, "file.settle", async |tx| {
        let held = store::lock(tx, seen.workspace_id, seen.id).await?;
        let Some(file) = held.filter(|file| file.provisional_until.is_some()) else { return Ok(false) };
        if store::is_carried(tx, &file, None).await? {
            store::set_lasting(tx, &file).await?;
            return Ok(false);
        }
        delete::remove(app, tx, &file).await?;
        Ok(true)
    })
    .await
}

async fn remove_outlived(app: &App, seen: &Model, before: Timestamp) -> Result<bool> {
    db::write(&app.db, "file.purge", async |tx| {
        let Some(file) = store::lock(tx, seen.workspace_id, seen.id).await? else { return Ok(false) };
        if store::is_carried(tx, &file, Some(before)).await? {
            return Ok(false);
        }
        delete::remove(app, tx, &file).await?;
        Ok(true)
    })
    .await
}
