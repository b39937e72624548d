//! Bodies (`contracts/timelines.md` §4.3): flat, no `data` wrapper, fields that are not known left out. What is made
//! here is stored and sent byte by byte, so that signatures and resends are of the same body.

use std::collections::BTreeMap;

use entity::{
    call, file,
    message::{Direction, Model, Status},
    timestamp::Timestamp,
    user,
};
use serde::Serialize;

use crate::{
    app::App,
    chat::is_unattended,
    error::{Error, Result},
    file::link,
    webhook::{
        retry,
        subscription::Topic,
        tell::{
            BotSilence, Reaction, ReactionAction,
            facts::{AccountFacts, ChatFacts},
        },
    },
};

/// The whole body.
#[derive(Serialize)]
pub(super) struct Payload<'a> {
    event_type: String,
    #[serde(flatten)]
    told: Told<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Message { chat: MessageChat<'a>, whatsapp_account: Account<'a>, message: Message<'a> },
    Chat { chat: Box<Chat<'a>>, whatsapp_account: WholeAccount<'a> },
    Account { whatsapp_account: WholeAccount<'a> },
    Call { chat: OtherChat<'a>, whatsapp_account: NamedAccount<'a>, call_details: Call<'a> },
    Reaction { chat: OtherChat<'a>, whatsapp_account: NamedAccount<'a>, reaction: ReactionFacts<'a> },
    Bot { chat: OtherChat<'a>, whatsapp_account: NamedAccount<'a>, bot: BotFacts<'a> },
}

/// A chat in a message's event.
#[derive(Serialize)]
struct MessageChat<'a> {
    full_name: &'a str,
    chat_url: String,
    chat_id: i64,
    is_group: bool,
    phone: &'a str,
    #[serde(flatten)]
    responsible: Responsible<'a>,
}

/// A chat in the event of a call or a reaction.
#[derive(Serialize)]
struct OtherChat<'a> {
    full_name: &'a str,
    chat_url: String,
    chat_id: i64,
    chat_type: &'static str,
    platform: &'static str,
    phone: &'a str,
    #[serde(flatten)]
    responsible: Responsible<'a>,
}

/// A chat in an event of its own.
#[derive(Serialize)]
struct Chat<'a> {
    id: i64,
    name: &'a str,
    phone: &'a str,
    jid: &'a str,
    is_group: bool,
    closed: bool,
    read: bool,
    labels: &'a [String],
    unattended_customer: bool,
    chatgpt_autoresponse_enabled: bool,
    whatsapp_account_id: &'a str,
    chat_url: String,
    created_timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message_uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message_timestamp: Option<String>,
    #[serde(flatten)]
    responsible: Responsible<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_responsible_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_responsible_email: Option<&'a str>,
}

#[derive(Serialize)]
struct Responsible<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    responsible_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    responsible_email: Option<&'a str>,
}

/// An account in a message's event.
#[derive(Serialize)]
struct Account<'a> {
    full_name: &'a str,
    email: &'a str,
    phone: &'a str,
}

/// An account in the event of a call or a reaction.
#[derive(Serialize)]
struct NamedAccount<'a> {
    whatsapp_account_wid: &'a str,
    #[serde(flatten)]
    account: Account<'a>,
}

/// An account in an event of its own, or of a chat.
#[derive(Serialize)]
struct WholeAccount<'a> {
    id: &'a str,
    phone: &'a str,
    connected_on: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnected_on: Option<String>,
    status: &'static str,
    account_name: &'a str,
    owner_name: &'a str,
    owner_email: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    text: &'a str,
    direction: Direction,
    origin: &'a str,
    timestamp: String,
    received_timestamp: String,
    message_uid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_uid: Option<String>,
    sender: Party<'a>,
    recipient: Party<'a>,
    attachments: Vec<Attachment>,
    #[serde(flatten)]
    step: Option<StepFacts<'a>>,
}

/// Somebody who writes, is written to, calls, is called, or reacts.
#[derive(Serialize)]
struct Party<'a> {
    full_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
}

/// A file that is attached to a message, with an address that is good for a while after the last try.
#[derive(Serialize)]
pub(super) struct Attachment {
    temporary_download_url: String,
    filename: String,
    size: i64,
    mimetype: String,
}

impl Attachment {
    pub(super) fn new(app: &App, file: &file::Model) -> Result<Self> {
        Ok(Self {
            temporary_download_url: link::to_be_told(app, file.id, retry::SUBSCRIPTION_SECONDS)?,
            filename: file.filename.clone(),
            size: file.size,
            mimetype: file.content_type.clone(),
        })
    }
}

