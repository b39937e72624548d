//! The Partner API (`contracts/timelines.md` §1): bare JSON objects, flat errors, JWT credentials.
//!
//! Compatible field by field with the contract; what goes beyond it (lists, revoking links, `time_zone`,
//! `Idempotency-Key`, simulated phones, the webhook's setting and log) is in the same style and says so.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Response, http::HeaderValue};
use poem_openapi::{OpenApi, OpenApiService};

use crate::{
    app::App,
    http::{failure, surface},
};

mod auth;
mod dialect;
mod links;
mod sandbox;
mod tokens;
mod users;
mod views;
mod webhooks;
mod workspaces;

pub(super) const BASE: &str = "/partner/api/v1";

/// The surface with its limits and its dialect.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    surface::surface::<dialect::PartnerError, _>(app, service(app))
        .after(|outcome: poem::Result<Response>| async { Ok::<_, poem::Error>(versioned(outcome?)) })
}

/// What failed before a route was found.
pub(super) fn fail(error: poem::Error) -> Response {
    versioned(failure::respond::<dialect::PartnerError>(error))
}

/// Says on every answer which version of the contract it is.
fn versioned(mut response: Response) -> Response {
    response.headers_mut().insert("X-TL-API-Version", HeaderValue::from_static("v1"));
    response
}

/// The operations, for routing and for the document.
pub(super) fn service(app: &Arc<App>) -> OpenApiService<impl OpenApi + use<>, ()> {
    let operations = (
        workspaces::WorkspacesApi { app: Arc::clone(app) },
        users::UsersApi { app: Arc::clone(app) },
        links::LinksApi { app: Arc::clone(app) },
        tokens::TokensApi { app: Arc::clone(app) },
        sandbox::SandboxApi { app: Arc::clone(app) },
        webhooks::WebhooksApi { app: Arc::clone(app) },
    );
    OpenApiService::new(operations, "Quartermaster Partner API", "1")
        .description(
            "Partners create workspaces and users, onboard accounts by QR and hand out API tokens. Every request \
             carries a JWT signed with the partner secret (HS256; claims partner_id, nbf, exp at most 15 minutes \
             apart) and the header X-TL-Partner-Id. Errors are {error, status, description}.",
        )
        .server(BASE)
}
