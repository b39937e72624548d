//! Connecting a channel that was made over the Channels API: signed in with its settings, or by a phone that scans.
//!
//! Each try has a session of its own. While it waits for a phone its window is open: a code can be read, and a worker
//! looks at the session until a phone has scanned, or nobody has in time.

use entity::{
    attempt::Failure,
    channel::{ConnectorKind, DisconnectReason, Model, State},
    channel_settings::{self, Health},
    id::AttemptId,
    timestamp::Timestamp,
    workspace,
};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    channel::{
        connect, disconnect,
        named::{self, Named},
        reconnect, sealed, store,
        store::{settings, standalone},
        update, wait,
    },
    connector::{
        Account, Qr, callback,
        checkpoint::Asked,
        session,
        target::{SignIn, Target},
    },
    db,
    error::{Error, Result},
    queue::{self, Work},
    signal::Signal,
    webhook::hook::{self, HookEvent},
    workspace as workspaces,
};

/// Longest time that a session waits for a phone, in seconds.
pub const WINDOW_SECONDS: i64 = 300;
/// How long whoever looks at a session has it for itself, in seconds.
const LEASE_SECONDS: i64 = 10;
const DUE_AT_ONCE: usize = 100;
/// How many are looked through for them: more than may be waited for at once.
const LOOKED_THROUGH: u64 = 600;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Linked {
    /// The channel is connected.
    Connected,
    /// A phone has to scan a code.
    Waiting,
    /// The network asks something first.
    Asking(Asked),
    /// The session ended.
    Ended(Failure),
    /// The provider does not take the settings, in a sentence.
    Refused(String),
    /// Somebody else has changed the channel meanwhile.
    Overtaken,
}

impl Linked {
    /// The error for somebody who wanted the channel connected.
    #[must_use]
    pub fn into_error(self) -> Error {
        match self {
            Self::Refused(reason) => Error::AuthInvalid(reason),
            Self::Ended(Failure::AuthInvalid) => {
                Error::AuthInvalid("the provider does not accept the key that the operator has set for it".to_owned())
            }
            Self::Ended(Failure::LoginRefused) => {
                Error::AuthInvalid("the network does not accept the user name and the password".to_owned())
            }
            Self::Ended(Failure::Banned) => Error::AccountRestricted("the network has banned the account"),
            Self::Ended(Failure::PaymentRequired) => Error::AccountRestricted("the network asks for a payment first"),
            Self::Ended(Failure::DuplicateAccount) => Error::ChannelExists("it is connected already".to_owned()),
            Self::Ended(Failure::ChallengeExpired) => Error::ChallengeExpired,
            Self::Ended(Failure::QrUnavailable) => Error::QrCodeNotAvailable("the provider shows none"),
            Self::Ended(failure) => Error::ChannelRefused(format!("the session ended: {failure}")),
            Self::Connected | Self::Waiting | Self::Asking(_) | Self::Overtaken => Error::Contention,
        }
    }
}

/// A code to show.
pub struct Code {
    /// The code.
    pub qr: Qr,
    /// When no more codes are shown.
    pub window_ends_at: Timestamp,
}

/// Connects a channel; one that is connected stays so, a window that is open stays open, and a session that was lost and
/// works again is used again.
///
/// # Errors
/// `channel_not_found`; `invalid_request` naming a setting that is missing; `channel_refused` for a channel that was
/// linked with a page; `provider_unavailable`, `provider_limited`.
pub async fn connect(app: &App, caller: &WorkspaceCaller, origin: &Origin, named: &Named) -> Result<Linked> {
    let channel = named::find(app.db.reader(), caller.workspace.id, named).await?;
    if reconnect::look(app, &channel).await? {
        return Ok(Linked::Connected);
    }
    let (target, connector) = match db::retried(|| begin_once(app, caller, origin, named)).await? {
        Begun::Already(linked) => return Ok(linked),
        Begun::New(target, connector) => (target, connector),
    };
    let mut refusal = Error::ProviderUnavailable;
    let signed_in = match app.connectors.get(connector).sign_in(app, &target).await {
        Ok(signed_in) => signed_in,
        Err(error) => {
            tracing::warn!(%error, channel.id = %target.channel_id, "a channel could not be connected");
            if matches!(error, Error::ProviderLimited { .. }) {
                refusal = error;
            }
            SignIn::Ended(Failure::ProviderUnavailable)
        }
    };
    let linked = db::retried(|| apply_once(app, origin, target.session, &signed_in)).await?;
    app.signals.publish(Signal::Work);
    match linked {
        Linked::Ended(Failure::ProviderUnavailable) => Err(refusal),
        linked => Ok(linked),
    }
}

