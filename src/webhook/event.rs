//! Events: what can happen, and what each says (`contracts/timelines.md` §2.3, and types of ours).

use entity::{
    channel,
    credits::Credits,
    id::{AccountId, UserId},
    timestamp::Timestamp,
};
use serde::Serialize;
use strum::{Display, EnumIter, EnumString};

use crate::{
    error::{Error, Result},
    quota::Period,
};

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

impl From<&channel::Model> for AccountFacts {
    fn from(channel: &channel::Model) -> Self {
        Self { account_id: channel.account_id, phone: channel.phone.clone(), user_id: channel.user_id }
    }
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

/// The type of an event, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumIter, EnumString, Serialize)]
#[expect(missing_docs, reason = "the variants of EventBody say what each is")]
pub enum EventType {
    #[strum(serialize = "workspace:seats_full")]
    SeatsFull,
    #[strum(serialize = "workspace:quota_recovered:seats")]
    SeatsRecovered,
    #[strum(serialize = "workspace:quota_near_full:messaging")]
    MessagingNearFull,
    #[strum(serialize = "workspace:quota_full:messaging")]
    MessagingFull,
    #[strum(serialize = "workspace:quota_recovered:messaging")]
    MessagingRecovered,
    #[strum(serialize = "workspace:quota_near_full:api_calls")]
    ApiCallsNearFull,
    #[strum(serialize = "workspace:quota_full:api_calls")]
    ApiCallsFull,
    #[strum(serialize = "workspace:quota_recovered:api_calls")]
    ApiCallsRecovered,
    #[strum(serialize = "workspace:quota_full:transactions")]
    TransactionsFull,
    #[strum(serialize = "whatsapp_account:connected")]
    AccountConnected,
    #[strum(serialize = "whatsapp_account:disconnected")]
    AccountDisconnected,
    #[strum(serialize = "api_token:rotated")]
    TokenRotated,
}

impl EventType {
    /// Reads a type as it stands on the wire.
    ///
    /// # Errors
    /// `invalid_request` naming `event_type`.
    pub fn parse(text: &str) -> Result<Self> {
        text.parse().map_err(|_| Error::field("event_type", "is not a type of event"))
    }

    /// When it is sent, in a few words.
    #[must_use]
    pub const fn occasion(self) -> &'static str {
        match self {
            Self::SeatsFull => "no seat is free; once per period, until seats become free",
            Self::SeatsRecovered => "a seat is free again (extension)",
            Self::MessagingNearFull => "use of message credits has reached a threshold below 100 %",
            Self::MessagingFull => "message credits are used up",
            Self::MessagingRecovered => "a grant or a top-up brought use below a threshold (extension)",
            Self::ApiCallsNearFull => "API calls have reached a threshold below 100 % (extension)",
            Self::ApiCallsFull => "API calls are used up",
            Self::ApiCallsRecovered => "a new plan brought API calls below a threshold (extension)",
            Self::TransactionsFull => "never by itself: only `POST /webhook/test` sends it",
            Self::AccountConnected => "an account was connected for a user",
            Self::AccountDisconnected => {
                "an account was disconnected: `(requested)`, `(new link)`, `(logged out)`, `(banned)`, `(stopped)` if it is \
                 down and could not be started again, or `(deleted)`"
            }
            Self::TokenRotated => "the API token was rotated through the Partner API",
        }
    }
}

impl EventBody {
    /// Its type.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::SeatsFull { .. } => EventType::SeatsFull,
            Self::SeatsRecovered { .. } => EventType::SeatsRecovered,
            Self::MessagingNearFull(_) => EventType::MessagingNearFull,
            Self::MessagingFull(_) => EventType::MessagingFull,
            Self::MessagingRecovered(_) => EventType::MessagingRecovered,
            Self::ApiCallsNearFull(_) => EventType::ApiCallsNearFull,
            Self::ApiCallsFull(_) => EventType::ApiCallsFull,
            Self::ApiCallsRecovered(_) => EventType::ApiCallsRecovered,
            Self::TransactionsFull(_) => EventType::TransactionsFull,
            Self::AccountConnected(_) => EventType::AccountConnected,
            Self::AccountDisconnected { .. } => EventType::AccountDisconnected,
            Self::TokenRotated { .. } => EventType::TokenRotated,
        }
    }
}
