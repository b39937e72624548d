//! What the ledger should say, in the plainest words.

/// Credits that a seat grants for a period.
pub(super) const PER_SEAT: i64 = 3;
/// Percentages at which the partner is told.
pub(super) const THRESHOLDS: [i64; 3] = [50, 90, 100];

/// What a partner was told of credits: that they run low, that they are used up, that they have recovered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) near: i64,
    pub(super) full: i64,
    pub(super) recovered: i64,
}

/// A message: its month, whether its credit was a recurring one, whether it has failed.
#[derive(Clone, Copy, Debug)]
struct Sent {
    month: i64,
    is_recurring: bool,
    is_failed: bool,
}

/// One workspace.
#[derive(Clone, Debug)]
pub(super) struct Model {
    seats: i64,
    granted_seats: i64,
    recurring_used: i64,
    non_recurring_used: i64,
    balance: i64,
    month: i64,
    messages: Vec<Sent>,
    /// The highest threshold that was told of and has not recovered.
    notified: i64,
    pub(super) told: Told,
}

impl Model {
    pub(super) const fn new() -> Self {
        Self {
            seats: 1,
            granted_seats: 1,
            recurring_used: 0,
            non_recurring_used: 0,
            balance: 0,
            month: 0,
            messages: Vec::new(),
            notified: 0,
            told: Told { near: 0, full: 0, recovered: 0 },
        }
    }

    pub(super) fn send(&mut self) -> bool {
        let is_recurring = self.recurring_used < self.granted_seats * PER_SEAT;
        if !is_recurring && self.balance == 0 {
            return false;
        }
        if is_recurring {
            self.recurring_used += 1;
        } else {
            self.balance -= 1;
            self.non_recurring_used += 1;
        }
        self.messages.push(Sent { month: self.month, is_recurring, is_failed: false });
        for threshold in THRESHOLDS {
            if threshold > self.notified && self.has_reached(threshold) {
                *(if threshold < 100 { &mut self.told.near } else { &mut self.told.full }) += 1;
                self.notified = threshold;
            }
        }
        true
    }

    pub(super) fn fail(&mut self, index: usize) {
        let Sent { month, is_recurring, is_failed } = &mut self.messages[index];
        if std::mem::replace(is_failed, true) {
            return;
        }
        let is_current = *month == self.month;
        match *is_recurring {
            true => self.recurring_used -= i64::from(is_current),
            false => {
                self.balance += 1;
                self.non_recurring_used -= i64::from(is_current);
            }
        }
    }

    /// Grants or adjusts; says whether there was as much to take.
    pub(super) fn change(&mut self, credits: i64) -> bool {
        if self.balance + credits < 0 {
            return false;
        }
        self.balance += credits;
        self.may_have_recovered();
        true
    }

    pub(super) fn set_seats(&mut self, seats: i64) {
        self.seats = seats;
        if seats > self.granted_seats {
            self.granted_seats = seats;
            self.may_have_recovered();
        }
    }

    pub(super) fn next_month(&mut self) {
        self.month += 1;
        self.granted_seats = self.seats;
        (self.recurring_used, self.non_recurring_used, self.notified) = (0, 0, 0);
    }

    /// Total, used, and left of what does not expire.
    pub(super) fn figures(&self) -> (i64, i64, i64) {
        let total = self.granted_seats * PER_SEAT + self.non_recurring_used + self.balance;
        (total, self.recurring_used + self.non_recurring_used, self.balance)
    }

    fn has_reached(&self, threshold: i64) -> bool {
        let (total, used, _) = self.figures();
        used * 100 >= total * threshold
    }

    fn may_have_recovered(&mut self) {
        if self.notified > 0 && !self.has_reached(self.notified) {
            self.told.recovered += 1;
            let still = THRESHOLDS.into_iter().filter(|one| *one < self.notified && self.has_reached(*one)).max();
            self.notified = still.unwrap_or(0);
        }
    }
}