/// The code that the channel's session shows now; the first one is waited for.
///
/// # Errors
/// `channel_not_found`; `qr_code_not_available` while no window is open, and where no code comes in time;
/// `provider_unavailable`, `provider_limited`.
pub async fn code(app: &App, workspace_id: entity::id::WorkspaceId, named: &Named) -> Result<Code> {
    let db = app.db.reader();
    let channel = named::find(db, workspace_id, named).await?;
    let row = settings::find(db, workspace_id, channel.account_id).await?;
    let window = row.and_then(|row| row.connecting_until).filter(|end| *end > app.clock.now());
    let Some(window_ends_at) = window else {
        let is_connected = channel.state == State::Connected;
        let why = if is_connected { "the channel is connected" } else { "nothing waits for a phone" };
        return Err(Error::QrCodeNotAvailable(why));
    };
    match SignIn::from(wait::first_code(app, &channel).await?) {
        SignIn::Waiting { qr: Some(qr), .. } => Ok(Code { qr, window_ends_at }),
        SignIn::Waiting { qr: None, .. } => Err(Error::QrCodeNotAvailable("there is no code just now")),
        SignIn::Asking(_) => Err(Error::QrCodeNotAvailable("the network asks for something else")),
        other => {
            let origin = Origin::provider();
            db::retried(|| apply_once(app, &origin, channel.session, &other)).await?;
            Err(Error::QrCodeNotAvailable("nothing waits for a phone any more"))
        }
    }
}

/// Looks at a session that may belong to a channel that waits; tells whether it does.
pub(crate) async fn session_changed(app: &App, connector: ConnectorKind, session: AttemptId) -> Result<bool> {
    let Some(channel) = store::by_session(app.db.reader(), session).await? else { return Ok(false) };
    if channel.state == State::Connected {
        return Ok(false);
    }
    let row = settings::find(app.db.reader(), channel.workspace_id, channel.account_id).await?;
    let Some(until) = row.and_then(|row| row.connecting_until) else { return Ok(false) };
    let is_over = until <= app.clock.now();
    let seen = match app.connectors.get(connector).observe(app, session).await {
        Ok(observation) => SignIn::from(observation),
        Err(error) if is_over => {
            tracing::warn!(%error, channel.id = %channel.id, "a window closes without an answer of its provider");
            SignIn::Ended(Failure::ProviderUnavailable)
        }
        Err(error) => return Err(error),
    };
    let seen = match seen {
        SignIn::Waiting { .. } if is_over => SignIn::Ended(Failure::QrExpired),
        SignIn::Asking(_) if is_over => SignIn::Ended(Failure::ChallengeExpired),
        seen => seen,
    };
    let origin = Origin::provider();
    db::retried(|| apply_once(app, &origin, session, &seen)).await?;
    app.signals.publish(Signal::Work);
    Ok(true)
}

/// Looks at all sessions that are due; returns how many.
///
/// # Errors
/// What the database says; a connector's failure is logged and its session looked at again after the lease.
pub async fn advance_due(app: &App) -> Result<usize> {
    let taken = take_due(app, &[], |_, _| true).await?;
    for (connector, session) in &taken {
        look(app, *connector, *session).await;
    }
    Ok(taken.len())
}

