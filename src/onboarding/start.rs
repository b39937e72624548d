//! Starting an attempt on a link, at most five times. One that nobody could connect, for want of a connector or of room
//! for a channel, fails at once and says why; its provider is not asked. While one is alive, starting again finds it,
//! whatever is sent with it: two clicks sign in once.

use entity::{
    attempt::{Failure, State},
    id::{AttemptId, LinkId},
};

use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::App,
    audit,
    caller::{Actor, Origin},
    channel::limit,
    connector::{SIGN_IN_SECONDS, target::Login},
    db,
    error::{Error, Result},
    onboarding::{
        MAX_ATTEMPTS,
        advance::{self, ATTEMPT_SECONDS, LEASE_SECONDS},
        asks_for_login, end_of, open, store,
    },
    signal::Signal,
};

/// Longest user name and longest password, in characters.
const MAX_LOGIN_CHARS: usize = 256;

/// Reads what an account signs in with; white space around the name is dropped.
///
/// # Errors
/// `invalid_request` naming `username` or `password`.
pub fn parse_login(username: &str, password: SecretString) -> Result<Login> {
    let fits = |text: &str| (1..=MAX_LOGIN_CHARS).contains(&text.chars().count()) && !text.contains(char::is_control);
    let username = username.trim();
    if !fits(username) {
        return Err(Error::field("username", "must be 1 to 256 characters"));
    }
    if !fits(password.expose_secret()) {
        return Err(Error::field("password", "must be 1 to 256 characters"));
    }
    Ok(Login { username: username.to_owned(), password, country: None })
}

/// Starts an attempt and asks its connector for a code, or signs in. A connector that does not answer is asked again by
/// a worker, but not with what an account signs in with, which nobody has any more.
///
/// # Errors
/// `link_not_found`; `link_used`, `link_revoked`, `link_expired`; `attempts_spent`; `workspace_suspended`,
/// `user_not_active`; `invalid_request` where the network needs a login and there is none.
pub async fn start(app: &App, link_id: LinkId, login: Option<&Login>, request_id: &str) -> Result<()> {
    let (attempt, is_new) = db::retried(|| start_once(app, link_id, login.is_some(), request_id)).await?;
    if is_new {
        let begun = match login {
            Some(login) => advance::sign_in(app, attempt, login).await,
            None => advance::advance(app, attempt).await.map(|_| ()),
        };
        if let Err(error) = begun {
            tracing::warn!(%error, attempt.id = %attempt, "a new attempt is left to a worker");
        }
    }
    app.signals.publish(Signal::Link(link_id));
    app.signals.publish(Signal::Work);
    Ok(())
}

async fn start_once(app: &App, link_id: LinkId, has_login: bool, request_id: &str) -> Result<(AttemptId, bool)> {
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
        let needs_login = asks_for_login(link.network);
        if needs_login && !has_login {
            return Err(Error::field("username", "is required"));
        }
        let refused = match limit::require_place_for(tx, &workspace, link.user_id, None).await {
            Err(Error::ChannelLimitReached { .. }) => Some(Failure::ChannelLimitReached),
            other => other.map(|()| None)?,
        };
        let lease = if needs_login { SIGN_IN_SECONDS } else { LEASE_SECONDS };
        let chosen = app.connectors.choose(app, tx, &partner, link.network).await?;
        let connector = chosen.filter(|_| refused.is_none());
        let new = store::NewAttempt {
            id: AttemptId(app.clock.uuid()),
            connector,
            state: if connector.is_some() { State::Connecting } else { State::Failed },
            error_code: refused.or_else(|| connector.is_none().then_some(Failure::NoConnector)),
            expires_at: now.plus_seconds(ATTEMPT_SECONDS).min(link.expires_at),
            due_at: connector.map(|_| now.plus_seconds(lease)),
        };
        let attempt = store::insert_attempt(app, tx, &link, new).await?;
        let origin = Origin { actor: Actor::Link(link_id), request_id: Some(request_id.to_owned()) };
        let entry = audit::Entry::in_workspace("attempt.start", &workspace, attempt.id).after(attempt.state);
        audit::record(app, tx, &origin, entry).await?;
        Ok((attempt.id, connector.is_some()))
    })
    .await
}
