//! What was sent to a subscription's address: the log, and sending again.

use crate::{
    app::App,
    caller::{Origin, WorkspaceCaller},
    db,
    error::Result,
    idempotency::Repeatable,
    page::Page,
    signal::Signal,
    webhook::{
        Owner,
        log::{self, Delivery, Filter, Place},
        resend,
        subscription::find,
    },
};

/// One page of a subscription's deliveries, newest first.
///
/// # Errors
/// `webhook_not_found`.
pub async fn list(
    app: &App,
    caller: &WorkspaceCaller,
    id: &str,
    filter: &Filter,
    place: &Place,
) -> Result<Page<Delivery>> {
    let subscription = find(app.db.reader(), caller.workspace.id, id).await?;
    log::list(app, &Owner::Subscription(subscription.id), filter, place).await
}

/// Sends the event of a delivery again, whatever became of that one, with the same id, number and bytes.
///
/// # Errors
/// `webhook_not_found`, `delivery_not_found`; `webhook_disabled`; `idempotency_key_reused`.
pub async fn send_again(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    (id, delivery_id): (&str, &str),
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
    (id, delivery_id): (&str, &str),
    request: &Repeatable,
) -> Result<Delivery> {
    db::write(&app.db, "subscription.resend", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let subscription = find(tx, caller.workspace.id, id).await?;
        let made =
            resend::to_subscription(app, tx, (caller, origin), "subscription.resend", &subscription, delivery_id)
                .await?;
        request.finish(app, tx, &made).await?;
        Ok(made)
    })
    .await
}