/// What became of a message.
pub(super) struct Step<'a> {
    pub(super) status: Status,
    pub(super) at: Timestamp,
    pub(super) reason: Option<&'a str>,
}

/// The same, as our own events tell it.
#[derive(Serialize)]
struct StepFacts<'a> {
    status: &'static str,
    status_timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Call<'a> {
    duration: Option<i64>,
    direction: call::Direction,
    is_video: bool,
    status: String,
    timestamp: String,
    message_uid: String,
    caller: Party<'a>,
    recipient: Party<'a>,
}

#[derive(Serialize)]
struct ReactionFacts<'a> {
    message_uid: String,
    action: ReactionAction,
    emoji: &'a str,
    reactor: Party<'a>,
    timestamp: String,
    reactions: &'a BTreeMap<String, i64>,
}

#[derive(Serialize)]
struct BotFacts<'a> {
    agent_id: String,
    name: &'a str,
    reason: &'a str,
    description: &'a str,
    message_uid: String,
    timestamp: String,
}

impl<'a> Payload<'a> {
    /// The bytes.
    ///
    /// # Errors
    /// None that events lead to.
    pub(super) fn to_body(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::Internal(format!("event: {error}")))
    }

    pub(super) fn message(
        public_url: &str,
        topic: Topic,
        chat: &'a ChatFacts,
        (message, attachment): (&'a Model, Option<Attachment>),
        step: Option<Step<'a>>,
    ) -> Self {
        let account = &chat.account;
        let told = Told::Message {
            chat: MessageChat {
                full_name: &chat.name,
                chat_url: url(public_url, chat),
                chat_id: chat.id.0,
                is_group: chat.is_group,
                phone: chat.phone.as_deref().unwrap_or_default(),
                responsible: responsible(chat),
            },
            whatsapp_account: short(account),
            message: message_facts(chat, message, attachment, step),
        };
        Self { event_type: topic.to_string(), told }
    }

    /// A chat as it is at this instant.
    pub(super) fn chat(
        public_url: &str,
        topic: Topic,
        (chat, now): (&'a ChatFacts, Timestamp),
        previous: Option<&'a user::Model>,
    ) -> Self {
        let account = &chat.account;
        let facts = Chat {
            id: chat.id.0,
            name: &chat.name,
            phone: chat.phone.as_deref().unwrap_or_default(),
            jid: &chat.jid,
            is_group: chat.is_group,
            closed: chat.closed,
            read: chat.read,
            labels: &chat.labels,
            unattended_customer: is_unattended(chat.waiting_since, now),
            chatgpt_autoresponse_enabled: chat.is_answered_automatically,
            whatsapp_account_id: &account.wid,
            chat_url: url(public_url, chat),
            created_timestamp: account.time(chat.created_at),
            last_message_uid: chat.last_message_id.map(|id| id.to_string()),
            last_message_timestamp: chat.last_message_at.map(|at| account.time(at)),
            responsible: responsible(chat),
            previous_responsible_name: previous.map(|user| user.display_name.as_str()),
            previous_responsible_email: previous.map(|user| user.email.as_str()),
        };
        let told = Told::Chat { chat: Box::new(facts), whatsapp_account: whole(account) };
        Self { event_type: topic.to_string(), told }
    }

    pub(super) fn account(topic: Topic, account: &'a AccountFacts) -> Self {
        Self { event_type: topic.to_string(), told: Told::Account { whatsapp_account: whole(account) } }
    }

    pub(super) fn call(public_url: &str, topic: Topic, chat: &'a ChatFacts, call: &'a call::Model) -> Self {
        let (caller, recipient) = match call.direction {
            call::Direction::Incoming => (other_side(chat), our_side(&chat.account)),
            call::Direction::Outgoing => (our_side(&chat.account), other_side(chat)),
        };
        let call_details = Call {
            duration: call.duration_seconds,
            direction: call.direction,
            is_video: call.is_video,
            status: call.outcome.to_string(),
            timestamp: chat.account.time(call.created_at),
            message_uid: call.id.to_string(),
            caller,
            recipient,
        };
        let told =
            Told::Call { chat: other_chat(public_url, chat), whatsapp_account: named(&chat.account), call_details };
        Self { event_type: topic.to_string(), told }
    }

    pub(super) fn bot(public_url: &str, topic: Topic, chat: &'a ChatFacts, silence: &'a BotSilence) -> Self {
        let bot = BotFacts {
            agent_id: silence.bot_id.to_string(),
            name: &silence.bot_name,
            reason: &silence.reason,
            description: &silence.description,
            message_uid: silence.message_id.to_string(),
            timestamp: chat.account.time(silence.at),
        };
        let told = Told::Bot { chat: other_chat(public_url, chat), whatsapp_account: named(&chat.account), bot };
        Self { event_type: topic.to_string(), told }
    }

    pub(super) fn reaction(public_url: &str, topic: Topic, chat: &'a ChatFacts, reaction: &'a Reaction) -> Self {
        let (full_name, phone) = &reaction.reactor;
        let facts = ReactionFacts {
            message_uid: reaction.message_id.to_string(),
            action: reaction.action,
            emoji: &reaction.emoji,
            reactor: Party { full_name, phone: Some(phone) },
            timestamp: chat.account.time(reaction.at),
            reactions: &reaction.reactions,
        };
        let told = Told::Reaction {
            chat: other_chat(public_url, chat),
            whatsapp_account: named(&chat.account),
            reaction: facts,
        };
        Self { event_type: topic.to_string(), told }
    }
}

fn message_facts<'a>(
    chat: &'a ChatFacts,
    message: &'a Model,
    attachment: Option<Attachment>,
    step: Option<Step<'a>>,
) -> Message<'a> {
    let account = &chat.account;
    let (sender, recipient) = match (message.direction, chat.is_group) {
        (Direction::Sent, _) => (our_side(account), other_side(chat)),
        (Direction::Received, false) => (other_side(chat), our_side(account)),
        (Direction::Received, true) => {
            let full_name = message.sender_name.as_deref().unwrap_or_default();
            (Party { full_name, phone: message.sender_phone.as_deref() }, our_side(account))
        }
    };
    Message {
        text: message.text.as_deref().unwrap_or_default(),
        direction: message.direction,
        origin: &message.origin,
        timestamp: account.time(message.written_at()),
        received_timestamp: account.time(message.created_at),
        message_uid: message.id.to_string(),
        reply_to_uid: message.reply_to.map(|id| id.to_string()),
        sender,
        recipient,
        attachments: attachment.into_iter().collect(),
        step: step.map(|step| StepFacts {
            status: word(step.status),
            status_timestamp: account.time(step.at),
            failure_reason: step.reason.filter(|_| step.status == Status::Failed),
        }),
    }
}

