//! Moving an attempt on: ask its connector how the session looks, then write down what follows.
//!
//! The connector is asked outside the transaction; what it says is applied under the link's lock, to an attempt that
//! is still alive. Any number of workers may do this at once.

use entity::{
    attempt::{self, Failure},
    channel::ConnectorKind,
    id::{AttemptId, LinkId},
    link,
    timestamp::Timestamp,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    audit,
    caller::Origin,
    channel::connect::{self, Connected},
    connector::{Account, Observation, Start, checkpoint::Kind, target::Login},
    db,
    error::{Error, Result},
    onboarding::{
        asks_for_login, end_of, open,
        state::{self, Event},
        store,
    },
    queue::{self, Work},
    signal::Signal,
    webhook::hook,
    workspace as workspaces,
};

/// Longest life of an attempt, in seconds.
pub(super) const ATTEMPT_SECONDS: i64 = 300;
/// How long whoever looks at an attempt has it for itself, in seconds.
pub(super) const LEASE_SECONDS: i64 = 10;
const DUE_AT_ONCE: usize = 100;
/// How many are looked through for them: more than may be waited for at once.
const LOOKED_THROUGH: u64 = 600;

/// What an observation follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Somebody has looked.
    Look,
    /// The last question was answered: what is asked now is another one.
    Answer,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advanced {
    /// It was looked at and, if there was news, changed.
    Looked,
    /// There is no such attempt, or it is over.
    NotLive,
}

/// Moves on all attempts that are due; returns how many.
///
/// # Errors
/// What the database says; a connector's failure is logged and its attempt looked at again after the lease.
pub async fn advance_due(app: &App) -> Result<usize> {
    let taken = take_due(app, &[], |_, _| true).await?;
    for (_, attempt) in &taken {
        look(app, *attempt).await;
    }
    Ok(taken.len())
}

/// Takes the attempts that are due and wanted, but for those of some connectors, to be looked at within the lease: whose
/// they are, and which.
///
/// # Errors
/// What the database says.
pub(crate) async fn take_due(
    app: &App,
    without: &[ConnectorKind],
    is_wanted: impl Fn(Option<ConnectorKind>, AttemptId) -> bool,
) -> Result<Vec<(Option<ConnectorKind>, AttemptId)>> {
    let mut due = store::due(app.db.reader(), app.clock.now(), LOOKED_THROUGH, without).await?;
    due.retain(|attempt| is_wanted(attempt.connector, attempt.id));
    due.truncate(DUE_AT_ONCE);
    let mut taken = Vec::new();
    for attempt in due {
        let lease = app.clock.now().plus_seconds(LEASE_SECONDS);
        if db::write(&app.db, "attempt.lease", async |tx| store::lease(tx, &attempt, lease).await).await? {
            taken.push((attempt.connector, attempt.id));
        }
    }
    Ok(taken)
}

/// Moves an attempt on that was taken.
pub(crate) async fn look(app: &App, id: AttemptId) {
    if let Err(error) = advance(app, id).await {
        tracing::warn!(%error, attempt.id = %id, "an attempt is looked at again later");
    }
}

/// When the next attempt is due.
///
/// # Errors
/// What the database says.
pub async fn next_due(app: &App) -> Result<Option<Timestamp>> {
    store::next_due(app.db.reader()).await
}

/// Moves one attempt on.
///
/// # Errors
/// What the connector or the database says.
pub async fn advance(app: &App, id: AttemptId) -> Result<Advanced> {
    let Some(attempt) = store::attempt(app.db.reader(), id).await?.filter(|found| state::is_live(found.state)) else {
        return Ok(Advanced::NotLive);
    };
    let observation = observe(app, &attempt).await?;
    apply(app, &attempt, &observation, After::Look).await?;
    Ok(Advanced::Looked)
}

/// Begins an attempt with what its account signs in with, which is forgotten then: an attempt whose provider does not
/// answer fails.
pub(super) async fn sign_in(app: &App, id: AttemptId, login: &Login) -> Result<()> {
    let Some(attempt) = store::attempt(app.db.reader(), id).await?.filter(|found| state::is_live(found.state)) else {
        return Ok(());
    };
    let observation = match begin(app, &attempt, Some(login)).await {
        Ok(observation) => observation,
        Err(error) => {
            tracing::warn!(%error, attempt.id = %attempt.id, "an account could not be signed in");
            Observation::Ended(Failure::ProviderUnavailable)
        }
    };
    apply(app, &attempt, &observation, After::Look).await
}

/// Writes down what follows, and tells pages and workers of it.
pub(super) async fn apply(app: &App, attempt: &attempt::Model, observation: &Observation, after: After) -> Result<()> {
    if let Some(link_id) = db::retried(|| apply_once(app, attempt, observation, after)).await? {
        app.signals.publish(Signal::Link(link_id));
        app.signals.publish(Signal::Work);
    }
    Ok(())
}

async fn observe(app: &App, attempt: &attempt::Model) -> Result<Observation> {
    let is_over = attempt.expires_at <= app.clock.now();
    match ask(app, attempt).await {
        Ok(Observation::Asking(_)) if is_over => Ok(Observation::Ended(Failure::ChallengeExpired)),
        Ok(Observation::Waiting { .. } | Observation::Starting { .. } | Observation::Impaired { .. }) if is_over => {
            Ok(Observation::Ended(Failure::QrExpired))
        }
        Err(error) if is_over => {
            tracing::warn!(%error, attempt.id = %attempt.id, "an attempt ends without an answer of its provider");
            Ok(Observation::Ended(Failure::ProviderUnavailable))
        }
        other => other,
    }
}

