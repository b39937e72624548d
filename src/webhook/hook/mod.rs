//! Webhooks of the Channels API (`contracts/channels.md` B1.1): an address that hears of several types of event.
//!
//! They are subscriptions like those of the Workspace API, which does not show them: the same outbox, worker, counters
//! and log. What differs:
//!
//! - Each gets an event of its own, because its body names the webhook; one for each change and no more.
//! - All are signed, in Linktor's manner and as Standard Webhooks has it.
//! - How often one is tried again and how long its answer may take is its own matter, within limits.

use entity::{
    id::{SubscriptionId, WorkspaceId},
    timestamp::Timestamp,
    webhook_subscription::Model,
};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, EnumString, IntoEnumIterator};

use crate::{
    app::App,
    error::{Error, Result},
};

pub mod change;
pub mod deliveries;
mod store;
pub mod tell;

/// Most webhooks of a workspace: with its subscriptions they leave slots of a worker to others.
pub const MOST: usize = 5;
/// Most times that a webhook may ask to be tried again.
pub const MOST_RETRIES: i32 = 5;
/// Longest time-out that may be asked for, in seconds.
pub const LONGEST_ASKED_SECONDS: i32 = 30;
/// Longest time-out that is granted, in seconds.
pub const LONGEST_TIMEOUT_SECONDS: i32 = 5;
/// What stands for a type of event in their rows.
const KIND: &str = "channels";

/// The type of an event, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Display, EnumIter, EnumString, Serialize, Deserialize)]
pub enum HookEvent {
    /// A channel was made, or linked for the first time.
    #[strum(serialize = "channel.created")]
    Created,
    /// Its name, settings, metadata or bot were changed.
    #[strum(serialize = "channel.updated")]
    Updated,
    /// It was switched on.
    #[strum(serialize = "channel.activated")]
    Activated,
    /// It was switched off.
    #[strum(serialize = "channel.deactivated")]
    Deactivated,
    /// Its account was connected, or works again after it did not.
    #[strum(serialize = "channel.connected")]
    Connected,
    /// Its session has ended.
    #[strum(serialize = "channel.disconnected")]
    Disconnected,
    /// It could not be connected, or does not work as it should.
    #[strum(serialize = "channel.error")]
    Error,
    /// It was deleted.
    #[strum(serialize = "channel.deleted")]
    Deleted,
    /// Nobody scanned its code in time.
    #[strum(serialize = "channel.link_expired")]
    LinkExpired,
    /// Somebody has to sign it in again: its credentials are refused, or the phone has removed it.
    #[strum(serialize = "channel.credentials_required")]
    CredentialsRequired,
    /// A test.
    #[strum(serialize = "test.ping")]
    Ping,
}

impl HookEvent {
    /// Reads types; `*` stands for all.
    ///
    /// # Errors
    /// `invalid_request` naming `events`.
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>> {
        if texts.iter().any(|text| text == "*") {
            return Ok(Self::iter().collect());
        }
        let unknown = |text: &String| Error::field("events", format!("{text:?} is not a type of event"));
        let read: Result<Vec<Self>> = texts.iter().map(|text| text.parse().map_err(|_| unknown(text))).collect();
        let mut read = read?;
        read.sort();
        read.dedup();
        if read.is_empty() { Err(Error::field("events", "must name at least one type of event")) } else { Ok(read) }
    }

    fn of_row(row: &Model) -> Vec<Self> {
        let words = row.events.as_deref().unwrap_or_default();
        words.split(' ').filter_map(|word| word.parse().ok()).collect()
    }
}

/// A webhook as an answer showed it. Answers are kept for replays, so what is added here later needs a default.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its number.
    pub id: SubscriptionId,
    /// Name for people.
    pub name: Option<String>,
    /// The address.
    pub url: String,
    /// What it hears of.
    pub events: Vec<HookEvent>,
    /// Whether it hears anything.
    pub is_active: bool,
    /// How often it is tried again.
    pub max_retries: i32,
    /// How long its answer may take, in seconds.
    pub timeout_seconds: i32,
    /// Tries that failed since the last one that did not.
    pub errors_counter: i64,
    /// The secret, in the one answer that shows it.
    pub secret: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Hook {
    fn new(row: Model, secret: Option<String>) -> Self {
        Self {
            id: row.id,
            events: HookEvent::of_row(&row),
            max_retries: row.max_retries.unwrap_or(MOST_RETRIES),
            timeout_seconds: row.timeout_seconds.unwrap_or(LONGEST_TIMEOUT_SECONDS),
            name: row.name,
            url: row.url,
            is_active: row.enabled,
            errors_counter: row.errors_counter,
            secret,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Reads a webhook's number as it stands in a path.
///
/// # Errors
/// `webhook_not_found`: what is no number is nobody's.
pub fn parse_id(text: &str) -> Result<SubscriptionId> {
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.ok_or_else(|| Error::WebhookNotFound(text.to_owned()))
}

/// All webhooks of a workspace, in the order in which they were made.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App, workspace_id: WorkspaceId) -> Result<Vec<Hook>> {
    let rows = store::all(app.db.reader(), workspace_id).await?;
    Ok(rows.into_iter().map(|row| Hook::new(row, None)).collect())
}

/// One webhook.
///
/// # Errors
/// `webhook_not_found`.
pub async fn get(app: &App, workspace_id: WorkspaceId, id: SubscriptionId) -> Result<Hook> {
    Ok(Hook::new(find(app.db.reader(), workspace_id, id).await?, None))
}

async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: SubscriptionId) -> Result<Model> {
    store::find(db, workspace_id, id).await?.ok_or_else(|| Error::WebhookNotFound(id.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_words_and_a_star_is_all_of_them() {
        let parse =
            |texts: &[&str]| HookEvent::parse_all(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_eq!(parse(&["*"]).expect("all").len(), HookEvent::iter().count());
        assert_eq!(parse(&["channel.deleted", "channel.deleted"]).expect("one"), [HookEvent::Deleted]);
        for event in HookEvent::iter() {
            assert_eq!(parse(&[&event.to_string()]).expect("one"), [event]);
        }
        assert!(parse(&[]).is_err() && parse(&["message.received"]).is_err());
    }

    #[test]
    fn ids_are_digits_and_nothing_else() {
        assert_eq!(parse_id("7").expect("an id"), SubscriptionId(7));
        for bad in ["", "+7", "-7", "7 ", "x", "99999999999999999999"] {
            assert!(parse_id(bad).is_err(), "{bad:?}");
        }
    }
}