/// The contract's words for the statuses that are told of.
const fn word(status: Status) -> &'static str {
    match status {
        Status::Delivered => "Delivered",
        Status::Read => "Read",
        Status::Failed => "Failed",
        Status::Sent => "Sent",
        Status::Queued => "Pending",
        Status::Sending | Status::Unknown => "Sending",
        Status::Received => "Received",
    }
}

fn url(public_url: &str, chat: &ChatFacts) -> String {
    format!("{public_url}/chat/{}/messages/", chat.id)
}

fn responsible(chat: &ChatFacts) -> Responsible<'_> {
    Responsible {
        responsible_name: chat.responsible_name.as_deref(),
        responsible_email: chat.responsible_email.as_deref(),
    }
}

fn our_side(account: &AccountFacts) -> Party<'_> {
    Party { full_name: &account.owner_name, phone: Some(&account.account_phone) }
}

fn other_side(chat: &ChatFacts) -> Party<'_> {
    Party { full_name: &chat.name, phone: chat.phone.as_deref() }
}

fn short(account: &AccountFacts) -> Account<'_> {
    Account { full_name: &account.owner_name, email: &account.owner_email, phone: &account.account_phone }
}

fn named(account: &AccountFacts) -> NamedAccount<'_> {
    NamedAccount { whatsapp_account_wid: &account.wid, account: short(account) }
}

fn whole(account: &AccountFacts) -> WholeAccount<'_> {
    WholeAccount {
        id: &account.wid,
        phone: &account.account_phone,
        connected_on: account.time(account.connected_at),
        disconnected_on: account.disconnected_at.map(|at| account.time(at)),
        status: if account.is_active { "active" } else { "disconnected" },
        account_name: &account.account_name,
        owner_name: &account.owner_name,
        owner_email: &account.owner_email,
    }
}

fn other_chat<'a>(public_url: &str, chat: &'a ChatFacts) -> OtherChat<'a> {
    OtherChat {
        full_name: &chat.name,
        chat_url: url(public_url, chat),
        chat_id: chat.id.0,
        chat_type: if chat.is_group { "group" } else { "direct" },
        platform: "whatsapp",
        // Bare digits, unlike everywhere else.
        phone: chat.phone.as_deref().unwrap_or_default().trim_start_matches('+'),
        responsible: responsible(chat),
    }
}
