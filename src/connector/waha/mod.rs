//! WhatsApp through a WAHA server (`contracts/channels.md` A2b, `https://waha.devlike.pro/docs/`).
//!
//! A session has the attempt's id for a name, and a webhook of its own that is signed with a secret of its own, so a
//! leaked secret forges nothing about another account. The server is opened with the key that the operator set; its
//! callbacks come to `public_url`, which it has to reach, and it fetches files that are sent from there too.
//!
//! Its engines write ids of messages in different ways; ours is the last part of them, see [`wire::reference`]. People
//! whose number WhatsApp hides (`@lid`) are asked for by [`Waha::resolve`] and keep that id if it does not tell.
//!
//! A webhook that is lost, or calls where we were before, is set again while its session works; the server restarts the
//! session for it.
//!
//! A message that timed out on its way in is told of by the `message.any` event of what went out, and recognised there.
//! Reactions that the account itself makes on its phone are not brought: the server tells of ours in the same way, late.

use async_trait::async_trait;
use entity::channel::ConnectorKind;
use reqwest::{Method, Url};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    app::App,
    connector::{
        Outgoing, OutgoingReaction,
        bridge::{self, Bridge, Look, Made, Packing, Source, Wanted},
        call::{Answer, Patience, Server},
        callback::{Callback, Heard},
        refusal::{Class, Refusal},
        session::Session,
    },
    error::{Error, Result},
    message::Jid,
    phone::Phone,
};

mod events;
mod sending;
mod wire;

/// What a server is asked to tell of.
const EVENTS: [&str; 5] = ["session.status", "message.any", "message.ack", "message.ack.group", "message.reaction"];
/// How often a server tells something again that it could not, waiting twice as long each time.
const CALLBACK_TRIES: u32 = 12;
/// How long it waits at first, in seconds.
const CALLBACK_PAUSE_SECONDS: u32 = 2;
/// Under which it serves files that came with messages.
const FILES: &str = "/api/files/";
const SERVER: Server = Server { key: "X-Api-Key", root: "api/", refusal };
/// Where it is asked for what it may not have: people, and messages that are reacted to.
const LOOKUP: Server = Server { refusal: refusal_of_lookup, ..SERVER };

/// The bridge.
pub(super) struct Waha;

/// 422 is the server's word for a session that is not in the state for it, and for what its engine cannot do.
fn refusal(answer: &Answer) -> Refusal {
    match answer.status {
        404 if wire::is_no_session(&answer.value()) => Refusal::of(Class::NotFound),
        422 if wire::is_about_session(&answer.value()) => Refusal::of(Class::SessionLost),
        _ => answer.refusal(),
    }
}

/// Older servers do not know the question, and nobody knows all people.
fn refusal_of_lookup(answer: &Answer) -> Refusal {
    match answer.status {
        404 if wire::is_own_not_found(&answer.value()) => Refusal::of(Class::NotFound),
        _ => refusal(answer),
    }
}

