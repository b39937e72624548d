//! The Workspace API (`contracts/timelines.md` §3, there called Public API): `{status, data}` envelopes, bearer tokens,
//! times in the workspace's zone.
//!
//! So far: the workspace, its teammates, its accounts, its webhooks, and reading its chats and messages.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Response, Route};
use poem_openapi::{
    Object, OpenApi, OpenApiService,
    payload::Json,
    types::{ParseFromJSON, ToJSON},
};

use crate::{
    app::App,
    http::{failure, surface},
};

mod accounts;
mod auth;
mod chats;
mod dialect;
mod limits;
mod messages;
mod sending;
mod teammates;
mod webhooks;
mod workspace;

pub(super) const BASE: &str = "/integrations/api";

/// The surface with its limits and its dialect.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    surface::surface::<dialect::WorkspaceError>(app, Route::new().nest("/", service(app))).around(limits::tell)
}

/// What failed before a route was found.
pub(super) fn fail(error: poem::Error) -> Response {
    failure::respond::<dialect::WorkspaceError>(error)
}

/// The operations, for routing and for the document.
pub(super) fn service(app: &Arc<App>) -> OpenApiService<impl OpenApi + use<>, ()> {
    let operations = (
        workspace::WorkspaceApi { app: Arc::clone(app) },
        teammates::TeammatesApi { app: Arc::clone(app) },
        accounts::AccountsApi { app: Arc::clone(app) },
        sending::SendingApi { app: Arc::clone(app) },
        chats::ChatsApi { app: Arc::clone(app) },
        messages::MessagesApi { app: Arc::clone(app) },
        webhooks::WebhooksApi { app: Arc::clone(app) },
    );
    OpenApiService::new(operations, "Quartermaster Workspace API", "1")
        .description(
            "A customer's systems read their workspace. Authorization: Bearer with the workspace's token. Successful \
             answers are {status: \"ok\", data}; errors are {status: \"error\", message, error_code, errors}.",
        )
        .server(BASE)
}

/// A successful answer.
#[derive(Object)]
struct Envelope<T: ParseFromJSON + ToJSON + Send + Sync> {
    /// Always `ok`.
    status: String,
    /// What was asked for.
    data: T,
}

/// Puts data into the envelope.
fn ok<T: ParseFromJSON + ToJSON + Send + Sync>(data: T) -> Json<Envelope<T>> {
    Json(Envelope { status: "ok".to_owned(), data })
}
