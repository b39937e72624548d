//! Ending an account's session: asked by the partner, by a new link, or by the phone itself.

use entity::{
    attempt::Failure,
    channel::{self, ConnectorKind, DisconnectReason, Model, Network},
    id::{AccountId, AttemptId, UserId, WorkspaceId},
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
    channel::{
        reconnect,
        store::{self, standalone},
    },
    connector::session as sessions,
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

/// How long the session of a channel that was disconnected is kept at its provider, in seconds: 30 days.
pub const KEPT_SECONDS: i64 = 30 * 24 * 3600;

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

/// Ends the session of the user's WhatsApp account, and what providers have kept of WhatsApp accounts that the user lost.
/// Where no page has linked one that is connected, ends the session of a WhatsApp account of the user's that was made over
/// the Channels API, the one that was connected last; without one too, nothing happens. Accounts on other networks stay.
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
        let workspace = workspaces::lock(tx, workspace.id).await?;
        let user = workspaces::find_user(tx, &workspace, user_id).await?;
        let (origin, reason, network) = (Origin::from(caller), DisconnectReason::Requested, Network::Whatsapp);
        for channel in store::resting_of_user(tx, workspace.id, user.id).await? {
            if channel.standalone && channel.network == network {
                let_go(app, tx, &channel, reason).await?;
            }
        }
        let channel = match of_user(app, tx, &origin, &workspace, user.id, Some(network), reason).await? {
            Some(channel) => Some(channel),
            None => match standalone::connected_of_user(tx, workspace.id, user.id, network).await? {
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

/// Ends the session of a user's account within a transaction that has locked the workspace, and has the provider told
/// after it; also of accounts that a page linked, that are disconnected, and whose sessions their providers have kept. All
/// that on one network, or on all.
pub(crate) async fn of_user(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    workspace: &workspace::Model,
    user_id: UserId,
    network: Option<Network>,
    reason: DisconnectReason,
) -> Result<Option<Model>> {
    for channel in store::resting_of_user(tx, workspace.id, user_id).await? {
        if !channel.standalone && network.is_none_or(|network| network == channel.network) {
            let_go(app, tx, &channel, reason).await?;
        }
    }
    let Some(channel) = store::connected_of_user(tx, workspace.id, user_id, network).await? else { return Ok(None) };
    end_there(app, tx, origin, workspace, &channel, reason).await
}

/// The provider says that the session behind an account is over, and why. Nothing happens if the account has another by
/// now. Of one that is disconnected already and kept, worse news are told. A session that is not kept is removed at its
/// provider, where it would ring and bill on.
pub(crate) async fn lost(app: &App, session: AttemptId, failure: Failure) -> Result<()> {
    let reason = match failure {
        Failure::Banned => DisconnectReason::Banned,
        Failure::ProviderUnavailable => DisconnectReason::Stopped,
        _ => DisconnectReason::LoggedOut,
    };
    let Some(seen) = store::by_session(app.db.reader(), session).await? else { return Ok(()) };
    if seen.state == channel::State::Disconnected && !reconnect::is_kept(app, &seen) {
        return Ok(());
    }
    db::retried(|| lost_once(app, seen.workspace_id, session, reason)).await?;
    app.signals.publish(Signal::Event);
    app.signals.publish(Signal::Work);
    Ok(())
}

async fn lost_once(app: &App, workspace_id: WorkspaceId, session: AttemptId, reason: DisconnectReason) -> Result<()> {
    db::write(&app.db, "channel.lost", async |tx| {
        let workspace = workspaces::lock(tx, workspace_id).await?;
        let told = match store::connected_by_session(tx, session).await? {
            Some(channel) => end(app, tx, &Origin::provider(), &workspace, &channel, reason).await?,
            None => worse(app, tx, session, reason).await?,
        };
        match told.filter(|channel| !reconnect::is_kept(app, channel)) {
            Some(channel) => end_session(app, tx, &channel).await,
            None => Ok(()),
        }
    })
    .await
}

/// News of a channel that is disconnected and kept: as it is then, if they are worse.
async fn worse(
    app: &App,
    tx: &DatabaseTransaction,
    session: AttemptId,
    reason: DisconnectReason,
) -> Result<Option<Model>> {
    let Some(channel) = store::by_session(tx, session).await?.filter(|found| reconnect::is_kept(app, found)) else {
        return Ok(None);
    };
    let is_worse = match reason {
        DisconnectReason::Banned => true,
        DisconnectReason::LoggedOut => channel.disconnect_reason == Some(DisconnectReason::Stopped),
        _ => false,
    };
    if is_worse && store::set_reason(app, tx, &channel, reason).await? {
        let channel = Model { disconnect_reason: Some(reason), ..channel };
        tell_reason(app, tx, &channel, reason).await?;
        return Ok(Some(channel));
    }
    Ok(None)
}

/// Has a channel's session removed at its provider, after the transaction.
async fn end_session(app: &App, tx: &DatabaseTransaction, channel: &Model) -> Result<()> {
    let work = Work::EndSession { connector: channel.connector, session: channel.session };
    queue::enqueue(app, tx, &work).await
}

/// Lets a session go that its provider has kept for [`KEPT_SECONDS`], whatever it looks like.
pub(crate) async fn let_go_old(app: &App, session: AttemptId) -> Result<()> {
    let is_old = |channel: &Model| {
        let until = channel.disconnected_at.map(|at| at.plus_seconds(KEPT_SECONDS));
        reconnect::is_kept(app, channel) && until.is_some_and(|until| until <= app.clock.now())
    };
    let Some(seen) = store::by_session(app.db.reader(), session).await?.filter(is_old) else { return Ok(()) };
    let once = || async {
        db::write(&app.db, "channel.let_go", async |tx| {
            workspaces::lock(tx, seen.workspace_id).await?;
            if let Some(channel) = store::by_session(tx, session).await?.filter(is_old) {
                let_go(app, tx, &channel, DisconnectReason::Requested).await?;
            }
            Ok(())
        })
        .await
    };
    db::retried(once).await?;
    app.signals.publish(Signal::Work);
    Ok(())
}

/// Ends a session that no channel knows, and that nobody is linking.
pub(crate) async fn end_stray(app: &App, connector: ConnectorKind, session: AttemptId) -> Result<()> {
    let db = app.db.reader();
    if store::by_session(db, session).await?.is_some() || !sessions::is_open(db, session).await? {
        return Ok(());
    }
    let work = Work::EndSession { connector, session };
    db::write(&app.db, "channel.end_stray", async |tx| queue::enqueue(app, tx, &work).await).await?;
    app.signals.publish(Signal::Work);
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
        None => let_go(app, tx, channel, reason).await.map(|_| ()),
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
        end_session(app, tx, channel).await?;
    }
    Ok(ended)
}

/// Gives up the session of a channel that is disconnected, where its provider has kept it; tells whether it had.
pub(super) async fn let_go(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &Model,
    reason: DisconnectReason,
) -> Result<bool> {
    if !reconnect::is_kept(app, channel) || !store::set_reason(app, tx, channel, reason).await? {
        return Ok(false);
    }
    end_session(app, tx, channel).await?;
    Ok(true)
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
    if reason != DisconnectReason::Deleted {
        hook::tell::channel(app, tx, HookEvent::Disconnected, ended, json!({ "reason": reason })).await?;
    }
    tell_reason(app, tx, ended, reason).await
}

/// Tells what somebody has to do about it, if anything.
async fn tell_reason(app: &App, tx: &DatabaseTransaction, ended: &Model, reason: DisconnectReason) -> Result<()> {
    let why = || json!({ "reason": reason });
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
