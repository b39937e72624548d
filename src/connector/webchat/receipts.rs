//! How far a visitor's browser has what was sent to them, and how far they have seen it.

use entity::{
    id::{AccountId, VisitorId},
    message::Direction,
    webchat_visitor::Model,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    channel::widget::Widget,
    connector::webchat::store::{self, Part},
    db,
    error::Result,
    message::{
        read as messages,
        status::{Receipt, ReceiptEvent},
    },
    queue::{self, Work},
    signal::Signal,
};

/// Most entries that one word of a browser settles; the next settles more.
const MOST_AT_ONCE: u64 = 500;

/// How far a visitor has their entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Up to this number their browser has them.
    pub delivered: i64,
    /// Up to this number they have seen them.
    pub read: i64,
}

/// Writes down how far a visitor is. It never goes back, and never beyond what they were sent.
///
/// # Errors
/// What the database says.
pub async fn mark(app: &App, widget: &Widget, id: VisitorId, seen: Seen) -> Result<()> {
    if db::retried(|| mark_once(app, widget.channel.account_id, id, seen)).await? {
        app.signals.publish(Signal::Work);
    }
    Ok(())
}

async fn mark_once(app: &App, account_id: AccountId, id: VisitorId, seen: Seen) -> Result<bool> {
    db::write(&app.db, "webchat.receipts", async |tx| {
        let Some(visitor) = store::lock(tx, account_id, id).await? else { return Ok(false) };
        let seen = Seen {
            delivered: seen.delivered.max(seen.read).clamp(visitor.delivered_entry, visitor.last_entry),
            read: seen.read.clamp(visitor.read_entry, visitor.last_entry),
        };
        if (seen.delivered, seen.read) == (visitor.delivered_entry, visitor.read_entry) {
            return Ok(false);
        }
        let seen = tell(app, tx, &visitor, seen).await?;
        store::set_seen(app, tx, &visitor, seen.delivered, seen.read).await?;
        Ok(true)
    })
    .await
}

/// Tells what became of the messages that a visitor has now, and had not before; how far that went.
async fn tell(app: &App, tx: &DatabaseTransaction, visitor: &Model, seen: Seen) -> Result<Seen> {
    let entries = store::entries(tx, visitor.id, Part::After(visitor.read_entry), MOST_AT_ONCE).await?;
    let is_all = entries.len() < usize::try_from(MOST_AT_ONCE).unwrap_or(usize::MAX);
    let until = entries.last().filter(|_| !is_all).map_or(i64::MAX, |entry| entry.number);
    let seen = Seen { delivered: seen.delivered.min(until).max(visitor.delivered_entry), read: seen.read.min(until) };
    let ids = entries.iter().map(|entry| entry.message_id);
    let messages = messages::by_ids(tx, visitor.workspace_id, ids).await?;
    for entry in entries.iter().filter(|entry| entry.number <= seen.delivered) {
        let message = messages.get(&entry.message_id).filter(|message| message.direction == Direction::Sent);
        let Some(message) = message else { continue };
        let is_delivered = entry.number > visitor.delivered_entry;
        let events = [
            is_delivered.then_some(ReceiptEvent::Delivered),
            (entry.number <= seen.read).then_some(ReceiptEvent::Read),
        ];
        for event in events.into_iter().flatten() {
            let receipt =
                Receipt { account_id: visitor.account_id, message_id: Some(message.id), provider_ref: None, event };
            queue::enqueue(app, tx, &Work::MessageStatus { receipt, heard_at: None }).await?;
        }
    }
    Ok(seen)
}
