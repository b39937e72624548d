//! Testing a channel behind a server that keeps its session (`contracts/channels.md` 1.6): the server takes our key, the
//! session is there, it is connected, and to the account that we think.

use entity::id::AttemptId;
use serde_json::json;

use crate::{
    app::App,
    channel as channels,
    connector::{
        Account,
        bridge::{Bridge, Look},
        refusal::{Class, Refusal},
        session,
        target::{Check, Target},
    },
    error::Result,
};

const CREDENTIALS: &str = "credentials";
const SESSION: &str = "session";
const CONNECTION: &str = "connection";
const NUMBER: &str = "number";

/// Asks the server for the session; nothing changes there or here.
pub(super) async fn test(bridge: &impl Bridge, app: &App, target: &Target) -> Result<Vec<Check>> {
    let session = match session::find_any(app, bridge.kind(), target.session).await? {
        Some(session) => Some(session),
        None => session::imagined(app, bridge.kind(), target.session, &target.partner_id).await?,
    };
    let Some(session) = session else {
        let missing = format!("{} has no credentials: the platform's operator sets them", bridge.kind());
        return Ok(after(vec![Check::failed(CREDENTIALS, missing)]));
    };
    let taken = app.clock.stopwatch();
    let look = bridge.look(app, &session).await;
    let latency_ms = taken.elapsed_ms();
    let checks = match look {
        Err(refusal) => vec![refused(refusal)],
        Ok(Look::Gone) => vec![accepted(), Check::failed(SESSION, "There is no session: activate the channel")],
        Ok(Look::Working(account)) => {
            let is_connected = Check::passed(CONNECTION, "The session is connected");
            vec![accepted(), found(), is_connected, number(app, target.session, &account).await?]
        }
        Ok(look) => vec![accepted(), found(), Check::failed(CONNECTION, unconnected(&look))],
    };
    Ok(after(checks.into_iter().map(|check| check.after(latency_ms)).collect()))
}

fn accepted() -> Check {
    Check::passed(CREDENTIALS, "The server accepts our key")
}

fn found() -> Check {
    Check::passed(SESSION, "The session exists")
}

/// A server that does not answer proves nothing about the key, and one that wants us to wait has accepted it or not.
fn refused(refusal: Refusal) -> Check {
    let message = match refusal.class {
        Class::AuthInvalid | Class::PermissionMissing => "The server does not accept our key",
        Class::RateLimited => "The server wants us to wait",
        Class::ProviderUnavailable => "The server cannot be reached, or something else answers at its address",
        _ => "The server does not answer as it should",
    };
    Check::failed(CREDENTIALS, message).with(json!({ "class": refusal.class.to_string() }))
}

const fn unconnected(look: &Look) -> &'static str {
    match look {
        Look::Scan(_) | Look::Pair => "The session waits for a phone",
        Look::Ask(_) => "The network asks something first",
        Look::Impaired => "The session does not work as it should",
        Look::Stopped => "The session is stopped",
        Look::Failed => "The session has failed",
        Look::Banned => "The network has banned the account",
        Look::LoggedOut => "The phone has removed the session",
        Look::Passkey => "The session waits for a passkey",
        Look::Starting | Look::Reconnecting(_) | Look::Working(_) | Look::Gone => "The session is starting",
        Look::Unheard => "The session is in a state that is not known",
    }
}

/// Whether the session is that of the channel's account.
async fn number(app: &App, session: AttemptId, account: &Account) -> Result<Check> {
    let phone = account.phone.as_ref().map(|phone| phone.as_str().to_owned());
    let details = json!({ "phoneNumber": phone });
    let channel = channels::connected_by_session(app.db.reader(), session).await?;
    let is_another = channel.is_some_and(|channel| channel.external_id != account.external_id);
    let check = match is_another {
        true => Check::failed(NUMBER, "The session is that of another number"),
        false => Check::passed(NUMBER, "The session tells its own number"),
    };
    Ok(check.with(details))
}

/// All parts: those after one that failed could not be looked at.
fn after(mut checks: Vec<Check>) -> Vec<Check> {
    for name in [CREDENTIALS, SESSION, CONNECTION, NUMBER].into_iter().skip(checks.len()) {
        checks.push(Check::skipped(name, "Not looked at, because a part before it failed"));
    }
    checks
}
