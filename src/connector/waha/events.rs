//! What a WAHA server tells us.

use entity::{id::AttemptId, timestamp::Timestamp};
use hmac_sha512::HMAC;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    connector::{
        bridge,
        callback::{Brought, Callback, Event, Gone, Happened, Heard, Media},
        waha::wire,
    },
    error::{Error, Result},
    message::status::ReceiptEvent,
};

const ALGORITHM: &str = "sha512";
const DIGEST_BYTES: usize = 64;

/// An event as it comes.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    id: String,
    /// In milliseconds.
    #[serde(default)]
    timestamp: Option<i64>,
    event: String,
    session: String,
    #[serde(default)]
    payload: Value,
}

/// Whether a callback is signed with this secret.
pub(super) fn is_genuine(secret: &str, callback: &Callback) -> bool {
    let algorithm = callback.header("x-webhook-hmac-algorithm");
    let Some(signature) = bytes(callback.header("x-webhook-hmac")) else { return false };
    (algorithm.is_empty() || algorithm.eq_ignore_ascii_case(ALGORITHM))
        && HMAC::verify(&callback.body, secret, &signature)
}

/// 64 bytes in hexadecimal digits.
fn bytes(hex: &str) -> Option<[u8; DIGEST_BYTES]> {
    if hex.len() != DIGEST_BYTES * 2 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; DIGEST_BYTES];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Reads a genuine callback.
pub(super) fn read(session: AttemptId, body: &[u8]) -> Result<Heard> {
    let wrong = |reason: &str| Error::InvalidBody { field: None, reason: reason.to_owned() };
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| wrong("the body is no event"))?;
    if envelope.session != session.to_string() {
        return Err(Error::field("session", "is another"));
    }
    // Without an id of its own, an event is what it says.
    let id = if envelope.id.is_empty() { String::from_utf8_lossy(body).into_owned() } else { envelope.id };
    let at = Timestamp(envelope.timestamp.unwrap_or(0).saturating_mul(1000));
    let payload = &envelope.payload;
    let event = match envelope.event.as_str() {
        "session.status" => Some(Event::SessionChanged),
        "message.any" => message(payload),
        "message.ack" | "message.ack.group" => receipt(payload),
        "message.reaction" => reaction(payload),
        _ => None,
    };
    Ok(Heard { id, events: event.map(|event| Happened { at, event }).into_iter().collect() })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn is_own(payload: &Value) -> bool {
    payload["fromMe"].as_bool().unwrap_or(false)
}

fn message(payload: &Value) -> Option<Event> {
    let provider_ref = wire::reference(payload["id"].as_str().filter(|id| !id.is_empty())?);
    let body = text(&payload["body"]).unwrap_or_default();
    if is_own(payload) {
        let chat = text(&payload["to"]).filter(|to| is_conversation(to))?;
        let is_typed = payload["source"].as_str() == Some("app");
        let receipt = payload["ack"].as_i64().and_then(|ack| status(ack, payload));
        let media = media(payload);
        let is_seen = !body.is_empty() || media.is_some() || is_place_or_card(payload);
        // What phones tell each other is no message of anybody's.
        let answers = answers(payload);
        let told_at = told_at(payload);
        let gone = Gone { chat, text: body, media, provider_ref, is_typed, receipt, answers, told_at };
        return is_seen.then_some(Event::GoneOut(gone));
    }
    let chat = text(&payload["from"]).filter(|from| is_conversation(from))?;
    let author = if chat.ends_with("@g.us") { text(&payload["participant"]) } else { None };
    Some(Event::Message(Brought {
        chat,
        author,
        text: body,
        media: media(payload),
        provider_ref,
        name: name(payload),
        group_name: None,
        answers: answers(payload),
        told_at: told_at(payload),
    }))
}

/// When a message was written, which is told in seconds.
fn told_at(payload: &Value) -> Option<Timestamp> {
    payload["timestamp"].as_i64().map(|at| Timestamp(at.saturating_mul(Timestamp::SECOND)))
}

/// What who wrote calls themselves: each engine has its own place for it.
fn name(payload: &Value) -> Option<String> {
    let raw = &payload["_data"];
    let places = [&payload["notifyName"], &raw["notifyName"], &raw["pushName"], &raw["Info"]["PushName"]];
    places.into_iter().find_map(text)
}

/// The ids of the message that it answers.
fn answers(payload: &Value) -> Vec<String> {
    let said = &payload["replyTo"];
    let Some(id) = text(&said["id"]).or_else(|| text(said)) else { return Vec::new() };
    bridge::answered_as(&wire::reference(&id), said["participant"].as_str())
}

