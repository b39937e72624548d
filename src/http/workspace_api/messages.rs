//! Messages, read (`contracts/timelines.md` §3.6).

use std::sync::Arc;

use entity::{
    call, file,
    message::{Direction, Kind, Model, Status},
    message_status, reaction, user,
};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};

use crate::{
    app::App,
    chat::ChatWithAccount,
    error::Result,
    file::link,
    http::{
        body::UnreadJson,
        formats::local_time,
        query::Written,
        rendered::Rendered,
        workspace_api::{
            Envelope,
            auth::TokenAuth,
            dialect::WorkspaceFailure,
            ok,
            reactions::ReactionsView,
            sending::{self, SendInChatRequest, SentView},
        },
    },
    message::read::{
        self, Messages,
        filter::{Filter, FilterText},
    },
    page::PageNumber,
    token::Scope,
};

pub(super) struct MessagesApi {
    pub(super) app: Arc<App>,
}

/// What else is known of a message.
#[derive(Object)]
#[oai(rename = "MessageData", skip_serializing_if_is_none)]
struct DataView {
    /// Whether it was sent from the workspace's account.
    whatsapp_from_me: bool,
    /// Whether a note is for the team only.
    is_private: Option<bool>,
}

/// Why a message of a Cloud API account failed.
#[derive(Object)]
#[oai(rename = "FailureReason")]
struct FailureReasonView {
    /// The provider's number for it.
    code: i64,
    /// What it is called.
    title: String,
    /// What it says.
    details: String,
}

/// A message without its reactions.
#[derive(Object)]
#[oai(rename = "MessageSummary")]
pub(super) struct SummaryView {
    /// Its uid.
    uid: String,
    /// Number of its chat.
    chat_id: i64,
    /// When it was written, as its network says; where that is not told, and of what is sent, the same as
    /// `received_timestamp`.
    timestamp: String,
    /// When it was accepted or received. Lists are in this order, and `after` and `before` go by it.
    received_timestamp: String,
    /// Number of who wrote it, empty where it is not known.
    sender_phone: String,
    /// Name of who wrote it, empty where it is not known.
    sender_name: String,
    /// Number of whom it is for, empty for groups.
    recipient_phone: String,
    /// Name of whom it is for.
    recipient_name: String,
    /// Whether it was sent from the workspace's account.
    from_me: bool,
    /// Its text.
    #[oai(nullable)]
    text: Option<String>,
    /// Uid of the message that it answers; absent where it answers nothing that is known. An extension.
    #[oai(skip_serializing_if_is_none)]
    reply_to_uid: Option<String>,
    /// Where its file can be read for 15 minutes; `null` without one, and when the file is not kept any more.
    #[oai(nullable)]
    attachment_url: Option<String>,
    /// Name of its file; `null` without one, and when the file is not kept any more.
    #[oai(nullable)]
    attachment_filename: Option<String>,
    /// Whether it was sent with a file.
    has_attachment: bool,
    /// `Pending`, `Sending`, `Sent`, `Delivered`, `Read` or `Failed`; of a call how it ended: `Missed`, `Answered`,
    /// `Rejected`, `Ended` or `No Answer`.
    status: String,
    /// Where it was written.
    origin: String,
    /// `whatsapp`, `whatsapp_call`, or `note`.
    message_type: String,
    /// What else is known of it.
    data: DataView,
    /// Name of the user as whom it was sent, empty if there is none.
    created_by: String,
    /// Always `null`: only Cloud API accounts have it. The status history says why a message failed.
    #[oai(nullable)]
    failure_reason: Option<FailureReasonView>,
}