#[async_trait]
impl Bridge for Waha {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::Waha
    }

    async fn create(&self, app: &App, session: &Session, _wanted: &Wanted<'_>) -> Result<Made, Refusal> {
        let config = json!({
            "webhooks": [webhook(app, session)],
            "ignore": { "status": true, "channels": true, "broadcast": true },
        });
        let body = json!({ "name": session.id(), "start": true, "config": config });
        match SERVER.call(app, session, Method::POST, "sessions", Some(body), Patience::Long).await {
            Ok(_) => Ok(Made::default()),
            // Here it is the word for a name that is taken.
            Err(Refusal { class: Class::SessionLost, .. }) => Err(Refusal::of(Class::Duplicate)),
            Err(refusal) => Err(refusal),
        }
    }

    async fn look(&self, app: &App, session: &Session) -> Result<Look, Refusal> {
        let path = format!("sessions/{}", session.id());
        let answer = match SERVER.call(app, session, Method::GET, &path, None, Patience::Usual).await {
            Ok(answer) => answer,
            Err(Refusal { class: Class::NotFound, .. }) => return Ok(Look::Gone),
            Err(refusal) => return Err(refusal),
        };
        let state: wire::State = answer.json()?;
        Ok(match state.status.as_str() {
            "SCAN_QR_CODE" if session.is_linked() => Look::Scan(None),
            "SCAN_QR_CODE" => Look::Scan(code(app, session).await?),
            "WORKING" => state.account().map_or(Look::Unheard, Look::Working),
            "STARTING" => Look::Starting,
            "STOPPED" => Look::Stopped,
            "FAILED" => Look::Failed,
            "PASSKEY_REQUIRED" | "PASSKEY_CONFIRMATION_REQUIRED" => Look::Passkey,
            _ => Look::Unheard,
        })
    }

    async fn keep_callbacks(&self, app: &App, session: &Session) -> Result<(), Refusal> {
        let path = format!("sessions/{}", session.id());
        let known = SERVER.call(app, session, Method::GET, &path, None, Patience::Usual).await?.value();
        let own = format!("/{}/{}", self.kind(), session.id());
        let Some(config) = wire::with_webhook(&known["config"], webhook(app, session), &own) else { return Ok(()) };
        tracing::warn!(session.id = %session.id(), "a session has lost its webhook, which is set again: it is restarted");
        let body = json!({ "config": config });
        SERVER.call(app, session, Method::PUT, &path, Some(body), Patience::Long).await?;
        Ok(())
    }

    async fn pairing_code(&self, app: &App, session: &Session, phone: &Phone) -> Result<String, Refusal> {
        let path = format!("{}/auth/request-code", session.id());
        let digits = phone.as_str().trim_start_matches('+');
        let body = Some(json!({ "phoneNumber": digits }));
        let code: wire::Code = SERVER.call(app, session, Method::POST, &path, body, Patience::Long).await?.json()?;
        bridge::plain_code(&code.code).ok_or(Refusal::of(Class::TimeoutUnknown))
    }

    async fn send(&self, app: &App, session: &Session, outgoing: &Outgoing) -> Result<String, Refusal> {
        let (path, body) = sending::request(app, session, outgoing)?;
        let answer = SERVER.call(app, session, Method::POST, path, Some(body), Patience::Long).await?;
        wire::sent(&answer.value()).ok_or(Refusal::of(Class::TimeoutUnknown))
    }

    async fn react(&self, app: &App, session: &Session, outgoing: &OutgoingReaction) -> Result<(), Refusal> {
        let Some(body) = sending::reaction(session, outgoing) else { return Ok(()) };
        LOOKUP.call(app, session, Method::PUT, "reaction", Some(body), Patience::Long).await?;
        Ok(())
    }

    async fn restart(&self, app: &App, session: &Session) -> Result<(), Refusal> {
        let path = format!("sessions/{}/restart", session.id());
        SERVER.call(app, session, Method::POST, &path, None, Patience::Long).await?;
        Ok(())
    }

    async fn remove(&self, app: &App, session: &Session) -> Result<(), Refusal> {
        // Removing logs out too.
        let path = format!("sessions/{}", session.id());
        SERVER.call(app, session, Method::DELETE, &path, None, Patience::Long).await?;
        Ok(())
    }

    async fn resolve(&self, app: &App, session: &Session, address: &str) -> Result<Option<Jid>, Refusal> {
        let Some(id) = address.strip_suffix("@lid") else { return Ok(Jid::parse(&wire::plain(address)).ok()) };
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let path = format!("{}/lids/{id}", session.id());
        let known: wire::Lid = match LOOKUP.call(app, session, Method::GET, &path, None, Patience::Usual).await {
            Ok(answer) => answer.json()?,
            Err(Refusal { class: Class::NotFound | Class::ContentRejected, .. }) => wire::Lid::default(),
            Err(refusal) => return Err(refusal),
        };
        let phone = known.pn.and_then(|address| Jid::parse(&wire::plain(&address)).ok());
        Ok(phone.or_else(|| Jid::parse(address).ok()))
    }

    fn media(&self, app: &App, session: &Session, url: &str) -> Result<Source> {
        let said: Url = url.parse().map_err(|_| Error::field("url", "is not a URL"))?;
        let Some(path) = path_of_file(&session.access.base_url, said.path()) else {
            // It keeps them elsewhere, which is not the operator's word.
            return Ok(Source { request: app.outbound.request(Method::GET, url)?, packing: Packing::Plain });
        };
        // A server that does not know its own name says localhost.
        let url = format!("{}{path}", session.access.base_url);
        let request = SERVER.request(app, session, Method::GET, &url, Patience::Long)?;
        Ok(Source { request, packing: Packing::Plain })
    }

    fn is_genuine(&self, _app: &App, session: &Session, callback: &Callback) -> bool {
        events::is_genuine(session.secret.expose_secret(), callback)
    }

    fn read(&self, _app: &App, session: &Session, callback: &Callback) -> Result<Heard> {
        events::read(session.id(), &callback.body)
    }
}

