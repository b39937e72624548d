//! Switching a channel on and off. Off, it neither sends nor receives; its connection stays, and so does what waits.

use entity::{
    channel::{DisconnectReason, State},
    id::ChannelId,
    timestamp::Timestamp,
};
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    channel::{
        disconnect, health,
        link::{self, Linked},
        named::{self, Named},
        show::{self, Shown},
        store::{settings, standalone},
        traffic, update,
    },
    db,
    error::{Error, Result},
    signal::Signal,
    webhook::hook::{HookEvent, tell},
    workspace as workspaces,
};

/// Longest reason, in characters.
const MAX_REASON_CHARS: usize = 500;

/// Why and how a channel is switched off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deactivate {
    /// Why, in the customer's words.
    pub reason: Option<String>,
    /// Whether its open conversations are closed.
    pub closes_conversations: bool,
}

/// Switches a channel on. One that is not connected is connected first, with what its settings say, and then tested,
/// unless its provider keeps a session that is looked at anyway: signing in proves less than a test does. Where a phone
/// has to scan a code, it is on and pending until one has.
///
/// # Errors
/// `channel_not_found`; `invalid_request` naming a setting that is missing; `auth_invalid` if the network does not accept
/// the settings, or the provider the operator's key; `account_restricted` if the network has restricted the account;
/// `channel_refused` if the session ended otherwise, or the channel was linked with a page and has lost its connection;
/// `channel_exists` if another channel has the account; `provider_unavailable`, `provider_limited`.
pub async fn activate(app: &App, caller: &WorkspaceCaller, origin: &Origin, named: &Named) -> Result<Shown> {
    let channel = named::find(app.db.reader(), caller.workspace.id, named).await?;
    let mut has_signed_in = false;
    if channel.state != State::Connected {
        match link::connect(app, caller, origin, named).await? {
            Linked::Connected => has_signed_in = true,
            Linked::Waiting | Linked::Asking(_) => {}
            other => return Err(other.into_error()),
        }
    }
    let shown = db::retried(|| set_once(app, caller, origin, named, None)).await?;
    app.signals.publish(Signal::Work);
    if has_signed_in && !app.connectors.keeps_sessions(channel.connector) {
        return health::look_now(app, caller.workspace.id, shown.id).await;
    }
    Ok(shown)
}

/// Switches a channel off. One that is off stays so, for the reason that it is, or for another where one is given.
///
/// # Errors
/// `channel_not_found`; `invalid_request` naming `reason`.
pub async fn deactivate(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    named: &Named,
    command: &Deactivate,
) -> Result<Shown> {
    if command.reason.as_ref().is_some_and(|reason| reason.chars().count() > MAX_REASON_CHARS || reason.contains('\0'))
    {
        return Err(Error::field("reason", "must be at most 500 characters"));
    }
    db::retried(|| set_once(app, caller, origin, named, Some(command))).await
}

/// Ends a channel's session and switches it off; one that is not connected is only switched off.
///
/// # Errors
/// `channel_not_found`.
pub async fn disconnect(app: &App, caller: &WorkspaceCaller, origin: &Origin, named: &Named) -> Result<Shown> {
    let channel = named::find(app.db.reader(), caller.workspace.id, named).await?;
    db::retried(|| end_once(app, caller, origin, channel.id)).await?;
    let off = Deactivate::default();
    let shown = db::retried(|| set_once(app, caller, origin, named, Some(&off))).await?;
    app.signals.publish(Signal::Work);
    Ok(shown)
}

async fn end_once(app: &App, caller: &WorkspaceCaller, origin: &Origin, id: ChannelId) -> Result<()> {
    db::write(&app.db, "channel.disconnect", async |tx| {
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let channel = named::find(tx, workspace.id, &Named::Id(id)).await?;
        disconnect::of_channel(app, tx, origin, &workspace, &channel, DisconnectReason::Requested).await
    })
    .await
}

async fn set_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    named: &Named,
    off: Option<&Deactivate>,
) -> Result<Shown> {
    db::write(&app.db, "channel.switch", async |tx| {
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let channel = named::find(tx, workspace.id, named).await?;
        let before = update::row_of(app, tx, &channel).await?;
        let (mut row, now) = (before.clone(), app.clock.now());
        let is_switched = channel.deactivated != off.is_some();
        if is_switched {
            standalone::set_deactivated(app, tx, channel.account_id, off.is_some()).await?;
            let action = if off.is_some() { "channel.deactivate" } else { "channel.activate" };
            let entry = audit::Entry::in_workspace(action, &workspace, channel.id)
                .after(json!({ "reason": off.and_then(|off| off.reason.clone()) }));
            audit::record(app, tx, origin, entry).await?;
            *at(&mut row, off.is_some()) = Some(now);
        } else if at(&mut row, off.is_some()).is_none() {
            *at(&mut row, off.is_some()) = Some(now);
        }
        // Why it is off stays known, unless another reason is given.
        let reason = off.and_then(|off| off.reason.clone());
        if is_switched || reason.is_some() {
            row.deactivation_reason = reason;
        }
        if off.is_some() {
            link::give_up_in(app, tx, &channel, &mut row).await?;
            // What is switched off is no failure any more.
            row.link_failure = None;
        }
        if row != before {
            row.updated_at = now;
            settings::save(tx, &row).await?;
        }
        if off.is_some_and(|off| off.closes_conversations) {
            let (closed, seconds) = standalone::close_conversations(app, tx, &channel).await?;
            traffic::count_closed(app, tx, channel.account_id, closed, seconds).await?;
        }
        let channel = named::find(tx, workspace.id, &Named::Id(channel.id)).await?;
        if is_switched {
            let happened = if off.is_some() { HookEvent::Deactivated } else { HookEvent::Activated };
            let why = json!({ "reason": off.and_then(|off| off.reason.as_deref()) });
            tell::channel(app, tx, happened, &channel, why).await?;
        }
        show::one(app, tx, channel).await
    })
    .await
}

/// When a channel was last switched off, or on.
const fn at(row: &mut entity::channel_settings::Model, is_off: bool) -> &mut Option<Timestamp> {
    if is_off { &mut row.deactivated_at } else { &mut row.activated_at }
}
