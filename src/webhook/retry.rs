//! What follows from a try: delivered, tried again, or given up. Pure: the rules without database or network.
//!
//! | after try | pause, for a partner | for a subscription | for a webhook of the Channels API |
//! |---|---|---|---|
//! | 1 to 2 | 5 s, 30 s | 30 s, 5 min | 5 s, 1 min |
//! | 3 to 4 | 2 min, 10 min | given up after the third | 5 min, 30 min |
//! | 5 to 7 | 30 min, 2 h, 5 h | | 2 h; given up after the sixth |
//! | 8 to 11 | 10 h, 14 h, 16 h, 24 h | | |
//! | 12 | given up, about three days after the first | | |
//!
//! A webhook of the Channels API may ask to be tried again less often (`contracts/channels.md` B1.1).
//!
//! Three tries of a subscription are the contract's; their pauses are ours: long enough for a receiver that is being
//! restarted, short enough that what arrives is still of use to whoever answers a chat.
//!
//! Each pause is 20 % shorter or longer at random, so that what failed together does not come back together. A
//! `Retry-After` of up to a day is waited for if it is longer than the pause, by a subscription up to a quarter of an
//! hour: links in its bodies have to be good with the last try.

use std::time::Duration;

use entity::timestamp::Timestamp;

use crate::webhook::Owner;

/// Pauses between tries for a partner, in seconds.
pub const PAUSES_SECONDS: [i64; 11] = [5, 30, 120, 600, 1800, 7200, 18_000, 36_000, 50_400, 57_600, 86_400];
/// Pauses between tries for a subscription, in seconds.
pub const SUBSCRIPTION_PAUSES_SECONDS: [i64; 2] = [30, 300];
/// Pauses between tries for a webhook of the Channels API, in seconds.
pub static HOOK_PAUSES_SECONDS: [i64; 5] = [5, 60, 300, 1800, 7200];
/// Longer than it takes from an event to its last try for a subscription, jitter, time-outs and what `Retry-After` asks
/// for included, unless workers are behind.
pub const SUBSCRIPTION_SECONDS: i64 = 1900;
/// Longest `Retry-After` that is waited for with a subscription.
pub const LONGEST_SUBSCRIPTION_RETRY_AFTER: Duration = Duration::from_secs(900);
/// Longest `Retry-After` that is waited for with others.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);
const GONE: u16 = 410;

/// How patient we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pauses_seconds: &'static [i64],
    /// Whether 410 ends everything at once.
    heeds_gone: bool,
    /// Longest `Retry-After` that is waited for.
    longest_retry_after: Duration,
}

impl Policy {
    const PARTNER: Self =
        Self { pauses_seconds: &PAUSES_SECONDS, heeds_gone: true, longest_retry_after: LONGEST_RETRY_AFTER };
    const SUBSCRIPTION: Self = Self {
        pauses_seconds: &SUBSCRIPTION_PAUSES_SECONDS,
        heeds_gone: false,
        longest_retry_after: LONGEST_SUBSCRIPTION_RETRY_AFTER,
    };

    /// With a webhook of the Channels API that wants to be tried again at most so often.
    pub(super) fn of_hook(max_retries: Option<i32>) -> Self {
        let all = HOOK_PAUSES_SECONDS.len();
        let most = max_retries.map_or(all, |count| usize::try_from(count).unwrap_or(0).min(all));
        let pauses_seconds = &HOOK_PAUSES_SECONDS[..most];
        Self { pauses_seconds, heeds_gone: false, longest_retry_after: LONGEST_RETRY_AFTER }
    }

    /// With this owner.
    pub(super) const fn of(owner: &Owner) -> Self {
        match owner {
            Owner::Partner(_) => Self::PARTNER,
            Owner::Subscription(_) => Self::SUBSCRIPTION,
        }
    }
}

