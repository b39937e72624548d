//! A channel as it is described: the account, its settings without what is secret, its bot, and how it fares.

use std::collections::{HashMap, HashSet};

use entity::{
    attempt::Failure,
    bot,
    channel::{ConnectorKind, Model, Network, State},
    channel_settings::{self, Health},
    id::{AccountId, AttemptId, BotId, ChannelId, CredentialId, WorkspaceId},
    timestamp::Timestamp,
};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{Display, EnumString};

use crate::{
    app::App,
    bot as bots,
    channel::{
        named::{self, Named},
        sealed,
        store::{
            settings,
            standalone::{self, Conversations},
        },
        traffic::{self, Figures},
    },
    connector::callback,
    error::Result,
};

/// How a channel stands (seed 002, "Channel Statuses").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Display, EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// It sends and receives.
    Active,
    /// It is switched off, and nobody has tried to connect it since.
    Inactive,
    /// Its connection is lost, does not work as it should, or could not be made when it was last tried.
    Error,
    /// It is switched on and waits to be connected, for the first time or again.
    Pending,
}

impl Status {
    /// As the table of states in `contracts/channels.md` 1.2 has it.
    fn of(channel: &Model, health: Health, is_connecting: bool, has_failed: bool) -> Self {
        match channel.state {
            _ if channel.suspended => Self::Inactive,
            // It is switched on once it is connected, so a try that failed left it off.
            State::Disconnected if has_failed && !is_connecting => Self::Error,
            _ if channel.deactivated => Self::Inactive,
            State::Connected if matches!(health, Health::Degraded | Health::Unhealthy) => Self::Error,
            State::Connected => Self::Active,
            State::Disconnected if is_connecting => Self::Pending,
            State::Disconnected if channel.was_connected() => Self::Error,
            State::Disconnected => Self::Pending,
        }
    }
}

/// A channel with all that is told of it. Answers are kept for replays, so what is added here later needs a default.
#[derive(Clone, Serialize, Deserialize)]
pub struct Shown {
    /// Its id.
    pub id: ChannelId,
    /// Its number on the Partner API.
    pub account_id: AccountId,
    /// The network that it is on.
    pub network: Network,
    /// Who speaks to its provider.
    pub connector: ConnectorKind,
    /// Name for people.
    pub name: String,
    /// How it stands.
    pub status: Status,
    /// Whether it is connected now.
    pub is_connected: bool,
    /// Whether its session waits for a phone.
    pub is_connecting: bool,
    /// Whether another workspace of the partner has the same account connected.
    #[serde(default)]
    pub is_duplicate: bool,
    /// The key at whose address its provider calls back, where it does so for all accounts of one.
    #[serde(default)]
    pub callback_key: Option<CredentialId>,
    /// Its settings without the secret ones.
    pub config: Map<String, Value>,
    /// Names of the secret settings that are there.
    pub secrets: Vec<String>,
    /// What the customer keeps with it.
    pub metadata: Map<String, Value>,
    /// Its bot.
    pub bot: Option<(BotId, String)>,
    /// What signs what comes to its address, in the one answer that shows it.
    pub shown_secret: Option<String>,
    /// Its number, once it is known.
    pub phone: Option<String>,
    /// The account's name on the network, where that is not a number.
    pub username: Option<String>,
    /// The name that the account shows to others, possibly empty.
    pub account_name: String,
    /// Public token with which a website opens its widget.
    pub widget_token: Option<String>,
    /// What goes through it.
    pub figures: Figures,
    /// Open conversations.
    pub open_conversations: i64,
    /// All conversations.
    pub conversations: i64,
    /// How the connection is.
    pub health: Health,
    /// When that was last looked at.
    pub checked_at: Option<Timestamp>,
    /// When it was last connected, if it ever was.
    pub connected_at: Option<Timestamp>,
    /// When it was last switched on.
    pub activated_at: Option<Timestamp>,
    /// When it was last switched off.
    pub deactivated_at: Option<Timestamp>,
    /// Why, in the customer's words.
    pub deactivation_reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What is known of channels besides their rows.
#[derive(Default)]
struct Around {
    settings: HashMap<AccountId, channel_settings::Model>,
    bots: HashMap<AccountId, bot::Model>,
    figures: HashMap<AccountId, Figures>,
    conversations: HashMap<AccountId, Conversations>,
    duplicates: HashSet<AccountId>,
    callback_keys: HashMap<AttemptId, CredentialId>,
}

/// Whether the names of secret settings are told, for which they have to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrets {
    Named,
    LeftOut,
}

/// One channel.
///
/// # Errors
/// `channel_not_found`.
pub async fn get(app: &App, workspace_id: WorkspaceId, named: &Named) -> Result<Shown> {
    let channel = named::find(app.db.reader(), workspace_id, named).await?;
    one(app, app.db.reader(), channel).await
}

/// A channel as it is now, also within a transaction.
pub(super) async fn one(app: &App, db: &impl ConnectionTrait, channel: Model) -> Result<Shown> {
    let settings = settings::find(db, channel.workspace_id, channel.account_id).await?;
    let settings = settings.into_iter().map(|row| (row.account_id, row)).collect();
    let mut shown = describe(app, db, vec![channel], settings, Secrets::Named).await?;
    shown.pop().ok_or_else(|| crate::error::Error::Internal("a channel is not there".to_owned()))
}

