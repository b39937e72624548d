//! Notes: written into a chat's history for the team. They are stored like messages, but never sent, cost nothing and
//! are not the newest message of their chat: whoever looks for silent chats must not find them busy with notes.

use entity::{
    id::{ChatId, MessageId},
    message::{ActiveModel, Direction, Entity, Kind, Status},
};
use sea_orm::{DatabaseTransaction, EntityTrait, Set};
use serde::Serialize;
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    chat, db,
    error::{Error, Result},
    idempotency::Repeatable,
    message::check,
};

/// Longest note, in characters.
pub const MAX_NOTE_CHARS: usize = 10_000;
/// What the wire calls where notes are written.
const ORIGIN: &str = "Public API";
/// What it calls notes about bots.
const BOT_ORIGIN: &str = "Bot";

/// A note to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WriteNote {
    chat: ChatId,
    text: String,
    is_private: bool,
}

impl WriteNote {
    /// Reads a note of 1 to 10000 characters for a chat; for the team only unless it says otherwise.
    ///
    /// # Errors
    /// `chat_not_found` for what is no number; `invalid_request` naming `text`.
    pub fn parse(chat: &str, text: String, is_private: Option<bool>) -> Result<Self> {
        let chat = chat::parse_id(chat)?;
        check("text", &text, MAX_NOTE_CHARS)?;
        if text.trim().is_empty() {
            return Err(Error::field("text", "must not be empty"));
        }
        Ok(Self { chat, text, is_private: is_private.unwrap_or(true) })
    }
}

/// Writes a note.
///
/// # Errors
/// `chat_not_found`, `idempotency_key_reused`.
pub async fn write(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    command: &WriteNote,
    request: &Repeatable,
) -> Result<MessageId> {
    db::retried(|| write_once(app, caller, origin, command, request)).await
}

async fn write_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    command: &WriteNote,
    request: &Repeatable,
) -> Result<MessageId> {
    db::write(&app.db, "chat.note", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let chat = chat::find(tx, caller.workspace.id, command.chat).await?;
        let chat = chat.ok_or_else(|| Error::ChatNotFound(command.chat.to_string()))?;
        let author = ActiveModel {
            is_private: Set(Some(command.is_private)),
            origin: Set(ORIGIN.to_owned()),
            user_id: Set(Some(caller.user.id)),
            ..Default::default()
        };
        let id = insert(app, tx, &chat, &command.text, author).await?;
        let entry = audit::Entry::in_workspace("chat.note", &caller.workspace, chat.id)
            .after(json!({ "message_id": id, "is_private": command.is_private }));
        audit::record(app, tx, origin, entry).await?;
        request.finish(app, tx, &id).await?;
        Ok(id)
    })
    .await
}

/// Leaves a note of the platform's own for the team; whoever causes it writes the audit.
///
/// # Errors
/// What the database says.
pub(crate) async fn leave(
    app: &App,
    tx: &DatabaseTransaction,
    chat: &entity::chat::Model,
    text: &str,
) -> Result<MessageId> {
    let author = ActiveModel {
        is_private: Set(Some(true)),
        origin: Set(BOT_ORIGIN.to_owned()),
        user_id: Set(None),
        ..Default::default()
    };
    insert(app, tx, chat, text, author).await
}

async fn insert(
    app: &App,
    tx: &DatabaseTransaction,
    chat: &entity::chat::Model,
    text: &str,
    author: ActiveModel,
) -> Result<MessageId> {
    let (id, now) = (MessageId(app.clock.uuid()), app.clock.now());
    let row = ActiveModel {
        id: Set(id),
        workspace_id: Set(chat.workspace_id),
        account_id: Set(chat.account_id),
        chat_id: Set(chat.id),
        direction: Set(Direction::Sent),
        status: Set(Status::Sent),
        kind: Set(Some(Kind::Note)),
        text: Set(Some(text.to_owned())),
        tries: Set(0),
        created_at: Set(now),
        updated_at: Set(now),
        ..author
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_have_a_length_and_are_private_unless_they_say_so() {
        let parse = |text: &str| WriteNote::parse("7", text.to_owned(), None);
        assert!(parse(&"ä".repeat(MAX_NOTE_CHARS)).expect("a note").is_private);
        assert!(!WriteNote::parse("7", "x".to_owned(), Some(false)).expect("a note").is_private);
        for bad in ["", " \n", "a\0", &"x".repeat(MAX_NOTE_CHARS + 1)] {
            assert!(parse(bad).is_err());
        }
        assert!(WriteNote::parse("x", "x".to_owned(), None).is_err());
    }
}
