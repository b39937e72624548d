//! How channels' connections are, kept true without anybody asking.
//!
//! Channels whose provider keeps a session for us are looked at through it ([`crate::connector::session::probe`], and
//! whenever the provider says that something changed); what is seen is noted here. Of all others those that are
//! connected and have settings are tested by their connector, with calls that change nothing, every
//! [`PROBE_SECONDS`]; simulated accounts that were linked with a page have none, and nothing to be asked.
//!
//! A session that is being restarted, or of which its provider says that something is wrong, and a provider that does not
//! answer, make a channel `degraded`: it is in doubt and may still work. Each change is told once.

use entity::{
    channel::{ConnectorKind, Model, State},
    channel_settings::{self, Health},
    id::{AttemptId, ChannelId, WorkspaceId},
    timestamp::Timestamp,
};
use futures_util::{StreamExt, stream};
use sea_orm::DatabaseTransaction;
use serde_json::json;
use strum::IntoEnumIterator;

use crate::{
    app::App,
    channel::{
        named::{self, Named},
        show::{self, Shown},
        store::{self, settings},
        test, update,
    },
    connector::Observation,
    db,
    error::{Error, Result},
    signal::Signal,
    webhook::hook::{HookEvent, tell},
    workspace as workspaces,
};

/// How long a channel is believed to be as it was without being looked at, in seconds.
pub const PROBE_SECONDS: i64 = 300;
/// How long the same news is not written down again, in seconds.
const SAME_NEWS_SECONDS: i64 = 60;
/// How many channels are looked for at once.
const PROBED_AT_ONCE: u64 = 100;
/// How many of them are looked at at the same time, so that one that takes long does not hold up the others.
const IN_FLIGHT: usize = 8;
/// How often that is done in one go; what is left is looked at with the next.
const MOST_ROUNDS: usize = 20;

/// What was seen of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) health: Health,
    /// What is not as it should be, in a word or a sentence without anything secret.
    pub(super) reasons: Vec<String>,
    pub(super) at: Timestamp,
}

/// Notes what a session that a channel is connected with looks like. That it has ended is for others to write down.
///
/// # Errors
/// What the database says.
pub(crate) async fn observed(app: &App, session: AttemptId, observation: &Result<Observation>) -> Result<()> {
    let seen = match observation {
        Ok(observation) => health_of(observation),
        Err(Error::ProviderUnavailable | Error::ProviderLimited { .. }) => {
            Some((Health::Degraded, Some("provider_unavailable")))
        }
        Err(_) => None,
    };
    let Some((health, reason)) = seen else { return Ok(()) };
    let db = app.db.reader();
    let Some(channel) = store::connected_by_session(db, session).await? else { return Ok(()) };
    let known = settings::find(db, channel.workspace_id, channel.account_id).await?;
    let now = app.clock.now();
    let is_known = known.is_some_and(|row| {
        let checked_at = row.checked_at.filter(|at| at.plus_seconds(SAME_NEWS_SECONDS) > now);
        row.health == health && checked_at.is_some()
    });
    if is_known {
        return Ok(());
    }
    let seen = Seen { health, reasons: reason.into_iter().map(str::to_owned).collect(), at: now };
    db::retried(|| keep_once(app, &channel, &seen)).await
}

/// How a channel is whose session looks like this, and what is not as it should be; `None` for one that has ended.
pub(super) const fn health_of(observation: &Observation) -> Option<(Health, Option<&'static str>)> {
    match observation {
        Observation::Connected(_) => Some((Health::Healthy, None)),
        Observation::Impaired { .. } => Some((Health::Degraded, Some("session_impaired"))),
        Observation::Starting { .. } | Observation::Waiting { .. } | Observation::Asking(_) => {
            Some((Health::Degraded, Some("session_restarting")))
        }
        Observation::Ended(_) => None,
    }
}

