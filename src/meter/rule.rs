//! The meter's rules. Pure: integers in, integers out; time is an argument.
//!
//! A window is a generic cell rate algorithm: `tat` is the instant at which it would be empty again, each call moves it
//! on by one interval, and a call is refused if that would take it further ahead of now than the window is deep. A
//! `tat` that lies further ahead than any call could have moved it was written by a clock that was ahead, and counts
//! as none: nobody is locked out by it.
//!
//! Counts and holds are of one period. The first who asks in the next begins it with what the ledger says; rates go on.
//! Whoever asks in the one before after that, because its clock is behind, is held to its rates only, counts nothing and
//! holds nothing: only the ledger counts for it.

use entity::credits::Credits;

use crate::meter::{Ask, Settlement, Verdict};

/// How long a generation of holds lasts; a hold lives through its own and the next.
pub const HOLD_MICROS: i64 = 30_000_000;
/// How far clocks of replicas may differ, in microseconds.
pub const SKEW_MICROS: i64 = 1_000_000;
const SECOND: i64 = 1_000_000;

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Microseconds until one place is free again.
    pub interval_micros: i64,
    /// Places in an empty window.
    pub capacity: i64,
}

impl Window {
    /// `rate` calls a second, and `burst` more at once. The interval is rounded down to whole microseconds.
    #[must_use]
    pub fn new(rate: i32, burst: i32) -> Self {
        let rate = i64::from(rate.max(1));
        Self { interval_micros: (SECOND / rate).max(1), capacity: rate + i64::from(burst.max(0)) }
    }

    /// How far ahead of now a full window is.
    #[must_use]
    pub const fn depth_micros(self) -> i64 {
        self.interval_micros * self.capacity
    }

    /// Seconds, rounded up, in which a full window empties.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        up_to_seconds(self.depth_micros())
    }

    /// Where the window stands now.
    const fn at(self, tat: i64, now: i64) -> i64 {
        if tat < now || tat > now + self.depth_micros() + SKEW_MICROS { now } else { tat }
    }

    /// Microseconds until there is a place; 0 if there is one.
    const fn wait(self, at: i64, now: i64) -> i64 {
        let over = at + self.interval_micros - now - self.depth_micros();
        if over > 0 { over } else { 0 }
    }

    const fn left(self, tat: i64, now: i64) -> Left {
        Left { places: (self.depth_micros() - (tat - now)) / self.interval_micros, full_in_micros: tat - now }
    }
}

/// What is left of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Places.
    pub places: i64,
    /// Microseconds until all places are free.
    pub full_in_micros: i64,
}

/// Whole seconds, rounded up.
#[must_use]
pub const fn up_to_seconds(micros: i64) -> i64 {
    (micros + SECOND - 1) / SECOND
}

/// What the meter knows of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// First instant of the period, in microseconds.
    pub period: i64,
    /// The ledger's revision that `left` is of.
    pub revision: i64,
    /// Credits that the ledger had left.
    pub left: i64,
    /// API calls counted.
    pub calls: i64,
    /// Generation of the newest holds.
    pub generation: i64,
    /// Credits held in that generation.
    pub held: i64,
    /// Credits held in the generation before.
    pub held_before: i64,
    /// The windows of token and workspace are kept beside it; this is the workspace's.
    pub tat: i64,
}

/// Where the windows of token and partner stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tats {
    /// The token's.
    pub token: i64,
    /// The partner's.
    pub partner: i64,
}

impl State {
    /// Lets holds that are too old end.
    const fn age(&mut self, now: i64) {
        let generation = now / HOLD_MICROS;
        if generation == self.generation + 1 {
            self.held_before = self.held;
        } else if generation > self.generation {
            self.held_before = 0;
        }
        if generation > self.generation {
            self.held = 0;
            self.generation = generation;
        }
    }

