//! What stands among a channel's settings and is told by its provider: the account that it is.
//!
//! Settings can be sent back as they were shown. What is told is no setting, so it changes nothing then, and cannot be
//! made anything else.

use entity::{
    channel::{Model, Network},
    channel_settings,
};
use serde_json::{Map, Value};

use crate::{
    channel::{
        config::{Config, MASK},
        show::Shown,
    },
    error::{Error, Result},
};

/// What a provider tells of the account of a channel.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    network: Network,
    phone: &'a str,
    username: Option<&'a str>,
    account_name: &'a str,
}

impl<'a> From<&'a Shown> for Told<'a> {
    fn from(shown: &'a Shown) -> Self {
        Self {
            network: shown.network,
            phone: shown.phone.as_deref().unwrap_or_default(),
            username: shown.username.as_deref(),
            account_name: &shown.account_name,
        }
    }
}

impl<'a> Told<'a> {
    /// What is told of a channel with these settings.
    pub(super) fn of(channel: &'a Model, settings: Option<&'a channel_settings::Model>) -> Self {
        Self {
            network: channel.network,
            phone: &channel.phone,
            username: settings.and_then(|row| row.username.as_deref()),
            account_name: &channel.account_name,
        }
    }

    /// The settings with what is told of those that are not set.
    #[must_use]
    pub fn beside(&self, set: &Map<String, Value>) -> Map<String, Value> {
        let mut all = set.clone();
        for (name, value) in self.parts() {
            if let Some(value) = value {
                all.entry(name).or_insert_with(|| value.into());
            }
        }
        all
    }

    /// What is given without what is only told. A user name that comes with a new password is a setting.
    ///
    /// # Errors
    /// `invalid_request` naming what is told and was given another value.
    pub(super) fn without(&self, config: &Config, mut given: Map<String, Value>) -> Result<Map<String, Value>> {
        let signs_in = given.get("password").and_then(Value::as_str).is_some_and(|password| password != MASK);
        for (name, told) in self.parts() {
            let Some(value) = given.get(name).filter(|_| !config.open.contains_key(name)) else { continue };
            let is_setting = Config::knows(self.network, name);
            if signs_in && is_setting {
                continue;
            }
            if told.is_some() && told.as_deref() == value.as_str() {
                given.remove(name);
            } else if !is_setting {
                let reason = format!("config.{name}: is told by {}, and cannot be set", self.network);
                return Err(Error::InvalidBody { field: Some(format!("config.{name}")), reason });
            }
        }
        Ok(given)
    }

    /// What is shown, by name; absent while it is not known and not shown.
    fn parts(&self) -> Vec<(&'static str, Option<String>)> {
        let phone = Some(self.phone.to_owned());
        match self.network {
            // Clients read both of every such channel; they are empty before they are known.
            Network::Whatsapp => vec![("phoneNumber", phone), ("businessName", Some(self.account_name.to_owned()))],
            Network::Telegram => vec![
                ("phoneNumber", phone.filter(|phone| !phone.is_empty())),
                ("botUsername", self.username.map(|name| format!("@{name}"))),
            ],
            Network::Instagram => vec![("username", self.username.map(str::to_owned))],
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("an object") };
        object
    }

    #[test]
    fn what_is_sent_back_as_it_is_shown_is_no_setting() {
        let told = |network| Told { network, phone: "+15550001111", username: Some("ann"), account_name: "Bakery" };
        for (network, set, shown) in [
            (
                Network::Whatsapp,
                json!({ "phoneNumberId": "1" }),
                json!({ "phoneNumberId": "1", "phoneNumber": "+15550001111", "businessName": "Bakery" }),
            ),
            (
                Network::Whatsapp,
                json!({ "businessName": "Mine" }),
                json!({ "phoneNumber": "+15550001111", "businessName": "Mine" }),
            ),
            (Network::Telegram, json!({}), json!({ "phoneNumber": "+15550001111", "botUsername": "@ann" })),
            (Network::Instagram, json!({ "accountId": "1" }), json!({ "accountId": "1", "username": "ann" })),
            (Network::Sms, json!({ "phoneNumber": "+1" }), json!({ "phoneNumber": "+1" })),
        ] {
            let config = Config { open: object(set.clone()), ..Config::default() };
            assert_eq!(told(network).beside(&config.open), object(shown.clone()), "{network}");
            let given = told(network).without(&config, object(shown)).expect("settings");
            assert_eq!(given, object(set), "{network}");
        }
    }

    #[test]
    fn a_user_name_is_set_with_a_new_password() {
        let told = Told { network: Network::Instagram, phone: "", username: Some("ann"), account_name: "" };
        let without = |given: Value| told.without(&Config::default(), object(given)).expect("settings");
        let login = json!({ "username": "ann", "password": "new" });
        assert_eq!(without(login.clone()), object(login));
        for kept in [json!(MASK), json!(null)] {
            let shown = json!({ "username": "ann", "password": kept });
            assert_eq!(without(shown), object(json!({ "password": kept })), "{kept}");
        }
    }

    #[test]
    fn what_is_told_cannot_be_set() {
        let told = |network| Told { network, phone: "", username: None, account_name: "" };
        let without = |network, given| told(network).without(&Config::default(), object(given));
        for (network, given) in [
            (Network::Whatsapp, json!({ "phoneNumber": "+15550001111" })),
            (Network::Telegram, json!({ "botUsername": "@bob" })),
            (Network::Telegram, json!({ "phoneNumber": "" })),
        ] {
            let name = given.as_object().and_then(|given| given.keys().next().cloned()).expect("a name");
            let Err(Error::InvalidBody { field, .. }) = without(network, given.clone()) else { panic!("{given}") };
            assert_eq!(field, Some(format!("config.{name}")));
        }
        // A setting of its own keeps what it is given.
        let given = object(json!({ "businessName": "Mine" }));
        assert_eq!(without(Network::Whatsapp, json!({ "businessName": "Mine" })).expect("settings"), given);
        let given = object(json!({ "username": "ann" }));
        assert_eq!(without(Network::Instagram, json!({ "username": "ann" })).expect("settings"), given);
        let nothing = json!({ "phoneNumber": "", "businessName": "" });
        assert!(without(Network::Whatsapp, nothing).expect("settings").is_empty());
    }
}
