//! The HTTP surfaces: one core, several wire dialects. The only place that names poem.
//!
//! Each surface is a thin folder that parses, authenticates, calls one operation and renders its own envelope and
//! errors. What all requests share — request ids, limits, access log — is in [`edge`] and [`surface`]; how errors of the
//! framework and ours become one dialect is in [`failure`].

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Route, get};

use crate::app::App;

mod assets;
mod body;
mod docs;
pub mod edge;
pub mod failure;
mod formats;
mod machine;
mod onboarding_page;
mod openapi;
mod partner_api;
mod problem;
mod sandbox;
mod server;
mod surface;
mod workspace_api;

pub use openapi::documents;
pub use server::{ServeError, Server};

/// Everything that is served, on one listener.
pub fn routes(app: &Arc<App>) -> impl Endpoint + use<> {
    Route::new()
        .nest("/partner/api/v1", partner_api::endpoint(app))
        .nest("/integrations/api", workspace_api::endpoint(app))
        .nest("/qr", onboarding_page::endpoint(app))
        .nest("/sandbox", sandbox::loopback_endpoint(app))
        .at("/assets/:name", get(assets::asset))
        .at("/docs/:name", get(docs::document).data(Arc::clone(app)))
        .at("/healthz", get(machine::healthz))
        .at("/readyz", get(machine::readyz).data(Arc::clone(app)))
        .catch_all_error(|error| async { failure::respond::<problem::Problem>(error) })
        .around({
            let app = Arc::clone(app);
            move |endpoint, request| edge::serve(Arc::clone(&app), endpoint, request)
        })
}
