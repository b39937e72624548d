//! Instants as the Workspace API and its webhooks write them (`contracts/timelines.md` §3.3).

use entity::timestamp::Timestamp;
use jiff::tz::TimeZone;

/// `2026-09-01 10:00:00 +0200` in a workspace's zone; in UTC where there is no such zone.
#[must_use]
pub fn local_time(at: Timestamp, zone: &str) -> String {
    written(at, zone, "%Y-%m-%d %H:%M:%S %z")
}

/// `2026-09-01 10:00` in a workspace's zone; in UTC where there is no such zone.
#[must_use]
pub fn local_minute(at: Timestamp, zone: &str) -> String {
    written(at, zone, "%Y-%m-%d %H:%M")
}

fn written(at: Timestamp, zone: &str, format: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let instant = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    instant.to_zoned(zone).strftime(format).to_string()
}
