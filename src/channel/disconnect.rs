//! Ending an account's session: asked by the partner, by a new link, or by the phone itself.

use entity::{
    attempt::Failure,
    channel::{self, DisconnectReason, Model, Network},
    id::{AccountId, AttemptId, UserId},
    timestamp::Timestamp,
    workspace,
};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, PartnerCaller},
    channel::store::{self, standalone},
    db,
    error::Result,
    idempotency::Repeatable,
    queue::{self, Work},
    signal::Signal,
    webhook::{
        self, EventBody, NewEvent,
        event::AccountFacts,
        hook::{self, HookEvent},
        subscription::Topic,
        tell,
    },
    workspace as workspaces,
};

/// What came of the partner's request. It is kept for replays, so what is added here later needs a default.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Disconnected {
    /// The user.
    pub user_id: UserId,
    /// The account that was connected; absent if none was.
    pub account: Option<EndedAccount>,
}

/// An account whose session has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndedAccount {
    /// Its number on the wire.
    pub account_id: AccountId,
    /// Its telephone number.
    pub phone: String,
    /// When its session ended.
    pub disconnected_at: Option<Timestamp>,
}

impl From<&Model> for EndedAccount {
    fn from(channel: &Model) -> Self {
        Self { account_id: channel.account_id, phone: channel.phone.clone(), disconnected_at: channel.disconnected_at }
    }
}

/// Ends the session of the user's account; without one, that of a WhatsApp account of the user's that was made over the
/// Channels API, the one that was connected last; without one too, nothing happens.
///
/// # Errors
/// `workspace_not_found`, `user_not_found`, `idempotency_key_reused`.
pub async fn disconnect(
    app: &App,
    caller: &PartnerCaller,
    slug: &str,
    user_id: UserId,
    request: &Repeatable,
) -> Result<Disconnected> {
    let outcome = db::retried(|| disconnect_once(app, caller, slug, user_id, request)).await?;
    app.signals.publish(Signal::Work);
    Ok(outcome)
}

async fn disconnect_once(
    app: &App,
    caller: &PartnerCaller,
    slug: &str,
    user_id: UserId,
    request: &Repeatable,
) -> Result<Disconnected> {
    db::write(&app.db, "channel.disconnect", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let workspace = workspaces::find(tx, &caller.partner.id, slug).await?;
        let user = workspaces::find_user(tx, &workspace, user_id).await?;
        let (origin, reason) = (Origin::from(caller), DisconnectReason::Requested);
        let channel = match of_user(app, tx, &origin, &workspace, user.id, reason).await? {
            Some(channel) => Some(channel),
            None => match standalone::connected_of_user(tx, workspace.id, user.id, Network::Whatsapp).await? {
                Some(other) => end_there(app, tx, &origin, &workspace, &other, reason).await?,
                None => None,
            },
        };
        let outcome = Disconnected { user_id: user.id, account: channel.as_ref().map(EndedAccount::from) };
        request.finish(app, tx, &outcome).await?;
        Ok(outcome)
    })
    .await
}

/// Ends the session of a user's account within a transaction, and has the provider told after it; also of accounts that
/// are disconnected and whose sessions their providers have kept.
pub(crate) async fn of_user(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    workspace: &workspace::Model,
    user_id: UserId,
    reason: DisconnectReason,
) -> Result<Option<Model>> {
    for channel in store::resting_of_user(tx, workspace.id, user_id).await? {
        let_go(app, tx, &channel, reason).await?;
    }
    let Some(channel) = store::connected_of_user(tx, workspace.id, user_id).await? else { return Ok(None) };
    end_there(app, tx, origin, workspace, &channel, reason).await
}