/// Takes the sessions that are due and wanted, but for those of some connectors, to be looked at within the lease.
///
/// # Errors
/// What the database says.
pub(crate) async fn take_due(
    app: &App,
    without: &[ConnectorKind],
    is_wanted: impl Fn(ConnectorKind, AttemptId) -> bool,
) -> Result<Vec<(ConnectorKind, AttemptId)>> {
    let now = app.clock.now();
    let mut due = settings::due(app.db.reader(), now, LOOKED_THROUGH, without).await?;
    due.retain(|one| is_wanted(one.connector, one.session));
    due.truncate(DUE_AT_ONCE);
    let mut taken = Vec::new();
    for one in due {
        let lease = now.plus_seconds(LEASE_SECONDS);
        if db::write(&app.db, "channel.lease", async |tx| settings::lease(tx, &one, lease).await).await? {
            taken.push((one.connector, one.session));
        }
    }
    Ok(taken)
}

/// Looks at a session that was taken.
pub(crate) async fn look(app: &App, connector: ConnectorKind, session: AttemptId) {
    if let Err(error) = session_changed(app, connector, session).await {
        tracing::warn!(%error, session.id = %session, "a session is looked at again later");
    }
}

/// When the next one is due.
///
/// # Errors
/// What the database says.
pub async fn next_due(app: &App) -> Result<Option<Timestamp>> {
    settings::next_due(app.db.reader()).await
}

/// Closes a window that is open, within a transaction; its session is ended after it.
pub(super) async fn give_up_in(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &Model,
    row: &mut channel_settings::Model,
) -> Result<bool> {
    row.look_at = None;
    if row.connecting_until.take().is_none() {
        return Ok(false);
    }
    queue::enqueue(app, tx, &Work::EndSession { connector: channel.connector, session: channel.session }).await?;
    Ok(true)
}

/// What connecting begins with.
enum Begun {
    Already(Linked),
    New(Target, ConnectorKind),
}

async fn begin_once(app: &App, caller: &WorkspaceCaller, origin: &Origin, named: &Named) -> Result<Begun> {
    db::write(&app.db, "channel.begin", async |tx| {
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let channel = named::find(tx, workspace.id, named).await?;
        if channel.state == State::Connected {
            return Ok(Begun::Already(Linked::Connected));
        }
        if !channel.standalone {
            let reason = "the account was linked with a page of its user's; link it again with a new page";
            return Err(Error::ChannelRefused(reason.to_owned()));
        }
        let mut row = update::row_of(app, tx, &channel).await?;
        let now = app.clock.now();
        if row.connecting_until.is_some_and(|until| until > now) {
            return Ok(Begun::Already(Linked::Waiting));
        }
        let config = sealed::open(app, channel.id, &row)?;
        config.require_fit(channel.network, channel.connector)?;
        give_up_in(app, tx, &channel, &mut row).await?;
        disconnect::let_go(app, tx, &channel, DisconnectReason::NewLink).await?;
        let session = AttemptId(app.clock.uuid());
        standalone::set_session(app, tx, &channel, session).await?;
        row.connecting_until = Some(now.plus_seconds(WINDOW_SECONDS));
        row.link_failure = None;
        row.look_at = Some(now.plus_seconds(LEASE_SECONDS));
        settings::save(tx, &row).await?;
        let entry = audit::Entry::in_workspace("channel.begin", &workspace, channel.id);
        audit::record(app, tx, origin, entry.after(json!({ "session": session }))).await?;
        let target = target_of(app, &workspace, &Model { session, ..channel }, config.whole());
        Ok(Begun::New(target.0, target.1))
    })
    .await
}

/// A channel as its connector sees it.
pub(super) fn target_of(
    app: &App,
    workspace: &workspace::Model,
    channel: &Model,
    config: serde_json::Map<String, serde_json::Value>,
) -> (Target, ConnectorKind) {
    let target = Target {
        channel_id: channel.id,
        session: channel.session,
        partner_id: workspace.partner_id.clone(),
        network: channel.network,
        config,
        callback_url: callback::address(app, channel.connector, channel.id, channel.session),
    };
    (target, channel.connector)
}

