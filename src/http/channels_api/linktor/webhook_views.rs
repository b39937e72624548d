//! Webhooks and their deliveries, as they are sent and shown.

use entity::delivery::State;
use poem_openapi::Object;
use serde::Deserialize;

use crate::{
    channel::config::MASK,
    error::{Error, Result},
    http::formats::IsoTime,
    page::Page,
    webhook::{
        hook::{Hook, HookEvent, change::ChangeHook},
        log::{Delivery, Filter},
    },
};

/// A webhook to be made, or what to change of one.
#[derive(Object, Deserialize)]
#[oai(rename = "WebhookRequest")]
pub(super) struct WebhookRequest {
    /// Its name, 1 to 255 characters.
    name: Option<String>,
    /// The address; needed to make one.
    url: Option<String>,
    /// Types of the events that it hears of; needed to make one.
    events: Option<Vec<String>>,
    /// Whether it hears anything; it does where absent.
    active: Option<bool>,
    /// How patient it is.
    config: Option<ConfigRequest>,
}

/// How patient a webhook is.
#[derive(Object, Deserialize)]
#[oai(rename = "WebhookConfigRequest", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
struct ConfigRequest {
    /// `exponential`, the only one.
    retry_policy: Option<String>,
    /// How often a try that failed is repeated, 0 to 5; 5 where absent.
    max_retries: Option<i32>,
    /// How long the answer may take, 1 to 30 seconds; more than 5 is granted as 5.
    timeout: Option<i32>,
}

/// The only policy.
const EXPONENTIAL: &str = "exponential";

impl WebhookRequest {
    pub(super) fn into_command(self) -> Result<ChangeHook> {
        let events = self.events.as_deref().map(HookEvent::parse_all).transpose()?;
        let config = self.config;
        let policy = config.as_ref().and_then(|config| config.retry_policy.as_deref());
        if policy.is_some_and(|policy| policy != EXPONENTIAL) {
            return Err(Error::field("config.retryPolicy", "must be exponential"));
        }
        Ok(ChangeHook {
            name: self.name,
            url: self.url,
            events,
            is_active: self.active,
            max_retries: config.as_ref().and_then(|config| config.max_retries),
            timeout_seconds: config.as_ref().and_then(|config| config.timeout),
        })
    }
}

/// What to try a webhook out with.
#[derive(Object, Deserialize)]
#[oai(rename = "TestWebhookRequest")]
pub(super) struct TryRequest {
    /// The type of the event; `test.ping` where absent.
    event: Option<String>,
}

impl TryRequest {
    pub(super) fn into_event(self) -> Result<HookEvent> {
        let text = self.event.as_deref().unwrap_or("test.ping");
        text.parse().map_err(|_| Error::field("event", "is not a type of event"))
    }
}

/// Which deliveries.
pub(super) fn filter(status: Option<&str>, event: Option<&str>) -> Result<Filter> {
    let state = match status {
        None => None,
        Some("pending") => Some(State::Pending),
        Some("succeeded") => Some(State::Delivered),
        Some("failed") => Some(State::Dead),
        Some(_) => return Err(Error::field("status", "must be succeeded, failed or pending")),
    };
    let event = event.map(|text| text.parse().map_err(|_| Error::field("event", "is not a type of event")));
    Ok(Filter { state, hook_event: event.transpose()?, ..Filter::default() })
}

/// A webhook.
#[derive(Object)]
#[oai(rename = "Webhook")]
struct WebhookView {
    /// `wh_` and its number.
    id: String,
    /// Always `webhook`.
    r#type: String,
    /// What is known of it.
    attributes: Attributes,
}

/// What is known of a webhook.
#[derive(Object)]
#[oai(rename = "WebhookAttributes", rename_all = "camelCase")]
struct Attributes {
    /// Its name.
    #[oai(nullable)]
    name: Option<String>,
    /// The address.
    url: String,
    /// Types of the events that it hears of.
    events: Vec<String>,
    /// Whether it hears anything.
    active: bool,
    /// How patient it is.
    config: ConfigView,
    /// What signs; masked but in the answer that makes it.
    secret: String,
    /// Tries that failed since the last one that did not.
    failures: i64,
    /// When it was made.
    created_at: IsoTime,
    /// When it was last changed.
    updated_at: IsoTime,
}

/// How patient a webhook is.
#[derive(Object)]
#[oai(rename = "WebhookConfig", rename_all = "camelCase")]
struct ConfigView {
    /// `exponential`: after about 5 seconds, 1 minute, 5 minutes, 30 minutes and 2 hours.
    retry_policy: String,
    /// How often a try that failed is repeated.
    max_retries: i32,
    /// How long the answer may take, in seconds.
    timeout: i32,
}

