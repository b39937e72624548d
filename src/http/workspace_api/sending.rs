//! Sending messages (`contracts/timelines.md` §3.6). An answer means: stored, charged, and on its way.

use std::sync::Arc;

use entity::id::{ChatId, MessageId};
use poem_openapi::{Object, OpenApi, param::Header};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    chat::{self, update::Name},
    error::{Error, Result},
    file,
    http::{
        body::{self, UnreadJson},
        rendered::Rendered,
        token_caller::TokenCaller,
        workspace_api::{Envelope, auth::TokenAuth, dialect::WorkspaceFailure, ok_rendered},
    },
    idempotency::Repeatable,
    message::{
        Destination, Jid, SendMessage, Text,
        aim::{self, Open},
        optional_label,
        send::{self, Author, Sending},
    },
    phone::Phone,
    token::Scope,
};

pub(super) struct SendingApi {
    pub(super) app: Arc<App>,
}

/// A body with the fields that all messages have. They are written out in each, not flattened into it, because then a
/// field that does not fit can be named.
macro_rules! message_body {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Object, Deserialize)]
        pub(super) struct $name {
            $($(#[$field_doc])* $field: $kind,)*
            /// The text, at most 2000 characters.
            text: Option<String>,
            /// Uid of a file of the workspace to attach; 400 if it is larger than the network takes. Needed where there is
            /// no text.
            file_uid: Option<String>,
            /// A label for the chat, at most 64 characters; made if it is new. A chat has at most 100.
            label: Option<String>,
            /// A name for the chat, at most 256 characters, which no other chat of the workspace may have been given.
            /// It stays, whatever its network calls the chat.
            chat_name: Option<String>,
            /// A template with an attachment. There are none yet, so that every id answers 404 `not_found`.
            attachment_template_id: Option<i64>,
        }

        impl $name {
            fn content(&mut self) -> Content {
                Content {
                    text: self.text.take(),
                    file_uid: self.file_uid.take(),
                    label: self.label.take(),
                    chat_name: self.chat_name.take(),
                    attachment_template_id: self.attachment_template_id,
                }
            }
        }
    };
}

message_body! {
    /// A message to a number.
    SendToPhoneRequest {
        /// The number, `+` and 7 to 15 digits.
        phone: String,
        /// Number of the account to send from; the one that was connected last where absent.
        whatsapp_account_phone: Option<String>,
    }
}

message_body! {
    /// A message to an id on the network.
    SendToJidRequest {
        /// `<digits>@s.whatsapp.net`, or `<id>@g.us` for a group.
        jid: String,
        /// Number of the account to send from; the one that was connected last where absent.
        whatsapp_account_phone: Option<String>,
        /// Uid of the message that this one answers, of the same account; no note and no call. It is quoted if its
        /// provider has it by then.
        reply_to: Option<String>,
    }
}

message_body! {
    /// A message in a chat.
    SendInChatRequest {
        /// Uid of the message that this one answers, of the same account; no note and no call. It is quoted if its
        /// provider has it by then.
        reply_to: Option<String>,
    }
}

message_body! {
    /// A message of a member in a chat.
    SendAsMemberRequest {
    }
}

/// A message to the chat of a name.
#[derive(Object, Deserialize)]
struct SendToChatNameRequest {
    /// The name of the chat, without regard to case.
    chat_name: String,
    /// Number of the account whose chats are looked at, and which sends; all accounts are where absent.
    whatsapp_account_phone: Option<String>,
    /// Uid of the message that this one answers, of the same account; no note and no call. It is quoted if its
    /// provider has it by then.
    reply_to: Option<String>,
    /// The text, at most 2000 characters.
    text: Option<String>,
    /// Uid of a file of the workspace to attach; 400 if it is larger than the network takes. Needed where there is no
    /// text.
    file_uid: Option<String>,
    /// A label for the chat, at most 64 characters; made if it is new. A chat has at most 100.
    label: Option<String>,
    /// A template with an attachment. There are none yet, so that every id answers 404 `not_found`.
    attachment_template_id: Option<i64>,
}

/// What all messages have.
struct Content {
    text: Option<String>,
    file_uid: Option<String>,
    label: Option<String>,
    chat_name: Option<String>,
    attachment_template_id: Option<i64>,
}

/// A message that was accepted.
#[derive(Object, Serialize)]
#[oai(rename = "SentMessage")]
pub(super) struct SentView {
    /// Its uid.
    message_uid: String,
}

