//! Search: chats by their names and numbers, and by words of their messages and notes.
//!
//! Names and numbers are looked through as they are, like the filters of the list do, so a renamed chat is found at
//! once. Words are looked up in an index that follows the messages within a second or two ([`index`]).
//!
//! - A word is a run of letters and digits, without regard to case; each Chinese or Japanese character is one by
//!   itself. Both databases are given words that are cut here, so they find alike.
//! - All words of a question must be in one message, in any order. A word that ends in `*` stands for all that begin
//!   so, three characters at least; whole words cost the same however often they occur.
//! - Of each kind the newest 500 hits are looked at: a word that occurs everywhere must not cost more than a rare one.
//! - Chats that are called so come first, then those in which it was written; the newest first among either.

use std::collections::HashMap;

use entity::{
    file,
    id::{ChatId, MessageId, WorkspaceId},
    message, user,
};

use crate::{
    app::App,
    chat::{self, ChatDetails, visibility::View},
    db,
    error::{Error, Result},
    file as files,
    message::read,
    page::{NumberedPage, PageNumber},
    user as users,
    workspace::{composed, fold},
};

pub mod index;
mod numbers;
mod store;
mod words;

pub use store::messages;
pub use words::Word;

/// Longest question, in characters.
pub const MAX_QUESTION_CHARS: usize = 256;
/// Most words of one question.
pub const MAX_WORDS: usize = 16;
/// Most hits of each kind that are looked at.
pub const MAX_HITS: u64 = 500;
/// Fewest digits that are looked for in numbers.
const MIN_DIGITS: usize = 3;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Part of a name, folded.
    name: String,
    /// Part of a number.
    digits: Option<String>,
    /// Words of a message.
    words: Vec<Word>,
}

impl Question {
    /// Reads a question of 1 to 256 characters with at most 16 words.
    ///
    /// # Errors
    /// `invalid_request` naming `q`.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if !(1..=MAX_QUESTION_CHARS).contains(&text.chars().count()) || text.contains('\0') {
            let reason = format!("must be 1 to {MAX_QUESTION_CHARS} characters, without U+0000");
            return Err(Error::field("q", reason));
        }
        let words = words::of_question(text)?;
        if words.len() > MAX_WORDS {
            return Err(Error::field("q", format!("must be at most {MAX_WORDS} words")));
        }
        Ok(Self { name: fold(&composed(text)), digits: digits(text), words })
    }
}

/// The digits of what could be a part of a number, without leading zeros.
fn digits(text: &str) -> Option<String> {
    let is_part = |char: char| char.is_ascii_digit() || matches!(char, '+' | ' ' | '-' | '.' | '/' | '(' | ')');
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    (text.chars().all(is_part) && digits.len() >= MIN_DIGITS).then(|| digits.to_owned())
}

/// A chat that was found.
pub struct Hit {
    /// The chat.
    pub chat: ChatDetails,
    /// The newest message with the words; absent where none has them.
    pub message: Option<FoundMessage>,
}

/// A message that was found.
pub struct FoundMessage {
    /// The message.
    pub message: message::Model,
    /// The user as whom it was sent.
    pub author: Option<user::Model>,
    /// The file that it carries, as long as it is kept.
    pub file: Option<file::Model>,
}

/// One page of the chats that answer a question.
///
/// # Errors
/// What the database says.
pub async fn find(
    app: &App,
    workspace_id: WorkspaceId,
    question: &Question,
    page: PageNumber,
) -> Result<NumberedPage<Hit>> {
    let (name, digits) = (question.name.as_str(), question.digits.as_deref());
    let db = app.db.reader();
    let named = db::snapshot(&app.db, async |tx| chat::matching(tx, workspace_id, name, digits, MAX_HITS).await);
    let written = async {
        match question.words.as_slice() {
            [] => Ok(Vec::new()),
            words => store::messages(db, workspace_id, words, MAX_HITS).await,
        }
    };
    let (named, written) = tokio::try_join!(named, written)?;
    let NumberedPage { items, has_more_pages } = on_page(merged(named.into_iter(), &written), page);
    let mut chats = chat::by_ids(db, workspace_id, items.iter().map(|(id, _)| *id)).await?;
    let in_order = items.iter().filter_map(|(id, _)| chats.remove(id)).collect();
    let details = chat::details::details(db, workspace_id, View::All, in_order, read::ById::new()).await?;
    let shown: HashMap<ChatId, MessageId> = items.into_iter().filter_map(|(id, hit)| Some((id, hit?))).collect();
    let mut messages = read::by_ids(db, workspace_id, shown.values().copied()).await?;
    let authors = users::by_ids(db, workspace_id, messages.values().filter_map(|one| one.user_id)).await?;
    let carried = files::by_ids(db, workspace_id, messages.values().filter_map(|one| one.file_id)).await?;
    let hit = |chat: ChatDetails| {
        let message = shown.get(&chat.held.chat.id).and_then(|id| messages.remove(id));
        let found = |message: message::Model| {
            let author = message.user_id.and_then(|id| authors.get(&id)).cloned();
            let file = message.file_id.and_then(|id| carried.get(&id)).cloned();
            FoundMessage { message, author, file }
        };
        Hit { chat, message: message.map(found) }
    };
    Ok(NumberedPage { items: details.into_iter().map(hit).collect(), has_more_pages })
}

/// Chats by name, then chats by message, each once and with its newest message.
fn merged(named: impl Iterator<Item = ChatId>, written: &[(MessageId, ChatId)]) -> Vec<(ChatId, Option<MessageId>)> {
    let mut newest: HashMap<ChatId, MessageId> = HashMap::new();
    for (message, chat) in written {
        newest.entry(*chat).or_insert(*message);
    }
    let mut found: Vec<(ChatId, Option<MessageId>)> = named.map(|id| (id, newest.remove(&id))).collect();
    let others = written.iter().filter_map(|(_, chat)| Some((*chat, Some(newest.remove(chat)?))));
    found.extend(others);
    found
}

fn on_page<T>(items: Vec<T>, page: PageNumber) -> NumberedPage<T> {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let rows = items.into_iter().skip(number(page.offset())).take(number(PageNumber::SIZE).saturating_add(1));
    NumberedPage::of(rows.collect())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn questions_are_bounded_and_numbers_are_known() {
        let digits = |text: &str| Question::parse(text).expect("a question").digits;
        assert_eq!(digits("+49 (30) 12-34").as_deref(), Some("49301234"));
        assert_eq!(digits("0049").as_deref(), None);
        assert_eq!(digits("00493").as_deref(), Some("493"));
        assert_eq!(digits("order 4930"), None);
        assert_eq!(Question::parse(" Ökö ").expect("a question").name, "ökö");
        assert!(Question::parse("?!").expect("a question").words.is_empty());
        let some = |count: usize| (0..count).map(|number| format!("w{number} ")).collect::<String>();
        let (most, many) = (some(MAX_WORDS), some(MAX_WORDS + 1));
        assert!(Question::parse(&most).is_ok());
        for bad in ["", "  ", "a\0", many.as_str(), &"x".repeat(MAX_QUESTION_CHARS + 1)] {
            assert!(Question::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_chat_is_found_once_and_names_come_first() {
        let message = |number: u128| MessageId(Uuid::from_u128(number));
        let written = [(message(9), ChatId(3)), (message(8), ChatId(1)), (message(7), ChatId(3))];
        let found = merged([ChatId(2), ChatId(1)].into_iter(), &written);
        assert_eq!(found, [(ChatId(2), None), (ChatId(1), Some(message(8))), (ChatId(3), Some(message(9)))]);
    }
}
