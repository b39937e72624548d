//! A test delivery: an event of any type with values as they could be, so that a receiver can be tried out.

use entity::{
    event,
    id::{EventId, WorkspaceId, WorkspaceSlug},
};
use sea_orm::ConnectionTrait;
use serde::Serialize;

use crate::{
    app::App,
    audit,
    caller::{Origin, PartnerCaller},
    db,
    error::Result,
    idempotency::Repeatable,
    signal::Signal,
    webhook::{Owner, admin, event::EventType, log::Delivery, render, sample, store},
    workspace as workspaces,
};

/// A test delivery to be made.
#[derive(Clone, Debug, Serialize)]
pub struct TryOut {
    /// The type of the event.
    pub event_type: EventType,
    /// The workspace that it is to be about; a name that belongs to nobody where absent.
    pub workspace: Option<String>,
}

/// Queues a test delivery. Nothing else happens: the event did not.
///
/// # Errors
/// `webhook_not_set`, `webhook_disabled`; `workspace_not_found`; `idempotency_key_reused`.
pub async fn try_out(app: &App, caller: &PartnerCaller, command: &TryOut, request: &Repeatable) -> Result<Delivery> {
    let made = db::retried(|| try_out_once(app, caller, command, request)).await?;
    app.signals.publish(Signal::Event);
    Ok(made)
}

async fn try_out_once(app: &App, caller: &PartnerCaller, command: &TryOut, request: &Repeatable) -> Result<Delivery> {
    let partner_id = &caller.partner.id;
    db::write(&app.db, "webhook.test", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let (workspace_id, slug) = subject(tx, caller, command).await?;
        admin::require(tx, partner_id).await?;
        let now = app.clock.now();
        let body = sample::of(command.event_type, now)?;
        let event = event::Model {
            id: EventId(app.clock.uuid()),
            partner_id: partner_id.clone(),
            workspace_id,
            kind: command.event_type.to_string(),
            body: render::body(partner_id, &slug, now, &body)?,
            unique_key: None,
            created_at: now,
        };
        store::insert_event(tx, &event).await?;
        let row = store::insert_delivery(app, tx, &event, &Owner::Partner(partner_id.clone()), None).await?;
        let entry = audit::Entry::of_partner("webhook.test", partner_id).after(serde_json::json!({
            "event_type": event.kind, "workspace_id": slug, "delivery_id": row.id,
        }));
        audit::record(app, tx, &Origin::from(caller), entry).await?;
        let made = Delivery::new(&row, &event, Vec::new());
        request.finish(app, tx, &made).await?;
        Ok(made)
    })
    .await
}

async fn subject(
    db: &impl ConnectionTrait,
    caller: &PartnerCaller,
    command: &TryOut,
) -> Result<(Option<WorkspaceId>, WorkspaceSlug)> {
    match &command.workspace {
        Some(slug) => {
            let workspace = workspaces::find(db, &caller.partner.id, slug).await?;
            Ok((Some(workspace.id), workspace.slug))
        }
        None => Ok((None, sample::workspace()?)),
    }
}
