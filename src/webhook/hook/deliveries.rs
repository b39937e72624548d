//! What was sent to a webhook of the Channels API: the log, trying it out, and sending again.

use entity::{
    event,
    id::{LeaseId, SubscriptionId},
};
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    page::Page,
    signal::Signal,
    webhook::{
        Owner, deliver,
        hook::{HookEvent, find, tell},
        log::{self, Delivery, Filter, Place},
        resend, store as outbox,
    },
};

/// One page of a webhook's deliveries, newest first.
///
/// # Errors
/// `webhook_not_found`.
pub async fn list(
    app: &App,
    caller: &WorkspaceCaller,
    id: SubscriptionId,
    filter: &Filter,
    place: &Place,
) -> Result<Page<Delivery>> {
    let hook = find(app.db.reader(), caller.workspace.id, id).await?;
    log::list(app, &Owner::Subscription(hook.id), filter, place).await
}

/// Sends an event of this type that has not happened, at once; what came of it. A try that fails is repeated like any
/// other.
///
/// # Errors
/// `webhook_not_found`; `webhook_disabled`.
pub async fn try_out(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: SubscriptionId,
    happened: HookEvent,
) -> Result<Delivery> {
    let lease = LeaseId(app.clock.uuid());
    let (made, event) = db::retried(|| try_out_once(app, caller, origin, (id, happened), lease)).await?;
    let owner = Owner::Subscription(id);
    deliver::at_once(app, &owner, (made.id, lease), event).await?;
    log::one(app, &owner, made.id).await?.ok_or(Error::DeliveryNotFound)
}

async fn try_out_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    (id, happened): (SubscriptionId, HookEvent),
    lease: LeaseId,
) -> Result<(entity::delivery::Model, event::Model)> {
    db::write(&app.db, "hook.test", async |tx| {
        let hook = find(tx, caller.workspace.id, id).await?;
        if !hook.enabled {
            return Err(Error::WebhookDisabled("it was switched off".to_owned()));
        }
        let event = tell::event_for(app, &caller.workspace, &hook, happened, &json!({ "test": true }))?;
        outbox::insert_event(tx, &event).await?;
        let until = app.clock.now().plus_seconds(deliver::LEASE_SECONDS);
        let owner = Owner::Subscription(hook.id);
        let delivery = outbox::insert_leased(app, tx, &event, &owner, (lease, until)).await?;
        let entry = audit::Entry::in_workspace("hook.test", &caller.workspace, hook.id).after(delivery.id);
        audit::record(app, tx, origin, entry).await?;
        Ok((delivery, event))
    })
    .await
}

/// Sends the event of a delivery again, whatever became of that one, with the same id and bytes.
///
/// # Errors
/// `webhook_not_found`, `delivery_not_found`; `webhook_disabled`; `idempotency_key_reused`.
pub async fn send_again(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    (id, delivery_id): (SubscriptionId, &str),
    request: &Repeatable,
) -> Result<Delivery> {
    let made = db::retried(|| send_again_once(app, caller, origin, (id, delivery_id), request)).await?;
    app.signals.publish(Signal::Event);
    Ok(made)
}

async fn send_again_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    (id, delivery_id): (SubscriptionId, &str),
    request: &Repeatable,
) -> Result<Delivery> {
    db::write(&app.db, "hook.resend", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let hook = find(tx, caller.workspace.id, id).await?;
        let made = resend::to_subscription(app, tx, (caller, origin), "hook.resend", &hook, delivery_id).await?;
        request.finish(app, tx, &made).await?;
        Ok(made)
    })
    .await
}
