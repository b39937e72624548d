//! Making, changing and deleting webhooks of the Channels API, and replacing their secrets.

use entity::{id::SubscriptionId, webhook_subscription::Model};
use serde::Serialize;
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    secret as digests,
    webhook::{
        hook::{
            Hook, HookEvent, KIND, LONGEST_ASKED_SECONDS, LONGEST_TIMEOUT_SECONDS, MOST, MOST_RETRIES, find, store,
        },
        subscription::{create::blank, secret},
    },
    workspace,
};

/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 255;

/// A webhook to be made, or what to change of one.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChangeHook {
    /// Its name.
    pub name: Option<String>,
    /// The address.
    pub url: Option<String>,
    /// What it hears of.
    pub events: Option<Vec<HookEvent>>,
    /// Whether it hears anything.
    pub is_active: Option<bool>,
    /// How often it is tried again.
    pub max_retries: Option<i32>,
    /// How long its answer may take, in seconds; more than is granted becomes what is.
    pub timeout_seconds: Option<i32>,
}

impl ChangeHook {
    fn check(&self, app: &App) -> Result<()> {
        if self.name.as_ref().is_some_and(|name| {
            name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS || name.contains(char::is_control)
        }) {
            return Err(Error::field("name", "must be 1 to 255 characters"));
        }
        if self.max_retries.is_some_and(|count| !(0..=MOST_RETRIES).contains(&count)) {
            return Err(Error::field("config.maxRetries", format!("must be 0 to {MOST_RETRIES}")));
        }
        if self.timeout_seconds.is_some_and(|seconds| !(1..=LONGEST_ASKED_SECONDS).contains(&seconds)) {
            return Err(Error::field("config.timeout", format!("must be 1 to {LONGEST_ASKED_SECONDS}")));
        }
        self.url.as_ref().map_or(Ok(()), |url| app.outbound.parse_webhook(url).map(|_| ()))
    }

    fn apply(&self, row: &mut Model) {
        row.name = self.name.clone().or_else(|| row.name.take());
        if let Some(url) = &self.url {
            (row.url, row.url_digest) = (url.clone(), digests::digest(url));
        }
        if let Some(events) = &self.events {
            let words: Vec<String> = events.iter().map(ToString::to_string).collect();
            row.events = Some(words.join(" "));
        }
        row.enabled = self.is_active.unwrap_or(row.enabled);
        row.max_retries = self.max_retries.or(row.max_retries);
        row.timeout_seconds =
            self.timeout_seconds.map(|seconds| seconds.min(LONGEST_TIMEOUT_SECONDS)).or(row.timeout_seconds);
    }
}

/// Makes a webhook. The answer shows its secret.
///
/// # Errors
/// `invalid_request` naming the field; `webhook_exists` for an address that has one; `webhook_limit_reached`;
/// `idempotency_key_reused`.
pub async fn create(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    command: &ChangeHook,
    request: &Repeatable,
) -> Result<Hook> {
    command.check(app)?;
    let url = command.url.as_ref().ok_or_else(|| Error::field("url", "is required"))?;
    command.events.as_ref().ok_or_else(|| Error::field("events", "is required"))?;
    db::retried(|| create_once(app, caller, origin, (command, url), request)).await
}

async fn create_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    (command, url): (&ChangeHook, &str),
    request: &Repeatable,
) -> Result<Hook> {
    db::write(&app.db, "hook.create", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        let others = store::all(tx, workspace.id).await?;
        if let Some(other) = others.iter().find(|other| other.url == url) {
            return Err(Error::WebhookExists(other.id));
        }
        if others.len() >= MOST {
            return Err(Error::WebhookLimitReached { limit: MOST });
        }
        let mut row = blank(app, workspace.id, KIND.to_owned(), url);
        command.apply(&mut row);
        let mut row = store::insert(tx, &row).await?;
        // A secret is sealed for the number of its row, which a new one has only now.
        let shown = secret::renew(app, &mut row)?;
        let row = store::save(tx, &row).await?;
        let entry = audit::Entry::in_workspace("hook.create", &workspace, row.id).after(for_audit(&row));
        audit::record(app, tx, origin, entry).await?;
        let made = Hook::new(row, Some(shown));
        request.finish(app, tx, &made).await?;
        Ok(made)
    })
    .await
}

