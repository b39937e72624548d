//! Connectors: the code that speaks to providers.
//!
//! A connector owns sessions, named by the attempt that starts them. It is asked what a session looks like now
//! ([`Connector::observe`]) and answers with an [`Observation`]; it never touches attempts, links or channels. A
//! provider that pushes makes its connector store [`crate::queue::Work::SessionChanged`], which leads to the same
//! question. Calls may be repeated after a crash, so starting and ending are idempotent.
//!
//! Sending is not repeated: [`Connector::send`] is asked at most once for each try, and says with its [`Delivery`]
//! whether the message may be tried again. What becomes of a message afterwards the provider tells later, as
//! [`crate::queue::Work::MessageStatus`]; what comes from outside goes to [`crate::message::receive`].
//!
//! | connector | networks | what it speaks to |
//! |---|---|---|
//! | [`sandbox`] | all | nobody: phones are simulated |
//! | `waha` | WhatsApp | a WAHA server: sessions, codes, pairing codes, texts and files, receipts, reactions |
//! | `evolution` | WhatsApp | an Evolution API server: the same |
//! | `unipile` | WhatsApp, Telegram, Instagram | Unipile: codes and checkpoints, texts and files, receipts |
//! | [`webchat`] | web chats | nobody: visitors of customers' websites come to us |
//!
//! Real providers are set up by the operator ([`registry`]), called over HTTP ([`call`], [`refusal`]) and call back
//! ([`callback`]). Those that keep sessions of phones share [`bridge`] and [`session`].

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use entity::{
    attempt::Failure,
    channel::{self, ConnectorKind, Network},
    id::{AccountId, AttemptId, MessageId, PartnerId},
    partner,
    timestamp::Timestamp,
};
use reqwest::{Method, RequestBuilder};
use sea_orm::ConnectionTrait;

use crate::{
    app::App,
    connector::{
        bridge::{Bridge, Bridged, Kept},
        call::Patience,
        checkpoint::Asked,
        target::{Check, Login, SignIn, Target},
    },
    error::{Error, Result},
    file::Attachment,
    message::Jid,
    outbound::{self, Outbound},
    phone::Phone,
};

pub mod bridge;
pub mod call;
pub mod callback;
pub mod checkpoint;
mod evolution;
pub mod refusal;
pub mod registry;
pub mod sandbox;
pub mod session;
pub mod target;
mod unipile;
mod waha;
pub mod webchat;

/// How long whoever signs an account in, or answers for it, has its session for itself, in seconds: longer than any
/// provider is waited for.
pub const SIGN_IN_SECONDS: i64 = 60;
/// How long the first code of a session is waited for: most sessions start sooner.
const CODE_PATIENCE: Duration = Duration::from_secs(15);

/// A QR code to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qr {
    /// What the code says.
    pub payload: String,
    /// Its place in the row of codes, from 1.
    pub seq: i32,
    /// When the provider replaces it.
    pub expires_at: Timestamp,
}

/// An account that a session is linked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id on the network.
    pub external_id: String,
    /// Its number, where it has one.
    pub phone: Option<Phone>,
    /// The name by which it is found, where that is not a number.
    pub username: Option<String>,
    /// The name it shows to others, possibly empty.
    pub name: String,
}

impl Account {
    /// An account on WhatsApp.
    #[must_use]
    pub fn whatsapp(phone: Phone, name: String) -> Self {
        Self { external_id: phone.whatsapp_id(), phone: Some(phone), username: None, name }
    }
}

/// A session that is to be started.
pub struct Start<'a> {
    /// The session.
    pub session: AttemptId,
    /// Whose workspace it is for.
    pub partner_id: &'a PartnerId,
    /// The network that it is on.
    pub network: Network,
    /// What the account signs in with; it waits for a phone where absent.
    pub login: Option<&'a Login>,
}

/// What a session looks like now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// It is on its way, or its provider had nothing to say: all is as it was.
    Starting {
        /// When to look again.
        look_again_at: Timestamp,
    },
    /// It is linked, and its provider says that something is wrong with it.
    Impaired {
        /// When to look again.
        look_again_at: Timestamp,
    },
    /// It waits for a phone.
    Waiting {
        /// The code to show; absent when the row of codes has ended and only a pairing code is still good.
        qr: Option<Qr>,
        /// When to look again.
        look_again_at: Timestamp,
    },
    /// The network asks something first.
    Asking(Asked),
    /// It is linked to an account.
    Connected(Account),
    /// It has ended, and why.
    Ended(Failure),
}

/// A code to be typed into a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingCode {
    /// The code as the provider gives it.
    pub code: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// A message to be handed to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Our id of it; a provider that remembers ids of its callers gets this one.
    pub message_id: MessageId,
    /// The account that it goes through.
    pub account_id: AccountId,
    /// The account's session.
    pub session: AttemptId,
    /// Where it goes.
    pub recipient: Jid,
    /// Its text, empty where there is only a file.
    pub text: String,
    /// The file that goes with it.
    pub attachment: Option<Attachment>,
    /// The message that it answers, where the provider knows that one.
    pub answered: Option<Answered>,
}

