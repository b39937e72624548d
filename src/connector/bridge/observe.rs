//! What follows from how a session looks at its provider.

use std::time::Duration;

use entity::{attempt::Failure, timestamp::Timestamp};

use crate::{
    app::App,
    connector::{
        Observation,
        bridge::{Bridge, Look, PAIRING_SECONDS, doubt},
        checkpoint::{Asked, Checkpoint, Kind},
        refusal::{Class, Refusal},
        session::{self, PROBE_SECONDS, Session},
    },
    db,
    error::Result,
    queue::{self, Work},
};

/// How long the first code of a session is good, in seconds (`contracts/channels.md` 1.3).
pub const FIRST_CODE_SECONDS: i64 = 60;
/// How long each later one is, in seconds.
pub const CODE_SECONDS: i64 = 20;
/// The ladder by which a linked session that does not work is brought back: how long is waited after each restart before
/// it is looked at again, in seconds.
///
/// | what is seen of it | first restart |
/// |---|---|
/// | it is stopped, closed or has failed | at once |
/// | it looks for its way back to the network | after the first pause |
/// | it says that it works, and refuses messages because it is not ready | after the first pause |
/// | it starts | after two minutes |
/// | it is gone | none, and the pauses are waited all the same |
///
/// Its channel is degraded meanwhile. One that works when the pause is over begins with the first step the next time, and
/// one that refuses messages takes a step only if it has refused another one since the last. After the last pause it is
/// given up, before a message that waits for it is: its channel is disconnected as stopped, and the session stays at its
/// provider for 30 days, where it is looked at every five minutes and connects its channel again once it works; one that
/// had refused messages is not believed for an hour. One that is gone, or fails at the last step, is over.
pub const REPAIR_PAUSES_SECONDS: [i64; 3] = [30, 60, 120];
/// How long a session that waits for a phone may have no code to show, in seconds (`contracts/channels.md` C.2).
const NO_CODE_SECONDS: i64 = 15;
/// How long a session that was linked may start before it is restarted, in seconds.
const MOST_STARTING_SECONDS: i64 = 120;
/// When a session is looked at again that is on its way, in seconds.
const STARTING_SECONDS: i64 = 2;
/// Longest that a provider that limits us is left alone, in seconds: an attempt is over before.
const MOST_LIMITED_SECONDS: i64 = 600;
/// And at least: longer than a session that starts is left alone by whoever waits for its first code.
const LEAST_LIMITED_SECONDS: i64 = 4;
/// When an approval that is given in the network's own app is looked for, in seconds.
const APPROVAL_SECONDS: i64 = 5;
/// When a session is looked at again that waits for an answer which we pass on, in seconds.
const ANSWER_SECONDS: i64 = 30;
/// When a code is asked for that should be there already, in seconds.
const OVERDUE_SECONDS: i64 = 2;

/// A session of which there is nothing to be seen yet.
pub(super) fn being_made(app: &App) -> Observation {
    later(app, STARTING_SECONDS)
}

/// Looks at a session and says what follows.
pub(super) async fn observe(bridge: &impl Bridge, app: &App, session: &Session) -> Result<Observation> {
    let look = match bridge.look(app, session).await {
        Ok(look) => look,
        Err(refusal) => return unanswered(app, session, refusal),
    };
    let is_doubted = doubt::is_doubted(&session.row, app.clock.now());
    session::note(app, session, matches!(look, Look::Working(_)) && !is_doubted).await?;
    match look {
        Look::Working(_) | Look::Impaired | Look::Unheard if is_doubted => doubted(bridge, app, session, &look).await,
        Look::Working(account) => {
            if app.connectors.kept.is_due(bridge, session, app.clock.now())
                && let Err(Refusal { class, .. }) = bridge.keep_callbacks(app, session).await
            {
                tracing::warn!(%class, session.id = %session.id(), "where a session is told of is looked at later");
            }
            Ok(Observation::Connected(account))
        }
        Look::Unheard => Ok(later(app, STARTING_SECONDS)),
        Look::Impaired if session.is_linked() => {
            Ok(Observation::Impaired { look_again_at: session::in_seconds(app, PROBE_SECONDS) })
        }
        _ if session.is_linked() => {
            if session.row.refused_at.is_some() {
                session::explain_refusal(app, session).await?;
            }
            linked(bridge, app, session, &look).await
        }
        Look::Scan(None) if session.row.qr_seq == 0 => codeless(app, session).await,
        Look::Starting | Look::Scan(None) | Look::Impaired | Look::Reconnecting(_) => Ok(later(app, STARTING_SECONDS)),
        Look::Scan(Some(payload)) => waiting(bridge, app, session, &payload).await,
        Look::Pair => Ok(Observation::Waiting { qr: None, look_again_at: session::in_seconds(app, PAIRING_SECONDS) }),
        Look::Ask(checkpoint) => Ok(asking(bridge, app, session, checkpoint)),
        Look::Banned => Ok(Observation::Ended(Failure::Banned)),
        Look::LoggedOut => Ok(Observation::Ended(Failure::LoggedOut)),
        Look::Passkey => Ok(Observation::Ended(Failure::PasskeyRequired)),
        // One that has shown codes fails when they run out.
        Look::Failed if session.row.checkpoint.is_some() => Ok(Observation::Ended(Failure::ChallengeExpired)),
        Look::Failed if session.row.qr_seq > 0 => Ok(Observation::Ended(Failure::QrExpired)),
        Look::Failed | Look::Stopped | Look::Gone => Ok(Observation::Ended(Failure::ProviderUnavailable)),
    }
}

