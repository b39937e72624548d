//! Which chats a member sees, where a surface asks on behalf of one (`/v2` of the Workspace API).
//!
//! The rule: those in charge of the workspace, its owner and its admins, see all chats. An agent sees the chats that it
//! is responsible for, and those of its own accounts. What it does not see does not exist for it: it is neither listed
//! nor read, and a group that it sees names no direct chat that it does not see.

use entity::{
    channel, chat,
    id::{ChatId, UserId, WorkspaceId},
    user,
};
use sea_orm::ConnectionTrait;

use crate::{
    chat::{parse_id, store},
    error::{Error, Result},
};

/// Which chats are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// All of the workspace.
    #[default]
    All,
    /// Those of this member.
    Of(UserId),
}

impl View {
    /// What this user sees.
    #[must_use]
    pub const fn of(user: &user::Model) -> Self {
        if user.is_in_charge() { Self::All } else { Self::Of(user.id) }
    }

    /// Whether the chats of this account are seen.
    #[must_use]
    pub fn shows(self, channel: &channel::Model) -> bool {
        match self {
            Self::All => true,
            Self::Of(user_id) => channel.user_id == user_id,
        }
    }

    /// Whether this chat, which is held with this account, is seen.
    #[must_use]
    pub fn shows_chat(self, chat: &chat::Model, channel: &channel::Model) -> bool {
        match self {
            Self::All => true,
            Self::Of(user_id) => chat.responsible_user_id == Some(user_id) || self.shows(channel),
        }
    }
}

/// The chat of this number, if it is seen.
///
/// # Errors
/// `chat_not_found`, for a chat that is there but not seen too.
pub async fn require(db: &impl ConnectionTrait, workspace_id: WorkspaceId, view: View, id: &str) -> Result<ChatId> {
    let found = store::visible(db, workspace_id, view, parse_id(id)?).await?;
    found.ok_or_else(|| Error::ChatNotFound(id.to_owned()))
}
