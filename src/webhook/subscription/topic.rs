//! Types of events that a workspace can subscribe to (`contracts/timelines.md` §4.2, and five of ours).

use entity::{call, message};
use serde::Serialize;
use strum::{Display, EnumIter, EnumString};

use crate::error::{Error, Result};

/// A type of event, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumIter, EnumString, Serialize)]
#[expect(missing_docs, reason = "each is its word on the wire, and `occasion` says when it happens")]
pub enum Topic {
    #[strum(serialize = "message:new")]
    MessageNew,
    #[strum(serialize = "message:sent:new")]
    MessageSentNew,
    #[strum(serialize = "message:received:new")]
    MessageReceivedNew,
    #[strum(serialize = "message:reaction")]
    MessageReaction,
    #[strum(serialize = "message:delivered")]
    MessageDelivered,
    #[strum(serialize = "message:read")]
    MessageRead,
    #[strum(serialize = "message:failed")]
    MessageFailed,
    #[strum(serialize = "chat:new")]
    ChatNew,
    #[strum(serialize = "chat:incoming:new")]
    ChatIncomingNew,
    #[strum(serialize = "chat:outgoing:new")]
    ChatOutgoingNew,
    #[strum(serialize = "chat:responsible:assigned")]
    ChatResponsibleAssigned,
    #[strum(serialize = "chat:responsible:unassigned")]
    ChatResponsibleUnassigned,
    #[strum(serialize = "call:incoming:missed")]
    CallIncomingMissed,
    #[strum(serialize = "call:incoming:ended")]
    CallIncomingEnded,
    #[strum(serialize = "call:outgoing:ended")]
    CallOutgoingEnded,
    #[strum(serialize = "bot:failed")]
    BotFailed,
    #[strum(serialize = "bot:stopped")]
    BotStopped,
    #[strum(serialize = "whatsapp:account:connected")]
    AccountConnected,
    #[strum(serialize = "whatsapp:account:disconnected")]
    AccountDisconnected,
    #[strum(serialize = "whatsapp:account:suspended")]
    AccountSuspended,
    #[strum(serialize = "whatsapp:account:resumed")]
    AccountResumed,
    #[strum(serialize = "waba:message:received")]
    WabaMessageReceived,
    #[strum(serialize = "waba:message:delivered")]
    WabaMessageDelivered,
    #[strum(serialize = "waba:message:failed")]
    WabaMessageFailed,
    #[strum(serialize = "waba:message:read")]
    WabaMessageRead,
    #[strum(serialize = "waba:chat:incoming")]
    WabaChatIncoming,
    #[strum(serialize = "waba:chat:outgoing")]
    WabaChatOutgoing,
    #[strum(serialize = "waba:chat:assigned")]
    WabaChatAssigned,
    #[strum(serialize = "waba:chat:unassigned")]
    WabaChatUnassigned,
    #[strum(serialize = "waba:chat:closed")]
    WabaChatClosed,
    #[strum(serialize = "waba:chat:reopened")]
    WabaChatReopened,
    #[strum(serialize = "waba:account:active")]
    WabaAccountActive,
    #[strum(serialize = "waba:account:disabled")]
    WabaAccountDisabled,
    #[strum(serialize = "waba:account:disconnected")]
    WabaAccountDisconnected,
    #[strum(serialize = "waba:template:approved")]
    WabaTemplateApproved,
    #[strum(serialize = "waba:template:rejected")]
    WabaTemplateRejected,
    #[strum(serialize = "waba:template:disabled")]
    WabaTemplateDisabled,
}

impl Topic {
    /// Reads a type as it stands on the wire.
    ///
    /// # Errors
    /// `invalid_request` naming `event_type`.
    pub fn parse(text: &str) -> Result<Self> {
        text.parse().map_err(|_| Error::field("event_type", "is not a type of event"))
    }

