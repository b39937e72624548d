//! What Unipile tells us. Messages of groups are heard on WhatsApp only, where their id says so.

use entity::timestamp::Timestamp;
use hmac_sha256::HMAC;
use serde_json::Value;

use crate::{
    connector::{
        callback::{Brought, Callback, Event, Gone, Happened, Heard, Media},
        unipile::wire,
    },
    error::{Error, Result},
    message::status::ReceiptEvent,
};

/// What two texts are compared under, so that it takes the same time for all.
const COMPARING: &str = "unipile callbacks";

/// Whether a callback carries this secret.
pub(super) fn is_genuine(secret: &str, callback: &Callback) -> bool {
    HMAC::verify(callback.header("unipile-auth"), COMPARING, &HMAC::mac(secret, COMPARING))
}

fn parse(body: &[u8]) -> Result<Value> {
    let wrong = || Error::InvalidBody { field: None, reason: "the body is no event".to_owned() };
    let value: Value = serde_json::from_slice(body).map_err(|_| wrong())?;
    if value.is_object() { Ok(value) } else { Err(wrong()) }
}

/// The account that a genuine callback is about.
pub(super) fn account_of(body: &[u8]) -> Result<Option<String>> {
    let value = parse(body)?;
    Ok(text(&value["AccountStatus"]["account_id"]).or_else(|| text(&value["account_id"])))
}

/// Reads a genuine callback.
pub(super) fn read(body: &[u8], now: Timestamp) -> Result<Heard> {
    let value = parse(body)?;
    let at = told_at(&value).unwrap_or(now);
    let happened = |event: Event| Happened { at, event };
    // Events have no ids: one is what it says. The same state may come again and mean something again.
    let id = String::from_utf8_lossy(body).into_owned();
    if value["AccountStatus"].is_object() {
        return Ok(Heard { id: format!("{id}:{}", now.0), events: vec![happened(Event::SessionChanged)] });
    }
    let event = match value["event"].as_str().unwrap_or_default() {
        "message_received" => message(&value),
        "message_delivered" => receipt(&value, ReceiptEvent::Delivered),
        "message_read" => receipt(&value, ReceiptEvent::Read),
        "message_reaction" => reaction(&value),
        _ => None,
    };
    let further = event.iter().flat_map(|event| further(event, &value)).collect::<Vec<_>>();
    Ok(Heard { id, events: event.into_iter().chain(further).map(happened).collect() })
}

