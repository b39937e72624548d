//! Telephone numbers in the shape of E.164: `+` and 7 to 15 digits. Whether a number exists is the network's business.

use serde::Serialize;

use crate::error::{Error, Result};

/// A number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Phone(String);

impl Phone {
    /// Reads `+14155551234` or `14155551234`.
    ///
    /// # Errors
    /// `invalid_request` naming `phone`.
    pub fn parse(text: &str) -> Result<Self> {
        let digits = text.trim().strip_prefix('+').unwrap_or(text.trim());
        let fits = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if fits {
            Ok(Self(format!("+{digits}")))
        } else {
            Err(Error::field("phone", "must be an international number: + and 7 to 15 digits"))
        }
    }

    /// The number with its plus sign.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The WhatsApp id of this number, `<digits>@s.whatsapp.net`.
    #[must_use]
    pub fn whatsapp_id(&self) -> String {
        format!("{}@s.whatsapp.net", &self.0[1..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_international_shape() {
        for good in ["+15550001111", "15550001111", " +15550001111 "] {
            assert_eq!(Phone::parse(good).expect("phone").as_str(), "+15550001111");
        }
        assert_eq!(Phone::parse("+15550001111").expect("phone").whatsapp_id(), "15550001111@s.whatsapp.net");
        for bad in
            ["", "+", "123456", "+1234567890123456", "+1 555 000 1111", "+0123456789", "++15550001111", "+١٥٥٥٠٠٠١١١١"]
        {
            assert!(Phone::parse(bad).is_err(), "{bad}");
        }
    }
}
