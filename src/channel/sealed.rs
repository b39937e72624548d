//! What of a channel's settings is secret, at rest and opened.

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use entity::{
    channel::Model,
    channel_settings::{self, Health},
    id::ChannelId,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::{
    app::App,
    channel::{config::Config, store::settings},
    error::{Error, Result},
};

/// A public token of a widget: 192 random bits.
pub(super) fn new_widget_token(app: &App) -> String {
    format!("wgt_{}", BASE64_URL_SAFE_NO_PAD.encode(app.clock.random::<24>()))
}

/// A new secret that signs what comes to a channel's address.
pub(super) fn new_webhook_secret(app: &App) -> SecretString {
    format!("whsec_{}", BASE64_STANDARD.encode(app.clock.random::<32>())).into()
}

/// Settings for a channel of this name, with a secret of its own.
pub(super) fn new_row(
    app: &App,
    channel: &Model,
    name: String,
    webhook_secret: &SecretString,
) -> Result<channel_settings::Model> {
    let now = app.clock.now();
    Ok(channel_settings::Model {
        account_id: channel.account_id,
        workspace_id: channel.workspace_id,
        name,
        config: "{}".to_owned(),
        secrets: None,
        metadata: "{}".to_owned(),
        identity: None,
        username: None,
        webhook_secret: app
            .vault
            .seal(&purpose(channel.id, "webhook_secret"), webhook_secret.expose_secret().as_bytes())?,
        widget_token: None,
        activated_at: None,
        deactivated_at: None,
        deactivation_reason: None,
        connecting_until: None,
        look_at: None,
        link_failure: None,
        health: Health::Unknown,
        checked_at: None,
        worked_at: None,
        created_at: now,
        updated_at: now,
    })
}

/// Settings for a channel that was linked with a page and has none yet. It has no name but its account's.
pub(super) fn row_of_linked(app: &App, channel: &Model) -> Result<channel_settings::Model> {
    new_row(app, channel, String::new(), &new_webhook_secret(app))
}

/// Puts settings into their row.
pub(super) fn put(app: &App, channel: &Model, row: &mut channel_settings::Model, config: &Config) -> Result<()> {
    row.config = Value::Object(config.open.clone()).to_string();
    row.identity = config.identity(channel.network);
    row.secrets = match config.secret.is_empty() {
        true => None,
        false => {
            let plain = Value::Object(config.secret.clone()).to_string();
            Some(app.vault.seal(&purpose(channel.id, "secrets"), plain.as_bytes())?)
        }
    };
    Ok(())
}

/// The settings of a channel, opened; none where it has none.
///
/// # Errors
/// What the database says, or `Sealed`.
pub(super) async fn of_channel(app: &App, channel: &Model) -> Result<Config> {
    match settings::find(app.db.reader(), channel.workspace_id, channel.account_id).await? {
        Some(row) => open(app, channel.id, &row),
        None => Ok(Config::default()),
    }
}

/// The settings of a channel.
pub(super) fn open(app: &App, id: ChannelId, row: &channel_settings::Model) -> Result<Config> {
    let open = serde_json::from_str(&row.config).map_err(|error| Error::Internal(format!("settings: {error}")))?;
    Ok(Config { open, secret: open_secrets(app, id, row)? })
}

/// The secret ones of them.
pub(super) fn open_secrets(app: &App, id: ChannelId, row: &channel_settings::Model) -> Result<Map<String, Value>> {
    let Some(sealed) = &row.secrets else { return Ok(Map::new()) };
    let plain = app.vault.open(&purpose(id, "secrets"), sealed)?;
    serde_json::from_slice(&plain).map_err(|_| Error::Sealed)
}

/// What signs what comes to a channel's address.
pub(super) fn open_webhook_secret(app: &App, id: ChannelId, row: &channel_settings::Model) -> Result<SecretString> {
    app.vault.open_text(&purpose(id, "webhook_secret"), &row.webhook_secret)
}

fn purpose(id: ChannelId, what: &str) -> String {
    format!("channel_settings:{id}:{what}")
}
