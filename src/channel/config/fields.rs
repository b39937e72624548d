//! The settings of each type of channel, and what may stand in them.

use entity::channel::Network;
use serde_json::{Map, Value};

use crate::{
    channel::config::Config,
    connector::target::Means,
    error::{Error, Result},
    phone::Phone,
};

const MAX_CHARS: usize = 500;
/// A key of a service account is a document of its own.
const MAX_SECRET_CHARS: usize = 8000;
/// Fewest characters of a key that signs something.
const MIN_KEY_CHARS: usize = 32;
const MAX_ORIGINS: usize = 50;
const MAX_THEME_CHARS: usize = 300;
const COLOURS: [&str; 2] = ["primaryColor", "textColor"];
const POSITION: &str = "position";
const TEXTS: [&str; 6] = ["headerText", "title", "subtitle", "welcomeMessage", "offlineMessage", "avatarUrl"];

/// What may stand in a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A text.
    Text,
    /// A text that nobody gets to see.
    Secret,
    /// The same, long enough to sign with.
    Key,
    /// Yes or no.
    Flag,
    /// 1 to 65535.
    Port,
    /// `+` and 7 to 15 digits.
    Phone,
    /// An e-mail address.
    Email,
    /// A country, ISO 3166-1 alpha-2.
    Country,
    /// Web origins: scheme, host and port.
    Origins,
    /// Colours and texts of a widget.
    Theme,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// When a setting has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Never,
    Always,
    /// Where one of Meta's own settings is.
    WithMeta,
    /// Where this other setting is.
    With(&'static str),
    /// Where this flag is set.
    WithFlag(&'static str),
    /// Where no connector is named, which may link an account otherwise.
    WithoutConnector,
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Where it stands in a request.
    pub(super) path: &'static str,
    pub(super) form: Form,
    /// By what means it connects the account, where only some connectors have those.
    pub(super) means: Option<Means>,
    need: Need,
}

const fn field(path: &'static str, form: Form, need: Need) -> Field {
    Field { path, form, means: None, need }
}

/// One that connects the account.
const fn by(means: Means, field: Field) -> Field {
    Field { means: Some(means), ..field }
}

const fn optional(path: &'static str, form: Form) -> Field {
    field(path, form, Need::Never)
}

const fn needed(path: &'static str, form: Form) -> Field {
    field(path, form, Need::Always)
}

/// Settings that every type has.
const COMMON: &[Field] = &[optional("config.connector", Form::Text)];

const WHATSAPP: &[Field] = &[
    by(Means::Keys, field("config.phoneNumberId", Form::Text, Need::WithMeta)),
    by(Means::Keys, field("config.accessToken", Form::Secret, Need::WithMeta)),
    by(Means::Keys, optional("config.businessAccountId", Form::Text)),
    by(Means::Keys, optional("config.verifyToken", Form::Secret)),
    by(Means::Keys, optional("config.appSecret", Form::Secret)),
    optional("config.businessName", Form::Text),
];
const TELEGRAM: &[Field] = &[by(Means::Keys, field("config.botToken", Form::Secret, Need::WithoutConnector))];
const TWILIO: &[Field] = &[
    needed("config.provider", Form::OneOf(&["twilio"])),
    needed("config.accountSid", Form::Text),
    needed("config.authToken", Form::Secret),
    needed("config.phoneNumber", Form::Phone),
];
const CALLS: &[Field] = &[
    optional("config.speechToText", Form::Flag),
    optional("config.textToSpeech", Form::Flag),
    optional("config.recordCalls", Form::Flag),
];
const EMAIL: &[Field] = &[
    optional("config.provider", Form::OneOf(&["smtp"])),
    needed("config.smtpHost", Form::Text),
    needed("config.smtpPort", Form::Port),
    optional("config.smtpUser", Form::Text),
    field("config.smtpPassword", Form::Secret, Need::With("smtpUser")),
    optional("config.imapHost", Form::Text),
    field("config.imapPort", Form::Port, Need::With("imapHost")),
    field("config.imapUser", Form::Text, Need::With("imapHost")),
    field("config.imapPassword", Form::Secret, Need::With("imapHost")),
    optional("config.fromName", Form::Text),
    needed("config.fromEmail", Form::Email),
];
const WEBCHAT: &[Field] = &[
    needed("config.allowedOrigins", Form::Origins),
    optional("config.theme", Form::Theme),
    optional("config.requireEmail", Form::Flag),
    optional("config.showBranding", Form::Flag),
    field("config.identitySecret", Form::Key, Need::WithFlag("requireIdentity")),
    optional("config.requireIdentity", Form::Flag),
];
const FACEBOOK: &[Field] = &[
    needed("config.pageId", Form::Text),
    needed("config.pageAccessToken", Form::Secret),
    needed("config.appSecret", Form::Secret),
];
const INSTAGRAM: &[Field] = &[
    by(Means::Keys, field("config.accountId", Form::Text, Need::WithoutConnector)),
    by(Means::Keys, field("config.accessToken", Form::Secret, Need::WithoutConnector)),
    by(Means::Login, optional("config.username", Form::Text)),
    by(Means::Login, field("config.password", Form::Secret, Need::With("username"))),
    by(Means::Login, optional("config.country", Form::Country)),
];
const RCS: &[Field] = &[
    optional("config.provider", Form::OneOf(&["rbm"])),
    needed("config.agentId", Form::Text),
    needed("config.serviceAccountKey", Form::Secret),
    optional("config.clientToken", Form::Secret),
];

/// The settings of a type.
pub(super) fn fields_of(network: Network) -> impl Iterator<Item = &'static Field> {
    let (own, more): (_, &[Field]) = match network {
        Network::Whatsapp => (WHATSAPP, &[]),
        Network::Telegram => (TELEGRAM, &[]),
        Network::Sms => (TWILIO, &[]),
        Network::Voice => (TWILIO, CALLS),
        Network::Email => (EMAIL, &[]),
        Network::Webchat => (WEBCHAT, &[]),
        Network::Facebook => (FACEBOOK, &[]),
        Network::Instagram => (INSTAGRAM, &[]),
        Network::Rcs => (RCS, &[]),
    };
    own.iter().chain(more).chain(COMMON)
}

