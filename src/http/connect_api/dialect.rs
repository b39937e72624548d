//! How the Connect API says that something went wrong.

use std::collections::BTreeMap;

use poem::http::StatusCode;
use poem_openapi::Object;

use crate::{
    error::{Error, ErrorCode, Kind},
    http::failure::{Dialect, status_of},
};

/// An error.
#[derive(Object)]
#[oai(rename = "ConnectErrorResponse", skip_serializing_if_is_none)]
pub(super) struct ConnectError {
    /// Always false.
    success: bool,
    /// What went wrong this time.
    message: String,
    /// Stable word for what went wrong.
    code: String,
    /// What is wrong with each field that does not fit.
    errors: Option<BTreeMap<String, Vec<String>>>,
}

impl Dialect for ConnectError {
    const MORE_STATUSES: &'static [(u16, &'static str)] =
        &[(422, "A field does not fit, or the network does not accept what was sent")];

    fn status(error: &Error) -> StatusCode {
        let code = error.code();
        match (code, code.kind()) {
            // What is no JSON object has no fields.
            (_, Kind::Invalid) if matches!(error, Error::InvalidBody { field: None, .. }) => StatusCode::BAD_REQUEST,
            (ErrorCode::CampaignRunning | ErrorCode::PairingRefused, _) | (_, Kind::Invalid) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            (_, kind) => status_of(kind),
        }
    }

    fn render(error: &Error, _status: StatusCode) -> Self {
        let field = match error {
            Error::InvalidField { field, reason } => Some((plain(field), reason.clone())),
            Error::InvalidBody { field: Some(field), reason } => Some((plain(field), reason.clone())),
            Error::ChallengeWrong => Some(("code".to_owned(), error.to_string())),
            _ => None,
        };
        Self {
            success: false,
            message: match error {
                Error::InvalidField { field, reason } => format!("{}: {reason}", plain(field)),
                error => error.description(),
            },
            code: error.code().to_string(),
            errors: field.map(|(field, reason)| BTreeMap::from([(field, vec![reason])])),
        }
    }
}

/// Settings are fields of their own here.
fn plain(field: &str) -> String {
    field.strip_prefix("config.").unwrap_or(field).to_owned()
}
