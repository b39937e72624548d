//! Which dialect a caller speaks, and how each says that something went wrong.

use std::{borrow::Cow, sync::Arc};

use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{StatusCode, header},
};
use poem_openapi::{
    Object,
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ToJSON, Type},
};
use serde_json::Value;

use crate::{
    error::{Error, ErrorCode, Kind},
    http::{
        edge::RequestId,
        failure::{self, Dialect, Failure, status_of},
    },
};

/// The header in which Timely's clients send their token.
const KEY_HEADER: &str = "x-api-key";
/// Statuses that channels have besides those of all surfaces.
const MORE_STATUSES: &[(u16, &str)] = &[(422, "The network does not accept what the channel signs in with")];

/// The way out of a handler.
pub(super) type AgentsFailure = Failure<AnyError>;

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Spoken {
    /// `data` and `meta`, camelCase.
    Linktor,
    /// Flat, snake_case.
    Timely,
}

impl Spoken {
    /// The dialect of a request: that of the header in which its token is.
    pub(in crate::http) fn of(request: &Request) -> Self {
        let has = |name: &str| request.headers().contains_key(name);
        match has(KEY_HEADER) && !has(header::AUTHORIZATION.as_str()) {
            true => Self::Timely,
            false => Self::Linktor,
        }
    }
}

/// Renders what went wrong as the caller speaks.
pub(in crate::http) async fn render<E: Endpoint>(endpoint: Arc<E>, request: Request) -> poem::Result<Response> {
    let (spoken, request_id) = (Spoken::of(&request), RequestId::of(&request));
    let error = match endpoint.call(request).await {
        Ok(answer) => return Ok(answer.into_response()),
        Err(error) => error,
    };
    Ok(respond(error, spoken, &request_id))
}

/// The answer that says what went wrong, in a dialect.
pub(in crate::http) fn respond(error: poem::Error, spoken: Spoken, request_id: &str) -> Response {
    failure::respond_with::<AnyError>(error, |error, status| match spoken {
        Spoken::Linktor => AnyError::of(&LinktorError::new(error, request_id)),
        Spoken::Timely => AnyError::of(&TimelyError::new(error, status)),
    })
}

/// An error of Linktor's dialect.
#[derive(Object)]
#[oai(rename = "LinktorErrorResponse")]
pub(in crate::http) struct LinktorError {
    /// What went wrong.
    error: LinktorFault,
    /// About the request.
    meta: LinktorMeta,
}

/// What went wrong.
#[derive(Object)]
#[oai(rename = "LinktorError", skip_serializing_if_is_none)]
struct LinktorFault {
    /// Stable word for what went wrong.
    code: String,
    /// What went wrong this time.
    message: String,
    /// Fields that do not fit.
    details: Option<Vec<Detail>>,
    /// Seconds to wait before the next try.
    #[oai(rename = "retryAfter")]
    retry_after: Option<u64>,
}

/// A field that does not fit.
#[derive(Object)]
#[oai(rename = "LinktorErrorDetail")]
struct Detail {
    /// Its name.
    field: String,
    /// What is wrong with it.
    message: String,
}

/// About the request.
#[derive(Object)]
#[oai(rename = "LinktorErrorMeta")]
struct LinktorMeta {
    /// Its id.
    #[oai(rename = "requestId")]
    request_id: String,
}

/// An error of Timely's dialect.
#[derive(Object)]
#[oai(rename = "TimelyErrorResponse")]
pub(in crate::http) struct TimelyError {
    /// What went wrong.
    error: TimelyFault,
}

/// What went wrong.
#[derive(Object)]
#[oai(rename = "TimelyError")]
struct TimelyFault {
    /// Stable word for what went wrong.
    code: String,
    /// What went wrong this time.
    message: String,
    /// The status of the answer.
    status: u16,
}

/// An error of either dialect.
pub(in crate::http) struct AnyError(Value);

impl LinktorError {
    fn new(error: &Error, request_id: &str) -> Self {
        let field = match error {
            Error::InvalidField { field, reason } => Some((camel_case(field), reason.clone())),
            Error::InvalidBody { field: Some(field), reason } => Some((field.clone(), reason.clone())),
            Error::InvalidChannelType(_) => Some(("type".to_owned(), error.code().advice().to_owned())),
            _ => None,
        };
        let fault = LinktorFault {
            code: linktor_word(error.code()).to_owned(),
            message: error.description(),
            details: field.map(|(field, message)| vec![Detail { field, message }]),
            retry_after: error.retry_after().map(|pause| pause.as_secs().max(1)),
        };
        Self { error: fault, meta: LinktorMeta { request_id: request_id.to_owned() } }
    }
}

/// The status of an error in either dialect: what a channel signs in with is well-formed, but not accepted.
const fn status_in_v1(error: &Error) -> StatusCode {
    match error.code() {
        ErrorCode::AuthInvalid => StatusCode::UNPROCESSABLE_ENTITY,
        code => status_of(code.kind()),
    }
}

impl Dialect for LinktorError {
    const MORE_STATUSES: &'static [(u16, &'static str)] = MORE_STATUSES;

    fn status(error: &Error) -> StatusCode {
        status_in_v1(error)
    }

    fn render(error: &Error, _status: StatusCode) -> Self {
        Self::new(error, "")
    }
}

