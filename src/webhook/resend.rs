//! Sending an event again: a new delivery of the same event, with the same id and the same bytes.

use entity::{delivery, id::DeliveryId};

use crate::{
    app::App,
    audit,
    caller::{Origin, PartnerCaller},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    signal::Signal,
    webhook::{admin, log::Delivery, store},
};

/// Sends the event of a delivery again, whatever became of that one.
///
/// # Errors
/// `delivery_not_found`, for another partner's too; `webhook_not_set`, `webhook_disabled`; `idempotency_key_reused`.
pub async fn resend(app: &App, caller: &PartnerCaller, id: &str, request: &Repeatable) -> Result<Delivery> {
    let id: DeliveryId = id.parse().map_err(|_| Error::DeliveryNotFound)?;
    let made = db::retried(|| resend_once(app, caller, id, request)).await?;
    app.signals.publish(Signal::Event);
    Ok(made)
}

async fn resend_once(app: &App, caller: &PartnerCaller, id: DeliveryId, request: &Repeatable) -> Result<Delivery> {
    let partner_id = &caller.partner.id;
    db::write(&app.db, "webhook.resend", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let first: delivery::Model = store::delivery(tx, partner_id, id).await?.ok_or(Error::DeliveryNotFound)?;
        let event = store::event(tx, partner_id, first.event_id).await?.ok_or(Error::DeliveryNotFound)?;
        admin::require(tx, partner_id).await?;
        let row = store::insert_delivery(app, tx, &event).await?;
        let entry = audit::Entry::of_partner("webhook.resend", partner_id).before(first.id).after(row.id);
        audit::record(app, tx, &Origin::from(caller), entry).await?;
        let made = Delivery::new(&row, &event, Vec::new());
        request.finish(app, tx, &made).await?;
        Ok(made)
    })
    .await
}
