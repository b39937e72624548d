//! Connecting a slot: its channel is made where there is none, set up with what the account signs in with, and linked.

use entity::{
    attempt::Failure,
    channel::{DisconnectReason, Model, Network, State},
    channel_settings::Health,
    id::ChannelId,
    user, workspace,
};
use sea_orm::DatabaseTransaction;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::{
    app::App,
    caller::{Origin, WorkspaceCaller},
    channel::{
        answer::{self as answers, Answer},
        config::Config,
        create::{self, ChannelName, CreateChannel},
        disconnect,
        link::{self, Linked},
        named::{self, Named},
        sealed,
        slot::{
            Standing, Step, campaign, current, find_named,
            look::{self, Code},
            own, store_slots,
        },
        store::settings,
        switch, update, wait,
    },
    connector::{Observation, target::Login},
    db,
    error::{Error, Result},
    partner as partners,
    phone::Phone,
    signal::Signal,
    user as users, workspace as workspaces,
};

/// How much is left at least of the five minutes of an attempt that goes on for a pairing code, in seconds: providers' rows
/// of codes live 160 seconds, and a pairing code is good for 120 of them.
const LEAST_LEFT_SECONDS: i64 = 260;

/// What becomes of a channel that is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// It keeps another from being connected.
    No,
    /// The slot's own is disconnected first, and so is this other one, if one is named. One that stands in and is not
    /// named stays.
    Yes(Option<ChannelId>),
}

/// How a slot is to be connected.
pub struct Connect {
    /// The network.
    pub network: Network,
    /// What the account signs in with, where the network has no code to scan.
    pub login: Option<Login>,
    /// The phone into which a code is typed, in place of scanning one.
    pub pairing: Option<Phone>,
    /// What becomes of a channel that is connected.
    pub force: Force,
}

/// What came of it.
pub struct Connected {
    /// How the channel stands.
    pub standing: Standing,
    /// Whether an attempt that was under way was given up for it.
    pub previous_attempt_revoked: bool,
}

/// What is ready to be linked.
struct Ready {
    channel: ChannelId,
    has_revoked: bool,
}

/// Connects a slot. An attempt that is under way is given up for the new one, unless a pairing code is asked for and it
/// lasts long enough for one.
///
/// # Errors
/// `already_connected` unless it is forced, `campaign_running` if it is; `channel_not_found` for the one that is to be
/// disconnected first; `no_connector`, `channel_limit_reached`; `invalid_request` naming a setting; `auth_invalid` if the
/// network does not accept user name and password, `account_restricted`, `channel_refused`; `provider_unavailable`,
/// `provider_limited`; `pairing_refused`; `qr_code_not_available` if the provider shows no code, or is not ready for a
/// pairing code in time.
pub async fn connect(app: &App, caller: &WorkspaceCaller, origin: &Origin, command: &Connect) -> Result<Connected> {
    let ready = db::retried(|| ready_once(app, caller, origin, command)).await?;
    app.signals.publish(Signal::Work);
    let named = Named::Id(ready.channel);
    switch::activate(app, caller, origin, &named).await?;
    let channel = named::find(app.db.reader(), caller.workspace.id, &named).await?;
    let standing = match &command.pairing {
        Some(phone) if channel.state != State::Connected => paired(app, channel, phone).await?,
        _ => look::standing(app, channel, Code::First).await?,
    };
    match (standing.failure, &standing.step) {
        (Some(failure), Step::None) if standing.channel.state != State::Connected => Err(failed(failure)),
        _ => Ok(Connected { standing, previous_attempt_revoked: ready.has_revoked }),
    }
}

/// How a channel stands, with a code for this phone, which is asked for once its session waits for a phone.
async fn paired(app: &App, channel: Model, phone: &Phone) -> Result<Standing> {
    let pairing = match wait::first_code(app, &channel).await? {
        Observation::Waiting { .. } => {
            Some(app.connectors.get(channel.connector).pairing_code(app, channel.session, phone).await?)
        }
        Observation::Starting { .. } => {
            return Err(Error::QrCodeNotAvailable("the session has not started yet; ask for a pairing code again"));
        }
        _ => None,
    };
    Ok(Standing { pairing, ..look::standing(app, channel, Code::Present).await? })
}

