//! How a bot is set up: what is given, read once, with its limits.

use entity::bot::{Kind, Model};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

use crate::{
    app::App,
    bot::secret,
    error::{Error, Result},
};

/// Longest name, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// Longest name of a model, in characters.
pub const MAX_MODEL_CHARS: usize = 200;
/// Longest text that a model is told before a conversation, in characters.
pub const MAX_PROMPT_CHARS: usize = 10_000;
/// Longest key of a model's endpoint, in bytes.
pub const MAX_KEY_BYTES: usize = 512;
/// Most tokens that may be asked for.
pub const MAX_TOKENS: i64 = 32_768;
/// How long an answer may take, in milliseconds.
pub const TIMEOUTS_MS: std::ops::RangeInclusive<i64> = 1000..=60_000;
/// How many messages of a conversation a bot can be shown.
pub const HISTORIES: std::ops::RangeInclusive<i64> = 1..=50;
/// How freely a model can answer.
pub const TEMPERATURES: std::ops::RangeInclusive<f64> = 0.0..=2.0;
/// What stands for a secret that is there. Whoever sends it back leaves the secret as it is.
pub const MASK: &str = "********";

const USUAL_TIMEOUT_MS: i64 = 20_000;
const USUAL_HISTORY: i32 = 20;

/// What is given of a bot, unread. Empty texts count as none.
#[derive(Default)]
#[expect(missing_docs, reason = "each is the setting of the same name")]
pub struct Given {
    pub name: Option<String>,
    pub kind: Option<String>,
    pub endpoint: Option<String>,
    pub signing_secret: Option<String>,
    pub base_url: Option<String>,
    pub model: Option<String>,
    pub api_key: Option<String>,
    pub system_prompt: Option<String>,
    pub temperature: Option<f64>,
    pub max_tokens: Option<i64>,
    pub timeout_ms: Option<i64>,
    pub history_limit: Option<i64>,
}

/// What was given, read; what is absent stays as it is, or is as usual in a new bot.
#[derive(Default, Serialize)]
#[expect(missing_docs, reason = "each is the setting of the same name")]
pub struct Settings {
    pub name: Option<String>,
    pub kind: Option<Kind>,
    pub endpoint: Option<String>,
    pub base_url: Option<String>,
    pub model: Option<String>,
    pub system_prompt: Option<String>,
    pub temperature_percent: Option<i32>,
    pub max_tokens: Option<i32>,
    pub timeout_ms: Option<i64>,
    pub history: Option<i32>,
    #[serde(serialize_with = "for_fingerprint")]
    pub signing_secret: Option<SecretString>,
    #[serde(serialize_with = "for_fingerprint")]
    pub api_key: Option<SecretString>,
}

/// The digest of a secret: a request that comes again must bring the same.
fn for_fingerprint<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|secret| crate::secret::digest(secret.expose_secret())).serialize(serializer)
}

impl Settings {
    /// Reads what is given.
    ///
    /// # Errors
    /// `invalid_request` naming the field.
    pub fn parse(given: Given) -> Result<Self> {
        let temperature = given.temperature.map(|value| {
            let is_one = TEMPERATURES.contains(&value);
            // Rounded by writing it: there is no lossless way from a fraction to an integer.
            let percent = format!("{:.0}", value * 100.0).parse().ok().filter(|_| is_one);
            percent.ok_or_else(|| Error::field("temperature", "must be 0 to 2"))
        });
        let prompt = given.system_prompt;
        if let Some(prompt) = &prompt {
            let fits = prompt.chars().count() <= MAX_PROMPT_CHARS && !prompt.contains('\0');
            fits.then_some(()).ok_or_else(|| {
                Error::field("system_prompt", format!("must be at most {MAX_PROMPT_CHARS} characters without U+0000"))
            })?;
        }
        Ok(Self {
            name: given.name.map(|name| word("name", &name, MAX_NAME_CHARS)).transpose()?,
            kind: given.kind.map(|kind| parse_kind(&kind)).transpose()?,
            endpoint: given.endpoint,
            base_url: given.base_url.map(|url| url.trim_end_matches('/').to_owned()),
            model: given.model.map(|model| word("model", &model, MAX_MODEL_CHARS)).transpose()?,
            system_prompt: prompt,
            temperature_percent: temperature.transpose()?,
            max_tokens: given.max_tokens.map(|count| within("max_tokens", count, &(1..=MAX_TOKENS))).transpose()?,
            timeout_ms: given.timeout_ms.map(|ms| within("timeout_ms", ms, &TIMEOUTS_MS)).transpose()?.map(i64::from),
            history: given.history_limit.map(|count| within("history_limit", count, &HISTORIES)).transpose()?,
            signing_secret: kept(given.signing_secret).map(secret::parse_signing).transpose()?,
            api_key: kept(given.api_key).map(secret::parse_key).transpose()?,
        })
    }

    /// Looks at addresses.
    ///
    /// # Errors
    /// `invalid_request` naming the field.
    pub fn check_addresses(&self, app: &App) -> Result<()> {
        for (field, url) in [("endpoint", &self.endpoint), ("base_url", &self.base_url)] {
            if let Some(url) = url {
                app.outbound.parse(url).map_err(|error| match error {
                    Error::InvalidField { reason, .. } => Error::field(field, reason),
                    other => other,
                })?;
            }
        }
        Ok(())
    }

