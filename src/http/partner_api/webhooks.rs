//! The partner's webhook: set, show, try out, the delivery log, resend. All extensions: the contract has its address
//! set by support.

use std::sync::Arc;

use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};
use serde::Deserialize;

use crate::{
    app::App,
    caller::Origin,
    error::Result,
    http::{
        body::JsonBody,
        formats::IsoTime,
        partner_api::{auth::PartnerAuth, dialect::PartnerFailure, views::Created},
    },
    webhook::{
        Owner,
        admin::{self, SetWebhook, Switch, Webhook},
        event::EventType,
        log::{self, Attempt, Delivery, Filter, Place},
        resend,
        try_out::{self, TryOut},
    },
};

pub(super) struct WebhooksApi {
    pub(super) app: Arc<App>,
}

/// An endpoint to be set.
#[derive(Object, Deserialize)]
struct SetWebhookRequest {
    /// Address, `http` or `https`, at most 4096 bytes, leading to a public address. A user and a password in it are sent
    /// as Basic authentication.
    url: String,
    /// Whether events are sent there; true where absent.
    enabled: Option<bool>,
}

impl From<SetWebhookRequest> for SetWebhook {
    fn from(request: SetWebhookRequest) -> Self {
        let switch = if request.enabled.unwrap_or(true) { Switch::On } else { Switch::Off };
        Self { url: request.url, switch }
    }
}

/// The partner's endpoint.
#[derive(Object)]
#[oai(rename = "PartnerWebhook", skip_serializing_if_is_none)]
struct WebhookView {
    /// Address.
    url: String,
    /// Whether events are sent there.
    enabled: bool,
    /// Why not; absent while they are.
    disabled_reason: Option<String>,
    /// Since when no delivery has succeeded; absent while they do.
    failing_since: Option<IsoTime>,
    /// When it was first set.
    created_at: IsoTime,
    /// When it was last set, or disabled.
    updated_at: IsoTime,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            url: webhook.url,
            enabled: webhook.enabled,
            disabled_reason: webhook.disabled_reason,
            failing_since: webhook.failing_since.map(IsoTime::from),
            created_at: webhook.created_at.into(),
            updated_at: webhook.updated_at.into(),
        }
    }
}

/// A test delivery to be made.
#[derive(Object, Deserialize)]
struct TestWebhookRequest {
    /// Type of the event; any of those in `/docs/webhooks.md`.
    event_type: String,
    /// One of the partner's workspaces, which the body is to name; `bakery-north` where absent.
    workspace_id: Option<String>,
}

impl TryFrom<TestWebhookRequest> for TryOut {
    type Error = crate::error::Error;

    fn try_from(request: TestWebhookRequest) -> Result<Self> {
        Ok(Self { event_type: EventType::parse(&request.event_type)?, workspace: request.workspace_id })
    }
}

/// One try of a delivery.
#[derive(Object)]
#[oai(rename = "PartnerWebhookAttempt", skip_serializing_if_is_none)]
struct AttemptView {
    /// When it was sent.
    at: IsoTime,
    /// How long the answer took, in milliseconds.
    duration_ms: i64,
    /// HTTP status of the answer, if one came.
    status: Option<i32>,
    /// Why no answer came, or why it does not count.
    error: Option<String>,
}

impl From<&Attempt> for AttemptView {
    fn from(attempt: &Attempt) -> Self {
        Self {
            at: attempt.at.into(),
            duration_ms: attempt.duration_ms,
            status: attempt.status,
            error: attempt.error.clone(),
        }
    }
}

/// A delivery.
#[derive(Object)]
#[oai(rename = "PartnerWebhookDelivery", skip_serializing_if_is_none)]
struct DeliveryView {
    /// Id of the delivery.
    delivery_id: String,
    /// Id of the event, which the header `webhook-id` carries.
    event_id: String,
    /// Type of the event.
    event_type: String,
    /// The body, byte by byte.
    body: String,
    /// `pending`, `delivered` or `dead`.
    state: String,
    /// When it is tried next; absent once it has ended.
    next_attempt_at: Option<IsoTime>,
    /// When it was stored.
    created_at: IsoTime,
    /// When it ended.
    finished_at: Option<IsoTime>,
    /// Each try, in order.
    attempts: Vec<AttemptView>,
}

impl From<&Delivery> for DeliveryView {
    fn from(delivery: &Delivery) -> Self {
        Self {
            delivery_id: delivery.id.to_string(),
            event_id: delivery.event_id.to_string(),
            event_type: delivery.event_type.clone(),
            body: delivery.body.clone(),
            state: delivery.state.to_string(),
            next_attempt_at: delivery.due_at.map(IsoTime::from),
            created_at: delivery.created_at.into(),
            finished_at: delivery.finished_at.map(IsoTime::from),
            attempts: delivery.attempts.iter().map(AttemptView::from).collect(),
        }
    }
}

