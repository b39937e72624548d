//! What an Evolution server says, as far as we read it. Whatever else it says is ignored.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    connector::{
        Account,
        bridge::{Look, kept},
    },
    phone::Phone,
};

/// Longest name of an account that is kept, in characters.
const MAX_NAME_CHARS: usize = 100;

/// The state of an instance.
#[derive(Deserialize)]
pub(super) struct State {
    pub(super) instance: Named,
}

#[derive(Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    pub(super) state: String,
}

/// A QR code or a pairing code; an instance that is connected has neither.
#[derive(Deserialize)]
pub(super) struct Code {
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default, rename = "pairingCode")]
    pub(super) pairing_code: Option<String>,
}

/// An instance.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Instance {
    #[serde(default)]
    owner_jid: Option<String>,
    #[serde(default)]
    profile_name: Option<String>,
    #[serde(default)]
    disconnection_reason_code: Option<i64>,
}

impl Instance {
    /// The account, once it is known whose it is.
    pub(super) fn account(self) -> Option<Account> {
        let phone = phone(&self.owner_jid?)?;
        let name = self.profile_name.unwrap_or_default();
        let name = name.chars().filter(|char| !char.is_control()).take(MAX_NAME_CHARS).collect();
        Some(Account::whatsapp(phone, name))
    }

    /// Why it is closed.
    pub(super) const fn end(&self) -> Look {
        match self.disconnection_reason_code {
            Some(401) => Look::LoggedOut,
            Some(402 | 403 | 406) => Look::Banned,
            _ => Look::Failed,
        }
    }
}

/// What an error says, in one sentence or several.
fn sentences(message: &Value) -> impl Iterator<Item = &str> {
    let all = message.as_array().map_or(std::slice::from_ref(message), Vec::as_slice);
    all.iter().filter_map(Value::as_str)
}

/// Whether an error says that the instance is not connected, so that nothing has left.
pub(super) fn is_closed(message: &Value) -> bool {
    sentences(message).any(|said| said.strip_prefix("Error: ").unwrap_or(said) == "Connection Closed")
}

/// Whether a 404 is the server's own about what it was asked for, and not that of something before it, nor about a path
/// that it does not know.
pub(super) fn is_own_not_found(answer: &Value) -> bool {
    let mut said = sentences(&answer["response"]["message"]).peekable();
    answer["status"] == 404 && said.peek().is_some() && said.all(|said| !said.starts_with("Cannot "))
}

/// Whether it says that there is no such instance.
pub(super) fn is_no_instance(answer: &Value) -> bool {
    let mut said = sentences(&answer["response"]["message"]).map(str::to_lowercase);
    let is_gone =
        |said: String| said.contains("instance") && (said.contains("not exist") || said.contains("not found"));
    is_own_not_found(answer) && said.any(is_gone)
}

/// The number in an address, `<digits>[:<device>]@s.whatsapp.net`.
fn phone(address: &str) -> Option<Phone> {
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

/// The id that a message was given, from the answer to sending it.
pub(super) fn sent(answer: &Value) -> Option<String> {
    answer["key"]["id"].as_str().filter(|id| !id.is_empty()).map(kept)
}

/// Our form of a message's id, from its key: `<id>`, and `<id>_<author>` of what others wrote in a group.
pub(super) fn reference(key: &Value) -> Option<String> {
    let id = key["id"].as_str().filter(|id| !id.is_empty())?;
    let author = key["participant"].as_str().filter(|author| !author.is_empty());
    match author.filter(|_| !key["fromMe"].as_bool().unwrap_or(false)) {
        Some(author) => Some(kept(&format!("{id}_{author}"))),
        None => Some(kept(id)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_tell_whose_they_are_in_groups() {
        for (key, expected) in [
            (json!({ "id": "A", "fromMe": true, "remoteJid": "1@g.us", "participant": "2@lid" }), Some("A")),
            (json!({ "id": "A", "fromMe": false, "remoteJid": "1@g.us", "participant": "2@lid" }), Some("A_2@lid")),
            (json!({ "id": "A", "fromMe": false, "participant": "" }), Some("A")),
            (json!({ "id": "" }), None),
            (Value::Null, None),
        ] {
            assert_eq!(reference(&key).as_deref(), expected, "{key}");
        }
        assert_eq!(sent(&json!({ "key": { "id": "A" }, "status": "PENDING" })).as_deref(), Some("A"));
        assert_eq!(sent(&json!({ "status": "PENDING" })), None);
    }

    #[test]
    fn an_instance_is_gone_in_the_servers_own_words_only() {
        let of_server =
            |message: Value| json!({ "status": 404, "error": "Not Found", "response": { "message": message } });
        for (answer, is_own, is_gone) in [
            (of_server(json!(["The \"a\" instance does not exist"])), true, true),
            (of_server(json!("Instance \"a\" not found")), true, true),
            (of_server(json!(["Webhook not found"])), true, false),
            (of_server(json!(["Cannot GET /base/instance/connectionState/a not found"])), false, false),
            (of_server(json!([])), false, false),
            (json!({ "response": { "message": ["The \"a\" instance does not exist"] } }), false, false),
            (json!({ "status": 404, "message": "no instance: not found" }), false, false),
            (Value::Null, false, false),
        ] {
            assert_eq!((is_own_not_found(&answer), is_no_instance(&answer)), (is_own, is_gone), "{answer}");
        }
    }

    #[test]
    fn a_closed_connection_is_told_in_two_ways() {
        for (message, expected) in [
            (json!(["Error: Connection Closed"]), true),
            (json!("Connection Closed"), true),
            (json!(["a", "Connection Closed"]), true),
            (json!(["Connection Closed by somebody"]), false),
            (json!([["Connection Closed"]]), false),
            (json!("Timed Out"), false),
            (Value::Null, false),
        ] {
            assert_eq!(is_closed(&message), expected, "{message}");
        }
    }

    #[test]
    fn ends_have_reasons() {
        let end = |code: Value| {
            let instance: Instance = serde_json::from_value(json!({ "disconnectionReasonCode": code })).expect("one");
            instance.end()
        };
        assert_eq!(end(json!(401)), Look::LoggedOut);
        assert_eq!([402, 403, 406].map(|code| end(json!(code))), [Look::Banned, Look::Banned, Look::Banned]);
        assert_eq!((end(json!(428)), end(Value::Null)), (Look::Failed, Look::Failed));
    }
}
