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
