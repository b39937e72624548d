//! An account has been linked: its channel is made or revived.

use entity::{
    attempt, channel,
    channel::{ConnectorKind, DisconnectReason, Model, Network},
    id::AccountId,
    link, workspace,
};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use crate::{
    app::App,
    channel::{
        disconnect, limit,
        store::{self, standalone},
    },
    connector::{Account, session},
    error::{Error, Result},
    webhook::{
        self, EventBody, NewEvent,
        hook::{self, HookEvent},
        subscription::Topic,
        tell,
    },
};

/// What came of it.
pub(crate) enum Connected {
    /// The channel.
    Channel(Model),
    /// The account is connected in this workspace already.
    Duplicate,
    /// The workspace has as many channels as it can.
    LimitReached,
}

/// Records the account for the user of the link, in the transaction that uses the link up and has locked the workspace.
pub(crate) async fn record(
    app: &App,
    tx: &DatabaseTransaction,
    workspace: &workspace::Model,
    link: &link::Model,
    attempt: &attempt::Model,
    connector: ConnectorKind,
    account: &Account,
) -> Result<Connected> {
    let external_id = account.external_id.clone();
    let known = store::by_external_id(tx, link.workspace_id, link.network, &external_id).await?;
    if known.as_ref().is_none_or(|known| known.state != channel::State::Connected) {
        match limit::require_place_for(tx, workspace, link.user_id, known.as_ref()).await {
            Err(Error::ChannelLimitReached { .. }) => return Ok(Connected::LimitReached),
            other => other?,
        }
    }
    if !session::hold(app, tx, connector, attempt.id).await? {
        return Ok(Connected::Duplicate);
    }
    let new = store::Connection { link, session: attempt.id, connector, account, external_id };
    let channel = match &known {
        Some(known) if known.state == channel::State::Connected => None,
        Some(known) => {
            disconnect::let_go(app, tx, known, DisconnectReason::NewLink).await?;
            store::revive(app, tx, known, &new).await?
        }
        None => store::insert(app, tx, &new).await?,
    };
    let Some(channel) = channel else { return Ok(Connected::Duplicate) };
    match known {
        Some(known) if known.deleted_at.is_none() => {
            if known.deactivated {
                hook::tell::channel(app, tx, HookEvent::Activated, &channel, json!({})).await?;
            }
        }
        _ => hook::tell::channel(app, tx, HookEvent::Created, &channel, json!({ "connector": connector })).await?,
    }
    tell_connected(app, tx, channel.account_id).await?;
    Ok(Connected::Channel(channel))
}

/// Tells webhooks of the Channels API that a channel is connected, and whether another workspace of the partner has the
/// same account.
pub(super) async fn tell_connected(app: &App, tx: &DatabaseTransaction, id: AccountId) -> Result<()> {
    let Some(channel) = store::by_account_id(tx, id).await? else { return Ok(()) };
    let is_duplicate = !standalone::duplicates(tx, channel.workspace_id, &[&channel]).await?.is_empty();
    if is_duplicate {
        tracing::warn!(channel.id = %channel.id, "another workspace of the partner has the same account");
    }
    hook::tell::channel(app, tx, HookEvent::Connected, &channel, json!({ "duplicateAccount": is_duplicate })).await
}

/// Tells the partner, and webhooks of the workspace, that a WhatsApp account is connected; they hear of no other network.
pub(crate) async fn tell_account(
    app: &App,
    tx: &DatabaseTransaction,
    workspace: &workspace::Model,
    channel: &Model,
) -> Result<()> {
    if channel.network != Network::Whatsapp {
        return Ok(());
    }
    let told = EventBody::AccountConnected(channel.into());
    webhook::emit(app, tx, &NewEvent::in_workspace(workspace, told)).await?;
    tell::account(app, tx, Topic::AccountConnected, channel).await
}