impl Field {
    /// Its name among the settings.
    pub(super) fn name(&self) -> &'static str {
        self.path.strip_prefix("config.").unwrap_or(self.path)
    }

    /// Whether it has to be there, as the others are.
    pub(super) fn is_needed(&self, config: &Config) -> bool {
        match self.need {
            Need::Never => false,
            Need::Always => true,
            Need::WithMeta => config.is_of_meta(Network::Whatsapp),
            Need::With(other) => config.open.contains_key(other),
            Need::WithFlag(flag) => config.open.get(flag).and_then(Value::as_bool) == Some(true),
            Need::WithoutConnector => !config.open.contains_key("connector"),
        }
    }

    /// A value as it is kept in place of the one that there is; `None` if nothing is left of that.
    pub(super) fn read(&self, value: Value, known: Option<&Value>) -> Result<Option<Value>> {
        match (self.form, value) {
            (Form::Theme, Value::Object(parts)) => {
                let known = known.and_then(Value::as_object).cloned().unwrap_or_default();
                let theme = theme_of(parts, known).map_err(|reason| Error::field(self.path, reason))?;
                Ok(Some(theme).filter(|theme| !theme.is_empty()).map(Value::Object))
            }
            (_, value) => self.read_alone(value).map(Some),
        }
    }

    fn read_alone(&self, value: Value) -> Result<Value> {
        let wrong = |reason: &str| Error::field(self.path, reason);
        match (self.form, value) {
            (Form::Text, Value::String(text)) => is_line(&text, MAX_CHARS)
                .then(|| text.trim().into())
                .ok_or_else(|| wrong("must be 1 to 500 characters")),
            (Form::Secret, Value::String(text)) => {
                let fits = !text.trim().is_empty() && text.len() <= MAX_SECRET_CHARS && !text.contains('\0');
                fits.then(|| text.into()).ok_or_else(|| wrong("must be 1 to 8000 characters"))
            }
            (Form::Key, Value::String(text)) => {
                let fits = (MIN_KEY_CHARS..=MAX_SECRET_CHARS).contains(&text.len()) && !text.contains('\0');
                fits.then(|| text.into()).ok_or_else(|| wrong("must be 32 to 8000 characters"))
            }
            (Form::Flag, Value::Bool(flag)) => Ok(flag.into()),
            (Form::Port, Value::Number(number)) => match number.as_u64() {
                Some(port @ 1..=65535) => Ok(port.into()),
                _ => Err(wrong("must be 1 to 65535")),
            },
            (Form::Phone, Value::String(text)) => {
                let phone = Phone::parse(&text).map_err(|_| wrong("must be + and 7 to 15 digits"))?;
                Ok(phone.as_str().into())
            }
            (Form::Email, Value::String(text)) => {
                let text = text.trim();
                let parts = text.split_once('@').filter(|(name, host)| !name.is_empty() && host.contains('.'));
                let fits = parts.is_some() && is_line(text, 254) && !text.contains(char::is_whitespace);
                fits.then(|| text.into()).ok_or_else(|| wrong("must be an e-mail address"))
            }
            (Form::Country, Value::String(text)) => {
                let fits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
                let text = fits.then(|| text.to_ascii_uppercase().into());
                text.ok_or_else(|| wrong("must be a country of two letters, ISO 3166-1"))
            }
            (Form::OneOf(words), Value::String(text)) => {
                let known = words.iter().find(|word| **word == text);
                known.map(|word| (*word).into()).ok_or_else(|| wrong(&format!("must be {}", words.join(" or "))))
            }
            (Form::Origins, Value::Array(origins)) => origins_of(origins).map_err(|reason| wrong(&reason)),
            (form, _) => Err(wrong(&format!("must be {}", form.kind()))),
        }
    }
}

