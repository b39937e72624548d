//! Finding out where a message goes, where the request leaves that open: once its call was let in, so that nobody asks
//! the database for nothing.

use entity::channel;

use crate::{
    app::App,
    caller::WorkspaceCaller,
    channel as channels,
    chat::{
        self,
        visibility::{self, View},
    },
    error::{Error, Result},
    message::{Destination, SendMessage},
    phone::Phone,
};

/// What is left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Open {
    /// Nothing.
    Nothing,
    /// The chat: it is the one of this name.
    Chat {
        /// The name.
        name: String,
        /// The number of the account that it is a chat of; of any where absent.
        account: Option<Phone>,
    },
    /// Whether the caller's user may send there: only in chats that it sees, and only from its own accounts unless it
    /// is in charge of the workspace.
    Member,
}

/// The message with its destination.
///
/// # Errors
/// `chat_not_found`, `chat_name_ambiguous`, `account_not_found`, `channel_not_connected`.
pub async fn settle(app: &App, caller: &WorkspaceCaller, command: SendMessage, open: &Open) -> Result<SendMessage> {
    // On the heap, because most messages leave nothing open and shall not carry the size of those that do.
    let destination = match open {
        Open::Nothing => return Ok(command),
        Open::Chat { name, account } => {
            Destination::Chat(Box::pin(chat::by_name(app, caller.workspace.id, name, account.as_ref())).await?)
        }
        Open::Member => Box::pin(of_member(app, caller, command.destination)).await?,
    };
    Ok(SendMessage { destination, ..command })
}

/// Why a message was refused, without chats that the caller's user does not see.
pub async fn told(app: &App, caller: &WorkspaceCaller, open: &Open, error: Error) -> Error {
    let Error::ChatNameTaken { chat, .. } = &error else { return error };
    if *open != Open::Member {
        return error;
    }
    let (db, view) = (app.db.reader(), View::of(&caller.user));
    match visibility::require(db, caller.workspace.id, view, &chat.to_string()).await {
        Ok(_) => error,
        Err(Error::ChatNotFound(_)) => Error::field("chat_name", "is taken by another chat"),
        Err(other) => other,
    }
}

async fn of_member(app: &App, caller: &WorkspaceCaller, destination: Destination) -> Result<Destination> {
    let (db, workspace_id, view) = (app.db.reader(), caller.workspace.id, View::of(&caller.user));
    match destination {
        _ if view == View::All => Ok(destination),
        // No surface that asks for a member names channels.
        Destination::Channel { .. } => Err(Error::PermissionDenied("only those in charge write from any channel")),
        Destination::Chat(id) => {
            visibility::require(db, workspace_id, view, &id.to_string()).await?;
            Ok(destination)
        }
        Destination::Phone { phone, account } => {
            Ok(Destination::Phone { phone, account: Some(own_account(app, caller, view, account).await?) })
        }
        Destination::Jid { jid, account } => {
            Ok(Destination::Jid { jid, account: Some(own_account(app, caller, view, account).await?) })
        }
    }
}

/// The member's account of this number, or the one of its own that was connected last.
async fn own_account(app: &App, caller: &WorkspaceCaller, view: View, wanted: Option<Phone>) -> Result<Phone> {
    let all = channels::list(app, caller.workspace.id).await?.into_iter();
    let own = all.filter(|channel| view.shows(channel) && channel.is_whatsapp_account());
    if let Some(phone) = wanted {
        let mut own = own;
        let is_own = own.any(|channel| channel.phone == phone.as_str());
        return if is_own { Ok(phone) } else { Err(Error::AccountNotFound(phone.as_str().to_owned())) };
    }
    let usable = own.filter(channel::Model::is_open);
    let last = usable.max_by_key(|channel| (channel.connected_at, channel.account_id));
    Phone::parse(&last.ok_or(Error::ChannelNotConnected)?.phone)
}
