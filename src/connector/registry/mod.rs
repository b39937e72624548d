//! Which connector serves whom, and with which credentials.
//!
//! An operator sets both, for the whole platform or for one partner ([`crate::cli`]). A network is served by the
//! partner's own choice, else by the platform's, else by simulated phones where partner or configuration say so. Web
//! chats are ours and need nobody's choice. The connector is opened with the partner's own credentials, else with the platform's.
//!
//! Everything is read from the database when it is needed, so a change counts everywhere from its commit on. Sessions
//! keep the credentials that they were started with; setting these again changes what they hold, not which they are.

use std::time::Duration;

use entity::{
    channel::{ConnectorKind, Network},
    connector_credential,
    id::{CredentialId, PartnerId},
    partner,
    timestamp::Timestamp,
};
use sea_orm::ConnectionTrait;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::App,
    connector::target::Means,
    error::{Error, Result},
};

mod set;
mod store;

pub use set::{ApiKey, BaseUrl, SetCredentials, SetDefault, Timeout, set_credentials, set_default};

/// How many characters of a secret are shown, if it has at least four times as many.
const SHOWN_CHARS: usize = 4;

/// What opens a provider.
pub(super) struct Access {
    pub(super) credential_id: CredentialId,
    /// Without a slash at its end.
    pub(super) base_url: String,
    pub(super) api_key: SecretString,
    /// How long an answer may take; the usual time where absent.
    pub(super) timeout: Option<Duration>,
}

/// A connector as somebody has it, with nothing that opens anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whose it is; the whole platform's where absent.
    pub partner_id: Option<PartnerId>,
    /// Which one.
    pub connector: ConnectorKind,
    /// Networks that it serves for them.
    pub default_for: Vec<Network>,
    /// Credentials, where they have some of their own.
    pub credentials: Option<Masked>,
}

/// Credentials without their secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    /// Where the provider is.
    pub base_url: String,
    /// The end of the key.
    pub api_key: String,
    /// How long the provider may take to answer; the usual time where absent.
    pub timeout: Option<Duration>,
    /// When they were last set.
    pub updated_at: Timestamp,
}

/// Whether a connector can serve a network.
#[must_use]
pub const fn serves(connector: ConnectorKind, network: Network) -> bool {
    match connector {
        ConnectorKind::Sandbox => true,
        ConnectorKind::Waha | ConnectorKind::Evolution => matches!(network, Network::Whatsapp),
        ConnectorKind::Unipile => matches!(network, Network::Whatsapp | Network::Telegram | Network::Instagram),
        ConnectorKind::Webchat => matches!(network, Network::Webchat),
    }
}

/// Whether it can connect accounts of the network by these means.
#[must_use]
pub const fn serves_by(connector: ConnectorKind, network: Network, means: Means) -> bool {
    let has_means = match connector {
        ConnectorKind::Sandbox => true,
        ConnectorKind::Waha | ConnectorKind::Evolution => matches!(means, Means::Phone),
        ConnectorKind::Unipile => match network {
            Network::Instagram => matches!(means, Means::Login),
            _ => matches!(means, Means::Phone),
        },
        // Visitors come by themselves.
        ConnectorKind::Webchat => false,
    };
    has_means && serves(connector, network)
}

/// Whether a connector speaks to a provider of which the operator has to know the address and the key.
const fn needs_credentials(connector: ConnectorKind) -> bool {
    match connector {
        ConnectorKind::Sandbox | ConnectorKind::Webchat => false,
        ConnectorKind::Waha | ConnectorKind::Evolution | ConnectorKind::Unipile => true,
    }
}