/// Writes down what came of a session, if the channel still waits for it.
pub(super) async fn apply_once(app: &App, origin: &Origin, session: AttemptId, seen: &SignIn) -> Result<Linked> {
    let Some(channel) = store::by_session(app.db.reader(), session).await? else { return Ok(Linked::Overtaken) };
    db::write(&app.db, "channel.link", async |tx| {
        let workspace = workspaces::lock(tx, channel.workspace_id).await?;
        let now_there = named::find(tx, workspace.id, &Named::Id(channel.id)).await?;
        let row = settings::find(tx, workspace.id, channel.account_id).await?;
        let Some(mut row) = row.filter(|row| row.connecting_until.is_some()) else { return Ok(Linked::Overtaken) };
        if now_there.session != session || now_there.state == State::Connected {
            return Ok(Linked::Overtaken);
        }
        let now = app.clock.now();
        let linked = match seen {
            SignIn::Waiting { look_again_at, .. } => {
                return look_again(tx, &mut row, (*look_again_at).max(now), Linked::Waiting).await;
            }
            SignIn::Asking(asked) => {
                return look_again(tx, &mut row, asked.look_again_at.max(now), Linked::Asking(asked.clone())).await;
            }
            SignIn::Connected(account) => connected(app, tx, origin, &workspace, &now_there, account, &mut row).await?,
            SignIn::Ended(failure) => Linked::Ended(*failure),
            SignIn::Refused(reason) => Linked::Refused(reason.clone()),
        };
        (row.checked_at, row.updated_at) = (Some(now), now);
        row.link_failure = match &linked {
            Linked::Ended(failure) => Some(*failure),
            Linked::Refused(_) => Some(Failure::LoginRefused),
            _ => None,
        };
        if linked == Linked::Connected {
            (row.connecting_until, row.look_at, row.health, row.worked_at) = (None, None, Health::Healthy, Some(now));
        } else {
            row.health = Health::Unhealthy;
            give_up_in(app, tx, &now_there, &mut row).await?;
        }
        settings::save(tx, &row).await?;
        if let Some((happened, reason)) = trouble(&linked) {
            hook::tell::channel(app, tx, happened, &now_there, json!({ "reason": reason })).await?;
        } else {
            connect::tell_connected(app, tx, channel.account_id).await?;
        }
        Ok(linked)
    })
    .await
}

/// Has the session looked at again, while its window is open.
async fn look_again(
    tx: &DatabaseTransaction,
    row: &mut channel_settings::Model,
    at: Timestamp,
    linked: Linked,
) -> Result<Linked> {
    row.look_at = row.connecting_until.map(|until| at.min(until));
    settings::save(tx, row).await?;
    Ok(linked)
}

/// What is told of a try that did not connect.
fn trouble(linked: &Linked) -> Option<(HookEvent, String)> {
    match linked {
        Linked::Refused(reason) => Some((HookEvent::CredentialsRequired, reason.clone())),
        Linked::Ended(failure @ (Failure::QrExpired | Failure::ChallengeExpired)) => {
            Some((HookEvent::LinkExpired, failure.to_string()))
        }
        Linked::Ended(failure) => Some((HookEvent::Error, failure.to_string())),
        Linked::Connected | Linked::Waiting | Linked::Asking(_) | Linked::Overtaken => None,
    }
}

/// Connects the channel to its account, unless another channel of the workspace has that.
pub(super) async fn connected(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    workspace: &workspace::Model,
    channel: &Model,
    account: &Account,
    row: &mut channel_settings::Model,
) -> Result<Linked> {
    if !session::hold(app, tx, channel.connector, channel.session).await? {
        return Ok(Linked::Ended(Failure::DuplicateAccount));
    }
    match standalone::other_of_account(tx, channel, account).await? {
        Some(other) if other.deleted_at.is_none() => return Ok(Linked::Ended(Failure::DuplicateAccount)),
        Some(deleted) => standalone::forget_account(tx, &deleted).await?,
        None => {}
    }
    let connected = standalone::connect(app, tx, channel, account).await?;
    let channel = connected.ok_or_else(|| Error::Internal("a channel is not there".to_owned()))?;
    row.username.clone_from(&account.username);
    let entry = audit::Entry::in_workspace("channel.connect", workspace, channel.id)
        .after(json!({ "account_id": channel.account_id, "user_id": channel.user_id }));
    audit::record(app, tx, origin, entry).await?;
    connect::tell_account(app, tx, workspace, &channel).await?;
    Ok(Linked::Connected)
}
