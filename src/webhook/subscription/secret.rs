//! Secrets of subscriptions, in the form of Standard Webhooks: shown once, replaced with an overlap.

use base64::{Engine, prelude::BASE64_STANDARD};
use entity::{id::SubscriptionId, webhook_subscription::Model};
use secrecy::SecretString;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    db,
    error::Result,
    idempotency::Repeatable,
    webhook::subscription::{
        Subscription, find, for_audit,
        store::{self, Counters},
    },
};

/// How long the secret before the current one signs too, in seconds.
pub const OVERLAP_SECONDS: i64 = 24 * 3600;
const PREFIX: &str = "whsec_";

/// Makes a new secret for a subscription, which is signed from now on if it was not. The one before it signs too for a
/// day.
///
/// # Errors
/// `webhook_not_found`; `idempotency_key_reused`.
pub async fn rotate(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: &str,
    request: &Repeatable,
) -> Result<Subscription> {
    db::retried(|| rotate_once(app, caller, origin, id, request)).await
}

async fn rotate_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: &str,
    request: &Repeatable,
) -> Result<Subscription> {
    db::write(&app.db, "subscription.rotate_secret", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        crate::workspace::lock(tx, caller.workspace.id).await?;
        let before = find(tx, caller.workspace.id, id).await?;
        let mut row = before.clone();
        let shown = renew(app, &mut row)?;
        row.updated_at = app.clock.now();
        let row = store::save(tx, &row, Counters::Keep).await?;
        let entry = audit::Entry::in_workspace("subscription.rotate_secret", &caller.workspace, row.id)
            .before(for_audit(&before))
            .after(for_audit(&row));
        audit::record(app, tx, origin, entry).await?;
        let made = Subscription::new(row, Some(shown));
        request.finish(app, tx, &made).await?;
        Ok(made)
    })
    .await
}

/// Gives a row a new secret; the secret, to be shown.
pub(in crate::webhook) fn renew(app: &App, row: &mut Model) -> Result<String> {
    let shown = format!("{PREFIX}{}", BASE64_STANDARD.encode(app.clock.random::<32>()));
    let sealed = app.vault.seal(&purpose(row.id), shown.as_bytes())?;
    row.previous_secret = row.secret.replace(sealed);
    row.previous_expires_at = row.previous_secret.as_ref().map(|_| app.clock.now().plus_seconds(OVERLAP_SECONDS));
    Ok(shown)
}

/// Takes the secrets away: nothing is signed any more.
pub(in crate::webhook) fn remove(row: &mut Model) {
    row.secret = None;
    row.previous_secret = None;
    row.previous_expires_at = None;
}

/// The secrets that sign now, the newest first.
///
/// # Errors
/// If the master key does not open them.
pub(crate) fn signing(app: &App, row: &Model) -> Result<Vec<SecretString>> {
    let is_previous_good = row.previous_expires_at.is_some_and(|expires_at| expires_at > app.clock.now());
    let previous = row.previous_secret.as_ref().filter(|_| is_previous_good);
    row.secret.iter().chain(previous).map(|sealed| app.vault.open_text(&purpose(row.id), sealed)).collect()
}

fn purpose(id: SubscriptionId) -> String {
    format!("webhook_subscriptions:{id}")
}
