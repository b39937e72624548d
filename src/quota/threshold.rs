//! When a partner is told that a quota runs low, and that it has recovered. Pure: the rules without the database.
//!
//! Thresholds are percentages. Each is told of once per arming; a grant, top-up or plan change that brings use below
//! one that was told of arms them anew, a refund never does.

use crate::error::{Error, Result};

/// What partners start with.
pub const DEFAULT: &str = "90,100";
const MOST: usize = 10;

/// Percentages at which a partner is told, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thresholds(Vec<i32>);

impl Thresholds {
    /// Reads 1 to 10 different percentages of 1 to 100.
    ///
    /// # Errors
    /// `invalid_request` naming `thresholds`.
    pub fn new(mut percentages: Vec<i32>) -> Result<Self> {
        percentages.sort_unstable();
        percentages.dedup();
        let fits = (1..=MOST).contains(&percentages.len()) && percentages.iter().all(|one| (1..=100).contains(one));
        if fits { Ok(Self(percentages)) } else { Err(Error::field("thresholds", "must be 1 to 10 of 1 to 100")) }
    }

    /// Reads what is stored.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        let parsed = text.split(',').filter_map(|word| word.trim().parse().ok()).collect();
        Self::new(parsed).unwrap_or_else(|_| Self(vec![90, 100]))
    }

    /// As it is stored.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.0.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
    }

    /// The percentages, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[i32] {
        &self.0
    }

    /// The thresholds that use has reached and that were not told of: those above `notified`.
    #[must_use]
    pub fn reached(&self, notified: i32, used: i64, total: i64) -> Vec<i32> {
        let is_reached = |threshold: &i32| *threshold > notified && has_reached(*threshold, used, total);
        self.0.iter().copied().filter(is_reached).collect()
    }

    /// What counts as told of after use fell below `notified`; `None` if it did not.
    #[must_use]
    pub fn recovered(&self, notified: i32, used: i64, total: i64) -> Option<i32> {
        if notified == 0 || has_reached(notified, used, total) {
            return None;
        }
        let still = self.0.iter().copied().filter(|threshold| *threshold < notified);
        Some(still.filter(|threshold| has_reached(*threshold, used, total)).max().unwrap_or(0))
    }
}

fn has_reached(threshold: i32, used: i64, total: i64) -> bool {
    i128::from(used) * 100 >= i128::from(total) * i128::from(threshold)
}

/// Use in whole percent, rounded down, at most 100.
#[must_use]
pub fn percent(used: i64, total: i64) -> i64 {
    if total <= 0 {
        return 100;
    }
    i64::try_from(i128::from(used) * 100 / i128::from(total)).unwrap_or(100).clamp(0, 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_threshold_is_reached_once_and_recovered_by_what_falls_below_it() {
        let thresholds = Thresholds::from_stored(DEFAULT);
        assert_eq!(thresholds.reached(0, 89, 100), [] as [i32; 0]);
        assert_eq!(thresholds.reached(0, 90, 100), [90]);
        assert_eq!(thresholds.reached(90, 99, 100), [] as [i32; 0]);
        assert_eq!(thresholds.reached(0, 100, 100), [90, 100]);
        assert_eq!(thresholds.reached(90, 100, 100), [100]);
        assert_eq!(thresholds.recovered(0, 0, 100), None);
        assert_eq!(thresholds.recovered(90, 95, 100), None);
        assert_eq!(thresholds.recovered(100, 100, 105), Some(90));
        assert_eq!(thresholds.recovered(100, 100, 200), Some(0));
        assert_eq!(thresholds.recovered(90, 100, 200), Some(0));
    }

    #[test]
    fn percentages_round_down_and_stay_in_range() {
        assert_eq!([percent(899, 1000), percent(900, 1000), percent(1001, 1000), percent(0, 0)], [89, 90, 100, 100]);
        assert_eq!(percent(i64::MAX, i64::MAX), 100);
    }

    #[test]
    fn thresholds_are_read_strictly() {
        assert_eq!(Thresholds::new(vec![100, 80, 80]).expect("thresholds").to_text(), "80,100");
        for bad in [vec![], vec![0], vec![101], (1..=11).collect()] {
            assert!(Thresholds::new(bad).is_err());
        }
    }
}
