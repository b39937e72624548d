//! Why a provider did not do what it was asked, in the words that all connectors share (`contracts/channels.md` 1.4),
//! and what follows from each.
//!
//! Only what surely was not taken is tried again: a rate limit, a provider that says that it is not there, a session
//! that is down. Where nobody knows whether a message left, it is [`Delivery::Lost`].

use std::time::Duration;

use crate::{
    connector::{Delivery, call::Missed},
    error::Error,
};

/// How long a provider that limits us is left alone if it does not say.
const LIMITED_PAUSE: Duration = Duration::from_secs(5);

/// What kind of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Class {
    /// The credentials are not accepted.
    AuthInvalid,
    /// Somebody has to answer a question first.
    ChallengeRequired,
    /// The answer to a question was wrong; another may be given.
    ChallengeWrong,
    /// The question is closed; all begins anew.
    ChallengeExpired,
    /// The credentials are good, but not for this.
    PermissionMissing,
    /// The network has restricted or banned the account.
    AccountRestricted,
    /// There is no such thing at the provider.
    NotFound,
    /// It exists already.
    Duplicate,
    /// Too much was asked, of all.
    RateLimited,
    /// Too much was sent to one recipient.
    PairRateLimited,
    /// Nothing may be written to this recipient now but a template.
    WindowClosed,
    /// The recipient cannot be reached on the network.
    RecipientUnreachable,
    /// The recipient wants nothing more.
    OptedOut,
    /// The network does not take this content.
    ContentRejected,
    /// The session does not work now.
    SessionLost,
    /// The provider does not answer, or says that it cannot.
    ProviderUnavailable,
    /// It was handed over, and there was no answer.
    TimeoutUnknown,
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind.
    pub class: Class,
    /// How long the provider asks us to wait.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// One of this kind.
    #[must_use]
    pub const fn of(class: Class) -> Self {
        Self { class, retry_after: None }
    }

    /// How long a provider that limits us is left alone.
    #[must_use]
    pub fn pause(self) -> Duration {
        self.retry_after.unwrap_or(LIMITED_PAUSE)
    }

    /// What it means for a message.
    #[must_use]
    pub fn delivery(self) -> Delivery {
        let reason = self.class.to_string();
        match self.class {
            Class::TimeoutUnknown => Delivery::Lost,
            Class::RateLimited
            | Class::PairRateLimited
            | Class::ProviderUnavailable
            | Class::SessionLost
            // The session itself is not there: whoever looks at it next ends it, and the message is kept meanwhile.
            | Class::NotFound => Delivery::TryLater { after: self.retry_after, reason },
            Class::AuthInvalid
            | Class::ChallengeRequired
            | Class::ChallengeWrong
            | Class::ChallengeExpired
            | Class::PermissionMissing
            | Class::AccountRestricted
            | Class::Duplicate
            | Class::WindowClosed
            | Class::RecipientUnreachable
            | Class::OptedOut
            | Class::ContentRejected => Delivery::Rejected { reason },
        }
    }

    /// Whether the session may have ended, so that it should be looked at.
    #[must_use]
    pub const fn is_about_the_session(self) -> bool {
        matches!(self.class, Class::SessionLost | Class::NotFound | Class::AccountRestricted)
    }
}

impl From<Missed> for Refusal {
    fn from(missed: Missed) -> Self {
        Self::of(match missed {
            Missed::NotSent => Class::ProviderUnavailable,
            Missed::NoAnswer => Class::TimeoutUnknown,
        })
    }
}

/// For whatever is asked again later as a whole.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal.class {
            Class::RateLimited => Self::ProviderLimited { retry_after: refusal.pause() },
            _ => Self::ProviderUnavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn only_what_was_surely_not_taken_is_tried_again() {
        let after = Some(Duration::from_secs(7));
        for class in Class::iter() {
            let delivery = Refusal { class, retry_after: after }.delivery();
            let reason = class.to_string();
            let expected = match class {
                Class::TimeoutUnknown => Delivery::Lost,
                Class::RateLimited
                | Class::PairRateLimited
                | Class::ProviderUnavailable
                | Class::SessionLost
                | Class::NotFound => Delivery::TryLater { after, reason },
                _ => Delivery::Rejected { reason },
            };
            assert_eq!(delivery, expected, "{class}");
        }
        assert_eq!(Refusal::from(Missed::NotSent).class, Class::ProviderUnavailable);
        assert_eq!(Refusal::from(Missed::NoAnswer).class, Class::TimeoutUnknown);
    }
}
