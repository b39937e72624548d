//! Instants as the Workspace API and its webhooks write them (`contracts/timelines.md` §3.3).

use entity::timestamp::Timestamp;
use jiff::tz::TimeZone;

/// `2026-09-01 10:00:00 +0200` in a workspace's zone; in UTC where there is no such zone.
#[must_use]
pub fn local_time(at: Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let instant = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    instant.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %z").to_string()
}
