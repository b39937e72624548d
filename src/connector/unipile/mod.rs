//! WhatsApp, Telegram and Instagram through Unipile, version 1 of its API (`contracts/channels.md` A1,
//! `https://developer.unipile.com`).
//!
//! Unipile chooses the id of an account at the first call, with the one code that it shows for five minutes, or with the
//! first question that the network asks; after them nothing is left of it there. A pairing code takes the place of the
//! code that was shown. It calls back at one address for all accounts of a key, with a secret of ours in a header,
//! which is registered before an account is begun, and whenever it is found missing while accounts work, and taken away
//! with the last account. There is no signature, so that header is all there is: let it come over TLS.
//!
//! An account that its network has let go stays at Unipile, and works again here once it does there; it is deleted when it
//! is disconnected, or linked again, or its channel deleted.
//!
//! Texts and files (15 MB) are sent into the chat with their recipient; groups cannot be written to, because only chats
//! with people can be begun, but for answers: what answers a message goes into the chat that Unipile has that message
//! in. Reactions of the account's own are not offered. An account that was made while its answer was lost stays at
//! Unipile for as long as an attempt does, unless the network has let it in.

use async_trait::async_trait;
use entity::{
    channel::{ConnectorKind, Network},
    timestamp::Timestamp,
};
use reqwest::Method;
use serde_json::json;

use crate::{
    app::App,
    connector::{
        Outgoing, OutgoingReaction,
        bridge::{self, Bridge, Look, Made, Packing, Source, Wanted},
        call::{Answer, Patience, Server},
        callback::{Callback, Heard},
        checkpoint::Checkpoint,
        refusal::{Class, Refusal},
        session::{self, Noted, Session},
    },
    error::{Error, Result},
    message::Jid,
    phone::Phone,
};

mod events;
mod sending;
mod webhooks;
mod wire;

/// Most bytes of a file.
pub(super) const MOST_FILE_BYTES: i64 = 15_000_000;
/// How long Unipile waits for a phone, or for an answer, from the first call on, in seconds.
const INTENT_SECONDS: i64 = 300;
/// The header that proves a callback.
const PROOF: &str = "Unipile-Auth";
const SERVER: Server = Server { key: "X-API-KEY", root: "api/v1/", refusal };
/// Where questions of the network are answered.
const CHECKPOINTS: Server = Server { refusal: checkpoint_refusal, ..SERVER };

/// The bridge.
pub(super) struct Unipile;

/// What kind of refusal it is stands in its body (`contracts/channels.md` A1.3).
fn refusal(answer: &Answer) -> Refusal {
    let value = answer.value();
    let kind = value["type"].as_str().unwrap_or_default();
    let class = match (answer.status, kind.strip_prefix("errors/").unwrap_or(kind)) {
        (401, "disconnected_account") => Class::SessionLost,
        (401, "invalid_checkpoint_solution") => Class::ChallengeWrong,
        (401, "expired_credentials" | "checkpoint_error" | "expired_link") | (500, "authentication_intent_error") => {
            Class::ChallengeExpired
        }
        (403, "account_restricted") => Class::AccountRestricted,
        (404, "resource_not_found") => Class::NotFound,
        (407, _)
        | (502 | 503, "no_client_session" | "no_channel" | "no_handler" | "network_down" | "service_unavailable") => {
            Class::ProviderUnavailable
        }
        (425, _) => Class::RateLimited,
        (501, _) => Class::PermissionMissing,
        _ => return answer.refusal(),
    };
    Refusal { class, retry_after: answer.retry_after }
}

/// An answer that Unipile had no time for has ended what was begun.
fn checkpoint_refusal(answer: &Answer) -> Refusal {
    match answer.status {
        408 => Refusal::of(Class::ChallengeExpired),
        _ => refusal(answer),
    }
}

/// The provider's id of the session; there is none before the first answer.
fn account_id(session: &Session) -> Result<&str, Refusal> {
    session.row.external_id.as_deref().filter(|id| wire::is_id(id)).ok_or(Refusal::of(Class::NotFound))
}

