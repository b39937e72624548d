//! Replies are counted in each chat, so that two bots that talk to each other stop.
//!
//! Both windows begin with a reply and are fixed: twice as many replies as the limit can fall into one window's length,
//! never more.

use entity::{bot_turn::Model, timestamp::Timestamp};

/// Most replies in a chat within [`WINDOW_SECONDS`].
pub const MOST_REPLIES: i32 = 20;
/// The shorter window, in seconds.
pub const WINDOW_SECONDS: i64 = 600;
/// Most replies in a chat within [`DAY_SECONDS`].
pub const MOST_DAY_REPLIES: i32 = 200;
/// The longer window, in seconds.
pub const DAY_SECONDS: i64 = 24 * 3600;

/// Whether the bot has said enough in this chat.
pub(super) fn is_spent(turn: &Model, now: Timestamp) -> bool {
    let (recent, day) = current(turn, now);
    recent.0 >= MOST_REPLIES || day.0 >= MOST_DAY_REPLIES
}

/// Counts a reply.
pub(super) fn count(turn: &mut Model, now: Timestamp) {
    let (recent, day) = current(turn, now);
    (turn.replies, turn.replies_since) = (recent.0 + 1, recent.1);
    (turn.day_replies, turn.day_since) = (day.0 + 1, day.1);
}

/// Replies of both windows and their beginnings; windows that are over begin now.
fn current(turn: &Model, now: Timestamp) -> ((i32, Timestamp), (i32, Timestamp)) {
    let window = |replies: i32, since: Timestamp, seconds: i64| {
        let is_over = replies == 0 || since.plus_seconds(seconds) <= now;
        if is_over { (0, now) } else { (replies, since) }
    };
    (window(turn.replies, turn.replies_since, WINDOW_SECONDS), window(turn.day_replies, turn.day_since, DAY_SECONDS))
}

#[cfg(test)]
mod tests {
    use entity::id::{ChatId, WorkspaceId};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(0).plus_seconds(seconds)
    }

    fn turn() -> Model {
        Model {
            chat_id: ChatId(1),
            workspace_id: WorkspaceId(1),
            message_id: None,
            waiting_since: None,
            due_at: None,
            lease: None,
            tries: 0,
            answered_id: None,
            reply: None,
            replies: 0,
            replies_since: at(0),
            day_replies: 0,
            day_since: at(0),
        }
    }

    #[test]
    fn fast_loops_stop_after_twenty_replies() {
        let mut turn = turn();
        for reply in 0..MOST_REPLIES {
            let now = at(1000 + i64::from(reply));
            assert!(!is_spent(&turn, now));
            count(&mut turn, now);
        }
        assert!(is_spent(&turn, at(1000 + WINDOW_SECONDS - 1)));
        assert!(!is_spent(&turn, at(1000 + WINDOW_SECONDS)), "the window is over");
    }

    #[test]
    fn slow_loops_stop_too() {
        let mut turn = turn();
        let mut now = 1000;
        while !is_spent(&turn, at(now)) {
            count(&mut turn, at(now));
            now += 60;
        }
        assert_eq!((turn.day_replies, now), (MOST_DAY_REPLIES, 1000 + 60 * i64::from(MOST_DAY_REPLIES)));
        assert!(!is_spent(&turn, at(1000 + DAY_SECONDS)));
    }
}