fn is_place_or_card(payload: &Value) -> bool {
    payload["location"].is_object() || payload["vCards"].as_array().is_some_and(|cards| !cards.is_empty())
}

/// News, channels and stories are no conversations.
fn is_conversation(address: &str) -> bool {
    ["@c.us", "@s.whatsapp.net", "@lid", "@g.us"].iter().any(|server| address.ends_with(server))
}

fn media(payload: &Value) -> Option<Media> {
    let media = &payload["media"];
    let has = payload["hasMedia"].as_bool().unwrap_or(!media.is_null());
    has.then(|| Media {
        url: text(&media["url"]).filter(|_| media["error"].is_null()),
        content_type: text(&media["mimetype"]),
        filename: text(&media["filename"]),
    })
}

fn receipt(payload: &Value) -> Option<Event> {
    let provider_ref = wire::reference(payload["id"].as_str().filter(|id| !id.is_empty())?);
    if !payload["fromMe"].as_bool().unwrap_or(true) {
        return None;
    }
    let receipt = status(payload["ack"].as_i64()?, payload)?;
    Some(Event::Receipt { provider_ref, receipt })
}

/// What became of a message. 0 says that it waits; of others we know nothing.
fn status(ack: i64, payload: &Value) -> Option<ReceiptEvent> {
    match ack {
        -1 => Some(ReceiptEvent::Failed { reason: text(&payload["ackName"]).unwrap_or_default().to_lowercase() }),
        1 => Some(ReceiptEvent::Sent),
        2 => Some(ReceiptEvent::Delivered),
        3 | 4 => Some(ReceiptEvent::Read),
        _ => None,
    }
}

