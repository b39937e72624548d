//! The Operator API: the platform's own staff and tools. RFC 9457 problems, cursor pages, `Idempotency-Key`.

use std::sync::Arc;

use poem::{Endpoint, Response};
use poem_openapi::{OpenApi, OpenApiService};

use crate::{
    app::App,
    http::{
        failure::{self, Failure},
        problem::Problem,
        surface,
    },
};

mod auth;
mod credits;

pub(super) const BASE: &str = "/operator/v1";

/// The dialect's way out of a handler.
type OperatorFailure = Failure<Problem>;

/// The surface with its limits and its dialect.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    surface::surface::<Problem, _>(app, service(app))
}

/// What failed before a route was found.
pub(super) fn fail(error: poem::Error) -> Response {
    failure::respond::<Problem>(error)
}

/// The operations, for routing and for the document.
pub(super) fn service(app: &Arc<App>) -> OpenApiService<impl OpenApi + use<>, ()> {
    OpenApiService::new(credits::CreditsApi { app: Arc::clone(app) }, "Quartermaster Operator API", "1")
        .description(
            "The platform's own staff and tools. Authorization: Bearer with an operator token \
             (quartermaster operator-token create). Errors are RFC 9457 problems.",
        )
        .server(BASE)
}
