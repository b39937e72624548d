//! Channels (`contracts/channels.md` B1, B3, seeds 000 and 002), and everything else under `/v1`.
//!
//! One resource in two dialects, each with operations, views and a document of its own: with `Authorization: Bearer` a
//! caller reaches [`linktor`], with `x-api-key` [`timely`]. The same tokens open both, at the same addresses. Agents
//! (`agents_api`) are served beside either.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, IntoEndpoint, Request, Response, endpoint::BoxEndpoint};
use poem_openapi::{OpenApi, OpenApiService};

use crate::{
    app::App,
    http::{
        agents_api::{
            self,
            dialect::{self, Spoken},
        },
        limits,
        surface::{self, Course},
    },
};

pub(super) mod linktor;
pub(super) mod qr_code;
pub(super) mod timely;

pub(super) const BASE: &str = "/v1";

/// The surface with its limits and its dialects.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    let routes = ByDialect {
        linktor: routes((linktor::operations(app), agents_api::operations(app))),
        timely: routes((timely::operations(app), agents_api::operations(app))),
    };
    surface::limited(app, routes, |_| Course::Usual).around(dialect::render).around(limits::tell)
}

/// The dialect of a request that was sent to this surface.
pub(super) fn spoken(path: &str, request: &Request) -> Option<Spoken> {
    super::is_under(BASE, path).then(|| Spoken::of(request))
}

/// What failed before a route was found.
pub(super) fn fail(error: poem::Error, spoken: Spoken, request_id: &str) -> Response {
    dialect::respond(error, spoken, request_id)
}

fn routes(operations: impl OpenApi + 'static) -> BoxEndpoint<'static> {
    OpenApiService::new(operations, "", "").into_endpoint()
}

/// The operations of the dialect that a request is in.
struct ByDialect {
    linktor: BoxEndpoint<'static>,
    timely: BoxEndpoint<'static>,
}

impl Endpoint for ByDialect {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        match Spoken::of(&request) {
            Spoken::Linktor => self.linktor.call(request).await,
            Spoken::Timely => self.timely.call(request).await,
        }
    }
}