fn reaction(payload: &Value) -> Option<Event> {
    let about = &payload["reaction"];
    let provider_ref = wire::reference(about["messageId"].as_str().filter(|id| !id.is_empty())?);
    let emoji = text(&about["text"]);
    if is_own(payload) {
        // Through the API come ours only, which are known.
        let is_ours = payload["source"].as_str() == Some("api");
        return (!is_ours).then_some(Event::OwnReaction { provider_ref, emoji });
    }
    let from = text(&payload["participant"]).or_else(|| text(&payload["from"]))?;
    Some(Event::Reaction { provider_ref, from, emoji })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;

    /// The provider's own example (`contracts/channels.md` part E).
    const BODY: &str = r#"{"event":"message","session":"default","engine":"WEBJS"}"#;
    const SIGNATURE: &str = "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89";

    fn signed(signature: &str, algorithm: &str, body: &str) -> Callback {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers =
            HashMap::from([header("x-webhook-hmac", signature), header("x-webhook-hmac-algorithm", algorithm)]);
        Callback { headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn only_what_is_signed_with_the_secret_is_genuine() {
        let genuine = |secret: &str, callback: &Callback| is_genuine(secret, callback);
        assert!(genuine("my-secret-key", &signed(SIGNATURE, "sha512", BODY)));
        assert!(genuine("my-secret-key", &signed(&SIGNATURE.to_uppercase(), "", BODY)));
        assert!(!genuine("another-key", &signed(SIGNATURE, "sha512", BODY)));
        assert!(!genuine("my-secret-key", &signed(SIGNATURE, "sha256", BODY)));
        assert!(!genuine("my-secret-key", &signed(SIGNATURE, "sha512", &format!("{BODY} "))));
        for bad in ["", "208f", &SIGNATURE[2..], &SIGNATURE.replace('2', "x"), &"ä".repeat(64)] {
            assert!(!genuine("my-secret-key", &signed(bad, "sha512", BODY)), "{bad}");
        }
        assert!(!genuine("my-secret-key", &Callback { headers: HashMap::new(), body: BODY.into() }));
    }

    fn session() -> AttemptId {
        "01990000-0000-7000-8000-000000000001".parse().expect("an id")
    }

    fn event(name: &str, payload: Value) -> Option<Event> {
        let body = json!({ "id": "evt_1", "timestamp": 1_789_027_200_123i64, "event": name,
            "session": session().to_string(), "payload": payload });
        let heard = read(session(), body.to_string().as_bytes()).expect("an event");
        assert_eq!(heard.id, "evt_1");
        let happened = heard.events.into_iter().next()?;
        assert_eq!(happened.at, Timestamp(1_789_027_200_123_000));
        Some(happened.event)
    }

    #[test]
    fn what_is_of_use_is_read_and_the_rest_is_not() {
        assert_eq!(event("session.status", json!({ "status": "ON_HOLIDAY" })), Some(Event::SessionChanged));
        let wrote = json!({ "id": "false_1555@c.us_A", "from": "1555@c.us", "fromMe": false, "body": "Hi" });
        let Some(Event::Message(brought)) = event("message.any", wrote.clone()) else { panic!("no message") };
        assert_eq!((brought.chat.as_str(), brought.text.as_str(), brought.media), ("1555@c.us", "Hi", None));
        let changed = |field: &str, value: Value| {
            let mut payload = wrote.clone();
            payload[field] = value;
            event("message.any", payload)
        };
        for chat in ["status@broadcast", "1@newsletter", "1@broadcast", ""] {
            assert_eq!(changed("from", json!(chat)), None, "{chat}");
        }
        assert_eq!(changed("id", Value::Null), None);
        let brought = |field: &str, value: Value| match changed(field, value) {
            Some(Event::Message(brought)) => brought,
            other => panic!("{other:?}"),
        };
        for data in
            [json!({ "notifyName": "Ann" }), json!({ "pushName": "Ann" }), json!({ "Info": { "PushName": "Ann" } })]
        {
            assert_eq!(brought("_data", data).name.as_deref(), Some("Ann"));
        }
        for (said, expected) in [
            (json!({ "id": "A", "participant": "1555@c.us" }), vec!["A", "A_1555@c.us", "A_1555@s.whatsapp.net"]),
            (json!({ "id": "A", "participant": "77:3@lid" }), vec!["A", "A_77@lid"]),
            (json!({ "id": "true_1555@c.us_A" }), vec!["A"]),
            (json!("A"), vec!["A"]),
            (json!({ "body": "Hi" }), vec![]),
            (Value::Null, vec![]),
        ] {
            assert_eq!(brought("replyTo", said.clone()).answers, expected, "{said}");
        }
        for (said, expected) in [
            (json!(1_789_027_200), Some(Timestamp(1_789_027_200_000_000))),
            (json!("yesterday"), None),
            (Value::Null, None),
        ] {
            assert_eq!(brought("timestamp", said.clone()).told_at, expected, "{said}");
        }
        let Some(Event::Message(brought)) = changed("hasMedia", json!(true)) else { panic!("no message") };
        assert_eq!(brought.media, Some(Media { url: None, content_type: None, filename: None }));
        let own = |to: &str, source: Option<&str>| {
            let written = json!({ "id": "true_1555@c.us_A", "to": to, "fromMe": true, "source": source, "body": "Hi",
                "ack": 2 });
            event("message.any", written)
        };
        for (source, expected) in [(Some("app"), true), (Some("api"), false), (None, false)] {
            let Some(Event::GoneOut(gone)) = own("1555@c.us", source) else { panic!("no message") };
            assert_eq!((gone.chat.as_str(), gone.provider_ref.as_str(), gone.is_typed), ("1555@c.us", "A", expected));
            assert_eq!((gone.text.as_str(), gone.receipt), ("Hi", Some(ReceiptEvent::Delivered)));
        }
        assert_eq!(own("status@broadcast", Some("app")), None);
        let reacted = |source: &str| {
            let about = json!({ "messageId": "false_1555@c.us_A", "text": "" });
            event("message.reaction", json!({ "fromMe": true, "source": source, "reaction": about }))
        };
        let reaction = Event::OwnReaction { provider_ref: "A".to_owned(), emoji: None };
        assert_eq!((reacted("app"), reacted("api")), (Some(reaction), None));
        for (ack, expected) in [(0, None), (1, Some(ReceiptEvent::Sent)), (4, Some(ReceiptEvent::Read)), (9, None)] {
            let read = event("message.ack", json!({ "id": "true_1555@c.us_A", "ack": ack }));
            let receipt = expected.map(|receipt| Event::Receipt { provider_ref: "A".to_owned(), receipt });
            assert_eq!(read, receipt, "{ack}");
        }
        assert_eq!(event("message.ack", json!({ "id": "true_1555@c.us_A", "ack": "READ" })), None);
        assert_eq!(event("poll.vote", json!({})), None);
        assert_eq!(event("message.any", json!("text")), None);
    }

    #[test]
    fn what_is_no_event_of_the_session_is_refused() {
        for bad in ["", "{", "[]", r#"{"event":"session.status"}"#, r#"{"event":"session.status","session":"default"}"#]
        {
            assert!(read(session(), bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
