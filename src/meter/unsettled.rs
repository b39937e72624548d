//! Settlements on their way to Redis, gathered per workspace: what is held counts until then as if it were charged, so
//! a second more or less says nothing wrong, and a busy workspace costs one call a second and not one per message.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use entity::{
    credits::Credits,
    id::{PartnerId, WorkspaceId},
};

use crate::meter::Settlement;

/// Settlements that are not sent yet.
#[derive(Default)]
pub(super) struct Unsettled(Mutex<HashMap<WorkspaceId, (PartnerId, Settlement)>>);

impl Unsettled {
    /// Adds a settlement to what is known of its workspace.
    pub(super) fn add(&self, partner_id: &PartnerId, workspace_id: WorkspaceId, settlement: &Settlement) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&workspace_id) {
            Some((_, known)) => merge(known, settlement),
            None => {
                all.insert(workspace_id, (partner_id.clone(), *settlement));
            }
        }
    }

    /// Takes everything that is to be sent.
    pub(super) fn take(&self) -> HashMap<WorkspaceId, (PartnerId, Settlement)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Two settlements of one workspace as one. Holds of generations before the newest two have ended by themselves, and so
/// has everything of a period before.
fn merge(known: &mut Settlement, new: &Settlement) {
    if new.period.start != known.period.start {
        if new.period.start > known.period.start {
            *known = *new;
        }
        return;
    }
    known.now = known.now.max(new.now);
    known.calls = known.calls.max(new.calls);
    known.snapshot = match (known.snapshot, new.snapshot) {
        (Some(old), Some(new)) if old.revision > new.revision => Some(old),
        (old, new) => new.or(old),
    };
    let add = |a: Credits, b: Credits| a.plus(b).unwrap_or(a);
    if new.held == Credits::ZERO && new.held_before == Credits::ZERO {
        return;
    }
    match new.generation - known.generation {
        0 => {
            known.held = add(known.held, new.held);
            known.held_before = add(known.held_before, new.held_before);
        }
        -1 => known.held_before = add(known.held_before, new.held),
        1 => {
            known.held_before = add(known.held, new.held_before);
            (known.generation, known.held) = (new.generation, new.held);
        }
        later if later > 1 => {
            (known.generation, known.held, known.held_before) = (new.generation, new.held, new.held_before);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use entity::timestamp::Timestamp;

    use super::*;
    use crate::{meter::Snapshot, quota::Period};

    fn settlement(generation: i64, held: i64, revision: Option<i64>) -> Settlement {
        let snapshot = revision.map(|revision| Snapshot { revision, left: Credits(revision * 10), calls: 0 });
        Settlement {
            now: Timestamp(1),
            period: Period { start: Timestamp(0), end: Timestamp(100) },
            snapshot,
            generation,
            held: Credits(held),
            held_before: Credits::ZERO,
            calls: 0,
        }
    }

    #[test]
    fn what_is_of_a_period_before_adds_nothing_and_calls_only_rise() {
        let (partner, id) = (PartnerId::parse("acme").expect("an id"), WorkspaceId(1));
        let unsettled = Unsettled::default();
        let period = Period { start: Timestamp(100), end: Timestamp(200) };
        let of_next = |calls, held| Settlement { period, calls, ..settlement(7, held, None) };
        unsettled.add(&partner, id, &settlement(7, 5, Some(9)));
        for one in [of_next(3, 1), of_next(2, 1), settlement(7, 5, Some(9))] {
            unsettled.add(&partner, id, &one);
        }
        let (_, known) = unsettled.take().remove(&id).expect("a settlement");
        assert_eq!((known.period, known.held, known.calls), (period, Credits(2), 3));
        assert_eq!(known.snapshot, None);
    }

    #[test]
    fn holds_add_up_by_generation_and_the_newest_figure_stays() {
        let (partner, id) = (PartnerId::parse("acme").expect("an id"), WorkspaceId(1));
        let unsettled = Unsettled::default();
        for one in [
            settlement(7, 2, Some(3)),
            settlement(7, 1, None),
            settlement(8, 4, Some(5)),
            settlement(7, 1, Some(4)),
            settlement(0, 0, None),
        ] {
            unsettled.add(&partner, id, &one);
        }
        let all = unsettled.take();
        let (_, known) = &all[&id];
        assert_eq!((known.generation, known.held, known.held_before), (8, Credits(4), Credits(4)));
        assert_eq!(known.snapshot.map(|snapshot| snapshot.revision), Some(5));
        assert!(unsettled.take().is_empty());
    }
}
