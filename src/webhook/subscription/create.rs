//! Subscribing: idempotent on type and address (`contracts/timelines.md` §3.6).
//!
//! | what is there | what happens |
//! |---|---|
//! | nothing | it is made |
//! | one that is enabled | it is returned |
//! | one that is disabled | it is enabled |
//! | one that was deleted | it is restored and enabled |
//!
//! `enabled: false` makes a new one, or restores one, disabled; what is there it leaves as it is. Options of ours that
//! are asked for are switched on where they were off.

use entity::{
    id::{SubscriptionId, WorkspaceId},
    webhook_subscription::Model,
};
use sea_orm::DatabaseTransaction;
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
        MOST, Subscription, Topic, for_audit, secret,
        store::{self, Counters},
    },
    workspace,
};

/// A subscription to be made.
#[derive(Clone, Debug, Serialize)]
pub struct CreateSubscription {
    /// The type of the events.
    pub topic: Topic,
    /// The address.
    pub url: String,
    /// Whether events are sent; they are where absent.
    pub enabled: Option<bool>,
    /// Whether they are signed.
    pub signed: Option<bool>,
    /// Whether they are numbered.
    pub numbered: Option<bool>,
}

/// Makes a subscription, or what is said above.
///
/// # Errors
/// `invalid_request` naming `url`; `webhook_limit_reached`; `idempotency_key_reused`.
pub async fn create(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    command: &CreateSubscription,
    request: &Repeatable,
) -> Result<Subscription> {
    app.outbound.parse_webhook(&command.url)?;
    db::retried(|| create_once(app, caller, origin, command, request)).await
}

async fn create_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    command: &CreateSubscription,
    request: &Repeatable,
) -> Result<Subscription> {
    db::write(&app.db, "subscription.create", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        let all = store::all(tx, workspace.id).await?;
        let event_type = command.topic.to_string();
        let known = all.iter().find(|row| row.event_type == event_type && row.url == command.url);
        let (before, written) = match known {
            Some(known) => (Some(known.clone()), keep(app, tx, known, command).await?),
            None if all.len() >= MOST => return Err(Error::WebhookLimitReached { limit: MOST }),
            None => (None, Some(make(app, tx, workspace.id, command).await?)),
        };
        let made = match (written, before) {
            (Some((row, shown)), before) => {
                let entry = audit::Entry::in_workspace("subscription.create", &workspace, row.id)
                    .before(before.as_ref().map(for_audit))
                    .after(for_audit(&row));
                audit::record(app, tx, origin, entry).await?;
                Subscription::new(row, shown)
            }
            (None, Some(before)) => Subscription::new(before, None),
            (None, None) => return Err(Error::Internal("a subscription was not made".to_owned())),
        };
        request.finish(app, tx, &made).await?;
        Ok(made)
    })
    .await
}

/// A row that was written, and its secret if it is new.
type Written = (Model, Option<String>);

/// Enables the one that is there and switches on what is asked for; `None` if that changes nothing.
async fn keep(
    app: &App,
    tx: &DatabaseTransaction,
    known: &Model,
    command: &CreateSubscription,
) -> Result<Option<Written>> {
    let mut row = known.clone();
    row.enabled |= command.enabled != Some(false);
    row.numbered |= command.numbered == Some(true);
    let is_to_be_signed = command.signed == Some(true) && row.secret.is_none();
    let shown = is_to_be_signed.then(|| secret::renew(app, &mut row)).transpose()?;
    if row == *known {
        return Ok(None);
    }
    row.updated_at = app.clock.now();
    Ok(Some((store::save(tx, &row, Counters::Keep).await?, shown)))
}

/// Restores one that was deleted, or makes a new one.
async fn make(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    command: &CreateSubscription,
) -> Result<Written> {
    let now = app.clock.now();
    let event_type = command.topic.to_string();
    let deleted = store::deleted(tx, workspace_id, &event_type, &command.url).await?;
    let is_new = deleted.is_none();
    let mut row = deleted.unwrap_or_else(|| blank(app, workspace_id, event_type, &command.url));
    row.enabled = command.enabled != Some(false);
    row.numbered = command.numbered == Some(true);
    row.updated_at = now;
    row.deleted_at = None;
    if is_new {
        row = store::insert(tx, &row).await?;
    }
    // A secret is sealed for the number of its row, which a new one has only now.
    let shown = (command.signed == Some(true)).then(|| secret::renew(app, &mut row)).transpose()?;
    if !is_new || shown.is_some() {
        row = store::save(tx, &row, Counters::Reset).await?;
    }
    Ok((row, shown))
}

/// A row that nothing was asked for yet, enabled, before it is inserted.
pub(in crate::webhook) fn blank(app: &App, workspace_id: WorkspaceId, event_type: String, url: &str) -> Model {
    let now = app.clock.now();
    Model {
        id: SubscriptionId(0),
        workspace_id,
        event_type,
        url: url.to_owned(),
        url_digest: digests::digest(url),
        enabled: true,
        errors_counter: 0,
        numbered: false,
        last_sequence: 0,
        secret: None,
        previous_secret: None,
        previous_expires_at: None,
        name: None,
        events: None,
        max_retries: None,
        timeout_seconds: None,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    }
}