    /// The type of a call's event; `None` for an end that a call of this direction cannot have.
    #[must_use]
    pub const fn of_call(direction: call::Direction, outcome: call::Outcome) -> Option<Self> {
        use call::{Direction, Outcome};
        match (direction, outcome) {
            (Direction::Incoming, Outcome::Missed) => Some(Self::CallIncomingMissed),
            (Direction::Incoming, Outcome::Answered | Outcome::Rejected) => Some(Self::CallIncomingEnded),
            (Direction::Outgoing, Outcome::Ended | Outcome::NoAnswer | Outcome::Rejected) => {
                Some(Self::CallOutgoingEnded)
            }
            _ => None,
        }
    }

    /// The type that tells of a message's status, for those that are told of.
    #[must_use]
    pub const fn of_status(status: message::Status) -> Option<Self> {
        match status {
            message::Status::Delivered => Some(Self::MessageDelivered),
            message::Status::Read => Some(Self::MessageRead),
            message::Status::Failed => Some(Self::MessageFailed),
            _ => None,
        }
    }

    /// When it is sent, in a few words; `None` for what never happens here.
    #[must_use]
    pub const fn occasion(self) -> Option<&'static str> {
        Some(match self {
            Self::MessageNew => "a message was accepted for sending, or received",
            Self::MessageSentNew => "a message was accepted for sending",
            Self::MessageReceivedNew => "a message was received",
            Self::MessageReaction => "somebody set or took back a reaction to a message",
            Self::MessageDelivered => "a sent message has reached the phone (extension)",
            Self::MessageRead => "a sent message was read (extension)",
            Self::MessageFailed => "a message will not arrive; its credits were given back (extension)",
            Self::ChatNew => "a chat began, direct or group",
            Self::ChatIncomingNew => "a direct chat began with a message or a call from outside",
            Self::ChatOutgoingNew => "a direct chat began with a message or a call from the workspace",
            Self::ChatResponsibleAssigned => "somebody was made responsible for a chat",
            Self::ChatResponsibleUnassigned => "nobody is responsible for a chat any more",
            Self::CallIncomingMissed => "a call to an account was missed",
            Self::CallIncomingEnded => "a call to an account was answered and has ended, or was rejected",
            Self::CallOutgoingEnded => "a call from an account has ended, was not answered, or was rejected",
            Self::BotFailed => "a bot did not answer what came to its channel (extension)",
            Self::BotStopped => {
                "a bot has answered too often in a chat, and is silent there until it is switched on again (extension)"
            }
            Self::AccountConnected => "an account was connected, or connected again",
            Self::AccountDisconnected => "an account's session has ended",
            Self::AccountSuspended => "an account was switched off, because its user lost the seat",
            Self::AccountResumed => "an account was switched on again",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::Iterable;

    use super::*;

    #[test]
    fn the_contract_has_32_types_and_five_are_ours() {
        let all: Vec<String> = Topic::iter().map(|topic| topic.to_string()).collect();
        assert_eq!(all.len(), 37);
        assert_eq!(all.iter().filter(|topic| topic.starts_with("waba:")).count(), 16);
        for topic in Topic::iter() {
            assert_eq!(Topic::parse(&topic.to_string()).expect("a type"), topic);
            assert_eq!(topic.occasion().is_none(), topic.to_string().starts_with("waba:"), "{topic}");
        }
        for bad in ["", "chat:created", "chat:assigned", "message", "MESSAGE:NEW"] {
            assert!(Topic::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn calls_end_as_their_direction_allows() {
        let outcomes = |direction| -> Vec<String> {
            let possible = call::Outcome::iter().filter(|outcome| Topic::of_call(direction, *outcome).is_some());
            possible.map(|outcome| outcome.to_string()).collect()
        };
        assert_eq!(outcomes(call::Direction::Incoming), ["Missed", "Answered", "Rejected"]);
        assert_eq!(outcomes(call::Direction::Outgoing), ["Rejected", "Ended", "No Answer"]);
    }
}
