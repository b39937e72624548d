//! What connectors have in common that link accounts through a server which keeps their sessions: they differ in how
//! they call it and in how it calls back, which is a bridge; one driver makes connectors of bridges.
//!
//! A session that is being linked shows codes until it works or ends. One that has worked and is down is restarted
//! ([`REPAIR_PAUSES_SECONDS`]); if that does not help, or if it asks for a code again, the account is no longer linked
//! and the session is removed. Between two calls nothing is remembered but what [`crate::connector::session`] stores.

use async_trait::async_trait;
use entity::{
    attempt::Failure,
    channel::ConnectorKind,
    id::{AttemptId, PartnerId},
};
use reqwest::RequestBuilder;

use crate::{
    app::App,
    connector::{
        Account, Connector, Delivery, Observation, Outgoing, OutgoingReaction, PairingCode,
        callback::{Callback, Heard},
        refusal::{Class, Refusal},
        session::{self, Session},
        target::{Check, Target},
    },
    db,
    error::{Error, Result},
    message::Jid,
    phone::Phone,
};

mod observe;
mod test;

pub use observe::{CODE_SECONDS, FIRST_CODE_SECONDS, REPAIR_PAUSES_SECONDS};

/// How long a pairing code is shown, in seconds: no longer than the row of codes that it lives with.
pub const PAIRING_SECONDS: i64 = 120;
/// How long a provider that limits us is left alone if it does not say, in seconds.
const LIMITED_SECONDS: i64 = 5;

/// What a session looks like at its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It is on its way, or in a state that we do not know.
    Starting,
    /// It waits for a phone; `None` while the next code is not there yet.
    Scan(Option<String>),
    /// It works.
    Working(Account),
    /// It was stopped.
    Stopped,
    /// It has failed.
    Failed,
    /// The network has banned the account.
    Banned,
    /// The account has removed it.
    LoggedOut,
    /// It waits for a passkey.
    Passkey,
    /// There is no such session.
    Gone,
}

/// How to get a file.
pub(super) struct Source {
    pub(super) request: RequestBuilder,
    pub(super) packing: Packing,
}

/// How a file comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// As it is.
    Plain,
    /// In base64, in this field of an object.
    InJson(&'static str),
}

/// How one kind of server is called, and what its callbacks say.
#[async_trait]
pub(super) trait Bridge: Send + Sync {
    /// Which connector it is.
    fn kind(&self) -> ConnectorKind;

    /// Makes and starts a session.
    async fn create(&self, app: &App, session: &Session) -> Result<(), Refusal>;

    /// Looks at a session.
    async fn look(&self, app: &App, session: &Session) -> Result<Look, Refusal>;

    /// Asks for a pairing code; without separators.
    async fn pairing_code(&self, app: &App, session: &Session, phone: &Phone) -> Result<String, Refusal>;

    /// Hands a message over; the provider's id of it in our form.
    async fn send(&self, app: &App, session: &Session, outgoing: &Outgoing) -> Result<String, Refusal>;

    /// Sets the account's own reaction.
    async fn react(&self, app: &App, session: &Session, outgoing: &OutgoingReaction) -> Result<(), Refusal>;

    /// Starts a session that is down anew.
    async fn restart(&self, app: &App, session: &Session) -> Result<(), Refusal>;

    /// Logs the account out and removes the session.
    async fn remove(&self, app: &App, session: &Session) -> Result<(), Refusal>;

    /// The id on the network behind a provider's address; `None` for what is no conversation of ours.
    async fn resolve(&self, app: &App, session: &Session, address: &str) -> Result<Option<Jid>, Refusal>;

    /// How to get a file that the provider keeps, by what its callback said of where it is.
    fn media(&self, app: &App, session: &Session, place: &str) -> Result<Source>;

    /// Whether a callback is the provider's.
    fn is_genuine(&self, app: &App, session: &Session, callback: &Callback) -> bool;

    /// What a genuine callback says.
    ///
    /// # Errors
    /// `invalid_request` if it cannot be read, or is about another session.
    fn read(&self, app: &App, session: &Session, callback: &Callback) -> Result<Heard>;
}

/// A pairing code without the separators that providers write it with; `None` if nothing is left.
pub(super) fn plain_code(said: &str) -> Option<String> {
    let code: String = said.chars().filter(char::is_ascii_alphanumeric).collect();
    (!code.is_empty()).then_some(code)
}

