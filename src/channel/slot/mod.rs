//! One channel of each type: a workspace has a slot for WhatsApp, one for Telegram and one for Instagram, as portals
//! speak of them that name a channel by its network alone ([`crate::http`], the Connect API).
//!
//! A slot holds the channel that was connected through it; while it holds none, the workspace's channel of that network
//! that is connected stands in for it, if there is one: it is shown, but it is neither disconnected nor replaced unless
//! it is named. A slot's channel is one like all others and is seen and changed elsewhere too. A slot is marked while a
//! campaign of the customer's runs on it; its channel stays connected then.

use entity::{
    attempt::Failure,
    channel::{DisconnectReason, Model, Network, State},
    channel_settings::{self, Health},
    id::{ChannelId, WorkspaceId},
    timestamp::Timestamp,
};
use sea_orm::ConnectionTrait;

use crate::{
    app::App,
    channel::{
        named::{self, Named},
        store::{self, settings, standalone},
    },
    connector::{PairingCode, Qr, checkpoint::Asked},
    error::{Error, Result},
};

mod campaign;
mod connect;
mod disconnect;
mod look;
mod store_slots;

pub use campaign::{campaign, set_campaign};
pub use connect::{Connect, Connected, Force, answer, connect};
pub use disconnect::disconnect;
pub use look::{refresh, status};

/// How a slot's channel stands, in the words of the Connect API (seed 003).
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumString, strum::EnumIter)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Sync {
    /// Connected, and it works.
    Ok,
    /// On its way, or let in a moment ago.
    Connecting,
    /// The first look after it was let in found that it works.
    SyncSuccess,
    /// The account has removed us: it has to be connected anew.
    Credentials,
    /// Connected, and it does not work as it should; or the network has banned it.
    Error,
    /// Switched off, disconnected, or down.
    Stopped,
    /// The last try to connect it failed.
    CreationFail,
}

/// What a channel that is being connected waits for.
pub enum Step {
    /// Nothing: it is connected, or it is not being connected.
    None,
    /// A phone; without a code while there is none to show.
    Phone {
        /// The code to show.
        qr: Option<Qr>,
        /// When the attempt ends.
        until: Timestamp,
    },
    /// An answer to what the network asks.
    Answer(Asked),
}

/// How a channel of a slot stands.
pub struct Standing {
    /// The channel.
    pub channel: Model,
    /// Its number or its name on the network, once it is known.
    pub username: Option<String>,
    /// How it stands.
    pub sync: Sync,
    /// When it was last seen to work.
    pub last_synced_at: Option<Timestamp>,
    /// What it waits for.
    pub step: Step,
    /// Why it was not connected when it was last tried.
    pub failure: Option<Failure>,
    /// A code that was asked for, to be typed into a phone.
    pub pairing: Option<PairingCode>,
}

impl Standing {
    /// Whether the channel works: connected, and not switched off.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.channel.is_open()
    }

    /// Whether somebody is expected to do something.
    #[must_use]
    pub const fn is_in_progress(&self) -> bool {
        !matches!(self.step, Step::None)
    }

    fn of(channel: Model, row: Option<&channel_settings::Model>, step: Step) -> Self {
        let named = row.and_then(|row| row.username.clone());
        let is_waiting = !matches!(step, Step::None);
        let username = named.or_else(|| Some(channel.phone.clone()).filter(|phone| !phone.is_empty()));
        let seen = row.and_then(|row| row.worked_at);
        let connected = channel.was_connected().then_some(channel.connected_at);
        Self {
            sync: sync_of(&channel, row, is_waiting),
            username,
            last_synced_at: seen.max(connected),
            failure: row.and_then(|row| row.link_failure),
            pairing: None,
            channel,
            step,
        }
    }
}

fn sync_of(channel: &Model, row: Option<&channel_settings::Model>, is_waiting: bool) -> Sync {
    let health = row.map_or(Health::Healthy, |row| row.health);
    let was_seen = row.is_none_or(|row| row.checked_at.is_some());
    match channel.state {
        State::Connected if channel.deactivated || channel.suspended => Sync::Stopped,
        State::Connected if matches!(health, Health::Degraded | Health::Unhealthy) => Sync::Error,
        State::Connected if health == Health::Unknown && !was_seen => Sync::Connecting,
        State::Connected => Sync::Ok,
        State::Disconnected if is_waiting => Sync::Connecting,
        State::Disconnected if row.is_some_and(|row| row.link_failure.is_some()) => Sync::CreationFail,
        State::Disconnected => match channel.disconnect_reason {
            Some(DisconnectReason::LoggedOut) => Sync::Credentials,
            Some(DisconnectReason::Banned) => Sync::Error,
            _ => Sync::Stopped,
        },
    }
}

/// The channel of a network that is shown: the slot's, or the one that stands in for it, where none is named.
///
/// # Errors
/// `channel_not_found`, for another workspace's, another network's and a deleted one too.
async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    network: Network,
    id: Option<ChannelId>,
) -> Result<Model> {
    match id {
        Some(id) => find_named(db, workspace_id, network, id).await,
        None => {
            let found = current(db, workspace_id, network).await?;
            found.ok_or(Error::NoChannelOn(network, "is connected"))
        }
    }
}

/// A channel of a network by its id.
///
/// # Errors
/// As [`find`].
async fn find_named(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    network: Network,
    id: ChannelId,
) -> Result<Model> {
    let found = named::find(db, workspace_id, &Named::Id(id)).await?;
    if found.network == network { Ok(found) } else { Err(Error::ChannelNotFound(id.to_string())) }
}

/// The channel that was made for a slot.
async fn own(db: &impl ConnectionTrait, workspace_id: WorkspaceId, network: Network) -> Result<Option<Model>> {
    let slot = store_slots::find(db, workspace_id, network).await?;
    let Some(id) = slot.and_then(|slot| slot.account_id) else { return Ok(None) };
    let found = store::by_ids(db, workspace_id, [id]).await?.remove(&id);
    Ok(found.filter(|channel| channel.deleted_at.is_none()))
}

/// The slot's channel, or the one that stands in for it.
async fn current(db: &impl ConnectionTrait, workspace_id: WorkspaceId, network: Network) -> Result<Option<Model>> {
    match own(db, workspace_id, network).await? {
        Some(own) if own.state == State::Connected => Ok(Some(own)),
        own => Ok(standalone::connected_of_network(db, workspace_id, network).await?.or(own)),
    }
}

/// A channel's settings, where it has some.
async fn settings_of(app: &App, channel: &Model) -> Result<Option<channel_settings::Model>> {
    settings::find(app.db.reader(), channel.workspace_id, channel.account_id).await
}
