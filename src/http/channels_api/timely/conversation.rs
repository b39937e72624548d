//! Beginning a conversation from a channel.

use std::sync::Arc;

use entity::channel::Network;
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Header, Path},
    payload::Json,
};
use serde::Deserialize;

use crate::{
    app::App,
    channel::{
        capabilities::{self, With},
        named::look_up,
    },
    error::{Error, Result},
    http::{
        body::UnreadJson,
        channels_api::timely::{TimelyAuth, TimelyFailure, named},
    },
    idempotency::Repeatable,
    message::{
        Destination, Jid, SendMessage, Text, read,
        send::{self, Author, Sending},
    },
    token::Scope,
};

pub(super) struct ConversationApi {
    pub(super) app: Arc<App>,
}

/// A message that begins a conversation, or goes on with one.
#[derive(Object, Deserialize)]
#[oai(rename = "TimelyConversationRequest")]
struct Request {
    /// Who it is for: a number for WhatsApp, SMS and RCS, an address for e-mail, an id on the network otherwise.
    to: Option<String>,
    /// The text, at most 2000 characters: 1600 for SMS, 1000 for Instagram.
    message: Option<String>,
}

/// A message that was accepted.
#[derive(Object)]
#[oai(rename = "TimelyConversation")]
struct Accepted {
    /// Id of the conversation, the chat of the Workspace API.
    conversation_id: String,
    /// Id of the message.
    message_id: String,
}

/// A message was accepted.
#[derive(ApiResponse)]
enum Response {
    /// It is stored, charged, and on its way.
    #[oai(status = 201)]
    Done(Json<Accepted>),
}

#[OpenApi]
impl ConversationApi {
    /// Begin a conversation
    ///
    /// Or go on with the one that there is. Costs one credit, given back if the message fails. Needs the scope
    /// `messages:write`. 409 `CONFLICT` while the channel is not connected.
    #[oai(path = "/channels/:channel_id/conversation", method = "post", operation_id = "begin_conversation")]
    async fn begin(
        &self,
        caller: TimelyAuth,
        /// Id of the channel.
        channel_id: Path<String>,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<Request>,
    ) -> Result<Response, TimelyFailure> {
        let read_body = body.read().and_then(Request::into_parts);
        let (to, text) = caller.understand(Scope::MessagesWrite, read_body).await?;
        let workspace = caller.workspace_for(Scope::MessagesWrite)?;
        let command = self.command(workspace.id, &channel_id.0, &to, text).await;
        let parsed = command.and_then(|(command, network)| {
            let request = Repeatable::new(caller.repeat_scope(), key.0.as_deref(), "begin_conversation", &command)?;
            Ok((command, request, network))
        });
        let (command, request, network) = caller.understand(Scope::MessagesWrite, parsed).await?;
        let (sender, admitted) = caller.admit_sending(command.cost(), request.is_keyed()).await?;
        let sending =
            Sending { caller: Arc::clone(sender), hold: admitted.hold, command, request, author: Author::Caller };
        let id = send::send(&self.app, sending).await.map_err(|error| match error {
            Error::ChannelNotConnected => Error::AccountNotConnected(network),
            error => error,
        })?;
        let sent = read::find(self.app.db.reader(), sender.workspace.id, id).await?;
        let sent = sent.ok_or_else(|| Error::Internal("an accepted message is not there".to_owned()))?;
        Ok(Response::Done(Json(Accepted { conversation_id: sent.chat_id.to_string(), message_id: id.to_string() })))
    }
}

impl ConversationApi {
    async fn command(
        &self,
        workspace_id: entity::id::WorkspaceId,
        channel_id: &str,
        to: &str,
        text: Text,
    ) -> Result<(SendMessage, Network)> {
        let channel = look_up(&self.app, workspace_id, &named(channel_id)).await?;
        capabilities::check_text(channel.network, text.as_str(), With::Nothing, "message")?;
        let jid = Jid::on(channel.network, to)?;
        let command = SendMessage {
            destination: Destination::Channel { account_id: channel.account_id, jid },
            text: Some(text),
            file: None,
            label: None,
            chat_name: None,
            reply_to: None,
        };
        Ok((command, channel.network))
    }
}

impl Request {
    fn into_parts(self) -> Result<(String, Text)> {
        let to = self.to.ok_or_else(|| Error::field("to", "is required"))?;
        let message = self.message.ok_or_else(|| Error::field("message", "is required"))?;
        let text = Text::parse(message).map_err(|error| match error {
            Error::InvalidField { reason, .. } => Error::field("message", reason),
            error => error,
        })?;
        Ok((to, text))
    }
}