impl From<Hook> for WebhookView {
    fn from(hook: Hook) -> Self {
        Self {
            id: format!("wh_{}", hook.id),
            r#type: "webhook".to_owned(),
            attributes: Attributes {
                name: hook.name,
                url: hook.url,
                events: hook.events.iter().map(ToString::to_string).collect(),
                active: hook.is_active,
                config: ConfigView {
                    retry_policy: EXPONENTIAL.to_owned(),
                    max_retries: hook.max_retries,
                    timeout: hook.timeout_seconds,
                },
                secret: hook.secret.unwrap_or_else(|| MASK.to_owned()),
                failures: hook.errors_counter,
                created_at: hook.created_at.into(),
                updated_at: hook.updated_at.into(),
            },
        }
    }
}

/// One webhook.
#[derive(Object)]
#[oai(rename = "WebhookResponse")]
pub(super) struct WebhookAnswer {
    /// The webhook.
    data: WebhookView,
}

impl From<Hook> for WebhookAnswer {
    fn from(hook: Hook) -> Self {
        Self { data: hook.into() }
    }
}

/// All webhooks.
#[derive(Object)]
#[oai(rename = "WebhookList")]
pub(super) struct WebhookList {
    /// The webhooks.
    data: Vec<WebhookView>,
}

impl From<Vec<Hook>> for WebhookList {
    fn from(hooks: Vec<Hook>) -> Self {
        Self { data: hooks.into_iter().map(WebhookView::from).collect() }
    }
}

/// A delivery that tries a webhook out.
#[derive(Object)]
#[oai(rename = "WebhookTest")]
pub(super) struct Tried {
    /// The delivery.
    data: TriedData,
}

/// A delivery that tries a webhook out.
#[derive(Object)]
#[oai(rename = "WebhookTestData", rename_all = "camelCase")]
struct TriedData {
    /// Its id.
    delivery_id: String,
    /// `succeeded`; `pending` if the try failed and is repeated, `failed` if it is not.
    status: String,
    /// HTTP status of the answer; `null` if none came.
    #[oai(nullable)]
    status_code: Option<i32>,
    /// How long that took, in milliseconds.
    #[oai(nullable)]
    latency: Option<i64>,
}

impl From<Delivery> for Tried {
    fn from(delivery: Delivery) -> Self {
        let view = DeliveryView::from(delivery);
        let data = TriedData {
            delivery_id: view.id,
            status: view.status,
            status_code: view.status_code,
            latency: view.latency,
        };
        Self { data }
    }
}

/// A delivery.
#[derive(Object)]
#[oai(rename = "WebhookDelivery", rename_all = "camelCase")]
struct DeliveryView {
    /// Its id.
    id: String,
    /// The type of the event.
    event: String,
    /// `succeeded`, `failed` or `pending`.
    status: String,
    /// How often it was tried.
    attempts: usize,
    /// HTTP status of the last answer, if one came.
    #[oai(nullable)]
    status_code: Option<i32>,
    /// How long that took, in milliseconds.
    #[oai(nullable)]
    latency: Option<i64>,
    /// Why the last try does not count, where its status does not say so.
    #[oai(nullable)]
    error: Option<String>,
    /// When it is tried next.
    #[oai(nullable)]
    next_retry_at: Option<IsoTime>,
    /// When it was stored.
    created_at: IsoTime,
    /// The body, byte by byte.
    payload: String,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let last = delivery.attempts.last();
        let status = match delivery.state {
            State::Pending => "pending",
            State::Delivered => "succeeded",
            State::Dead => "failed",
        };
        Self {
            id: delivery.id.to_string(),
            event: delivery.event_type,
            status: status.to_owned(),
            attempts: delivery.attempts.len(),
            status_code: last.and_then(|last| last.status),
            latency: last.map(|last| last.duration_ms),
            error: last.and_then(|last| last.error.clone()),
            next_retry_at: delivery.due_at.map(IsoTime::from),
            created_at: delivery.created_at.into(),
            payload: delivery.body,
        }
    }
}

/// One delivery.
#[derive(Object)]
#[oai(rename = "WebhookDeliveryResponse")]
pub(super) struct DeliveryAnswer {
    /// The delivery.
    data: DeliveryView,
}

impl From<Delivery> for DeliveryAnswer {
    fn from(delivery: Delivery) -> Self {
        Self { data: delivery.into() }
    }
}

/// One page of deliveries.
#[derive(Object)]
#[oai(rename = "WebhookDeliveryPage")]
pub(super) struct DeliveryPage {
    /// The deliveries.
    data: Vec<DeliveryView>,
    /// Where the next page begins.
    meta: PageMeta,
}

/// Where the next page begins.
#[derive(Object)]
#[oai(rename = "WebhookDeliveryPageMeta", rename_all = "camelCase")]
struct PageMeta {
    /// To be sent as `cursor`; `null` on the last page.
    #[oai(nullable)]
    next_cursor: Option<String>,
}

impl From<Page<Delivery>> for DeliveryPage {
    fn from(page: Page<Delivery>) -> Self {
        let data = page.items.into_iter().map(DeliveryView::from).collect();
        Self { data, meta: PageMeta { next_cursor: page.next_cursor } }
    }
}
