//! The Workspace API (`contracts/timelines.md` §3, there called Public API): `{status, data}` envelopes, bearer tokens,
//! times in the workspace's zone.
//!
//! Workspace, teammates and their invitations, accounts, webhooks; chats with labels, notes and search; messages with
//! files and reactions; text templates; and what `/v2` asks of them on behalf of one member ([`crate::chat::visibility`]
//! says what it sees).
//!
//! A call is refused for its credentials first (401), then for a scope that its token lacks (403), neither of which
//! counts. From then on it is an API call, also where it cannot be understood: parameters and bodies are read by the
//! handlers, which let the call in.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Response};
use poem_openapi::{
    Object, OpenApi, OpenApiService,
    payload::Json,
    types::{ParseFromJSON, ToJSON},
};
use serde::Serialize;

use crate::{
    app::App,
    http::{failure, limits, rendered::Rendered, surface},
};

mod accounts;
mod attachments;
mod auth;
mod chats;
mod dialect;
mod files;
mod invitations;
mod labels;
mod member;
mod messages;
mod notes;
mod reactions;
mod search;
mod sending;
pub(super) mod short_way;
mod teammates;
mod templates;
mod uploads;
mod webhooks;
mod workspace;

pub(super) const BASE: &str = "/integrations/api";

/// The surface with its limits and its dialect.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    surface::surface_with::<dialect::WorkspaceError, _>(app, service(app), uploads::course).around(limits::tell)
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
        files::FilesApi { app: Arc::clone(app) },
        attachments::AttachmentsApi { app: Arc::clone(app) },
        webhooks::WebhooksApi { app: Arc::clone(app) },
        labels::LabelsApi { app: Arc::clone(app) },
        notes::NotesApi { app: Arc::clone(app) },
        reactions::ReactionsApi { app: Arc::clone(app) },
        templates::TemplatesApi { app: Arc::clone(app) },
        invitations::InvitationsApi { app: Arc::clone(app) },
        search::SearchApi { app: Arc::clone(app) },
        member::MemberApi { app: Arc::clone(app) },
    );
    OpenApiService::new(operations, "Quartermaster Workspace API", "1")
        .description(
            "A customer's systems read and write in their workspace. Authorization: Bearer with the workspace's token. Successful \
             answers are {status: \"ok\", data}; errors are {status: \"error\", message, error_code, errors}. An Idempotency-Key \
             that was used for another request is answered 409 with the error_code idempotency_key_reused.",
        )
        .server(BASE)
}

/// A successful answer.
#[derive(Object, Serialize)]
struct Envelope<T: ParseFromJSON + ToJSON + Send + Sync> {
    /// Always `ok`.
    status: String,
    /// What was asked for.
    data: T,
}

/// A successful answer without anything.
#[derive(Object)]
struct Done {
    /// Always `ok`.
    status: String,
}

/// Says that it is done.
fn done() -> Json<Done> {
    Json(Done { status: "ok".to_owned() })
}

/// Puts data into the envelope.
fn ok<T: ParseFromJSON + ToJSON + Send + Sync>(data: T) -> Json<Envelope<T>> {
    Json(Envelope { status: "ok".to_owned(), data })
}

/// The same for data that serde writes.
fn ok_rendered<T: ParseFromJSON + ToJSON + Send + Sync>(data: T) -> Rendered<Envelope<T>> {
    Rendered(ok(data).0)
}
