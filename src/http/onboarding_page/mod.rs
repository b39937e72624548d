//! The onboarding page (`contracts/timelines.md` §1.6, DESIGN "Onboarding"): where an end customer links a phone.
//!
//! | address | what it does |
//! |---|---|
//! | `GET /qr/{token}` | the page; starts nothing, so link previews are harmless |
//! | `POST /qr/{token}/attempts` | starts an attempt, or finds the one that is alive; with user name and password where the network wants them |
//! | `POST /qr/{token}/answer` | answers what the network asks |
//! | `POST /qr/{token}/answer/resend` | has the network send its code again |
//! | `GET /qr/{token}/events` | server-sent events: the state of the link, again on every change |
//! | `POST /qr/{token}/pairing-code` | asks for a code to type into the phone |
//! | `GET /qr/{token}/logo` | the partner's logo |
//!
//! The page starts an attempt by itself when it is opened in a browser, embedded or not; a parent page that sends
//! `TIMELINES_START_QR` gets the codes posted besides.
//!
//! Where accounts of the network are linked with user name and password, the page waits for them, and for what the
//! network asks after. They come in bodies only, go to the connector, and are forgotten.
//!
//! The token is the credential; it is in the address, so nothing here is cached, referred or logged with it. Errors
//! are problems, except for the page itself, which says them in words.

use std::{num::NonZeroU32, sync::Arc};

use entity::id::LinkId;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use poem::{
    Endpoint, EndpointExt, Response, Route, get,
    http::{HeaderValue, header},
    post,
};

use crate::{
    app::App,
    error::{Error, Result},
    http::{failure, problem::Problem, streams::Streams, surface},
};

mod actions;
mod events;
mod page;
mod qr_image;
mod view;

pub(super) use page::{DEFAULT_COLOR, ink_on};

/// Where the pages live.
pub(super) const BASE: &str = "/qr";
const ACTIONS_PER_SECOND: NonZeroU32 = NonZeroU32::new(2).expect("not zero");
const ACTIONS_AT_ONCE: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
const LINKS_REMEMBERED: usize = 100_000;

/// What the page's addresses share.
pub(super) struct Shared {
    app: Arc<App>,
    actions: DefaultKeyedRateLimiter<LinkId>,
    streams: Streams<LinkId>,
}

impl Shared {
    /// Passes unless this link is being hammered. Limits are per link and not per address: whole companies sit behind
    /// one.
    fn pace(&self, link: LinkId) -> Result<()> {
        if self.actions.len() > LINKS_REMEMBERED {
            self.actions.retain_recent();
        }
        self.actions
            .check_key(&link)
            .map_err(|_| Error::TooManyRequests { retry_after: std::time::Duration::from_secs(1) })
    }
}

/// The surface with its limits.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    let quota = Quota::per_second(ACTIONS_PER_SECOND).allow_burst(ACTIONS_AT_ONCE);
    let shared =
        Arc::new(Shared { app: Arc::clone(app), actions: RateLimiter::keyed(quota), streams: Streams::default() });
    let routes = Route::new()
        .at("/:token", get(page::show_page))
        .at("/:token/attempts", post(actions::start_attempt))
        .at("/:token/answer", post(actions::answer_question))
        .at("/:token/answer/resend", post(actions::ask_again))
        .at("/:token/pairing-code", post(actions::request_pairing_code))
        .at("/:token/events", get(events::events))
        .at("/:token/logo", get(page::show_logo))
        .data(shared);
    surface::surface::<Problem, _>(app, routes)
        .after(|outcome: poem::Result<Response>| async { Ok::<_, poem::Error>(discreet(outcome?)) })
}

/// What failed before a route was found.
pub(super) fn fail(error: poem::Error) -> Response {
    discreet(failure::respond::<Problem>(error))
}

/// The address holds a secret: nothing keeps, refers or indexes it.
pub(super) fn discreet(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("X-Robots-Tag", HeaderValue::from_static("noindex"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
