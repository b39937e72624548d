//! A partner's endpoint: set, show, remove.

use entity::{id::PartnerId, partner_webhook::Model, timestamp::Timestamp};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    audit,
    caller::Origin,
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    partner,
    webhook::store,
};

const SWITCHED_OFF: &str = "it was switched off";

/// Whether events are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// They are.
    On,
    /// They are not.
    Off,
}

/// An endpoint to be set.
#[derive(Clone, Debug, Serialize)]
pub struct SetWebhook {
    /// Its address.
    pub url: String,
    /// Whether events are sent there.
    pub switch: Switch,
}

/// An endpoint as an answer showed it. Answers are kept for replays, so what is added here later needs a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its address.
    pub url: String,
    /// Whether events are sent there.
    pub enabled: bool,
    /// Why not.
    pub disabled_reason: Option<String>,
    /// Since when no delivery has succeeded.
    pub failing_since: Option<Timestamp>,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was last set, or disabled.
    pub updated_at: Timestamp,
}

impl From<Model> for Webhook {
    fn from(row: Model) -> Self {
        Self {
            url: row.url,
            enabled: row.enabled,
            disabled_reason: row.disabled_reason,
            failing_since: row.failing_since,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Sets the endpoint of a partner in place of the one that it has. Deliveries that are still to be made go to the new
/// one.
///
/// # Errors
/// `invalid_request` naming `url`; `partner_not_found`; `idempotency_key_reused`.
pub async fn set(
    app: &App,
    origin: &Origin,
    partner_id: &PartnerId,
    command: &SetWebhook,
    request: &Repeatable,
) -> Result<Webhook> {
    app.outbound.parse_and_look_up(&command.url).await?;
    db::retried(|| set_once(app, origin, partner_id, command, request)).await
}

async fn set_once(
    app: &App,
    origin: &Origin,
    partner_id: &PartnerId,
    command: &SetWebhook,
    request: &Repeatable,
) -> Result<Webhook> {
    db::write(&app.db, "webhook.set", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        partner::find(tx, partner_id).await?.ok_or(Error::PartnerNotFound)?;
        let before = store::endpoint(tx, partner_id).await?;
        let now = app.clock.now();
        let is_on = command.switch == Switch::On;
        // What is known of how it does counts for the same address, as long as it is in use.
        let same = before.as_ref().filter(|before| before.url == command.url && before.enabled && is_on);
        let row = Model {
            partner_id: partner_id.clone(),
            url: command.url.clone(),
            enabled: is_on,
            disabled_reason: (!is_on).then(|| SWITCHED_OFF.to_owned()),
            failing_since: same.and_then(|before| before.failing_since),
            created_at: before.as_ref().map_or(now, |before| before.created_at),
            updated_at: now,
        };
        store::put_endpoint(tx, &row).await?;
        let entry = audit::Entry::of_partner("webhook.set", partner_id);
        let entry = entry.before(before.as_ref().map(for_audit)).after(for_audit(&row));
        audit::record(app, tx, origin, entry).await?;
        let webhook = Webhook::from(row);
        request.finish(app, tx, &webhook).await?;
        Ok(webhook)
    })
    .await
}

/// Takes the endpoint of a partner away; without one, nothing happens. Deliveries that are still to be made are given
/// up and say why.
///
/// # Errors
/// `partner_not_found`.
pub async fn remove(app: &App, origin: &Origin, partner_id: &PartnerId) -> Result<()> {
    db::write(&app.db, "webhook.remove", async |tx| {
        partner::find(tx, partner_id).await?.ok_or(Error::PartnerNotFound)?;
        let Some(before) = store::endpoint(tx, partner_id).await? else { return Ok(()) };
        store::remove_endpoint(tx, partner_id).await?;
        let entry = audit::Entry::of_partner("webhook.set", partner_id).before(for_audit(&before));
        audit::record(app, tx, origin, entry).await
    })
    .await
}

/// The endpoint of a partner.
///
/// # Errors
/// `webhook_not_set`.
pub async fn show(app: &App, partner_id: &PartnerId) -> Result<Webhook> {
    store::endpoint(app.db.reader(), partner_id).await?.map(Webhook::from).ok_or(Error::WebhookNotSet)
}

/// Passes if something can be sent to the partner.
///
/// # Errors
/// `webhook_not_set`, `webhook_disabled`.
pub(super) async fn require(db: &impl ConnectionTrait, partner_id: &PartnerId) -> Result<()> {
    let endpoint = store::endpoint(db, partner_id).await?.ok_or(Error::WebhookNotSet)?;
    if endpoint.enabled { Ok(()) } else { Err(Error::WebhookDisabled(endpoint.disabled_reason.unwrap_or_default())) }
}

/// Why nothing is sent to an endpoint that is disabled.
pub(super) fn disabled(endpoint: &Model) -> String {
    format!("the webhook is disabled: {}", endpoint.disabled_reason.as_deref().unwrap_or_default())
}

/// What the audit keeps: whose machine it is. Paths of such addresses are often secrets.
fn for_audit(endpoint: &Model) -> serde_json::Value {
    let origin = endpoint.url.parse::<reqwest::Url>().map(|url| url.origin().ascii_serialization());
    serde_json::json!({ "origin": origin.unwrap_or_default(), "enabled": endpoint.enabled })
}