    /// Puts what was given into a row; what is absent stays there.
    ///
    /// # Errors
    /// `invalid_request` naming a field that bots of this kind do not have, or that they need.
    pub fn apply(&self, row: &mut Model) -> Result<()> {
        if self.kind.is_some_and(|kind| kind != row.kind) {
            return Err(Error::field("kind", "cannot be changed; make another agent"));
        }
        self.refuse_foreign(row.kind)?;
        let url = match row.kind {
            Kind::Http => &self.endpoint,
            Kind::Openai => &self.base_url,
        };
        let text = |given: &Option<String>, before: Option<String>| match given {
            Some(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            None => before,
        };
        row.name = self.name.clone().unwrap_or_else(|| std::mem::take(&mut row.name));
        row.url = url.clone().unwrap_or_else(|| std::mem::take(&mut row.url));
        row.model = text(&self.model, row.model.take());
        row.system_prompt = text(&self.system_prompt, row.system_prompt.take());
        row.temperature_percent = self.temperature_percent.or(row.temperature_percent);
        row.max_tokens = self.max_tokens.or(row.max_tokens);
        row.timeout_ms = self.timeout_ms.unwrap_or(row.timeout_ms);
        row.history = self.history.unwrap_or(row.history);
        let is_openai = row.kind == Kind::Openai;
        for (field, is_missing) in [
            ("name", row.name.is_empty()),
            ("endpoint", row.url.is_empty() && !is_openai),
            ("base_url", row.url.is_empty() && is_openai),
            ("model", row.model.is_none() && is_openai),
        ] {
            if is_missing {
                return Err(Error::field(field, "is required"));
            }
        }
        Ok(())
    }

    /// Makes a row as it is before anything was given.
    pub(super) fn reset(row: &mut Model) {
        row.name = String::new();
        row.url = String::new();
        row.model = None;
        row.system_prompt = None;
        row.temperature_percent = None;
        row.max_tokens = None;
        row.timeout_ms = USUAL_TIMEOUT_MS;
        row.history = USUAL_HISTORY;
    }

    fn refuse_foreign(&self, kind: Kind) -> Result<()> {
        let foreign: &[(&'static str, bool)] = match kind {
            Kind::Http => &[
                ("base_url", self.base_url.is_some()),
                ("model", self.model.is_some()),
                ("api_key", self.api_key.is_some()),
                ("system_prompt", self.system_prompt.is_some()),
                ("temperature", self.temperature_percent.is_some()),
                ("max_tokens", self.max_tokens.is_some()),
            ],
            Kind::Openai => &[("endpoint", self.endpoint.is_some()), ("signing_secret", self.signing_secret.is_some())],
        };
        match foreign.iter().find(|(_, is_given)| *is_given) {
            Some((field, _)) => Err(Error::field(field, format!("agents of the kind {kind} have none"))),
            None => Ok(()),
        }
    }
}

/// A secret that is meant: an empty one and the mask leave things as they are.
fn kept(secret: Option<String>) -> Option<SecretString> {
    secret.filter(|text| !text.is_empty() && text != MASK).map(Into::into)
}

fn parse_kind(text: &str) -> Result<Kind> {
    match text {
        "http" => Ok(Kind::Http),
        "openai" => Ok(Kind::Openai),
        _ => Err(Error::field("kind", "must be http or openai")),
    }
}

fn word(field: &'static str, text: &str, most_chars: usize) -> Result<String> {
    let text = text.trim();
    let fits = (1..=most_chars).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(Error::field(field, format!("must be 1 to {most_chars} characters"))) }
}

fn within(field: &'static str, number: i64, limits: &std::ops::RangeInclusive<i64>) -> Result<i32> {
    let fits = i32::try_from(number).ok().filter(|_| limits.contains(&number));
    fits.ok_or_else(|| Error::field(field, format!("must be {} to {}", limits.start(), limits.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(given: Given) -> String {
        match Settings::parse(given) {
            Err(Error::InvalidField { field, .. }) => field.to_owned(),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it was read"),
        }
    }

    #[test]
    fn settings_have_limits() {
        let text = |text: &str| Some(text.to_owned());
        let given = Given { temperature: Some(0.7), timeout_ms: Some(1000), ..Given::default() };
        let read = Settings::parse(given).expect("settings");
        assert_eq!((read.temperature_percent, read.timeout_ms), (Some(70), Some(1000)));
        for (field, given) in [
            ("name", Given { name: text(" "), ..Given::default() }),
            ("name", Given { name: text(&"x".repeat(101)), ..Given::default() }),
            ("kind", Given { kind: text("magic"), ..Given::default() }),
            ("model", Given { model: text("a\nb"), ..Given::default() }),
            ("system_prompt", Given { system_prompt: text(&"x".repeat(10_001)), ..Given::default() }),
            ("temperature", Given { temperature: Some(2.01), ..Given::default() }),
            ("temperature", Given { temperature: Some(-0.01), ..Given::default() }),
            ("temperature", Given { temperature: Some(f64::NAN), ..Given::default() }),
            ("max_tokens", Given { max_tokens: Some(0), ..Given::default() }),
            ("timeout_ms", Given { timeout_ms: Some(60_001), ..Given::default() }),
            ("history_limit", Given { history_limit: Some(51), ..Given::default() }),
            ("signing_secret", Given { signing_secret: text("secret"), ..Given::default() }),
            ("api_key", Given { api_key: text("two words"), ..Given::default() }),
        ] {
            assert_eq!(refused(given), field);
        }
    }

    #[test]
    fn the_mask_is_no_secret() {
        for unchanged in ["", MASK] {
            let given = Given {
                signing_secret: Some(unchanged.to_owned()),
                api_key: Some(unchanged.to_owned()),
                ..Given::default()
            };
            let read = Settings::parse(given).expect("settings");
            assert!(read.signing_secret.is_none() && read.api_key.is_none());
        }
    }
}
