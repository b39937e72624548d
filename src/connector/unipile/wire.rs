//! What Unipile says, as far as we read it. Whatever else it says is ignored.

use entity::channel::Network;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    connector::{
        self,
        bridge::Look,
        checkpoint::{self, Kind},
    },
    message::Jid,
    phone::Phone,
};

pub(super) const WHATSAPP: &str = "WHATSAPP";
pub(super) const TELEGRAM: &str = "TELEGRAM";
pub(super) const INSTAGRAM: &str = "INSTAGRAM";
/// Longest name of an account that is kept, in characters.
const MAX_NAME_CHARS: usize = 100;
/// Longest id that is kept, in bytes.
const MAX_ID_BYTES: usize = 200;

/// Unipile's name of a network that it serves.
pub(super) const fn provider(network: Network) -> Option<&'static str> {
    match network {
        Network::Whatsapp => Some(WHATSAPP),
        Network::Telegram => Some(TELEGRAM),
        Network::Instagram => Some(INSTAGRAM),
        _ => None,
    }
}

/// An account that was begun, or a question that was answered.
#[derive(Deserialize)]
pub(super) struct Made {
    #[serde(default)]
    pub(super) account_id: String,
    #[serde(default)]
    pub(super) checkpoint: Option<Checkpoint>,
}

/// What is asked before it is connected.
#[derive(Deserialize)]
pub(super) struct Checkpoint {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    qrcode: Option<String>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Checkpoint {
    /// The code to be shown, or the question to be asked.
    pub(super) fn read(self) -> (Option<String>, Option<checkpoint::Checkpoint>) {
        if self.kind == "QRCODE" {
            return (self.qrcode.filter(|code| !code.is_empty()), None);
        }
        let kind = self.kind.parse().unwrap_or(Kind::Other);
        let data = (!self.more.is_empty()).then_some(Value::Object(self.more));
        (None, Some(checkpoint::Checkpoint { kind, data }))
    }
}

impl Made {
    /// The code to be typed into a phone. Where it stands is not told; a code for a camera is longer.
    pub(super) fn pairing_code(&self) -> Option<String> {
        let checkpoint = self.checkpoint.as_ref()?;
        let more = ["pairing_code", "code"].into_iter().filter_map(|name| checkpoint.more.get(name)?.as_str());
        let said = more.chain(checkpoint.qrcode.as_deref());
        let mut fitting = said.filter(|code| code.chars().filter(char::is_ascii_alphanumeric).count() == 8);
        fitting.find(|code| code.len() <= 9).map(str::to_owned)
    }
}

/// An account.
#[derive(Default, Deserialize)]
pub(super) struct Account {
    #[serde(default)]
    pub(super) sources: Vec<Source>,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    connection_params: Value,
}

#[derive(Deserialize)]
pub(super) struct Source {
    #[serde(default)]
    status: String,
}

/// A message that was sent.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    pub(super) message_id: Option<String>,
}

impl Account {
    /// How it stands: as its worst part does.
    pub(super) fn look(self) -> Look {
        let has = |words: &[&str]| self.sources.iter().any(|source| words.contains(&source.status.as_str()));
        if has(&["CREDENTIALS"]) {
            Look::LoggedOut
        } else if has(&["STOPPED"]) {
            Look::Stopped
        } else if has(&["ERROR", "PERMISSIONS"]) {
            Look::Impaired
        } else if !self.sources.is_empty() && self.sources.iter().all(|source| source.status == "OK") {
            self.account().map_or(Look::Unheard, Look::Working)
        } else if has(&["CONNECTING"]) {
            Look::Starting
        } else {
            Look::Unheard
        }
    }

    /// Whose it is. Where number and name stand is not told for every network, and has changed before.
    fn account(self) -> Option<connector::Account> {
        let im = &self.connection_params["im"];
        let texts = |names: &[&str]| {
            let found = names.iter().map(|name| text(&im[*name]));
            found.flatten().collect::<Vec<_>>()
        };
        let number = texts(&["phone_number", "phone", "id"]).into_iter().chain(self.name.clone());
        let phone = number.filter_map(|text| phone(&text)).next();
        let name = self.name.clone().unwrap_or_default();
        let name = name.chars().filter(|char| !char.is_control()).take(MAX_NAME_CHARS).collect();
        if self.kind == WHATSAPP || self.kind.is_empty() {
            return Some(connector::Account::whatsapp(phone?, name));
        }
        let username = texts(&["username", "public_identifier"]).into_iter().next();
        let username = username.or_else(|| self.name.filter(|_| self.kind == INSTAGRAM));
        let ids = texts(&["user_id", "id"]).into_iter().chain(username.clone()).chain([self.id]);
        let external_id = ids.into_iter().find(|id| is_name(id))?;
        let phone = phone.filter(|_| self.kind == TELEGRAM && !texts(&["phone_number", "phone"]).is_empty());
        Some(connector::Account { external_id, phone, username, name })
    }
}

/// A text, or a number as one.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn phone(text: &str) -> Option<Phone> {
    Phone::parse(text.split('@').next()?).ok()
}

/// The id of the part of a message with this place, from 2: its own message here, and none at Unipile.
pub(super) fn further_id(message_id: &str, place: usize) -> String {
    format!("{message_id}/{place}")
}

/// Unipile's id of the message that an id of ours is about.
pub(super) fn whole_id(id: &str) -> &str {
    id.split('/').next().unwrap_or(id)
}

/// Whether a text may stand in a path as an id.
pub(super) fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(fits)
}

/// Whether a text may be the id of somebody on a network.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@".contains(&byte);
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(fits)
}

