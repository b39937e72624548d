//! What a visitor gets to see: their own window, and nobody else's.

use std::collections::HashMap;

use entity::{
    file,
    id::{MessageId, VisitorId},
    message, webchat_entry,
};

use crate::{
    app::App,
    channel::widget::Widget,
    connector::webchat::store::{self, Part},
    error::{Error, Result},
    file as files,
    message::read,
};

/// Most entries of one page.
pub const MAX_PAGE: u64 = 100;

/// A message in a visitor's window.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place there.
    pub number: i64,
    /// The message.
    pub message: message::Model,
    /// Its file, as long as that is kept.
    pub file: Option<file::Model>,
    /// The message of the same window that it answers, and the place of that.
    pub answered: Option<(i64, message::Model)>,
}

/// A page of a window.
#[derive(Clone, Debug)]
pub struct Page {
    /// The entries, in their order.
    pub entries: Vec<Entry>,
    /// Whether there are more before them.
    pub has_more: bool,
}

/// The last entries before a number, or the last of all.
///
/// # Errors
/// What the database says.
pub async fn page(app: &App, widget: &Widget, id: VisitorId, before: Option<i64>, most: u64) -> Result<Page> {
    let before = before.unwrap_or(i64::MAX);
    let mut rows = store::entries(app.db.reader(), id, Part::Before(before), most + 1).await?;
    let has_more = rows.len() > usize::try_from(most).unwrap_or(usize::MAX);
    if has_more {
        rows.remove(0);
    }
    Ok(Page { entries: described(app, widget, id, rows).await?, has_more })
}

/// The first entries after a number, at most [`MAX_PAGE`].
///
/// # Errors
/// What the database says.
pub async fn after(app: &App, widget: &Widget, id: VisitorId, number: i64) -> Result<Vec<Entry>> {
    let rows = store::entries(app.db.reader(), id, Part::After(number), MAX_PAGE).await?;
    described(app, widget, id, rows).await
}

/// The number of a visitor's last entry; 0 before the first.
///
/// # Errors
/// What the database says.
pub async fn last(app: &App, widget: &Widget, id: VisitorId) -> Result<i64> {
    let visitor = store::find(app.db.reader(), widget.channel.account_id, id).await?;
    Ok(visitor.map_or(0, |visitor| visitor.last_entry))
}

/// The provider's id of the message with this number; `None` while it has none.
///
/// # Errors
/// `invalid_request` naming `reply_to` if there is no such message.
pub(super) async fn provider_ref(app: &App, widget: &Widget, id: VisitorId, number: i64) -> Result<Option<String>> {
    let rows = store::entries(app.db.reader(), id, Part::After(number.saturating_sub(1)), 1).await?;
    let row = rows.into_iter().find(|row| row.number == number);
    let row = row.ok_or_else(|| Error::field("reply_to", "must be the number of a message in the window"))?;
    let message = read::find(app.db.reader(), widget.channel.workspace_id, row.message_id).await?;
    Ok(message.and_then(|message| message.provider_ref))
}

/// The entry of one message.
pub(super) async fn of_message(app: &App, widget: &Widget, id: VisitorId, message_id: MessageId) -> Result<Entry> {
    let row = store::entry_of(app.db.reader(), id, message_id).await?;
    let entries = described(app, widget, id, row.into_iter().collect()).await?;
    entries.into_iter().next().ok_or_else(|| Error::Internal("a message has no entry".to_owned()))
}

async fn described(
    app: &App,
    widget: &Widget,
    visitor: VisitorId,
    rows: Vec<webchat_entry::Model>,
) -> Result<Vec<Entry>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let (db, workspace_id) = (app.db.reader(), widget.channel.workspace_id);
    let mut messages = read::by_ids(db, workspace_id, rows.iter().map(|row| row.message_id)).await?;
    let answers = answers(app, widget, visitor, &messages).await?;
    let files = files::by_ids(db, workspace_id, messages.values().filter_map(|message| message.file_id)).await?;
    let entry = |row: webchat_entry::Model| {
        let message = messages.remove(&row.message_id)?;
        let file = message.file_id.and_then(|id| files.get(&id).cloned());
        let answered = message.reply_to.and_then(|id| answers.get(&id).cloned());
        Some(Entry { number: row.number, message, file, answered })
    };
    Ok(rows.into_iter().filter_map(entry).collect())
}

/// What these messages answer, with its place. Answers may be given across chats of an account; what is in somebody
/// else's window is not for this visitor to see.
async fn answers(
    app: &App,
    widget: &Widget,
    visitor: VisitorId,
    messages: &read::ById,
) -> Result<HashMap<MessageId, (i64, message::Model)>> {
    let ids: Vec<MessageId> = messages.values().filter_map(|message| message.reply_to).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let db = app.db.reader();
    let rows = store::entries_of(db, visitor, ids).await?;
    let mut answered = read::by_ids(db, widget.channel.workspace_id, rows.iter().map(|row| row.message_id)).await?;
    let place = |row: webchat_entry::Model| Some((row.message_id, (row.number, answered.remove(&row.message_id)?)));
    Ok(rows.into_iter().filter_map(place).collect())
}