impl Form {
    /// Whether nobody gets to see it.
    pub(super) const fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Key)
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Text | Self::Secret | Self::Key | Self::Phone | Self::Email | Self::Country | Self::OneOf(_) => {
                "a string"
            }
            Self::Flag => "true or false",
            Self::Port => "a number",
            Self::Origins => "a list of origins",
            Self::Theme => "an object",
        }
    }
}

fn is_line(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most && !text.contains(char::is_control)
}

/// Exact origins, as browsers send them.
fn origins_of(origins: Vec<Value>) -> Result<Value, String> {
    if origins.is_empty() || origins.len() > MAX_ORIGINS {
        return Err(format!("must be 1 to {MAX_ORIGINS} origins"));
    }
    let mut read = Vec::with_capacity(origins.len());
    for origin in origins {
        let text = origin.as_str().ok_or("must be a list of origins")?;
        let url = text.parse::<reqwest::Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let exact = url.map(|url| url.origin().ascii_serialization());
        let exact = exact.filter(|exact| exact == text.trim_end_matches('/') && !exact.contains('*'));
        let wrong = || format!("{text:?} is not an origin: scheme, host and port, nothing more, and no wildcards");
        read.push(exact.ok_or_else(wrong)?);
    }
    read.dedup();
    Ok(read.into())
}

/// A theme with these parts changed; `null` takes one away.
fn theme_of(parts: Map<String, Value>, mut theme: Map<String, Value>) -> Result<Map<String, Value>, String> {
    for (name, value) in parts {
        check_part(&name, &value)?;
        match value {
            Value::Null => drop(theme.remove(&name)),
            value => drop(theme.insert(name, value)),
        }
    }
    Ok(theme)
}

fn check_part(name: &str, value: &Value) -> Result<(), String> {
    if !COLOURS.contains(&name) && !TEXTS.contains(&name) && name != POSITION {
        return Err(format!("{name} is not a part of a theme"));
    }
    if value.is_null() {
        return Ok(());
    }
    let text = value.as_str().ok_or_else(|| format!("{name} must be a string"))?;
    if COLOURS.contains(&name) {
        let digits = text.strip_prefix('#').unwrap_or_default();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("{name} must be # and six hexadecimal digits"));
        }
    } else if name == POSITION {
        if !matches!(text, "bottom-right" | "bottom-left") {
            return Err("position must be bottom-right or bottom-left".to_owned());
        }
    } else if text.chars().count() > MAX_THEME_CHARS || text.contains('\0') {
        return Err(format!("{name} must be at most {MAX_THEME_CHARS} characters"));
    } else if name == "avatarUrl" && !text.starts_with("https://") {
        return Err("avatarUrl must begin with https://".to_owned());
    }
    Ok(())
}