/// What an endpoint made of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It answered.
    Status {
        /// HTTP status.
        code: u16,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// No answer came, in words.
    Nothing(String),
    /// There is nobody to send to, in words.
    Nobody(String),
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The endpoint has it.
    Delivered,
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up.
    Dead,
    /// It is given up, and nothing more is sent to this endpoint.
    Gone,
}

/// What follows from an answer to try number `tries`; `chance` is any number.
pub(super) fn step(policy: Policy, answer: &Answer, tries: i32, now: Timestamp, chance: u32) -> Step {
    let retry_after = match answer {
        Answer::Status { code: 200..=299, .. } => return Step::Delivered,
        Answer::Status { code: GONE, .. } if policy.heeds_gone => return Step::Gone,
        Answer::Nobody(_) => return Step::Dead,
        Answer::Status { retry_after, .. } => *retry_after,
        Answer::Nothing(_) => None,
    };
    let Some(pause) = usize::try_from(tries - 1).ok().and_then(|tried| policy.pauses_seconds.get(tried)) else {
        return Step::Dead;
    };
    let thousandths = 800 + i64::from(chance % 401);
    let pause_micros = pause * thousandths * (Timestamp::SECOND / 1000);
    let asked = retry_after.unwrap_or_default().min(policy.longest_retry_after);
    let asked_micros = i64::try_from(asked.as_micros()).unwrap_or(0);
    Step::Again(Timestamp(now.0.saturating_add(pause_micros.max(asked_micros))))
}

/// Why an answer does not count, where its status does not say so already.
pub(super) fn complaint(policy: Policy, answer: &Answer) -> Option<String> {
    match answer {
        Answer::Status { code: 300..=399, .. } => Some("redirects are not followed".to_owned()),
        Answer::Status { code: GONE, .. } if policy.heeds_gone => {
            Some("the endpoint says that it is gone; it was disabled".to_owned())
        }
        Answer::Status { .. } => None,
        Answer::Nothing(reason) | Answer::Nobody(reason) => Some(reason.clone()),
    }
}

