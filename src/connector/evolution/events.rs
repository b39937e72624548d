//! What an Evolution server tells us. Every body carries the instance's own token: it is neither kept nor logged.

use std::slice;

use entity::{id::AttemptId, timestamp::Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    connector::{
        bridge,
        callback::{Brought, Callback, Event, Gone, Happened, Heard, Media},
        evolution::wire,
    },
    error::{Error, Result},
    message::status::ReceiptEvent,
};

/// How far a server's clock may be from ours, in seconds.
const SKEW_SECONDS: i64 = 60;
/// Kinds of messages that have a file.
const WITH_FILE: [&str; 5] = ["imageMessage", "videoMessage", "audioMessage", "documentMessage", "stickerMessage"];
/// Kinds of messages that say something that is neither a text nor a file.
const UNSHOWN: [&str; 5] =
    ["locationMessage", "liveLocationMessage", "contactMessage", "contactsArrayMessage", "pollCreationMessage"];
/// Devices on which only people write; what programs send looks like a browser's.
const PHONES: [&str; 2] = ["android", "ios"];

/// An event as it comes.
#[derive(Deserialize)]
struct Envelope {
    event: String,
    instance: String,
    #[serde(default)]
    data: Value,
}

/// What a token claims.
#[derive(Deserialize)]
struct Claims {
    exp: i64,
}

/// Whether a callback comes with a token that is signed with this secret and has not run out.
pub(super) fn is_genuine(secret: &str, callback: &Callback, now: Timestamp) -> bool {
    let Some(token) = callback.header("authorization").strip_prefix("Bearer ") else { return false };
    let mut validation = Validation::new(Algorithm::HS256);
    // Times are checked by our clock.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(secret.as_bytes());
    let Ok(token) = jsonwebtoken::decode::<Claims>(token.trim(), &key, &validation) else { return false };
    token.claims.exp.saturating_add(SKEW_SECONDS) > now.0 / Timestamp::SECOND
}

/// Reads a genuine callback.
pub(super) fn read(session: AttemptId, body: &[u8], now: Timestamp) -> Result<Heard> {
    let wrong = |reason: &str| Error::InvalidBody { field: None, reason: reason.to_owned() };
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| wrong("the body is no event"))?;
    if envelope.instance != session.to_string() {
        return Err(Error::field("instance", "is another"));
    }
    // Some builds send lists.
    let all = match &envelope.data {
        Value::Array(list) => list.as_slice(),
        one => slice::from_ref(one),
    };
    // Events have no ids: one is what it says, but for what the server adds on its way.
    let id = format!("{}:{}", envelope.event, envelope.data);
    if is_of_state(&envelope.event) {
        // The same state may come again and mean something again.
        let event = Happened { at: now, event: Event::SessionChanged };
        return Ok(Heard { id: format!("{id}:{}", now.0), events: vec![event] });
    }
    let happened = |data: &Value| {
        let event = event(&envelope.event, data)?;
        Some(Happened { at: told_at(data).unwrap_or(now), event })
    };
    Ok(Heard { id, events: all.iter().filter_map(happened).collect() })
}

fn is_of_state(name: &str) -> bool {
    ["qrcode.updated", "connection.update", "status.instance", "logout.instance", "remove.instance"].contains(&name)
}

/// What happened, of what stands in an event of this name.
fn event(name: &str, data: &Value) -> Option<Event> {
    match name {
        "messages.upsert" => came(data),
        "send.message" => sent(data),
        "messages.update" => receipt(data),
        _ => None,
    }
}

/// When a message was written, which is told in seconds.
fn told_at(data: &Value) -> Option<Timestamp> {
    seconds(&data["messageTimestamp"]).map(|at| Timestamp(at.saturating_mul(Timestamp::SECOND)))
}

/// Numbers are also written as texts, or in two halves.
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).or_else(|| value["low"].as_i64())
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn is_own(key: &Value) -> bool {
    key["fromMe"].as_bool().unwrap_or(false)
}

