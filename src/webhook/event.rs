//! Events and how they are told (`contracts/timelines.md` §2.2, §2.3): flat bodies, no `data` wrapper.

use entity::{
    credits::Credits,
    id::{AccountId, UserId},
    timestamp::Timestamp,
};

use crate::quota::Period;

/// A message quota as events tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessagingQuota {
    /// Credits that may be used.
    pub total: Credits,
    /// Credits used.
    pub used: Credits,
    /// Their share in whole percent, 0 to 100.
    pub utilization_pct: i64,
    /// The period.
    pub period: Period,
}

/// A quota of API calls as events tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiCallsQuota {
    /// Calls that may be made.
    pub limit: i64,
    /// Calls made.
    pub used: i64,
    /// Their share in whole percent, 0 to 100.
    pub utilization_pct: i64,
    /// The period.
    pub period: Period,
}

/// An account as events tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its number on the wire.
    pub account_id: AccountId,
    /// Its telephone number, `+` and digits.
    pub phone: String,
    /// The user whose it is.
    pub user_id: UserId,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventBody {
    /// `workspace:seats_full`
    SeatsFull {
        /// Seats bought.
        purchased: i32,
        /// Seats left.
        available: i32,
    },
    /// `workspace:quota_recovered:seats`, ours.
    SeatsRecovered {
        /// Seats bought.
        purchased: i32,
        /// Seats left.
        available: i32,
    },
    /// `workspace:quota_near_full:messaging`
    MessagingNearFull(MessagingQuota),
    /// `workspace:quota_full:messaging`
    MessagingFull(MessagingQuota),
    /// `workspace:quota_recovered:messaging`, ours.
    MessagingRecovered(MessagingQuota),
    /// `workspace:quota_near_full:api_calls`, ours.
    ApiCallsNearFull(ApiCallsQuota),
    /// `workspace:quota_full:api_calls`
    ApiCallsFull(ApiCallsQuota),
    /// `workspace:quota_recovered:api_calls`, ours.
    ApiCallsRecovered(ApiCallsQuota),
    /// `workspace:quota_full:transactions`; what a transaction is, the contract does not say, so only a test sends it.
    TransactionsFull(Period),
    /// `whatsapp_account:connected`
    AccountConnected(AccountFacts),
    /// `whatsapp_account:disconnected`
    AccountDisconnected {
        /// The account.
        account: AccountFacts,
        /// When.
        at: Timestamp,
        /// Why, in words.
        reason: String,
    },
    /// `api_token:rotated`
    TokenRotated {
        /// When.
        at: Timestamp,
    },
}
