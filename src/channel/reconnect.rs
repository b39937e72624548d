//! A channel that was disconnected without anybody asking for it, and whose session works again at its provider: it is
//! connected again, without a phone.

use entity::{
    channel::{DisconnectReason, Model, State},
    channel_settings::Health,
    id::AttemptId,
    user, workspace,
};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::Origin,
    channel::{connect, disconnect, limit, store, store::settings},
    connector::{Account, Observation, session},
    db,
    error::Result,
    signal::Signal,
    user as users, workspace as workspaces,
};

/// Whether a channel was disconnected without anybody here asking for it, and its provider has kept its session.
pub(super) fn is_kept(app: &App, channel: &Model) -> bool {
    let connectors = &app.connectors;
    channel.state == State::Disconnected
        && match channel.disconnect_reason {
            Some(DisconnectReason::Stopped) => connectors.keeps_sessions(channel.connector),
            Some(DisconnectReason::LoggedOut) => connectors.keeps_accounts(channel.connector),
            _ => false,
        }
}

/// Asks the provider of a channel whose session it has kept; tells whether the channel is connected now.
///
/// # Errors
/// `provider_unavailable`, `provider_limited`.
pub(super) async fn look(app: &App, channel: &Model) -> Result<bool> {
    if !is_kept(app, channel) {
        return Ok(false);
    }
    match app.connectors.get(channel.connector).observe(app, channel.session).await? {
        Observation::Connected(account) => works_again(app, channel.session, &account).await,
        Observation::Ended(failure) => {
            disconnect::lost(app, channel.session, failure).await?;
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// A session works with this account: its channel is connected again, if it was disconnected and may be; tells whether it
/// is connected now, by whomever.
pub(crate) async fn works_again(app: &App, session: AttemptId, account: &Account) -> Result<bool> {
    let Some(channel) = store::by_session(app.db.reader(), session).await? else { return Ok(false) };
    if !is_kept(app, &channel) {
        return Ok(channel.state == State::Connected);
    }
    if account.external_id != channel.external_id {
        tracing::warn!(channel.id = %channel.id, "a session works with another account than its channel's");
        return Ok(false);
    }
    let is_connected = db::retried(|| reconnect_once(app, &channel)).await?;
    app.signals.publish(Signal::Event);
    app.signals.publish(Signal::Work);
    Ok(is_connected)
}

async fn reconnect_once(app: &App, seen: &Model) -> Result<bool> {
    db::write(&app.db, "channel.reconnect", async |tx| {
        let workspace = workspaces::lock(tx, seen.workspace_id).await?;
        let Some(suspended) = is_to_be_suspended(tx, &workspace, seen).await? else { return Ok(false) };
        if !session::hold(app, tx, seen.connector, seen.session).await? {
            return Ok(false);
        }
        let Some(channel) = store::set_reconnected(app, tx, seen, suspended).await? else {
            return Ok(store::connected_by_session(tx, seen.session).await?.is_some());
        };
        if let Some(mut row) = settings::find(tx, workspace.id, channel.account_id).await? {
            let now = app.clock.now();
            (row.health, row.checked_at, row.worked_at) = (Health::Healthy, Some(now), Some(now));
            settings::save(tx, &row).await?;
        }
        let entry = audit::Entry::in_workspace("channel.reconnect", &workspace, channel.id)
            .before(json!({ "reason": seen.disconnect_reason }));
        audit::record(app, tx, &Origin::provider(), entry).await?;
        connect::tell_connected(app, tx, channel.account_id).await?;
        connect::tell_account(app, tx, &workspace, &channel).await?;
        Ok(true)
    })
    .await
}

/// Whether a channel that comes back is switched off because its user has lost the seat or the place meanwhile; `None` if
/// it may not come back, because its user has linked another account.
async fn is_to_be_suspended(
    tx: &DatabaseTransaction,
    workspace: &workspace::Model,
    channel: &Model,
) -> Result<Option<bool>> {
    if channel.standalone {
        return Ok(Some(channel.suspended));
    }
    if store::has_another(tx, channel).await? {
        return Ok(None);
    }
    let Some(user) = users::find(tx, channel.workspace_id, channel.user_id).await? else { return Ok(None) };
    let is_off = match user.status {
        user::Status::Suspended => true,
        _ => channel.suspended && !limit::Places::of(tx, workspace).await?.has_one_for(user.id),
    };
    Ok(Some(is_off))
}
