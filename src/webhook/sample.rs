//! An event of each type as it could be, for test deliveries and for the documentation.

use entity::{
    credits::Credits,
    id::{AccountId, UserId, WorkspaceSlug},
    timestamp::Timestamp,
};

use crate::{
    error::{Error, Result},
    quota::Period,
    webhook::event::{AccountFacts, ApiCallsQuota, EventBody, EventType, MessagingQuota},
};

/// The workspace that test deliveries are about where the caller names none.
///
/// # Errors
/// None.
pub(super) fn workspace() -> Result<WorkspaceSlug> {
    WorkspaceSlug::parse("bakery-north").map_err(|error| Error::Internal(error.to_string()))
}

/// What an event of this type could say if it happened at `at`.
///
/// # Errors
/// If `at` lies outside the calendar.
pub(super) fn of(event_type: EventType, at: Timestamp) -> Result<EventBody> {
    let period = Period::containing(at)?;
    let messaging = |used, utilization_pct| MessagingQuota { total: Credits(1500), used, utilization_pct, period };
    let api_calls = |used, utilization_pct| ApiCallsQuota { limit: 200_000, used, utilization_pct, period };
    let account =
        AccountFacts { account_id: AccountId(55001), phone: "+15550001111".to_owned(), user_id: UserId(9002) };
    Ok(match event_type {
        EventType::SeatsFull => EventBody::SeatsFull { purchased: 10, available: 0 },
        EventType::SeatsRecovered => EventBody::SeatsRecovered { purchased: 12, available: 2 },
        EventType::MessagingNearFull => EventBody::MessagingNearFull(messaging(Credits(1350), 90)),
        EventType::MessagingFull => EventBody::MessagingFull(messaging(Credits(1500), 100)),
        EventType::MessagingRecovered => EventBody::MessagingRecovered(messaging(Credits(1200), 80)),
        EventType::ApiCallsNearFull => EventBody::ApiCallsNearFull(api_calls(180_000, 90)),
        EventType::ApiCallsFull => EventBody::ApiCallsFull(api_calls(200_000, 100)),
        EventType::ApiCallsRecovered => EventBody::ApiCallsRecovered(api_calls(100_000, 50)),
        EventType::TransactionsFull => EventBody::TransactionsFull(period),
        EventType::AccountConnected => EventBody::AccountConnected(account),
        EventType::AccountDisconnected => {
            EventBody::AccountDisconnected { account, at, reason: "(logged out)".to_owned() }
        }
        EventType::TokenRotated => EventBody::TokenRotated { at },
    })
}