/// Tests connected channels that nobody has looked at for a while, but for those whose sessions are asked for anyway;
/// returns how many.
///
/// # Errors
/// What the database says.
pub async fn probe(app: &App) -> Result<u64> {
    let before = app.clock.now().plus_seconds(-PROBE_SECONDS);
    let kinds: Vec<ConnectorKind> =
        ConnectorKind::iter().filter(|kind| !app.connectors.keeps_sessions(*kind)).collect();
    let (mut looked_at, mut failed) = (0, Vec::new());
    for _ in 0..MOST_ROUNDS {
        let due = settings::unchecked_since(app.db.reader(), &kinds, before, &failed, PROBED_AT_ONCE).await?;
        let count = u64::try_from(due.len()).unwrap_or(u64::MAX);
        let looks = due.into_iter().map(|channel| async move { (channel.id, probe_one(app, &channel).await) });
        let mut looks = stream::iter(looks).buffer_unordered(IN_FLIGHT);
        while let Some((id, looked)) = looks.next().await {
            if let Err(error) = looked {
                tracing::warn!(%error, channel.id = %id, "a channel could not be looked at");
                // The next round is that of others.
                failed.push(id);
            }
        }
        looked_at += count;
        if count < PROBED_AT_ONCE {
            break;
        }
    }
    Ok(looked_at)
}

/// Tests a channel of which something is new, and notes what that finds; the channel as it is then.
///
/// # Errors
/// `channel_not_found`.
pub(super) async fn look_now(app: &App, workspace_id: WorkspaceId, id: ChannelId) -> Result<Shown> {
    let named = Named::Id(id);
    let channel = named::find(app.db.reader(), workspace_id, &named).await?;
    probe_one(app, &channel).await?;
    app.signals.publish(Signal::Event);
    show::get(app, workspace_id, &named).await
}

async fn probe_one(app: &App, channel: &Model) -> Result<()> {
    let workspace = workspaces::by_id(app.db.reader(), channel.workspace_id).await?;
    let Some(workspace) = workspace else { return Ok(()) };
    let seen = match test::look(app, &workspace, channel).await {
        Ok(tested) => tested.seen(),
        Err(error) => {
            let reasons = vec![error.code().to_string()];
            Seen { health: Health::Degraded, reasons, at: app.clock.now() }
        }
    };
    db::retried(|| keep_once(app, channel, &seen)).await
}

/// Writes down what was seen of a channel, not if it has been connected or disconnected since; and tells if that is news of
/// one that is connected: whoever has yet to scan a code, or to connect it at all, hears of no error. What is found first
/// after its settings were changed is news.
pub(super) async fn keep_once(app: &App, looked_at: &Model, seen: &Seen) -> Result<()> {
    db::write(&app.db, "channel.health", async |tx| {
        let workspace = workspaces::lock(tx, looked_at.workspace_id).await?;
        let connection = |channel: &Model| (channel.state, channel.session, channel.connected_at);
        let channel = match named::find(tx, workspace.id, &Named::Id(looked_at.id)).await {
            Ok(channel) if connection(&channel) == connection(looked_at) => channel,
            Ok(_) => return Ok(()),
            // It was deleted while it was looked at.
            Err(Error::ChannelNotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut row = update::row_of(app, tx, &channel).await?;
        let before = row.health;
        let is_news = before != seen.health || row.checked_at.is_none();
        (row.health, row.checked_at) = (seen.health, Some(seen.at));
        if seen.health == Health::Healthy {
            row.worked_at = row.checked_at;
        }
        if before != seen.health {
            row.updated_at = app.clock.now();
        }
        settings::save(tx, &row).await?;
        if !is_news || channel.state != State::Connected {
            return Ok(());
        }
        tell_change(app, tx, &channel, &row, before, &seen.reasons).await
    })
    .await
}

async fn tell_change(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &Model,
    row: &channel_settings::Model,
    before: Health,
    reasons: &[String],
) -> Result<()> {
    let fails = |health| matches!(health, Health::Degraded | Health::Unhealthy);
    if fails(row.health) {
        let why = json!({ "health": row.health, "failed": reasons });
        return tell::channel(app, tx, HookEvent::Error, channel, why).await;
    }
    if fails(before) {
        return tell::channel(app, tx, HookEvent::Connected, channel, json!({ "recovered": true })).await;
    }
    Ok(())
}