/// A message that is answered, as its provider knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The provider's own id of it.
    pub provider_ref: String,
    /// The chat that it is in: mostly, but not always, that of the answer.
    pub chat: Jid,
    /// Whether it was sent from the account itself.
    pub is_own: bool,
    /// Its text, empty where there is only a file.
    pub text: String,
}

/// The account's own reaction to a message, as it is to be at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingReaction {
    /// Our id of the message.
    pub message_id: MessageId,
    /// The provider's own id of it.
    pub provider_ref: Option<String>,
    /// The account's session.
    pub session: AttemptId,
    /// Id on the network of the chat that the message is in.
    pub chat: String,
    /// Whether the message was sent from the account itself.
    pub is_to_own_message: bool,
    /// The emoji; `None` takes the reaction back.
    pub emoji: Option<String>,
}

/// What came of handing a message over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The provider has it.
    Accepted {
        /// The provider's own id of it, unique for the account.
        provider_ref: String,
    },
    /// It will never arrive: a second try would end the same.
    Rejected {
        /// Why, as one word or in the provider's words.
        reason: String,
    },
    /// Nothing left, or the provider says that it took nothing: a second try is safe.
    TryLater {
        /// How long the provider asks us to wait, for all messages of the account.
        after: Option<Duration>,
        /// Why, as one word or in the provider's words.
        reason: String,
    },
    /// It may have left, and there was no answer.
    Lost,
}

/// Most bytes of a file that a provider takes, where it takes less than its networks do.
pub(crate) const fn most_file_bytes(kind: ConnectorKind) -> Option<i64> {
    match kind {
        ConnectorKind::Unipile => Some(unipile::MOST_FILE_BYTES),
        ConnectorKind::Sandbox | ConnectorKind::Waha | ConnectorKind::Evolution | ConnectorKind::Webchat => None,
    }
}

