//! An event of each type as it could be, for the documentation.

use std::collections::BTreeMap;

use entity::{
    call,
    id::{AccountId, BotId, CallId, ChatId, GroupId, MessageId, PartnerId, UserId, WorkspaceId},
    message::{Direction, Model, Status},
    timestamp::Timestamp,
    user,
};
use uuid::Uuid;

use crate::{
    bot::turn::Failure,
    error::{Error, Result},
    webhook::{
        subscription::Topic,
        tell::{
            BotSilence, Reaction, ReactionAction,
            facts::{AccountFacts, ChatFacts},
            payload::{Payload, Step},
        },
    },
};

const PUBLIC_URL: &str = "https://app.example.com";
const BOT: Uuid = Uuid::from_u128(0x0198_f000_0000_7000_8000_0000_0000_0002);
const MESSAGE: Uuid = Uuid::from_u128(0x0198_f000_0000_7000_8000_0000_0000_0001);

/// The body of an event of this type as it could be at `at`; `None` for what never happens here.
///
/// # Errors
/// None.
pub fn example(topic: Topic, at: Timestamp) -> Result<Option<String>> {
    let public_url = PUBLIC_URL;
    let chat = chat(at)?;
    let owner = owner(at);
    let body = match topic {
        Topic::MessageNew | Topic::MessageReceivedNew => {
            Payload::message(public_url, topic, &chat, (&message(Direction::Received, at), None), None).to_body()
        }
        Topic::MessageSentNew => {
            Payload::message(public_url, topic, &chat, (&message(Direction::Sent, at), None), None).to_body()
        }
        Topic::MessageDelivered => step(public_url, topic, &chat, Status::Delivered, at),
        Topic::MessageRead => step(public_url, topic, &chat, Status::Read, at),
        Topic::MessageFailed => step(public_url, topic, &chat, Status::Failed, at),
        Topic::MessageReaction => Payload::reaction(public_url, topic, &chat, &reaction(&chat, at)).to_body(),
        Topic::BotFailed | Topic::BotStopped => {
            let failure = if topic == Topic::BotStopped { Failure::Loop } else { Failure::TimedOut };
            Payload::bot(public_url, topic, &chat, &silence(failure, at)).to_body()
        }
        Topic::ChatNew | Topic::ChatIncomingNew | Topic::ChatOutgoingNew => {
            Payload::chat(public_url, topic, (&chat, at), None).to_body()
        }
        Topic::ChatResponsibleAssigned => {
            let assigned = ChatFacts {
                responsible_name: Some("Agent 9003".to_owned()),
                responsible_email: Some("9003-bakery-north@partners.example.com".to_owned()),
                ..chat
            };
            Payload::chat(public_url, topic, (&assigned, at), Some(&owner)).to_body()
        }
        Topic::ChatResponsibleUnassigned => Payload::chat(public_url, topic, (&chat, at), Some(&owner)).to_body(),
        Topic::CallIncomingMissed => call(public_url, topic, &chat, call::Outcome::Missed, at),
        Topic::CallIncomingEnded => call(public_url, topic, &chat, call::Outcome::Answered, at),
        Topic::CallOutgoingEnded => call(public_url, topic, &chat, call::Outcome::Ended, at),
        Topic::AccountConnected | Topic::AccountResumed => Payload::account(topic, &chat.account).to_body(),
        Topic::AccountDisconnected => {
            let ended = AccountFacts { disconnected_at: Some(at), is_active: false, ..chat.account };
            Payload::account(topic, &ended).to_body()
        }
        Topic::AccountSuspended => {
            Payload::account(topic, &AccountFacts { is_active: false, ..chat.account }).to_body()
        }
        _ => return Ok(None),
    };
    body.map(Some)
}

fn step(public_url: &str, topic: Topic, chat: &ChatFacts, status: Status, at: Timestamp) -> Result<String> {
    let step = Step { status, at, reason: (status == Status::Failed).then_some("not_on_network") };
    Payload::message(public_url, topic, chat, (&message(Direction::Sent, at), None), Some(step)).to_body()
}

