//! What signs requests to a bot's endpoint, in the form of Standard Webhooks, or opens the endpoint of a model.

use base64::{Engine, prelude::BASE64_STANDARD};
use entity::{
    bot::{Kind, Model},
    id::BotId,
};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::App,
    bot::settings::{MAX_KEY_BYTES, Settings},
    error::{Error, Result},
};

const PREFIX: &str = "whsec_";
const SIGNING_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Reads a secret that signs: `whsec_` and base64 of 24 to 64 bytes.
pub(super) fn parse_signing(secret: SecretString) -> Result<SecretString> {
    let bytes = secret.expose_secret().strip_prefix(PREFIX).and_then(|text| BASE64_STANDARD.decode(text).ok());
    match bytes {
        Some(bytes) if SIGNING_BYTES.contains(&bytes.len()) => Ok(secret),
        _ => Err(Error::field("signing_secret", "must be whsec_ and base64 of 24 to 64 bytes")),
    }
}

/// Reads the key of a model's endpoint: visible ASCII, because it stands in a header.
pub(super) fn parse_key(secret: SecretString) -> Result<SecretString> {
    let text = secret.expose_secret();
    let fits = text.len() <= MAX_KEY_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(secret)
    } else {
        Err(Error::field("api_key", format!("must be 1 to {MAX_KEY_BYTES} visible ASCII characters")))
    }
}

/// Seals the secret that is given; an endpoint that has none gets one. The secret that signs, to be shown.
pub(super) fn renew(app: &App, row: &mut Model, given: &Settings) -> Result<Option<String>> {
    let secret = match (row.kind, &given.signing_secret, &given.api_key) {
        (Kind::Http, Some(secret), _) | (Kind::Openai, _, Some(secret)) => secret.clone(),
        (Kind::Http, None, _) if row.secret.is_none() => {
            format!("{PREFIX}{}", BASE64_STANDARD.encode(app.clock.random::<32>())).into()
        }
        _ => return Ok(None),
    };
    row.secret = Some(app.vault.seal(&purpose(row.id), secret.expose_secret().as_bytes())?);
    Ok((row.kind == Kind::Http).then(|| secret.expose_secret().to_owned()))
}

/// The secret, if there is one.
pub(super) fn open(app: &App, row: &Model) -> Result<Option<SecretString>> {
    row.secret.as_ref().map(|sealed| app.vault.open_text(&purpose(row.id), sealed)).transpose()
}

fn purpose(id: BotId) -> String {
    format!("bots:{id}")
}
