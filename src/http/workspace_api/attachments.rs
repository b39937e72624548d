//! Sending a file that comes with the request (`contracts/timelines.md` §3.6).

use std::sync::Arc;

use entity::{file::Kind, id::ChatId};
use poem_openapi::{
    OpenApi,
    param::{Header, Path},
    payload::Json,
};
use serde::Serialize;

use crate::{
    app::App,
    chat,
    error::{Error, Result},
    file::{
        delete,
        keep::{self, NewFile},
    },
    http::workspace_api::{
        Envelope,
        auth::TokenAuth,
        dialect::WorkspaceFailure,
        ok,
        sending::{self, SentView},
        uploads::{Form, UnreadForm},
    },
    idempotency::Repeatable,
    message::{Destination, SendMessage, Text, aim::Open},
    token::Scope,
};

pub(super) struct AttachmentsApi {
    pub(super) app: Arc<App>,
}

/// Everything that decides what a request asks for; the file's uid is another each time.
#[derive(Serialize)]
struct Asked<'a> {
    chat: ChatId,
    kind: Kind,
    sha256: &'a [u8],
    filename: &'a str,
    content_type: &'static str,
    caption: Option<&'a str>,
}

#[OpenApi]
impl AttachmentsApi {
    /// Send a file in a chat
    ///
    /// As a document, whatever it is, with a caption of at most 2000 characters. From the chat's own account. Costs
    /// one credit, two with a caption, given back if the message fails.
    #[oai(path = "/chats/:chat_id/file_message", method = "post", operation_id = "send_file_in_chat")]
    async fn file(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadForm,
    ) -> Result<Json<Envelope<SentView>>, WorkspaceFailure> {
        self.send(&caller, &chat_id.0, key.0.as_deref(), body, Kind::Document).await
    }

    /// Send a voice message in a chat
    ///
    /// An ogg, oga or mp3 file. A `caption` is ignored, as other fields that are not known are: a voice message has no
    /// text. From the chat's own account. Costs one credit, given back if the message fails.
    #[oai(path = "/chats/:chat_id/voice_message", method = "post", operation_id = "send_voice_in_chat")]
    async fn voice(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadForm,
    ) -> Result<Json<Envelope<SentView>>, WorkspaceFailure> {
        self.send(&caller, &chat_id.0, key.0.as_deref(), body, Kind::Voice).await
    }
}

impl AttachmentsApi {
    async fn send(
        &self,
        caller: &TokenAuth,
        chat_id: &str,
        key: Option<&str>,
        body: UnreadForm,
        kind: Kind,
    ) -> Result<Json<Envelope<SentView>>, WorkspaceFailure> {
        let app = &self.app;
        // What it costs is known when the form has been read, so that is when the call is let in; only one place of
        // the few for uploads is taken till then.
        let workspace = caller.workspace_for(Scope::MessagesWrite)?;
        let parsed = async {
            let chat = chat::parse_id(chat_id)?;
            chat::find(app.db.reader(), workspace.id, chat).await?.ok_or(Error::ChatNotFound(chat_id.to_owned()))?;
            let form = body.read(app, workspace.id).await?;
            self.keep(caller, chat, key, form, kind).await
        };
        let parsed = parsed.await;
        let file = parsed.as_ref().ok().and_then(|(command, _)| command.file);
        let sent = sending::hand_in(app, caller, parsed, &Open::Nothing).await;
        if let Some(id) = file {
            // A request that came before, or one that was refused, has not used it.
            delete::discard_unless_carried(app, workspace.id, id).await;
        }
        Ok(ok(sent.map_err(in_form)?))
    }

    /// Makes the file and the message that carries it.
    async fn keep(
        &self,
        caller: &TokenAuth,
        chat: ChatId,
        key: Option<&str>,
        form: Form,
        kind: Kind,
    ) -> Result<(SendMessage, Repeatable)> {
        let understood = understand(caller, chat, key, &form, kind);
        let (media, filename, text, request) = match understood {
            Ok(understood) => understood,
            Err(error) => {
                form.stored.discard(&self.app).await;
                return Err(error);
            }
        };
        let workspace_caller = caller.unmetered();
        let new = NewFile {
            workspace: &workspace_caller.workspace,
            user_id: Some(workspace_caller.user.id),
            filename,
            content_type: media.content_type().into(),
            kind,
            is_provisional: true,
        };
        let id = keep::keep(&self.app, &caller.origin(), form.stored, &new, &Repeatable::never()).await?;
        let destination = Destination::Chat(chat);
        let command = SendMessage { destination, text, file: Some(id), label: None, chat_name: None, reply_to: None };
        Ok((command, request))
    }
}

/// The same error with what a form calls the parts of a message.
fn in_form(error: Error) -> Error {
    match error {
        Error::InvalidField { field: "file_uid", reason } => Error::field("file", reason),
        Error::InvalidField { field: "text", reason } => Error::field("caption", reason),
        error => error,
    }
}

type Understood = (crate::file::media::Media, crate::file::FileName, Option<Text>, Repeatable);

fn understand(caller: &TokenAuth, chat: ChatId, key: Option<&str>, form: &Form, kind: Kind) -> Result<Understood> {
    let (media, filename) = form.described()?;
    if kind == Kind::Voice && !media.is_voice() {
        return Err(Error::field("file", "must be ogg, oga or mp3"));
    }
    let caption = form.caption.as_deref().filter(|caption| kind != Kind::Voice && !caption.trim().is_empty());
    let text = caption.map(|caption| Text::parse(caption.to_owned())).transpose().map_err(in_form)?;
    let asked = Asked {
        chat,
        kind,
        sha256: &form.stored.sha256,
        filename: filename.as_str(),
        content_type: media.content_type(),
        caption,
    };
    let request = Repeatable::new(caller.repeat_scope(), key, "send_file", &asked)?;
    Ok((media, filename, text, request))
}
