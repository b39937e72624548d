//! Changing a subscription: what is absent stays as it is.

use serde::Serialize;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    secret as digests,
    webhook::subscription::{
        Subscription, Topic, find, for_audit, secret,
        store::{self, Counters},
    },
    workspace,
};

/// What to change.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpdateSubscription {
    /// The type of the events.
    pub topic: Option<Topic>,
    /// The address.
    pub url: Option<String>,
    /// Whether events are sent.
    pub enabled: Option<bool>,
    /// Whether they are signed: `true` makes a secret if there is none, `false` takes it away.
    pub signed: Option<bool>,
    /// Whether they are numbered.
    pub numbered: Option<bool>,
}

/// Changes a subscription. Deliveries that are still to be made go to the new address; the events are those that they
/// were.
///
/// # Errors
/// `webhook_not_found`; `invalid_request` naming `url`; `webhook_exists` if another one has this type and address;
/// `idempotency_key_reused`.
pub async fn update(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: &str,
    command: &UpdateSubscription,
    request: &Repeatable,
) -> Result<Subscription> {
    if let Some(url) = &command.url {
        app.outbound.parse_webhook(url)?;
    }
    db::retried(|| update_once(app, caller, origin, id, command, request)).await
}

async fn update_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: &str,
    command: &UpdateSubscription,
    request: &Repeatable,
) -> Result<Subscription> {
    db::write(&app.db, "subscription.update", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        let before = find(tx, workspace.id, id).await?;
        let mut row = before.clone();
        row.event_type = command.topic.map_or(row.event_type, |topic| topic.to_string());
        row.url = command.url.clone().unwrap_or(row.url);
        row.url_digest = digests::digest(&row.url);
        row.enabled = command.enabled.unwrap_or(row.enabled);
        row.numbered = command.numbered.unwrap_or(row.numbered);
        let shown = match command.signed {
            Some(true) if row.secret.is_none() => Some(secret::renew(app, &mut row)?),
            Some(false) => {
                secret::remove(&mut row);
                None
            }
            _ => None,
        };
        let others = store::all(tx, workspace.id).await?;
        let is_same = |other: &&entity::webhook_subscription::Model| {
            other.id != row.id && other.event_type == row.event_type && other.url == row.url
        };
        if let Some(other) = others.iter().find(is_same) {
            return Err(Error::WebhookExists(other.id));
        }
        row.updated_at = app.clock.now();
        let counters = if row.url == before.url { Counters::Keep } else { Counters::Reset };
        let row = store::save(tx, &row, counters).await?;
        let entry = audit::Entry::in_workspace("subscription.update", &workspace, row.id)
            .before(for_audit(&before))
            .after(for_audit(&row));
        audit::record(app, tx, origin, entry).await?;
        let updated = Subscription::new(row, shown);
        request.finish(app, tx, &updated).await?;
        Ok(updated)
    })
    .await
}
