//! What the page is told: one object that says everything it shows.

use entity::{
    attempt::{Failure, Model, State},
    channel::Network,
    timestamp::Timestamp,
};
use serde::Serialize;

use crate::{
    connector::checkpoint::Checkpoint,
    error::{LinkEnd, Result},
    http::onboarding_page::qr_image,
    onboarding::{self, MAX_ATTEMPTS, MAX_WRONG_ANSWERS, open::Standing},
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
    /// What the network asks.
    question: Option<QuestionView>,
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
    /// Nothing has been started, and user name and password are needed for it.
    SignIn,
    /// The provider has been asked for a code.
    Connecting,
    /// A code waits for a phone.
    AwaitingScan,
    /// The network asks something.
    Asking,
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

/// What the network asks before it lets the account in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct QuestionView {
    /// `2FA`, `OTP`, `IN_APP_VALIDATION`, `PHONE_REGISTER` or `OTHER`.
    kind: String,
    /// Its place in the row of questions; an answer names it.
    seq: i32,
    /// How many wrong answers end the attempt.
    tries_left: i32,
    /// How long the network waits.
    expires_in_ms: i64,
}

/// Why an attempt did not connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ErrorView {
    /// Stable word.
    code: String,
    /// Sentence for the person in front of the page.
    message: String,
}

impl PageState {
    /// What follows from how the link stands at `now`.
    pub(super) fn of(standing: &Standing, now: Timestamp) -> Result<Self> {
        let attempt = standing.attempt.as_ref();
        let state = shown(standing);
        let is_live = matches!(state, Shown::Connecting | Shown::AwaitingScan | Shown::Asking);
        let live = attempt.filter(|_| is_live);
        let failure = attempt.filter(|_| matches!(state, Shown::Expired | Shown::Failed)).and_then(|a| a.error_code);
        Ok(Self {
            state,
            order: order(standing, state),
            qr: live.map(|attempt| qr(attempt, now)).transpose()?.flatten(),
            pairing: live.and_then(|attempt| pairing(attempt, now)),
            question: live.and_then(|attempt| question(attempt, now)),
            error: failure
                .map(|failure| ErrorView { code: failure.to_string(), message: message(failure, standing.network) }),
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
    let is_asked = standing.attempt.as_ref().is_some_and(|attempt| attempt.checkpoint.is_some());
    match (standing.end, attempt) {
        (Some(LinkEnd::Used), Some(State::Connected)) => Shown::Connected,
        (Some(LinkEnd::Used), _) => Shown::Used,
        (Some(LinkEnd::Revoked), _) => Shown::Revoked,
        (Some(LinkEnd::Expired), _) => Shown::LinkExpired,
        (None, None | Some(State::Cancelled)) if onboarding::asks_for_login(standing.network) => Shown::SignIn,
        (None, None | Some(State::Cancelled)) => Shown::Ready,
        (None, Some(State::Connecting)) => Shown::Connecting,
        (None, Some(State::AwaitingScan)) if is_asked => Shown::Asking,
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

fn question(attempt: &Model, now: Timestamp) -> Option<QuestionView> {
    let checkpoint = Checkpoint::from_stored(attempt.checkpoint.as_deref()?);
    Some(QuestionView {
        kind: checkpoint.kind.to_string(),
        seq: attempt.question_seq,
        tries_left: (MAX_WRONG_ANSWERS - attempt.wrong_answers).max(0),
        expires_in_ms: now.millis_until(attempt.checkpoint_expires_at?),
    })
}

/// The network as its people know it.
pub(super) const fn name_of(network: Network) -> &'static str {
    match network {
        Network::Telegram => "Telegram",
        Network::Instagram => "Instagram",
        _ => "WhatsApp",
    }
}

fn message(failure: Failure, network: Network) -> String {
    let name = name_of(network);
    // Of other networks it is no number that is linked.
    let account = if network.has_numbers() { "number" } else { "account" };
    match failure {
        Failure::QrExpired if onboarding::asks_for_login(network) => format!("{name} took too long. Please try again."),
        Failure::QrExpired => "The code was not scanned in time.".to_owned(),
        Failure::QrUnavailable => format!("{name} gave no code to scan. Please try again in a moment."),
        Failure::NoConnector => {
            format!("This service is not set up for {name} yet. Please tell whoever sent you the link.")
        }
        Failure::Banned => format!("{name} has banned this {account}."),
        Failure::PaymentRequired => format!("{name} asks for a payment before this {account} can be linked."),
        Failure::DuplicateAccount => {
            format!("This {account} is connected here already. Use another {account}.")
        }
        Failure::ChannelLimitReached => format!(
            "No more {account}s can be connected here. Please tell whoever sent you the link, and try again when there \
             is room."
        ),
        Failure::ProviderUnavailable => format!("{name} could not be reached. Please try again in a moment."),
        Failure::NotActive => "This service is not active any more. Please tell whoever sent you the link.".to_owned(),
        Failure::LoggedOut => "The phone removed the linked device. Please try again.".to_owned(),
        Failure::AuthInvalid => {
            "This service is not set up correctly. Please tell whoever sent you the link.".to_owned()
        }
        Failure::PasskeyRequired => {
            format!("{name} asks for a passkey of this {account}, which cannot be given here.")
        }
        Failure::LoginRefused => "The user name or the password is wrong.".to_owned(),
        Failure::ChallengeExpired => {
            format!("{name} has stopped waiting for the code. Please sign in again.")
        }
        Failure::ChallengeUnsupported => format!(
            "{name} asks for a check that cannot be given here. Sign in to {name} on your phone, confirm that it is you, \
             and then try again."
        ),
        Failure::TooManyAnswers => "Too many wrong codes. Please sign in again.".to_owned(),
    }
}