/// The connector over a bridge.
pub(super) struct Bridged<B>(pub(super) B);

#[async_trait]
impl<B: Bridge> Connector for Bridged<B> {
    async fn start(&self, app: &App, session: AttemptId, partner_id: &PartnerId) -> Result<Observation> {
        let Some(session) = session::begin(app, self.0.kind(), session, partner_id).await? else {
            return Ok(Observation::Ended(Failure::NoConnector));
        };
        if session.row.ended_at.is_some() {
            return Ok(Observation::Ended(Failure::ProviderUnavailable));
        }
        // One that was looked at is there.
        if session.row.checked_at.is_none() {
            match self.0.create(app, &session).await {
                Ok(()) => {}
                // A try before this one has made it; its answer was lost.
                Err(Refusal { class: Class::Duplicate, .. }) => {}
                Err(refusal) => return observe::unanswered(app, &session, refusal),
            }
        }
        observe::observe(&self.0, app, &session).await
    }

    async fn observe(&self, app: &App, session: AttemptId) -> Result<Observation> {
        match session::find(app, self.0.kind(), session).await? {
            Some(session) => observe::observe(&self.0, app, &session).await,
            None => Ok(Observation::Ended(Failure::ProviderUnavailable)),
        }
    }

    async fn pairing_code(&self, app: &App, session: AttemptId, phone: &Phone) -> Result<PairingCode> {
        let session = session::find(app, self.0.kind(), session).await?.ok_or(Error::PairingRefused)?;
        match self.0.pairing_code(app, &session, phone).await {
            Ok(code) => Ok(PairingCode { code, expires_at: session::in_seconds(app, PAIRING_SECONDS) }),
            Err(refusal) => Err(match refusal.class {
                Class::AuthInvalid
                | Class::PermissionMissing
                | Class::RateLimited
                | Class::ProviderUnavailable
                | Class::TimeoutUnknown => Error::ProviderUnavailable,
                _ => Error::PairingRefused,
            }),
        }
    }

    async fn test(&self, app: &App, target: &Target) -> Result<Vec<Check>> {
        test::test(&self.0, app, target).await
    }

    async fn send(&self, app: &App, outgoing: &Outgoing) -> Delivery {
        let not_now = |reason: &str| Delivery::TryLater { after: None, reason: reason.to_owned() };
        let session = match session::find(app, self.0.kind(), outgoing.session).await {
            Ok(Some(session)) => session,
            Ok(None) => return not_now("not_linked"),
            Err(error) => {
                tracing::warn!(%error, message.id = %outgoing.message_id, "a session could not be read");
                return not_now("not_begun");
            }
        };
        match self.0.send(app, &session, outgoing).await {
            Ok(provider_ref) => Delivery::Accepted { provider_ref },
            Err(refusal) => {
                let class = refusal.class;
                tracing::warn!(%class, message.id = %outgoing.message_id, "a provider did not take a message");
                if refusal.is_about_the_session()
                    && let Err(error) = session::look_soon(app, self.0.kind(), outgoing.session).await
                {
                    tracing::warn!(%error, session.id = %outgoing.session, "a session is looked at later");
                }
                refusal.delivery()
            }
        }
    }

    async fn react(&self, app: &App, outgoing: &OutgoingReaction) -> Result<()> {
        let Some(session) = session::find(app, self.0.kind(), outgoing.session).await? else { return Ok(()) };
        match self.0.react(app, &session, outgoing).await {
            Ok(()) => Ok(()),
            Err(refusal) if matches!(refusal.class, Class::ContentRejected | Class::NotFound) => {
                tracing::warn!(class = %refusal.class, message.id = %outgoing.message_id, "a reaction is not taken");
                Ok(())
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn end(&self, app: &App, session: AttemptId) -> Result<()> {
        let Some(session) = session::find(app, self.0.kind(), session).await? else { return Ok(()) };
        match self.0.remove(app, &session).await {
            Ok(()) | Err(Refusal { class: Class::NotFound, .. }) => {}
            Err(refusal) => return Err(refusal.into()),
        }
        db::write(&app.db, "connector.end", async |tx| session::end(app, tx, session.id()).await).await
    }
}
