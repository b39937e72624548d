//! Who listens, and writing down what they are to be told.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use entity::{
    delivery, event,
    id::{DeliveryId, EventId, PartnerId, SubscriptionId, WorkspaceId},
};
use sea_orm::{DatabaseTransaction, Set};

use crate::{
    app::App,
    error::Result,
    signal::Signal,
    webhook::{
        subscription::Topic,
        tell::{facts::ChatFacts, store},
    },
};

/// How long after an event is written workers are woken. It is committed by then as a rule; where it is not, they find
/// it within a second.
const WAKE_AFTER: Duration = Duration::from_millis(20);

/// Enabled subscriptions, by id.
pub(super) struct Audience(Vec<store::Listener>);

/// One event, with its body.
pub(super) struct Happened {
    workspace_id: WorkspaceId,
    partner_id: PartnerId,
    topic: Topic,
    body: String,
    delay_seconds: i64,
}

impl Happened {
    pub(super) fn new(workspace_id: WorkspaceId, partner_id: PartnerId, topic: Topic, body: String) -> Self {
        Self { workspace_id, partner_id, topic, body, delay_seconds: 0 }
    }

    /// The same, told of so much later.
    pub(super) fn later(self, delay_seconds: i64) -> Self {
        Self { delay_seconds, ..self }
    }

    pub(super) fn in_chat(chat: &ChatFacts, topic: Topic, body: String) -> Self {
        Self::new(chat.workspace_id, chat.account.partner_id.clone(), topic, body)
    }
}

impl Audience {
    /// Those who listen to any of these in any of these workspaces.
    pub(super) async fn of(tx: &DatabaseTransaction, workspaces: &[WorkspaceId], topics: &[Topic]) -> Result<Self> {
        let mut listeners = store::listeners(tx, workspaces).await?;
        listeners.retain(|one| topics.iter().any(|topic| one.event_type == topic.to_string()));
        Ok(Self(listeners))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether anybody wants this.
    pub(super) fn wants(&self, workspace_id: WorkspaceId, topic: Topic) -> bool {
        self.listeners(workspace_id, topic).next().is_some()
    }

    fn listeners(&self, workspace_id: WorkspaceId, topic: Topic) -> impl Iterator<Item = &store::Listener> {
        let event_type = topic.to_string();
        self.0.iter().filter(move |one| one.workspace_id == workspace_id && one.event_type == event_type)
    }

    /// Writes events and their deliveries down, in the order in which they happened.
    pub(super) async fn tell(&self, app: &App, tx: &DatabaseTransaction, happened: Vec<Happened>) -> Result<()> {
        if happened.is_empty() {
            return Ok(());
        }
        let mut counts: BTreeMap<SubscriptionId, i64> = BTreeMap::new();
        for one in &happened {
            for listener in self.listeners(one.workspace_id, one.topic).filter(|listener| listener.numbered) {
                *counts.entry(listener.id).or_default() += 1;
            }
        }
        let mut numbers: HashMap<SubscriptionId, i64> = HashMap::new();
        for (id, count) in counts {
            let last = store::count_on(tx, id, count).await?;
            numbers.insert(id, last - count);
        }
        let now = app.clock.now();
        let (mut events, mut deliveries) = (Vec::new(), Vec::new());
        for one in happened {
            let event_id = EventId(app.clock.uuid());
            for listener in self.listeners(one.workspace_id, one.topic) {
                let sequence = numbers.get_mut(&listener.id).map(|number| {
                    *number += 1;
                    *number
                });
                deliveries.push(delivery::ActiveModel {
                    id: Set(DeliveryId(app.clock.uuid())),
                    event_id: Set(event_id),
                    partner_id: Set(None),
                    subscription_id: Set(Some(listener.id)),
                    sequence: Set(sequence),
                    state: Set(delivery::State::Pending),
                    tries: Set(0),
                    due_at: Set(Some(now.plus_seconds(one.delay_seconds))),
                    lease: Set(None),
                    created_at: Set(now),
                    finished_at: Set(None),
                });
            }
            events.push(event::ActiveModel {
                id: Set(event_id),
                partner_id: Set(one.partner_id),
                workspace_id: Set(Some(one.workspace_id)),
                kind: Set(one.topic.to_string()),
                body: Set(one.body),
                unique_key: Set(None),
                created_at: Set(now),
            });
        }
        store::insert(tx, events, deliveries).await?;
        wake(app);
        Ok(())
    }
}

/// Has workers look soon. The commit lies between here and there, and many callers lie above it.
pub(in crate::webhook) fn wake(app: &App) {
    let signals = app.signals.clone();
    tokio::spawn(async move {
        tokio::time::sleep(WAKE_AFTER).await;
        signals.publish(Signal::Event);
    });
}
