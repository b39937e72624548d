//! How bots answer: a turn for each chat in which something waits for an answer.
//!
//! What comes to a channel with a bot, in a chat that is answered automatically, is noted in the transaction that
//! stores it (`received`). A second after the last message, or five after the first, a worker leases the turn, asks
//! the bot once about the conversation as it is then ([`ask`]), keeps what it says under the lease, sends it as
//! anybody's message is sent (`reply`), and writes down what came of it (`settle`). So several messages in quick
//! succession get one answer, a chat's answers are in order, and no chat has two questions open.
//!
//! - A worker that dies before the answer is kept asks again, with the same `webhook-id`; one that dies later sends
//!   the answer that was kept, under a key made of the message: it is neither lost nor sent twice.
//! - Somebody's own message stops the bot in that chat, also while it is being asked: the writer of messages looks
//!   once more. The bot's own replies stop nothing, and leave the chat as read or unread as it was.
//! - Nothing is asked twice because it failed. What failed leaves a note in the chat and an event.
//! - Two bots that talk to each other stop: more than [`guard::MOST_REPLIES`] replies in ten minutes, or
//!   [`guard::MOST_DAY_REPLIES`] in a day, stop the bot in that chat until it is switched on again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use entity::{
    bot_turn::Model,
    chat,
    id::{ChatId, MessageId, WorkspaceId},
};
use futures_util::future::join_all;
use sea_orm::DatabaseTransaction;
use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
};

use crate::{app::App, bot::bot_of, error::Result};

pub mod ask;
mod claim;
mod failure;
pub mod guard;
mod reply;
mod scene;
mod settle;
mod store;

pub use claim::{LEASE_SECONDS, PER_WORKSPACE};
pub use failure::Failure;

/// How long a chat must be quiet before its bot is asked, in seconds.
pub const QUIET_SECONDS: i64 = 1;
/// How long a message waits for quiet at most, in seconds.
pub const LONGEST_QUIET_SECONDS: i64 = 5;
/// Most questions that one worker has open.
const IN_FLIGHT: usize = 64;
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Notes that a message waits for an answer, if a bot is to give one; in the transaction that stores the message.
///
/// # Errors
/// What the database says.
pub(crate) async fn received(
    app: &App,
    tx: &DatabaseTransaction,
    chat: &chat::Model,
    message_id: MessageId,
) -> Result<()> {
    if chat.is_answered_automatically() && bot_of(tx, chat.workspace_id, chat.account_id).await?.is_some() {
        store::wait(app, tx, chat, message_id).await?;
    }
    Ok(())
}

/// Counts replies anew, because somebody has switched the bot on again.
///
/// # Errors
/// What the database says.
pub(crate) async fn forgive(tx: &DatabaseTransaction, workspace_id: WorkspaceId, chat_id: ChatId) -> Result<()> {
    store::forgive(tx, workspace_id, chat_id).await
}

/// Answers what waits until `stop` says so; what was begun is finished first.
pub async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut turns = JoinSet::new();
    let mut busy: HashMap<Id, WorkspaceId> = HashMap::new();
    while !*stop.borrow() {
        let pause = match begin(&app, &mut turns, &mut busy).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(%error, "the worker could not look for chats that wait for a bot");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Some(ended) = turns.join_next_with_id() => end(ended, &mut busy),
            _ = stop.changed() => {}
        }
    }
    while let Some(ended) = turns.join_next_with_id().await {
        end(ended, &mut busy);
    }
}

/// Begins as many turns as are free and due; tells how long to wait for more.
async fn begin(app: &Arc<App>, turns: &mut JoinSet<()>, busy: &mut HashMap<Id, WorkspaceId>) -> Result<Duration> {
    let free = IN_FLIGHT.saturating_sub(turns.len());
    if free == 0 {
        return Ok(LONGEST_PAUSE);
    }
    for turn in claim::claim(app, free, busy.values()).await? {
        let (app, workspace_id) = (Arc::clone(app), turn.workspace_id);
        let task = turns.spawn(async move { Box::pin(run(&app, &turn)).await });
        busy.insert(task.id(), workspace_id);
    }
    let Some(next) = store::next_due(app.db.reader()).await? else { return Ok(LONGEST_PAUSE) };
    let millis = u64::try_from(app.clock.now().millis_until(next)).unwrap_or(0);
    // Never less than a moment: what is due may be held by somebody else, or its workspace has enough under way.
    Ok(Duration::from_millis(millis + 1).clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
}

/// A panic ends its own turn only: the lease runs out, and another worker goes on.
fn end(ended: Result<(Id, ()), JoinError>, busy: &mut HashMap<Id, WorkspaceId>) {
    match ended {
        Ok((id, ())) => drop(busy.remove(&id)),
        Err(error) => {
            busy.remove(&error.id());
            tracing::error!(%error, "answering a chat failed inside");
        }
    }
}

/// Answers every chat that is due now; returns how many that were.
///
/// # Errors
/// What the database says.
pub async fn run_due(app: &App) -> Result<usize> {
    let turns = claim::claim(app, IN_FLIGHT, std::iter::empty()).await?;
    join_all(turns.iter().map(|turn| Box::pin(run(app, turn)))).await;
    Ok(turns.len())
}

/// Takes a turn to its end. What cannot be written down is left to the end of the lease.
async fn run(app: &App, turn: &Model) {
    let outcome = reply::answer(app, turn).await.unwrap_or_else(|error| {
        tracing::warn!(%error, chat.id = %turn.chat_id, "a chat is answered later");
        settle::Outcome::later(LONGEST_PAUSE)
    });
    if let Err(error) = settle::settle(app, turn, &outcome).await {
        tracing::warn!(%error, chat.id = %turn.chat_id, "what came of a bot's turn is not written down");
    }
}
