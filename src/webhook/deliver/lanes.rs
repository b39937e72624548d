//! How much may be under way, so that no endpoint slows the others.
//!
//! A lane is one owner's endpoint as this worker sees it. At most [`IN_FLIGHT`] requests are open in all,
//! [`PER_PARTNER`] to one partner, [`PER_SUBSCRIPTION`] to one subscription, one to an endpoint that fails, and
//! [`TO_FAILING`] to failing endpoints together; the slots are given out in the order in which they were asked for. All
//! subscriptions of one workspace together cannot take all slots, not even in the moment in which they begin to fail.
//! How many deliveries a lane may hold leased follows from how fast its endpoint answers: a fast one gets enough to be
//! kept busy, a slow one no more than it works on.
//!
//! Deliveries of a subscription go one after the other in the order in which they were leased, and while it does not
//! fail they are leased in the order in which things happened, by one worker at a time. Those of a partner, whose
//! contract promises no order, go side by side.

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
/// Most requests open to one subscription: with two, one could overtake the other.
pub const PER_SUBSCRIPTION: i64 = 1;
/// Most requests open to endpoints that fail.
pub const TO_FAILING: usize = 32;
/// Most lanes that one lease fills.
const LANES_AT_ONCE: usize = 64;
/// Milliseconds of an endpoint's work that are leased ahead.
const AHEAD_MS: i64 = 80;
const MOST_AHEAD: i64 = 32;
/// From how many leased ahead for each open request on a lane is filled up only once it is half empty.
const WORTH_WAITING: i64 = 4;
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
    /// The turn of the delivery that was leased last; only where they go one after the other.
    last_turn: Option<Mutex<Arc<Semaphore>>>,
}

/// A delivery's place on its lane, from lease to settlement.
pub(super) struct Ticket {
    lane: Arc<Lane>,
    /// Its own turn, and the one before.
    turns: Option<(Arc<Semaphore>, Arc<Semaphore>)>,
}

/// A delivery's turn, which has no permits and is closed when it is over.
struct Turn<'a>(Option<&'a Semaphore>);

/// The right to have a request open, as long as it is held.
pub(super) struct Slots<'a> {
    _all: SemaphorePermit<'a>,
    _failing: Option<(SemaphorePermit<'a>, SemaphorePermit<'a>)>,
    _lane: SemaphorePermit<'a>,
    _turn: Turn<'a>,
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
            let in_order = lane.last_turn.is_some() && !lane.is_failing();
            if in_order && one.is_taken {
                continue;
            }
            let room = Room { owner: one.owner.clone(), count: lane.room(), in_order };
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

    /// A place for a delivery that was leased, behind those that were leased before.
    pub(super) fn ticket(&self, owner: &Owner) -> Ticket {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = Arc::clone(lanes.entry(owner.clone()).or_insert_with(|| Lane::of(owner)));
        lane.pending.fetch_add(1, Ordering::Relaxed);
        let turns = lane.last_turn.as_ref().map(|last| {
            let own = Arc::new(Semaphore::new(0));
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            (Arc::clone(&own), std::mem::replace(&mut *last, own))
        });
        Ticket { lane, turns }
    }

    /// Waits until a request may be opened; `None` once the worker is stopping.
    pub(super) async fn enter<'a>(&'a self, ticket: &'a Ticket) -> Option<Slots<'a>> {
        let turn = ticket.turn().await;
        let lane = ticket.lane.slots.acquire().await.ok()?;
        let failing = if ticket.lane.is_failing() {
            Some((ticket.lane.slot_of_failing.acquire().await.ok()?, self.slots_of_failing.acquire().await.ok()?))
        } else {
            None
        };
        let all = self.slots.acquire().await.ok()?;
        Some(Slots { _all: all, _failing: failing, _lane: lane, _turn: turn })
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        self.slots.close();
        self.slots_of_failing.close();
    }
}

