//! What workspaces subscribe to (`contracts/timelines.md` §3.6, there called webhooks): one type of event and one
//! address each.
//!
//! - At most [`MOST`] of a workspace; the workspace's row is held while they are counted.
//! - Type and address are unique among those that are not deleted. Making one again returns it, switches it on, or
//!   restores it, always with the same id.
//! - Nothing is ever switched off by itself: `errors_counter` counts the tries that failed since the last success, and
//!   [`warning`] tells people by mail when it grows.
//! - Signatures and numbers are asked for one by one (ours); without them a receiver gets what the contract says.

use entity::{
    id::{SubscriptionId, WorkspaceId},
    webhook_subscription::Model,
};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    error::{Error, Result},
};

pub mod create;
pub mod delete;
pub mod deliveries;
pub mod retention;
pub mod secret;
mod store;
pub mod topic;
pub mod update;
pub mod warning;

pub use topic::Topic;

/// Most subscriptions of a workspace.
pub const MOST: usize = 10;

/// A subscription as an answer showed it. Answers are kept for replays, so what is added here later needs a default.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its number on the wire.
    pub id: SubscriptionId,
    /// The type of the events.
    pub event_type: String,
    /// Whether events are sent.
    pub enabled: bool,
    /// The address.
    pub url: String,
    /// Tries that failed since the last one that did not.
    pub errors_counter: i64,
    /// Whether they are signed.
    pub signed: bool,
    /// Whether they are numbered.
    pub numbered: bool,
    /// The secret, in the one answer that shows it.
    pub secret: Option<String>,
}

impl Subscription {
    fn new(row: Model, secret: Option<String>) -> Self {
        Self {
            id: row.id,
            event_type: row.event_type,
            enabled: row.enabled,
            url: row.url,
            errors_counter: row.errors_counter,
            signed: row.secret.is_some(),
            numbered: row.numbered,
            secret,
        }
    }
}

/// Reads a subscription's id as it stands in a path.
///
/// # Errors
/// `webhook_not_found`: what is no number is nobody's.
pub fn parse_id(text: &str) -> Result<SubscriptionId> {
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.ok_or_else(|| Error::WebhookNotFound(text.to_owned()))
}

/// All subscriptions of a workspace, by id.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App, workspace_id: WorkspaceId) -> Result<Vec<Subscription>> {
    let rows = store::all(app.db.reader(), workspace_id).await?;
    Ok(rows.into_iter().map(|row| Subscription::new(row, None)).collect())
}

/// One subscription.
///
/// # Errors
/// `webhook_not_found`.
pub async fn get(app: &App, workspace_id: WorkspaceId, id: &str) -> Result<Subscription> {
    Ok(Subscription::new(find(app.db.reader(), workspace_id, id).await?, None))
}

async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: &str) -> Result<Model> {
    store::find(db, workspace_id, parse_id(id)?).await?.ok_or_else(|| Error::WebhookNotFound(id.to_owned()))
}

/// What the audit keeps: whose machine it is. Paths of such addresses are often secrets.
fn for_audit(row: &Model) -> serde_json::Value {
    let origin = row.url.parse::<reqwest::Url>().map(|url| url.origin().ascii_serialization());
    serde_json::json!({
        "event_type": row.event_type, "origin": origin.unwrap_or_default(), "enabled": row.enabled,
        "signed": row.secret.is_some(), "numbered": row.numbered,
    })
}
