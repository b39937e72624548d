//! Changing a channel's settings.

use entity::{
    channel::{DisconnectReason, Model, State},
    channel_settings::{self, Health},
    id::BotId,
    workspace,
};
use sea_orm::DatabaseTransaction;
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    audit,
    bot::{attach, bot_of},
    caller::{Origin, WorkspaceCaller},
    channel::{
        config::Config,
        create::{self, ChannelName},
        disconnect, health, link,
        named::{self, Named},
        sealed,
        show::{self, Shown},
        store::{settings, standalone},
        told::Told,
    },
    db,
    error::{Error, Result},
    signal::Signal,
    webhook::hook::{HookEvent, tell},
    workspace as workspaces,
};

/// What to change; what is absent stays.
#[derive(Default)]
pub struct UpdateChannel {
    /// Its name.
    pub name: Option<ChannelName>,
    /// Settings one by one; `null` takes one away, and what is sent back as it is shown stays.
    pub config: Option<Map<String, Value>>,
    /// Its bot, or none.
    pub bot: Option<Option<BotId>>,
    /// What the customer keeps with it, all of it.
    pub metadata: Option<Map<String, Value>>,
}

/// Changes a channel. One that is connected and set up otherwise is tested at once, so that nothing is said to work which
/// nobody has looked at.
///
/// # Errors
/// `channel_not_found`, `bot_not_found`; `invalid_request` naming the setting; `channel_exists`; `channel_refused` for
/// another account than the one that is connected.
pub async fn update(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    named: &Named,
    command: &UpdateChannel,
) -> Result<Shown> {
    let shown = store(app, caller, origin, named, command).await?;
    match command.config.is_some() && shown.is_connected && shown.checked_at.is_none() {
        true => health::look_now(app, caller.workspace.id, shown.id).await,
        false => Ok(shown),
    }
}

/// Changes a channel whose settings somebody else looks at.
pub(super) async fn store(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    named: &Named,
    command: &UpdateChannel,
) -> Result<Shown> {
    let shown = db::retried(|| update_once(app, caller, origin, named, command)).await?;
    app.signals.publish(Signal::Work);
    Ok(shown)
}

async fn update_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    named: &Named,
    command: &UpdateChannel,
) -> Result<Shown> {
    db::write(&app.db, "channel.update", async |tx| {
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let channel = named::find(tx, workspace.id, named).await?;
        let before = row_of(app, tx, &channel).await?;
        let mut row = before.clone();
        if let Some(name) = &command.name {
            name.as_str().clone_into(&mut row.name);
        }
        if let Some(metadata) = &command.metadata {
            row.metadata = Value::Object(metadata.clone()).to_string();
        }
        if let Some(given) = &command.config {
            set_up(app, tx, &workspace, &channel, &mut row, given.clone()).await?;
        }
        if row != before {
            row.updated_at = app.clock.now();
            settings::save(tx, &row).await?;
            let entry = audit::Entry::in_workspace("channel.update", &workspace, channel.id)
                .before(for_audit(&before))
                .after(for_audit(&row));
            audit::record(app, tx, origin, entry).await?;
        }
        let mut changed = changed(&before, &row);
        if let Some(bot) = command.bot
            && bot_of(tx, workspace.id, channel.account_id).await?.map(|bot| bot.id) != bot
        {
            attach::put_on(app, tx, origin, &workspace, &channel, bot).await?;
            changed.push("defaultBot");
        }
        if !changed.is_empty() {
            tell::channel(app, tx, HookEvent::Updated, &channel, json!({ "changed": changed })).await?;
        }
        show::one(app, tx, channel).await
    })
    .await
}

/// What the Channels API calls the parts that differ.
fn changed(before: &channel_settings::Model, after: &channel_settings::Model) -> Vec<&'static str> {
    let is_set_up_anew = (&before.config, &before.secrets) != (&after.config, &after.secrets);
    let parts = [
        ("name", before.name != after.name),
        ("config", is_set_up_anew),
        ("metadata", before.metadata != after.metadata),
    ];
    parts.into_iter().filter_map(|(name, is_changed)| is_changed.then_some(name)).collect()
}

