//! Where the widgets of web chats come from and what they call (`contracts/channels.md` A7).
//!
//! | address | what it does |
//! |---|---|
//! | `GET /widget/widget.js` | the script that a website embeds: a button, and the frame behind it |
//! | `GET /widget/frame/{widget_token}` | the page in that frame; its policy names the websites that may frame it |
//! | `/widget/api/{widget_token}/…` | what the page calls, or a widget that somebody else writes; `openapi/widget-api.json` |
//!
//! The widget token is public: it says which channel is meant and proves nothing. Whose browser may call is decided by
//! the origin ([`door`]), who writes is proved by the visitor's token. Errors are problems. No cookies: a website that is
//! not allowed gets nothing by making its visitors' browsers call here.
//!
//! A website proves who is signed in there with the channel's `identitySecret`: its server adds `data-user-id` and
//! `data-user-hash` to the script, the hexadecimal HMAC-SHA256 of that id (with `data-user-email`: of id, line break and
//! address), or its own script calls `ChatWidget.identify({ userId, hash })`. `ChatWidget.open()` and `.close()` move the
//! window; `POST /v1/channels/{id}/widget-token` replaces the widget token.

use std::sync::Arc;

use entity::id::VisitorId;
use poem::{Endpoint, EndpointExt, Request, Response, Route, get, http::Method};
use poem_openapi::{OpenApi, OpenApiService};

use crate::{
    app::App,
    http::{
        problem::Problem,
        streams::Streams,
        surface::{self, Course},
    },
};

mod api;
mod door;
mod events;
mod limits;
mod page;
mod views;

/// Where everything of the widgets is.
pub(super) const BASE: &str = "/widget";
const API: &str = "/widget/api";

/// What the widget's addresses share.
struct Shared {
    app: Arc<App>,
    /// The origin of our own pages.
    own_origin: String,
    limits: limits::VisitorLimits,
    streams: Streams<VisitorId>,
}

/// The surface with its limits.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    let shared = shared(app);
    let service = OpenApiService::new(operations(&shared), "", "");
    let api = surface::surface_with::<Problem, _>(app, service, course)
        .around(move |endpoint, request| door::enter(Arc::clone(&shared), endpoint, request));
    let frame = surface::surface::<Problem, _>(app, Route::new().at("/:token", get(page::frame)));
    Route::new().at("/widget.js", get(page::script)).nest("/frame", frame).nest("/api", api)
}

/// The operations, for the document.
pub(super) fn service(app: &Arc<App>) -> OpenApiService<impl OpenApi + use<>, ()> {
    OpenApiService::new(operations(&shared(app)), "Quartermaster Widget API", "1")
        .description(
            "What the widget of a web chat calls from a visitor's browser. The channel's public widget_token stands in the \
             address; the browser has to be on one of the channel's allowedOrigins, which the Origin header says and CORS \
             enforces. A visitor is proved by the token that POST …/session gives, sent as Authorization: Bearer. No cookies \
             are used.",
        )
        .server(API)
}

fn shared(app: &Arc<App>) -> Arc<Shared> {
    Arc::new(Shared {
        own_origin: door::origin_of_url(&app.config.public_url).unwrap_or_default(),
        app: Arc::clone(app),
        limits: limits::VisitorLimits::default(),
        streams: Streams::default(),
    })
}

/// How requests are read: a file as it comes, everything else whole.
fn course(request: &Request) -> Course {
    let is_file = *request.method() == Method::POST && request.uri().path().ends_with("/files");
    if is_file { Course::Upload } else { Course::Usual }
}

fn operations(shared: &Arc<Shared>) -> impl OpenApi + use<> {
    (api::VisitApi { shared: Arc::clone(shared) }, api::MessagesApi { shared: Arc::clone(shared) })
}