/// Reads a `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time too.
        return (!value.is_empty()).then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    let micros = date.timestamp().as_microsecond().saturating_sub(now.0);
    Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-09-10T08:00:00Z
    const NOW: Timestamp = Timestamp(1_789_027_200_000_000);

    fn status(code: u16) -> Answer {
        Answer::Status { code, retry_after: None }
    }

    fn pause(answer: &Answer, tries: i32, chance: u32) -> Option<i64> {
        match step(Policy::PARTNER, answer, tries, NOW, chance) {
            Step::Again(at) => Some((at.0 - NOW.0) / 1000),
            _ => None,
        }
    }

    #[test]
    fn pauses_follow_the_table_give_or_take_a_fifth() {
        for (tried, seconds) in PAUSES_SECONDS.into_iter().enumerate() {
            let tries = i32::try_from(tried).expect("few") + 1;
            for answer in [status(500), status(302), status(404), Answer::Nothing("timeout".to_owned())] {
                assert_eq!(pause(&answer, tries, 0), Some(seconds * 800), "{tries}");
                assert_eq!(pause(&answer, tries, 200), Some(seconds * 1000), "{tries}");
                assert_eq!(pause(&answer, tries, 400), Some(seconds * 1200), "{tries}");
                assert_eq!(pause(&answer, tries, 401), Some(seconds * 800), "{tries}");
            }
        }
        assert_eq!(step(Policy::PARTNER, &status(500), 12, NOW, 0), Step::Dead);
        let total: i64 = PAUSES_SECONDS.iter().sum();
        assert!((71 * 3600..=73 * 3600).contains(&total), "about three days: {total} s");
    }

    #[test]
    fn what_is_delivered_gone_or_without_an_address_ends_at_once() {
        assert_eq!(
            [200, 201, 204, 299].map(|code| step(Policy::PARTNER, &status(code), 1, NOW, 0)),
            [Step::Delivered; 4]
        );
        assert_eq!(step(Policy::PARTNER, &status(410), 1, NOW, 0), Step::Gone);
        assert_eq!(step(Policy::PARTNER, &Answer::Nobody("no webhook is set".to_owned()), 1, NOW, 0), Step::Dead);
    }

    #[test]
    fn a_subscription_is_tried_three_times_whatever_it_says() {
        let step = |answer: &Answer, tries| step(Policy::SUBSCRIPTION, answer, tries, NOW, 200);
        for answer in [status(500), status(302), status(410), Answer::Nothing("timeout".to_owned())] {
            assert_eq!(step(&answer, 1), Step::Again(NOW.plus_seconds(30)));
            assert_eq!(step(&answer, 2), Step::Again(NOW.plus_seconds(300)));
            assert_eq!(step(&answer, 3), Step::Dead);
        }
        assert_eq!(step(&status(204), 3), Step::Delivered);
        assert_eq!(step(&Answer::Nobody("it was deleted".to_owned()), 1), Step::Dead);
        assert_eq!(complaint(Policy::SUBSCRIPTION, &status(410)), None);
    }

    #[test]
    fn a_hook_is_tried_as_often_as_it_wants() {
        let step = |max_retries, tries| step(Policy::of_hook(max_retries), &status(500), tries, NOW, 200);
        for (tried, seconds) in HOOK_PAUSES_SECONDS.into_iter().enumerate() {
            let tries = i32::try_from(tried).expect("few") + 1;
            assert_eq!(step(None, tries), Step::Again(NOW.plus_seconds(seconds)));
        }
        assert_eq!((step(None, 6), step(Some(5), 6), step(Some(99), 6)), (Step::Dead, Step::Dead, Step::Dead));
        assert_eq!((step(Some(0), 1), step(Some(-1), 1)), (Step::Dead, Step::Dead));
        assert_eq!((step(Some(1), 1), step(Some(1), 2)), (Step::Again(NOW.plus_seconds(5)), Step::Dead));
        assert_eq!(usize::try_from(crate::webhook::hook::MOST_RETRIES).expect("few"), HOOK_PAUSES_SECONDS.len());
    }

    #[test]
    fn retry_after_is_waited_for_up_to_a_day() {
        let asked = |seconds| Answer::Status { code: 503, retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(pause(&asked(100), 1, 0), Some(100_000));
        assert_eq!(pause(&asked(1), 1, 0), Some(4000), "never sooner than the table says");
        assert_eq!(pause(&asked(u64::MAX), 1, 0), Some(86_400_000));
        assert_eq!(step(Policy::PARTNER, &asked(100), 12, NOW, 0), Step::Dead);
    }

    #[test]
    fn a_subscription_waits_no_longer_than_its_links_last() {
        const TIMEOUT_SECONDS: i64 = 5;
        let asked = Answer::Status { code: 503, retry_after: Some(Duration::from_secs(24 * 3600)) };
        let longest = |tries| match step(Policy::SUBSCRIPTION, &asked, tries, NOW, 400) {
            Step::Again(at) => at.0 - NOW.0,
            other => panic!("{other:?}"),
        };
        assert_eq!(longest(1), 900 * Timestamp::SECOND);
        let waited = (longest(1) + longest(2)) / Timestamp::SECOND;
        assert!(crate::webhook::tell::OWN_MESSAGE_SECONDS + waited + 3 * TIMEOUT_SECONDS < SUBSCRIPTION_SECONDS);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("120", NOW), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(" 0 ", NOW), Some(Duration::ZERO));
        assert_eq!(retry_after("Thu, 10 Sep 2026 08:02:00 GMT", NOW), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Thu, 10 Sep 2026 07:00:00 GMT", NOW), Some(Duration::ZERO));
        assert_eq!(retry_after(&"9".repeat(40), NOW), Some(Duration::from_secs(u64::MAX)));
        for bad in ["", "soon", "-1", "1.5"] {
            assert_eq!(retry_after(bad, NOW), None, "{bad}");
        }
    }
}
