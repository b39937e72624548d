//! Where providers tell us what happened (`contracts/channels.md` 1.5): `/callbacks/{connector}/{session}`.
//!
//! What is told is checked for its signature before it is read, noted with the work that follows from it, and answered
//! at once; a worker does the rest. What comes again changes nothing.

use std::{collections::HashMap, sync::Arc};

use entity::{channel::ConnectorKind, id::AttemptId};
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
    surface::surface::<Problem, _>(app, Route::new().at("/:connector/:session", post(about_session)))
}

#[handler]
async fn about_session(
    app: Data<&Arc<App>>,
    request: &Request,
    Path((connector, session)): Path<(String, String)>,
    body: Vec<u8>,
) -> poem::Result<Json<Value>> {
    let kind = ConnectorKind::iter().find(|kind| kind.to_string() == connector).ok_or(Error::RouteNotFound)?;
    let session: AttemptId = session.parse().map_err(|_| Error::RouteNotFound)?;
    callback::take(&app, kind, session, &read(request, body)).await?;
    Ok(Json(json!({ "status": "ok" })))
}

fn read(request: &Request, body: Vec<u8>) -> Callback {
    let text = |value: &poem::http::HeaderValue| value.to_str().map(str::to_owned).ok();
    let headers: HashMap<String, String> =
        request.headers().iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect();
    Callback { headers, body }
}
