//! Where Unipile calls back: at one address for all accounts of a key.

use reqwest::{Method, Url};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    app::App,
    connector::{
        call::Patience,
        callback,
        refusal::{Class, Refusal},
        registry,
        session::Session,
        unipile::{PROOF, SERVER, wire},
    },
};

/// What Unipile tells of, each at an address of its own.
const SOURCES: [&str; 2] = ["messaging", "account_status"];
/// How many webhooks are told of at once.
const PAGE: &str = "250";
/// How many times that is asked for.
const MOST_PAGES: usize = 20;

/// Has the server tell us of the accounts of its key, unless it does. Of two that do so at once both make webhooks, and
/// then leave the same ones.
pub(super) async fn register(app: &App, session: &Session) -> Result<(), Refusal> {
    let id = session.access.credential_id;
    let url = callback::key_address(app, session.row.connector, id);
    let missing = missing(&all(app, session).await?, &url);
    if missing.is_empty() {
        return Ok(());
    }
    let secret = registry::callbacks(app, id).await.map_err(|_| Refusal::of(Class::ProviderUnavailable))?.secret;
    for source in missing {
        tracing::info!(source, "a provider is told where to call back");
        let proof = json!({ "key": PROOF, "value": secret.expose_secret() });
        let json_type = json!({ "key": "Content-Type", "value": "application/json" });
        let body = json!({
            "request_url": url,
            "source": source,
            "name": format!("quartermaster {source}"),
            "format": "json",
            "enabled": true,
            "headers": [json_type, proof],
        });
        SERVER.call(app, session, Method::POST, "webhooks", Some(body), Patience::Usual).await?;
    }
    remove(app, session, &superfluous(&all(app, session).await?, &url)).await
}

/// Has the server tell us of nothing any more, wherever we were when it was told to.
pub(super) async fn unregister(app: &App, session: &Session) -> Result<(), Refusal> {
    let path = callback::key_path(session.row.connector, session.access.credential_id);
    remove(app, session, &ending_with(&all(app, session).await?, &path)).await
}

async fn remove(app: &App, session: &Session, ids: &[String]) -> Result<(), Refusal> {
    for id in ids {
        let path = format!("webhooks/{id}");
        match SERVER.call(app, session, Method::DELETE, &path, None, Patience::Usual).await {
            Ok(_) | Err(Refusal { class: Class::NotFound, .. }) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(())
}

/// The ids of the webhooks whose addresses end so.
fn ending_with(known: &[Value], path: &str) -> Vec<String> {
    let ours = known.iter().filter(|one| one["request_url"].as_str().is_some_and(|url| url.ends_with(path)));
    ours.filter_map(|one| one["id"].as_str()).filter(|id| wire::is_id(id)).map(str::to_owned).collect()
}

fn is_ours(webhook: &Value, url: &str, source: &str) -> bool {
    webhook["request_url"] == url && webhook["source"] == source
}

fn is_enabled(webhook: &Value) -> bool {
    webhook["enabled"] != false
}

/// What the server does not tell of at this address.
fn missing(known: &[Value], url: &str) -> Vec<&'static str> {
    let is_told = |source: &str| known.iter().any(|one| is_ours(one, url, source) && is_enabled(one));
    SOURCES.into_iter().filter(|source| !is_told(source)).collect()
}

/// The ids of all webhooks at this address but one that works of each source: whoever looks leaves the same.
fn superfluous(known: &[Value], url: &str) -> Vec<String> {
    let of_source = |source: &'static str| {
        let mut ours: Vec<&Value> = known.iter().filter(|one| is_ours(one, url, source)).collect();
        ours.sort_by_key(|one| (!is_enabled(one), one["id"].as_str()));
        ours.into_iter().skip(1)
    };
    let ids = SOURCES.into_iter().flat_map(of_source).filter_map(|one| one["id"].as_str());
    ids.filter(|id| wire::is_id(id)).map(str::to_owned).collect()
}

/// Shows that the server is there, knows its paths and takes our key.
pub(super) async fn prove(app: &App, session: &Session) -> Result<(), Refusal> {
    page(app, session, None).await.map(|_| ())
}

/// Where the server calls back for this key.
async fn all(app: &App, session: &Session) -> Result<Vec<Value>, Refusal> {
    let (mut found, mut cursor) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let page = page(app, session, cursor.as_deref()).await?;
        found.extend(page["items"].as_array().into_iter().flatten().cloned());
        cursor = page["cursor"].as_str().filter(|cursor| !cursor.is_empty()).map(str::to_owned);
        if cursor.is_none() {
            return Ok(found);
        }
    }
    tracing::warn!("a provider calls back at more addresses than are looked through");
    Err(Refusal::of(Class::ContentRejected))
}

async fn page(app: &App, session: &Session, cursor: Option<&str>) -> Result<Value, Refusal> {
    let asked = [("limit", PAGE)].into_iter().chain(cursor.map(|cursor| ("cursor", cursor)));
    let url = Url::parse_with_params("http://localhost", asked).map_err(|_| Refusal::of(Class::ContentRejected))?;
    let path = format!("webhooks?{}", url.query().unwrap_or_default());
    SERVER.call(app, session, Method::GET, &path, None, Patience::Usual).await?.json()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_that_works_is_left() {
        let hook = |id: &str, source: &str, enabled: bool| json!({ "id": id, "source": source, "enabled": enabled, "request_url": "https://us" });
        let another = json!({ "id": "z", "source": "messaging", "enabled": true, "request_url": "https://them" });
        let known = [
            hook("a", "messaging", false),
            hook("c", "messaging", true),
            another,
            hook("b", "messaging", true),
            hook("../x", "messaging", true),
            hook("d", "account_status", true),
        ];
        assert!(missing(&known, "https://us").is_empty());
        assert_eq!(missing(&known[..1], "https://us"), SOURCES, "one that is switched off tells nothing");
        assert_eq!(superfluous(&known, "https://us"), ["b", "c", "a"]);
        assert_eq!(superfluous(&known[1..], "https://them"), [""; 0]);
    }
}
