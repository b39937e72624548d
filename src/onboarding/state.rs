//! Where an attempt can go from where it stands.

use entity::attempt::{Failure, State};

/// What happened to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The session waits for a phone.
    Waits,
    /// An account was linked.
    Connects,
    /// It ended without one.
    Ends(Failure),
    /// The link was revoked.
    Cancelled,
}

/// Whether an attempt in this state can still connect.
pub(super) const fn is_live(state: State) -> bool {
    matches!(state, State::Connecting | State::AwaitingScan)
}

/// The state after an event; `None` where an attempt that is over hears nothing any more.
pub(super) const fn next(state: State, event: Event) -> Option<State> {
    if !is_live(state) {
        return None;
    }
    Some(match event {
        Event::Waits => State::AwaitingScan,
        Event::Connects => State::Connected,
        Event::Ends(Failure::QrExpired) => State::Expired,
        Event::Ends(_) => State::Failed,
        Event::Cancelled => State::Cancelled,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_attempts_hear_everything_and_ended_ones_nothing() {
        let events = [
            (Event::Waits, State::AwaitingScan),
            (Event::Connects, State::Connected),
            (Event::Ends(Failure::QrExpired), State::Expired),
            (Event::Ends(Failure::Banned), State::Failed),
            (Event::Ends(Failure::LoggedOut), State::Failed),
            (Event::Cancelled, State::Cancelled),
        ];
        for (event, expected) in events {
            for live in [State::Connecting, State::AwaitingScan] {
                assert_eq!(next(live, event), Some(expected));
            }
            for ended in [State::Connected, State::Expired, State::Failed, State::Cancelled] {
                assert_eq!(next(ended, event), None);
            }
        }
    }
}