fn account(session: &Session) -> Result<String, Refusal> {
    account_id(session).map(|id| format!("accounts/{id}"))
}

#[async_trait]
impl Bridge for Unipile {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::Unipile
    }

    fn code_lives_until(&self, _app: &App, session: &Session, _seq: i32) -> Timestamp {
        session.row.created_at.plus_seconds(INTENT_SECONDS)
    }

    fn asks_until(&self, _app: &App, session: &Session) -> Timestamp {
        session.row.created_at.plus_seconds(INTENT_SECONDS)
    }

    async fn create(&self, app: &App, session: &Session, wanted: &Wanted<'_>) -> Result<Made, Refusal> {
        let provider = wire::provider(wanted.network).ok_or(Refusal::of(Class::PermissionMissing))?;
        let mut body = json!({ "provider": provider });
        if wanted.network == Network::Instagram {
            let login = wanted.login.as_ref().ok_or(Refusal::of(Class::ChallengeWrong))?;
            body["username"] = login.username.into();
            body["password"] = login.password.into();
            if let Some(country) = login.country {
                body["country"] = country.into();
            }
        }
        webhooks::register(app, session).await?;
        match SERVER.call(app, session, Method::POST, "accounts", Some(body), Patience::Long).await {
            Ok(answer) => made(&answer),
            Err(Refusal { class: Class::ContentRejected, .. }) if wanted.login.is_some() => {
                Err(Refusal::of(Class::ChallengeWrong))
            }
            // One word stands for a wrong key and for a wrong password: a key that opens something else is right.
            Err(Refusal { class: Class::AuthInvalid, .. }) if wanted.login.is_some() => {
                webhooks::prove(app, session).await?;
                Err(Refusal::of(Class::ChallengeWrong))
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn answer(&self, app: &App, session: &Session, answer: &str) -> Result<Made, Refusal> {
        let body = json!({ "provider": wire::INSTAGRAM, "account_id": account_id(session)?, "code": answer });
        let path = "accounts/checkpoint";
        let answer = CHECKPOINTS.call(app, session, Method::POST, path, Some(body), Patience::Long).await;
        made(&answer?)
    }

    async fn ask_again(&self, app: &App, session: &Session) -> Result<(), Refusal> {
        let body = json!({ "provider": wire::INSTAGRAM, "account_id": account_id(session)? });
        let path = "accounts/checkpoint/resend";
        CHECKPOINTS.call(app, session, Method::POST, path, Some(body), Patience::Long).await?;
        Ok(())
    }

    async fn look(&self, app: &App, session: &Session) -> Result<Look, Refusal> {
        if session.row.external_id.is_none() {
            // There is nothing to ask for, but the key can be proved.
            webhooks::prove(app, session).await?;
            return Ok(Look::Gone);
        }
        let path = account(session)?;
        let asked = SERVER.call(app, session, Method::GET, &path, None, Patience::Usual).await;
        let found: Option<wire::Account> = match asked {
            Ok(answer) => Some(answer.json()?),
            Err(Refusal { class: Class::NotFound, .. }) if session.is_linked() => {
                // It may have the same word for an address that is not its own.
                webhooks::prove(app, session).await?;
                return Ok(Look::Gone);
            }
            // It is not there before somebody has scanned, or answered.
            Err(Refusal { class: Class::NotFound, .. }) => None,
            Err(refusal) => return Err(refusal),
        };
        let is_there = found.is_some();
        if let Some(found) = found.filter(|found| !found.sources.is_empty() || session.is_linked()) {
            return Ok(found.look());
        }
        let row = &session.row;
        if row.created_at.plus_seconds(INTENT_SECONDS) <= app.clock.now() {
            return Ok(Look::Failed);
        }
        if is_there {
            // In its first moments it has no parts.
            return Ok(Look::Starting);
        }
        Ok(match (&row.checkpoint, &row.qr_payload) {
            (Some(asked), _) => Look::Ask(Checkpoint::from_stored(asked)),
            (None, None) if row.qr_seq > 0 => Look::Pair,
            // A code would have come at once: it was let in, and is on its way.
            (None, None) => Look::Starting,
            (None, code) => Look::Scan(code.clone()),
        })
    }

    async fn keep_callbacks(&self, app: &App, session: &Session) -> Result<(), Refusal> {
        webhooks::register(app, session).await
    }

    async fn drop_callbacks(&self, app: &App, session: &Session) -> Result<(), Refusal> {
        webhooks::unregister(app, session).await
    }

    async fn pairing_code(&self, app: &App, session: &Session, phone: &Phone) -> Result<String, Refusal> {
        let before = account(session)?;
        let digits = phone.as_str().trim_start_matches('+');
        let body = json!({ "provider": wire::WHATSAPP, "pairing_phone_number": digits });
        let answer = SERVER.call(app, session, Method::POST, "accounts", Some(body), Patience::Long).await?;
        let begun: wire::Made = answer.json()?;
        let code = begun.pairing_code().and_then(|code| bridge::plain_code(&code));
        let code = code.ok_or(Refusal::of(Class::ContentRejected))?;
        let now_there = Made { external_id: Some(begun.account_id), ..Made::default() };
        if !now_there.external_id.as_deref().is_some_and(wire::is_id) {
            return Err(Refusal::of(Class::TimeoutUnknown));
        }
        let noted = session::made(app, session.row.connector, session.id(), &now_there).await;
        match noted.map_err(|_| Refusal::of(Class::ProviderUnavailable))? {
            Noted::Kept => {}
            Noted::Duplicate => return Err(Refusal::of(Class::Duplicate)),
            Noted::Ended => return Err(Refusal::of(Class::NotFound)),
        }
        // The code that was shown before opens nothing of ours any more.
        if let Err(refusal) = SERVER.call(app, session, Method::DELETE, &before, None, Patience::Usual).await {
            tracing::info!(class = %refusal.class, session.id = %session.id(), "an account that was begun runs out");
        }
        Ok(code)
    }

    async fn send(&self, app: &App, session: &Session, outgoing: &Outgoing) -> Result<String, Refusal> {
        let (path, form) = match place(app, session, outgoing).await? {
            Some((chat, answered)) => {
                (format!("chats/{chat}/messages"), sending::answer(app, answered, outgoing).await?)
            }
            None => ("chats".to_owned(), sending::form(app, account_id(session)?, outgoing).await?),
        };
        let sent: wire::Sent = SERVER.post_form(app, session, &path, form).await?.json()?;
        sent.message_id.filter(|id| !id.is_empty()).ok_or(Refusal::of(Class::TimeoutUnknown))
    }

    async fn react(&self, _app: &App, _session: &Session, _outgoing: &OutgoingReaction) -> Result<(), Refusal> {
        Ok(())
    }

    fn keeps_accounts(&self) -> bool {
        true
    }

    async fn restart(&self, app: &App, session: &Session) -> Result<(), Refusal> {
        let path = format!("{}/restart", account(session)?);
        SERVER.call(app, session, Method::POST, &path, None, Patience::Long).await?;
        Ok(())
    }

    async fn remove(&self, app: &App, session: &Session) -> Result<(), Refusal> {
        SERVER.call(app, session, Method::DELETE, &account(session)?, None, Patience::Long).await?;
        Ok(())
    }

    async fn resolve(&self, _app: &App, _session: &Session, address: &str) -> Result<Option<Jid>, Refusal> {
        Ok(wire::jid(address))
    }

    fn media(&self, app: &App, session: &Session, place: &str) -> Result<Source> {
        let parts = place.split_once('/').filter(|(message, file)| wire::is_id(message) && wire::is_id(file));
        let (message, file) = parts.ok_or_else(|| Error::field("url", "is no attachment"))?;
        let url = format!("{}/{}messages/{message}/attachments/{file}", session.access.base_url, SERVER.root);
        let request = SERVER.request(app, session, Method::GET, &url, Patience::Long)?;
        Ok(Source { request, packing: Packing::Plain })
    }

    fn has_own_addresses(&self) -> bool {
        false
    }

    /// It calls back at the address of its key only.
    fn is_genuine(&self, _app: &App, _session: &Session, _callback: &Callback) -> bool {
        false
    }

    fn is_genuine_for_all(&self, secret: &str, callback: &Callback) -> bool {
        events::is_genuine(secret, callback)
    }

    fn account_of(&self, callback: &Callback) -> Result<Option<String>> {
        events::account_of(&callback.body)
    }

    fn read(&self, app: &App, _session: &Session, callback: &Callback) -> Result<Heard> {
        events::read(&callback.body, app.clock.now())
    }
}

/// The chat in which a message answers another one, and the id of that; `None` for what answers nothing that is known
/// there. One of another chat is not answered: an answer goes where the other is.
async fn place<'a>(app: &App, session: &Session, outgoing: &'a Outgoing) -> Result<Option<(String, &'a str)>, Refusal> {
    let answered = outgoing.answered.as_ref().filter(|answered| answered.chat == outgoing.recipient);
    let Some(id) = answered.map(|answered| wire::whole_id(&answered.provider_ref)).filter(|id| wire::is_id(id)) else {
        return Ok(None);
    };
    let path = format!("messages/{id}");
    match SERVER.call(app, session, Method::GET, &path, None, Patience::Usual).await {
        Ok(answer) => {
            let chat = answer.value()["chat_id"].as_str().map(str::to_owned);
            Ok(chat.filter(|chat| wire::is_id(chat)).map(|chat| (chat, id)))
        }
        Err(Refusal { class: Class::NotFound | Class::ContentRejected | Class::PermissionMissing, .. }) => Ok(None),
        // Nothing has left yet.
        Err(Refusal { class: Class::TimeoutUnknown, .. }) => Err(Refusal::of(Class::ProviderUnavailable)),
        Err(refusal) => Err(refusal),
    }
}

/// What came of beginning an account, or of an answer.
fn made(answer: &Answer) -> Result<Made, Refusal> {
    let made: wire::Made = answer.json()?;
    if !wire::is_id(&made.account_id) {
        return Err(Refusal::of(Class::TimeoutUnknown));
    }
    let (code, checkpoint) = made.checkpoint.map_or((None, None), wire::Checkpoint::read);
    Ok(Made { external_id: Some(made.account_id), code, checkpoint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_by_their_type() {
        for (status, kind, class) in [
            (401, "missing_credentials", Class::AuthInvalid),
            (401, "disconnected_account", Class::SessionLost),
            (401, "invalid_checkpoint_solution", Class::ChallengeWrong),
            (401, "checkpoint_error", Class::ChallengeExpired),
            (403, "account_restricted", Class::AccountRestricted),
            (403, "insufficient_permissions", Class::PermissionMissing),
            (404, "resource_not_found", Class::NotFound),
            (407, "proxy_error", Class::ProviderUnavailable),
            (408, "request_timeout", Class::TimeoutUnknown),
            (422, "unprocessable_entity", Class::ContentRejected),
            (425, "auth_in_progress", Class::RateLimited),
            (429, "provider_error", Class::RateLimited),
            (500, "authentication_intent_error", Class::ChallengeExpired),
            (500, "provider_error", Class::TimeoutUnknown),
            (501, "not_implemented", Class::PermissionMissing),
            (502, "no_client_session", Class::ProviderUnavailable),
            (502, "something_new", Class::TimeoutUnknown),
            (503, "network_down", Class::ProviderUnavailable),
            (504, "request_timeout", Class::TimeoutUnknown),
        ] {
            let body = json!({ "status": status, "type": format!("errors/{kind}"), "title": kind });
            assert_eq!(refusal(&Answer::of(status, &body)).class, class, "{status} {kind}");
        }
        for body in
            [json!(null), json!({ "status": 404, "type": "errors/no_route" }), json!({ "message": "Not Found" })]
        {
            assert_eq!(refusal(&Answer::of(404, &body)).class, Class::ProviderUnavailable, "{body}");
        }
    }
}
