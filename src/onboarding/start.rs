//! Starting an attempt on a link, at most five times. While one is alive, starting again finds it.

use entity::{
    attempt::{Failure, State},
    id::{AttemptId, LinkId},
};

use crate::{
    app::App,
    audit,
    caller::{Actor, Origin},
    db,
    error::{Error, Result},
    onboarding::{
        MAX_ATTEMPTS,
        advance::{self, ATTEMPT_SECONDS, LEASE_SECONDS},
        end_of, open, store,
    },
    signal::Signal,
};

/// Starts an attempt and asks its connector for a code. A connector that does not answer is asked again by a worker.
///
/// # Errors
/// `link_not_found`; `link_used`, `link_revoked`, `link_expired`; `attempts_spent`; `workspace_suspended`,
/// `user_not_active`.
pub async fn start(app: &App, link_id: LinkId, request_id: &str) -> Result<()> {
    let (attempt, is_new) = db::retried(|| start_once(app, link_id, request_id)).await?;
    if is_new && let Err(error) = advance::advance(app, attempt).await {
        tracing::warn!(%error, attempt.id = %attempt, "a new attempt is left to a worker");
    }
    app.signals.publish(Signal::Link(link_id));
    app.signals.publish(Signal::Work);
    Ok(())
}

async fn start_once(app: &App, link_id: LinkId, request_id: &str) -> Result<(AttemptId, bool)> {
    db::write(&app.db, "attempt.start", async |tx| {
        let link = store::lock(tx, link_id).await?.ok_or(Error::LinkNotFound)?;
        let now = app.clock.now();
        if let Some(end) = end_of(&link, now) {
            return Err(Error::LinkClosed(end));
        }
        let (workspace, partner) = open::check_served(tx, &link).await?;
        if let Some(alive) = store::live_attempt(tx, link_id).await? {
            return Ok((alive.id, false));
        }
        if link.attempts_used >= MAX_ATTEMPTS {
            return Err(Error::AttemptsSpent);
        }
        let connector = app.connectors.choose(app, tx, &partner, link.network).await?;
        let new = store::NewAttempt {
            id: AttemptId(app.clock.uuid()),
            connector,
            state: if connector.is_some() { State::Connecting } else { State::Failed },
            error_code: connector.is_none().then_some(Failure::NoConnector),
            expires_at: now.plus_seconds(ATTEMPT_SECONDS).min(link.expires_at),
            due_at: connector.map(|_| now.plus_seconds(LEASE_SECONDS)),
        };
        let attempt = store::insert_attempt(app, tx, &link, new).await?;
        let origin = Origin { actor: Actor::Link(link_id), request_id: Some(request_id.to_owned()) };
        let entry = audit::Entry::in_workspace("attempt.start", &workspace, attempt.id).after(attempt.state);
        audit::record(app, tx, &origin, entry).await?;
        Ok((attempt.id, connector.is_some()))
    })
    .await
}
