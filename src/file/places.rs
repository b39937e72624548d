//! How many uploads there are at once: a few for each workspace, so that nobody keeps the others out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use entity::id::WorkspaceId;

use crate::{
    error::{Error, Result},
    file::storage::RETRY_AFTER,
};

/// Most uploads and fetches that one process takes at once.
pub const AT_ONCE: usize = 32;
/// Most of them that are one workspace's.
pub const AT_ONCE_OF_ONE: usize = 8;

/// The places, by who has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<WorkspaceId, usize>>>);

/// A place that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    workspace_id: WorkspaceId,
}

impl Places {
    /// Takes a place.
    pub(super) fn take(&self, workspace_id: WorkspaceId) -> Result<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (taken.values().sum::<usize>(), taken.get(&workspace_id).copied().unwrap_or(0));
        if all >= AT_ONCE || own >= AT_ONCE_OF_ONE {
            return Err(Error::Busy { retry_after: RETRY_AFTER });
        }
        taken.insert(workspace_id, own + 1);
        Ok(Place { places: self.clone(), workspace_id })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.workspace_id) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.workspace_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places() {
        let places = Places::default();
        let take = |id: i64| places.take(WorkspaceId(id));
        let mut held: Vec<Place> = (0..AT_ONCE_OF_ONE).map(|_| take(1).expect("a place")).collect();
        assert!(matches!(take(1), Err(Error::Busy { .. })));
        for id in 2.. {
            match take(id) {
                Ok(place) => held.push(place),
                Err(_) => break,
            }
        }
        assert_eq!(held.len(), AT_ONCE);
        drop(held);
        assert!(take(1).is_ok());
        assert!(places.0.lock().expect("a lock").is_empty(), "nothing is remembered of those who left");
    }
}
