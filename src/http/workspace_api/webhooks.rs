//! Webhook subscriptions (`contracts/timelines.md` §3.6): what the contract has, and signatures, numbers, the delivery
//! log and sending again, which are ours.

use std::sync::Arc;

use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};
use serde::Deserialize;

use crate::{
    app::App,
    error::{Error, Result},
    http::{
        body::UnreadJson,
        formats::local_time,
        query::Written,
        workspace_api::{Envelope, auth::TokenAuth, dialect::WorkspaceFailure, ok},
    },
    idempotency::Repeatable,
    token::Scope,
    webhook::{
        log::{Attempt, Delivery, Filter, Place},
        subscription::{
            self, Subscription, Topic,
            create::{self, CreateSubscription},
            delete, deliveries, secret,
            update::{self, UpdateSubscription},
        },
    },
};

pub(super) struct WebhooksApi {
    pub(super) app: Arc<App>,
}

/// A webhook to be made.
#[derive(Object, Deserialize)]
struct CreateWebhookRequest {
    /// Type of the events; any of those in `/docs/workspace-webhooks.md`.
    event_type: String,
    /// Address, `http` or `https`, at most 4096 bytes, leading to a public address. A user and a password in it are sent
    /// as Basic authentication.
    url: String,
    /// Whether events are sent there; true where absent.
    enabled: Option<bool>,
    /// Whether they are signed as Standard Webhooks has it; an extension, false where absent.
    signed: Option<bool>,
    /// Whether they are numbered; an extension, false where absent.
    numbered: Option<bool>,
}

impl TryFrom<CreateWebhookRequest> for CreateSubscription {
    type Error = Error;

    fn try_from(request: CreateWebhookRequest) -> Result<Self> {
        Ok(Self {
            topic: Topic::parse(&request.event_type)?,
            url: request.url,
            enabled: request.enabled,
            signed: request.signed,
            numbered: request.numbered,
        })
    }
}

/// What to change of a webhook; what is absent stays.
#[derive(Object, Deserialize)]
struct UpdateWebhookRequest {
    /// Type of the events.
    event_type: Option<String>,
    /// Address.
    url: Option<String>,
    /// Whether events are sent there.
    enabled: Option<bool>,
    /// Whether they are signed; an extension. `false` takes the secret away.
    signed: Option<bool>,
    /// Whether they are numbered; an extension.
    numbered: Option<bool>,
}

impl TryFrom<UpdateWebhookRequest> for UpdateSubscription {
    type Error = Error;

    fn try_from(request: UpdateWebhookRequest) -> Result<Self> {
        Ok(Self {
            topic: request.event_type.as_deref().map(Topic::parse).transpose()?,
            url: request.url,
            enabled: request.enabled,
            signed: request.signed,
            numbered: request.numbered,
        })
    }
}

/// A webhook.
#[derive(Object)]
#[oai(rename = "WebhookInfo", skip_serializing_if_is_none)]
struct WebhookView {
    /// Its number.
    id: i64,
    /// Type of the events.
    event_type: String,
    /// Whether events are sent.
    enabled: bool,
    /// Address.
    url: String,
    /// Tries that failed since the last one that did not. However many there are, events are still sent.
    errors_counter: i64,
    /// Whether events are signed; absent where they are not.
    signed: Option<bool>,
    /// Whether events are numbered; absent where they are not.
    numbered: Option<bool>,
    /// The secret of the signatures, in the one answer that shows it.
    secret: Option<String>,
}

impl From<Subscription> for WebhookView {
    fn from(subscription: Subscription) -> Self {
        Self {
            id: subscription.id.0,
            event_type: subscription.event_type,
            enabled: subscription.enabled,
            url: subscription.url,
            errors_counter: subscription.errors_counter,
            signed: subscription.signed.then_some(true),
            numbered: subscription.numbered.then_some(true),
            secret: subscription.secret,
        }
    }
}

/// A webhook was deleted.
#[derive(Object)]
#[oai(rename = "WebhookDeleted")]
struct DeletedView {
    /// Always `ok`.
    status: String,
}

/// One try of a delivery.
#[derive(Object)]
#[oai(rename = "WebhookAttempt", skip_serializing_if_is_none)]
struct AttemptView {
    /// When it was sent.
    timestamp: String,
    /// How long the answer took, in milliseconds.
    duration_ms: i64,
    /// HTTP status of the answer, if one came.
    status: Option<i32>,
    /// Why no answer came, or why it does not count.
    error: Option<String>,
}

