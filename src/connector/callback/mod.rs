//! What providers tell us: checked, noted and queued at once, done later by a worker.
//!
//! Nothing of a callback is read before it is known to be the provider's. It is noted by the provider's own id of it in
//! the transaction that queues what follows from it, so that one that comes twice is done once, and one that is lost
//! on our side comes again. They may come in any order: a session is looked at whatever is said of it, statuses of
//! messages do not go backwards, messages have ids and are stored in the order in which they came, and of two changes of
//! one thing the later counts.

use std::collections::HashMap;

use entity::{
    channel::ConnectorKind,
    id::{AttemptId, ChannelId, CredentialId, WorkspaceId},
    timestamp::Timestamp,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    channel as channels,
    connector::{
        bridge::Bridge,
        registry,
        session::{self, Session},
    },
    db,
    error::{Error, Result},
    message::status::{Receipt, ReceiptEvent},
    queue::{self, Work},
    secret,
    signal::Signal,
    workspace as workspaces,
};

pub mod direct;
mod media;
pub mod perform;

/// A request of a provider.
#[derive(Clone, Debug)]
pub struct Callback {
    /// Its headers, by their names in lower case.
    pub headers: HashMap<String, String>,
    /// Its body as it came.
    pub body: Vec<u8>,
}

impl Callback {
    /// A header; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What a callback says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The provider's own id of it, or what stands for one.
    pub id: String,
    /// What happened, in its order; nothing for what we have no use for.
    pub events: Vec<Happened>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// When, as the provider says.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// What happened in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It is to be looked at.
    SessionChanged,
    /// Somebody wrote.
    Message(Brought),
    /// A message of the account has gone out.
    GoneOut(Gone),
    /// Something became of a message of the account.
    Receipt {
        /// Our form of the provider's id of it.
        provider_ref: String,
        /// What.
        receipt: ReceiptEvent,
    },
    /// Somebody reacted.
    Reaction {
        /// Our form of the provider's id of the message.
        provider_ref: String,
        /// The provider's address of who reacted.
        from: String,
        /// With what; `None` takes it back.
        emoji: Option<String>,
    },
    /// The account's owner reacted, on a phone.
    OwnReaction {
        /// Our form of the provider's id of the message.
        provider_ref: String,
        /// With what; `None` takes it back.
        emoji: Option<String>,
    },
}

/// What somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// The provider's address of the chat.
    pub chat: String,
    /// The provider's address of who wrote, in a group.
    pub author: Option<String>,
    /// What is written, possibly nothing.
    pub text: String,
    /// The file that came with it.
    pub media: Option<Media>,
    /// Our form of the provider's id of it.
    pub provider_ref: String,
    // Work that was queued before has none of these four.
    /// What who wrote calls themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the group is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// The ids under which we may know the message that it answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
    /// When it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
}

/// A message of the account: one that we had sent, or one that was written on a phone or by another program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// The provider's address of the chat.
    pub chat: String,
    /// What it says, possibly nothing.
    pub text: String,
    /// The file that went with it.
    pub media: Option<Media>,
    /// Our form of the provider's id of it.
    pub provider_ref: String,
    /// Whether the provider says that a person wrote it on a device of the account's.
    #[serde(default)]
    pub is_typed: bool,
    /// What has become of it already.
    pub receipt: Option<ReceiptEvent>,
    /// The ids under which we may know the message that it answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")] // work that was queued before has none
    pub answers: Vec<String>,
    /// When it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")] // nor this
    pub told_at: Option<Timestamp>,
}

/// A file that the provider keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where it is, in the provider's words; absent where the provider could not get it.
    pub url: Option<String>,
    /// What it is said to be.
    pub content_type: Option<String>,
    /// Its name.
    pub filename: Option<String>,
}

impl Event {
    /// The name of what it changes, where only the latest change counts.
    fn about(&self) -> Option<String> {
        match self {
            Self::Reaction { provider_ref, from, .. } => Some(format!("reaction:{provider_ref}:{from}")),
            Self::OwnReaction { provider_ref, .. } => Some(format!("reaction:{provider_ref}")),
            _ => None,
        }
    }
}

/// Where the provider of a channel brings what comes to it: what its session was told; or where nothing was told to
/// anybody, an address of the channel's own.
#[must_use]
pub fn address(app: &App, connector: ConnectorKind, channel: ChannelId, session: AttemptId) -> String {
    match app.connectors.keeps_sessions(connector) {
        true => session_address(app, connector, session),
        false => own_address(app, channel),
    }
}

/// The address that a channel shows: that of its key, where its provider has one for all accounts of it; else the channel's
/// own, which leads to the session that it has now and does not change with it.
#[must_use]
pub fn shown_address(app: &App, connector: ConnectorKind, channel: ChannelId, key: Option<CredentialId>) -> String {
    match (app.connectors.bridge(connector), key) {
        (Some(bridge), Some(key)) if !bridge.has_own_addresses() => key_address(app, connector, key),
        _ => own_address(app, channel),
    }
}

