//! How many event streams there are: a bound for the process, and a small one for each key (a link, a visitor), so that
//! nobody takes all.
//!
//! One stream too many of a key ends its oldest instead of being refused: a page that was reloaded leaves streams behind
//! that the server notices late, and whoever looks now should not suffer from them.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::error::{Error, Result};

const MOST: usize = 4096;
const MOST_PER_KEY: usize = 8;

/// Open streams, oldest first in each key.
pub(super) struct Streams<K>(Open<K>);

type Open<K> = Arc<Mutex<HashMap<K, VecDeque<Arc<Notify>>>>>;

/// The right to one stream; given back when dropped.
pub(super) struct Permit<K: Copy + Eq + Hash> {
    open: Open<K>,
    key: K,
    end: Arc<Notify>,
}

impl<K> Default for Streams<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Copy + Eq + Hash> Streams<K> {
    /// Takes a stream of this key, ending its oldest if it has its share.
    ///
    /// # Errors
    /// `busy` if the process is full.
    pub(super) fn take(&self, key: K) -> Result<Permit<K>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = open.values().map(VecDeque::len).sum();
        let own = open.entry(key).or_default();
        if own.len() >= MOST_PER_KEY {
            if let Some(oldest) = own.pop_front() {
                oldest.notify_one();
            }
        } else if total >= MOST {
            return Err(Error::Busy { retry_after: Duration::from_secs(5) });
        }
        let end = Arc::new(Notify::new());
        own.push_back(Arc::clone(&end));
        drop(open);
        Ok(Permit { open: Arc::clone(&self.0), key, end })
    }
}

impl<K: Copy + Eq + Hash> Permit<K> {
    /// Waits until another stream takes this one's place.
    pub(super) async fn ended(&self) {
        self.end.notified().await;
    }
}

impl<K: Copy + Eq + Hash> Drop for Permit<K> {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.key) {
            own.retain(|end| !Arc::ptr_eq(end, &self.end));
            if own.is_empty() {
                open.remove(&self.key);
            }
        }
    }
}
