//! Which methods an address answers, for those who came with another one (RFC 9110, 15.5.6), as the documents of the
//! surfaces say.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use poem::{
    Response,
    http::{HeaderValue, StatusCode, header},
};
use serde_json::Value;

use crate::{app::App, http::openapi};

/// All addresses of all documents, which are read when they are first asked for.
pub(super) struct Addresses {
    app: Arc<App>,
    all: OnceLock<Vec<Address>>,
}

struct Address {
    /// Its parts, those that may be anything without a name.
    parts: Vec<Option<String>>,
    methods: BTreeSet<String>,
}

impl Addresses {
    pub(super) fn new(app: &Arc<App>) -> Self {
        Self { app: Arc::clone(app), all: OnceLock::new() }
    }

    /// Adds to an answer to a wrong method which ones are right. Pages and the like are in no document; nothing is said
    /// of them.
    pub(super) fn complete(&self, path: &str, response: &mut Response) {
        if response.status() != StatusCode::METHOD_NOT_ALLOWED {
            return;
        }
        let methods = methods(self.all.get_or_init(|| documented(&self.app)), path);
        let methods = Vec::from_iter(methods).join(", ");
        if let Some(value) = HeaderValue::try_from(methods).ok().filter(|value| !value.is_empty()) {
            response.headers_mut().insert(header::ALLOW, value);
        }
    }
}

fn documented(app: &Arc<App>) -> Vec<Address> {
    openapi::services(app).into_iter().flat_map(|(_, document)| addresses(&document)).collect()
}

fn addresses(document: &Value) -> Vec<Address> {
    let base = document["servers"][0]["url"].as_str().unwrap_or_default();
    let address = |(path, operations): (&String, &Value)| Address {
        parts: parts(&format!("{base}{path}")).map(|part| (!part.starts_with('{')).then(|| part.to_owned())).collect(),
        methods: operations.as_object().into_iter().flatten().flat_map(|(method, _)| answered(method)).collect(),
    };
    document["paths"].as_object().into_iter().flatten().map(address).collect()
}

/// What is read can also be asked for its headers alone.
fn answered(method: &str) -> Vec<String> {
    let methods: &[&str] = if method == "get" { &["GET", "HEAD"] } else { &[method] };
    methods.iter().map(|method| method.to_uppercase()).collect()
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// The methods of a path: of the addresses that fit it, those that say more of it by name count, as they do for the
/// router. Several dialects may share an address.
fn methods(addresses: &[Address], path: &str) -> BTreeSet<String> {
    let path: Vec<&str> = parts(path).collect();
    let fits = |address: &&Address| {
        let is_same = |(named, part): (&Option<String>, &&str)| named.as_deref().is_none_or(|named| named == *part);
        address.parts.len() == path.len() && address.parts.iter().zip(&path).all(is_same)
    };
    let unnamed = |address: &Address| address.parts.iter().map(Option::is_none).collect::<Vec<_>>();
    let fitting: Vec<&Address> = addresses.iter().filter(fits).collect();
    let Some(best) = fitting.iter().map(|address| Reverse(unnamed(address))).max() else { return BTreeSet::new() };
    let best = fitting.into_iter().filter(|address| Reverse(unnamed(address)) == best);
    best.flat_map(|address| address.methods.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_that_are_named_come_before_those_that_may_be_anything() {
        let chats = json!({ "servers": [{ "url": "/api" }], "paths": {
            "/chats": { "get": {} }, "/chats/{id}": { "get": {}, "patch": {} }, "/chats/search": { "get": {} },
            "/{kind}/search": { "delete": {} },
        } });
        let bots = json!({ "servers": [{ "url": "/api" }], "paths": { "/chats/{chat}": { "put": {} } } });
        let all: Vec<Address> = [chats, bots].iter().flat_map(addresses).collect();
        let methods = |path| Vec::from_iter(methods(&all, path)).join(", ");
        assert_eq!(methods("/api/chats"), "GET, HEAD");
        assert_eq!(methods("/api/chats/7"), "GET, HEAD, PATCH, PUT");
        assert_eq!(methods("/api/chats/search"), "GET, HEAD");
        assert_eq!(methods("/api/notes/search"), "DELETE");
        assert_eq!(methods("/api/chats/7/8"), "");
        assert_eq!(methods(""), "");
    }
}
