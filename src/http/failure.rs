//! From any error to a surface's dialect, in one place for the framework's errors and ours.
//!
//! Handlers return [`Failure`], which carries our error out; [`respond`] wraps each surface and renders whatever comes
//! out in the surface's [`Dialect`]. Errors of the inside are logged here, once, and say nothing to the caller.

use std::{error::Error as StdError, marker::PhantomData};

use poem::{
    Response,
    error::{MethodNotAllowedError, NotFoundError, ResponseError},
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    error::{AuthorizationError, ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError},
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::{ToJSON, Type},
};

use crate::error::{Error, Kind};

/// How a surface says that something went wrong.
pub trait Dialect: Type + ToJSON + Send + Sync + 'static {
    /// Media type of the body.
    const CONTENT_TYPE: &'static str = "application/json; charset=utf-8";

    /// Statuses that only this dialect has, and what they mean.
    const MORE_STATUSES: &'static [(u16, &'static str)] = &[];

    /// Statuses that this dialect has not.
    const WITHOUT_STATUSES: &'static [u16] = &[];

    /// The status; most dialects agree.
    #[must_use]
    fn status(error: &Error) -> StatusCode {
        status_of(error.code().kind())
    }

    /// The error for a request without usable credentials.
    fn without_credentials() -> Error {
        Error::MissingCredentials
    }

    /// The body.
    fn render(error: &Error, status: StatusCode) -> Self;
}

/// An error on its way out of a handler of this dialect.
pub struct Failure<D> {
    error: Error,
    dialect: PhantomData<fn() -> D>,
}

impl<D> From<Error> for Failure<D> {
    fn from(error: Error) -> Self {
        Self { error, dialect: PhantomData }
    }
}

impl<D> From<Failure<D>> for poem::Error {
    fn from(failure: Failure<D>) -> Self {
        failure.error.into()
    }
}

impl ResponseError for Error {
    fn status(&self) -> StatusCode {
        status_of(self.code().kind())
    }
}

impl<D: Dialect> ApiResponse for Failure<D> {
    fn meta() -> MetaResponses {
        let statuses = [
            (400, "The request cannot be understood"),
            (401, "The credentials are missing or refused"),
            (403, "The caller may not do this"),
            (404, "No such thing, or not the caller's"),
            (405, "The address does not answer this method"),
            (409, "The state of things is against it"),
            (410, "It existed and is over"),
            (413, "The body is too large"),
            (415, "The body has another media type"),
            (429, "Too many requests; see Retry-After"),
            (500, "Something failed inside"),
            (503, "Not now; see Retry-After"),
        ];
        let response = |(status, description)| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType { content_type: D::CONTENT_TYPE, schema: D::schema_ref() }],
            headers: vec![],
        };
        let all = statuses.into_iter().chain(D::MORE_STATUSES.iter().copied());
        let all = all.filter(|(status, _)| !D::WITHOUT_STATUSES.contains(status));
        MetaResponses { responses: all.map(response).collect() }
    }

    fn register(registry: &mut Registry) {
        D::register(registry);
    }
}

/// Renders an error in a dialect; what a handler has rendered already passes through.
pub fn respond<D: Dialect>(error: poem::Error) -> Response {
    respond_with(error, D::render)
}

/// The same where a body says more than the error does.
pub(super) fn respond_with<D: Dialect>(error: poem::Error, render: impl FnOnce(&Error, StatusCode) -> D) -> Response {
    if error.is_from_response() {
        return error.into_response();
    }
    let error = ours(error, D::without_credentials);
    let status = D::status(&error);
    if status.is_server_error() {
        log(&error);
    }
    let body = render(&error, status).to_json().unwrap_or_default().to_string();
    let mut response = Response::builder().status(status).header(header::CONTENT_TYPE, D::CONTENT_TYPE).body(body);
    if let Some(pause) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// How the framework ends what it says of a parameter that is not there.
const MISSING: &str = "expects an input value.";

/// The framework's errors in our words. Its own texts are not repeated: they name types of ours.
pub(super) fn ours(error: poem::Error, without_credentials: impl Fn() -> Error) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => return error,
        Err(error) => error,
    };
    if let Some(parameter) = error.downcast_ref::<ParseParamError>() {
        let is_missing = parameter.reason.ends_with(MISSING);
        return Error::field(parameter.name, if is_missing { "is required" } else { "cannot be read" });
    }
    if error.is::<ParsePathError>() {
        Error::InvalidParameter
    } else if error.is::<ParseRequestPayloadError>() {
        Error::InvalidBody { field: None, reason: "the body cannot be read".to_owned() }
    } else if error.is::<ContentTypeError>() {
        Error::UnsupportedMediaType
    } else if error.is::<AuthorizationError>() {
        without_credentials()
    } else if error.is::<NotFoundError>() {
        Error::RouteNotFound
    } else if error.is::<MethodNotAllowedError>() {
        Error::MethodNotAllowed
    } else if error.status().is_client_error() {
        Error::InvalidParameter
    } else {
        Error::Internal(format!("framework: {error}"))
    }
}

fn log(error: &Error) {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain = format!("{chain}: {cause}");
        source = cause.source();
    }
    match error.code().kind() {
        Kind::Internal => tracing::error!(code = %error.code(), error = chain, "a request failed inside"),
        _ => tracing::warn!(code = %error.code(), error = chain, "a request was turned away"),
    }
}

/// The status of a kind, where a dialect does not say otherwise.
#[must_use]
pub const fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Exhausted => StatusCode::PAYMENT_REQUIRED,
        Kind::Gone => StatusCode::GONE,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}