impl SentView {
    pub(super) fn new(id: MessageId) -> Self {
        Self { message_uid: id.to_string() }
    }
}

impl Content {
    fn into_command(self, destination: Destination, reply_to: Option<String>) -> Result<SendMessage> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let file = given(self.file_uid).map(|uid| file::parse_uid(&uid)).transpose()?;
        if let Some(id) = self.attachment_template_id {
            return Err(Error::TemplateNotFound(id));
        }
        let text = self.text.filter(|text| !(text.is_empty() || (file.is_some() && text.trim().is_empty())));
        if text.is_none() && file.is_none() {
            return Err(Error::field("text", "text or file_uid is required"));
        }
        let reply_to = given(reply_to).map(|uid| uid.parse::<MessageId>().map_err(|_| Error::MessageNotFound(uid)));
        let chat_name = self.chat_name.filter(|name| !name.trim().is_empty());
        let chat_name = chat_name.map(|name| Name::parse_field("chat_name", &name)).transpose()?;
        Ok(SendMessage {
            destination,
            text: text.map(Text::parse).transpose()?,
            file,
            label: optional_label("label", self.label)?,
            chat_name: chat_name.map(Name::into_string),
            reply_to: reply_to.transpose()?,
        })
    }
}

fn phone(text: &str) -> Result<Phone> {
    Phone::parse(text).map_err(|_| Error::WrongPhoneNumber(text.to_owned()))
}

fn account(text: Option<String>) -> Result<Option<Phone>> {
    text.filter(|text| !text.is_empty()).map(|text| phone(&text)).transpose()
}

impl SendToPhoneRequest {
    fn into_command(mut self) -> Result<SendMessage> {
        let content = self.content();
        let account = account(self.whatsapp_account_phone)?;
        content.into_command(Destination::Phone { phone: phone(&self.phone)?, account }, None)
    }
}

impl SendToJidRequest {
    fn into_command(mut self) -> Result<SendMessage> {
        let content = self.content();
        let account = account(self.whatsapp_account_phone)?;
        content.into_command(Destination::Jid { jid: Jid::parse(&self.jid)?, account }, self.reply_to)
    }
}

impl SendToChatNameRequest {
    /// What its chat is found by, and the message.
    fn into_command(self) -> Result<(Open, SendMessage)> {
        let name = Name::parse_field("chat_name", &self.chat_name)?.into_string();
        let open = Open::Chat { name, account: account(self.whatsapp_account_phone)? };
        let content = Content {
            text: self.text,
            file_uid: self.file_uid,
            label: self.label,
            chat_name: None,
            attachment_template_id: self.attachment_template_id,
        };
        // No chat has this number; the name says which is meant.
        Ok((open, content.into_command(Destination::Chat(ChatId(0)), self.reply_to)?))
    }
}

#[OpenApi]
impl SendingApi {
    /// Send a message to a phone number
    ///
    /// The chat is made if there is none. A text or a file costs one credit, both together two, given back if the
    /// message fails.
    #[oai(path = "/messages", method = "post", operation_id = "send_message")]
    async fn to_phone(
        &self,
        caller: TokenAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<SendToPhoneRequest>,
    ) -> Result<Rendered<Envelope<SentView>>, WorkspaceFailure> {
        let command = body.read().and_then(SendToPhoneRequest::into_command);
        accept(&self.app, &caller, key.0.as_deref(), command, &Open::Nothing).await
    }

    /// Send a message to an id on the network
    ///
    /// The chat is made if there is none. A text or a file costs one credit, both together two, given back if the
    /// message fails.
    #[oai(path = "/messages/to_jid", method = "post", operation_id = "send_message_to_jid")]
    async fn to_jid(
        &self,
        caller: TokenAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<SendToJidRequest>,
    ) -> Result<Rendered<Envelope<SentView>>, WorkspaceFailure> {
        let command = body.read().and_then(SendToJidRequest::into_command);
        accept(&self.app, &caller, key.0.as_deref(), command, &Open::Nothing).await
    }