impl Lane {
    fn of(owner: &Owner) -> Arc<Self> {
        let (most, last_turn) = match owner {
            Owner::Partner(_) => (PER_PARTNER, None),
            Owner::Subscription(_) => {
                let over = Semaphore::new(0);
                over.close();
                (PER_SUBSCRIPTION, Some(Mutex::new(Arc::new(over))))
            }
        };
        Arc::new(Self {
            most,
            slots: Semaphore::new(usize::try_from(most).unwrap_or(1)),
            slot_of_failing: Semaphore::new(1),
            pending: AtomicI64::new(0),
            is_failing: AtomicBool::new(false),
            last_ms: AtomicI64::new(AHEAD_MS),
            last_turn,
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
        if self.is_failing() {
            return 1 - self.pending();
        }
        let ahead = (AHEAD_MS / self.last_ms.load(Ordering::Relaxed).max(1)).clamp(1, MOST_AHEAD);
        let most = self.most * ahead;
        let free = most - self.pending();
        // Where enough is leased to go on with, few more are not worth the look.
        if ahead >= WORTH_WAITING && free * 2 < most { 0 } else { free }
    }
}

impl Ticket {
    /// Remembers how a request went. Tells whether the endpoint failed before.
    pub(super) fn note(&self, is_success: bool, duration_ms: i64) -> bool {
        self.lane.last_ms.store(duration_ms, Ordering::Relaxed);
        self.lane.is_failing.swap(!is_success, Ordering::Relaxed)
    }

    /// Waits for its turn.
    async fn turn(&self) -> Turn<'_> {
        let Some((own, before)) = &self.turns else { return Turn(None) };
        // There are no permits: it returns when the turn before is over.
        let _ = before.acquire().await;
        Turn(Some(own))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.lane.pending.fetch_sub(1, Ordering::Relaxed);
        if let Some((own, _)) = &self.turns {
            own.close();
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(own) = self.0 {
            own.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use entity::id::{PartnerId, SubscriptionId};

    use super::*;
    use crate::webhook::{hook, subscription};

    fn waiting(id: &str, is_failing: bool) -> Waiting {
        Waiting { owner: Owner::Partner(PartnerId::parse(id).expect("an id")), is_failing, is_taken: false }
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
        let all: Vec<Waiting> = (0..most)
            .map(|id| Waiting { owner: Owner::Subscription(SubscriptionId(id)), is_failing: false, is_taken: false })
            .collect();
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
    fn a_lane_with_much_ahead_is_filled_up_once_it_is_half_empty() {
        let lanes = Lanes::new();
        let one = [Waiting { owner: Owner::Subscription(SubscriptionId(1)), is_failing: false, is_taken: false }];
        let mut held: Vec<Ticket> = (0..17).map(|_| lanes.ticket(&one[0].owner)).collect();
        assert!(!held[0].note(true, 1));
        assert!(lanes.rooms(&one, 0).is_empty());
        held.pop();
        assert_eq!(counts(&lanes.rooms(&one, 0)), [("1", 16)]);
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

    #[test]
    fn only_subscriptions_that_do_not_fail_are_leased_in_order_and_by_one_worker() {
        let lanes = Lanes::new();
        let subscription =
            |id, is_failing| Waiting { owner: Owner::Subscription(SubscriptionId(id)), is_failing, is_taken: false };
        let all = [subscription(1, false), subscription(2, true), waiting("acme", false)];
        let in_order: Vec<bool> = lanes.rooms(&all, 0).iter().map(|room| room.in_order).collect();
        assert_eq!(in_order, [true, false, false], "those that fail come last");
        let taken = all.map(|one| Waiting { is_taken: true, ..one });
        assert_eq!(lanes.rooms(&taken, 0).len(), 2, "another worker has the first");
    }

    #[tokio::test]
    async fn a_subscription_is_told_in_the_order_of_leases_whoever_asks_first() {
        let lanes = Lanes::new();
        let owner = Owner::Subscription(SubscriptionId(1));
        let [first, second, third] = [(); 3].map(|()| lanes.ticket(&owner));
        let mut last = Box::pin(lanes.enter(&third));
        assert!(futures_util::poll!(&mut last).is_pending());
        let open = lanes.enter(&first).await.expect("a slot");
        assert!(futures_util::poll!(Box::pin(lanes.enter(&second))).is_pending());
        assert!(futures_util::poll!(&mut last).is_pending());
        drop(open);
        assert!(futures_util::poll!(&mut last).is_pending(), "the second has not had its turn");
        drop(second);
        assert!(last.await.is_some(), "one that is given up blocks nobody");
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
