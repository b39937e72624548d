//! Who may call at all: browsers on the websites that the channel allows, and our own frame.
//!
//! Every call names a widget, and every call is checked for its origin, streams and preflights too. A browser says with
//! `Origin` where a script runs that calls from elsewhere; our own frame's reads carry none, but `Sec-Fetch-Site` or a
//! `Referer`, which scripts cannot set either. The answer names exactly the origin that called, never `*`, and allows no
//! credentials of the browser's.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};
use reqwest::Url;

use crate::{
    channel::widget::{self, Widget},
    error::{Error, Result},
    http::{
        failure,
        problem::Problem,
        widget::{Shared, limits},
    },
};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
const HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type, If-None-Match, Last-Event-ID");
const EXPOSED: HeaderValue = HeaderValue::from_static("ETag, Retry-After, X-Request-Id");
/// How long a browser may remember that it may call, in seconds: as long as a change of the origins may take to count.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// Serves one call to a widget.
pub(super) async fn enter<E: Endpoint>(
    shared: Arc<Shared>,
    endpoint: Arc<E>,
    mut request: Request,
) -> poem::Result<Response> {
    let origin = calling_origin(request.headers(), &shared.own_origin);
    let is_preflight = request.method() == Method::OPTIONS;
    let admitted = admit(&shared, &request, origin.as_deref()).await;
    // That somebody has to wait is no secret, and a script that may not read it would not wait.
    let is_readable = matches!(admitted, Ok(_) | Err(Error::TooManyRequests { .. }));
    let mut response = match admitted {
        Err(error) => failure::respond::<Problem>(error.into()),
        Ok(_) if is_preflight => preflight(),
        Ok(widget) => {
            request.extensions_mut().insert(Arc::new(widget));
            endpoint.call(request).await.map_or_else(failure::respond::<Problem>, IntoResponse::into_response)
        }
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(origin) = origin.filter(|_| is_readable).and_then(|origin| HeaderValue::from_str(&origin).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    Ok(response)
}

/// The widget that is called, if it may be called from there.
async fn admit(shared: &Shared, request: &Request, origin: Option<&str>) -> Result<Widget> {
    shared.limits.pace_address(limits::address(request))?;
    let path = request.uri().path().trim_start_matches('/');
    let token = path.split('/').next().unwrap_or_default();
    let widget = widget::find(&shared.app, token).await?;
    match origin {
        Some(origin) if origin == shared.own_origin || widget.allows(origin) => Ok(widget),
        Some(origin) => Err(Error::OriginNotAllowed(origin.to_owned())),
        None => Err(Error::OriginNotAllowed("a website that does not say where it is".to_owned())),
    }
}

fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    response
}

/// The origin of whoever calls, as far as its browser says.
fn calling_origin(headers: &HeaderMap, own: &str) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if headers.contains_key(header::ORIGIN) {
        return text(header::ORIGIN).map(str::to_owned);
    }
    match text(FETCH_SITE) {
        Some(site) => (site == "same-origin").then(|| own.to_owned()),
        None => text(header::REFERER).and_then(origin_of_url).filter(|origin| origin == own),
    }
}

/// The origin of an address, as a browser writes it.
pub(super) fn origin_of_url(text: &str) -> Option<String> {
    let url: Url = text.parse().ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_browsers_on_our_own_page_may_say_nothing() {
        let own = "https://chat.example.com";
        let called = |pairs: &[(&'static str, &str)]| {
            let header = |(name, value): &(&'static str, &str)| {
                (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
            };
            calling_origin(&pairs.iter().map(header).collect(), own)
        };
        let elsewhere = "https://www.example.com";
        assert_eq!(called(&[("origin", elsewhere)]).as_deref(), Some(elsewhere));
        assert_eq!(called(&[("origin", "null"), ("sec-fetch-site", "same-origin")]).as_deref(), Some("null"));
        assert_eq!(called(&[("sec-fetch-site", "same-origin")]).as_deref(), Some(own));
        assert_eq!(called(&[("sec-fetch-site", "cross-site"), ("referer", "https://chat.example.com/x")]), None);
        assert_eq!(called(&[("referer", "https://chat.example.com/widget/frame/x")]).as_deref(), Some(own));
        assert_eq!(called(&[("referer", "https://chat.example.com.evil.example/")]), None);
        assert_eq!(called(&[]), None);
    }
}
