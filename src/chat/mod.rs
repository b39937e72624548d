//! Chats: conversations of a workspace's account with a person or a group.
//!
//! A chat belongs to the account that it is held with for good; that account sends what is sent to it. Here they are
//! read and changed; sending and receiving make them. What comes, a missed call too, leaves a chat unread and open; what
//! is sent leaves it read, and stops its automatic answers until they are switched on again; what a bot answers does
//! neither. How many have come since a chat was last read is counted, missed calls too; one that is marked as unread by
//! hand counts none. Labels are put on a chat by callers only: what comes neither puts any on it nor takes any off. There
//! are no contacts beside chats: who writes is known by the chat with them, and in a group as its member.

use entity::{
    call, channel,
    chat::Model,
    file,
    id::{AccountId, ChatId, WorkspaceId},
    message,
    timestamp::Timestamp,
    user,
};
use sea_orm::{
    ExprTrait,
    sea_query::{CaseStatement, Expr},
};

use crate::{
    app::App,
    channel as channels,
    chat::visibility::View,
    error::{Error, Result},
    message::read,
    phone::Phone,
    workspace::fold,
};

pub mod details;
pub mod filter;
pub mod labels;
pub mod list;
pub mod listing;
mod store;
pub mod update;
pub mod visibility;

pub(crate) use listing::matching;
pub(crate) use store::{
    by_ids, find, hold_labels, labels_of, lock, of_names, remember_member, stop_autoresponse, tell_name,
};

/// Networks' words, behind the `@` of an id, for what only its owner can write to.
const ONE_WAY_SERVERS: [&str; 2] = ["broadcast", "newsletter"];

const HOUR_MICROS: i64 = 3_600_000_000;

/// How long somebody waits for an automatic answer before their chat counts as unattended, in seconds: longer than an
/// answer takes as a rule.
pub const UNATTENDED_AFTER_SECONDS: i64 = 60;

/// Whether somebody who waits for an automatic answer since then has waited too long.
#[must_use]
pub(crate) fn is_unattended(waiting_since: Option<Timestamp>, now: Timestamp) -> bool {
    waiting_since.is_some_and(|since| since.plus_seconds(UNATTENDED_AFTER_SECONDS) <= now)
}

/// The hour that an instant lies in, by which chats are kept in order. An index on the instants themselves would be
/// written with every message.
#[must_use]
pub(crate) const fn hour_of(at: Timestamp) -> i64 {
    at.0 / HOUR_MICROS
}

/// How much of a chat is unread with what has just come: nothing was in one that had been read.
pub(crate) fn one_more_unread() -> Expr {
    use entity::chat::Column;
    let more = Expr::col(Column::Unread).add(1);
    CaseStatement::new().case(Expr::col(Column::Read), 1).finally(more).into()
}

/// A chat with the account that it is held with.
#[derive(Clone, Debug)]
pub struct ChatWithAccount {
    /// The chat.
    pub chat: Model,
    /// The account.
    pub channel: channel::Model,
    /// The user whose account it is.
    pub owner: user::Model,
}

impl ChatWithAccount {
    /// Whether what is sent to it would be accepted: the account works, and the other side can be written to.
    #[must_use]
    pub fn is_allowed_to_message(&self) -> bool {
        let server = self.chat.jid.rsplit_once('@').map_or("", |(_, server)| server);
        self.channel.is_open() && !ONE_WAY_SERVERS.contains(&server)
    }
}

/// A chat with everything that it is shown with.
#[derive(Clone, Debug)]
pub struct ChatDetails {
    /// The chat and its account.
    pub held: ChatWithAccount,
    /// Its labels, in order.
    pub labels: Vec<String>,
    /// Who looks after it.
    pub responsible: Option<user::Model>,
    /// Of a group: those of its members that are known, because they have written in it.
    pub members: Vec<Member>,
    /// Its newest message, where it was asked for.
    pub last_message: Option<LastMessage>,
    /// Since when the other side waits for an automatic answer: its newest message came from there, or was a call that
    /// was missed, and the chat is answered automatically.
    pub waiting_since: Option<Timestamp>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub phone: String,
    /// The direct chat with it through the same account, and what that is called; absent where it is not seen.
    pub direct: Option<(ChatId, String)>,
}

/// The newest message of a chat.
#[derive(Clone, Debug)]
pub struct LastMessage {
    /// The message.
    pub message: message::Model,
    /// The user as whom it was sent.
    pub author: Option<user::Model>,
    /// The file that it carries, as long as it is kept.
    pub file: Option<file::Model>,
    /// The call that it stands for.
    pub call: Option<call::Model>,
}

/// Reads a chat's id as it stands in a path.
///
/// # Errors
/// `chat_not_found`: what is no number is nobody's chat.
pub fn parse_id(text: &str) -> Result<ChatId> {
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.ok_or_else(|| Error::ChatNotFound(text.to_owned()))
}

/// The chat of this name, without regard to case: the one that was given it, else the one whose network calls it so.
/// Anybody can have a network call them by a name, so of several people that are called so nobody is meant; of several
/// chats with one of them, each over an account of its own, it is the one with the newest message. Where the number of
/// an account is named, only chats of that account are looked at.
///
/// # Errors
/// `account_not_found`; `chat_not_found`; `chat_name_ambiguous`.
pub async fn by_name(app: &App, workspace_id: WorkspaceId, name: &str, account: Option<&Phone>) -> Result<ChatId> {
    let (db, folded) = (app.db.reader(), fold(name.trim()));
    let account = match account {
        Some(phone) => Some(account_of(app, workspace_id, phone).await?),
        None => None,
    };
    let found = store::by_name(db, workspace_id, &folded, account).await?;
    let chat = found.ok_or_else(|| Error::ChatNameNotFound(name.to_owned()))?;
    if !chat.name_given && store::has_namesake(db, &chat, account).await? {
        return Err(Error::ChatNameAmbiguous(name.to_owned()));
    }
    Ok(chat.id)
}

/// The WhatsApp account of this number.
async fn account_of(app: &App, workspace_id: WorkspaceId, phone: &Phone) -> Result<AccountId> {
    let mut accounts = channels::whatsapp_accounts(app, workspace_id).await?.into_iter();
    let found = accounts.find(|account| account.phone == phone.as_str());
    found.map(|account| account.account_id).ok_or_else(|| Error::AccountNotFound(phone.as_str().to_owned()))
}

/// One chat.
///
/// # Errors
/// `chat_not_found`.
pub async fn get(app: &App, workspace_id: WorkspaceId, id: &str) -> Result<ChatDetails> {
    let db = app.db.reader();
    let not_found = || Error::ChatNotFound(id.to_owned());
    let chat = find(db, workspace_id, parse_id(id)?).await?.ok_or_else(not_found)?;
    let mut details = details::details(db, workspace_id, View::All, vec![chat], read::ById::new()).await?;
    details.pop().ok_or_else(not_found)
}
