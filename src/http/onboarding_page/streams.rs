//! How many event streams there are: a bound for the process, and a small one for each link, so that nobody takes all.
//!
//! One stream too many of a link ends the oldest of that link instead of being refused: a page that was reloaded leaves
//! streams behind that the server notices late, and whoever looks now should not suffer from them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use entity::id::LinkId;
use tokio::sync::Notify;

use crate::error::{Error, Result};

const MOST: usize = 4096;
const MOST_PER_LINK: usize = 8;

/// Open streams, oldest first in each link.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<LinkId, VecDeque<Arc<Notify>>>>>);

/// The right to one stream; given back when dropped.
pub(super) struct Permit {
    streams: Streams,
    link: LinkId,
    end: Arc<Notify>,
}

impl Streams {
    /// Takes a stream of this link, ending its oldest if it has its share.
    ///
    /// # Errors
    /// `busy` if the process is full.
    pub(super) fn take(&self, link: LinkId) -> Result<Permit> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = open.values().map(VecDeque::len).sum();
        let own = open.entry(link).or_default();
        if own.len() >= MOST_PER_LINK {
            if let Some(oldest) = own.pop_front() {
                oldest.notify_one();
            }
        } else if total >= MOST {
            return Err(Error::Busy { retry_after: Duration::from_secs(5) });
        }
        let end = Arc::new(Notify::new());
        own.push_back(Arc::clone(&end));
        Ok(Permit { streams: self.clone(), link, end })
    }
}

impl Permit {
    /// Waits until another stream takes this one's place.
    pub(super) async fn ended(&self) {
        self.end.notified().await;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.link) {
            own.retain(|end| !Arc::ptr_eq(end, &self.end));
            if own.is_empty() {
                open.remove(&self.link);
            }
        }
    }
}
