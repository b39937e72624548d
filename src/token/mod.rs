//! API tokens: 256 random bits behind `qm_`, looked up by SHA-256, never logged.
//!
//! Checked tokens are remembered ([`access`]); whatever changes what they may do makes every replica forget them.

use std::str::FromStr;

use entity::{
    id::{TokenId, UserId},
    timestamp::Timestamp,
};
use secrecy::SecretString;
use strum::{Display, EnumIter, EnumString, IntoEnumIterator};

use crate::error::{Error, Result};

pub mod access;
pub mod admin;
pub mod check;
pub mod operator;
pub mod partner_api;
mod store;

/// How a workspace token begins.
pub(crate) const PREFIX: &str = "qm_";

/// A right of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Display, EnumIter, EnumString)]
pub enum Scope {
    /// Workspace, quotas, teammates.
    #[strum(serialize = "workspace:read")]
    WorkspaceRead,
    /// Inviting teammates.
    #[strum(serialize = "workspace:write")]
    WorkspaceWrite,
    /// Connected accounts.
    #[strum(serialize = "accounts:read")]
    AccountsRead,
    /// Chats.
    #[strum(serialize = "chats:read")]
    ChatsRead,
    /// Changing chats: their names, labels and notes, and who looks after them.
    #[strum(serialize = "chats:write")]
    ChatsWrite,
    /// Messages and what became of them, and text templates.
    #[strum(serialize = "messages:read")]
    MessagesRead,
    /// Sending, reacting, and writing text templates.
    #[strum(serialize = "messages:write")]
    MessagesWrite,
    /// Files.
    #[strum(serialize = "files:read")]
    FilesRead,
    /// Uploading and deleting files.
    #[strum(serialize = "files:write")]
    FilesWrite,
    /// Webhooks and what was sent to them.
    #[strum(serialize = "webhooks:read")]
    WebhooksRead,
    /// Subscribing, changing and ending webhooks, sending again.
    #[strum(serialize = "webhooks:write")]
    WebhooksWrite,
    /// Bots, and which channels they answer on.
    #[strum(serialize = "agents:read")]
    AgentsRead,
    /// Making, changing and deleting bots, and giving them to channels.
    #[strum(serialize = "agents:write")]
    AgentsWrite,
    /// Channels, how they are set up and how they fare.
    #[strum(serialize = "channels:read")]
    ChannelsRead,
    /// Making, changing, connecting and deleting channels.
    #[strum(serialize = "channels:write")]
    ChannelsWrite,
}

impl Scope {
    /// The scope on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WorkspaceRead => "workspace:read",
            Self::WorkspaceWrite => "workspace:write",
            Self::AccountsRead => "accounts:read",
            Self::ChatsRead => "chats:read",
            Self::ChatsWrite => "chats:write",
            Self::MessagesRead => "messages:read",
            Self::MessagesWrite => "messages:write",
            Self::FilesRead => "files:read",
            Self::FilesWrite => "files:write",
            Self::WebhooksRead => "webhooks:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::AgentsRead => "agents:read",
            Self::AgentsWrite => "agents:write",
            Self::ChannelsRead => "channels:read",
            Self::ChannelsWrite => "channels:write",
        }
    }
}

/// What a token may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Everything there is.
    #[must_use]
    pub fn all() -> Self {
        Self(Scope::iter().collect())
    }

    /// Reads scopes separated by commas or spaces; `all` stands for everything.
    ///
    /// # Errors
    /// `invalid_request` naming `scopes`.
    pub fn parse(text: &str) -> Result<Self> {
        if text.trim() == "all" {
            return Ok(Self::all());
        }
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let mut scopes = words
            .map(|word| Scope::from_str(word).map_err(|_| Error::field("scopes", format!("{word:?} is not a scope"))))
            .collect::<Result<Vec<Scope>>>()?;
        scopes.sort();
        scopes.dedup();
        if scopes.is_empty() {
            Err(Error::field("scopes", "must name at least one scope, or all"))
        } else {
            Ok(Self(scopes))
        }
    }

    /// Reads what is stored; a scope that this release does not know gives no right.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.split(' ').filter_map(|word| Scope::from_str(word).ok()).collect())
    }

    /// As it is stored and shown.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.0.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Passes if the scope is among them.
    ///
    /// # Errors
    /// `insufficient_scope`.
    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.0.contains(&scope) { Ok(()) } else { Err(Error::InsufficientScope(scope.as_str())) }
    }
}

/// A token that was just made. The only time it is shown, but for the Partner API's own.
pub struct NewToken {
    /// Its id.
    pub id: TokenId,
    /// The token.
    pub token: SecretString,
    /// As whom it acts.
    pub user_id: UserId,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_known_words() {
        assert_eq!(Scopes::parse("all").expect("scopes"), Scopes::all());
        let one = Scopes::parse("accounts:read, accounts:read").expect("scopes");
        assert_eq!(one.to_text(), "accounts:read");
        assert_eq!(Scopes::from_stored(&one.to_text()), one);
        assert!(one.require(Scope::AccountsRead).is_ok());
        assert!(matches!(one.require(Scope::WorkspaceRead), Err(Error::InsufficientScope("workspace:read"))));
        assert!(Scopes::parse("").is_err());
        assert!(Scopes::parse("root").is_err());
    }
}
