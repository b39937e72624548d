//! A channel as its connector sees it: signed in with what its settings say, and looked at part by part.

use entity::{
    attempt::Failure,
    channel::Network,
    id::{AttemptId, ChannelId, PartnerId},
    timestamp::Timestamp,
};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::connector::{Account, Observation, Qr, checkpoint::Asked, refusal::Class};

/// A channel with its settings, the secret ones among them; so it has no `Debug`.
pub struct Target {
    /// The channel.
    pub channel_id: ChannelId,
    /// Its session at the connector.
    pub session: AttemptId,
    /// Whose workspace it is in.
    pub partner_id: PartnerId,
    /// The network that it is on.
    pub network: Network,
    /// How it is set up, in the words of the Channels API.
    pub config: Map<String, Value>,
    /// Where the provider is to bring what comes.
    pub callback_url: String,
}

impl Target {
    /// One of the settings, if it is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.config.get(name).and_then(Value::as_str)
    }
}

/// How an account comes to be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumIter)]
pub enum Means {
    /// A phone scans a code, or types one.
    Phone,
    /// User name and password of a person.
    Login,
    /// Keys of an interface that the network itself offers, as of its bots and its business accounts.
    Keys,
}

/// What an account signs in with.
pub struct Login {
    /// Its name or address on the network.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// Where it seems to come from, ISO 3166-1 alpha-2; the provider chooses where absent.
    pub country: Option<String>,
}

/// What came of signing in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// The account is connected.
    Connected(Account),
    /// A phone has to scan a code.
    Waiting {
        /// The code to show; absent before the first and after the last.
        qr: Option<Qr>,
        /// When to look again.
        look_again_at: Timestamp,
    },
    /// The network asks something first.
    Asking(Asked),
    /// Nobody scanned, or the session ended otherwise.
    Ended(Failure),
    /// The provider does not take what the settings say, in a sentence.
    Refused(String),
}

impl From<Observation> for SignIn {
    fn from(observation: Observation) -> Self {
        match observation {
            Observation::Starting { look_again_at } | Observation::Impaired { look_again_at } => {
                Self::Waiting { qr: None, look_again_at }
            }
            Observation::Waiting { qr, look_again_at } => Self::Waiting { qr, look_again_at },
            Observation::Asking(asked) => Self::Asking(asked),
            Observation::Connected(account) => Self::Connected(account),
            Observation::Ended(Failure::LoginRefused) => {
                Self::Refused("the network does not accept the user name and the password".to_owned())
            }
            Observation::Ended(failure) => Self::Ended(failure),
        }
    }
}

/// How one part of a test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed,
    /// It could not be looked at, because something before it failed or there is nothing to look at.
    Skipped,
}

/// One part of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at: `credentials`, `webhook`, `permissions`, `session`.
    pub name: &'static str,
    /// How it went.
    pub verdict: Verdict,
    /// That in a sentence, without anything secret.
    pub message: String,
    /// How long the provider took, in milliseconds; 0 where it was not asked.
    pub latency_ms: u64,
    /// More about it, without anything secret.
    pub details: Option<Value>,
    /// What kind of refusal it was, where it failed and that is known.
    pub class: Option<Class>,
}

impl Check {
    /// A part that is as it should be.
    #[must_use]
    pub fn passed(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Passed, message: message.into(), latency_ms: 0, details: None, class: None }
    }

    /// A part that is not.
    #[must_use]
    pub fn failed(name: &'static str, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, ..Self::passed(name, message) }
    }

    /// A part that could not be looked at.
    #[must_use]
    pub fn skipped(name: &'static str, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skipped, ..Self::passed(name, message) }
    }

    /// With how long it took.
    #[must_use]
    pub fn after(self, latency_ms: u64) -> Self {
        Self { latency_ms, ..self }
    }

    /// Because of a refusal of this kind.
    #[must_use]
    pub fn because(self, class: Class) -> Self {
        Self { class: Some(class), ..self }
    }

    /// With more about it.
    #[must_use]
    pub fn with(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }
}
