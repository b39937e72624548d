//! The documents of the surfaces, for whoever integrates: `/docs/partner-api.json`, `/docs/errors`, …

use std::sync::{Arc, LazyLock};

use poem::{
    Response, handler,
    http::header,
    web::{Data, Path},
};

use crate::{
    app::App,
    error::{Error, Result},
    http::documents,
};

/// Documents that were rendered once.
#[derive(Clone)]
pub(super) struct Shelf(Arc<LazyLock<Vec<(&'static str, String)>, Box<dyn FnOnce() -> Documents + Send + Sync>>>);

type Documents = Vec<(&'static str, String)>;

impl Shelf {
    pub(super) fn new(app: &Arc<App>) -> Self {
        let app = Arc::clone(app);
        Self(Arc::new(LazyLock::new(Box::new(move || documents(&app)))))
    }

    fn find(&self, name: &str) -> Result<(&'static str, &str)> {
        let file = if name == "errors" { "errors.md" } else { name };
        let found = self.0.iter().find(|(known, _)| *known == file).ok_or(Error::RouteNotFound)?;
        let is_json = found.0.ends_with(".json");
        Ok((if is_json { "application/json" } else { "text/markdown; charset=utf-8" }, &found.1))
    }
}

/// One document.
#[handler]
pub(super) fn document(shelf: Data<&Shelf>, Path(name): Path<String>) -> poem::Result<Response> {
    let (content_type, text) = shelf.find(&name)?;
    Ok(Response::builder().header(header::CONTENT_TYPE, content_type).body(text.to_owned()))
}