impl SummaryView {
    pub(super) fn new(held: &ChatWithAccount, message: &Model, author: Option<&user::Model>, zone: &str) -> Self {
        let from_me = message.direction == Direction::Sent;
        let account = (held.channel.phone.clone(), held.owner.display_name.clone());
        let other = (held.chat.phone.clone().unwrap_or_default(), held.chat.name.clone());
        let is_note = message.kind == Some(Kind::Note);
        let created_by = author.map(|author| author.display_name.clone()).unwrap_or_default();
        let (sender, recipient) = match (from_me, held.chat.is_group) {
            // Written by a teammate to nobody in particular.
            _ if is_note => ((String::new(), created_by.clone()), (String::new(), String::new())),
            (true, _) => (account, other),
            (false, false) => (other, account),
            (false, true) => {
                let known = |text: &Option<String>| text.clone().unwrap_or_default();
                ((known(&message.sender_phone), known(&message.sender_name)), account)
            }
        };
        Self {
            uid: message.id.to_string(),
            chat_id: message.chat_id.0,
            timestamp: local_time(message.written_at(), zone),
            received_timestamp: local_time(message.created_at, zone),
            sender_phone: sender.0,
            sender_name: sender.1,
            recipient_phone: recipient.0,
            recipient_name: recipient.1,
            from_me,
            text: message.text.clone(),
            reply_to_uid: message.reply_to.map(|id| id.to_string()),
            attachment_url: None,
            attachment_filename: None,
            has_attachment: message.file_id.is_some(),
            status: word(message.status).to_owned(),
            origin: message.origin.clone(),
            message_type: message_type(message.kind).to_owned(),
            data: DataView { whatsapp_from_me: from_me && !is_note, is_private: message.is_private },
            created_by,
            failure_reason: None,
        }
    }

    /// The same with how the call ended that it stands for.
    pub(super) fn ended(self, call: Option<&call::Model>) -> Self {
        match call {
            Some(call) => Self { status: call.outcome.to_string(), ..self },
            None => self,
        }
    }

    /// The same with the file that it carries, as long as that is kept.
    pub(super) fn carrying(self, app: &App, file: Option<&file::Model>) -> Self {
        Self {
            attachment_url: file.and_then(|file| link::to(app, file.id).ok()),
            attachment_filename: file.map(|file| file.filename.clone()),
            ..self
        }
    }
}

/// The contract's word for what a message is.
const fn message_type(kind: Option<Kind>) -> &'static str {
    match kind {
        None => "whatsapp",
        Some(Kind::Note) => "note",
        Some(Kind::Call) => "whatsapp_call",
    }
}

/// The contract's word for a status.
const fn word(status: Status) -> &'static str {
    match status {
        Status::Queued => "Pending",
        Status::Sending | Status::Unknown => "Sending",
        Status::Sent => "Sent",
        Status::Delivered | Status::Received => "Delivered",
        Status::Read => "Read",
        Status::Failed => "Failed",
    }
}

/// A message.
#[derive(Object)]
#[oai(rename = "MessageInfo")]
struct MessageView {
    #[oai(flatten)]
    summary: SummaryView,
    /// Reactions to it.
    reactions: ReactionsView,
}

impl MessageView {
    fn new(summary: SummaryView, reactions: &[reaction::Model]) -> Self {
        Self { summary, reactions: ReactionsView::new(reactions) }
    }
}

/// One page of messages.
#[derive(Object)]
#[oai(rename = "Messages")]
pub(super) struct MessageList {
    /// Whether there is a page after this one.
    has_more_pages: bool,
    /// The messages, in the order that was asked for.
    messages: Vec<MessageView>,
}

impl MessageList {
    pub(super) fn new(app: &App, found: &Messages, zone: &str) -> Self {
        let view = |message: &Model| {
            let author = message.user_id.and_then(|id| found.authors.get(&id));
            let reactions = found.reactions.get(&message.id).map_or(&[][..], Vec::as_slice);
            let file = message.file_id.and_then(|id| found.files.get(&id));
            let summary = SummaryView::new(&found.held, message, author, zone).carrying(app, file);
            MessageView::new(summary.ended(found.calls.get(&message.id)), reactions)
        };
        let messages = found.page.items.iter().map(view).collect();
        Self { has_more_pages: found.page.has_more_pages, messages }
    }
}

/// A step of a message on its way.
#[derive(Object)]
#[oai(rename = "MessageStatus")]
struct StatusView {
    /// `Sent`, `Delivered`, `Read` or `Failed`.
    status: String,
    /// When.
    timestamp: String,
    /// Why it failed.
    #[oai(skip_serializing_if_is_none)]
    failure_reason: Option<String>,
}

