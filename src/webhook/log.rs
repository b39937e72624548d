//! The delivery log: what was sent to an endpoint, each try of it, and what became of it.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use entity::{
    delivery::{self, State},
    delivery_attempt, event,
    id::{DeliveryId, EventId},
    timestamp::Timestamp,
};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    app::App,
    error::{Error, Result},
    page::{Page, PageRequest},
    webhook::{Owner, event::EventType, hook::HookEvent, store},
};

/// A delivery as an answer showed it. Answers are kept for replays, so what is added here later needs a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The event's id, which is the `webhook-id`.
    pub event_id: EventId,
    /// The event's type.
    pub event_type: String,
    /// The body, byte by byte.
    pub body: String,
    /// Its number among the events of a subscription that numbers them.
    #[serde(default)]
    pub sequence: Option<i64>,
    /// How far it has come.
    pub state: State,
    /// When it is tried next.
    pub due_at: Option<Timestamp>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Each try, in order.
    pub attempts: Vec<Attempt>,
}

/// One try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it was sent.
    pub at: Timestamp,
    /// How long the answer took, in milliseconds.
    pub duration_ms: i64,
    /// HTTP status of the answer, if one came.
    pub status: Option<i32>,
    /// Why no answer came, or why it does not count.
    pub error: Option<String>,
}

impl From<delivery_attempt::Model> for Attempt {
    fn from(row: delivery_attempt::Model) -> Self {
        Self { at: row.at, duration_ms: row.duration_ms, status: row.status, error: row.error }
    }
}

impl Delivery {
    pub(super) fn new(row: &delivery::Model, event: &event::Model, attempts: Vec<Attempt>) -> Self {
        Self {
            id: row.id,
            event_id: event.id,
            event_type: event.kind.clone(),
            body: event.body.clone(),
            sequence: row.sequence,
            state: row.state,
            due_at: row.due_at,
            created_at: row.created_at,
            finished_at: row.finished_at,
            attempts,
        }
    }
}

/// Which deliveries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those of events of this type.
    pub event_type: Option<EventType>,
    /// Only those of events of this type of a webhook of the Channels API.
    pub hook_event: Option<HookEvent>,
}

impl Filter {
    /// Reads the filter.
    ///
    /// # Errors
    /// `invalid_request` naming `state` or `event_type`.
    pub fn parse(state: Option<&str>, event_type: Option<&str>) -> Result<Self> {
        let state = match state {
            None => None,
            Some("pending") => Some(State::Pending),
            Some("delivered") => Some(State::Delivered),
            Some("dead") => Some(State::Dead),
            Some(_) => return Err(Error::field("state", "must be pending, delivered or dead")),
        };
        Ok(Self { state, event_type: event_type.map(EventType::parse).transpose()?, hook_event: None })
    }
}

/// How much of the log, from where. It goes backwards in time.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The last delivery of the page before.
    pub before: Option<DeliveryId>,
    /// Most deliveries.
    pub limit: u64,
}

impl Place {
    /// Reads a cursor and a limit of 1 to 200.
    ///
    /// # Errors
    /// `invalid_request` naming `cursor` or `limit`.
    pub fn parse(cursor: Option<&str>, limit: Option<i64>) -> Result<Self> {
        let before = cursor.map(|text| decode(text).ok_or_else(|| Error::field("cursor", "is not one of ours")));
        Ok(Self { before: before.transpose()?, limit: PageRequest::parse(None, limit)?.limit })
    }
}

/// One page of an owner's deliveries, newest first.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App, owner: &Owner, filter: &Filter, place: &Place) -> Result<Page<Delivery>> {
    let db = app.db.reader();
    let mut rows = store::page(db, owner, filter, place).await?;
    let limit = usize::try_from(place.limit).unwrap_or(usize::MAX);
    let is_last = rows.len() <= limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| !is_last).map(|last| encode(last.id));
    Ok(Page { items: with_attempts(db, rows).await?, next_cursor })
}

/// One of an owner's deliveries, as it is now.
///
/// # Errors
/// What the database says.
pub(super) async fn one(app: &App, owner: &Owner, id: DeliveryId) -> Result<Option<Delivery>> {
    let db = app.db.reader();
    let row = store::delivery(db, owner, id).await?;
    Ok(with_attempts(db, row.into_iter().collect()).await?.pop())
}

async fn with_attempts(db: &impl ConnectionTrait, rows: Vec<delivery::Model>) -> Result<Vec<Delivery>> {
    let mut attempts: HashMap<DeliveryId, Vec<Attempt>> = HashMap::new();
    for row in store::attempts(db, rows.iter().map(|row| row.id).collect()).await? {
        attempts.entry(row.delivery_id).or_default().push(row.into());
    }
    let events = store::events(db, &rows).await?;
    let events: HashMap<EventId, event::Model> = events.into_iter().map(|event| (event.id, event)).collect();
    let delivery = |row: &delivery::Model| {
        let event = events.get(&row.event_id)?;
        Some(Delivery::new(row, event, attempts.remove(&row.id).unwrap_or_default()))
    };
    Ok(rows.iter().filter_map(delivery).collect())
}

fn encode(id: DeliveryId) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(id.0.as_bytes())
}

fn decode(text: &str) -> Option<DeliveryId> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    Uuid::from_slice(&bytes).ok().map(DeliveryId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_filters_are_read_strictly() {
        let id = DeliveryId("0198f000-0000-7000-8000-000000000001".parse().expect("an id"));
        let place = Place::parse(Some(&encode(id)), None).expect("a place");
        assert_eq!((place.before, place.limit), (Some(id), 50));
        for bad in ["", "x", "AAAA"] {
            assert!(Place::parse(Some(bad), None).is_err(), "{bad}");
        }
        assert!(Place::parse(None, Some(201)).is_err());
        let filter = Filter::parse(Some("dead"), Some("api_token:rotated")).expect("a filter");
        assert_eq!((filter.state, filter.event_type), (Some(State::Dead), Some(EventType::TokenRotated)));
        assert!(Filter::parse(Some("lost"), None).is_err());
        assert!(Filter::parse(None, Some("api-token:rotated")).is_err());
    }
}
