//! The documents of the surfaces, for whoever integrates: `/docs/partner-api.json`, `/docs/errors`, …

use std::sync::{Arc, OnceLock};

use poem::{
    Response, handler,
    http::header,
    web::{Data, Path},
};

use crate::{app::App, error::Error, http::documents};

/// They are the same in every process of a build, so they are rendered once.
static DOCUMENTS: OnceLock<Vec<(&'static str, String)>> = OnceLock::new();

/// One document.
#[handler]
pub(super) fn document(app: Data<&Arc<App>>, Path(name): Path<String>) -> poem::Result<Response> {
    let file = if name == "errors" { "errors.md" } else { name.as_str() };
    let documents = DOCUMENTS.get_or_init(|| documents(&app));
    let (file, text) = documents.iter().find(|(known, _)| *known == file).ok_or(Error::RouteNotFound)?;
    let content_type = if file.ends_with(".json") { "application/json" } else { "text/markdown; charset=utf-8" };
    Ok(Response::builder().header(header::CONTENT_TYPE, content_type).body(text.clone()))
}