/// Changes a webhook; what is absent stays.
///
/// # Errors
/// `webhook_not_found`; `invalid_request` naming the field; `webhook_exists`.
pub async fn update(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: SubscriptionId,
    command: &ChangeHook,
) -> Result<Hook> {
    command.check(app)?;
    db::retried(|| update_once(app, caller, origin, id, command)).await
}

async fn update_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: SubscriptionId,
    command: &ChangeHook,
) -> Result<Hook> {
    db::write(&app.db, "hook.update", async |tx| {
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        let before = find(tx, workspace.id, id).await?;
        let mut row = before.clone();
        command.apply(&mut row);
        let others = store::all(tx, workspace.id).await?;
        if let Some(other) = others.iter().find(|other| other.id != id && other.url == row.url) {
            return Err(Error::WebhookExists(other.id));
        }
        if row == before {
            return Ok(Hook::new(row, None));
        }
        row.updated_at = app.clock.now();
        let row = store::save(tx, &row).await?;
        let entry = audit::Entry::in_workspace("hook.update", &workspace, row.id)
            .before(for_audit(&before))
            .after(for_audit(&row));
        audit::record(app, tx, origin, entry).await?;
        Ok(Hook::new(row, None))
    })
    .await
}

/// Deletes a webhook with its secrets. What is not on its way this moment is not sent any more.
///
/// # Errors
/// `webhook_not_found`.
pub async fn delete(app: &App, caller: &WorkspaceCaller, origin: &Origin, id: SubscriptionId) -> Result<()> {
    db::retried(|| delete_once(app, caller, origin, id)).await
}

async fn delete_once(app: &App, caller: &WorkspaceCaller, origin: &Origin, id: SubscriptionId) -> Result<()> {
    db::write(&app.db, "hook.delete", async |tx| {
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        let before = find(tx, workspace.id, id).await?;
        let mut row = before.clone();
        row.enabled = false;
        row.updated_at = app.clock.now();
        row.deleted_at = Some(app.clock.now());
        secret::remove(&mut row);
        store::save(tx, &row).await?;
        let entry = audit::Entry::in_workspace("hook.delete", &workspace, row.id).before(for_audit(&before));
        audit::record(app, tx, origin, entry).await
    })
    .await
}

/// Gives a webhook a new secret, which the answer shows. Linktor's signature is under the new one from now on; those of
/// Standard Webhooks are under both for a day.
///
/// # Errors
/// `webhook_not_found`; `idempotency_key_reused`.
pub async fn rotate_secret(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: SubscriptionId,
    request: &Repeatable,
) -> Result<Hook> {
    db::retried(|| rotate_once(app, caller, origin, id, request)).await
}

async fn rotate_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: SubscriptionId,
    request: &Repeatable,
) -> Result<Hook> {
    db::write(&app.db, "hook.rotate_secret", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        let mut row = find(tx, workspace.id, id).await?;
        let shown = secret::renew(app, &mut row)?;
        row.updated_at = app.clock.now();
        let row = store::save(tx, &row).await?;
        let entry = audit::Entry::in_workspace("hook.rotate_secret", &workspace, row.id).after(for_audit(&row));
        audit::record(app, tx, origin, entry).await?;
        let made = Hook::new(row, Some(shown));
        request.finish(app, tx, &made).await?;
        Ok(made)
    })
    .await
}

/// What the audit keeps: whose machine it is. Paths of such addresses are often secrets.
fn for_audit(row: &Model) -> serde_json::Value {
    let origin = row.url.parse::<reqwest::Url>().map(|url| url.origin().ascii_serialization());
    json!({ "events": row.events, "origin": origin.unwrap_or_default(), "enabled": row.enabled })
}
