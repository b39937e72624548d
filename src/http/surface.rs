//! What every surface is wrapped in: limits inside its dialect, and handlers that outlive their connection.
//!
//! A handler that may change something runs in a task of its own: a client that hangs up does not stop it half-way, so
//! what a request began is done or taken back whole.

use std::{sync::Arc, time::Duration};

use poem::{
    Body, Endpoint, EndpointExt, IntoEndpoint, IntoResponse, Request, Response,
    error::ReadBodyError,
    http::{Method, header},
};
use tracing::Instrument;

use crate::{
    app::App,
    error::Error,
    http::failure::{self, Dialect},
};

/// Gives routes the application, the configured limits and a dialect for whatever goes wrong.
pub(super) fn surface<D, R>(app: &Arc<App>, routes: R) -> impl Endpoint<Output = Response> + use<D, R>
where
    D: Dialect,
    R: IntoEndpoint<Endpoint: 'static>,
{
    let limits = Arc::clone(app);
    routes
        .into_endpoint()
        .data(Arc::clone(app))
        .around(move |endpoint, request| within_limits(Arc::clone(&limits), endpoint, request))
        .catch_all_error(|error| async { failure::respond::<D>(error) })
}

/// Serves one request within the configured limits.
async fn within_limits<E>(app: Arc<App>, endpoint: Arc<E>, mut request: Request) -> poem::Result<Response>
where
    E: Endpoint + 'static,
{
    let limit_bytes = app.config.body_limit_bytes;
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let is_empty = declared.is_none() && !request.headers().contains_key(header::TRANSFER_ENCODING);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit_bytes) {
        return Err(Error::BodyTooLarge { limit_bytes }.into());
    }
    let limit_ms = app.config.request_timeout_ms;
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    // On the heap, so that what is handed on is small: it would be copied several times on its way.
    let limited = Box::pin(async move {
        // HTTP/2 tells no length, so that only what cannot have a body goes without a look at it.
        if !(is_read && is_empty) {
            let body = request.take_body().into_bytes_limit(limit_bytes).await;
            let body = body.map_err(|error| match error {
                ReadBodyError::PayloadTooLarge => Error::BodyTooLarge { limit_bytes },
                _ => Error::InvalidBody { field: None, reason: "the body broke off".to_owned() },
            })?;
            request.set_body(Body::from_bytes(body));
        }
        endpoint.call(request).await.map(IntoResponse::into_response)
    });
    if is_read {
        // Nothing is half done when a read is dropped with its connection.
        let outcome = tokio::time::timeout(Duration::from_millis(limit_ms), limited).await;
        return outcome.unwrap_or_else(|_| Err(Error::RequestTimeout { limit_ms }.into()));
    }
    let task = tokio::spawn(limited.instrument(tracing::Span::current()));
    match tokio::time::timeout(Duration::from_millis(limit_ms), task).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Error::Internal(format!("a handler failed: {panic}")).into()),
        Err(_) => Err(Error::RequestTimeout { limit_ms }.into()),
    }
}
