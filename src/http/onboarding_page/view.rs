//! What the page is told: one object that says everything it shows.

use entity::{
    attempt::{Failure, Model, State},
    timestamp::Timestamp,
};
use serde::Serialize;

use crate::{
    error::{LinkEnd, Result},
    http::onboarding_page::qr_image,
    onboarding::{MAX_ATTEMPTS, open::Standing},
};

/// More than an attempt can have: it lives for minutes.
const CHANGES_OF_AN_ATTEMPT: i64 = 1_000_000;

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PageState {
    /// What to show.
    pub(super) state: Shown,
    /// Grows with every change of the link, so that news which was overtaken can be told.
    order: i64,
    /// The code to scan.
    pub(super) qr: Option<QrView>,
    /// The code to type.
    pub(super) pairing: Option<PairingView>,
    /// Why the last attempt did not connect.
    pub(super) error: Option<ErrorView>,
    /// Attempts left on the link.
    pub(super) attempts_left: i32,
    /// Pairing codes left on the link.
    pub(super) pairing_codes_left: i32,
}

/// The states of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(super) enum Shown {
    /// Nothing has been started.
    Ready,
    /// The provider has been asked for a code.
    Connecting,
    /// A code waits for a phone.
    AwaitingScan,
    /// An account is connected.
    Connected,
    /// The codes have run out.
    Expired,
    /// The attempt failed; `error` says why.
    Failed,
    /// The link has been used.
    Used,
    /// The link was taken back.
    Revoked,
    /// The link's time is over.
    LinkExpired,
}

impl Shown {
    /// Whether nothing can follow.
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Connected | Self::Used | Self::Revoked | Self::LinkExpired)
    }
}

/// A code to scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct QrView {
    /// The picture, `data:image/svg+xml;base64,…`.
    pub(super) image: String,
    /// Its place in the row of codes.
    seq: i32,
    /// How long it is good.
    expires_in_ms: i64,
}

/// A code to type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PairingView {
    /// As the provider gives it, without separator.
    code: String,
    /// How long it is good.
    expires_in_ms: i64,
}

/// Why an attempt did not connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ErrorView {
    /// Stable word.
    code: String,
    /// Sentence for the person in front of the page.
    message: &'static str,
}

impl PageState {
    /// What follows from how the link stands at `now`.
    pub(super) fn of(standing: &Standing, now: Timestamp) -> Result<Self> {
        let attempt = standing.attempt.as_ref();
        let state = shown(standing);
        let is_live = matches!(state, Shown::Connecting | Shown::AwaitingScan);
        let live = attempt.filter(|_| is_live);
        let failure = attempt.filter(|_| matches!(state, Shown::Expired | Shown::Failed)).and_then(|a| a.error_code);
        Ok(Self {
            state,
            order: order(standing, state),
            qr: live.map(|attempt| qr(attempt, now)).transpose()?.flatten(),
            pairing: live.and_then(|attempt| pairing(attempt, now)),
            error: failure.map(|failure| ErrorView { code: failure.to_string(), message: message(failure) }),
            attempts_left: standing.attempts_left,
            pairing_codes_left: standing.pairing_codes_left,
        })
    }
}

/// A later attempt comes after all changes of an earlier one, and what is final after everything.
fn order(standing: &Standing, state: Shown) -> i64 {
    if state.is_final() {
        return i64::from(i32::MAX) * CHANGES_OF_AN_ATTEMPT;
    }
    let attempt = i64::from(MAX_ATTEMPTS - standing.attempts_left);
    attempt * CHANGES_OF_AN_ATTEMPT + standing.attempt.as_ref().map_or(0, |attempt| attempt.revision)
}

fn shown(standing: &Standing) -> Shown {
    let attempt = standing.attempt.as_ref().map(|attempt| attempt.state);
    match (standing.end, attempt) {
        (Some(LinkEnd::Used), Some(State::Connected)) => Shown::Connected,
        (Some(LinkEnd::Used), _) => Shown::Used,
        (Some(LinkEnd::Revoked), _) => Shown::Revoked,
        (Some(LinkEnd::Expired), _) => Shown::LinkExpired,
        (None, None | Some(State::Cancelled)) => Shown::Ready,
        (None, Some(State::Connecting)) => Shown::Connecting,
        (None, Some(State::AwaitingScan)) => Shown::AwaitingScan,
        (None, Some(State::Connected)) => Shown::Connected,
        (None, Some(State::Expired)) => Shown::Expired,
        (None, Some(State::Failed)) => Shown::Failed,
    }
}

fn qr(attempt: &Model, now: Timestamp) -> Result<Option<QrView>> {
    let (Some(payload), Some(expires_at)) = (&attempt.qr_payload, attempt.qr_expires_at) else { return Ok(None) };
    Ok(Some(QrView {
        image: qr_image::data_url(payload)?,
        seq: attempt.qr_seq,
        expires_in_ms: now.millis_until(expires_at),
    }))
}

fn pairing(attempt: &Model, now: Timestamp) -> Option<PairingView> {
    let (code, expires_at) = (attempt.pairing_code.clone()?, attempt.pairing_expires_at?);
    (expires_at > now).then(|| PairingView { code, expires_in_ms: now.millis_until(expires_at) })
}

const fn message(failure: Failure) -> &'static str {
    match failure {
        Failure::QrExpired => "The code was not scanned in time.",
        Failure::NoConnector => "This service is not set up for WhatsApp yet. Please tell whoever sent you the link.",
        Failure::Banned => "WhatsApp has banned this number.",
        Failure::PaymentRequired => "WhatsApp asks for a payment before this number can be linked.",
        Failure::DuplicateAccount => "This number is connected here already. Use another number.",
        Failure::ProviderUnavailable => "WhatsApp could not be reached. Please try again in a moment.",
        Failure::NotActive => "This service is not active any more. Please tell whoever sent you the link.",
        Failure::LoggedOut => "The phone removed the linked device. Please try again.",
        Failure::AuthInvalid => "This service is not set up correctly. Please tell whoever sent you the link.",
        Failure::PasskeyRequired => "WhatsApp asks for a passkey of this number, which cannot be given here.",
        Failure::LoginRefused => "The user name or the password is wrong.",
        Failure::ChallengeExpired => "The question was not answered in time. Please try again.",
    }
}
