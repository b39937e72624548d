//! The HTTP surfaces: one core, several wire dialects. The only place that names poem.
//!
//! Each surface is a thin folder that parses, authenticates, calls one operation and renders its own envelope and
//! errors. What all requests share — request ids, limits, access log — is in `edge` and `surface`; how errors of the
//! framework and ours become one dialect is in `failure`.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Response, Route, get};

use crate::{app::App, http::agents_api::dialect::Spoken};

mod agents_api;
mod allow;
mod assets;
mod body;
mod callbacks;
mod channels_api;
mod connect_api;
mod docs;
mod downloads;
pub mod edge;
pub mod failure;
mod formats;
mod invitation_page;
mod limits;
mod machine;
mod onboarding_page;
mod openapi;
mod operator_api;
mod partner_api;
mod problem;
mod query;
mod range;
mod rendered;
mod repeat;
mod required;
mod sandbox;
mod server;
mod streams;
mod subscription_docs;
mod surface;
mod token_caller;
mod unstoppable;
mod webhook_docs;
mod widget;
mod workspace_api;

pub use openapi::documents;
pub use server::{ServeError, Server};

fn is_under(base: &str, path: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Renders what failed before its surface was reached, in that surface's dialect.
fn fail(path: &str, spoken: Option<Spoken>, request_id: &str, error: poem::Error) -> Response {
    let is_under = |base: &str| is_under(base, path);
    if let Some(spoken) = spoken {
        channels_api::fail(error, spoken, request_id)
    } else if is_under(partner_api::BASE) {
        partner_api::fail(error)
    } else if is_under(workspace_api::BASE) {
        workspace_api::fail(error)
    } else if is_under(connect_api::BASE) {
        connect_api::fail(error)
    } else if is_under(operator_api::BASE) {
        operator_api::fail(error)
    } else if is_under(invitation_page::BASE) {
        invitation_page::fail(error)
    } else if is_under(onboarding_page::BASE) {
        onboarding_page::fail(error)
    } else {
        failure::respond::<problem::Problem>(error)
    }
}

/// Everything that is served, on one listener.
pub fn routes(app: &Arc<App>) -> impl Endpoint + use<> {
    Route::new()
        .nest(partner_api::BASE, partner_api::endpoint(app))
        .nest(workspace_api::BASE, workspace_api::endpoint(app))
        .nest(channels_api::BASE, channels_api::endpoint(app))
        .nest(connect_api::BASE, connect_api::endpoint(app))
        .nest(operator_api::BASE, operator_api::endpoint(app))
        .nest(onboarding_page::BASE, onboarding_page::endpoint(app))
        .nest(crate::file::link::BASE, downloads::endpoint(app))
        .nest(invitation_page::BASE, invitation_page::endpoint(app))
        .nest(callbacks::BASE, callbacks::endpoint(app))
        .nest("/sandbox", sandbox::loopback_endpoint(app))
        .nest(widget::BASE, widget::endpoint(app))
        .at("/assets/:name", get(assets::asset))
        .at("/docs/:name", get(docs::document).data(Arc::clone(app)))
        .at("/healthz", get(machine::healthz))
        .at("/readyz", get(machine::readyz).data(Arc::clone(app)))
        .around({
            let app = Arc::clone(app);
            move |endpoint, request| workspace_api::short_way::serve(Arc::clone(&app), endpoint, request)
        })
        .around({
            let (app, addresses) = (Arc::clone(app), Arc::new(allow::Addresses::new(app)));
            move |endpoint, request| edge::serve(Arc::clone(&app), Arc::clone(&addresses), endpoint, request)
        })
}