/// The keys of these sessions, all of one workspace, whose providers call back at an address of their key: that with
/// which a session was begun, else the one with which it would be.
pub(crate) async fn keys(
    app: &App,
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    sessions: &[(ConnectorKind, AttemptId)],
) -> Result<HashMap<AttemptId, CredentialId>> {
    let is_shared = |kind| app.connectors.bridge(kind).is_some_and(|bridge| !bridge.has_own_addresses());
    let sessions: Vec<_> = sessions.iter().copied().filter(|(kind, _)| is_shared(*kind)).collect();
    if sessions.is_empty() {
        return Ok(HashMap::new());
    }
    let mut keys = session::credentials(db, sessions.iter().map(|(_, session)| *session)).await?;
    for (kind, session) in sessions {
        if !keys.contains_key(&session)
            && let Some(workspace) = workspaces::by_id(db, workspace_id).await?
            && let Some(key) = registry::credential_of(db, kind, &workspace.partner_id).await?
        {
            keys.insert(session, key);
        }
    }
    Ok(keys)
}

fn own_address(app: &App, channel: ChannelId) -> String {
    format!("{}/callbacks/ch_{channel}", app.config.public_url)
}

/// Where a provider tells us of all accounts of a key.
pub(super) fn key_address(app: &App, connector: ConnectorKind, key: CredentialId) -> String {
    format!("{}{}", app.config.public_url, key_path(connector, key))
}

/// The end of that address, which is the same wherever we are.
pub(super) fn key_path(connector: ConnectorKind, key: CredentialId) -> String {
    format!("/callbacks/app/{connector}/{key}")
}

/// Where a provider tells us of a session.
pub(super) fn session_address(app: &App, connector: ConnectorKind, session: AttemptId) -> String {
    format!("{}/callbacks/{connector}/{session}", app.config.public_url)
}

/// Takes a callback about a session.
///
/// # Errors
/// `route_not_found` if there is no such session; `invalid_signature` if it is not the provider's; `invalid_request`
/// if it cannot be read.
pub async fn take(app: &App, connector: ConnectorKind, id: AttemptId, callback: &Callback) -> Result<()> {
    let bridge = app.connectors.bridge(connector).ok_or(Error::RouteNotFound)?;
    let Some(session) = session::find_any(app, connector, id).await? else {
        // A channel that has not begun its session yet shows this address; nobody can prove anything there before.
        let channel = channels::by_session(app.db.reader(), id).await?;
        let is_shown = channel.is_some_and(|channel| channel.connector == connector);
        return Err(if is_shown { Error::InvalidSignature } else { Error::RouteNotFound });
    };
    if !bridge.is_genuine(app, &session, callback) {
        return Err(Error::InvalidSignature);
    }
    heard(app, bridge, &session, callback).await
}

/// Takes a callback that comes to the address of a provider's key. What is about no session of ours is left alone: the
/// key may have other uses.
///
/// # Errors
/// As [`take`].
pub async fn take_for_all(app: &App, connector: ConnectorKind, id: CredentialId, callback: &Callback) -> Result<()> {
    let bridge = app.connectors.bridge(connector).ok_or(Error::RouteNotFound)?;
    let standing = registry::callbacks(app, id).await?;
    if standing.connector != connector {
        return Err(Error::RouteNotFound);
    }
    if !bridge.is_genuine_for_all(standing.secret.expose_secret(), callback) {
        return Err(Error::InvalidSignature);
    }
    let Some(account) = bridge.account_of(callback)? else { return Ok(()) };
    match session::find_external(app, connector, id, &account).await? {
        Some(session) => heard(app, bridge, &session, callback).await,
        None => Ok(()),
    }
}

/// Notes what a genuine callback says, and queues what follows.
async fn heard(app: &App, bridge: &dyn Bridge, session: &Session, callback: &Callback) -> Result<()> {
    let heard = bridge.read(app, session, callback)?;
    if heard.events.is_empty() || session.row.ended_at.is_some() {
        return Ok(());
    }
    let is_new = db::write(&app.db, "connector.callback", async |tx| {
        let mut is_new = false;
        for (index, Happened { at, event }) in heard.events.into_iter().enumerate() {
            let id = if index == 0 { heard.id.clone() } else { format!("{}:{index}", heard.id) };
            let about = event.about().map(|about| secret::digest(&about));
            let taken = session::Taken { digest: secret::digest(&id), about, happened_at: at };
            if session::take_callback(app, tx, session.id(), taken).await? {
                is_new |= note(app, tx, session, event, at).await?;
            }
        }
        Ok(is_new)
    })
    .await?;
    if is_new {
        app.signals.publish(Signal::Work);
    }
    Ok(())
}

/// Queues what follows; tells whether something does.
async fn note(
    app: &App,
    tx: &DatabaseTransaction,
    session: &Session,
    event: Event,
    happened_at: Timestamp,
) -> Result<bool> {
    let connector = session.row.connector;
    let work = match event {
        Event::SessionChanged => Work::SessionChanged { connector, session: session.id() },
        Event::Receipt { provider_ref, receipt } => {
            // Without an account there is no message of ours.
            let Some(channel) = channels::connected_by_session(tx, session.id()).await? else { return Ok(false) };
            let provider_ref = Some(provider_ref);
            let receipt = Receipt { account_id: channel.account_id, message_id: None, provider_ref, event: receipt };
            Work::MessageStatus { receipt, heard_at: Some(app.clock.now()) }
        }
        event => {
            let heard_at = app.clock.now();
            Work::ProviderEvent { connector, session: session.id(), event: Box::new(event), happened_at, heard_at }
        }
    };
    queue::enqueue(app, tx, &work).await?;
    Ok(true)
}
