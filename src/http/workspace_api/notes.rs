//! Notes in chats (`contracts/timelines.md` §3.6). They are read back among the messages of their chat.

use std::sync::Arc;

use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    payload::Json,
};
use serde::Deserialize;

use crate::{
    app::App,
    error::Result,
    http::{
        body::{Either, JsonOrText},
        workspace_api::{Envelope, auth::TokenAuth, dialect::WorkspaceFailure, ok, sending::SentView},
    },
    idempotency::Repeatable,
    message::note::{self, WriteNote},
    token::Scope,
};

pub(super) struct NotesApi {
    pub(super) app: Arc<App>,
}

/// A note.
#[derive(Object, Deserialize)]
struct NoteRequest {
    /// The text, at most 10000 characters.
    text: String,
    /// Whether it is for the team only, which it is unless this says otherwise. Notes are never sent.
    is_private: Option<bool>,
}

#[OpenApi]
impl NotesApi {
    /// Write a note into a chat
    ///
    /// As JSON or as plain text. It is shown in the history of the chat, is never sent and costs nothing.
    #[oai(path = "/chats/:chat_id/notes", method = "post", operation_id = "write_note")]
    async fn write(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonOrText<NoteRequest>,
    ) -> Result<Json<Envelope<SentView>>, WorkspaceFailure> {
        let command = body.read().and_then(|body| match body {
            Either::Object(body) => WriteNote::parse(&chat_id.0, body.text, body.is_private),
            Either::Text(text) => WriteNote::parse(&chat_id.0, text, None),
        });
        let parsed = command.and_then(|command| {
            let request = Repeatable::new(caller.repeat_scope(), key.0.as_deref(), "write_note", &command)?;
            Ok((command, request))
        });
        let (command, request) = caller.understand(Scope::ChatsWrite, parsed).await?;
        let (origin, caller) = (caller.origin(), caller.admit(Scope::ChatsWrite).await?);
        let id = note::write(&self.app, caller, &origin, &command, &request).await?;
        Ok(ok(SentView::new(id)))
    }
}
