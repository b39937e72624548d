//! What happens to every request: it gets an id, a span and a line in the log.
//!
//! Paths of onboarding pages and of links to files hold a secret, so the log masks whatever looks like one, in any path. Queries are never
//! logged. What fails before a surface is reached is rendered in the dialect of the surface that it was sent to.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{HeaderName, HeaderValue},
};
use tracing::Instrument;

use crate::{
    app::App,
    http::{allow::Addresses, channels_api},
};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MAX_ID_CHARS: usize = 64;
/// Slugs are 30 characters at most, uuids 36; tokens are 43 and more.
const SHORTEST_SECRET: usize = 37;

/// The id of a request: the caller's, if it is usable, else ours.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

impl RequestId {
    /// The id of a request that went through `serve`.
    #[must_use]
    pub fn of(request: &Request) -> String {
        request.extensions().get::<Self>().map(|id| id.0.to_string()).unwrap_or_default()
    }
}

/// Serves one request.
///
/// # Errors
/// None: what fails inside has been rendered by its surface.
pub(super) async fn serve<E>(
    app: Arc<App>,
    addresses: Arc<Addresses>,
    endpoint: Arc<E>,
    mut request: Request,
) -> poem::Result<Response>
where
    E: Endpoint,
{
    let id: Arc<str> = accepted_id(&request).map_or_else(|| app.clock.uuid().to_string().into(), Into::into);
    let method = request.method().clone();
    let original_path = request.uri().path().to_owned();
    let span = match tracing::enabled!(tracing::Level::INFO) {
        true => tracing::info_span!("request", request.id = %id, %method, path = masked(&original_path)),
        false => tracing::Span::none(),
    };
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let spoken = channels_api::spoken(&original_path, &request);
    let watch = app.clock.stopwatch();
    let mut response = match Box::pin(endpoint.call(request)).instrument(span.clone()).await {
        Ok(response) => response.into_response(),
        Err(error) => span.in_scope(|| super::fail(&original_path, spoken, &id, error)),
    };
    addresses.complete(&original_path, &mut response);
    let status = response.status().as_u16();
    span.in_scope(|| tracing::info!(status, duration_ms = watch.elapsed_ms(), "served"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, id);
    }
    Ok(response)
}

fn accepted_id(request: &Request) -> Option<&str> {
    let id = request.headers().get(HEADER)?.to_str().ok()?;
    let fits = (1..=MAX_ID_CHARS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(id)
}

/// The path with every part that could be a token masked: all that is long.
fn masked(path: &str) -> String {
    let shown = |part: &str| if part.len() >= SHORTEST_SECRET { "***".to_owned() } else { part.to_owned() };
    path.split('/').map(shown).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_tokens_never_reach_the_log() {
        let token = "X7TO2nmyfYLBMg5IZ-BedNg0PFC_uIW7rnBHsKoTxLk";
        for path in ["/qr/{}", "//qr/{}", "/%71r/{}", "/x/../qr/{}/events", "/{}", "/assets/{}"] {
            let path = path.replace("{}", token);
            assert!(!masked(&path).contains("X7TO2"), "{path}");
        }
        assert_eq!(masked(&format!("/qr/{token}/events")), "/qr/***/events");
        let uid = "01930000-0000-7000-8000-000000000001";
        let ticket = format!("1789027200-{token}");
        assert_eq!(masked(&format!("/files/download/{uid}/{ticket}")), format!("/files/download/{uid}/***"));
        assert_eq!(masked("/partner/api/v1/workspaces"), "/partner/api/v1/workspaces");
    }
}
