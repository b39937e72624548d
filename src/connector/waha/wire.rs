//! What a WAHA server says, as far as we read it. Whatever else it says is ignored.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    connector::{Account, bridge::kept},
    phone::Phone,
};

/// Longest name of an account that is kept, in characters.
const MAX_NAME_CHARS: usize = 100;

/// A session.
#[derive(Deserialize)]
pub(super) struct State {
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    me: Option<Me>,
}

#[derive(Deserialize)]
struct Me {
    #[serde(default)]
    id: String,
    #[serde(default, rename = "pushName")]
    push_name: Option<String>,
}

impl State {
    /// The account, once it is known whose it is.
    pub(super) fn account(self) -> Option<Account> {
        let me = self.me?;
        let phone = phone(&me.id)?;
        let name = me.push_name.unwrap_or_default();
        let name = name.chars().filter(|char| !char.is_control()).take(MAX_NAME_CHARS).collect();
        Some(Account::whatsapp(phone, name))
    }
}

/// A QR code.
#[derive(Deserialize)]
pub(super) struct Qr {
    #[serde(default)]
    pub(super) value: String,
}

/// A pairing code.
#[derive(Deserialize)]
pub(super) struct Code {
    #[serde(default)]
    pub(super) code: String,
}

/// Who is behind a hidden number.
#[derive(Default, Deserialize)]
pub(super) struct Lid {
    #[serde(default)]
    pub(super) pn: Option<String>,
}

/// What a session is set to with this webhook, in place of the ones whose address ends as ours do; `None` if it has it, or
/// if the server does not tell: each change restarts the session.
pub(super) fn with_webhook(config: &Value, webhook: Value, own: &str) -> Option<Value> {
    let known = config["webhooks"].as_array()?;
    if known.iter().any(|one| one["url"] == webhook["url"]) {
        return None;
    }
    let is_another = |one: &&Value| !one["url"].as_str().is_some_and(|url| url.ends_with(own));
    let mut all: Vec<Value> = known.iter().filter(is_another).cloned().collect();
    all.push(webhook);
    let mut config = config.clone();
    config["webhooks"] = all.into();
    Some(config)
}

/// Whether a 404 is the server's own, and not that of something before it.
pub(super) fn is_own_not_found(answer: &Value) -> bool {
    answer["statusCode"] == 404
}

/// Whether it says that there is no such session. Of a path that it does not know a server says `Cannot GET …`, and
/// that has the word in it too.
pub(super) fn is_no_session(answer: &Value) -> bool {
    let said = answer["message"].as_str().unwrap_or_default().to_lowercase();
    is_own_not_found(answer) && said.contains("session") && !said.starts_with("cannot ")
}

/// Whether a 422 is about the state of a session.
pub(super) fn is_about_session(answer: &Value) -> bool {
    let says_so = |field: &str| answer[field].as_str().is_some_and(|text| text.to_lowercase().contains("session"));
    answer["expected"].is_array() || says_so("message") || says_so("error")
}

/// The number in an address, `<digits>[:<device>]@c.us`.
pub(super) fn phone(address: &str) -> Option<Phone> {
    let digits = address.split(['@', ':']).next()?;
    Phone::parse(digits).ok()
}

/// An address without the device that it was written on.
pub(super) fn plain(address: &str) -> String {
    match address.split_once('@') {
        Some((id, server)) => format!("{}@{server}", id.split(':').next().unwrap_or_default()),
        None => address.to_owned(),
    }
}

/// The id that a message was given, from the answer to sending it: each engine has its own shape.
pub(super) fn sent(answer: &Value) -> Option<String> {
    let id = &answer["id"];
    let candidates = [id, &id["_serialized"], &id["id"], &answer["key"]["id"], &answer["_data"]["id"]["id"]];
    let found = candidates.into_iter().find_map(Value::as_str).filter(|id| !id.is_empty())?;
    Some(reference(found))
}

