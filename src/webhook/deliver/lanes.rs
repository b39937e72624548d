//! How much may be under way, so that no endpoint slows the others.
//!
//! A lane is one owner's endpoint as this worker sees it. At most [`IN_FLIGHT`] requests are open in all,
//! [`PER_PARTNER`] to one partner, [`PER_SUBSCRIPTION`] to one subscription, one to an endpoint that fails, and
//! [`TO_FAILING`] to failing endpoints together; the slots are given out in the order in which they were asked for. All
//! subscriptions of one workspace together cannot take all slots, not even in the moment in which they begin to fail. How many deliveries a lane may hold leased follows
//! from how fast its endpoint answers: a fast one gets enough to be kept busy, a slow one no more than it works on.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::webhook::{
    Owner,
    deliver::store::{Room, Waiting},
};

/// Most requests open at once.
pub const IN_FLIGHT: usize = 64;
/// Most requests open to one partner.
pub const PER_PARTNER: i64 = 8;
/// Most requests open to one subscription.
pub const PER_SUBSCRIPTION: i64 = 4;
/// Most requests open to endpoints that fail.
pub const TO_FAILING: usize = 32;
/// Most lanes that one lease fills.
const LANES_AT_ONCE: usize = 64;
/// Milliseconds of an endpoint's work that are leased ahead.
const AHEAD_MS: i64 = 80;
const MOST_AHEAD: i64 = 32;
/// Lanes that are remembered although nothing is under way on them.
const IDLE_LANES: usize = 4096;

/// All lanes of a worker.
pub(super) struct Lanes {
    lanes: Mutex<HashMap<Owner, Arc<Lane>>>,
    slots: Semaphore,
    slots_of_failing: Semaphore,
    /// Rings when deliveries have been settled, so that more may be leased.
    pub(super) settled: Notify,
}

/// One owner's endpoint.
pub(super) struct Lane {
    most: i64,
    slots: Semaphore,
    slot_of_failing: Semaphore,
    /// Deliveries that are leased and not settled.
    pending: AtomicI64,
    is_failing: AtomicBool,
    last_ms: AtomicI64,
}

/// A delivery's place on its lane, from lease to settlement.
pub(super) struct Ticket(Arc<Lane>);

/// The right to have a request open, as long as it is held.
pub(super) struct Slots<'a> {
    _all: SemaphorePermit<'a>,
    _failing: Option<(SemaphorePermit<'a>, SemaphorePermit<'a>)>,
    _lane: SemaphorePermit<'a>,
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self {
            lanes: Mutex::default(),
            slots: Semaphore::new(IN_FLIGHT),
            slots_of_failing: Semaphore::new(TO_FAILING),
            settled: Notify::new(),
        }
    }

    /// How many deliveries to lease for those who wait. `chance` is any number: which of many failing endpoints are
    /// asked next is left to it, or those that fail longest would always be first.
    pub(super) fn rooms(&self, waiting: &[Waiting], chance: u32) -> Vec<Room> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() > IDLE_LANES {
            lanes.retain(|_, lane| lane.pending.load(Ordering::Relaxed) > 0);
        }
        for one in waiting {
            let lane = lanes.entry(one.owner.clone()).or_insert_with(|| Lane::of(&one.owner));
            lane.hear(one.is_failing);
        }
        let busy_failing = lanes.values().filter(|lane| lane.is_failing() && lane.pending() > 0).count();
        let (mut failing, mut rooms) = (Vec::new(), Vec::new());
        for one in waiting {
            let Some(lane) = lanes.get(&one.owner) else { continue };
            let room = Room { owner: one.owner.clone(), count: lane.room() };
            match room.count {
                ..=0 => {}
                _ if lane.is_failing() => failing.push(room),
                _ => rooms.push(room),
            }
        }
        rooms.truncate(LANES_AT_ONCE);
        if !failing.is_empty() {
            let start = usize::try_from(chance).unwrap_or(0) % failing.len();
            failing.rotate_left(start);
            failing.truncate(TO_FAILING.saturating_sub(busy_failing));
            rooms.extend(failing);
        }
        rooms
    }

    /// A place for a delivery that was leased.
    pub(super) fn ticket(&self, owner: &Owner) -> Ticket {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = Arc::clone(lanes.entry(owner.clone()).or_insert_with(|| Lane::of(owner)));
        lane.pending.fetch_add(1, Ordering::Relaxed);
        Ticket(lane)
    }

    /// Waits until a request may be opened; `None` once the worker is stopping.
    pub(super) async fn enter<'a>(&'a self, ticket: &'a Ticket) -> Option<Slots<'a>> {
        let lane = ticket.0.slots.acquire().await.ok()?;
        let failing = if ticket.0.is_failing() {
            Some((ticket.0.slot_of_failing.acquire().await.ok()?, self.slots_of_failing.acquire().await.ok()?))
        } else {
            None
        };
        let all = self.slots.acquire().await.ok()?;
        Some(Slots { _all: all, _failing: failing, _lane: lane })
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        self.slots.close();
        self.slots_of_failing.close();
    }
}

