//! Where providers tell us what happened (`contracts/channels.md` 1.5): `/callbacks/{connector}/{session}` for those
//! that we tell where, `/callbacks/app/{connector}/{credential}` for those that have one address for all accounts of a
//! key, and `/callbacks/ch_{channel}` for those that the customer tells.
//!
//! What is told is checked for its signature before it is read, noted with the work that follows from it, and answered
//! at once; a worker does the rest. What comes again changes nothing.

use std::{collections::HashMap, sync::Arc};

use entity::{
    channel::ConnectorKind,
    id::{AttemptId, ChannelId, CredentialId},
};
use poem::{
    Endpoint, Request, Response, Route, get, handler, post,
    web::{self, Data, Json, Path},
};
use sea_orm::Iterable;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    connector::callback::{
        self, Callback,
        direct::{self, Question},
    },
    error::{Error, Result},
    http::{problem::Problem, surface},
};

pub(super) const BASE: &str = "/callbacks";

/// The surface.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    surface::surface::<Problem, _>(app, routes())
}

fn routes() -> Route {
    Route::new()
        .at("/:connector/:session", post(about_session))
        .at("/app/:connector/:credential", post(about_any_session))
        .at("/:channel", get(whether_it_is_ours).post(to_channel))
}

/// A provider's question, in Meta's words.
#[derive(Deserialize)]
struct Query {
    #[serde(default, rename = "hub.mode")]
    mode: String,
    #[serde(default, rename = "hub.verify_token")]
    token: String,
    #[serde(default, rename = "hub.challenge")]
    challenge: String,
}

#[handler]
async fn whether_it_is_ours(
    app: Data<&Arc<App>>,
    Path(channel): Path<String>,
    asked: web::Query<Query>,
) -> poem::Result<Response> {
    let web::Query(Query { mode, token, challenge }) = asked;
    let challenge = direct::answer(&app, channel_id(&channel)?, &Question { mode, token, challenge }).await?;
    Ok(Response::builder().content_type("text/plain").header("X-Content-Type-Options", "nosniff").body(challenge))
}

#[handler]
async fn to_channel(
    app: Data<&Arc<App>>,
    request: &Request,
    Path(channel): Path<String>,
    body: Vec<u8>,
) -> poem::Result<Json<Value>> {
    direct::take(&app, channel_id(&channel)?, &read(request, body)).await?;
    Ok(Json(json!({ "status": "ok" })))
}

fn channel_id(text: &str) -> Result<ChannelId> {
    text.strip_prefix("ch_").and_then(|id| id.parse().ok()).ok_or(Error::RouteNotFound)
}

#[handler]
async fn about_session(
    app: Data<&Arc<App>>,
    request: &Request,
    Path((connector, session)): Path<(String, String)>,
    body: Vec<u8>,
) -> poem::Result<Json<Value>> {
    let kind = kind_of(&connector)?;
    let session: AttemptId = session.parse().map_err(|_| Error::RouteNotFound)?;
    callback::take(&app, kind, session, &read(request, body)).await?;
    Ok(Json(json!({ "status": "ok" })))
}

#[handler]
async fn about_any_session(
    app: Data<&Arc<App>>,
    request: &Request,
    Path((connector, credential)): Path<(String, String)>,
    body: Vec<u8>,
) -> poem::Result<Json<Value>> {
    let kind = kind_of(&connector)?;
    let credential: CredentialId = credential.parse().map_err(|_| Error::RouteNotFound)?;
    callback::take_for_all(&app, kind, credential, &read(request, body)).await?;
    Ok(Json(json!({ "status": "ok" })))
}

fn kind_of(connector: &str) -> Result<ConnectorKind, Error> {
    ConnectorKind::iter().find(|kind| kind.to_string() == connector).ok_or(Error::RouteNotFound)
}

fn read(request: &Request, body: Vec<u8>) -> Callback {
    let text = |value: &poem::http::HeaderValue| value.to_str().map(str::to_owned).ok();
    let headers: HashMap<String, String> =
        request.headers().iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect();
    Callback { headers, body }
}
