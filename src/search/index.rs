//! Filling the index of words, behind the messages.
//!
//! Messages are stored by one statement for a whole batch, which is what the service is measured by; a trigger there
//! would make each message wait for its words. So this loop follows: it looks for messages whose ids come after the
//! last one that it has seen. Ids are made before the commit that shows them, so one may turn up behind what was seen;
//! everything is therefore looked at a second time, ten minutes later, when no transaction of then is still open.
//!
//! What was done is kept in one row, moved on only from what it was: of several workers one gets through.

use std::{sync::Arc, time::Duration};

use entity::{
    id::{ChatId, MessageId, WorkspaceId},
    timestamp::Timestamp,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    app::App,
    db,
    error::Result,
    search::{store, words},
};

/// Messages that one transaction puts into the index: few, for on SQLite it keeps the writer waiting.
const AT_ONCE: u64 = 256;
/// How long after its id was made a message is looked for once more, in seconds.
const SECOND_LOOK_SECONDS: i64 = 600;
const PAUSE: Duration = Duration::from_secs(1);
/// Lets others write in between while there is much to do, such as the first time.
const SHORT_PAUSE: Duration = Duration::from_millis(20);

/// Which look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// At what is new.
    First,
    /// At what is ten minutes old.
    Second,
}

/// A message to be put into the index.
pub(super) struct Document {
    pub(super) message_id: MessageId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) chat_id: ChatId,
    /// Words separated by spaces.
    pub(super) words: String,
}

/// Follows the messages until `stop` says so.
pub async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let pause = match index_due(&app).await {
            Ok(0) => PAUSE,
            Ok(_) => SHORT_PAUSE,
            Err(error) => {
                tracing::warn!(%error, "the index of words could not be filled");
                PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Puts a few messages into the index; returns how many were looked at.
///
/// # Errors
/// What the database says.
pub async fn index_due(app: &App) -> Result<usize> {
    Ok(look(app, Look::First, AT_ONCE).await? + look(app, Look::Second, AT_ONCE).await?)
}

/// Puts so many messages into the index in one transaction, for when nobody else writes; returns how many were looked
/// at.
///
/// # Errors
/// What the database says.
pub async fn index_first(app: &App, at_once: u64) -> Result<usize> {
    look(app, Look::First, at_once).await
}

async fn look(app: &App, look: Look, at_once: u64) -> Result<usize> {
    let db = app.db.reader();
    let until = match look {
        Look::First => None,
        Look::Second => Some(first_id_of(app.clock.now().plus_seconds(-SECOND_LOOK_SECONDS))),
    };
    let seen = store::seen(db, look).await?;
    let messages = store::messages_after(db, seen, until, at_once).await?;
    let Some(last) = messages.last().map(|message| message.id) else { return Ok(0) };
    let known = match look {
        Look::First => Vec::new(),
        Look::Second => store::known(db, messages.iter().map(|message| message.id).collect()).await?,
    };
    let count = messages.len();
    let unknown = messages.into_iter().filter(|message| !known.contains(&message.id));
    let documents: Vec<Document> = unknown.filter_map(document).collect();
    db::write(&app.db, "search.index", async |tx| {
        if store::move_on(tx, look, seen, last).await? && !documents.is_empty() {
            store::insert(tx, &documents).await?;
        }
        Ok(())
    })
    .await?;
    Ok(count)
}

fn document(message: store::Found) -> Option<Document> {
    let words = words::of_text(message.text.as_deref()?);
    let words = words.into_iter().collect::<Vec<_>>().join(" ");
    let store::Found { id, workspace_id, chat_id, .. } = message;
    (!words.is_empty()).then_some(Document { message_id: id, workspace_id, chat_id, words })
}

/// No id that is made at this instant or later comes before this one.
fn first_id_of(at: Timestamp) -> MessageId {
    let millis = u128::try_from(at.0 / 1000).unwrap_or(0);
    MessageId(Uuid::from_u128(millis << 80))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn ids_begin_with_their_time() {
        let at = Timestamp(1_789_027_200_000_000);
        let id = MessageId(Clock::manual(at).uuid());
        assert!(first_id_of(at) <= id);
        assert!(first_id_of(at.plus_seconds(1)) > id);
    }
}