    /// Whether an ask is about this period, or about the one before by a clock that is a little behind.
    const fn is_for(self, ask: &Ask) -> bool {
        let start = ask.period.start.0;
        self.period == start || (self.period > start && self.period - ask.now.0 <= SKEW_MICROS)
    }

    /// Credits held now.
    #[must_use]
    pub const fn all_held(&self) -> i64 {
        self.held + self.held_before
    }
}

/// Answers an ask; changes what is known only if it allows it or learns from the snapshot.
pub fn admit(known: &mut Option<State>, tats: &mut Tats, ask: &Ask) -> Verdict {
    let now = ask.now.0;
    let Some(mut state) = learn(*known, ask) else { return Verdict::Cold };
    state.age(now);
    *known = Some(state);
    let [token, workspace, partner] = ask.windows;
    let stands = [token.at(tats.token, now), workspace.at(state.tat, now), partner.at(tats.partner, now)];
    for (index, (window, at)) in ask.windows.iter().zip(stands).enumerate() {
        let wait_micros = window.wait(at, now);
        if wait_micros > 0 {
            return Verdict::Limited { window: index, wait_micros };
        }
    }
    let is_of_period = state.period == ask.period.start.0;
    let credits = ask.credits.0;
    if is_of_period {
        if ask.calls_limit.is_some_and(|limit| state.calls >= limit) {
            return Verdict::CallsExhausted;
        }
        if credits > 0 && state.left - state.all_held() < credits {
            return Verdict::CreditsShort { left: [0, 1, 2].map(|index| ask.windows[index].left(stands[index], now)) };
        }
        state.calls += 1;
        state.held += credits;
    }
    let moved = [0, 1, 2].map(|index| stands[index] + ask.windows[index].interval_micros);
    (tats.token, state.tat, tats.partner) = (moved[0], moved[1], moved[2]);
    *known = Some(state);
    Verdict::Allowed {
        left: [0, 1, 2].map(|index| ask.windows[index].left(moved[index], now)),
        calls: state.calls,
        generation: state.generation,
    }
}

/// What is known after the snapshot, if there is one; `None` if nothing is known of the period.
fn learn(known: Option<State>, ask: &Ask) -> Option<State> {
    let current = known.filter(|state| state.is_for(ask));
    let Some(snapshot) = ask.snapshot else { return current };
    let Some(mut state) = current else {
        return Some(State {
            period: ask.period.start.0,
            revision: snapshot.revision,
            left: snapshot.left.0,
            calls: snapshot.calls,
            generation: ask.now.0 / HOLD_MICROS,
            held: 0,
            held_before: 0,
            tat: known.map_or(0, |state| state.tat),
        });
    };
    if state.period != ask.period.start.0 {
        return Some(state);
    }
    if snapshot.revision >= state.revision {
        (state.revision, state.left) = (snapshot.revision, snapshot.left.0);
    }
    state.calls = state.calls.max(snapshot.calls);
    Some(state)
}

/// Ends holds and learns what the ledger knows. What is not known stays unknown.
pub fn settle(known: &mut Option<State>, settlement: &Settlement) {
    let Some(state) = known.as_mut().filter(|state| state.period == settlement.period.start.0) else { return };
    state.age(settlement.now.0);
    if let Some(snapshot) = settlement.snapshot {
        if snapshot.revision >= state.revision {
            (state.revision, state.left) = (snapshot.revision, snapshot.left.0);
        }
        state.calls = state.calls.max(snapshot.calls);
    }
    state.calls = state.calls.max(settlement.calls);
    for (generation, credits) in
        [(settlement.generation, settlement.held), (settlement.generation - 1, settlement.held_before)]
    {
        give_back(state, generation, credits);
    }
}

fn give_back(state: &mut State, generation: i64, credits: Credits) {
    if generation == state.generation {
        state.held = (state.held - credits.0).max(0);
    } else if generation == state.generation - 1 {
        state.held_before = (state.held_before - credits.0).max(0);
    }
}
