//! Where providers tell us what happened (`contracts/channels.md` 1.5): `/callbacks/{connector}/{session}`, and
//! `/callbacks/app/{connector}/{credential}` where a provider has one address for all accounts of a key.
//!
//! What is told is checked for its signature before it is read, noted with the work that follows from it, and answered
//! at once; a worker does the rest. What comes again changes nothing.

use std::{collections::HashMap, sync::Arc};

use entity::{
    channel::ConnectorKind,
    id::{AttemptId, CredentialId},
};
use poem::{
    Endpoint, Request, Response, Route, handler, post,
    web::{Data, Json, Path},
};
use sea_orm::Iterable;
use serde_json::{Value, json};

use crate::{
    app::App,
    connector::callback::{self, Callback},
    error::Error,
    http::{problem::Problem, surface},
};

pub(super) const BASE: &str = "/callbacks";

/// The surface.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    let routes = Route::new()
        .at("/:connector/:session", post(about_session))
        .at("/app/:connector/:credential", post(about_any_session));
    surface::surface::<Problem, _>(app, routes)
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
