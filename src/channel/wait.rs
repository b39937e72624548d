//! Waiting for the first code of a session, which its provider takes some seconds to start. Nothing of the database is
//! held between two looks.

use std::time::Duration;

use entity::channel::Model;

use crate::{app::App, connector::Observation, error::Result};

/// How long after a look the next one is.
const PAUSE: Duration = Duration::from_millis(300);
/// A provider that wants to be left alone for longer than this is not waited for, in seconds: a session that starts is
/// looked at again sooner, and one whose provider limits us later.
const MOST_LEFT_ALONE_SECONDS: i64 = 3;

/// Looks at a channel's session until it shows a code, or is in a state in which it shows none; as it looked last where
/// that takes too long. Only the first look may take as long as it does.
///
/// # Errors
/// `provider_unavailable`, `provider_limited`.
pub(super) async fn first_code(app: &App, channel: &Model) -> Result<Observation> {
    let connector = app.connectors.get(channel.connector);
    // Whoever asked has to be answered in time.
    let most = app.connectors.patience_for_codes().min(Duration::from_millis(app.config.request_timeout_ms / 2));
    let begun = app.clock.stopwatch();
    let mut seen = connector.observe(app, channel.session).await?;
    while let Observation::Starting { look_again_at } = &seen {
        let is_left_alone = *look_again_at > app.clock.now().plus_seconds(MOST_LEFT_ALONE_SECONDS);
        if is_left_alone || begun.elapsed() + PAUSE > most {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        let left = most.saturating_sub(begun.elapsed());
        let look = connector.observe(app, channel.session);
        let Ok(looked) = tokio::time::timeout(left, look).await else { break };
        seen = looked?;
    }
    Ok(seen)
}
