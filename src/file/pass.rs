//! Going through all that is due, a few at a time, whatever of it fails.

use std::time::Duration;

use crate::{
    app::App,
    error::{Error, Result},
};

/// How many are looked for at once.
pub(super) const AT_ONCE: u64 = 100;
/// Lets others write in between.
const SHORT_PAUSE: Duration = Duration::from_millis(20);
/// Where nothing of all that was looked for could be removed: what it takes may be out of order.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How far one has come. What is done is not due any more; what failed stands before what has not been looked at.
#[derive(Default)]
pub(super) struct Pass {
    removed: u64,
    failed: u64,
    failed_in_a_row: u64,
}

impl Pass {
    /// How many that are due are to be left out.
    pub(super) const fn failed(&self) -> u64 {
        self.failed
    }

    /// How many were removed.
    pub(super) const fn removed(&self) -> u64 {
        self.removed
    }

    /// Counts one that was removed, that need not be, or that failed.
    pub(super) fn count(&mut self, outcome: Result<bool>, failed: impl FnOnce(Error)) {
        match outcome {
            Ok(is_removed) => {
                self.removed += u64::from(is_removed);
                self.failed_in_a_row = 0;
            }
            Err(error) => {
                failed(error);
                self.failed += 1;
                self.failed_in_a_row += 1;
            }
        }
    }

    /// Whether there may be more than these that were looked at; pauses then. A process that is to stop goes no further.
    pub(super) async fn goes_on(&self, app: &App, looked_at: usize) -> bool {
        let is_last = u64::try_from(looked_at).is_ok_and(|count| count < AT_ONCE);
        if is_last || *app.stop.borrow() {
            return false;
        }
        let is_down = self.failed_in_a_row >= AT_ONCE;
        tokio::time::sleep(if is_down { PAUSE_AFTER_FAILURE } else { SHORT_PAUSE }).await;
        true
    }
}