async fn ask(app: &App, attempt: &attempt::Model) -> Result<Observation> {
    let Some(kind) = attempt.connector else { return Ok(Observation::Ended(Failure::NoConnector)) };
    if attempt.state != attempt::State::Connecting {
        return app.connectors.get(kind).observe(app, attempt.id).await;
    }
    begin(app, attempt, None).await
}

/// Starts the session of an attempt. One that has to be signed in can only be looked at by who does not know with what.
async fn begin(app: &App, attempt: &attempt::Model, login: Option<&Login>) -> Result<Observation> {
    let Some(kind) = attempt.connector else { return Ok(Observation::Ended(Failure::NoConnector)) };
    let connector = app.connectors.get(kind);
    let link = store::by_id(app.db.reader(), attempt.link_id).await?.ok_or(Error::LinkNotFound)?;
    if login.is_none() && asks_for_login(link.network) {
        return connector.observe(app, attempt.id).await;
    }
    let workspace = super::workspace_of(app.db.reader(), attempt.workspace_id).await?;
    let start = Start { session: attempt.id, partner_id: &workspace.partner_id, network: link.network, login };
    connector.start(app, &start).await
}

/// Writes down what follows; tells the link if anything changed.
async fn apply_once(
    app: &App,
    seen: &attempt::Model,
    observation: &Observation,
    after: After,
) -> Result<Option<LinkId>> {
    db::write(&app.db, "attempt.advance", async |tx| {
        // Before the link's, as everywhere: whoever adds a channel holds the workspace.
        if matches!(observation, Observation::Connected(_)) {
            workspaces::lock(tx, seen.workspace_id).await?;
        }
        let link = store::lock(tx, seen.link_id).await?.ok_or(Error::LinkNotFound)?;
        let Some(attempt) = store::live_attempt(tx, link.id).await?.filter(|alive| alive.id == seen.id) else {
            return Ok(None);
        };
        match observation {
            Observation::Waiting { qr, look_again_at } => {
                let Some(state) = state::next(attempt.state, Event::Waits) else { return Ok(None) };
                let due_at = (*look_again_at).min(attempt.expires_at);
                let is_news = store::set_waiting(app, tx, &attempt, state, qr.as_ref(), due_at).await?;
                return Ok(is_news.then_some(link.id));
            }
            // A picture comes with a script of somebody else's, which no page of ours loads.
            Observation::Asking(asked) if asked.checkpoint.kind == Kind::Captcha => {
                ended(app, tx, &link, &attempt, Failure::ChallengeUnsupported).await?;
            }
            Observation::Asking(asked) => {
                let Some(state) = state::next(attempt.state, Event::Waits) else { return Ok(None) };
                let is_news = store::set_asking(app, tx, &attempt, state, asked, after).await?;
                return Ok(is_news.then_some(link.id));
            }
            Observation::Starting { look_again_at } | Observation::Impaired { look_again_at } => {
                store::look_again(tx, &attempt, (*look_again_at).min(attempt.expires_at)).await?;
                return Ok(None);
            }
            Observation::Connected(account) => connected(app, tx, &link, &attempt, account).await?,
            // A pairing code that was asked for meanwhile has given it more time: it is looked at again.
            Observation::Ended(_) if attempt.revision != seen.revision => return Ok(None),
            Observation::Ended(failure) => ended(app, tx, &link, &attempt, *failure).await?,
        }
        Ok(Some(link.id))
    })
    .await
}

async fn connected(
    app: &App,
    tx: &DatabaseTransaction,
    link: &link::Model,
    attempt: &attempt::Model,
    account: &Account,
) -> Result<()> {
    let connector = attempt.connector.ok_or(Error::NoLiveAttempt)?;
    let workspace = match open::check_served(tx, link).await {
        Ok((workspace, _)) => workspace,
        Err(Error::WorkspaceSuspended | Error::UserNotActive) => {
            return ended(app, tx, link, attempt, Failure::NotActive).await;
        }
        Err(error) => return Err(error),
    };
    if end_of(link, app.clock.now()).is_some() {
        return ended(app, tx, link, attempt, Failure::QrExpired).await;
    }
    let channel = match connect::record(app, tx, &workspace, link, attempt, connector, account).await? {
        Connected::Channel(channel) => channel,
        Connected::Duplicate => return ended(app, tx, link, attempt, Failure::DuplicateAccount).await,
        Connected::LimitReached => return ended(app, tx, link, attempt, Failure::ChannelLimitReached).await,
    };
    if let Some(state) = state::next(attempt.state, Event::Connects) {
        store::end_attempt(app, tx, attempt, state, None, Some(channel.account_id)).await?;
    }
    store::close_link(app, tx, link.id, link::State::Used).await?;
    let entry = audit::Entry::in_workspace("channel.connect", &workspace, channel.id)
        .after(serde_json::json!({ "account_id": channel.account_id, "user_id": channel.user_id }));
    audit::record(app, tx, &Origin::provider(), entry).await?;
    connect::tell_account(app, tx, &workspace, &channel).await
}

/// Ends an attempt that did not connect, and its session with it.
pub(super) async fn ended(
    app: &App,
    tx: &DatabaseTransaction,
    link: &link::Model,
    attempt: &attempt::Model,
    failure: Failure,
) -> Result<()> {
    hook::tell::attempt(app, tx, link, attempt, failure).await?;
    if let Some(state) = state::next(attempt.state, Event::Ends(failure)) {
        store::end_attempt(app, tx, attempt, state, Some(failure), None).await?;
    }
    if let Some(connector) = attempt.connector {
        queue::enqueue(app, tx, &Work::EndSession { connector, session: attempt.id }).await?;
    }
    Ok(())
}