/// A delivery.
#[derive(Object)]
#[oai(rename = "WebhookDelivery", skip_serializing_if_is_none)]
struct DeliveryView {
    /// Id of the delivery.
    delivery_id: String,
    /// Id of the event; receivers of signed or numbered events get it as `webhook-id`.
    event_id: String,
    /// Type of the event.
    event_type: String,
    /// Number of the event, where they are numbered.
    sequence: Option<i64>,
    /// The body, byte by byte.
    body: String,
    /// `pending`, `delivered` or `dead`.
    state: String,
    /// When it is tried next; absent once it has ended.
    next_attempt_timestamp: Option<String>,
    /// When it was stored.
    created_timestamp: String,
    /// When it ended.
    finished_timestamp: Option<String>,
    /// Each try, in order.
    attempts: Vec<AttemptView>,
}

impl DeliveryView {
    fn new(delivery: &Delivery, zone: &str) -> Self {
        let attempt = |attempt: &Attempt| AttemptView {
            timestamp: local_time(attempt.at, zone),
            duration_ms: attempt.duration_ms,
            status: attempt.status,
            error: attempt.error.clone(),
        };
        Self {
            delivery_id: delivery.id.to_string(),
            event_id: delivery.event_id.to_string(),
            event_type: delivery.event_type.clone(),
            sequence: delivery.sequence,
            body: delivery.body.clone(),
            state: delivery.state.to_string(),
            next_attempt_timestamp: delivery.due_at.map(|at| local_time(at, zone)),
            created_timestamp: local_time(delivery.created_at, zone),
            finished_timestamp: delivery.finished_at.map(|at| local_time(at, zone)),
            attempts: delivery.attempts.iter().map(attempt).collect(),
        }
    }
}

/// One page of deliveries.
#[derive(Object)]
#[oai(rename = "WebhookDeliveries", skip_serializing_if_is_none)]
struct DeliveryList {
    /// Deliveries, newest first.
    deliveries: Vec<DeliveryView>,
    /// Send it as `cursor` for the next page; absent on the last.
    next_cursor: Option<String>,
}