    /// Send a message to the chat of a name
    ///
    /// Deprecated: names may change, and people choose those that networks tell. The chat that was given the name is
    /// meant, else the one that its network calls so; 400 where several people are called so. A text or a file costs
    /// one credit, both together two, given back if the message fails.
    #[oai(path = "/messages/to_chat_name", method = "post", operation_id = "send_message_to_chat_name", deprecated)]
    async fn to_chat_name(
        &self,
        caller: TokenAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<SendToChatNameRequest>,
    ) -> Result<Rendered<Envelope<SentView>>, WorkspaceFailure> {
        let command = body.read().and_then(SendToChatNameRequest::into_command);
        let (open, command) = match command {
            Ok((open, command)) => (open, Ok(command)),
            Err(error) => (Open::Nothing, Err(error)),
        };
        accept(&self.app, &caller, key.0.as_deref(), command, &open).await
    }
}

/// Accepts a message in a chat, from the chat's own account.
pub(super) async fn in_chat(
    app: &App,
    caller: &TokenAuth,
    chat_id: &str,
    key: Option<&str>,
    body: UnreadJson<SendInChatRequest>,
) -> Result<Rendered<Envelope<SentView>>, WorkspaceFailure> {
    let command = chat::parse_id(chat_id).and_then(|chat| {
        let mut body = body.read()?;
        body.content().into_command(Destination::Chat(chat), body.reply_to)
    });
    accept(app, caller, key, command, &Open::Nothing).await
}

/// Accepts a message of a member in a chat that it sees.
pub(super) async fn as_member_in_chat(
    app: &App,
    caller: &TokenAuth,
    chat_id: &str,
    key: Option<&str>,
    body: UnreadJson<SendAsMemberRequest>,
) -> Result<Rendered<Envelope<SentView>>, WorkspaceFailure> {
    let command =
        chat::parse_id(chat_id).and_then(|chat| body.read()?.content().into_command(Destination::Chat(chat), None));
    accept(app, caller, key, command, &Open::Member).await
}

/// Accepts a message of a member to a number, from an account that it may send from.
pub(super) async fn as_member_to_phone(
    app: &App,
    caller: &TokenAuth,
    key: Option<&str>,
    body: UnreadJson<SendToPhoneRequest>,
) -> Result<Rendered<Envelope<SentView>>, WorkspaceFailure> {
    let command = body.read().and_then(SendToPhoneRequest::into_command);
    accept(app, caller, key, command, &Open::Member).await
}

/// [`SendingApi::to_phone`] for a request that is no more than this body.
pub(super) async fn plain_to_phone(
    app: &App,
    caller: &TokenCaller,
    body: &[u8],
) -> Result<Rendered<Envelope<SentView>>, WorkspaceFailure> {
    let command = body::parse(body).and_then(SendToPhoneRequest::into_command);
    accept(app, caller, None, command, &Open::Nothing).await
}

async fn accept(
    app: &App,
    caller: &TokenCaller,
    key: Option<&str>,
    command: Result<SendMessage>,
    open: &Open,
) -> Result<Rendered<Envelope<SentView>>, WorkspaceFailure> {
    let parsed = command.and_then(|command| {
        let scope = caller.repeat_scope();
        let request = match open {
            Open::Nothing => Repeatable::new(scope, key, "send_message", &command)?,
            // Keys of requests that name no account stay what they were.
            Open::Chat { name, account: None } => {
                Repeatable::new(scope, key, "send_message_to_chat_name", &(name, &command))?
            }
            Open::Chat { name, account } => {
                Repeatable::new(scope, key, "send_message_to_chat_name", &(name, account, &command))?
            }
            Open::Member => Repeatable::new(scope, key, "send_message_as_member", &command)?,
        };
        Ok((command, request))
    });
    Ok(ok_rendered(hand_in(app, caller, parsed, open).await?))
}

/// Lets the call in and hands its message to the writer.
pub(super) async fn hand_in(
    app: &App,
    caller: &TokenCaller,
    parsed: Result<(SendMessage, Repeatable)>,
    open: &Open,
) -> Result<SentView> {
    let (command, request) = caller.understand(Scope::MessagesWrite, parsed).await?;
    let (caller, admitted) = caller.admit_sending(command.cost(), request.is_keyed()).await?;
    let command = match aim::settle(app, caller, command, open).await {
        Ok(command) => command,
        Err(error) => {
            send::give_up(app, caller, admitted.hold);
            return send::answered(app, &request).await?.map(SentView::new).ok_or(error);
        }
    };
    let sending = Sending { caller: Arc::clone(caller), hold: admitted.hold, command, request, author: Author::Caller };
    match send::send(app, sending).await {
        Ok(id) => Ok(SentView::new(id)),
        Err(error) => Err(Box::pin(aim::told(app, caller, open, error)).await),
    }
}
