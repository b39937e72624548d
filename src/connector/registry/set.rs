//! Setting what opens a connector, and whom it serves: the operator's doing.

use entity::{
    channel::{ConnectorKind, Network},
    connector_credential, connector_default,
    id::{CredentialId, DefaultId, PartnerId},
};
use reqwest::Url;
use sea_orm::{ActiveModelTrait, DatabaseTransaction, Set, Unchanged};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::Origin,
    connector::registry::{callback_purpose, key_purpose, needs_credentials, serves, store},
    db,
    error::{Error, Result},
    partner, secret,
};

/// Longest base URL, in bytes.
const MAX_URL_BYTES: usize = 2048;
/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 4096;
const SHORTEST_TIMEOUT_MS: i64 = 500;
const LONGEST_TIMEOUT_MS: i64 = 30_000;

/// Where a provider is. It is the operator's word and trusted: it may be a private address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Reads `http(s)://host[:port][/path]`, at most 2048 bytes, without user, query and fragment.
    ///
    /// # Errors
    /// `invalid_request` naming `base_url`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |reason: &str| Error::field("base_url", reason);
        if text.len() > MAX_URL_BYTES {
            return Err(wrong("is too long"));
        }
        let url: Url = text.parse().map_err(|_| wrong("is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("must be http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("must not carry a user or a password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("must end with its path"));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The URL, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What opens a provider: 1 to 4096 visible ASCII characters, because it stands in a header.
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Reads a key; white space around it is dropped.
    ///
    /// # Errors
    /// `invalid_request` naming `api_key`.
    pub fn parse(text: &SecretString) -> Result<Self> {
        let key = text.expose_secret().trim();
        if (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(key.to_owned().into()))
        } else {
            Err(Error::field("api_key", format!("must be 1 to {MAX_KEY_BYTES} visible ASCII characters")))
        }
    }
}

/// How long a provider may take to answer: 0.5 to 30 seconds. What it does before it answers, such as handing a message
/// on, may take three times as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(i64);

impl Timeout {
    /// Reads a time in milliseconds.
    ///
    /// # Errors
    /// `invalid_request` naming `timeout_ms`.
    pub fn parse(ms: i64) -> Result<Self> {
        if !(SHORTEST_TIMEOUT_MS..=LONGEST_TIMEOUT_MS).contains(&ms) {
            let reason = format!("must be {SHORTEST_TIMEOUT_MS} to {LONGEST_TIMEOUT_MS}");
            return Err(Error::field("timeout_ms", reason));
        }
        Ok(Self(ms))
    }
}

/// What opens a connector, to be set.
pub struct SetCredentials {
    /// For whom; the whole platform where absent.
    pub partner_id: Option<PartnerId>,
    /// Which connector.
    pub connector: ConnectorKind,
    /// Where its provider is.
    pub base_url: BaseUrl,
    /// What opens it.
    pub api_key: ApiKey,
    /// How long it may take to answer; the usual time where absent.
    pub timeout: Option<Timeout>,
}

/// Whom a connector serves, to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDefault {
    /// For whom; the whole platform where absent.
    pub partner_id: Option<PartnerId>,
    /// The network.
    pub network: Network,
    /// Which connector; nobody's choice any more where absent.
    pub connector: Option<ConnectorKind>,
}

/// Sets what opens a connector, in place of what opened it before.
///
/// # Errors
/// `partner_not_found`; `invalid_request` naming `connector` for one that needs nothing.
pub async fn set_credentials(app: &App, origin: &Origin, command: &SetCredentials) -> Result<()> {
    if !needs_credentials(command.connector) {
        return Err(Error::field("connector", "needs no credentials"));
    }
    db::retried(|| set_credentials_once(app, origin, command)).await
}

async fn set_credentials_once(app: &App, origin: &Origin, command: &SetCredentials) -> Result<()> {
    db::write(&app.db, "connector.set_credentials", async |tx| {
        let owner = command.partner_id.as_ref();
        check_owner(tx, owner).await?;
        let known = store::credentials_of(tx, owner, command.connector).await?;
        let id = known.as_ref().map_or_else(|| CredentialId(app.clock.uuid()), |known| known.id);
        let now = app.clock.now();
        let key = app.vault.seal(&key_purpose(id), command.api_key.0.expose_secret().as_bytes())?;
        let base_url = command.base_url.as_str().to_owned();
        let timeout_ms = command.timeout.map(|timeout| timeout.0);
        match &known {
            Some(known) => {
                let row = connector_credential::ActiveModel {
                    id: Unchanged(known.id),
                    base_url: Set(base_url),
                    timeout_ms: Set(timeout_ms),
                    api_key: Set(key),
                    updated_at: Set(now),
                    ..Default::default()
                };
                row.update(tx).await?;
            }
            None => {
                let proof = secret::generate(&app.clock, "");
                let row = connector_credential::ActiveModel {
                    id: Set(id),
                    connector: Set(command.connector),
                    partner_id: Set(command.partner_id.clone()),
                    base_url: Set(base_url),
                    timeout_ms: Set(timeout_ms),
                    api_key: Set(key),
                    callback_secret: Set(app.vault.seal(&callback_purpose(id), proof.expose_secret().as_bytes())?),
                    created_at: Set(now),
                    updated_at: Set(now),
                };
                store::insert_credentials(tx, row).await?;
            }
        }
        let before = known.map(
            |known| json!({ "connector": known.connector, "base_url": known.base_url, "timeout_ms": known.timeout_ms }),
        );
        let after = json!({
            "connector": command.connector, "base_url": command.base_url.as_str(), "timeout_ms": timeout_ms,
        });
        let entry = entry("connector.set_credentials", owner, command.connector).before(before).after(after);
        audit::record(app, tx, origin, entry).await
    })
    .await
}

