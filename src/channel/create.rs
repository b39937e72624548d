//! Making a channel over the Channels API. It is switched off, and nobody has connected it.

use entity::{
    channel::{ConnectorKind, Model, Network},
    id::BotId,
    partner, workspace,
};
use sea_orm::DatabaseTransaction;
use serde::Serialize;
use serde_json::{Map, Value, json};
use strum::IntoEnumIterator;

use crate::{
    app::App,
    audit,
    bot::attach,
    caller::{Origin, WorkspaceCaller},
    channel::{
        config::Config,
        limit, sealed,
        show::{self, Shown},
        store::{
            settings,
            standalone::{self, New},
        },
    },
    connector::registry,
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    partner as partners,
    webhook::hook::{HookEvent, tell},
    workspace as workspaces,
};

/// Longest name of a channel, in characters.
const MAX_NAME_CHARS: usize = 255;
/// Longest metadata, in bytes of JSON.
const MAX_METADATA_BYTES: usize = 16 * 1024;

/// Name of a channel: 1 to 255 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ChannelName(String);

impl ChannelName {
    /// Reads a name.
    ///
    /// # Errors
    /// `invalid_request` naming `name`.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= MAX_NAME_CHARS && !text.contains(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(Error::field("name", "must be 1 to 255 characters")) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads a type of channel; the names of Timely's clients for a web chat are understood too.
///
/// # Errors
/// `invalid_channel_type`.
pub fn parse_type(text: &str) -> Result<Network> {
    match text {
        "widget" | "website" => Ok(Network::Webchat),
        text => text.parse().map_err(|_| Error::InvalidChannelType(text.to_owned())),
    }
}

/// Passes if metadata is of a size that is kept.
///
/// # Errors
/// `invalid_request` naming `metadata`.
pub fn check_metadata(metadata: &Map<String, Value>) -> Result<()> {
    let bytes = serde_json::to_vec(metadata).map_or(usize::MAX, |text| text.len());
    if bytes <= MAX_METADATA_BYTES { Ok(()) } else { Err(Error::field("metadata", "must be at most 16 KiB of JSON")) }
}

/// What kind of channel is to be made.
pub struct CreateChannel {
    /// Its name.
    pub name: ChannelName,
    /// Its type.
    pub network: Network,
    /// How it is set up.
    pub config: Config,
    /// Its bot.
    pub bot: Option<BotId>,
    /// What the customer keeps with it.
    pub metadata: Map<String, Value>,
}

impl CreateChannel {
    /// Everything that decides what is asked, for telling a repetition from another request.
    ///
    /// # Errors
    /// `invalid_request` naming the header.
    pub fn repeatable(&self, scope: String, key: Option<&str>) -> Result<Repeatable> {
        let asked = (&self.name, self.network, self.config.whole(), self.bot, &self.metadata);
        Repeatable::new(scope, key, "create_channel", &asked)
    }
}

/// Makes a channel. The answer shows the secret that signs what comes to its address.
///
/// # Errors
/// `invalid_request` naming `config.connector`, or a setting that the one named there cannot use; `no_connector`, also
/// where the one that is chosen cannot use a setting; `channel_exists`, `channel_limit_reached`; `bot_not_found`;
/// `idempotency_key_reused`.
pub async fn create(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    command: &CreateChannel,
    request: &Repeatable,
) -> Result<Shown> {
    db::retried(|| create_once(app, caller, origin, command, request)).await
}

async fn create_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    command: &CreateChannel,
    request: &Repeatable,
) -> Result<Shown> {
    db::write(&app.db, "channel.create", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let made = create_in(app, tx, caller, origin, &workspace, command).await?;
        request.finish(app, tx, &made).await?;
        Ok(made)
    })
    .await
}