/// These channels, all of one workspace, in their order.
pub(super) async fn describe(
    app: &App,
    db: &impl ConnectionTrait,
    channels: Vec<Model>,
    settings: HashMap<AccountId, channel_settings::Model>,
    secrets: Secrets,
) -> Result<Vec<Shown>> {
    let Some(workspace_id) = channels.first().map(|channel| channel.workspace_id) else { return Ok(Vec::new()) };
    let ids: Vec<AccountId> = channels.iter().map(|channel| channel.account_id).collect();
    let sessions: Vec<_> = channels.iter().map(|channel| (channel.connector, channel.session)).collect();
    let around = Around {
        callback_keys: callback::keys(app, db, workspace_id, &sessions).await?,
        settings,
        bots: bots::bots_of(db, workspace_id, &ids).await?,
        figures: traffic::figures(app, db, &ids).await?,
        conversations: standalone::conversations(db, workspace_id, &ids).await?,
        duplicates: standalone::duplicates(db, workspace_id, &channels.iter().collect::<Vec<_>>()).await?,
    };
    channels.into_iter().map(|channel| around.shown(app, channel, secrets)).collect()
}

/// How a channel stands, with the settings that are kept of it, if any.
pub(super) fn status_of(app: &App, channel: &Model, settings: Option<&channel_settings::Model>) -> Status {
    let failure = settings.and_then(|row| row.link_failure);
    // That nobody scanned, or answered, leaves a channel as it was: somebody has yet to.
    let has_failed = failure.is_some_and(|why| !matches!(why, Failure::QrExpired | Failure::ChallengeExpired));
    Status::of(channel, health_of(channel, settings), is_connecting(app, settings), has_failed)
}

/// Whether a channel's session waits for a phone.
fn is_connecting(app: &App, settings: Option<&channel_settings::Model>) -> bool {
    settings.is_some_and(|row| row.connecting_until.is_some_and(|end| end > app.clock.now()))
}

/// What is told of a channel whatever happened to it.
pub(crate) struct Standing {
    /// Its name.
    pub(crate) name: String,
    /// How it stands.
    pub(crate) status: Status,
}

/// How a channel stands, within the transaction that changes it.
pub(crate) async fn standing(app: &App, db: &impl ConnectionTrait, channel: &Model) -> Result<Standing> {
    let settings = settings::find(db, channel.workspace_id, channel.account_id).await?;
    let settings = settings.as_ref();
    Ok(Standing { name: name_of(channel, settings), status: status_of(app, channel, settings) })
}

/// The name of a channel.
pub(super) fn name_of(channel: &Model, settings: Option<&channel_settings::Model>) -> String {
    let own = [settings.map_or("", |row| row.name.as_str()), channel.account_name.as_str(), channel.phone.as_str()];
    own.into_iter().find(|name| !name.is_empty()).map_or_else(|| channel.network.to_string(), str::to_owned)
}

fn health_of(channel: &Model, settings: Option<&channel_settings::Model>) -> Health {
    let known = settings.map_or(Health::Unknown, |row| row.health);
    match channel.state {
        // A page has seen the account of one that it linked.
        State::Connected if known == Health::Unknown && !channel.standalone => Health::Healthy,
        State::Disconnected if channel.was_connected() => Health::Unhealthy,
        _ => known,
    }
}

impl Around {
    fn shown(&self, app: &App, channel: Model, secrets: Secrets) -> Result<Shown> {
        let id = channel.account_id;
        let settings = self.settings.get(&id);
        let object = |text: Option<&str>| -> Map<String, Value> {
            text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
        };
        let names = match (settings, secrets) {
            (Some(row), Secrets::Named) => sealed::open_secrets(app, channel.id, row)?.keys().cloned().collect(),
            _ => Vec::new(),
        };
        let conversations = self.conversations.get(&id).copied().unwrap_or_default();
        Ok(Shown {
            name: name_of(&channel, settings),
            status: status_of(app, &channel, settings),
            health: health_of(&channel, settings),
            is_connected: channel.state == State::Connected,
            is_connecting: is_connecting(app, settings),
            is_duplicate: self.duplicates.contains(&id),
            config: object(settings.map(|row| row.config.as_str())),
            secrets: names,
            metadata: object(settings.map(|row| row.metadata.as_str())),
            bot: self.bots.get(&id).map(|bot| (bot.id, bot.name.clone())),
            shown_secret: None,
            phone: Some(channel.phone.clone()).filter(|phone| !phone.is_empty()),
            username: settings.and_then(|row| row.username.clone()),
            widget_token: settings.and_then(|row| row.widget_token.clone()),
            figures: self.figures.get(&id).copied().unwrap_or_default(),
            open_conversations: conversations.open,
            conversations: conversations.all,
            checked_at: settings.and_then(|row| row.checked_at),
            connected_at: channel.was_connected().then_some(channel.connected_at),
            activated_at: settings.and_then(|row| row.activated_at),
            deactivated_at: settings.and_then(|row| row.deactivated_at).filter(|_| channel.deactivated),
            deactivation_reason: settings.and_then(|row| row.deactivation_reason.clone()),
            created_at: channel.created_at,
            updated_at: settings.map_or(channel.updated_at, |row| row.updated_at.max(channel.updated_at)),
            id: channel.id,
            callback_key: self.callback_keys.get(&channel.session).copied(),
            account_id: id,
            network: channel.network,
            connector: channel.connector,
            account_name: channel.account_name,
        })
    }
}