/// Why an attempt is over that has just begun.
fn failed(failure: Failure) -> Error {
    match failure {
        Failure::ProviderUnavailable => Error::ProviderUnavailable,
        failure => Linked::Ended(failure).into_error(),
    }
}

/// Answers what the network asks before it lets the account of a slot's channel in.
///
/// # Errors
/// `channel_not_found`; `nothing_asked`, `challenge_wrong`, `challenge_expired`; `busy` while another answer is on its
/// way; `provider_unavailable`, `provider_limited`.
pub async fn answer(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    network: Network,
    id: ChannelId,
    answer: &Answer,
) -> Result<Standing> {
    let channel = find_named(app.db.reader(), caller.workspace.id, network, id).await?;
    let named = Named::Id(channel.id);
    match answers::answer(app, caller, origin, &named, answer).await? {
        Linked::Asking(_) | Linked::Waiting => {
            let channel = named::find(app.db.reader(), caller.workspace.id, &named).await?;
            look::standing(app, channel, Code::Present).await
        }
        Linked::Connected => {
            db::retried(|| forget_look_once(app, &channel)).await?;
            look::known(app, caller.workspace.id, &named).await
        }
        over => Err(over.into_error()),
    }
}

/// An account that was let in a moment ago is on its way: nobody has looked at how it works yet.
async fn forget_look_once(app: &App, channel: &Model) -> Result<()> {
    db::write(&app.db, "slot.forget_look", async |tx| {
        workspaces::lock(tx, channel.workspace_id).await?;
        if let Some(mut row) = settings::find(tx, channel.workspace_id, channel.account_id).await? {
            (row.health, row.checked_at, row.updated_at) = (Health::Unknown, None, app.clock.now());
            settings::save(tx, &row).await?;
        }
        Ok(())
    })
    .await
}

async fn ready_once(app: &App, caller: &WorkspaceCaller, origin: &Origin, command: &Connect) -> Result<Ready> {
    db::write(&app.db, "slot.connect", async |tx| {
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let network = command.network;
        make_way(app, tx, origin, &workspace, command).await?;
        let partner = partners::find(tx, &workspace.partner_id).await?.ok_or(Error::PartnerNotFound)?;
        let connector = app.connectors.choose(app, tx, &partner, network).await?.ok_or(Error::NoConnector(network))?;
        let config = config_of(command, &connector.to_string())?;
        match own(tx, workspace.id, network).await? {
            Some(channel) if channel.connector == connector => {
                let has_revoked = set_up(app, tx, &workspace, &channel, command, config).await?;
                return Ok(Ready { channel: channel.id, has_revoked });
            }
            Some(other) => {
                disconnect::of_channel(app, tx, origin, &workspace, &other, DisconnectReason::NewLink).await?;
            }
            None => {}
        }
        let made = CreateChannel {
            name: ChannelName::parse(&title(network))?,
            network,
            config: Config::default().changed(network, config)?,
            bot: None,
            metadata: Map::new(),
        };
        let made = create::create_in(app, tx, caller, origin, &workspace, &made).await?;
        store_slots::put(tx, workspace.id, network, made.account_id).await?;
        Ok(Ready { channel: made.id, has_revoked: false })
    })
    .await
}

