//! API calls that were counted here and are not in the ledger yet.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use entity::{id::WorkspaceId, timestamp::Timestamp};

/// Calls of a workspace in the period that begins at the instant.
pub type Counted = HashMap<(WorkspaceId, Timestamp), i64>;

/// Counts until it is emptied.
#[derive(Default)]
pub struct Calls(Mutex<Counted>);

impl Calls {
    pub(super) fn count(&self, workspace_id: WorkspaceId, period_start: Timestamp) {
        *self.counted().entry((workspace_id, period_start)).or_default() += 1;
    }

    /// Takes what was counted.
    pub fn take(&self) -> Counted {
        std::mem::take(&mut self.counted())
    }

    /// Puts back what could not be written down.
    pub fn put_back(&self, counted: Counted) {
        let mut all = self.counted();
        for (key, count) in counted {
            *all.entry(key).or_default() += count;
        }
    }

    /// Calls of a workspace that are not in the ledger yet.
    pub fn pending(&self, workspace_id: WorkspaceId, period_start: Timestamp) -> i64 {
        self.counted().get(&(workspace_id, period_start)).copied().unwrap_or(0)
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
