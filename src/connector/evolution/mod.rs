//! WhatsApp through an Evolution API server, version 2 (`contracts/channels.md` A2a, `https://doc.evolution-api.com/v2`).
//!
//! An instance has the attempt's id for a name. Its webhook proves itself with a JWT of a secret of the session's own;
//! the JWT does not cover the body, so whoever reads one has ten minutes to use it, which is all that this server offers:
//! let it reach `public_url` over TLS or a network of its own.
//!
//! What its known faults lead to here: an instance that has no code yet says so with `count` 0 and is asked again; one
//! whose codes have run out stays `close`, which is told from a moment's `close` while a phone links by its last code
//! being overdue; one that has been logged out is deleted, never reconnected; one that was linked and stays `connecting` is
//! logged out if the code that it has to scan changes: it remembers the one that it was linked with; a webhook that is lost is set again whenever
//! its instance is found working.
//!
//! Files that come are fetched from the server, as base64, which it offers in no other way: up to 18 MiB, and of a larger
//! one its message says that it is too large. Files that are sent it fetches from `public_url`.

use async_trait::async_trait;
use entity::channel::ConnectorKind;
use reqwest::Method;
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
    error::Result,
    message::Jid,
    phone::Phone,
};

mod events;
mod sending;
mod wire;

/// What a server is asked to tell of.
const EVENTS: [&str; 8] = [
    "QRCODE_UPDATED",
    "CONNECTION_UPDATE",
    "STATUS_INSTANCE",
    "LOGOUT_INSTANCE",
    "REMOVE_INSTANCE",
    "MESSAGES_UPSERT",
    "MESSAGES_UPDATE",
    "SEND_MESSAGE",
];
const SERVER: Server = Server { key: "apikey", root: "", refusal };
/// Where it is asked for what an instance may not have, messages that are reacted to included.
const LOOKUP: Server = Server { refusal: refusal_of_lookup, ..SERVER };

/// The bridge.
pub(super) struct Evolution;

/// A number that is not on the network is told with a list of what was looked for, and a connection that was closed
/// before anything left with a status that depends on the version.
fn refusal(answer: &Answer) -> Refusal {
    let value = answer.value();
    let said = &value["response"]["message"];
    let is_nobody = said.as_array().is_some_and(|list| list.iter().any(|one| one["exists"] == false));
    match answer.status {
        400 if is_nobody => Refusal::of(Class::RecipientUnreachable),
        400 | 500 if wire::is_closed(said) => Refusal::of(Class::SessionLost),
        404 if wire::is_no_instance(&value) => Refusal::of(Class::NotFound),
        _ => answer.refusal(),
    }
}

fn refusal_of_lookup(answer: &Answer) -> Refusal {
    match answer.status {
        404 if wire::is_own_not_found(&answer.value()) => Refusal::of(Class::NotFound),
        _ => refusal(answer),
    }
}