/// What follows from no answer. A key that is not accepted fails an attempt at once; it does not cost anybody an
/// account that is linked.
pub(super) fn unanswered(app: &App, session: &Session, refusal: Refusal) -> Result<Observation> {
    let class = refusal.class;
    tracing::warn!(%class, session.id = %session.id(), connector = %session.row.connector, "a provider did not answer");
    let is_about_the_key = matches!(class, Class::AuthInvalid | Class::PermissionMissing);
    if is_about_the_key {
        tracing::error!(connector = %session.row.connector, "a provider does not accept the credentials that are set");
    }
    match class {
        _ if is_about_the_key && !session.is_linked() => Ok(Observation::Ended(Failure::AuthInvalid)),
        Class::RateLimited if !session.is_linked() => {
            let pause = i64::try_from(refusal.pause().as_secs()).unwrap_or(MOST_LIMITED_SECONDS);
            Ok(later(app, pause.clamp(LEAST_LIMITED_SECONDS, MOST_LIMITED_SECONDS)))
        }
        _ => Err(refusal.into()),
    }
}

/// A session that has not shown a code yet, and has some time to.
async fn codeless(app: &App, session: &Session) -> Result<Observation> {
    // Before it was seen, that was the turn of whoever made it.
    match session.row.repair_at.filter(|_| !session.is_unseen()) {
        Some(at) if at <= app.clock.now() => return Ok(Observation::Ended(Failure::QrUnavailable)),
        Some(_) => {}
        None => {
            let until = session::in_seconds(app, NO_CODE_SECONDS);
            db::write(&app.db, "connector.codeless", async |tx| {
                session::take_repair(tx, &session.row, session.row.repairs, until).await
            })
            .await?;
        }
    }
    Ok(later(app, STARTING_SECONDS))
}

/// A session whose network asks something. An approval is given elsewhere, so it is looked for.
fn asking(bridge: &impl Bridge, app: &App, session: &Session, checkpoint: Checkpoint) -> Observation {
    let expires_at = bridge.asks_until(app, session);
    let pause = if checkpoint.kind == Kind::InAppValidation { APPROVAL_SECONDS } else { ANSWER_SECONDS };
    let look_again_at = session::in_seconds(app, pause).min(expires_at);
    Observation::Asking(Asked { checkpoint, expires_at, look_again_at })
}

async fn waiting(bridge: &impl Bridge, app: &App, session: &Session, payload: &str) -> Result<Observation> {
    let lives = |seq: i32| bridge.code_lives_until(app, session, seq);
    let shown = db::retried(|| async {
        db::write(&app.db, "connector.show_code", async |tx| session::show_code(tx, session.id(), payload, lives).await)
            .await
    });
    let Some(qr) = shown.await? else {
        // What is linked by now is seen by whoever looks next.
        let is_open = session::is_open(app.db.reader(), session.id()).await?;
        return Ok(if is_open {
            later(app, STARTING_SECONDS)
        } else {
            Observation::Ended(Failure::ProviderUnavailable)
        });
    };
    let look_again_at = qr.expires_at.max(session::in_seconds(app, OVERDUE_SECONDS));
    Ok(Observation::Waiting { qr: Some(qr), look_again_at })
}