/// One page of deliveries.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct DeliveryList {
    /// Deliveries, newest first.
    deliveries: Vec<DeliveryView>,
    /// Send it as `cursor` for the next page; absent on the last.
    next_cursor: Option<String>,
}

#[OpenApi]
impl WebhooksApi {
    /// Get the webhook
    ///
    /// An extension. Says also whether deliveries fail, and why nothing is sent any more. 404 `webhook_not_set`.
    #[oai(path = "/webhook", method = "get", operation_id = "get_webhook")]
    async fn get(&self, caller: PartnerAuth) -> Result<Json<WebhookView>, PartnerFailure> {
        let webhook = admin::show(&self.app, &caller.0.partner.id).await?;
        Ok(Json(WebhookView::from(webhook)))
    }

    /// Set the webhook
    ///
    /// An extension. Replaces the one there is; deliveries that are still to be made go to the new address. Events,
    /// headers, signatures and retries are described in `/docs/webhooks.md`. An endpoint that answered 410 is enabled
    /// again by setting it again.
    #[oai(path = "/webhook", method = "put", operation_id = "set_webhook")]
    async fn set(
        &self,
        caller: PartnerAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<SetWebhookRequest>,
    ) -> Result<Json<WebhookView>, PartnerFailure> {
        let command = SetWebhook::from(body.0);
        let request = caller.repeatable(key.0.as_deref(), "set_webhook", &command)?;
        let origin = Origin::from(&caller.0);
        let webhook = admin::set(&self.app, &origin, &caller.0.partner.id, &command, &request).await?;
        Ok(Json(WebhookView::from(webhook)))
    }

    /// Send a test event
    ///
    /// An extension. Queues a delivery of an event of any type, with values as they could be; nothing else happens.
    /// `workspace:quota_full:transactions` is only ever sent by this call. 404 `webhook_not_set`, 409
    /// `webhook_disabled`.
    #[oai(path = "/webhook/test", method = "post", operation_id = "test_webhook")]
    async fn test(
        &self,
        caller: PartnerAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<TestWebhookRequest>,
    ) -> Result<Created<DeliveryView>, PartnerFailure> {
        let command = TryOut::try_from(body.0)?;
        let request = caller.repeatable(key.0.as_deref(), "test_webhook", &command)?;
        let delivery = try_out::try_out(&self.app, &caller.0, &command, &request).await?;
        Ok(Created::Created(Json(DeliveryView::from(&delivery))))
    }

    /// List deliveries
    ///
    /// An extension. What was sent to the webhook, each try of it, and what became of it; newest first.
    #[oai(path = "/webhook/deliveries", method = "get", operation_id = "list_webhook_deliveries")]
    async fn list(
        &self,
        caller: PartnerAuth,
        /// Where the page before ended.
        cursor: Query<Option<String>>,
        /// Most deliveries, 1 to 200; 50 where absent.
        limit: Query<Option<i64>>,
        /// `pending`, `delivered` or `dead`.
        state: Query<Option<String>>,
        /// Type of the event.
        event_type: Query<Option<String>>,
    ) -> Result<Json<DeliveryList>, PartnerFailure> {
        let place = Place::parse(cursor.0.as_deref(), limit.0)?;
        let filter = Filter::parse(state.0.as_deref(), event_type.0.as_deref())?;
        let page = log::list(&self.app, &Owner::Partner(caller.0.partner.id.clone()), &filter, &place).await?;
        let deliveries = page.items.iter().map(DeliveryView::from).collect();
        Ok(Json(DeliveryList { deliveries, next_cursor: page.next_cursor }))
    }

    /// Send an event again
    ///
    /// An extension. Queues a new delivery of the same event, with the same `webhook-id` and body, whatever became of
    /// the first. 404 `delivery_not_found` or `webhook_not_set`, 409 `webhook_disabled`.
    #[oai(path = "/webhook/deliveries/:delivery_id/resend", method = "post", operation_id = "resend_webhook_delivery")]
    async fn resend(
        &self,
        caller: PartnerAuth,
        /// Id of the delivery.
        delivery_id: Path<String>,
        /// The same key returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Created<DeliveryView>, PartnerFailure> {
        let request = caller.repeatable(key.0.as_deref(), "resend_webhook_delivery", &delivery_id.0)?;
        let delivery = resend::resend(&self.app, &caller.0, &delivery_id.0, &request).await?;
        Ok(Created::Created(Json(DeliveryView::from(&delivery))))
    }
}
