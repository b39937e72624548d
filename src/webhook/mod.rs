//! Telling partners what happened: an outbox that commits with the change, delivered at least once.

use entity::id::{PartnerId, WorkspaceId, WorkspaceSlug};
use sea_orm::DatabaseTransaction;

use crate::{app::App, error::Result};

pub mod event;
mod store;

pub use event::EventBody;

/// Something that happened, to be stored with the change that made it happen.
pub struct NewEvent {
    /// Whom to tell.
    pub partner_id: PartnerId,
    /// The workspace that it is about.
    pub workspace: Option<(WorkspaceId, WorkspaceSlug)>,
    /// What happened.
    pub body: EventBody,
    /// What may happen once only; a second event with this key is not stored.
    pub unique_key: Option<String>,
}

/// Stores an event and, if the partner has an endpoint, its delivery. Tells whether it is new. After the commit,
/// publish [`crate::signal::Signal::Work`].
///
/// # Errors
/// What the database says.
pub(crate) async fn emit(app: &App, tx: &DatabaseTransaction, event: &NewEvent) -> Result<bool> {
    store::insert(app, tx, event).await
}