/// Speaks to one provider.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Starts a session, or finds it started already.
    ///
    /// # Errors
    /// `provider_unavailable`, `provider_limited`, or what the database says.
    async fn start(&self, app: &App, start: &Start<'_>) -> Result<Observation>;

    /// Looks at a session.
    ///
    /// # Errors
    /// As [`Connector::start`].
    async fn observe(&self, app: &App, session: AttemptId) -> Result<Observation>;

    /// Asks for a code to type into the phone of this number. It does not rotate with the QR code.
    ///
    /// # Errors
    /// `pairing_refused`, `provider_unavailable`, `provider_limited`.
    async fn pairing_code(&self, app: &App, session: AttemptId, phone: &Phone) -> Result<PairingCode>;

    /// Signs a channel in with what its settings say; where they name no account, starts a session that waits for a
    /// phone. Repeating it for the same session is harmless.
    ///
    /// # Errors
    /// As [`Connector::start`].
    async fn sign_in(&self, app: &App, target: &Target) -> Result<SignIn> {
        let Target { session, network, .. } = *target;
        let start = Start { session, partner_id: &target.partner_id, network, login: None };
        self.start(app, &start).await.map(SignIn::from)
    }

    /// Looks at a channel part by part, with calls that change nothing.
    ///
    /// # Errors
    /// What the database says; what the provider says is part of the answer.
    async fn test(&self, app: &App, target: &Target) -> Result<Vec<Check>> {
        let taken = app.clock.stopwatch();
        let check = match self.observe(app, target.session).await {
            Ok(Observation::Connected(_)) => Check::passed("session", "The session is connected"),
            Ok(Observation::Starting { .. }) => Check::failed("session", "The session is starting"),
            Ok(Observation::Impaired { .. }) => Check::failed("session", "The session does not work as it should"),
            Ok(Observation::Waiting { .. }) => Check::failed("session", "The session waits for a phone"),
            Ok(Observation::Asking(_)) => Check::failed("session", "The network asks something first"),
            Ok(Observation::Ended(failure)) => Check::failed("session", format!("The session has ended: {failure}")),
            Err(error) => Check::failed("session", error.description()),
        };
        Ok(vec![check.after(taken.elapsed_ms())])
    }

    /// Hands one message over. Whoever cannot tell whether it left says [`Delivery::Lost`].
    async fn send(&self, app: &App, outgoing: &Outgoing) -> Delivery;

    /// Makes the account's own reaction to a message what it is to be. Repeating it is harmless. Where a provider has
    /// no reactions, nothing happens.
    ///
    /// # Errors
    /// `provider_unavailable` if it is to be tried again.
    async fn react(&self, _app: &App, _outgoing: &OutgoingReaction) -> Result<()> {
        Ok(())
    }

    /// Answers what the network asks of a session.
    ///
    /// # Errors
    /// `nothing_asked`, `challenge_wrong`, `provider_unavailable`, `provider_limited`.
    async fn answer(&self, _app: &App, _session: AttemptId, _answer: &str) -> Result<Observation> {
        Err(Error::NothingAsked)
    }

    /// Has the network send the code again that it asks for.
    ///
    /// # Errors
    /// `nothing_asked`, `resend_too_soon`, `resend_not_offered`, `provider_unavailable`.
    async fn ask_again(&self, _app: &App, _session: AttemptId) -> Result<()> {
        Err(Error::NothingAsked)
    }

    /// Hears what a provider has brought to a channel's own address, which is signed as it should be. Where providers
    /// bring nothing there, nothing happens.
    ///
    /// # Errors
    /// `invalid_request` if it cannot be read; `channel_not_connected`.
    async fn hear(&self, _app: &App, _channel: &channel::Model, _body: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Ends a session; one that has ended stays so.
    ///
    /// # Errors
    /// `provider_unavailable`, `provider_limited`.
    async fn end(&self, app: &App, session: AttemptId) -> Result<()>;
}

/// All connectors of this process.
pub struct Connectors {
    sandbox: sandbox::Sandbox,
    waha: Bridged<waha::Waha>,
    evolution: Bridged<evolution::Evolution>,
    unipile: Bridged<unipile::Unipile>,
    webchat: webchat::Webchat,
    /// Where providers call back.
    kept: Kept,
    /// Dials addresses that the operator set.
    dialer: Outbound,
    timeout_ms: AtomicU64,
    code_patience_ms: AtomicU64,
}

impl Default for Connectors {
    fn default() -> Self {
        Self {
            sandbox: sandbox::Sandbox,
            waha: Bridged(waha::Waha),
            evolution: Bridged(evolution::Evolution),
            unipile: Bridged(unipile::Unipile),
            webchat: webchat::Webchat,
            kept: Kept::default(),
            dialer: Outbound::new(true),
            timeout_ms: AtomicU64::new(millis(outbound::TIMEOUT)),
            code_patience_ms: AtomicU64::new(millis(CODE_PATIENCE)),
        }
    }
}

impl Connectors {
    /// The connector of this kind.
    #[must_use]
    pub fn get(&self, kind: ConnectorKind) -> &dyn Connector {
        match kind {
            ConnectorKind::Sandbox => &self.sandbox,
            ConnectorKind::Waha => &self.waha,
            ConnectorKind::Evolution => &self.evolution,
            ConnectorKind::Unipile => &self.unipile,
            ConnectorKind::Webchat => &self.webchat,
        }
    }

    /// The bridge of this kind, for those that have one.
    fn bridge(&self, kind: ConnectorKind) -> Option<&dyn Bridge> {
        match kind {
            ConnectorKind::Sandbox | ConnectorKind::Webchat => None,
            ConnectorKind::Waha => Some(&self.waha.0),
            ConnectorKind::Evolution => Some(&self.evolution.0),
            ConnectorKind::Unipile => Some(&self.unipile.0),
        }
    }

    /// Whether its provider keeps a session of each account, which is looked at all the time.
    pub(crate) fn keeps_sessions(&self, kind: ConnectorKind) -> bool {
        self.bridge(kind).is_some()
    }

    /// Whether its provider keeps an account that the network has let go, which may be let in again there.
    pub(crate) fn keeps_accounts(&self, kind: ConnectorKind) -> bool {
        self.bridge(kind).is_some_and(Bridge::keeps_accounts)
    }

    /// Which connector serves this partner on this network, if any.
    ///
    /// # Errors
    /// What the database says.
    pub async fn choose(
        &self,
        app: &App,
        db: &impl ConnectionTrait,
        partner: &partner::Model,
        network: Network,
    ) -> Result<Option<ConnectorKind>> {
        registry::choose(app, db, partner, network).await
    }

    /// Changes how long an answer of a provider may take; a message's may take three times as long. Tests that wait for
    /// it use this.
    pub fn limit_to(&self, timeout: Duration) {
        self.timeout_ms.store(millis(timeout), Ordering::Relaxed);
    }

    /// Changes how long the first code of a session is waited for. Tests whose sessions show none use this.
    pub fn wait_for_codes(&self, most: Duration) {
        self.code_patience_ms.store(millis(most), Ordering::Relaxed);
    }

    /// How long the first code of a session is waited for.
    pub(crate) fn patience_for_codes(&self) -> Duration {
        Duration::from_millis(self.code_patience_ms.load(Ordering::Relaxed))
    }

    /// A request to an address that the operator set, answered within the time that the operator set for it, if any.
    fn request(
        &self,
        method: Method,
        url: &str,
        timeout: Option<Duration>,
        patience: Patience,
    ) -> Result<RequestBuilder> {
        let usual = timeout.unwrap_or_else(|| Duration::from_millis(self.timeout_ms.load(Ordering::Relaxed)));
        let timeout = match patience {
            Patience::Usual => usual,
            Patience::Long => usual * 3,
        };
        Ok(self.dialer.request(method, url)?.timeout(timeout))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
