//! What simulated phones do: scan a code, type a pairing code, remove a linked device.
//!
//! Each stores [`Work::SessionChanged`] with its change; the caller may ask for it at once with
//! [`crate::onboarding::session_changed`].

use entity::{
    channel::ConnectorKind,
    id::{AttemptId, PartnerId},
    partner,
    sandbox_session::State,
};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    connector::sandbox::store,
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    phone::Phone,
    queue::{self, Work},
};

const MAX_CODE_BYTES: usize = 512;

/// Whose phones are played with.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Those of one partner's workspaces.
    Partner(PartnerId),
    /// All of the installation.
    Everywhere,
}

impl Scope {
    /// The partner's own phones.
    ///
    /// # Errors
    /// `sandbox_only` if its phones are not simulated.
    pub fn of_partner(app: &App, partner: &partner::Model) -> Result<Self> {
        if partner.sandbox || app.config.sandbox {
            Ok(Self::Partner(partner.id.clone()))
        } else {
            Err(Error::SandboxOnly)
        }
    }

    /// All phones, for developers on the machine itself.
    ///
    /// # Errors
    /// `sandbox_only` unless the installation is configured so.
    pub fn everywhere(app: &App) -> Result<Self> {
        if app.config.sandbox { Ok(Self::Everywhere) } else { Err(Error::SandboxOnly) }
    }

    pub(super) fn partner_id(&self) -> Option<&PartnerId> {
        match self {
            Self::Partner(id) => Some(id),
            Self::Everywhere => None,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Played {
    /// The sessions that it concerned.
    pub sessions: Vec<AttemptId>,
    /// What the phone shows.
    pub outcome: Outcome,
}

/// What the phone shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// The device is linked.
    Linked,
    /// The network has banned the number.
    Banned,
    /// The network wants to be paid first.
    PaymentRequired,
    /// It waits for the other device for ever.
    Hanging,
    /// The linked devices are removed.
    LoggedOut,
}

impl Outcome {
    fn of(phone: &Phone) -> Self {
        match phone.as_str() {
            number if number.ends_with("000402") => Self::PaymentRequired,
            number if number.ends_with("000403") => Self::Banned,
            number if number.ends_with("000408") => Self::Hanging,
            _ => Self::Linked,
        }
    }

    const fn state(self) -> State {
        match self {
            Self::Linked => State::Linked,
            Self::Banned => State::Banned,
            Self::PaymentRequired => State::PaymentRequired,
            Self::Hanging => State::Waiting,
            Self::LoggedOut => State::LoggedOut,
        }
    }
}

/// A phone scans a QR code.
///
/// # Errors
/// `code_not_found` for one that no session of the scope has shown; `code_expired` for one that has been replaced;
/// `code_used` if the session is linked or over.
pub async fn scan(app: &App, scope: &Scope, payload: &str, phone: &Phone, request: &Repeatable) -> Result<Played> {
    check_form(payload)?;
    db::write(&app.db, "sandbox.scan", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let now = app.clock.now();
        let code = store::code(tx, payload).await?.filter(|code| code.issued_at <= now).ok_or(Error::CodeNotFound)?;
        let session = store::in_scope(tx, scope, code.session_id).await?.ok_or(Error::CodeNotFound)?;
        if session.state != State::Waiting {
            return Err(Error::CodeUsed);
        }
        if code.expires_at <= now {
            return Err(Error::CodeExpired);
        }
        let played = settle(app, tx, session.id, phone).await?;
        request.finish(app, tx, &played).await?;
        Ok(played)
    })
    .await
}

/// A phone types a pairing code.
///
/// # Errors
/// `code_not_found`, `code_expired`, `code_used`, and `code_for_another_phone`.
pub async fn pair(app: &App, scope: &Scope, code: &str, phone: &Phone, request: &Repeatable) -> Result<Played> {
    check_form(code)?;
    db::write(&app.db, "sandbox.pair", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let session = store::by_pairing_code(tx, scope, code).await?.ok_or(Error::CodeNotFound)?;
        if session.state != State::Waiting {
            return Err(Error::CodeUsed);
        }
        if session.pairing_expires_at.is_none_or(|expires_at| expires_at <= app.clock.now()) {
            return Err(Error::CodeExpired);
        }
        if session.pairing_phone.as_deref() != Some(phone.as_str()) {
            return Err(Error::CodeForAnotherPhone);
        }
        let played = settle(app, tx, session.id, phone).await?;
        request.finish(app, tx, &played).await?;
        Ok(played)
    })
    .await
}

/// A phone removes its linked devices.
///
/// # Errors
/// `phone_not_linked`.
pub async fn log_out(app: &App, scope: &Scope, phone: &Phone, request: &Repeatable) -> Result<Played> {
    db::write(&app.db, "sandbox.log_out", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let sessions = store::linked_to(tx, scope, phone).await?;
        if sessions.is_empty() {
            return Err(Error::PhoneNotLinked);
        }
        let mut ids = Vec::with_capacity(sessions.len());
        for session in sessions {
            store::set_state(tx, session.id, State::Linked, State::LoggedOut, Some(phone)).await?;
            changed(app, tx, session.id).await?;
            ids.push(session.id);
        }
        let played = Played { sessions: ids, outcome: Outcome::LoggedOut };
        request.finish(app, tx, &played).await?;
        Ok(played)
    })
    .await
}

/// No code of ours is long or has anything but visible characters; databases differ in what else they take.
fn check_form(code: &str) -> Result<()> {
    let fits = code.len() <= MAX_CODE_BYTES && code.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(()) } else { Err(Error::CodeNotFound) }
}

async fn settle(app: &App, tx: &DatabaseTransaction, session: AttemptId, phone: &Phone) -> Result<Played> {
    let outcome = Outcome::of(phone);
    if outcome != Outcome::Hanging {
        let linked = (outcome == Outcome::Linked).then_some(phone);
        if !store::set_state(tx, session, State::Waiting, outcome.state(), linked).await? {
            return Err(Error::CodeUsed);
        }
        changed(app, tx, session).await?;
    }
    Ok(Played { sessions: vec![session], outcome })
}

async fn changed(app: &App, tx: &DatabaseTransaction, session: AttemptId) -> Result<()> {
    queue::enqueue(app, tx, &Work::SessionChanged { connector: ConnectorKind::Sandbox, session }).await
}