impl TimelyError {
    fn new(error: &Error, status: StatusCode) -> Self {
        let code = timely_word(error.code()).to_owned();
        Self { error: TimelyFault { code, message: error.description(), status: status.as_u16() } }
    }
}

impl Dialect for TimelyError {
    const MORE_STATUSES: &'static [(u16, &'static str)] = MORE_STATUSES;

    fn status(error: &Error) -> StatusCode {
        status_in_v1(error)
    }

    fn render(error: &Error, status: StatusCode) -> Self {
        Self::new(error, status)
    }
}

impl AnyError {
    fn of(error: &impl ToJSON) -> Self {
        Self(error.to_json().unwrap_or_default())
    }
}

impl Dialect for AnyError {
    fn status(error: &Error) -> StatusCode {
        status_in_v1(error)
    }

    fn render(error: &Error, _status: StatusCode) -> Self {
        Self::of(&LinktorError::new(error, ""))
    }
}

impl Type for AnyError {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "AnyError".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        any_of([LinktorError::schema_ref(), TimelyError::schema_ref()])
    }

    fn register(registry: &mut Registry) {
        LinktorError::register(registry);
        TimelyError::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ToJSON for AnyError {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }
}

/// A schema that is one of two.
pub(in crate::http) fn any_of(schemas: [MetaSchemaRef; 2]) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(MetaSchema { any_of: schemas.into(), ..MetaSchema::ANY }))
}

/// Names of ours as Linktor's clients know them.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut chars = word.chars();
        text.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(chars.as_str());
    }
    text
}

/// Linktor's words.
const fn linktor_word(code: ErrorCode) -> &'static str {
    match (code, code.kind()) {
        (ErrorCode::MissingCredentials, _) => "AUTHENTICATION_REQUIRED",
        (ErrorCode::ChannelNotFound, _) => "CHANNEL_NOT_FOUND",
        (ErrorCode::WebhookExists, _) => "RESOURCE_ALREADY_EXISTS",
        (ErrorCode::WebhookLimitReached, _) => "WEBHOOK_LIMIT_REACHED",
        (ErrorCode::InvalidChannelType, _) => "INVALID_CHANNEL_TYPE",
        (ErrorCode::ChannelExists, _) => "CHANNEL_ALREADY_EXISTS",
        (ErrorCode::ActiveConversations, _) => "ACTIVE_CONVERSATIONS_EXIST",
        (ErrorCode::ChannelLimitReached, _) => "CHANNEL_LIMIT_REACHED",
        (ErrorCode::NoConnector, _) => "NO_CONNECTOR",
        (ErrorCode::QrCodeNotAvailable, _) => "QR_CODE_NOT_AVAILABLE",
        (
            ErrorCode::ChannelRefused
            | ErrorCode::AuthInvalid
            | ErrorCode::AccountRestricted
            | ErrorCode::ProviderUnavailable,
            _,
        ) => "CHANNEL_ERROR",
        (ErrorCode::ApiCallsExhausted, _) | (_, Kind::Exhausted) => "QUOTA_EXCEEDED",
        (_, Kind::Unauthenticated) => "INVALID_API_KEY",
        (_, Kind::Forbidden) => "INSUFFICIENT_PERMISSIONS",
        (_, Kind::NotFound | Kind::Gone) => "RESOURCE_NOT_FOUND",
        (_, Kind::MethodNotAllowed) => "METHOD_NOT_ALLOWED",
        (_, Kind::Conflict) => "CONFLICT",
        (_, Kind::Invalid | Kind::TooLarge | Kind::UnsupportedMediaType) => "VALIDATION_ERROR",
        (_, Kind::TooMany) => "RATE_LIMIT_EXCEEDED",
        (_, Kind::Internal | Kind::Unavailable) => "INTERNAL_ERROR",
    }
}

/// Timely's words.
const fn timely_word(code: ErrorCode) -> &'static str {
    match (code, code.kind()) {
        (ErrorCode::ChannelLimitReached, _) => "CHANNEL_LIMIT_REACHED",
        (ErrorCode::NoConnector, _) => "NO_CONNECTOR",
        (ErrorCode::QrCodeNotAvailable, _) => "QR_CODE_NOT_AVAILABLE",
        (
            ErrorCode::ChannelRefused
            | ErrorCode::AuthInvalid
            | ErrorCode::AccountRestricted
            | ErrorCode::ProviderUnavailable,
            _,
        ) => "CHANNEL_ERROR",
        (ErrorCode::ApiCallsExhausted, _) | (_, Kind::Exhausted) => "QUOTA_EXCEEDED",
        (_, Kind::Unauthenticated) => "UNAUTHORIZED",
        (_, Kind::Forbidden) => "FORBIDDEN",
        (_, Kind::NotFound | Kind::Gone) => "NOT_FOUND",
        (_, Kind::MethodNotAllowed) => "METHOD_NOT_ALLOWED",
        (_, Kind::Conflict) => "CONFLICT",
        (_, Kind::Invalid | Kind::TooLarge | Kind::UnsupportedMediaType) => "VALIDATION_ERROR",
        (_, Kind::TooMany) => "RATE_LIMIT_EXCEEDED",
        (_, Kind::Internal | Kind::Unavailable) => "INTERNAL_ERROR",
    }
}