/// The address of the chat, the one with the number where the server knows both.
fn chat(key: &Value) -> Option<String> {
    let chat = text(&key["remoteJid"])?;
    if !chat.ends_with("@lid") {
        return Some(chat);
    }
    Some(text(&key["remoteJidAlt"]).filter(|other| other.ends_with("@s.whatsapp.net")).unwrap_or(chat))
}

/// The address of who wrote in a group.
fn author(key: &Value) -> Option<String> {
    let other = text(&key["participantAlt"]).filter(|other| other.ends_with("@s.whatsapp.net"));
    other.or_else(|| text(&key["participant"]))
}

/// What a message says, and the part of it that is a file.
fn content(message: &Value) -> (String, Option<&Value>) {
    let message = match &message["documentWithCaptionMessage"]["message"] {
        Value::Null => message,
        inner => inner,
    };
    let file = WITH_FILE.iter().map(|kind| &message[kind]).find(|part| part.is_object());
    let caption = file.map_or(&Value::Null, |part| &part["caption"]);
    let said = [&message["conversation"], &message["extendedTextMessage"]["text"], caption];
    (said.into_iter().find_map(text).unwrap_or_default(), file)
}

fn came(data: &Value) -> Option<Event> {
    let (key, message) = (&data["key"], &data["message"]);
    let from = chat(key).filter(|chat| is_conversation(chat))?;
    let is_group = from.ends_with("@g.us");
    let reaction = &message["reactionMessage"];
    if reaction.is_object() {
        let (provider_ref, emoji) = (wire::reference(&reaction["key"])?, text(&reaction["text"]));
        if is_own(key) {
            return Some(Event::OwnReaction { provider_ref, emoji });
        }
        let from = if is_group { author(key)? } else { from };
        return Some(Event::Reaction { provider_ref, from, emoji });
    }
    if is_own(key) {
        return gone_out(data);
    }
    let provider_ref = wire::reference(key)?;
    let (said, media) = shown(key, message)?;
    let author = if is_group { author(key) } else { None };
    Some(Event::Message(Brought {
        chat: from,
        author,
        text: said,
        media,
        provider_ref,
        name: text(&data["pushName"]),
        group_name: None,
        answers: answers(data),
        told_at: told_at(data),
    }))
}

/// The ids of the message that it answers, which stand with the event or with the part that is the message.
fn answers(data: &Value) -> Vec<String> {
    let parts = data["message"].as_object().into_iter().flatten().map(|(_, part)| &part["contextInfo"]);
    let mut contexts = std::iter::once(&data["contextInfo"]).chain(parts);
    let found = contexts.find_map(|context| Some((text(&context["stanzaId"])?, context["participant"].as_str())));
    found.map_or_else(Vec::new, |(id, author)| bridge::answered_as(&id, author))
}

/// What is to be seen of a message; `None` for keys, settings and the like that phones tell each other.
fn shown(key: &Value, message: &Value) -> Option<(String, Option<Media>)> {
    let (said, file) = content(message);
    let is_unshown = UNSHOWN.iter().any(|kind| message[kind].is_object());
    if said.is_empty() && file.is_none() && !is_unshown {
        return None;
    }
    let media = file.map(|part| Media {
        url: text(&key["id"]),
        content_type: text(&part["mimetype"]),
        filename: text(&part["fileName"]).or_else(|| text(&part["title"])),
    });
    Some((said, media))
}

/// Stories, channels and lists are no conversations.
fn is_conversation(address: &str) -> bool {
    ["@s.whatsapp.net", "@lid", "@g.us"].iter().any(|server| address.ends_with(server))
}

/// What was sent through the API. Of reactions those are ours, which are known.
fn sent(data: &Value) -> Option<Event> {
    if data["message"]["reactionMessage"].is_object() { None } else { gone_out(data) }
}

fn gone_out(data: &Value) -> Option<Event> {
    let key = &data["key"];
    let chat = chat(key).filter(|chat| is_conversation(chat))?;
    let (text, media) = shown(key, &data["message"])?;
    let is_typed = data["source"].as_str().is_some_and(|source| PHONES.contains(&source));
    let receipt = data["status"].as_str().and_then(status);
    let (provider_ref, answers, told_at) = (wire::reference(key)?, answers(data), told_at(data));
    Some(Event::GoneOut(Gone { chat, text, media, provider_ref, is_typed, receipt, answers, told_at }))
}