impl Lane {
    fn of(owner: &Owner) -> Arc<Self> {
        let most = match owner {
            Owner::Partner(_) => PER_PARTNER,
            Owner::Subscription(_) => PER_SUBSCRIPTION,
        };
        Arc::new(Self {
            most,
            slots: Semaphore::new(usize::try_from(most).unwrap_or(1)),
            slot_of_failing: Semaphore::new(1),
            pending: AtomicI64::new(0),
            is_failing: AtomicBool::new(false),
            last_ms: AtomicI64::new(AHEAD_MS),
        })
    }

    fn pending(&self) -> i64 {
        self.pending.load(Ordering::Relaxed)
    }

    fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// What the database says of the endpoint. While requests are under way we know better.
    fn hear(&self, is_failing: bool) {
        if self.pending() == 0 {
            self.is_failing.store(is_failing, Ordering::Relaxed);
        }
    }

    fn room(&self) -> i64 {
        let most = if self.is_failing() {
            1
        } else {
            self.most * (AHEAD_MS / self.last_ms.load(Ordering::Relaxed).max(1)).clamp(1, MOST_AHEAD)
        };
        most - self.pending()
    }
}

impl Ticket {
    /// Remembers how a request went. Tells whether the endpoint failed before.
    pub(super) fn note(&self, is_success: bool, duration_ms: i64) -> bool {
        self.0.last_ms.store(duration_ms, Ordering::Relaxed);
        self.0.is_failing.swap(!is_success, Ordering::Relaxed)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use entity::id::{PartnerId, SubscriptionId};

    use super::*;
    use crate::webhook::{hook, subscription};

    fn waiting(id: &str, is_failing: bool) -> Waiting {
        Waiting { owner: Owner::Partner(PartnerId::parse(id).expect("an id")), is_failing }
    }

    fn counts(rooms: &[Room]) -> Vec<(&str, i64)> {
        let id = |room: &Room| match &room.owner {
            Owner::Partner(id) => id.as_str().to_owned(),
            Owner::Subscription(id) => id.to_string(),
        };
        rooms.iter().map(|room| (&*id(room).leak(), room.count)).collect()
    }

    #[test]
    fn all_webhooks_of_a_workspace_that_begin_to_fail_leave_slots_to_others() {
        let lanes = Lanes::new();
        let most = i64::try_from(subscription::MOST + hook::MOST).expect("a number");
        let all: Vec<Waiting> =
            (0..most).map(|id| Waiting { owner: Owner::Subscription(SubscriptionId(id)), is_failing: false }).collect();
        let rooms = lanes.rooms(&all, 0);
        assert!(rooms.iter().all(|room| room.count == PER_SUBSCRIPTION));
        let most: i64 = rooms.iter().map(|room| room.count).sum();
        assert!(most < i64::try_from(IN_FLIGHT).expect("a number"));
    }

    #[test]
    fn a_lane_gets_what_its_endpoint_can_do() {
        let lanes = Lanes::new();
        let both = [waiting("fast", false), waiting("slow", false)];
        assert_eq!(counts(&lanes.rooms(&both, 0)), [("fast", 8), ("slow", 8)]);
        let fast = lanes.ticket(&both[0].owner);
        assert!(!fast.note(true, 0));
        let slow = lanes.ticket(&both[1].owner);
        assert!(!slow.note(true, 3000));
        assert_eq!(counts(&lanes.rooms(&both, 0)), [("fast", 255), ("slow", 7)]);
        assert!(!slow.note(false, 5000));
        assert_eq!(counts(&lanes.rooms(&both, 0)), [("fast", 255)], "one at a time to an endpoint that fails");
        drop(slow);
        assert_eq!(counts(&lanes.rooms(&[waiting("slow", true)], 0)), [("slow", 1)]);
        let slow = lanes.ticket(&both[1].owner);
        assert!(slow.note(true, 20), "it had failed");
        assert_eq!(counts(&lanes.rooms(&both, 0)), [("fast", 255), ("slow", 31)]);
    }

    #[test]
    fn failing_endpoints_share_what_is_left_to_them() {
        let lanes = Lanes::new();
        let many: Vec<Waiting> = (0..100).map(|n| waiting(&format!("p{n}"), true)).collect();
        let first = lanes.rooms(&many, 0);
        assert_eq!(first.len(), TO_FAILING);
        let held: Vec<Ticket> = first.iter().take(30).map(|room| lanes.ticket(&room.owner)).collect();
        let mut all = many;
        all.push(waiting("healthy", false));
        let more = lanes.rooms(&all, 50);
        assert_eq!(counts(&more).first(), Some(&("healthy", 8)));
        assert_eq!(more.len(), 3, "two more that fail");
        drop(held);
    }

    #[tokio::test]
    async fn no_more_requests_are_open_than_the_limits() {
        let lanes = Lanes::new();
        let tickets: Vec<Ticket> = (0..20).map(|_| lanes.ticket(&waiting("acme", false).owner)).collect();
        let mut open = Vec::new();
        for ticket in &tickets[..8] {
            open.push(lanes.enter(ticket).await.expect("a slot"));
        }
        assert!(futures_util::poll!(Box::pin(lanes.enter(&tickets[8]))).is_pending());
        drop(open);
        tickets[0].note(false, 5000);
        let only = lanes.enter(&tickets[0]).await.expect("a slot");
        assert!(futures_util::poll!(Box::pin(lanes.enter(&tickets[1]))).is_pending());
        drop(only);
        lanes.close();
        assert!(lanes.enter(&tickets[0]).await.is_none());
    }
}
