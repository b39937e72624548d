//! What a worker has begun and not finished: each turn is a task of its own, so that a provider which takes its time
//! holds up nobody but itself. One lane has one turn at a time, which keeps what happens in a session in its order.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use entity::{
    channel::ConnectorKind,
    id::{AccountId, AttemptId, JobId, MessageId},
};
use strum::IntoEnumIterator;
use tokio::task::{Id, JoinError, JoinSet};

/// How many turns may wait for one provider.
const IN_FLIGHT_OF_CONNECTOR: usize = 128;
/// How many turns there are at once, at most: more than all providers together that may be waited for, which are three.
const IN_FLIGHT: usize = 4 * IN_FLIGHT_OF_CONNECTOR;

/// Where work stands in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// All that is about a session at a provider.
    Session(AttemptId),
    /// What became of the messages of an account.
    Account(AccountId),
    /// What is done to a message.
    Message(MessageId),
    /// Nobody else's.
    Own(JobId),
}

/// A lane, and whose answer is waited for in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) lane: Lane,
    pub(super) connector: Option<ConnectorKind>,
}

/// The turns of a worker.
#[derive(Default)]
pub(super) struct Turns {
    tasks: JoinSet<()>,
    places: HashMap<Id, Place>,
    lanes: HashSet<Lane>,
}

impl Turns {
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Whether a turn may begin there now.
    pub(super) fn has_room(&self, place: Place) -> bool {
        let is_full = place.connector.is_some_and(|kind| self.is_full(kind));
        self.tasks.len() < IN_FLIGHT && !is_full && !self.lanes.contains(&place.lane)
    }

    /// The connectors that have their share.
    pub(super) fn full(&self) -> Vec<ConnectorKind> {
        ConnectorKind::iter().filter(|kind| self.is_full(*kind)).collect()
    }

    fn is_full(&self, kind: ConnectorKind) -> bool {
        self.places.values().filter(|place| place.connector == Some(kind)).count() >= IN_FLIGHT_OF_CONNECTOR
    }

    pub(super) fn begin(&mut self, place: Place, turn: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(turn).id();
        self.places.insert(id, place);
        self.lanes.insert(place.lane);
    }

    /// Waits for the end of one; for ever where there is none.
    pub(super) async fn one_ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.forget(ended),
            None => std::future::pending().await,
        }
    }

    /// Waits for the end of all, but not longer than this.
    pub(super) async fn all_ended(&mut self, patience: Duration) {
        let all = async {
            while !self.is_empty() {
                self.one_ended().await;
            }
        };
        let _ = tokio::time::timeout(patience, all).await;
    }

    /// Waits for the end of all.
    pub(super) async fn finish(mut self) {
        while !self.is_empty() {
            self.one_ended().await;
        }
    }

    /// A panic ends its own turn only: what it had is leased, and comes again.
    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "a turn of a worker failed inside");
                error.id()
            }
        };
        if let Some(place) = self.places.remove(&id) {
            self.lanes.remove(&place.lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn place(number: u128, connector: ConnectorKind) -> Place {
        Place { lane: Lane::Session(AttemptId(Uuid::from_u128(number))), connector: Some(connector) }
    }

    #[tokio::test]
    async fn a_lane_has_one_turn_and_a_connector_its_share() {
        let mut turns = Turns::default();
        let waha = |number| place(number, ConnectorKind::Waha);
        assert!(turns.has_room(waha(0)));
        turns.begin(waha(0), async {});
        assert!(!turns.has_room(waha(0)) && turns.has_room(waha(1)));
        turns.all_ended(Duration::from_secs(60)).await;
        assert!(turns.is_empty() && turns.has_room(waha(0)));
        for number in 0..IN_FLIGHT_OF_CONNECTOR {
            turns.begin(waha(number as u128), std::future::pending());
        }
        assert!(!turns.has_room(waha(100_000)));
        assert_eq!(turns.full(), [ConnectorKind::Waha]);
        assert!(turns.has_room(place(100_000, ConnectorKind::Evolution)));
        turns.begin(place(100_000, ConnectorKind::Evolution), async { panic!("of a test") });
        turns.one_ended().await;
        assert!(turns.has_room(place(100_000, ConnectorKind::Evolution)));
        // All others may be full too: there is room for what waits for nobody.
        for (index, kind) in [ConnectorKind::Evolution, ConnectorKind::Unipile].into_iter().enumerate() {
            for number in 0..IN_FLIGHT_OF_CONNECTOR {
                turns.begin(place((1000 * (index + 1) + number) as u128, kind), std::future::pending());
            }
        }
        assert_eq!(turns.full().len(), 3);
        assert!(turns.has_room(Place { lane: Lane::Own(JobId(Uuid::from_u128(1))), connector: None }));
    }
}