/// When it happened: of a message, when it was written.
fn told_at(value: &Value) -> Option<Timestamp> {
    let said = value["timestamp"].as_str()?.parse::<jiff::Timestamp>().ok()?;
    Some(Timestamp(said.as_microsecond()))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Who somebody is on the network.
fn id_of(attendee: &Value) -> Option<String> {
    text(&attendee["attendee_provider_id"])
}

/// Whether the account itself wrote it.
fn is_own(value: &Value) -> bool {
    let sender = id_of(&value["sender"]);
    let is_said = value["is_sender"].as_bool().or_else(|| value["is_sender"].as_i64().map(|said| said == 1));
    is_said.unwrap_or_else(|| sender.is_some() && sender == text(&value["account_info"]["user_id"]))
}

/// Those of a chat who are neither the account nor the sender.
fn others(value: &Value) -> Vec<String> {
    let (own, sender) = (text(&value["account_info"]["user_id"]), id_of(&value["sender"]));
    let all = value["attendees"].as_array().into_iter().flatten().filter_map(id_of);
    all.filter(|other| Some(other) != own.as_ref() && Some(other) != sender.as_ref()).collect()
}

fn message(value: &Value) -> Option<Event> {
    let provider_ref = text(&value["message_id"]).filter(|id| wire::is_id(id))?;
    let kind = value["account_type"].as_str().unwrap_or_default();
    let said = text(&value["message"]).unwrap_or_default();
    let group = text(&value["provider_chat_id"]).filter(|place| place.ends_with("@g.us"));
    let others = others(value);
    let (media, has_several) = {
        let mut files = files(value, &provider_ref);
        (files.next(), files.next().is_some())
    };
    if is_own(value) {
        let chat = match group {
            Some(group) => group,
            None => wire::address(kind, others.first().filter(|_| others.len() == 1)?),
        };
        let answers = answers(&value["quoted"]);
        return Some(Event::GoneOut(Gone {
            chat,
            text: said,
            media,
            provider_ref,
            // Nothing says whether a program sent it; ours have one file at most.
            is_typed: has_several,
            receipt: None,
            answers,
            told_at: told_at(value),
        }));
    }
    if group.is_none() && !others.is_empty() {
        // A group of which nothing says which one it is.
        return None;
    }
    let sender = wire::address(kind, &id_of(&value["sender"])?);
    let author = group.is_some().then(|| sender.clone());
    Some(Event::Message(Brought {
        name: text(&value["sender"]["attendee_name"]),
        group_name: text(&value["subject"]).filter(|_| group.is_some()),
        answers: answers(&value["quoted"]),
        chat: group.unwrap_or(sender),
        author,
        text: said,
        media,
        provider_ref,
        told_at: told_at(value),
    }))
}

/// The files of a message.
fn files(value: &Value, provider_ref: &str) -> impl Iterator<Item = Media> {
    let all = value["attachments"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().map(move |file| Media {
        url: text(&file["id"]).map(|id| format!("{provider_ref}/{id}")),
        content_type: text(&file["mimetype"]),
        filename: text(&file["file_name"]),
    })
}

/// What is stored besides a message: each of its files but the first, with an id of its own.
fn further(first: &Event, value: &Value) -> Vec<Event> {
    let (Event::Message(Brought { provider_ref, .. }) | Event::GoneOut(Gone { provider_ref, .. })) = first else {
        return Vec::new();
    };
    let mut more = Vec::new();
    for (place, media) in (1..).zip(files(value, provider_ref)).skip(1) {
        let id = wire::further_id(provider_ref, place);
        more.push(match first {
            Event::GoneOut(gone) => Event::GoneOut(Gone {
                text: String::new(),
                media: Some(media),
                provider_ref: id,
                answers: Vec::new(),
                ..gone.clone()
            }),
            Event::Message(brought) => Event::Message(Brought {
                text: String::new(),
                media: Some(media),
                provider_ref: id,
                answers: Vec::new(),
                ..brought.clone()
            }),
            other => other.clone(),
        });
    }
    more
}

/// The ids of the message that it answers. Where they stand is not told; ours is the one of Unipile's own.
fn answers(quoted: &Value) -> Vec<String> {
    let places = [quoted, &quoted["id"], &quoted["message_id"], &quoted["provider_id"]];
    places.into_iter().filter_map(text).filter(|id| wire::is_id(id)).collect()
}

fn receipt(value: &Value, receipt: ReceiptEvent) -> Option<Event> {
    Some(Event::Receipt { provider_ref: text(&value["message_id"])?, receipt })
}

fn reaction(value: &Value) -> Option<Event> {
    let reactor = id_of(&value["reaction_sender"]);
    let is_told = reactor.is_some();
    let from = reactor.or_else(|| id_of(&value["sender"]))?;
    let (provider_ref, emoji) = (text(&value["message_id"])?, text(&value["reaction"]));
    if Some(&from) == text(&value["account_info"]["user_id"]).as_ref() {
        // The account may also stand there because the message is its own.
        return is_told.then_some(Event::OwnReaction { provider_ref, emoji });
    }
    let from = wire::address(value["account_type"].as_str().unwrap_or_default(), &from);
    Some(Event::Reaction { provider_ref, from, emoji })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_789_027_200_000_000);

    #[test]
    fn only_who_knows_the_secret_is_heard() {
        let with = |proof: &str| Callback {
            headers: HashMap::from([("unipile-auth".to_owned(), proof.to_owned())]),
            body: Vec::new(),
        };
        assert!(is_genuine("secret", &with("secret")));
        for bad in ["", "Secret", "secret ", "secre"] {
            assert!(!is_genuine("secret", &with(bad)), "{bad}");
        }
        assert!(!is_genuine("secret", &Callback { headers: HashMap::new(), body: Vec::new() }));
    }

    fn event(value: &Value) -> Option<Event> {
        let heard = read(value.to_string().as_bytes(), NOW).expect("an event");
        heard.events.into_iter().next().map(|happened| happened.event)
    }

    fn wrote() -> Value {
        json!({ "event": "message_received", "account_id": "a", "account_type": "WHATSAPP", "message_id": "m",
            "message": "Hi", "account_info": { "user_id": "1@s.whatsapp.net" },
            "timestamp": "2026-09-10T08:00:01.000Z", "sender": { "attendee_provider_id": "2@s.whatsapp.net" },
            "attendees": [{ "attendee_provider_id": "2@s.whatsapp.net" }],
            "attachments": [{ "id": "f", "type": "img", "mimetype": "image/png", "url": "att://x" }] })
    }

    #[test]
    fn messages_go_to_their_chats() {
        let Some(Event::Message(brought)) = event(&wrote()) else { panic!("no message") };
        assert_eq!((brought.chat.as_str(), brought.author), ("2@s.whatsapp.net", None));
        assert_eq!(brought.told_at, Some(Timestamp(NOW.0 + 1_000_000)));
        assert_eq!(brought.media.and_then(|media| media.url).as_deref(), Some("m/f"));
        let mut answer = wrote();
        answer["quoted"] = json!({ "id": "q", "text": "Hello" });
        answer["subject"] = json!("No group");
        answer["sender"]["attendee_name"] = json!("Ann");
        answer["timestamp"] = json!("yesterday");
        let Some(Event::Message(brought)) = event(&answer) else { panic!("no message") };
        assert_eq!(brought.told_at, None);
        assert_eq!(
            (brought.answers, brought.name.as_deref(), brought.group_name),
            (vec!["q".to_owned()], Some("Ann"), None)
        );
        let heard = read(wrote().to_string().as_bytes(), NOW).expect("an event");
        assert_eq!(heard.events[0].at, Timestamp(NOW.0 + 1_000_000));
        let mut own = wrote();
        own["sender"]["attendee_provider_id"] = json!("1@s.whatsapp.net");
        let Some(Event::GoneOut(gone)) = event(&own) else { panic!("no message") };
        assert_eq!((gone.chat.as_str(), gone.text.as_str(), gone.is_typed), ("2@s.whatsapp.net", "Hi", false));
        assert_eq!(gone.media.and_then(|media| media.url).as_deref(), Some("m/f"));
        let mut group = wrote();
        group["provider_chat_id"] = json!("1203@g.us");
        group["subject"] = json!("Team");
        let Some(Event::Message(brought)) = event(&group) else { panic!("no message") };
        assert_eq!(brought.group_name.as_deref(), Some("Team"));
        assert_eq!((brought.chat.as_str(), brought.author.as_deref()), ("1203@g.us", Some("2@s.whatsapp.net")));
        let mut telegram = wrote();
        telegram["account_type"] = json!("TELEGRAM");
        telegram["sender"]["attendee_provider_id"] = json!("4711");
        telegram["attendees"] = json!([]);
        let Some(Event::Message(brought)) = event(&telegram) else { panic!("no message") };
        assert_eq!(brought.chat, "4711@telegram");
        telegram["attendees"] = json!([{ "attendee_provider_id": "4711" }, { "attendee_provider_id": "4712" }]);
        assert_eq!(event(&telegram), None);
    }

    #[test]
    fn what_is_of_use_is_read_and_the_rest_is_not() {
        let status =
            json!({ "AccountStatus": { "account_id": "a", "account_type": "WHATSAPP", "message": "ON_HOLIDAY" } });
        assert_eq!(account_of(status.to_string().as_bytes()).expect("an event").as_deref(), Some("a"));
        assert_eq!(event(&status), Some(Event::SessionChanged));
        assert_eq!(account_of(wrote().to_string().as_bytes()).expect("an event").as_deref(), Some("a"));
        for nothing in [json!({ "event": "message_edited", "message_id": "m" }), json!({})] {
            assert_eq!(event(&nothing), None);
        }
        let reacted = |who: &str| {
            json!({ "event": "message_reaction", "message_id": "m", "reaction": "👍", "account_type": "WHATSAPP",
                "account_info": { "user_id": "1@s.whatsapp.net" }, who: { "attendee_provider_id": "1@s.whatsapp.net" } })
        };
        let own = Event::OwnReaction { provider_ref: "m".to_owned(), emoji: Some("👍".to_owned()) };
        assert_eq!((event(&reacted("reaction_sender")), event(&reacted("sender"))), (Some(own), None));
        for bad in ["", "[]", "\"text\""] {
            assert!(read(bad.as_bytes(), NOW).is_err() && account_of(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