/// Whether a connector can be opened for a partner, with its own credentials or the platform's.
///
/// # Errors
/// What the database says.
pub async fn is_open_to(db: &impl ConnectionTrait, connector: ConnectorKind, partner_id: &PartnerId) -> Result<bool> {
    if !needs_credentials(connector) {
        return Ok(true);
    }
    for owner in [Some(partner_id), None] {
        if store::credentials_of(db, owner, connector).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Which connector serves this partner on this network, if any.
pub(super) async fn choose(
    app: &App,
    db: &impl ConnectionTrait,
    partner: &partner::Model,
    network: Network,
) -> Result<Option<ConnectorKind>> {
    for owner in [Some(&partner.id), None] {
        if let Some(chosen) = store::default_of(db, owner, network).await? {
            return Ok(Some(chosen.connector));
        }
    }
    if network == Network::Webchat {
        return Ok(Some(ConnectorKind::Webchat));
    }
    Ok((partner.sandbox || app.config.sandbox).then_some(ConnectorKind::Sandbox))
}

/// The credentials that open a connector for a partner, if any do.
pub(super) async fn credential_of(
    db: &impl ConnectionTrait,
    connector: ConnectorKind,
    partner_id: &PartnerId,
) -> Result<Option<CredentialId>> {
    for owner in [Some(partner_id), None] {
        if let Some(row) = store::credentials_of(db, owner, connector).await? {
            return Ok(Some(row.id));
        }
    }
    Ok(None)
}

/// What opens a connector for a partner, if anything does.
pub(super) async fn access_of(app: &App, connector: ConnectorKind, partner_id: &PartnerId) -> Result<Option<Access>> {
    for owner in [Some(partner_id), None] {
        if let Some(row) = store::credentials_of(app.db.reader(), owner, connector).await? {
            return opened(app, &row).map(Some);
        }
    }
    Ok(None)
}

/// What opens the provider of a session.
pub(super) async fn access(app: &App, id: CredentialId) -> Result<Access> {
    let row = store::by_id(app.db.reader(), id).await?;
    opened(app, &row.ok_or_else(|| Error::Internal("a session has no credentials".to_owned()))?)
}

fn opened(app: &App, row: &connector_credential::Model) -> Result<Access> {
    let api_key = app.vault.open_text(&key_purpose(row.id), &row.api_key)?;
    Ok(Access { credential_id: row.id, base_url: row.base_url.clone(), api_key, timeout: timeout_of(row) })
}

fn timeout_of(row: &connector_credential::Model) -> Option<Duration> {
    row.timeout_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis)
}

/// How a provider proves callbacks about all accounts of a key.
pub(super) struct Callbacks {
    pub(super) connector: ConnectorKind,
    pub(super) secret: SecretString,
}

/// How the provider of these credentials proves its callbacks.
pub(super) async fn callbacks(app: &App, id: CredentialId) -> Result<Callbacks> {
    let row = store::by_id(app.db.reader(), id).await?.ok_or(Error::RouteNotFound)?;
    let secret = app.vault.open_text(&callback_purpose(row.id), &row.callback_secret)?;
    Ok(Callbacks { connector: row.connector, secret })
}

/// All that is set, the platform's first.
///
/// # Errors
/// What the database says, or `Sealed`.
pub async fn list(app: &App) -> Result<Vec<Listed>> {
    let db = app.db.reader();
    let mut listed: Vec<Listed> = Vec::new();
    for row in store::all_credentials(db).await? {
        let key = app.vault.open_text(&key_purpose(row.id), &row.api_key)?;
        let credentials = Masked {
            timeout: timeout_of(&row),
            base_url: row.base_url,
            api_key: masked(&key),
            updated_at: row.updated_at,
        };
        listed.push(Listed {
            partner_id: row.partner_id,
            connector: row.connector,
            default_for: Vec::new(),
            credentials: Some(credentials),
        });
    }
    for row in store::all_defaults(db).await? {
        let known = listed.iter_mut().find(|one| one.partner_id == row.partner_id && one.connector == row.connector);
        match known {
            Some(one) => one.default_for.push(row.network),
            None => listed.push(Listed {
                partner_id: row.partner_id,
                connector: row.connector,
                default_for: vec![row.network],
                credentials: None,
            }),
        }
    }
    let order = |one: &Listed| (one.partner_id.clone(), one.connector.to_string());
    listed.sort_by_key(order);
    Ok(listed)
}

fn key_purpose(id: CredentialId) -> String {
    format!("connector_credentials:{id}:api_key")
}

fn callback_purpose(id: CredentialId) -> String {
    format!("connector_credentials:{id}:callback_secret")
}

/// Enough of a secret to tell it from another, and not more.
fn masked(secret: &SecretString) -> String {
    let chars: Vec<char> = secret.expose_secret().chars().collect();
    let shown = if chars.len() >= SHOWN_CHARS * 4 { SHOWN_CHARS } else { 0 };
    format!("***{}", chars[chars.len() - shown..].iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_secrets_are_not_shown_at_all() {
        assert_eq!(masked(&"0123456789abcdef".into()), "***cdef");
        assert_eq!(masked(&"0123456789abcde".into()), "***");
        assert_eq!(masked(&"".into()), "***");
    }
}
