//! Forgetting what was sent to subscriptions: deliveries that ended long ago, and events that nobody has left.
//!
//! A subscription hears of every message, so its log would outgrow the messages. Partners' logs are kept: they hear of
//! little.

use crate::{app::App, db, error::Result, webhook::subscription::store};

/// How long deliveries of subscriptions are kept after they have ended, in seconds.
pub const KEPT_SECONDS: i64 = 10 * 24 * 3600;
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
    let mut forgotten = 0;
    for _ in 0..MOST_ROUNDS {
        let forget = async || {
            db::write(&app.db, "subscription.forget_old", async |tx| store::forget(tx, before, AT_ONCE).await).await
        };
        let count = db::retried(forget).await?;
        forgotten += count;
        if count < AT_ONCE {
            break;
        }
    }
    Ok(forgotten)
}