/// Makes a channel within a transaction that has locked the workspace.
pub(super) async fn create_in(
    app: &App,
    tx: &DatabaseTransaction,
    caller: &WorkspaceCaller,
    origin: &Origin,
    workspace: &workspace::Model,
    command: &CreateChannel,
) -> Result<Shown> {
    let partner = partners::find(tx, &workspace.partner_id).await?.ok_or(Error::PartnerNotFound)?;
    let connector = connector_for(app, tx, &partner, command.network, &command.config).await?;
    limit::require_place(tx, workspace, &caller.plan).await?;
    require_new(tx, workspace, command.config.identity(command.network).as_deref(), None).await?;
    let owner = workspace.owner_user_id.ok_or_else(|| Error::Internal("a workspace has no owner".to_owned()))?;
    let new = New { workspace_id: workspace.id, user_id: owner, network: command.network, connector };
    let channel = standalone::insert(app, tx, &new).await?;
    let secret = insert_settings(app, tx, &channel, command).await?;
    attach::put_on(app, tx, origin, workspace, &channel, command.bot).await?;
    let entry = audit::Entry::in_workspace("channel.create", workspace, channel.id)
        .after(json!({ "network": channel.network, "connector": connector, "name": command.name }));
    audit::record(app, tx, origin, entry).await?;
    tell::channel(app, tx, HookEvent::Created, &channel, json!({ "connector": connector })).await?;
    Ok(Shown { shown_secret: Some(secret), ..show::one(app, tx, channel).await? })
}

/// Writes the settings down; the secret that was made for them.
async fn insert_settings(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &Model,
    command: &CreateChannel,
) -> Result<String> {
    use secrecy::ExposeSecret;
    let secret = sealed::new_webhook_secret(app);
    let mut row = sealed::new_row(app, channel, command.name.as_str().to_owned(), &secret)?;
    sealed::put(app, channel, &mut row, &command.config)?;
    row.metadata = Value::Object(command.metadata.clone()).to_string();
    row.widget_token = (channel.network == Network::Webchat).then(|| sealed::new_widget_token(app));
    settings::insert(tx, &row).await?;
    Ok(secret.expose_secret().to_owned())
}

/// Passes if no other channel of the workspace has this account.
pub(super) async fn require_new(
    tx: &DatabaseTransaction,
    workspace: &workspace::Model,
    identity: Option<&str>,
    own: Option<entity::id::AccountId>,
) -> Result<()> {
    let Some(identity) = identity else { return Ok(()) };
    match settings::by_identity(tx, workspace.id, identity).await? {
        Some(other) if Some(other) != own => Err(Error::ChannelExists(identity.to_owned())),
        _ => Ok(()),
    }
}

/// Who speaks to the provider: whom the settings name, or else whoever is chosen, if the settings are of use to them.
async fn connector_for(
    app: &App,
    tx: &DatabaseTransaction,
    partner: &partner::Model,
    network: Network,
    config: &Config,
) -> Result<ConnectorKind> {
    let is_simulated = partner.sandbox || app.config.sandbox;
    if let Some(name) = config.text("connector") {
        let known = ConnectorKind::iter().find(|kind| kind.to_string() == name);
        let served = known.filter(|kind| registry::serves(*kind, network));
        let chosen = app.connectors.choose(app, tx, partner, network).await?;
        let allowed = served.filter(|kind| *kind != ConnectorKind::Sandbox || is_simulated || chosen == Some(*kind));
        let kind = allowed.ok_or_else(|| Error::field("config.connector", "is not a connector of yours"))?;
        config.require_use(network, kind)?;
        return match registry::is_open_to(tx, kind, &partner.id).await? {
            true => Ok(kind),
            false => {
                Err(Error::field("config.connector", format!("{kind} has no credentials: the operator sets them")))
            }
        };
    }
    let chosen = app.connectors.choose(app, tx, partner, network).await?;
    let connector = chosen.ok_or(Error::NoConnector(network))?;
    match config.useless_with(network, connector) {
        None => Ok(connector),
        Some(setting) => Err(Error::UselessSetting { connector, network, setting }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_both_dialects() {
        assert_eq!(Network::iter().count(), 9);
        for network in Network::iter() {
            assert_eq!(parse_type(&network.to_string()).expect("a type"), network);
        }
        assert_eq!(parse_type("widget").expect("a type"), Network::Webchat);
        assert!(matches!(parse_type("fax"), Err(Error::InvalidChannelType(_))));
        assert!(ChannelName::parse(" Support ").is_ok_and(|name| name.as_str() == "Support"));
        assert!(ChannelName::parse("a\nb").is_err() && ChannelName::parse(" ").is_err());
    }
}