/// The address of somebody in an event about an account of this kind, with the network's name where it needs one.
pub(super) fn address(kind: &str, id: &str) -> String {
    match kind {
        TELEGRAM => format!("{id}@{}", Network::Telegram),
        INSTAGRAM => format!("{id}@{}", Network::Instagram),
        _ => id.to_owned(),
    }
}

/// The id on its network of such an address.
pub(super) fn jid(address: &str) -> Option<Jid> {
    match address.rsplit_once('@') {
        Some((id, "telegram")) => Jid::on(Network::Telegram, id).ok(),
        Some((id, "instagram")) => Jid::on(Network::Instagram, id).ok(),
        _ => Jid::parse(address).ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account(kind: &str, statuses: &[&str], params: Value) -> Look {
        let sources: Vec<Value> = statuses.iter().map(|status| json!({ "id": "x", "status": status })).collect();
        let account = json!({ "object": "Account", "type": kind, "id": "acc", "name": "Bakery", "sources": sources,
            "connection_params": params });
        serde_json::from_value::<Account>(account).expect("an account").look()
    }

    fn working(kind: &str, params: Value) -> connector::Account {
        match account(kind, &["OK", "OK"], params) {
            Look::Working(account) => account,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_account_stands_as_its_worst_part_does() {
        let params = || json!({ "im": { "phone_number": "15550001111" } });
        let whose = working(WHATSAPP, params());
        assert_eq!((whose.external_id.as_str(), whose.name.as_str()), ("15550001111@s.whatsapp.net", "Bakery"));
        working(WHATSAPP, json!({ "im": { "id": "15550001111@s.whatsapp.net" } }));
        assert_eq!(account(WHATSAPP, &["OK"], Value::Null), Look::Unheard);
        for (statuses, expected) in [
            (&["OK", "CREDENTIALS"][..], Look::LoggedOut),
            (&["OK", "STOPPED"], Look::Stopped),
            (&["ERROR", "STOPPED"], Look::Stopped),
            (&["ERROR", "OK"], Look::Impaired),
            (&["PERMISSIONS"], Look::Impaired),
            (&["CONNECTING", "OK"], Look::Starting),
            (&["ON_HOLIDAY"], Look::Unheard),
            (&[], Look::Unheard),
        ] {
            assert_eq!(account(WHATSAPP, statuses, params()), expected, "{statuses:?}");
        }
    }

    #[test]
    fn accounts_are_named_as_their_network_names_them() {
        let im = |im: Value| json!({ "im": im });
        let telegram =
            working(TELEGRAM, im(json!({ "user_id": 4711, "username": "bakery", "phone_number": "15550001111" })));
        assert_eq!((telegram.external_id.as_str(), telegram.username.as_deref()), ("4711", Some("bakery")));
        assert_eq!(telegram.phone.as_ref().map(Phone::as_str), Some("+15550001111"));
        let instagram = working(INSTAGRAM, im(json!({ "id": "178414", "username": "my_brand" })));
        assert_eq!((instagram.external_id.as_str(), instagram.username.as_deref()), ("178414", Some("my_brand")));
        assert_eq!(instagram.phone, None);
        let bare = working(INSTAGRAM, Value::Null);
        assert_eq!((bare.external_id.as_str(), bare.username.as_deref()), ("Bakery", Some("Bakery")));
        assert_eq!(working(TELEGRAM, Value::Null).external_id, "acc");
    }

    #[test]
    fn questions_and_codes_are_told_apart() {
        let read = |value: Value| serde_json::from_value::<Checkpoint>(value).expect("a checkpoint").read();
        assert_eq!(read(json!({ "type": "QRCODE", "qrcode": "2@x" })), (Some("2@x".to_owned()), None));
        for (kind, expected) in [("OTP", Kind::Otp), ("2FA", Kind::TwoFactor), ("RIDDLE", Kind::Other)] {
            assert_eq!(read(json!({ "type": kind })), (None, Some(checkpoint::Checkpoint::of(expected))), "{kind}");
        }
        let (_, captcha) = read(json!({ "type": "CAPTCHA", "public_key": "k" }));
        assert_eq!(captcha.and_then(|captcha| captcha.data), Some(json!({ "public_key": "k" })));
        let pairing = |checkpoint: Value| {
            let made: Made =
                serde_json::from_value(json!({ "account_id": "a", "checkpoint": checkpoint })).expect("it");
            made.pairing_code()
        };
        for (checkpoint, expected) in [
            (json!({ "type": "QRCODE", "qrcode": "ABCD-1234" }), Some("ABCD-1234")),
            (json!({ "type": "PAIRING", "pairing_code": "ABCD1234" }), Some("ABCD1234")),
            (json!({ "type": "PAIRING", "code": "ABCD1234", "qrcode": "2@x,y" }), Some("ABCD1234")),
            (json!({ "type": "QRCODE", "qrcode": "2@AbCdEfGh,1234" }), None),
        ] {
            assert_eq!(pairing(checkpoint.clone()).as_deref(), expected, "{checkpoint}");
        }
    }

    #[test]
    fn ids_stay_in_their_part_of_the_path() {
        assert!(is_id("a1-B_2=="));
        for bad in ["", "a/b", "..", "a?b", "a b", "ä", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert!(!is_id(bad), "{bad}");
        }
        for (kind, id, expected) in [
            (WHATSAPP, "15550001111@s.whatsapp.net", Some("15550001111@s.whatsapp.net")),
            (TELEGRAM, "4711", Some("4711@telegram")),
            (INSTAGRAM, "178414", Some("178414@instagram")),
            (INSTAGRAM, "17 8414", None),
            (WHATSAPP, "newsletter", None),
        ] {
            assert_eq!(jid(&address(kind, id)).as_ref().map(Jid::as_str), expected, "{id}");
        }
    }
}