fn chat(at: Timestamp) -> Result<ChatFacts> {
    let partner_id = PartnerId::parse("acme").map_err(|error| Error::Internal(error.to_string()))?;
    Ok(ChatFacts {
        id: ChatId(1001),
        workspace_id: WorkspaceId(1),
        name: "Ann Lee".to_owned(),
        phone: Some("+15550003333".to_owned()),
        jid: "15550003333@s.whatsapp.net".to_owned(),
        is_group: false,
        closed: false,
        read: false,
        is_answered_automatically: false,
        waiting_since: None,
        created_at: at,
        last_message_id: Some(MessageId(MESSAGE)),
        last_message_at: Some(at),
        responsible_name: None,
        responsible_email: None,
        account: AccountFacts {
            partner_id,
            time_zone: "Europe/Paris".to_owned(),
            wid: "15550001111@s.whatsapp.net".to_owned(),
            account_phone: "+15550001111".to_owned(),
            account_name: "Bakery".to_owned(),
            connected_at: at.plus_seconds(-24 * 3600),
            disconnected_at: None,
            is_active: true,
            owner_name: "Agent 9002".to_owned(),
            owner_email: "9002-bakery-north@partners.example.com".to_owned(),
        },
        labels: vec!["vip".to_owned()],
    })
}

fn owner(at: Timestamp) -> user::Model {
    user::Model {
        id: UserId(9002),
        workspace_id: WorkspaceId(1),
        group_id: GroupId(1),
        role: user::Role::Agent,
        display_name: "Agent 9002".to_owned(),
        email: "9002-bakery-north@partners.example.com".to_owned(),
        status: user::Status::Activated,
        suspension_order: None,
        created_at: at,
        updated_at: at,
    }
}

fn message(direction: Direction, at: Timestamp) -> Model {
    let (status, origin, text) = match direction {
        Direction::Sent => (Status::Queued, "Public API", "Your bread is ready."),
        Direction::Received => (Status::Received, "synced from WhatsApp", "hello"),
    };
    Model {
        id: MessageId(MESSAGE),
        workspace_id: WorkspaceId(1),
        account_id: AccountId(55001),
        chat_id: ChatId(1001),
        direction,
        status,
        text: Some(text.to_owned()),
        origin: origin.to_owned(),
        user_id: None,
        sender_name: None,
        sender_phone: None,
        reply_to: None,
        file_id: None,
        kind: None,
        is_private: None,
        provider_ref: None,
        failure: None,
        tries: 0,
        told_at: None,
        sent_at: None,
        created_at: at,
        updated_at: at,
    }
}

fn reaction(chat: &ChatFacts, at: Timestamp) -> Reaction {
    Reaction {
        workspace_id: chat.workspace_id,
        chat_id: chat.id,
        message_id: MessageId(MESSAGE),
        action: ReactionAction::Set,
        emoji: "👍".to_owned(),
        reactor: ("Ann Lee".to_owned(), "+15550003333".to_owned()),
        at,
        reactions: BTreeMap::from([("👍".to_owned(), 1)]),
    }
}

fn silence(failure: Failure, at: Timestamp) -> BotSilence {
    BotSilence {
        bot_id: BotId(BOT),
        bot_name: "Support".to_owned(),
        reason: failure.to_string(),
        description: failure.words(),
        message_id: MessageId(MESSAGE),
        at,
    }
}

fn call(public_url: &str, topic: Topic, chat: &ChatFacts, outcome: call::Outcome, at: Timestamp) -> Result<String> {
    let is_outgoing = topic == Topic::CallOutgoingEnded;
    let call = call::Model {
        id: CallId(MESSAGE),
        workspace_id: chat.workspace_id,
        account_id: AccountId(55001),
        chat_id: chat.id,
        provider_ref: String::new(),
        direction: if is_outgoing { call::Direction::Outgoing } else { call::Direction::Incoming },
        outcome,
        is_video: false,
        duration_seconds: (outcome != call::Outcome::Missed).then_some(95),
        created_at: at,
    };
    Payload::call(public_url, topic, chat, &call).to_body()
}
