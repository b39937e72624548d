//! How the Partner API says that something went wrong (`contracts/timelines.md` §1.2).

use poem::http::StatusCode;
use poem_openapi::Object;

use crate::{
    error::{Error, Kind},
    http::failure::{Dialect, Failure},
};

/// The dialect's way out of a handler.
pub(super) type PartnerFailure = Failure<PartnerError>;

/// An error.
#[derive(Object)]
#[oai(rename = "PartnerAPIError")]
pub(super) struct PartnerError {
    /// Stable word for what went wrong, such as `seats_full`.
    error: String,
    /// HTTP status.
    status: u16,
    /// What went wrong this time.
    description: String,
}

impl Dialect for PartnerError {
    fn without_credentials() -> Error {
        Error::MissingHeader("Authorization")
    }

    fn render(error: &Error, status: StatusCode) -> Self {
        let code = error.code();
        let word = match code.kind() {
            // The contract has one word for all requests that cannot be understood.
            Kind::Invalid | Kind::UnsupportedMediaType | Kind::TooLarge => "invalid_request".to_owned(),
            _ => code.to_string(),
        };
        Self { error: word, status: status.as_u16(), description: error.description() }
    }
}
