//! Forgetting what was sent to subscriptions (`contracts/timelines.md` §4.1): deliveries that ended long ago, those of
//! which there are too many, and events that nobody has left.
//!
//! A subscription hears of every message, so its log would outgrow the messages. Partners' logs are kept: they hear of
//! little.

use crate::{
    app::App,
    db,
    error::Result,
    webhook::subscription::store::{self, Those},
};

/// How long deliveries of subscriptions are kept after they have ended, in seconds.
pub const KEPT_SECONDS: i64 = 10 * 24 * 3600;
/// Most deliveries of one subscription that are kept, the newest; what is still to be sent counts and stays.
pub const KEPT_MOST: u64 = 1000;
/// Whose log has grown within this time is looked at, in seconds: longer than from one sweep to the next by far.
const GROWN_WITHIN_SECONDS: i64 = 600;
/// Deliveries of one transaction.
const AT_ONCE: u64 = 500;
/// Most transactions of one sweep; what is left goes with the next.
const MOST_ROUNDS: usize = 200;

/// Forgets what is too old; returns how many deliveries that were.
///
/// # Errors
/// What the database says.
pub async fn forget_old(app: &App) -> Result<u64> {
    let before = app.clock.now().plus_seconds(-KEPT_SECONDS);
    let mut forgotten = forget(app, Those::EndedBefore(before)).await?;
    let since = app.clock.now().plus_seconds(-GROWN_WITHIN_SECONDS);
    for id in store::grown(app.db.reader(), since).await? {
        forgotten += forget(app, Those::Beyond(id, KEPT_MOST)).await?;
    }
    Ok(forgotten)
}

/// Forgets them, some in each transaction.
async fn forget(app: &App, those: Those) -> Result<u64> {
    let mut forgotten = 0;
    for _ in 0..MOST_ROUNDS {
        let forget = async || {
            db::write(&app.db, "subscription.forget_old", async |tx| store::forget(tx, those, AT_ONCE).await).await
        };
        let count = db::retried(forget).await?;
        forgotten += count;
        if count < AT_ONCE {
            break;
        }
    }
    Ok(forgotten)
}
