//! How events are told (`contracts/timelines.md` §2.2, §2.3): flat bodies, no `data` wrapper. What is made here is
//! stored and sent byte by byte, so that signatures and resends are of the same body.

use entity::{
    id::{PartnerId, WorkspaceSlug},
    timestamp::Timestamp,
};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::{
    error::{Error, Result},
    quota::Period,
    webhook::event::{AccountFacts, ApiCallsQuota, EventBody, MessagingQuota},
};

/// What all bodies begin with.
#[derive(Serialize)]
struct Told<'a> {
    workspace_id: &'a WorkspaceSlug,
    event_type: String,
    partner_id: &'a PartnerId,
    triggered_at: String,
    #[serde(flatten)]
    facts: Facts<'a>,
}

/// What each type adds.
#[derive(Serialize)]
#[serde(untagged)]
enum Facts<'a> {
    Seats {
        seats_purchased: i32,
        seats_available: i32,
    },
    Messaging {
        messaging_quota_total: i64,
        messaging_quota_used: i64,
        utilization_pct: i64,
        #[serde(flatten)]
        period: PeriodFacts,
    },
    ApiCalls {
        api_calls_limit: i64,
        api_calls_used: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        utilization_pct: Option<i64>,
        #[serde(flatten)]
        period: PeriodFacts,
    },
    Transactions(PeriodFacts),
    Account {
        whatsapp_account_id: i64,
        phone_number_e164: &'a str,
        user_id: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        disconnected_at: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    },
    Token {
        rotated_at: String,
    },
}

#[derive(Serialize)]
struct PeriodFacts {
    current_period_start: String,
    current_period_end: String,
}

impl From<Period> for PeriodFacts {
    fn from(period: Period) -> Self {
        // The end is the last second of the period, as everywhere on the Partner API.
        Self { current_period_start: iso(period.start), current_period_end: iso(period.end.plus_seconds(-1)) }
    }
}

/// The body of an event that happened at `at`.
///
/// # Errors
/// None that events lead to.
pub(super) fn body(
    partner_id: &PartnerId,
    workspace: &WorkspaceSlug,
    at: Timestamp,
    event: &EventBody,
) -> Result<String> {
    let told = Told {
        workspace_id: workspace,
        event_type: event.event_type().to_string(),
        partner_id,
        triggered_at: iso(at),
        facts: facts(event),
    };
    serde_json::to_string(&told).map_err(|error| Error::Internal(format!("event: {error}")))
}

fn facts(event: &EventBody) -> Facts<'_> {
    match event {
        EventBody::SeatsFull { purchased, available } | EventBody::SeatsRecovered { purchased, available } => {
            Facts::Seats { seats_purchased: *purchased, seats_available: *available }
        }
        EventBody::MessagingNearFull(quota)
        | EventBody::MessagingFull(quota)
        | EventBody::MessagingRecovered(quota) => messaging(quota),
        EventBody::ApiCallsNearFull(quota) | EventBody::ApiCallsRecovered(quota) => {
            api_calls(quota, Some(quota.utilization_pct))
        }
        EventBody::ApiCallsFull(quota) => api_calls(quota, None),
        EventBody::TransactionsFull(period) => Facts::Transactions((*period).into()),
        EventBody::AccountConnected(account) => account_facts(account, None, None),
        EventBody::AccountDisconnected { account, at, reason } => account_facts(account, Some(*at), Some(reason)),
        EventBody::TokenRotated { at } => Facts::Token { rotated_at: iso(*at) },
    }
}

fn messaging(quota: &MessagingQuota) -> Facts<'static> {
    Facts::Messaging {
        messaging_quota_total: quota.total.0,
        messaging_quota_used: quota.used.0,
        utilization_pct: quota.utilization_pct,
        period: quota.period.into(),
    }
}

