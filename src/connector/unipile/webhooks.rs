//! Where Unipile calls back: at one address for all accounts of a key.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use entity::{id::CredentialId, timestamp::Timestamp};
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
        session::{PROBE_SECONDS, Session},
        unipile::{PROOF, SERVER},
    },
};

/// What Unipile tells of, each at an address of its own.
const SOURCES: [&str; 2] = ["messaging", "account_status"];
/// How many webhooks are told of at once.
const PAGE: &str = "250";
/// How many times that is asked for.
const MOST_PAGES: usize = 20;

/// When this process has looked last at the webhooks of each key, of which there are few.
#[derive(Default)]
pub(super) struct Seen(Mutex<HashMap<CredentialId, Timestamp>>);

impl Seen {
    /// Whether it is time to look again; nobody else is told so before it is time anew.
    pub(super) fn is_due(&self, key: CredentialId, now: Timestamp) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = seen.get(&key).is_none_or(|at| at.plus_seconds(PROBE_SECONDS) <= now);
        if is_due {
            seen.insert(key, now);
        }
        is_due
    }
}

/// Has the server tell us of the accounts of its key, unless it does.
pub(super) async fn register(app: &App, session: &Session) -> Result<(), Refusal> {
    let id = session.access.credential_id;
    let url = callback::key_address(app, session.row.connector, id);
    let unread = |_| Refusal::of(Class::ProviderUnavailable);
    let standing = registry::callbacks(app, id).await.map_err(unread)?;
    let known = all(app, session).await?;
    let is_there = |source: &str| {
        let mut ours = known.iter().filter(|one| one["request_url"] == url.as_str() && one["source"] == source);
        ours.any(|one| one["enabled"] != false)
    };
    for source in SOURCES.into_iter().filter(|source| !is_there(source)) {
        tracing::info!(source, "a provider is told where to call back");
        let proof = json!({ "key": PROOF, "value": standing.secret.expose_secret() });
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
    if standing.registered_at.as_deref() == Some(&*url) {
        return Ok(());
    }
    registry::set_registered(app, id, &url).await.map_err(unread)
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
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_key_is_looked_at_from_time_to_time() {
        let seen = Seen::default();
        let (one, other) = (CredentialId(Uuid::from_u128(1)), CredentialId(Uuid::from_u128(2)));
        let at = |seconds: i64| Timestamp(0).plus_seconds(seconds);
        let due = [(one, 0), (one, 1), (other, 1), (one, 299), (one, 300), (one, 301), (other, 300), (other, 301)];
        let due = due.map(|(key, seconds)| seen.is_due(key, at(seconds)));
        assert_eq!(due, [true, false, true, false, true, false, false, true]);
    }
}