/// Changes the settings in a row.
async fn set_up(
    app: &App,
    tx: &DatabaseTransaction,
    workspace: &workspace::Model,
    channel: &Model,
    row: &mut channel_settings::Model,
    given: Map<String, Value>,
) -> Result<()> {
    let old = sealed::open(app, channel.id, row)?;
    let new = changed_config(channel, &Told::of(channel, Some(row)), &old, given)?;
    if new == old {
        return Ok(());
    }
    if new.signs_in_otherwise(&old, channel.network) {
        // What has begun goes on with what it began with.
        link::give_up_in(app, tx, channel, row).await?;
        disconnect::let_go(app, tx, channel, DisconnectReason::NewLink).await?;
    }
    create::require_new(tx, workspace, new.identity(channel.network).as_deref(), Some(channel.account_id)).await?;
    sealed::put(app, channel, row, &new)?;
    row.checked_at = None;
    // One that does not work is not said to work, or to be unknown, before somebody has looked.
    let is_known_to_fail = matches!(row.health, Health::Degraded | Health::Unhealthy);
    if channel.state == State::Disconnected || !is_known_to_fail {
        row.health = Health::Unknown;
    }
    Ok(())
}

/// The settings of a channel changed by what is given, if it may have those.
pub(super) fn changed_config(
    channel: &Model,
    told: &Told<'_>,
    old: &Config,
    given: Map<String, Value>,
) -> Result<Config> {
    if let Some(connector) = given.get("connector").filter(|wanted| **wanted != channel.connector.to_string()) {
        return Err(Error::field(
            "config.connector",
            format!("is {}; it cannot become {connector}", channel.connector),
        ));
    }
    let new = old.changed(channel.network, told.without(old, given)?)?;
    require_same_way(channel, old, &new)?;
    // What was of no use before may stay.
    if new != *old && old.useless_with(channel.network, channel.connector).is_none() {
        new.require_use(channel.network, channel.connector)?;
    }
    Ok(new)
}

/// A connected channel keeps its account.
fn require_same_way(channel: &Model, old: &Config, new: &Config) -> Result<()> {
    let network = channel.network;
    if channel.state == State::Connected && !old.is_scanned(network) && channel.standalone {
        new.require_fit(network, channel.connector)?;
    }
    let is_same = old.identity(network) == new.identity(network) && old.is_scanned(network) == new.is_scanned(network);
    if channel.state == State::Connected && !is_same {
        let reason = "the channel is connected to another account; disconnect it first, or make another channel";
        return Err(Error::ChannelRefused(reason.to_owned()));
    }
    Ok(())
}

/// The settings of a channel, which are made where there are none.
pub(super) async fn row_of(app: &App, tx: &DatabaseTransaction, channel: &Model) -> Result<channel_settings::Model> {
    if let Some(row) = settings::find(tx, channel.workspace_id, channel.account_id).await? {
        return Ok(row);
    }
    let row = sealed::row_of_linked(app, channel)?;
    settings::insert(tx, &row).await?;
    Ok(row)
}

/// Notes that something of a channel has changed which does not stand among its settings.
pub(crate) async fn touch(app: &App, tx: &DatabaseTransaction, channel: &Model) -> Result<()> {
    let now = app.clock.now();
    match settings::find(tx, channel.workspace_id, channel.account_id).await? {
        Some(row) => settings::save(tx, &channel_settings::Model { updated_at: now, ..row }).await,
        None => standalone::set_updated(tx, channel.workspace_id, channel.account_id, now).await,
    }
}

/// What the audit keeps of settings: nothing that is secret.
fn for_audit(row: &channel_settings::Model) -> Value {
    json!({ "name": row.name, "config": row.config, "identity": row.identity, "updated_at": row.updated_at })
}
