//! How instants are written on the wires.

use std::{borrow::Cow, cell::RefCell};

use entity::timestamp::Timestamp;
use jiff::tz::TimeZone;
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde_json::Value;

pub(super) use crate::zone::{local_minute, local_time};

use crate::quota::Period;

/// ISO 8601 in UTC to the second, `2026-09-01T08:00:00Z`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IsoTime(String);

impl From<Timestamp> for IsoTime {
    fn from(at: Timestamp) -> Self {
        let instant = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self(instant.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }
}

thread_local! {
    /// The period that was written last, for whom, and how: nearly always the one that is asked for next.
    static LAST: RefCell<Option<(Period, String, [String; 2])>> = const { RefCell::new(None) };
}

/// Both ends of a period, each as [`local_time`].
#[must_use]
pub(super) fn local_period(period: Period, zone: &str) -> (String, String) {
    LAST.with_borrow_mut(|last| match last {
        Some((known, known_zone, [start, end])) if *known == period && known_zone == zone => {
            (start.clone(), end.clone())
        }
        _ => {
            let written = [local_time(period.start, zone), local_time(period.end, zone)];
            let (_, _, [start, end]) = last.insert((period, zone.to_owned(), written));
            (start.clone(), end.clone())
        }
    })
}

impl Type for IsoTime {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_date-time".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "date-time")))
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ToJSON for IsoTime {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.0.clone()))
    }
}

impl ParseFromJSON for IsoTime {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            Some(Value::String(text)) => Ok(Self(text)),
            other => Err(ParseError::expected_type(other.unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_the_contracts_say() {
        let at = Timestamp(1_788_249_600_999_999);
        assert_eq!(IsoTime::from(at).0, "2026-09-01T08:00:00Z");
        assert_eq!(local_time(at, "Europe/Paris"), "2026-09-01 10:00:00 +0200");
        assert_eq!(local_time(at, "UTC"), "2026-09-01 08:00:00 +0000");
        assert_eq!(local_time(at, "America/St_Johns"), "2026-09-01 05:30:00 -0230");
        assert_eq!(local_time(at, "nowhere"), "2026-09-01 08:00:00 +0000");
    }
}