/// Sets whom a connector serves. Sessions that are under way stay where they are.
///
/// # Errors
/// `partner_not_found`; `invalid_request` naming `connector` for one that does not serve the network or has no
/// credentials for them.
pub async fn set_default(app: &App, origin: &Origin, command: &SetDefault) -> Result<()> {
    if command.connector.is_some_and(|connector| !serves(connector, command.network)) {
        return Err(Error::field("connector", "does not serve this network"));
    }
    db::retried(|| set_default_once(app, origin, command)).await
}

async fn set_default_once(app: &App, origin: &Origin, command: &SetDefault) -> Result<()> {
    db::write(&app.db, "connector.set_default", async |tx| {
        let owner = command.partner_id.as_ref();
        check_owner(tx, owner).await?;
        if let Some(connector) = command.connector {
            check_credentials(tx, owner, connector).await?;
        }
        let known = store::default_of(tx, owner, command.network).await?;
        let now = app.clock.now();
        match (&known, command.connector) {
            (Some(known), Some(connector)) => {
                let row = connector_default::ActiveModel {
                    id: Unchanged(known.id),
                    connector: Set(connector),
                    updated_at: Set(now),
                    ..Default::default()
                };
                row.update(tx).await?;
            }
            (Some(known), None) => {
                let row = connector_default::ActiveModel { id: Unchanged(known.id), ..Default::default() };
                row.delete(tx).await?;
            }
            (None, Some(connector)) => {
                let row = connector_default::ActiveModel {
                    id: Set(DefaultId(app.clock.uuid())),
                    partner_id: Set(command.partner_id.clone()),
                    network: Set(command.network),
                    connector: Set(connector),
                    updated_at: Set(now),
                };
                store::insert_default(tx, row).await?;
            }
            (None, None) => {}
        }
        let entry = entry("connector.set_default", owner, command.network)
            .before(known.map(|known| known.connector))
            .after(command.connector);
        audit::record(app, tx, origin, entry).await
    })
    .await
}

async fn check_owner(tx: &DatabaseTransaction, owner: Option<&PartnerId>) -> Result<()> {
    if let Some(id) = owner
        && partner::find(tx, id).await?.is_none()
    {
        return Err(Error::PartnerNotFound);
    }
    Ok(())
}

/// A default that cannot be opened would fail every attempt.
async fn check_credentials(
    tx: &DatabaseTransaction,
    owner: Option<&PartnerId>,
    connector: ConnectorKind,
) -> Result<()> {
    if !needs_credentials(connector) || store::credentials_of(tx, None, connector).await?.is_some() {
        return Ok(());
    }
    match owner {
        Some(_) if store::credentials_of(tx, owner, connector).await?.is_some() => Ok(()),
        _ => Err(Error::field("connector", "has no credentials; set them first")),
    }
}

fn entry<'a>(action: &'static str, owner: Option<&'a PartnerId>, target: impl ToString) -> audit::Entry<'a> {
    let mut entry = audit::Entry::of_platform(action, target);
    entry.partner_id = owner;
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_operators_words() {
        let parse = |text: &str| BaseUrl::parse(text).map(|url| url.0).ok();
        assert_eq!(parse("http://10.0.0.5:3000/").as_deref(), Some("http://10.0.0.5:3000"));
        assert_eq!(parse("https://waha.example.com/base/").as_deref(), Some("https://waha.example.com/base"));
        assert_eq!(parse("http://localhost:3000").as_deref(), Some("http://localhost:3000"));
        let long = format!("https://example.com/{}", "x".repeat(MAX_URL_BYTES));
        for bad in ["", "waha", "ftp://a.b", "http://u:p@a.b", "http://a.b?x=1", "http://a.b#x", "file:///x", &long] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn keys_fit_into_a_header() {
        let parse = |text: &str| ApiKey::parse(&text.into()).map(|key| key.0.expose_secret().to_owned()).ok();
        assert_eq!(parse("key-1\n").as_deref(), Some("key-1"));
        for bad in ["", " \n", "a b", "ä", &"x".repeat(MAX_KEY_BYTES + 1)] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
