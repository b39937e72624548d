//! Typed ids: one newtype per kind of thing, so that no id can stand where another belongs.
//!
//! Integer ids come from the database and stay below 2^53, so that JSON clients read them exactly.
//! Uuid ids are version 7, made by the clock of the application, never by a database.

use poem_openapi::NewType;
use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, DeriveValueType,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    )+};
}

macro_rules! integer_id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, DeriveValueType,
            NewType,
        )]
        #[serde(transparent)]
        #[sea_orm(try_from_u64)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, DeriveValueType)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Longest accepted text, in bytes.
            pub const MAX: usize = 30;

            /// Accepts 1 to 30 characters of `[a-z0-9-]` that neither start nor end with a dash.
            ///
            /// # Errors
            /// Returns [`NotASlug`] for anything else.
            pub fn parse(text: &str) -> Result<Self, NotASlug> {
                let fits = (1..=Self::MAX).contains(&text.len())
                    && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                    && !text.starts_with('-')
                    && !text.ends_with('-');
                if fits { Ok(Self(text.to_owned())) } else { Err(NotASlug) }
            }

            /// The text as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotASlug;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    )+};
}

/// A text that is not a slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 30 characters of a-z, 0-9 and '-', not starting or ending with '-'")]
pub struct NotASlug;

text_id! {
    /// A partner's id: chosen by the operator, unique on the platform.
    PartnerId;
    /// A workspace's id on the wire: derived from its first display name, unique per partner.
    WorkspaceSlug;
}

integer_id! {
    /// The content of files.
    BlobId;
    /// A plan.
    PlanId;
    /// A workspace inside the database; the wire knows its slug.
    WorkspaceId;
    /// A group of users in a workspace (the Public API calls it team).
    GroupId;
    /// A user (seat holder) of a workspace.
    UserId;
    /// An account on a messaging network, as the Partner API numbers it (`whatsapp_account_id`).
    AccountId;
    /// A chat of an account with a person or a group.
    ChatId;
    /// An entry of the ledger.
    CreditEntryId;
    /// A text that is written once and sent often.
    TemplateId;
    /// A change of a message's status.
    MessageStatusId;
    /// One try to deliver an event.
    DeliveryAttemptId;
    /// A workspace's webhook: one type of event, one address.
    SubscriptionId;
}

uuid_id! {
    /// One secret of a partner.
    SecretId;
    /// A channel.
    ChannelId;
    /// An onboarding link.
    LinkId;
    /// One try to link a channel; also the name of its session at the connector.
    AttemptId;
    /// An API token of a workspace.
    TokenId;
    /// A token of the operator's staff.
    OperatorTokenId;
    /// An audit entry.
    AuditId;
    /// What opens a provider.
    CredentialId;
    /// A choice of a connector.
    DefaultId;
    /// A job in the queue.
    JobId;
    /// A message, sent or received.
    MessageId;
    /// A file.
    FileId;
    /// A bot.
    BotId;
    /// A call that has ended.
    CallId;
    /// One turn at something that only one worker may do.
    LeaseId;
    /// Something that happened.
    EventId;
    /// One series of tries to tell an endpoint of an event.
    DeliveryId;
    /// A change of who may come in.
    AccessChangeId;
    /// A visitor of a web chat.
    VisitorId;
}