#[async_trait]
impl Bridge for Evolution {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::Evolution
    }

    async fn create(&self, app: &App, session: &Session, _wanted: &Wanted<'_>) -> Result<Made, Refusal> {
        let body = json!({
            "instanceName": session.id(),
            "integration": "WHATSAPP-BAILEYS",
            "qrcode": true,
            "webhook": webhook(app, session),
        });
        match SERVER.call(app, session, Method::POST, "instance/create", Some(body), Patience::Long).await {
            Ok(_) => Ok(Made::default()),
            // Here 403 is the word for a name that is taken; 401 is that for a key.
            Err(Refusal { class: Class::PermissionMissing, .. }) => Err(Refusal::of(Class::Duplicate)),
            Err(refusal) => Err(refusal),
        }
    }

    async fn look(&self, app: &App, session: &Session) -> Result<Look, Refusal> {
        let path = format!("instance/connectionState/{}", session.id());
        let answer = match SERVER.call(app, session, Method::GET, &path, None, Patience::Usual).await {
            Ok(answer) => answer,
            Err(Refusal { class: Class::NotFound, .. }) => return Ok(Look::Gone),
            Err(refusal) => return Err(refusal),
        };
        let state: wire::State = answer.json()?;
        match state.instance.state.as_str() {
            "open" => Ok(instance(app, session).await?.account().map_or(Look::Unheard, Look::Working)),
            "connecting" if session.is_linked() => Ok(Look::Reconnecting(code(app, session).await?)),
            "connecting" => Ok(Look::Scan(code(app, session).await?)),
            "close" if session.is_linked() => Ok(match instance(app, session).await?.end() {
                // It may find its way back.
                Look::Failed => Look::Stopped,
                other => other,
            }),
            "close" if session.row.qr_seq == 0 => Ok(Look::Scan(code(app, session).await?)),
            "close" if session.row.qr_expires_at.is_some_and(|at| at > app.clock.now()) => Ok(Look::Starting),
            "close" => Ok(match instance(app, session).await?.end() {
                // A phone that was refused, not one that let go.
                Look::LoggedOut => Look::Failed,
                other => other,
            }),
            "refused" => Ok(Look::Failed),
            _ => Ok(Look::Unheard),
        }
    }

    async fn keep_callbacks(&self, app: &App, session: &Session) -> Result<(), Refusal> {
        let path = format!("webhook/find/{}", session.id());
        let found = match LOOKUP.call(app, session, Method::GET, &path, None, Patience::Usual).await {
            Ok(answer) => answer.value(),
            Err(Refusal { class: Class::NotFound, .. }) => Value::Null,
            Err(refusal) => return Err(refusal),
        };
        if found["enabled"] == true && found["url"] == session.callback_url(app).as_str() {
            return Ok(());
        }
        tracing::warn!(session.id = %session.id(), "an instance has lost its webhook, which is set again");
        let path = format!("webhook/set/{}", session.id());
        let body = json!({ "webhook": webhook(app, session) });
        SERVER.call(app, session, Method::POST, &path, Some(body), Patience::Usual).await?;
        Ok(())
    }

    async fn pairing_code(&self, app: &App, session: &Session, phone: &Phone) -> Result<String, Refusal> {
        let digits = phone.as_str().trim_start_matches('+');
        let path = format!("instance/connect/{}?number={digits}", session.id());
        let code: wire::Code = SERVER.call(app, session, Method::GET, &path, None, Patience::Long).await?.json()?;
        code.pairing_code.and_then(|code| bridge::plain_code(&code)).ok_or(Refusal::of(Class::SessionLost))
    }

    async fn send(&self, app: &App, session: &Session, outgoing: &Outgoing) -> Result<String, Refusal> {
        let (path, body) = sending::request(app, outgoing)?;
        let path = format!("message/{path}/{}", session.id());
        let answer = SERVER.call(app, session, Method::POST, &path, Some(body), Patience::Long).await?;
        wire::sent(&answer.value()).ok_or(Refusal::of(Class::TimeoutUnknown))
    }

    async fn react(&self, app: &App, session: &Session, outgoing: &OutgoingReaction) -> Result<(), Refusal> {
        let Some(body) = sending::reaction(outgoing) else { return Ok(()) };
        let path = format!("message/sendReaction/{}", session.id());
        LOOKUP.call(app, session, Method::POST, &path, Some(body), Patience::Long).await?;
        Ok(())
    }

    async fn restart(&self, app: &App, session: &Session) -> Result<(), Refusal> {
        let path = format!("instance/restart/{}", session.id());
        SERVER.call(app, session, Method::POST, &path, None, Patience::Long).await?;
        Ok(())
    }

    async fn remove(&self, app: &App, session: &Session) -> Result<(), Refusal> {
        let log_out = format!("instance/logout/{}", session.id());
        match SERVER.call(app, session, Method::DELETE, &log_out, None, Patience::Long).await {
            // One that is not connected cannot log out, and need not.
            Ok(_) | Err(Refusal { class: Class::ContentRejected | Class::SessionLost | Class::NotFound, .. }) => {}
            // Deleting logs one that is connected out too.
            Err(Refusal { class, .. }) => {
                tracing::warn!(%class, session.id = %session.id(), "an instance is deleted that did not log out");
            }
        }
        let delete = format!("instance/delete/{}", session.id());
        SERVER.call(app, session, Method::DELETE, &delete, None, Patience::Long).await?;
        Ok(())
    }

    async fn resolve(&self, _app: &App, _session: &Session, address: &str) -> Result<Option<Jid>, Refusal> {
        Ok(Jid::parse(&wire::plain(address)).ok())
    }

    fn media(&self, app: &App, session: &Session, reference: &str) -> Result<Source> {
        let path = format!("chat/getBase64FromMediaMessage/{}", session.id());
        let url = format!("{}/{path}", session.access.base_url);
        let request = SERVER.request(app, session, Method::POST, &url, Patience::Long)?;
        let body = json!({ "message": { "key": { "id": reference } }, "convertToMp4": false });
        Ok(Source { request: request.json(&body), packing: Packing::InJson("base64") })
    }

    fn is_genuine(&self, app: &App, session: &Session, callback: &Callback) -> bool {
        events::is_genuine(session.secret.expose_secret(), callback, app.clock.now())
    }

    fn read(&self, app: &App, session: &Session, callback: &Callback) -> Result<Heard> {
        events::read(session.id(), &callback.body, app.clock.now())
    }
}

/// Where an instance calls back, and of what.
fn webhook(app: &App, session: &Session) -> Value {
    json!({
        "enabled": true,
        "url": session.callback_url(app),
        "headers": { "jwt_key": session.secret.expose_secret() },
        "byEvents": false,
        "base64": false,
        "events": EVENTS,
    })
}

/// The code that an instance shows; `None` if it has none yet.
async fn code(app: &App, session: &Session) -> Result<Option<String>, Refusal> {
    let path = format!("instance/connect/{}", session.id());
    let code: wire::Code = SERVER.call(app, session, Method::GET, &path, None, Patience::Long).await?.json()?;
    Ok(code.code.filter(|code| !code.is_empty()))
}

/// What is known of an instance beside its state.
async fn instance(app: &App, session: &Session) -> Result<wire::Instance, Refusal> {
    let path = format!("instance/fetchInstances?instanceName={}", session.id());
    let answer = match LOOKUP.call(app, session, Method::GET, &path, None, Patience::Usual).await {
        Ok(answer) => answer,
        Err(Refusal { class: Class::NotFound, .. }) => return Ok(wire::Instance::default()),
        Err(refusal) => return Err(refusal),
    };
    let mut found: Vec<wire::Instance> = answer.json()?;
    Ok(found.pop().unwrap_or_default())
}
