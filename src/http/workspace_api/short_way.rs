//! The short way of `POST /messages`, which is sent far more often than anything else.
//!
//! Routes and extractors cost a request as much as all that is done for it. A plain message — JSON of a declared
//! length, no key to repeat it by — is served here instead, by the same functions; all others take the routes.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{Method, header},
};
use poem_openapi::auth::{Bearer, BearerAuthorization};

use crate::{
    app::App,
    http::{
        limits::Told,
        surface,
        token_caller::TokenCaller,
        unstoppable,
        workspace_api::{self, sending},
    },
};

const PATH: &str = "/integrations/api/messages";
const JSON: &str = "application/json";

/// Serves a plain message, and hands everything else on.
///
/// # Errors
/// What the routes say; what fails here is rendered.
pub(in crate::http) async fn serve<E>(app: Arc<App>, endpoint: Arc<E>, request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    if !is_plain(&app, &request) {
        return endpoint.call(request).await;
    }
    let told = Told::default();
    let limit_ms = app.config.request_timeout_ms;
    let answering = answer(app, request, told.clone());
    let mut response = unstoppable::answer(limit_ms, answering).await.unwrap_or_else(workspace_api::fail);
    told.write(response.headers_mut());
    Ok(response)
}

fn is_plain(app: &App, request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::POST
        && request.uri().path() == PATH
        && headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == JSON)
        && !headers.contains_key("Idempotency-Key")
        && surface::declared_bytes(request).is_some_and(|bytes| (1..=app.config.body_limit_bytes).contains(&bytes))
}

async fn answer(app: Arc<App>, mut request: Request, told: Told) -> poem::Result<Response> {
    let body = surface::whole_body(&mut request, app.config.body_limit_bytes).await?;
    let bearer = Bearer::from_request(&request)?;
    let caller = TokenCaller::of(&app, &request, &bearer.token, told).await?;
    Ok(sending::plain_to_phone(&app, &caller, &body).await?.into_response())
}