impl StatusView {
    fn new(step: &message_status::Model, zone: &str) -> Self {
        Self {
            status: word(step.status).to_owned(),
            timestamp: local_time(step.at, zone),
            failure_reason: step.reason.clone().filter(|_| step.status == Status::Failed),
        }
    }
}

/// Which way messages go.
pub(super) const fn direction(from_me: bool) -> Direction {
    if from_me { Direction::Sent } else { Direction::Received }
}

#[OpenApi]
impl MessagesApi {
    /// List messages of a chat
    ///
    /// In pages of 50, the newest first unless asked otherwise.
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the path or the query")]
    #[oai(path = "/chats/:chat_id/messages", method = "get", operation_id = "list_messages")]
    async fn list(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
        /// Number of the page, from 1.
        page: Query<Written<i64>>,
        /// Whether they were sent from the workspace's account.
        from_me: Query<Written<bool>>,
        /// Of this ISO 8601 date or date-time or later; in the workspace's zone where it has no offset.
        after: Query<Option<String>>,
        /// Of this ISO 8601 date or date-time or earlier; in the workspace's zone where it has no offset.
        before: Query<Option<String>>,
        /// Newer than the message of this chat with this uid.
        after_message: Query<Option<String>>,
        /// Older than the message of this chat with this uid.
        before_message: Query<Option<String>>,
        /// `asc` or `desc`, which is the default.
        sorting_order: Query<Option<String>>,
    ) -> Result<Json<Envelope<MessageList>>, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::MessagesRead).await?.workspace;
        let zone = &workspace.time_zone;
        let page = PageNumber::parse(page.read("page")?)?;
        let text = FilterText {
            after: after.0,
            before: before.0,
            after_message: after_message.0,
            before_message: before_message.0,
            sorting_order: sorting_order.0,
        };
        let filter = Filter { direction: from_me.read("from_me")?.map(direction), ..Filter::parse(&text, zone)? };
        let found = read::of_chat(&self.app, workspace.id, &chat_id.0, &filter, page).await?;
        Ok(ok(MessageList::new(&self.app, &found, zone)))
    }

    /// Send a message in a chat
    ///
    /// From the chat's own account. A text or a file costs one credit, both together two, given back if the message
    /// fails.
    #[oai(path = "/chats/:chat_id/messages", method = "post", operation_id = "send_message_in_chat")]
    async fn send(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<SendInChatRequest>,
    ) -> Result<Rendered<Envelope<SentView>>, WorkspaceFailure> {
        sending::in_chat(&self.app, &caller, &chat_id.0, key.0.as_deref(), body).await
    }

    /// Get a message
    #[oai(path = "/messages/:message_uid", method = "get", operation_id = "get_message")]
    async fn get(
        &self,
        caller: TokenAuth,
        /// Uid of the message.
        message_uid: Path<String>,
    ) -> Result<Json<Envelope<MessageView>>, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::MessagesRead).await?.workspace;
        let found = read::get(&self.app, workspace.id, &message_uid.0).await?;
        let summary = SummaryView::new(&found.held, &found.message, found.author.as_ref(), &workspace.time_zone);
        let summary = summary.carrying(&self.app, found.file.as_ref()).ended(found.call.as_ref());
        Ok(ok(MessageView::new(summary, &found.reactions)))
    }

    /// Get what became of a message
    ///
    /// In the order of time; empty until it was sent or has failed.
    #[oai(path = "/messages/:message_uid/status_history", method = "get", operation_id = "get_status_history")]
    async fn history(
        &self,
        caller: TokenAuth,
        /// Uid of the message.
        message_uid: Path<String>,
    ) -> Result<Json<Envelope<Vec<StatusView>>>, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::MessagesRead).await?.workspace;
        let steps = read::history(&self.app, workspace.id, &message_uid.0).await?;
        Ok(ok(steps.iter().map(|step| StatusView::new(step, &workspace.time_zone)).collect()))
    }
}