/// A session that has worked and does not.
async fn linked(bridge: &impl Bridge, app: &App, session: &Session, look: &Look) -> Result<Observation> {
    match look {
        Look::Reconnecting(code) if session.row.repair_at.is_none() => {
            wait(app, session, REPAIR_PAUSES_SECONDS[0], code.as_deref()).await
        }
        Look::Starting if session.row.repair_at.is_none() => wait(app, session, MOST_STARTING_SECONDS, None).await,
        // Codes that change wait for a phone; one that stays is left over from when it was linked.
        Look::Reconnecting(Some(code)) if session.row.qr_payload.as_ref().is_some_and(|known| known != code) => {
            Ok(Observation::Ended(Failure::LoggedOut))
        }
        // One that is gone is so when several looks in a row do not find it.
        Look::Stopped | Look::Failed | Look::Gone | Look::Starting | Look::Reconnecting(_) => {
            repair(bridge, app, session, look).await
        }
        Look::Banned => Ok(Observation::Ended(Failure::Banned)),
        // It asks for a phone again: the one that it had has let it go.
        _ => Ok(Observation::Ended(Failure::LoggedOut)),
    }
}

/// A session that says that it works, and is not believed.
async fn doubted(bridge: &impl Bridge, app: &App, session: &Session, look: &Look) -> Result<Observation> {
    match session.row.repair_at {
        None => wait(app, session, REPAIR_PAUSES_SECONDS[0], None).await,
        Some(_) => repair(bridge, app, session, look).await,
    }
}

/// Gives a session time to find its way back by itself, before it is repaired.
async fn wait(app: &App, session: &Session, pause: i64, code: Option<&str>) -> Result<Observation> {
    let next_at = session::in_seconds(app, pause);
    take_step(app, session, session.row.repairs, pause, code).await?;
    Ok(Observation::Starting { look_again_at: next_at })
}

/// Restarts a session that is down, if it is time, and has it looked at afterwards.
async fn repair(bridge: &impl Bridge, app: &App, session: &Session, look: &Look) -> Result<Observation> {
    // Time to find its way back by itself is not for one that has stopped trying.
    let is_to_wait = session.row.repairs > 0 || !matches!(look, Look::Stopped | Look::Failed);
    if let Some(at) = session.row.repair_at.filter(|at| is_to_wait && *at > app.clock.now()) {
        return Ok(Observation::Starting { look_again_at: at });
    }
    let taken = usize::try_from(session.row.repairs).unwrap_or(usize::MAX);
    let Some(pause) = REPAIR_PAUSES_SECONDS.get(taken).copied() else {
        // One that was given up is not begun with again by what it says later.
        let is_last_step = session.row.repair_at.is_some_and(|at| at.plus_seconds(PROBE_SECONDS) > app.clock.now());
        if *look == Look::Gone || (*look == Look::Failed && is_last_step) {
            return Ok(Observation::Ended(Failure::LoggedOut));
        }
        tracing::warn!(session.id = %session.id(), "a session stays down");
        return Ok(Observation::Ended(Failure::ProviderUnavailable));
    };
    let next_at = session::in_seconds(app, pause);
    let code = match look {
        Look::Reconnecting(code) if session.row.qr_payload.is_none() => code.as_deref(),
        _ => None,
    };
    if take_step(app, session, session.row.repairs + 1, pause, code).await? && *look != Look::Gone {
        tracing::warn!(session.id = %session.id(), step = taken + 1, "a session that is down is restarted");
        if let Err(refusal) = bridge.restart(app, session).await {
            tracing::warn!(class = %refusal.class, session.id = %session.id(), "a session could not be restarted");
        }
    }
    Ok(Observation::Starting { look_again_at: next_at })
}

/// Takes a step of a session's repair, and has it looked at after it, where its code is known again; tells whether nobody
/// else did.
async fn take_step(app: &App, session: &Session, repairs: i32, pause: i64, code: Option<&str>) -> Result<bool> {
    let next_at = session::in_seconds(app, pause);
    db::write(&app.db, "connector.repair", async |tx| {
        if !session::take_repair(tx, &session.row, repairs, next_at).await? {
            return Ok(false);
        }
        if code.is_some() {
            session::note_code(tx, session.id(), code).await?;
        }
        let work = Work::SessionChanged { connector: session.row.connector, session: session.id() };
        queue::enqueue_after(app, tx, &work, Duration::from_secs(u64::try_from(pause).unwrap_or(0))).await?;
        Ok(true)
    })
    .await
}

fn later(app: &App, seconds: i64) -> Observation {
    let look_again_at: Timestamp = session::in_seconds(app, seconds);
    Observation::Starting { look_again_at }
}