fn receipt(data: &Value) -> Option<Event> {
    if !data["fromMe"].as_bool().unwrap_or(true) {
        return None;
    }
    let provider_ref = text(&data["keyId"])?;
    let receipt = status(data["status"].as_str()?)?;
    Some(Event::Receipt { provider_ref, receipt })
}

/// What became of a message.
fn status(word: &str) -> Option<ReceiptEvent> {
    match word {
        "ERROR" => Some(ReceiptEvent::Failed { reason: "error".to_owned() }),
        "SERVER_ACK" => Some(ReceiptEvent::Sent),
        "DELIVERY_ACK" => Some(ReceiptEvent::Delivered),
        "READ" | "PLAYED" => Some(ReceiptEvent::Read),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_789_027_200_000_000);

    fn with_token(secret: &str, claims: &Value, algorithm: Algorithm) -> Callback {
        let key = EncodingKey::from_secret(secret.as_bytes());
        let token = jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("a token");
        let headers = HashMap::from([("authorization".to_owned(), format!("Bearer {token}"))]);
        Callback { headers, body: Vec::new() }
    }

    #[test]
    fn tokens_are_of_the_session_and_run_out() {
        let claims = |exp: i64| json!({ "iat": exp - 600, "exp": exp, "app": "evolution", "action": "webhook" });
        let good = with_token("secret", &claims(1_789_027_800), Algorithm::HS256);
        assert!(is_genuine("secret", &good, NOW));
        assert!(!is_genuine("other", &good, NOW));
        let old = with_token("secret", &claims(1_789_027_139), Algorithm::HS256);
        assert!(!is_genuine("secret", &old, NOW));
        let other = with_token("secret", &claims(1_789_027_800), Algorithm::HS384);
        assert!(!is_genuine("secret", &other, NOW));
        assert!(!is_genuine("secret", &with_token("secret", &json!({ "iat": 1 }), Algorithm::HS256), NOW));
        for header in ["", "Bearer", "Bearer x", "Basic x"] {
            let headers = HashMap::from([("authorization".to_owned(), header.to_owned())]);
            assert!(!is_genuine("secret", &Callback { headers, body: Vec::new() }, NOW), "{header}");
        }
    }

    fn session() -> AttemptId {
        "01990000-0000-7000-8000-000000000001".parse().expect("an id")
    }

    fn events(name: &str, data: Value) -> Vec<Event> {
        let body = json!({ "event": name, "instance": session().to_string(), "data": data, "apikey": "token" });
        let heard = read(session(), body.to_string().as_bytes(), NOW).expect("an event");
        heard.events.into_iter().map(|happened| happened.event).collect()
    }

    fn event(name: &str, data: Value) -> Option<Event> {
        events(name, data).pop()
    }

    #[test]
    fn all_of_a_list_are_heard_in_its_order() {
        let wrote = |id: &str| {
            let key = json!({ "id": id, "fromMe": false, "remoteJid": "15557770000@s.whatsapp.net" });
            json!({ "key": key, "message": { "imageMessage": { "mimetype": "image/png" } } })
        };
        let none =
            json!({ "key": { "id": "N", "remoteJid": "1@s.whatsapp.net" }, "message": { "protocolMessage": {} } });
        let heard = events("messages.upsert", json!([wrote("A"), none, wrote("B"), wrote("C")]));
        let ids: Vec<String> = heard
            .into_iter()
            .map(|event| match event {
                Event::Message(brought) => brought.provider_ref,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(ids, ["A", "B", "C"]);
        assert_eq!(events("connection.update", json!([])), [Event::SessionChanged]);
    }

    #[test]
    fn what_is_of_use_is_read_and_the_rest_is_not() {
        assert_eq!(event("connection.update", json!({ "state": "on_holiday" })), Some(Event::SessionChanged));
        let key =
            json!({ "id": "A", "fromMe": false, "remoteJid": "111@lid", "remoteJidAlt": "15557770000@s.whatsapp.net" });
        let came = |message: Value| event("messages.upsert", json!({ "key": key, "message": message }));
        let Some(Event::Message(brought)) = came(json!({ "conversation": "Hi" })) else { panic!("no message") };
        assert_eq!((brought.chat.as_str(), brought.text.as_str()), ("15557770000@s.whatsapp.net", "Hi"));
        assert_eq!(brought.told_at, None);
        for said in [json!(1_789_027_200), json!("1789027200"), json!({ "low": 1_789_027_200, "high": 0 })] {
            let data = json!({ "key": key, "message": { "conversation": "Hi" }, "messageTimestamp": said });
            let Some(Event::Message(brought)) = event("messages.upsert", data) else { panic!("no message") };
            assert_eq!(brought.told_at, Some(NOW));
        }
        let document = json!({ "documentWithCaptionMessage": { "message": { "documentMessage":
            { "caption": "Menu", "mimetype": "application/pdf", "fileName": "menu.pdf" } } } });
        let Some(Event::Message(brought)) = came(document) else { panic!("no message") };
        let media = brought.media.expect("a file");
        assert_eq!((brought.text.as_str(), media.filename.as_deref()), ("Menu", Some("menu.pdf")));
        assert!(matches!(came(json!({ "locationMessage": {} })), Some(Event::Message(_))));
        let context = json!({ "stanzaId": "B", "participant": "1555@s.whatsapp.net" });
        let ids = ["B", "B_1555@c.us", "B_1555@s.whatsapp.net"];
        let within = json!({ "extendedTextMessage": { "text": "Hi", "contextInfo": context } });
        let data =
            json!({ "key": key, "pushName": "Ann", "message": { "conversation": "Hi" }, "contextInfo": context });
        for answer in [came(within), event("messages.upsert", data)] {
            let Some(Event::Message(brought)) = answer else { panic!("no message") };
            assert_eq!(brought.answers, ids);
        }
        for nothing in [json!({ "protocolMessage": {} }), json!({}), Value::Null, json!("text")] {
            assert_eq!(came(nothing), None);
        }
        let update =
            |status: &str| event("messages.update", json!([{ "keyId": "A", "fromMe": true, "status": status }]));
        let read = Event::Receipt { provider_ref: "A".to_owned(), receipt: ReceiptEvent::Read };
        assert_eq!((update("PLAYED"), update("PENDING"), update("LAUGHED_AT")), (Some(read), None, None));
        assert_eq!(event("presence.update", json!({})), None);
        assert_eq!(event("messages.upsert", json!([])), None);
    }

    #[test]
    fn own_messages_are_those_of_phones_and_of_programs() {
        let data = |message: Value, source: &str, chat: &str| {
            let key = json!({ "id": "A", "fromMe": true, "remoteJid": chat });
            json!({ "key": key, "message": message, "source": source, "status": "DELIVERY_ACK" })
        };
        let direct = "15557770000@s.whatsapp.net";
        for (name, source, expected) in [
            ("messages.upsert", "android", true),
            ("messages.upsert", "web", false),
            ("send.message", "unknown", false),
        ] {
            let said = data(json!({ "conversation": "Hi" }), source, direct);
            let Some(Event::GoneOut(gone)) = event(name, said) else { panic!("no message") };
            assert_eq!((gone.chat.as_str(), gone.text.as_str(), gone.is_typed), (direct, "Hi", expected));
            assert_eq!(gone.receipt, Some(ReceiptEvent::Delivered));
        }
        let about = json!({ "id": "B", "fromMe": false, "remoteJid": direct });
        let reacted = data(json!({ "reactionMessage": { "key": about, "text": "👍" } }), "ios", direct);
        let reaction = Event::OwnReaction { provider_ref: "B".to_owned(), emoji: Some("👍".to_owned()) };
        assert_eq!(event("messages.upsert", reacted.clone()), Some(reaction));
        assert_eq!(event("send.message", reacted), None);
        let nothing = data(json!({ "protocolMessage": {} }), "ios", direct);
        assert_eq!(event("messages.upsert", nothing), None);
        let story = data(json!({ "conversation": "Hi" }), "ios", "status@broadcast");
        assert_eq!(event("messages.upsert", story), None);
    }
}
