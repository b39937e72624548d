//! How a channel is set up: what is shown, what is sealed, and which account that names.
//!
//! The settings of each type are in `fields`. A change names settings one by one: what is absent stays, `null` takes
//! one away, and a secret that comes back masked stays too. The parts of a theme are named one by one as well.

use entity::channel::{ConnectorKind, Network};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    channel::config::fields::{Field, fields_of},
    connector::{registry, target::Means},
    error::{Error, Result},
};

mod fields;

/// What stands for a secret in answers.
pub const MASK: &str = "********";

/// The settings of a channel. It has secrets, so it has no `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// What is shown.
    pub open: Map<String, Value>,
    /// What is sealed.
    pub secret: Map<String, Value>,
}

impl Config {
    /// These settings changed by what is given.
    ///
    /// # Errors
    /// `invalid_request` naming the setting that does not exist for this type, or does not fit, or is a mask of nothing.
    pub fn changed(&self, network: Network, given: Map<String, Value>) -> Result<Self> {
        let mut config = self.clone();
        for (name, value) in given {
            let field = fields_of(network).find(|field| field.name() == name).ok_or_else(|| Error::InvalidBody {
                field: Some(format!("config.{name}")),
                reason: format!("config.{name}: is not a setting of {network}"),
            })?;
            let is_secret = field.form.is_secret();
            let place = if is_secret { &mut config.secret } else { &mut config.open };
            let value = match value {
                Value::Null => None,
                Value::String(text) if is_secret && text == MASK => match place.get(field.name()) {
                    Some(_) => continue,
                    None => return Err(Error::field(field.path, "is masked, and there is no secret that could stay")),
                },
                value => field.read(value, place.get(field.name()))?,
            };
            match value {
                Some(value) => drop(place.insert(field.name().to_owned(), value)),
                None => drop(place.remove(field.name())),
            }
        }
        Ok(config)
    }

    /// Whether channels of this type have a setting of this name.
    pub(super) fn knows(network: Network, name: &str) -> bool {
        fields_of(network).any(|field| field.name() == name)
    }

    /// Passes if a channel can be connected with these settings, as far as is known without its connector.
    ///
    /// # Errors
    /// `invalid_request` naming the first setting that is missing.
    pub fn require_complete(&self, network: Network) -> Result<()> {
        self.require(network, |_| true)
    }

    /// Passes if this connector can connect a channel with these settings. Those that it could not use are not needed.
    ///
    /// # Errors
    /// `invalid_request` naming the first setting that is missing.
    pub fn require_fit(&self, network: Network, connector: ConnectorKind) -> Result<()> {
        self.require(network, |means| registry::serves_by(connector, network, means))
    }

    fn require(&self, network: Network, has_means: impl Fn(Means) -> bool) -> Result<()> {
        let is_needed = |field: &&Field| field.means.is_none_or(&has_means) && field.is_needed(self);
        let missing = fields_of(network).find(|field| is_needed(field) && !self.has(field));
        missing.map_or(Ok(()), |field| Err(Error::field(field.path, "is required")))
    }

    /// The first setting that connects an account by means which this connector has not; `None` where all are of use.
    #[must_use]
    pub fn useless_with(&self, network: Network, connector: ConnectorKind) -> Option<&'static str> {
        let is_useless = |means| !registry::serves_by(connector, network, means);
        let useless = |field: &&Field| field.means.is_some_and(is_useless) && self.has(field);
        fields_of(network).find(useless).map(|field| field.path)
    }

    /// Passes if this connector can do something with all that connects an account.
    ///
    /// # Errors
    /// `invalid_request` naming the first setting that is of no use to it.
    pub fn require_use(&self, network: Network, connector: ConnectorKind) -> Result<()> {
        let useless = self.useless_with(network, connector);
        useless.map_or(Ok(()), |path| Err(Error::field(path, format!("cannot be used by {connector}"))))
    }

    /// A setting that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.open.get(name).or_else(|| self.secret.get(name)).and_then(Value::as_str)
    }

    /// Whether these are settings of Meta's own API for WhatsApp.
    #[must_use]
    pub fn is_of_meta(&self, network: Network) -> bool {
        network == Network::Whatsapp
            && fields_of(network).any(|field| field.means == Some(Means::Keys) && self.has(field))
    }

    /// Whether a channel with these settings waits for a phone that scans a code.
    #[must_use]
    pub fn is_scanned(&self, network: Network) -> bool {
        match network {
            Network::Whatsapp => !self.is_of_meta(network),
            Network::Telegram => !self.secret.contains_key("botToken"),
            _ => false,
        }
    }

    /// Whether a channel with these settings signs in with something else than one with those.
    #[must_use]
    pub fn signs_in_otherwise(&self, than: &Self, network: Network) -> bool {
        self != than && !(self.is_scanned(network) && than.is_scanned(network))
    }

    /// The account that the settings name, with its network in front; `None` where they name none.
    #[must_use]
    pub fn identity(&self, network: Network) -> Option<String> {
        let name = match network {
            Network::Whatsapp => self.text("phoneNumberId")?.to_owned(),
            Network::Telegram => bot_id(self.text("botToken")?),
            Network::Sms | Network::Voice => self.text("phoneNumber")?.to_owned(),
            Network::Email => self.text("fromEmail")?.to_lowercase(),
            Network::Facebook => self.text("pageId")?.to_owned(),
            Network::Instagram => self.text("accountId").or_else(|| self.text("username"))?.to_owned(),
            Network::Rcs => self.text("agentId")?.to_owned(),
            Network::Webchat => return None,
        };
        Some(format!("{network}:{name}"))
    }

    /// All settings in one, for the connector.
    #[must_use]
    pub fn whole(&self) -> Map<String, Value> {
        self.open.iter().chain(&self.secret).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn has(&self, field: &Field) -> bool {
        self.open.contains_key(field.name()) || self.secret.contains_key(field.name())
    }
}

