//! All chats of a workspace: those with the newest messages first, by name among equals.

use entity::id::WorkspaceId;

use crate::{
    app::App,
    chat::{ChatDetails, details, filter::Filter, listing},
    db,
    error::Result,
    message::read,
    page::{NumberedPage, PageNumber},
};

/// Whether chats come with their newest messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastMessages {
    /// With them.
    With,
    /// Only with their uids.
    Without,
}

/// One page of the workspace's chats.
///
/// # Errors
/// What the database says.
pub async fn list(
    app: &App,
    workspace_id: WorkspaceId,
    filter: &Filter,
    last_messages: LastMessages,
    page: PageNumber,
) -> Result<NumberedPage<ChatDetails>> {
    let rows = db::snapshot(&app.db, async |tx| listing::page(tx, workspace_id, filter, page).await).await?;
    let NumberedPage { items, has_more_pages } = NumberedPage::of(rows);
    let db = app.db.reader();
    let last = match last_messages {
        LastMessages::With => {
            read::by_ids(db, workspace_id, items.iter().filter_map(|chat| chat.last_message_id)).await?
        }
        LastMessages::Without => read::ById::new(),
    };
    let items = details::details(db, workspace_id, filter.view, items, last).await?;
    Ok(NumberedPage { items, has_more_pages })
}
