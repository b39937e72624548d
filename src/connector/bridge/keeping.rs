//! How often it is looked where providers call back.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use entity::timestamp::Timestamp;
use uuid::Uuid;

use crate::connector::{
    bridge::Bridge,
    session::{PROBE_SECONDS, Session},
};

/// From how many places on those are forgotten that are due anyway.
const MANY: usize = 10_000;

/// When this process has looked last at each place where a provider was told to call back: of a session, or of a key
/// where there is one for all its accounts. More often would help nobody: two processes that are told other addresses of
/// ours would set theirs in turn.
#[derive(Default)]
pub(in crate::connector) struct Kept(Mutex<HashMap<Uuid, Timestamp>>);

impl Kept {
    /// Whether it is time to look at a session's place; nobody else is told so before it is time anew.
    pub(super) fn is_due(&self, bridge: &impl Bridge, session: &Session, now: Timestamp) -> bool {
        let own = bridge.has_own_addresses();
        self.is_due_at(if own { session.id().0 } else { session.access.credential_id.0 }, now)
    }

    fn is_due_at(&self, place: Uuid, now: Timestamp) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |at: &Timestamp| at.plus_seconds(PROBE_SECONDS) <= now;
        if seen.get(&place).is_some_and(|at| !is_old(at)) {
            return false;
        }
        if seen.len() >= MANY {
            seen.retain(|_, at| !is_old(at));
        }
        seen.insert(place, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_looked_at_from_time_to_time() {
        let kept = Kept::default();
        let [one, other] = [1, 2].map(Uuid::from_u128);
        let at = |seconds: i64| Timestamp(0).plus_seconds(seconds);
        let due = [(one, 0), (one, 1), (other, 1), (one, 299), (one, 300), (one, 301), (other, 300), (other, 301)];
        let due = due.map(|(place, seconds)| kept.is_due_at(place, at(seconds)));
        assert_eq!(due, [true, false, true, false, true, false, false, true]);
    }

    #[test]
    fn what_is_due_anyway_is_forgotten() {
        let kept = Kept::default();
        for place in 0..2 * u128::try_from(MANY).expect("a number") {
            assert!(
                kept.is_due_at(Uuid::from_u128(place), Timestamp(0).plus_seconds(i64::try_from(place).expect("one")))
            );
        }
        assert!(kept.0.lock().expect("a lock").len() <= MANY);
    }
}