/// Ends what is connected, where that is wanted.
async fn make_way(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    workspace: &workspace::Model,
    command: &Connect,
) -> Result<()> {
    let network = command.network;
    let is_connected = |found: &Model| found.state == State::Connected;
    let own = own(tx, workspace.id, network).await?.filter(is_connected);
    let connected = current(tx, workspace.id, network).await?.filter(is_connected);
    let other = match (command.force, &connected) {
        (Force::No, Some(channel)) => return Err(already_connected(tx, channel, own.as_ref()).await?),
        (Force::No, None) => return Ok(()),
        (Force::Yes(None), _) => None,
        (Force::Yes(Some(id)), _) => Some(find_named(tx, workspace.id, network, id).await?),
    };
    let other = other.filter(|other| own.as_ref().is_none_or(|own| own.id != other.id));
    if connected.is_some() || other.is_some() {
        campaign::require_none(tx, workspace.id, network).await?;
    }
    for channel in own.iter().chain(&other) {
        disconnect::of_channel(app, tx, origin, workspace, channel, DisconnectReason::NewLink).await?;
    }
    Ok(())
}

/// That a channel is connected, and what somebody can do who wants it, or another.
async fn already_connected(tx: &DatabaseTransaction, channel: &Model, own: Option<&Model>) -> Result<Error> {
    let id = channel.id;
    let next = if channel.suspended {
        let user = users::find(tx, channel.workspace_id, channel.user_id).await?;
        match user.is_some_and(|user| user.status == user::Status::Activated) {
            true => {
                "it is switched off because the workspace has as many channels as it can: delete one, or ask the \
                 partner for more, and have the seats set again"
            }
            false => "it is switched off because its user holds no seat: have the partner raise the seats",
        }
        .to_owned()
    } else if channel.deactivated {
        format!("it is switched off: activate channel {id} over the Channels API, or disconnect it first")
    } else if own.is_none() {
        "it was not connected here: disconnect it first by the account_id that its status shows, or send force to connect \
         another beside it"
            .to_owned()
    } else {
        "disconnect it first".to_owned()
    };
    Ok(Error::AlreadyConnected(channel.network, next))
}

/// Sets a channel up anew; whether an attempt that was under way is given up for it.
async fn set_up(
    app: &App,
    tx: &DatabaseTransaction,
    workspace: &workspace::Model,
    channel: &Model,
    command: &Connect,
    config: Map<String, Value>,
) -> Result<bool> {
    let mut row = update::row_of(app, tx, channel).await?;
    let old = sealed::open(app, channel.id, &row)?;
    let changed = old.changed(channel.network, config)?;
    let is_new_login = changed.signs_in_otherwise(&old, channel.network);
    // A session that takes its time to start is not begun with again by whoever asks it for a pairing code again.
    let least = app.clock.now().plus_seconds(LEAST_LEFT_SECONDS);
    let goes_on =
        command.pairing.is_some() && !is_new_login && row.connecting_until.is_some_and(|until| until >= least);
    let has_revoked = !goes_on && link::give_up_in(app, tx, channel, &mut row).await?;
    if is_new_login {
        // What its provider has kept goes on with what it began with.
        disconnect::let_go(app, tx, channel, DisconnectReason::NewLink).await?;
    }
    let identity = changed.identity(channel.network);
    create::require_new(tx, workspace, identity.as_deref(), Some(channel.account_id)).await?;
    sealed::put(app, channel, &mut row, &changed)?;
    if has_revoked || changed != old {
        row.updated_at = app.clock.now();
    }
    settings::save(tx, &row).await?;
    Ok(has_revoked)
}

/// The settings that a connection needs.
fn config_of(command: &Connect, connector: &str) -> Result<Map<String, Value>> {
    let mut config = Map::new();
    config.insert("connector".to_owned(), connector.into());
    if let Some(login) = &command.login {
        config.insert("username".to_owned(), login.username.as_str().into());
        config.insert("password".to_owned(), login.password.expose_secret().into());
        if let Some(country) = &login.country {
            config.insert("country".to_owned(), country.as_str().into());
        }
    }
    Ok(config)
}

/// What a channel is called that nobody has named.
fn title(network: Network) -> String {
    match network {
        Network::Whatsapp => "WhatsApp".to_owned(),
        other => {
            let word = other.to_string();
            let mut chars = word.chars();
            chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
        }
    }
}
