//! Days and times as callers write them in filters.
//!
//! A text names a span of time: `2026-09-01` a day, `2026-09-01T10:00:00` a second, anything with a fraction an
//! instant. Filters with inclusive bounds begin at a span's first instant and end at its last. Without an offset a text
//! is read in the workspace's zone; where a change of the clocks makes a local time twice or not at all, the span covers
//! both readings.

use entity::timestamp::Timestamp;
use jiff::{
    civil::{Date, DateTime},
    tz::TimeZone,
};

use crate::error::{Error, Result};

const DATE_BYTES: usize = "2026-09-01".len();
/// Where an offset can begin at the earliest: after the date and the letter or space that follows it.
const TIME_AT: usize = DATE_BYTES + 1;

/// From the first to the last instant that a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan {
    /// Its first microsecond.
    pub first: Timestamp,
    /// Its last microsecond.
    pub last: Timestamp,
}

impl TimeSpan {
    /// Reads an ISO 8601 date or date-time, or a time as the Workspace API writes it, `2026-09-01 10:00:00 +0200`.
    ///
    /// # Errors
    /// `invalid_request` naming `field`.
    pub fn parse(field: &'static str, text: &str, zone: &str) -> Result<Self> {
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        read(text.trim(), &zone)
            .ok_or_else(|| Error::field(field, "must be a date or a date-time, such as 2026-09-01T10:00:00+02:00"))
    }
}

fn read(text: &str, zone: &TimeZone) -> Option<TimeSpan> {
    if text.len() <= DATE_BYTES {
        let day: Date = text.parse().ok()?;
        let start_of = |day: Date| Some(micros(day.to_zoned(zone.clone()).ok()?.timestamp()));
        return Some(TimeSpan { first: start_of(day)?, last: before(start_of(day.tomorrow().ok()?)?) });
    }
    // The reader of civil times would skip the name of a zone.
    if text.contains('[') {
        return None;
    }
    let text = with_offset_attached(text);
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(TimeSpan { first: micros(at), last: end(at) });
    }
    let local: DateTime = text.parse().ok()?;
    let readings = zone.to_ambiguous_timestamp(local);
    Some(TimeSpan { first: micros(readings.earlier().ok()?), last: end(readings.later().ok()?) })
}

/// Takes the space before an offset away. A `+` that was not escaped in a query arrives as a space and is put back.
fn with_offset_attached(text: &str) -> String {
    let parts = text.split_at_checked(TIME_AT).and_then(|(date, rest)| Some((date, rest.split_once(' ')?)));
    let Some((date, (time, offset))) = parts else { return text.to_owned() };
    let offset = offset.trim_start();
    let sign = if offset.starts_with(['+', '-']) { "" } else { "+" };
    format!("{date}{time}{sign}{offset}")
}

fn micros(at: jiff::Timestamp) -> Timestamp {
    Timestamp(at.as_microsecond())
}

/// The last microsecond of the second, if the time was written to the second; times are shown so.
fn end(at: jiff::Timestamp) -> Timestamp {
    if at.subsec_nanosecond() == 0 { before(micros(at).plus_seconds(1)) } else { micros(at) }
}

const fn before(at: Timestamp) -> Timestamp {
    Timestamp(at.0.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds after 2026-09-01T08:00:00Z of the first instant, and how many microseconds there are.
    fn read(text: &str, zone: &str) -> Option<(i64, i64)> {
        let span = TimeSpan::parse("after", text, zone).ok()?;
        Some(((span.first.0 - 1_788_249_600_000_000).div_euclid(1_000_000), span.last.0 - span.first.0 + 1))
    }

    #[test]
    fn the_same_second_is_written_in_many_ways() {
        for text in [
            "2026-09-01T08:00:00Z",
            "2026-09-01T10:00:00+02:00",
            "2026-09-01T10:00:00 02:00",
            "2026-09-01 10:00:00 +0200",
            "2026-09-01 10:00:00  0200",
            "2026-09-01 04:00:00 -0400",
            "2026-09-01T10:00:00",
            "2026-09-01 10:00:00",
            " 2026-09-01T10:00 ",
        ] {
            assert_eq!(read(text, "Europe/Paris"), Some((0, 1_000_000)), "{text}");
        }
        assert_eq!(read("2026-09-01T08:00:00.25Z", "UTC"), Some((0, 1)));
    }

    #[test]
    fn days_are_as_long_as_their_zone_makes_them() {
        const HOUR: i64 = 3_600_000_000;
        assert_eq!(read("2026-09-01", "UTC"), Some((-8 * 3600, 24 * HOUR)));
        assert_eq!(read("2026-09-01", "Europe/Paris"), Some((-10 * 3600, 24 * HOUR)));
        assert_eq!(read("2026-10-25", "Europe/Paris").map(|span| span.1), Some(25 * HOUR));
        assert_eq!(read("2027-03-28", "Europe/Paris").map(|span| span.1), Some(23 * HOUR));
        // Twice there, and not there at all.
        assert_eq!(read("2026-10-25T02:30:00", "Europe/Paris").map(|span| span.1), Some(HOUR + 1_000_000));
        assert_eq!(read("2027-03-28T02:30:00", "Europe/Paris").map(|span| span.1), Some(HOUR + 1_000_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [
            "",
            "now",
            "2026-02-30",
            "2026-09-01T25:00:00",
            "2026-09-01T10:00:00+99:00",
            "2026-09-01T10:00:00[Europe/Paris]",
            "2026-09-01T10:00:00 UTC",
            "1788249600",
            "17882496000",
            "2026-09-01\0",
            "2026-09-01T10:00:00\0",
            "ääääääääää",
            "9999-12-31",
            "-9999-01-01T00:00:00+10:00",
        ] {
            assert_eq!(read(bad, "Europe/Paris"), None, "{bad:?}");
        }
    }
}
