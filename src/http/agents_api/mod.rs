//! Bots, which this surface calls agents, and the channels that they answer on (`contracts/channels.md` B1, B3).
//!
//! One resource in two dialects: with `Authorization: Bearer` a caller speaks Linktor's (`data` and `meta`, camelCase,
//! ids with a prefix), with `x-api-key` Timely's (flat, snake_case, bare ids). The same tokens open both.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Response};
use poem_openapi::{OpenApi, OpenApiService};

use crate::{
    app::App,
    http::{
        failure, limits,
        surface::{self, Course},
    },
};

mod agents;
mod auth;
mod channels;
mod dialect;
mod either;
mod views;

pub(super) const BASE: &str = "/v1";

/// The surface with its limits and its dialects.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    surface::limited(app, service(app), |_| Course::Usual).around(dialect::render).around(limits::tell)
}

/// What failed before a route was found.
pub(super) fn fail(error: poem::Error) -> Response {
    failure::respond::<dialect::AnyError>(error)
}

/// The operations, for routing and for the document.
pub(super) fn service(app: &Arc<App>) -> OpenApiService<impl OpenApi + use<>, ()> {
    let operations = (agents::AgentsApi { app: Arc::clone(app) }, channels::ChannelAgentApi { app: Arc::clone(app) });
    OpenApiService::new(operations, "Quartermaster Agents API", "1")
        .description(
            "Bots that answer what comes to a channel. The workspace's token is sent as Authorization: Bearer, and bodies are \
             {data, meta} in camelCase then, or as x-api-key, and bodies are flat in snake_case.",
        )
        .server(BASE)
}
