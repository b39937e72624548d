//! What a visitor gets to see: their own window, and nobody else's.

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
    Ok(Page { entries: described(app, widget, rows).await?, has_more })
}

/// The first entries after a number, at most [`MAX_PAGE`].
///
/// # Errors
/// What the database says.
pub async fn after(app: &App, widget: &Widget, id: VisitorId, number: i64) -> Result<Vec<Entry>> {
    let rows = store::entries(app.db.reader(), id, Part::After(number), MAX_PAGE).await?;
    described(app, widget, rows).await
}

/// The number of a visitor's last entry; 0 before the first.
///
/// # Errors
/// What the database says.
pub async fn last(app: &App, widget: &Widget, id: VisitorId) -> Result<i64> {
    let visitor = store::find(app.db.reader(), widget.channel.account_id, id).await?;
    Ok(visitor.map_or(0, |visitor| visitor.last_entry))
}

/// The entry of one message.
pub(super) async fn of_message(app: &App, widget: &Widget, id: VisitorId, message_id: MessageId) -> Result<Entry> {
    let row = store::entry_of(app.db.reader(), id, message_id).await?;
    let entries = described(app, widget, row.into_iter().collect()).await?;
    entries.into_iter().next().ok_or_else(|| Error::Internal("a message has no entry".to_owned()))
}

async fn described(app: &App, widget: &Widget, rows: Vec<webchat_entry::Model>) -> Result<Vec<Entry>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let (db, workspace_id) = (app.db.reader(), widget.channel.workspace_id);
    let mut messages = read::by_ids(db, workspace_id, rows.iter().map(|row| row.message_id)).await?;
    let files = files::by_ids(db, workspace_id, messages.values().filter_map(|message| message.file_id)).await?;
    let entry = |row: webchat_entry::Model| {
        let message = messages.remove(&row.message_id)?;
        let file = message.file_id.and_then(|id| files.get(&id).cloned());
        Some(Entry { number: row.number, message, file })
    };
    Ok(rows.into_iter().filter_map(entry).collect())
}