/// Our form of a message's id: `<id>` of what the account wrote itself, `<id>[_<author>]` of what others wrote. Engines
/// write `<own>_<chat>_<id>[_<author>]` or only the id, and do not agree on the chat.
pub(super) fn reference(id: &str) -> String {
    let mut parts = id.splitn(3, '_');
    let found = match (parts.next(), parts.next(), parts.next()) {
        (Some("true"), Some(_), Some(rest)) => rest.split('_').next().unwrap_or(rest),
        (Some("false"), Some(_), Some(rest)) => rest,
        _ => id,
    };
    kept(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_of_all_engines_have_one_form() {
        for (id, expected) in [
            ("true_15550001111@c.us_3EB0A1", "3EB0A1"),
            ("true_120363@g.us_3EB0A1_15550001111@c.us", "3EB0A1"),
            ("false_15550001111@c.us_3EB0A1", "3EB0A1"),
            ("false_120363@g.us_3EB0A1_15550001111@c.us", "3EB0A1_15550001111@c.us"),
            ("3EB0A1", "3EB0A1"),
            ("a_b", "a_b"),
        ] {
            assert_eq!(reference(id), expected, "{id}");
        }
        for (answer, expected) in [
            (json!({ "id": "true_1555@c.us_A" }), Some("A")),
            (json!({ "id": { "fromMe": true, "_serialized": "true_1555@c.us_A", "id": "A" } }), Some("A")),
            (json!({ "key": { "remoteJid": "1555@s.whatsapp.net", "fromMe": true, "id": "A" } }), Some("A")),
            (json!({ "id": "" }), None),
            (json!({ "id": 7 }), None),
            (json!("sent"), None),
            (Value::Null, None),
        ] {
            assert_eq!(sent(&answer).as_deref(), expected, "{answer}");
        }
    }

    #[test]
    fn a_webhook_takes_the_place_of_its_own() {
        let hook = |url: &str| json!({ "url": url });
        let with = |config: Value| with_webhook(&config, hook("https://b.example/x/waha/1"), "/waha/1");
        let theirs = hook("https://crm.example/waha/2");
        for (known, expected) in [
            (json!([]), Some(json!([hook("https://b.example/x/waha/1")]))),
            (json!([hook("https://b.example/x/waha/1"), theirs]), None),
            (
                json!([hook("https://a.example/x/waha/1"), theirs, {}]),
                Some(json!([theirs, {}, hook("https://b.example/x/waha/1")])),
            ),
        ] {
            let config = json!({ "webhooks": known, "proxy": { "server": "p" } });
            let expected = expected.map(|webhooks| json!({ "webhooks": webhooks, "proxy": { "server": "p" } }));
            assert_eq!(with(config), expected, "{known}");
        }
        for untold in [Value::Null, json!({}), json!({ "webhooks": null })] {
            assert_eq!(with(untold.clone()), None, "{untold}");
        }
    }

    #[test]
    fn a_session_is_gone_in_the_servers_own_words_only() {
        let of_server = |message: &str| json!({ "statusCode": 404, "message": message, "error": "Not Found" });
        for (answer, is_gone) in [
            (of_server("Session not found"), true),
            (of_server("Session \"a\" does not exist"), true),
            (of_server("We didn't find a session with name 'a'."), true),
            (of_server("Cannot GET /base/api/sessions/a"), false),
            (of_server("Resource not found"), false),
            (json!({ "statusCode": 404 }), false),
            (json!({ "message": "Session not found" }), false),
            (json!({ "error": { "code": 404, "message": "session backend" } }), false),
            (Value::Null, false),
        ] {
            assert_eq!(is_no_session(&answer), is_gone, "{answer}");
        }
        assert!(is_own_not_found(&of_server("Cannot GET /api/a/lids/1")) && !is_own_not_found(&Value::Null));
    }

    #[test]
    fn accounts_have_numbers() {
        let state =
            |me: Value| serde_json::from_value::<State>(json!({ "status": "WORKING", "me": me })).expect("a state");
        let account =
            state(json!({ "id": "15550001111:7@c.us", "pushName": "Bakery\n" })).account().expect("an account");
        assert_eq!(
            (account.phone.as_ref().map_or("", Phone::as_str), account.name.as_str()),
            ("+15550001111", "Bakery")
        );
        assert_eq!(state(Value::Null).account(), None);
        assert_eq!(state(json!({ "id": "nobody" })).account(), None);
        assert_eq!(plain("15550001111:7@s.whatsapp.net"), "15550001111@s.whatsapp.net");
    }
}
