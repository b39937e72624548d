//! How the Workspace API says that something went wrong (`contracts/timelines.md` §3.2).

use poem::http::StatusCode;
use poem_openapi::Object;

use crate::{
    error::{Error, ErrorCode, Kind},
    http::failure::{Dialect, Failure, status_of},
};

/// The dialect's way out of a handler.
pub(super) type WorkspaceFailure = Failure<WorkspaceError>;

/// An error.
#[derive(Object)]
#[oai(rename = "ErrorResponse", skip_serializing_if_is_none)]
pub(super) struct WorkspaceError {
    /// Always `error`.
    status: String,
    /// What went wrong this time.
    message: String,
    /// Stable word for what went wrong.
    error_code: String,
    /// Which fields do not fit; only where the form of the request is at fault.
    errors: Option<Vec<FieldError>>,
}

/// Fields that do not fit.
#[derive(Object)]
struct FieldError {
    /// Their names.
    fields: Vec<String>,
    /// What is wrong with them.
    msg: String,
}

const NO_JSON: &str = "send the body as JSON, with the header Content-Type: application/json";

impl Dialect for WorkspaceError {
    // The contract has 400 for whatever is wrong with a body.
    const WITHOUT_STATUSES: &'static [u16] = &[415];

    fn status(error: &Error) -> StatusCode {
        match error.code().kind() {
            Kind::Exhausted => StatusCode::FORBIDDEN,
            Kind::UnsupportedMediaType => StatusCode::BAD_REQUEST,
            kind => status_of(kind),
        }
    }

    fn render(error: &Error, _status: StatusCode) -> Self {
        let field = match error {
            Error::InvalidField { field, reason } => Some(((*field).to_owned(), reason.clone())),
            Error::InvalidBody { field: Some(field), reason } => Some((field.clone(), reason.clone())),
            _ => None,
        };
        let message = match error {
            Error::UnsupportedMediaType => NO_JSON.to_owned(),
            error => error.description(),
        };
        Self {
            status: "error".to_owned(),
            message,
            error_code: word(error.code()).to_owned(),
            errors: field.map(|(field, msg)| vec![FieldError { fields: vec![field], msg }]),
        }
    }
}

/// The contract's closed list of words, and one for keys of requests, which are ours: who sends none never meets it.
const fn word(code: ErrorCode) -> &'static str {
    match (code, code.kind()) {
        (ErrorCode::MissingCredentials, _) => "missing_credentials",
        (ErrorCode::MemberNotFound, _) => "member_not_found",
        (ErrorCode::InsufficientScope, _) => "insufficient_scope",
        (ErrorCode::ApiCallsExhausted, _) | (_, Kind::Exhausted) => "quota_exceeded",
        (ErrorCode::ChannelNotConnected, _) => "account_inactive",
        (ErrorCode::IdempotencyKeyReused, _) => "idempotency_key_reused",
        // More than there are in the plan is an add-on of the contract's vendor.
        (ErrorCode::WebhookLimitReached, _) => "plan_feature_unavailable",
        (_, Kind::Unauthenticated) => "invalid_token",
        (_, Kind::Forbidden) => "permission_denied",
        (_, Kind::NotFound | Kind::Gone) => "not_found",
        (_, Kind::MethodNotAllowed) => "not_supported",
        (_, Kind::Invalid | Kind::Conflict | Kind::TooLarge | Kind::UnsupportedMediaType) => "validation_error",
        (_, Kind::TooMany) => "rate_limit_exceeded",
        (_, Kind::Internal | Kind::Unavailable) => "internal_error",
    }
}
