//! Telling what happened: an outbox that commits with the change, delivered at least once.
//!
//! Partners have one endpoint each, which hears everything of theirs ([`admin`]); workspaces subscribe
//! addresses to one type of event each ([`subscription`], [`tell`]), or to several about channels ([`hook`]). All are
//! an [`Owner`] to what is behind them: one outbox, one worker, one log.
//!
//! An event is stored, and its deliveries if somebody wants it, in the transaction of the change: what is rolled back
//! is not told, what is committed is. Workers ([`deliver`]) lease due deliveries from the database,
//! send them outside any transaction, and write down what came of it; a worker that dies loses its leases, not the
//! deliveries. Each ends `delivered` or `dead`, and the log shows every try.
//!
//! - The same event keeps its `webhook-id` and its bytes over retries and resends; signatures are made for each try.
//! - No endpoint slows the others, however long it takes: [`deliver::lanes`] sees to that.
//! - A subscription that does not fail hears of things in the order in which they happened, one after the other. What
//!   fails comes again later and blocks nothing. Partners' endpoints are promised no order.
//! - What an endpoint answers is never trusted beyond its status and `Retry-After`.
//! - What happens while a partner's endpoint is disabled stands dead in its log, and can be sent again later.
//! - Only 410 disables a partner's endpoint, and nothing a subscription. What keeps failing is asked less, and
//!   `failing_since` and `errors_counter` say so.

use entity::{
    delivery,
    id::{EventId, PartnerId, SubscriptionId, WorkspaceId, WorkspaceSlug},
    timestamp::Timestamp,
};
use sea_orm::DatabaseTransaction;

use crate::{app::App, error::Result};

pub mod admin;
pub mod deliver;
pub mod event;
pub mod hook;
pub mod log;
mod render;
pub mod resend;
pub mod retry;
mod sample;
mod store;
pub mod subscription;
pub mod tell;
pub mod try_out;

pub use event::{EventBody, EventType};

/// Whose endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A partner's only one.
    Partner(PartnerId),
    /// One of a workspace's.
    Subscription(SubscriptionId),
}

impl Owner {
    /// Who gets a delivery. A constraint holds that it is one of the two.
    #[must_use]
    pub fn of(delivery: &delivery::Model) -> Option<Self> {
        Self::from_columns(delivery.partner_id.clone(), delivery.subscription_id)
    }

    fn from_columns(partner_id: Option<PartnerId>, subscription_id: Option<SubscriptionId>) -> Option<Self> {
        partner_id.map(Self::Partner).or_else(|| subscription_id.map(Self::Subscription))
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Partner(id) => write!(f, "partner:{id}"),
            Self::Subscription(id) => write!(f, "subscription:{id}"),
        }
    }
}

/// Something that happened, to be stored with the change that made it happen.
pub struct NewEvent {
    /// Whom to tell.
    pub partner_id: PartnerId,
    /// The workspace that it is about.
    pub workspace: (WorkspaceId, WorkspaceSlug),
    /// What happened.
    pub body: EventBody,
    /// What may happen once only; a second event with this key is not stored.
    pub unique_key: Option<String>,
}

impl NewEvent {
    /// Something that may happen any number of times in a workspace.
    #[must_use]
    pub fn in_workspace(workspace: &entity::workspace::Model, body: EventBody) -> Self {
        Self {
            partner_id: workspace.partner_id.clone(),
            workspace: (workspace.id, workspace.slug.clone()),
            body,
            unique_key: None,
        }
    }
}

/// The body of an event of this type as it could be, for the documentation.
///
/// # Errors
/// If `at` lies outside the calendar.
pub fn example(partner_id: &PartnerId, event_type: EventType, at: Timestamp) -> Result<String> {
    render::body(partner_id, &sample::workspace()?, at, &sample::of(event_type, at)?)
}

/// Stores an event and, if the partner has an endpoint, its delivery, dead at once if that is disabled. Tells whether it
/// is new. After the commit, publish [`crate::signal::Signal::Work`], or [`crate::signal::Signal::Event`] where nothing
/// else is to do.
///
/// # Errors
/// What the database says.
pub(crate) async fn emit(app: &App, tx: &DatabaseTransaction, event: &NewEvent) -> Result<bool> {
    let (workspace_id, slug) = &event.workspace;
    let row = entity::event::Model {
        id: EventId(app.clock.uuid()),
        partner_id: event.partner_id.clone(),
        workspace_id: Some(*workspace_id),
        kind: event.body.event_type().to_string(),
        body: render::body(&event.partner_id, slug, app.clock.now(), &event.body)?,
        unique_key: event.unique_key.clone(),
        created_at: app.clock.now(),
    };
    if !store::insert_event(tx, &row).await? {
        return Ok(false);
    }
    let owner = Owner::Partner(row.partner_id.clone());
    match store::endpoint(tx, &row.partner_id).await? {
        Some(endpoint) if endpoint.enabled => {
            store::insert_delivery(app, tx, &row, &owner, None).await?;
        }
        Some(endpoint) => store::insert_dead(app, tx, &row, &owner, admin::disabled(&endpoint)).await?,
        None => {}
    }
    Ok(true)
}
