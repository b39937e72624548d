//! What a network asks before it lets somebody in who has given user name and password: a code, an approval in its own
//! app, a picture to be read. It may ask several times, one after the other.

use entity::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// What kind of question it is, in the provider's words (`contracts/channels.md` A1.2).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::EnumString, strum::EnumIter,
)]
pub enum Kind {
    /// A code of an authenticator, or of another second factor.
    #[serde(rename = "2FA")]
    #[strum(serialize = "2FA")]
    TwoFactor,
    /// A code that was sent to the account's phone or address.
    #[serde(rename = "OTP")]
    #[strum(serialize = "OTP")]
    Otp,
    /// An approval in the network's own app; there is nothing to be typed.
    #[serde(rename = "IN_APP_VALIDATION")]
    #[strum(serialize = "IN_APP_VALIDATION")]
    InAppValidation,
    /// A picture to be read.
    #[serde(rename = "CAPTCHA")]
    #[strum(serialize = "CAPTCHA")]
    Captcha,
    /// A telephone number.
    #[serde(rename = "PHONE_REGISTER")]
    #[strum(serialize = "PHONE_REGISTER")]
    PhoneRegister,
    /// Something that we do not know.
    #[serde(rename = "OTHER")]
    #[strum(serialize = "OTHER")]
    Other,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What kind.
    pub kind: Kind,
    /// What is needed to answer it, in the provider's words.
    pub data: Option<Value>,
}

/// A question that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What is asked.
    pub checkpoint: Checkpoint,
    /// When the network stops waiting.
    pub expires_at: Timestamp,
    /// When to look again.
    pub look_again_at: Timestamp,
}

impl Checkpoint {
    /// A question without anything to it.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        Self { kind, data: None }
    }

    /// As it is stored.
    ///
    /// # Errors
    /// `internal_error`, which does not happen.
    pub fn stored(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::Internal(format!("a checkpoint: {error}")))
    }

    /// Reads what is stored; what cannot be read is a question that we do not know.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or(Self::of(Kind::Other))
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn kinds_are_written_in_the_words_of_the_provider() {
        for kind in Kind::iter() {
            let checkpoint = Checkpoint { kind, data: Some("x".into()) };
            let stored = checkpoint.stored().expect("JSON");
            assert!(stored.contains(&format!("\"{kind}\"")), "{stored}");
            assert_eq!(Checkpoint::from_stored(&stored), checkpoint);
            assert_eq!(kind.to_string().parse::<Kind>(), Ok(kind));
        }
        assert_eq!(Checkpoint::from_stored("{"), Checkpoint::of(Kind::Other));
    }
}