fn api_calls(quota: &ApiCallsQuota, utilization_pct: Option<i64>) -> Facts<'static> {
    Facts::ApiCalls {
        api_calls_limit: quota.limit,
        api_calls_used: quota.used,
        utilization_pct,
        period: quota.period.into(),
    }
}

fn account_facts<'a>(account: &'a AccountFacts, at: Option<Timestamp>, reason: Option<&'a str>) -> Facts<'a> {
    Facts::Account {
        whatsapp_account_id: account.account_id.0,
        phone_number_e164: &account.phone,
        user_id: account.user_id.0,
        disconnected_at: at.map(iso),
        reason,
    }
}

fn iso(at: Timestamp) -> String {
    let instant = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    instant.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;
    use crate::webhook::{event::EventType, sample};

    /// 2026-09-20T10:00:00Z
    const AT: Timestamp = Timestamp(1_789_898_400_000_000);

    fn told(kind: EventType) -> String {
        let partner = PartnerId::parse("acme").expect("an id");
        let event = sample::of(kind, AT).expect("a sample");
        assert_eq!(event.event_type(), kind);
        body(&partner, &sample::workspace().expect("an id"), AT, &event).expect("a body")
    }

    #[test]
    fn bodies_are_those_of_the_contract() {
        assert_eq!(
            told(EventType::AccountDisconnected),
            r#"{"workspace_id":"bakery-north","event_type":"whatsapp_account:disconnected","partner_id":"acme","triggered_at":"2026-09-20T10:00:00Z","whatsapp_account_id":55001,"phone_number_e164":"+15550001111","user_id":9002,"disconnected_at":"2026-09-20T10:00:00Z","reason":"(logged out)"}"#
        );
        assert_eq!(
            told(EventType::MessagingNearFull),
            r#"{"workspace_id":"bakery-north","event_type":"workspace:quota_near_full:messaging","partner_id":"acme","triggered_at":"2026-09-20T10:00:00Z","messaging_quota_total":1500,"messaging_quota_used":1350,"utilization_pct":90,"current_period_start":"2026-09-01T00:00:00Z","current_period_end":"2026-09-30T23:59:59Z"}"#
        );
    }

    #[test]
    fn payloads_are_those_of_the_docs() {
        let period = ["current_period_start", "current_period_end"];
        let account = ["whatsapp_account_id", "phone_number_e164", "user_id"];
        for kind in EventType::iter() {
            let own: Vec<&str> = match kind {
                EventType::SeatsFull | EventType::SeatsRecovered => vec!["seats_purchased", "seats_available"],
                EventType::MessagingNearFull | EventType::MessagingFull | EventType::MessagingRecovered => {
                    [&["messaging_quota_total", "messaging_quota_used", "utilization_pct"][..], &period].concat()
                }
                EventType::ApiCallsFull => [&["api_calls_limit", "api_calls_used"][..], &period].concat(),
                EventType::ApiCallsNearFull | EventType::ApiCallsRecovered => {
                    [&["api_calls_limit", "api_calls_used", "utilization_pct"][..], &period].concat()
                }
                EventType::TransactionsFull => period.to_vec(),
                EventType::AccountConnected => account.to_vec(),
                EventType::AccountDisconnected => [&account[..], &["disconnected_at", "reason"]].concat(),
                EventType::TokenRotated => vec!["rotated_at"],
            };
            let value: serde_json::Value = serde_json::from_str(&told(kind)).expect("JSON");
            let object = value.as_object().expect("a flat object");
            let mut expected = [&["workspace_id", "event_type", "partner_id", "triggered_at"][..], &own].concat();
            expected.sort_unstable();
            let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
            keys.sort_unstable();
            assert_eq!(keys, expected, "{kind}");
            assert!(object.values().all(|value| value.is_string() || value.is_i64()), "{kind}: {value}");
            assert_eq!(value["event_type"], kind.to_string());
            assert_eq!(EventType::parse(&kind.to_string()).expect("a type"), kind);
        }
    }
}
