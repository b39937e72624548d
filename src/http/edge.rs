//! What happens to every request: it gets an id, a span and a line in the log.
//!
//! Paths of onboarding pages hold a secret, so the log masks them. Queries are never logged.

use std::sync::Arc;

use poem::{Endpoint, IntoResponse, Request, Response, http::HeaderValue};
use tracing::Instrument;

use crate::app::App;

const HEADER: &str = "X-Request-Id";
const MAX_ID_CHARS: usize = 64;

/// The id of a request: the caller's, if it is usable, else ours.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

impl RequestId {
    /// The id of a request that went through [`serve`].
    #[must_use]
    pub fn of(request: &Request) -> String {
        request.extensions().get::<Self>().map(|id| id.0.clone()).unwrap_or_default()
    }
}

/// Serves one request.
///
/// # Errors
/// None: what fails inside has been rendered by its surface.
pub async fn serve<E>(app: Arc<App>, endpoint: Arc<E>, mut request: Request) -> poem::Result<Response>
where
    E: Endpoint,
{
    let id = accepted_id(&request).unwrap_or_else(|| app.clock.uuid().to_string());
    let method = request.method().clone();
    let path = masked(request.uri().path());
    let span = tracing::info_span!("request", request.id = %id, %method, path);
    request.extensions_mut().insert(RequestId(id.clone()));
    let watch = app.clock.stopwatch();
    let mut response = match endpoint.call(request).instrument(span.clone()).await {
        Ok(response) => response.into_response(),
        Err(error) => error.into_response(),
    };
    let status = response.status().as_u16();
    span.in_scope(|| tracing::info!(status, duration_ms = watch.elapsed_ms(), "served"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, id);
    }
    Ok(response)
}

fn accepted_id(request: &Request) -> Option<String> {
    let id = request.header(HEADER)?;
    let fits = (1..=MAX_ID_CHARS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| id.to_owned())
}

fn masked(path: &str) -> String {
    match path.strip_prefix("/qr/") {
        Some(rest) => match rest.split_once('/') {
            Some((_, after)) => format!("/qr/***/{after}"),
            None => "/qr/***".to_owned(),
        },
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_tokens_never_reach_the_log() {
        assert_eq!(masked("/qr/secret"), "/qr/***");
        assert_eq!(masked("/qr/secret/events"), "/qr/***/events");
        assert_eq!(masked("/qr/secret/a/b"), "/qr/***/a/b");
        assert_eq!(masked("/partner/api/v1/workspaces"), "/partner/api/v1/workspaces");
    }
}