/// Where below its base address a server keeps a file that has this path: it may know under which prefix it is reached,
/// or not. `None` for one that is not the server's.
fn path_of_file<'a>(base_url: &str, path: &'a str) -> Option<&'a str> {
    let base: Url = base_url.parse().ok()?;
    let prefix = base.path().trim_end_matches('/');
    let places = [path.strip_prefix(prefix), Some(path)];
    places.into_iter().flatten().find(|path| path.starts_with(FILES))
}

/// Where a session calls back, and of what.
fn webhook(app: &App, session: &Session) -> Value {
    json!({
        "url": session.callback_url(app),
        "events": EVENTS,
        "hmac": { "key": session.secret.expose_secret() },
        "retries": { "policy": "exponential", "delaySeconds": CALLBACK_PAUSE_SECONDS, "attempts": CALLBACK_TRIES },
    })
}

/// The code that a session shows; `None` if it is just being replaced.
async fn code(app: &App, session: &Session) -> Result<Option<String>, Refusal> {
    let path = format!("{}/auth/qr?format=raw", session.id());
    match SERVER.call(app, session, Method::GET, &path, None, Patience::Usual).await {
        Ok(answer) => {
            let code: wire::Qr = answer.json()?;
            Ok(Some(code.value).filter(|value| !value.is_empty()))
        }
        Err(Refusal { class: Class::SessionLost, .. }) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_the_session_is_its_loss() {
        let expected = json!(["WORKING"]);
        for (said, class) in [
            (json!({ "error": "Not as expected", "status": "STARTING", "expected": expected }), Class::SessionLost),
            (json!({ "statusCode": 422, "message": "Session 'x' already exists" }), Class::SessionLost),
            (json!({ "message": "The feature is available only in Plus version" }), Class::ContentRejected),
            (json!({ "message": ["chatId must be a string"] }), Class::ContentRejected),
            (json!(null), Class::ContentRejected),
        ] {
            assert_eq!(refusal(&Answer::of(422, &said)).class, class, "{said}");
        }
    }

    #[test]
    fn files_are_below_the_base_address() {
        let file = Some("/api/files/a.png");
        for (base_url, path, expected) in [
            ("http://waha:3000", "/api/files/a.png", file),
            ("https://host/waha", "/waha/api/files/a.png", file),
            ("https://host/waha", "/api/files/a.png", file),
            ("https://host/waha", "/bucket/api/files/a.png", None),
            ("https://host", "/waha/api/files/a.png", None),
            ("https://host", "/a.png", None),
        ] {
            assert_eq!(path_of_file(base_url, path), expected, "{base_url} {path}");
        }
    }
}