/// A bot's id stands before the colon of its token; of a token without one only a digest is kept.
pub(crate) fn bot_id(token: &str) -> String {
    match token.split_once(':') {
        Some((id, _)) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => id.to_owned(),
        _ => Sha256::digest(token).iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(network: Network, given: Value) -> Result<Config> {
        let Value::Object(given) = given else { panic!("an object") };
        Config::default().changed(network, given)
    }

    fn named(network: Network, given: Value) -> String {
        match config(network, given).and_then(|config| config.require_complete(network)) {
            Err(Error::InvalidField { field, .. }) => field.to_owned(),
            Err(Error::InvalidBody { field: Some(field), .. }) => field,
            Err(error) => panic!("{error}"),
            Ok(()) => String::new(),
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let sms = json!({ "provider": "twilio", "accountSid": "AC1", "authToken": "t", "phoneNumber": "+15551234567" });
        let with = |name: &str, value: Value| {
            let mut changed = sms.clone();
            changed[name] = value;
            changed
        };
        for (network, given, field) in [
            (Network::Sms, sms.clone(), ""),
            (Network::Sms, with("authToken", Value::Null), "config.authToken"),
            (Network::Sms, with("phoneNumber", json!("555")), "config.phoneNumber"),
            (Network::Sms, with("provider", json!("pigeon")), "config.provider"),
            (Network::Sms, with("speechToText", json!(true)), "config.speechToText"),
            (Network::Voice, with("speechToText", json!(true)), ""),
            (Network::Voice, with("recordCalls", json!("yes")), "config.recordCalls"),
            (Network::Whatsapp, json!({}), ""),
            (Network::Whatsapp, json!({ "accessToken": "t" }), "config.phoneNumberId"),
            (Network::Whatsapp, json!({ "phoneNumberId": "1" }), "config.accessToken"),
            (Network::Telegram, json!({}), "config.botToken"),
            (Network::Telegram, json!({ "botToken": 7 }), "config.botToken"),
            (Network::Telegram, json!({ "connector": "sandbox" }), ""),
            (Network::Email, json!({ "smtpHost": "h", "fromEmail": "a@b.c" }), "config.smtpPort"),
            (Network::Email, json!({ "smtpHost": "h", "smtpPort": 70000, "fromEmail": "a@b.c" }), "config.smtpPort"),
            (Network::Email, json!({ "smtpHost": "h", "smtpPort": 587, "fromEmail": "nobody" }), "config.fromEmail"),
            (
                Network::Email,
                json!({ "smtpHost": "h", "smtpPort": 587, "fromEmail": "a@b.c", "imapHost": "h" }),
                "config.imapPort",
            ),
            (Network::Webchat, json!({}), "config.allowedOrigins"),
            (Network::Webchat, json!({ "allowedOrigins": [] }), "config.allowedOrigins"),
            (Network::Webchat, json!({ "allowedOrigins": ["https://a.b/path"] }), "config.allowedOrigins"),
            (Network::Webchat, json!({ "allowedOrigins": ["https://*.a.b"] }), "config.allowedOrigins"),
            (Network::Webchat, json!({ "allowedOrigins": ["https://a.b", "https://*"] }), "config.allowedOrigins"),
            (Network::Webchat, json!({ "allowedOrigins": ["https://a.b:8443", "http://[::1]"] }), ""),
            (Network::Webchat, json!({ "allowedOrigins": ["https://a.b"] }), ""),
            (
                Network::Webchat,
                json!({ "allowedOrigins": ["https://a.b"], "theme": { "primaryColor": "blue" } }),
                "config.theme",
            ),
            (
                Network::Webchat,
                json!({ "allowedOrigins": ["https://a.b"], "identitySecret": "short" }),
                "config.identitySecret",
            ),
            (
                Network::Webchat,
                json!({ "allowedOrigins": ["https://a.b"], "requireIdentity": true }),
                "config.identitySecret",
            ),
            (Network::Facebook, json!({ "pageId": "1", "pageAccessToken": "t" }), "config.appSecret"),
            (Network::Instagram, json!({ "accountId": "1" }), "config.accessToken"),
            (Network::Rcs, json!({ "agentId": "a" }), "config.serviceAccountKey"),
        ] {
            assert_eq!(named(network, given.clone()), field, "{network} {given}");
        }
    }

    #[test]
    fn what_a_connector_cannot_use_is_named() {
        use ConnectorKind::{Evolution, Sandbox, Unipile, Waha};
        let meta = json!({ "phoneNumberId": "1", "accessToken": "t" });
        let login = json!({ "username": "a", "password": "p" });
        for (network, given, connector, useless) in [
            (Network::Whatsapp, meta.clone(), Sandbox, None),
            (Network::Whatsapp, meta.clone(), Waha, Some("config.phoneNumberId")),
            (Network::Whatsapp, meta.clone(), Evolution, Some("config.phoneNumberId")),
            (Network::Whatsapp, meta, Unipile, Some("config.phoneNumberId")),
            (Network::Whatsapp, json!({ "appSecret": "s" }), Unipile, Some("config.appSecret")),
            (Network::Whatsapp, json!({ "businessName": "Bakery" }), Waha, None),
            (Network::Telegram, json!({ "botToken": "1:a" }), Sandbox, None),
            (Network::Telegram, json!({ "botToken": "1:a" }), Unipile, Some("config.botToken")),
            (Network::Telegram, json!({ "connector": "unipile" }), Unipile, None),
            (Network::Instagram, json!({ "accountId": "1", "accessToken": "t" }), Sandbox, None),
            (Network::Instagram, json!({ "accountId": "1", "accessToken": "t" }), Unipile, Some("config.accountId")),
            (Network::Instagram, login.clone(), Unipile, None),
            (Network::Instagram, login, Sandbox, None),
        ] {
            let config = config(network, given.clone()).expect("settings");
            assert_eq!(config.useless_with(network, connector), useless, "{network} {given} {connector}");
            assert_eq!(config.require_use(network, connector).is_ok(), useless.is_none());
        }
        // What a connector could not use, it does not ask for.
        let nothing = Config::default();
        assert!(nothing.require_fit(Network::Telegram, Unipile).is_ok());
        assert!(nothing.require_fit(Network::Telegram, Sandbox).is_err());
    }

    #[test]
    fn secrets_are_kept_apart_and_a_masked_one_stays() {
        let made = config(Network::Telegram, json!({ "botToken": "123:abc" })).expect("settings");
        assert!(made.open.is_empty() && made.text("botToken") == Some("123:abc"));
        assert_eq!(made.identity(Network::Telegram).as_deref(), Some("telegram:123"));
        let Value::Object(masked) = json!({ "botToken": MASK }) else { panic!("an object") };
        assert!(made.changed(Network::Telegram, masked).expect("settings") == made);
        let Value::Object(none) = json!({ "botToken": null }) else { panic!("an object") };
        let without = made.changed(Network::Telegram, none).expect("settings");
        assert!(without.secret.is_empty());
        assert_eq!(named(Network::Telegram, json!({ "botToken": MASK })), "config.botToken", "nothing is masked");
        let Value::Object(masked) = json!({ "botToken": MASK }) else { panic!("an object") };
        assert!(without.changed(Network::Telegram, masked).is_err());
    }

    #[test]
    fn a_theme_is_changed_part_by_part() {
        let origins = json!(["https://a.b"]);
        let mut known = config(Network::Webchat, json!({ "allowedOrigins": origins, "theme": { "title": "Chat" } }))
            .expect("settings");
        for (change, expected) in [
            (json!({ "subtitle": "with us" }), Some(json!({ "title": "Chat", "subtitle": "with us" }))),
            (json!({ "title": null }), Some(json!({ "subtitle": "with us" }))),
            (
                json!({ "title": null, "primaryColor": "#0066cc" }),
                Some(json!({ "subtitle": "with us", "primaryColor": "#0066cc" })),
            ),
            (json!({ "subtitle": null, "primaryColor": null }), None),
            (json!({ "position": "bottom-left" }), Some(json!({ "position": "bottom-left" }))),
            (json!(null), None),
        ] {
            let given = Map::from_iter([("theme".to_owned(), change.clone())]);
            known = known.changed(Network::Webchat, given).expect("settings");
            assert_eq!(known.open.get("theme"), expected.as_ref(), "{change}");
        }
        let bogus = Map::from_iter([("theme".to_owned(), json!({ "bogus": null }))]);
        assert!(known.changed(Network::Webchat, bogus).is_err());
    }
}
