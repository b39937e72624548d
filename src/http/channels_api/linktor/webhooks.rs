//! Webhooks that hear of channels.

use std::sync::Arc;

use entity::id::SubscriptionId;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};

use crate::{
    app::App,
    error::Result,
    http::{
        body::UnreadJson,
        channels_api::linktor::{
            LinktorAuth, LinktorFailure,
            webhook_views::{
                DeliveryAnswer, DeliveryPage, Tried, TryRequest, WebhookAnswer, WebhookList, WebhookRequest, filter,
            },
        },
        query::Written,
    },
    idempotency::Repeatable,
    token::Scope,
    webhook::{
        hook::{self, change, deliveries},
        log::Place,
    },
};

pub(super) struct WebhooksApi {
    pub(super) app: Arc<App>,
}

/// A webhook was made.
#[derive(ApiResponse)]
enum CreatedResponse {
    /// It hears of what happens from now on.
    #[oai(status = 201)]
    Done(Json<WebhookAnswer>),
}

/// A webhook was deleted.
#[derive(ApiResponse)]
enum Deleted {
    /// It is gone.
    #[oai(status = 204)]
    Done,
}

/// Which webhook a path means, with or without `wh_`.
fn number(id: &str) -> Result<SubscriptionId> {
    hook::parse_id(id.strip_prefix("wh_").unwrap_or(id))
}

#[OpenApi]
impl WebhooksApi {
    /// List webhooks
    ///
    /// In the order in which they were made. Those of the Workspace API are not among them.
    #[oai(path = "/webhooks", method = "get", operation_id = "list_webhooks")]
    async fn list(&self, caller: LinktorAuth) -> Result<Json<WebhookList>, LinktorFailure> {
        let workspace_id = caller.admit(Scope::WebhooksRead).await?.workspace.id;
        Ok(Json(hook::list(&self.app, workspace_id).await?.into()))
    }

    /// Make a webhook
    ///
    /// Its address must be public. What happens to a channel is sent there as `POST` with `{id, event, timestamp, data,
    /// meta}`; any 2xx in time counts as received. A try that fails is repeated as `config` says. Types: `channel.created`, `channel.updated`, `channel.activated`, `channel.deactivated`,
    /// `channel.connected`, `channel.disconnected`, `channel.error`, `channel.deleted`, `channel.link_expired`,
    /// `channel.credentials_required`, `test.ping`, and `*` for all. What came of an attempt on a page has the attempt's
    /// `attemptId` and its `userId`; `channelId` is the account that the user had, `null` before the first.
    ///
    /// Each request has `X-Linktor-Event`, `X-Linktor-Delivery-Id`, `X-Linktor-Timestamp` (Unix seconds) and
    /// `X-Linktor-Signature`: `sha256=` and the hexadecimal HMAC-SHA256 of the timestamp, a dot and the body, under the
    /// secret as it stands; and the headers of Standard Webhooks. The answer shows the secret; no other answer does. 409
    /// `RESOURCE_ALREADY_EXISTS` for an address that has a webhook; 403 `WEBHOOK_LIMIT_REACHED` if there are 5 already.
    #[oai(path = "/webhooks", method = "post", operation_id = "create_webhook")]
    async fn create(
        &self,
        caller: LinktorAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<WebhookRequest>,
    ) -> Result<CreatedResponse, LinktorFailure> {
        let parsed = body.read().and_then(WebhookRequest::into_command).and_then(|command| {
            let request = Repeatable::new(caller.repeat_scope(), key.0.as_deref(), "create_hook", &command)?;
            Ok((command, request))
        });
        let (command, request) = caller.understand(Scope::WebhooksWrite, parsed).await?;
        let admitted = caller.admit(Scope::WebhooksWrite).await?;
        let made = change::create(&self.app, admitted, &caller.origin(), &command, &request).await?;
        Ok(CreatedResponse::Done(Json(made.into())))
    }

    /// Get a webhook
    #[oai(path = "/webhooks/:webhook_id", method = "get", operation_id = "get_webhook")]
    async fn get(
        &self,
        caller: LinktorAuth,
        /// Id of the webhook.
        webhook_id: Path<String>,
    ) -> Result<Json<WebhookAnswer>, LinktorFailure> {
        let workspace_id = caller.admit(Scope::WebhooksRead).await?.workspace.id;
        Ok(Json(hook::get(&self.app, workspace_id, number(&webhook_id.0)?).await?.into()))
    }

    /// Change a webhook
    ///
    /// What is absent stays.
    #[oai(path = "/webhooks/:webhook_id", method = "patch", operation_id = "update_webhook")]
    async fn update(
        &self,
        caller: LinktorAuth,
        /// Id of the webhook.
        webhook_id: Path<String>,
        body: UnreadJson<WebhookRequest>,
    ) -> Result<Json<WebhookAnswer>, LinktorFailure> {
        let parsed = body.read().and_then(WebhookRequest::into_command);
        let command = caller.understand(Scope::WebhooksWrite, parsed).await?;
        let admitted = caller.admit(Scope::WebhooksWrite).await?;
        let id = number(&webhook_id.0)?;
        Ok(Json(change::update(&self.app, admitted, &caller.origin(), id, &command).await?.into()))
    }

