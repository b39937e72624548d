//! Waiting for the first code of a session, which its provider takes some seconds to start. Nothing of the database is
//! held between two looks.

use std::time::Duration;

use entity::channel::Model;

use crate::{app::App, connector::Observation, error::Result};

/// How long after a look the next one is.
const PAUSE: Duration = Duration::from_millis(300);
/// A provider that wants to be left alone for longer than this is not waited for, in seconds.
const MOST_LEFT_ALONE_SECONDS: i64 = 3;

/// Looks at a channel's session until it shows a code, or is in a state in which it shows none; as it looks in the end
/// where that takes too long.
///
/// # Errors
/// `provider_unavailable`, `provider_limited`.
pub(super) async fn first_code(app: &App, channel: &Model) -> Result<Observation> {
    let connector = app.connectors.get(channel.connector);
    // Whoever asked has to be answered in time.
    let most = app.connectors.patience_for_codes().min(Duration::from_millis(app.config.request_timeout_ms / 2));
    let begun = app.clock.stopwatch();
    loop {
        let seen = connector.observe(app, channel.session).await?;
        let Observation::Starting { look_again_at } = &seen else { return Ok(seen) };
        let is_left_alone = *look_again_at > app.clock.now().plus_seconds(MOST_LEFT_ALONE_SECONDS);
        if is_left_alone || begun.elapsed() + PAUSE > most {
            return Ok(seen);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
