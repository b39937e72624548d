//! Headers that tell a caller how much is left: `RateLimit-Policy` and `RateLimit` (IETF draft 10), `X-RateLimit-…`.
//!
//! Both families speak of the limit that is nearest, so they agree; on 429 so does `Retry-After`.

use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
};

use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue},
};

use crate::meter::{
    admission::{CALLS_NAME, Limits, WINDOW_NAMES},
    rule::Window,
};

/// What the meter told of one request.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<OnceLock<Limits>>);

impl Told {
    /// That of a request that went through [`tell`].
    pub(super) fn of(request: &Request) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    /// Keeps what was told first.
    pub(super) fn tell(&self, limits: Option<Limits>) {
        if let Some(limits) = limits {
            // A second word on the same request would be about a second call, of which there is none.
            let _ = self.0.set(limits);
        }
    }

    /// Writes it into an answer's headers.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if let Some(limits) = self.0.get() {
            write(headers, limits);
        }
    }
}

/// Puts what the meter told into the answer's headers.
pub(super) async fn tell<E: Endpoint>(endpoint: Arc<E>, mut request: Request) -> poem::Result<Response> {
    let told = Told::default();
    request.extensions_mut().insert(told.clone());
    let mut response = endpoint.call(request).await?.into_response();
    told.write(response.headers_mut());
    Ok(response)
}

fn write(headers: &mut HeaderMap, limits: &Limits) {
    let Limits { name, quota, remaining, reset_seconds, .. } = limits;
    if let (Some(policy), Ok(item)) =
        (policy(limits), HeaderValue::from_maybe_shared(format!("\"{name}\";r={remaining};t={reset_seconds}")))
    {
        headers.insert(HeaderName::from_static("ratelimit-policy"), policy);
        headers.insert(HeaderName::from_static("ratelimit"), item);
    }
    headers.insert(HeaderName::from_static("x-ratelimit-limit"), (*quota).into());
    headers.insert(HeaderName::from_static("x-ratelimit-remaining"), (*remaining).into());
    headers.insert(HeaderName::from_static("x-ratelimit-reset"), (*reset_seconds).into());
}

/// The windows and calls that a policy tells of.
type Policy = ([Window; 3], (i64, i64));

thread_local! {
    /// The policy that was written last: those of one plan are the same for a second.
    static LAST: RefCell<Option<(Policy, HeaderValue)>> = const { RefCell::new(None) };
}

/// Every limit with its size and its window in seconds.
fn policy(limits: &Limits) -> Option<HeaderValue> {
    let policy = (limits.windows, limits.calls);
    LAST.with_borrow_mut(|last| match last {
        Some((known, value)) if *known == policy => Some(value.clone()),
        _ => {
            let value = HeaderValue::from_maybe_shared(written(policy)).ok()?;
            Some(last.insert((policy, value)).1.clone())
        }
    })
}

fn written((windows, (calls, seconds)): Policy) -> String {
    let window = |(name, window): (&&str, &Window)| format!("\"{name}\";q={};w={}", window.capacity, window.seconds());
    let windows = WINDOW_NAMES.iter().zip(&windows).map(window);
    let calls = format!("\"{CALLS_NAME}\";q={calls};w={seconds}");
    windows.chain([calls]).collect::<Vec<_>>().join(", ")
}