    /// Delete a webhook
    #[oai(path = "/webhooks/:webhook_id", method = "delete", operation_id = "delete_webhook")]
    async fn delete(
        &self,
        caller: LinktorAuth,
        /// Id of the webhook.
        webhook_id: Path<String>,
    ) -> Result<Deleted, LinktorFailure> {
        let admitted = caller.admit(Scope::WebhooksWrite).await?;
        change::delete(&self.app, admitted, &caller.origin(), number(&webhook_id.0)?).await?;
        Ok(Deleted::Done)
    }

    /// Replace the secret of a webhook
    ///
    /// The answer shows the new one. `X-Linktor-Signature` is under it from now on; `webhook-signature` has one under each
    /// of the two for a day.
    #[oai(path = "/webhooks/:webhook_id/rotate-secret", method = "post", operation_id = "rotate_webhook_secret")]
    async fn rotate(
        &self,
        caller: LinktorAuth,
        /// Id of the webhook.
        webhook_id: Path<String>,
        /// The same key returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Json<WebhookAnswer>, LinktorFailure> {
        let request = Repeatable::new(caller.repeat_scope(), key.0.as_deref(), "rotate_hook_secret", &webhook_id.0);
        let request = caller.understand(Scope::WebhooksWrite, request).await?;
        let admitted = caller.admit(Scope::WebhooksWrite).await?;
        let id = number(&webhook_id.0)?;
        Ok(Json(change::rotate_secret(&self.app, admitted, &caller.origin(), id, &request).await?.into()))
    }

    /// Try a webhook out
    ///
    /// Sends an event that has not happened, whatever the webhook hears of, and answers with what came of it.
    #[oai(path = "/webhooks/:webhook_id/test", method = "post", operation_id = "test_webhook")]
    async fn test(
        &self,
        caller: LinktorAuth,
        /// Id of the webhook.
        webhook_id: Path<String>,
        body: UnreadJson<TryRequest>,
    ) -> Result<Json<Tried>, LinktorFailure> {
        let parsed = body.read().and_then(TryRequest::into_event);
        let event = caller.understand(Scope::WebhooksWrite, parsed).await?;
        let admitted = caller.admit(Scope::WebhooksWrite).await?;
        let id = number(&webhook_id.0)?;
        Ok(Json(deliveries::try_out(&self.app, admitted, &caller.origin(), id, event).await?.into()))
    }

    /// List what was sent to a webhook
    ///
    /// Newest first, each with every try. Deliveries that have ended are kept for 10 days, and at most 1000 of a webhook.
    #[oai(path = "/webhooks/:webhook_id/deliveries", method = "get", operation_id = "list_webhook_deliveries")]
    async fn deliveries(
        &self,
        caller: LinktorAuth,
        /// Id of the webhook.
        webhook_id: Path<String>,
        /// Only those that went so: `succeeded`, `failed` or `pending`.
        status: Query<Written<String>>,
        /// Only those of events of this type.
        event: Query<Written<String>>,
        /// `nextCursor` of the page before.
        cursor: Query<Written<String>>,
        /// Most deliveries, 1 to 200; 50 where absent.
        limit: Query<Written<i64>>,
    ) -> Result<Json<DeliveryPage>, LinktorFailure> {
        let parse = || {
            let place = Place::parse(cursor.read("cursor")?.as_deref(), limit.read("limit")?)?;
            Ok((place, filter(status.read("status")?.as_deref(), event.read("event")?.as_deref())?))
        };
        let (place, filter) = caller.understand(Scope::WebhooksRead, parse()).await?;
        let admitted = caller.admit(Scope::WebhooksRead).await?;
        let page = deliveries::list(&self.app, admitted, number(&webhook_id.0)?, &filter, &place).await?;
        Ok(Json(page.into()))
    }

    /// Send an event again
    ///
    /// As a new delivery with the same bytes, whatever became of this one.
    #[oai(
        path = "/webhooks/:webhook_id/deliveries/:delivery_id/retry",
        method = "post",
        operation_id = "retry_webhook_delivery"
    )]
    async fn retry(
        &self,
        caller: LinktorAuth,
        /// Id of the webhook.
        webhook_id: Path<String>,
        /// Id of the delivery.
        delivery_id: Path<String>,
        /// The same key returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Json<DeliveryAnswer>, LinktorFailure> {
        let asked = (&webhook_id.0, &delivery_id.0);
        let request = Repeatable::new(caller.repeat_scope(), key.0.as_deref(), "retry_hook_delivery", &asked);
        let request = caller.understand(Scope::WebhooksWrite, request).await?;
        let admitted = caller.admit(Scope::WebhooksWrite).await?;
        let place = (number(&webhook_id.0)?, delivery_id.0.as_str());
        Ok(Json(deliveries::send_again(&self.app, admitted, &caller.origin(), place, &request).await?.into()))
    }
}