#[OpenApi]
impl WebhooksApi {
    /// List webhooks
    ///
    /// By id.
    #[oai(path = "/webhooks", method = "get", operation_id = "list_webhooks")]
    async fn list(&self, caller: TokenAuth) -> Result<Json<Envelope<Vec<WebhookView>>>, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::WebhooksRead).await?.workspace;
        let all = subscription::list(&self.app, workspace.id).await?;
        Ok(ok(all.into_iter().map(WebhookView::from).collect()))
    }

    /// Subscribe to events
    ///
    /// One type of event and one address; at most 10 in a workspace, beyond which the answer is 403
    /// `plan_feature_unavailable`. The same type and address again returns the webhook that there is, switched on if it
    /// was off, restored if it was deleted. Events, headers and retries are described in `/docs/workspace-webhooks.md`.
    #[oai(path = "/webhooks", method = "post", operation_id = "create_webhook")]
    async fn create(
        &self,
        caller: TokenAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<CreateWebhookRequest>,
    ) -> Result<Json<Envelope<WebhookView>>, WorkspaceFailure> {
        let parsed = body.read().and_then(CreateSubscription::try_from).and_then(|command| {
            let request = repeatable(&caller, &key, "create_webhook", &command)?;
            Ok((command, request))
        });
        let (command, request) = caller.understand(Scope::WebhooksWrite, parsed).await?;
        let admitted = caller.admit(Scope::WebhooksWrite).await?;
        let made = create::create(&self.app, admitted, &caller.origin(), &command, &request).await?;
        Ok(ok(WebhookView::from(made)))
    }

    /// Get a webhook
    #[oai(path = "/webhooks/:webhook_id", method = "get", operation_id = "get_webhook")]
    async fn get(
        &self,
        caller: TokenAuth,
        /// Number of the webhook.
        webhook_id: Path<String>,
    ) -> Result<Json<Envelope<WebhookView>>, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::WebhooksRead).await?.workspace;
        let found = subscription::get(&self.app, workspace.id, &webhook_id.0).await?;
        Ok(ok(WebhookView::from(found)))
    }

    /// Change a webhook
    ///
    /// What is absent stays. Deliveries that are still to be made go to the new address. 409 if another webhook has this
    /// type and address.
    #[oai(path = "/webhooks/:webhook_id", method = "put", operation_id = "update_webhook")]
    async fn update(
        &self,
        caller: TokenAuth,
        /// Number of the webhook.
        webhook_id: Path<String>,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<UpdateWebhookRequest>,
    ) -> Result<Json<Envelope<WebhookView>>, WorkspaceFailure> {
        let parsed = body.read().and_then(UpdateSubscription::try_from).and_then(|command| {
            let request = repeatable(&caller, &key, "update_webhook", &(&webhook_id.0, &command))?;
            Ok((command, request))
        });
        let (command, request) = caller.understand(Scope::WebhooksWrite, parsed).await?;
        let admitted = caller.admit(Scope::WebhooksWrite).await?;
        let origin = caller.origin();
        let updated = update::update(&self.app, admitted, &origin, &webhook_id.0, &command, &request).await?;
        Ok(ok(WebhookView::from(updated)))
    }

    /// Delete a webhook
    ///
    /// Nothing more is sent to it. Making it again restores it, with the same number.
    #[oai(path = "/webhooks/:webhook_id", method = "delete", operation_id = "delete_webhook")]
    async fn delete(
        &self,
        caller: TokenAuth,
        /// Number of the webhook.
        webhook_id: Path<String>,
    ) -> Result<Json<DeletedView>, WorkspaceFailure> {
        let admitted = caller.admit(Scope::WebhooksWrite).await?;
        delete::delete(&self.app, admitted, &caller.origin(), &webhook_id.0).await?;
        Ok(Json(DeletedView { status: "ok".to_owned() }))
    }

    /// Make a new secret for a webhook
    ///
    /// An extension. The answer is the only one that shows the secret. The one before it signs too for 24 hours. A
    /// webhook that was not signed is signed from now on.
    #[oai(path = "/webhooks/:webhook_id/secret", method = "post", operation_id = "rotate_webhook_secret")]
    async fn rotate(
        &self,
        caller: TokenAuth,
        /// Number of the webhook.
        webhook_id: Path<String>,
        /// The same key returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Json<Envelope<WebhookView>>, WorkspaceFailure> {
        let admitted = caller.admit(Scope::WebhooksWrite).await?;
        let request = repeatable(&caller, &key, "rotate_webhook_secret", &webhook_id.0)?;
        let made = secret::rotate(&self.app, admitted, &caller.origin(), &webhook_id.0, &request).await?;
        Ok(ok(WebhookView::from(made)))
    }

    /// List deliveries of a webhook
    ///
    /// An extension. What was sent, each try of it, and what became of it, newest first; kept for 10 days.
    #[oai(path = "/webhooks/:webhook_id/deliveries", method = "get", operation_id = "list_webhook_deliveries")]
    async fn deliveries(
        &self,
        caller: TokenAuth,
        /// Number of the webhook.
        webhook_id: Path<String>,
        /// Where the page before ended.
        cursor: Query<Option<String>>,
        /// Most deliveries, 1 to 200; 50 where absent.
        limit: Query<Written<i64>>,
        /// `pending`, `delivered` or `dead`.
        state: Query<Option<String>>,
    ) -> Result<Json<Envelope<DeliveryList>>, WorkspaceFailure> {
        let admitted = caller.admit(Scope::WebhooksRead).await?;
        let zone = &admitted.workspace.time_zone;
        let place = Place::parse(cursor.0.as_deref(), limit.read("limit")?)?;
        let filter = Filter::parse(state.0.as_deref(), None)?;
        let page = deliveries::list(&self.app, admitted, &webhook_id.0, &filter, &place).await?;
        let deliveries = page.items.iter().map(|delivery| DeliveryView::new(delivery, zone)).collect();
        Ok(ok(DeliveryList { deliveries, next_cursor: page.next_cursor }))
    }

    /// Send an event again
    ///
    /// An extension. Queues a new delivery of the same event, with the same bytes, `webhook-id` and number, whatever
    /// became of the first. 409 while the webhook is disabled. The address of an attachment is the same too, and may
    /// have run out by then: `GET /messages/{message_uid}` has a new one.
    #[oai(
        path = "/webhooks/:webhook_id/deliveries/:delivery_id/resend",
        method = "post",
        operation_id = "resend_webhook_delivery"
    )]
    async fn resend(
        &self,
        caller: TokenAuth,
        /// Number of the webhook.
        webhook_id: Path<String>,
        /// Id of the delivery.
        delivery_id: Path<String>,
        /// The same key returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Json<Envelope<DeliveryView>>, WorkspaceFailure> {
        let admitted = caller.admit(Scope::WebhooksWrite).await?;
        let target = (webhook_id.0.as_str(), delivery_id.0.as_str());
        let request = repeatable(&caller, &key, "resend_webhook_delivery", &target)?;
        let delivery = deliveries::send_again(&self.app, admitted, &caller.origin(), target, &request).await?;
        Ok(ok(DeliveryView::new(&delivery, &admitted.workspace.time_zone)))
    }
}

fn repeatable(
    caller: &TokenAuth,
    key: &Header<Option<String>>,
    operation: &str,
    command: &impl serde::Serialize,
) -> Result<Repeatable> {
    Repeatable::new(caller.repeat_scope(), key.0.as_deref(), operation, command)
}
