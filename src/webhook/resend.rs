//! Sending an event again: a new delivery of the same event, with the same id and the same bytes.

use entity::{delivery, id::DeliveryId, webhook_subscription};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    audit,
    caller::{Origin, PartnerCaller, WorkspaceCaller},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    signal::Signal,
    webhook::{Owner, admin, log::Delivery, store},
};

/// Sends the event of a delivery again, whatever became of that one.
///
/// # Errors
/// `delivery_not_found`, for another partner's too; `webhook_not_set`, `webhook_disabled`; `idempotency_key_reused`.
pub async fn resend(app: &App, caller: &PartnerCaller, id: &str, request: &Repeatable) -> Result<Delivery> {
    let id = parse_id(id)?;
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
        let owner = Owner::Partner(partner_id.clone());
        let first = find(tx, &owner, id).await?;
        admin::require(tx, partner_id).await?;
        let made = again(app, tx, &owner, &first).await?;
        let entry = audit::Entry::of_partner("webhook.resend", partner_id).before(first.id).after(made.id);
        audit::record(app, tx, &Origin::from(caller), entry).await?;
        request.finish(app, tx, &made).await?;
        Ok(made)
    })
    .await
}

/// Sends the event of a delivery to a workspace's own address again, noted as `action`.
pub(super) async fn to_subscription(
    app: &App,
    tx: &DatabaseTransaction,
    (caller, origin): (&WorkspaceCaller, &Origin),
    action: &'static str,
    row: &webhook_subscription::Model,
    delivery_id: &str,
) -> Result<Delivery> {
    let owner = Owner::Subscription(row.id);
    let first = find(tx, &owner, parse_id(delivery_id)?).await?;
    if !row.enabled {
        return Err(Error::WebhookDisabled("it was switched off".to_owned()));
    }
    let made = again(app, tx, &owner, &first).await?;
    let entry = audit::Entry::in_workspace(action, &caller.workspace, row.id).before(first.id).after(made.id);
    audit::record(app, tx, origin, entry).await?;
    Ok(made)
}

/// Reads the id of a delivery as it stands in a path.
fn parse_id(text: &str) -> Result<DeliveryId> {
    text.parse().map_err(|_| Error::DeliveryNotFound)
}

/// The owner's delivery of this id.
pub(super) async fn find(tx: &DatabaseTransaction, owner: &Owner, id: DeliveryId) -> Result<delivery::Model> {
    store::delivery(tx, owner, id).await?.ok_or(Error::DeliveryNotFound)
}

/// A new delivery of the event of another, with its number.
pub(super) async fn again(
    app: &App,
    tx: &DatabaseTransaction,
    owner: &Owner,
    first: &delivery::Model,
) -> Result<Delivery> {
    let event = store::event(tx, first).await?.ok_or(Error::DeliveryNotFound)?;
    let row = store::insert_delivery(app, tx, &event, owner, first.sequence).await?;
    Ok(Delivery::new(&row, &event, Vec::new()))
}
