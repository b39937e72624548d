//! What the worker removes: files that have been kept long enough, files whose message never came, and strays.

use entity::{file::Model, timestamp::Timestamp};

use crate::{
    app::App,
    db,
    error::Result,
    file::{delete, store, strays},
};

const AT_ONCE: u64 = 100;
const SECONDS_PER_DAY: i64 = 24 * 3600;

/// Removes what is due; returns how many files and strays that were.
///
/// # Errors
/// What the database says to the look; what cannot be removed now is logged and looked at again.
pub async fn sweep(app: &App) -> Result<u64> {
    let db = app.db.reader();
    let mut removed = 0;
    for file in store::overdue(db, app.clock.now(), AT_ONCE).await? {
        removed += count(&file, db::retried(|| settle_provisional(app, &file)).await);
    }
    if let Some(before) = kept_since(app) {
        for file in store::outlived(db, before, AT_ONCE).await? {
            removed += count(&file, db::retried(|| remove_outlived(app, &file, before)).await);
        }
    }
    strays::remove_due(app).await?;
    Ok(removed)
}

/// Files that were stored before this have been kept long enough; `None` if they are kept for ever.
fn kept_since(app: &App) -> Option<Timestamp> {
    let days = i64::from(app.config.file_retention_days);
    (days > 0).then(|| app.clock.now().plus_seconds(-days * SECONDS_PER_DAY))
}

fn count(file: &Model, outcome: Result<bool>) -> u64 {
    match outcome {
        Ok(is_removed) => u64::from(is_removed),
        Err(error) => {
            tracing::warn!(%error, file.id = %file.id, "a file is removed later");
            0
        }
    }
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