/// The provider says that the session behind an account is over, and why. Nothing happens if the account has another by
/// now.
pub(crate) async fn lost(app: &App, session: AttemptId, failure: Failure) -> Result<()> {
    let reason = match failure {
        Failure::Banned => DisconnectReason::Banned,
        Failure::ProviderUnavailable => DisconnectReason::Stopped,
        _ => DisconnectReason::LoggedOut,
    };
    db::write(&app.db, "channel.lost", async |tx| {
        let Some(channel) = store::connected_by_session(tx, session).await? else { return Ok(()) };
        let workspace = workspaces::by_id(tx, channel.workspace_id).await?;
        let Some(workspace) = workspace else { return Ok(()) };
        end(app, tx, &Origin::provider(), &workspace, &channel, reason).await?;
        Ok(())
    })
    .await?;
    app.signals.publish(Signal::Event);
    Ok(())
}

/// Ends the session of a channel within a transaction, if it is connected or its provider has kept it, and has the provider
/// told after it.
pub(super) async fn of_channel(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    workspace: &workspace::Model,
    channel: &Model,
    reason: DisconnectReason,
) -> Result<()> {
    match end_there(app, tx, origin, workspace, channel, reason).await? {
        Some(_) => Ok(()),
        None => let_go(app, tx, channel, reason).await,
    }
}

/// Ends the session of a channel, if it is connected, here and at its provider.
async fn end_there(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    workspace: &workspace::Model,
    channel: &Model,
    reason: DisconnectReason,
) -> Result<Option<Model>> {
    let ended = end(app, tx, origin, workspace, channel, reason).await?;
    if ended.is_some() {
        let work = Work::EndSession { connector: channel.connector, session: channel.session };
        queue::enqueue(app, tx, &work).await?;
    }
    Ok(ended)
}

/// Gives up the session of a channel that is disconnected, where its provider may have kept it.
pub(super) async fn let_go(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &Model,
    reason: DisconnectReason,
) -> Result<()> {
    if !channel.may_come_back() || !app.connectors.keeps_sessions(channel.connector) {
        return Ok(());
    }
    store::set_let_go(app, tx, channel, reason).await?;
    queue::enqueue(app, tx, &Work::EndSession { connector: channel.connector, session: channel.session }).await
}

async fn end(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    workspace: &workspace::Model,
    channel: &Model,
    reason: DisconnectReason,
) -> Result<Option<Model>> {
    let Some(ended) = store::set_disconnected(app, tx, channel, reason).await? else { return Ok(None) };
    let entry = audit::Entry::in_workspace("channel.disconnect", workspace, channel.id)
        .before(channel::State::Connected)
        .after(reason);
    audit::record(app, tx, origin, entry).await?;
    tell_hooks(app, tx, &ended, reason).await?;
    if ended.network != Network::Whatsapp {
        return Ok(Some(ended));
    }
    let at = ended.disconnected_at.unwrap_or_else(|| app.clock.now());
    let told =
        EventBody::AccountDisconnected { account: AccountFacts::from(&ended), at, reason: words(reason).to_owned() };
    webhook::emit(app, tx, &NewEvent::in_workspace(workspace, told)).await?;
    tell::account(app, tx, Topic::AccountDisconnected, &ended).await?;
    Ok(Some(ended))
}

/// Tells webhooks of the Channels API, but of a channel that is deleted: that is told itself.
async fn tell_hooks(app: &App, tx: &DatabaseTransaction, ended: &Model, reason: DisconnectReason) -> Result<()> {
    let why = || json!({ "reason": reason });
    if reason != DisconnectReason::Deleted {
        hook::tell::channel(app, tx, HookEvent::Disconnected, ended, why()).await?;
    }
    match reason {
        DisconnectReason::LoggedOut => hook::tell::channel(app, tx, HookEvent::CredentialsRequired, ended, why()).await,
        DisconnectReason::Banned => hook::tell::channel(app, tx, HookEvent::Error, ended, why()).await,
        _ => Ok(()),
    }
}

/// As events say it; the contract gives the last as an example.
const fn words(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::Requested => "(requested)",
        DisconnectReason::NewLink => "(new link)",
        DisconnectReason::LoggedOut => "(logged out)",
        DisconnectReason::Deleted => "(deleted)",
        DisconnectReason::Banned => "(banned)",
        DisconnectReason::Stopped => "(stopped)",
    }
}
