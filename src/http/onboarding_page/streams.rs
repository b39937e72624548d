//! How many event streams there are: a bound for the process, and one for each link, so that nobody takes all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use entity::id::LinkId;

use crate::error::{Error, Result};

const MOST: usize = 4096;
const MOST_PER_LINK: usize = 8;

/// Counts open streams.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<LinkId, usize>>>);

/// The right to one stream; given back when dropped.
pub(super) struct Permit {
    streams: Streams,
    link: LinkId,
}

impl Streams {
    /// Takes a stream of this link.
    ///
    /// # Errors
    /// `too_many_requests` if the link has its share, `busy` if the process is full.
    pub(super) fn take(&self, link: LinkId) -> Result<Permit> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= MOST {
            return Err(Error::Busy { retry_after: Duration::from_secs(5) });
        }
        let count = open.entry(link).or_default();
        if *count >= MOST_PER_LINK {
            return Err(Error::TooManyRequests { retry_after: Duration::from_secs(5) });
        }
        *count += 1;
        Ok(Permit { streams: self.clone(), link })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.link) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.link);
            }
        }
    }
}
