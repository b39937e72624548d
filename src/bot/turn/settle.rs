//! Writing down what came of a turn, under its lease.

use std::time::Duration;

use entity::{bot, bot_turn::Model, id::MessageId, timestamp::Timestamp};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use crate::{
    app::App,
    audit,
    bot::turn::{Failure, QUIET_SECONDS, guard, store},
    caller::{Actor, Origin},
    chat as chats, db, error,
    message::note,
    webhook::{
        subscription::Topic,
        tell::{self, BotSilence},
    },
    workspace,
};

/// What came of a turn, and which message it was about.
pub(super) enum Outcome {
    /// It is over as far as this message.
    About(MessageId, Result),
    /// It is taken again after a while.
    Later(Duration),
}

/// What it came to.
pub(super) enum Result {
    /// A reply was sent.
    Reply,
    /// There was nothing to say, or nothing more to do.
    Nothing,
    /// The bot did not answer.
    Failed { bot: bot::Model, failure: Failure },
}

impl Outcome {
    pub(super) const fn about(message_id: MessageId, came: Result) -> Self {
        Self::About(message_id, came)
    }

    pub(super) const fn later(after: Duration) -> Self {
        Self::Later(after)
    }
}

/// Writes down what came of a turn. A worker whose lease has gone to somebody else writes nothing.
///
/// # Errors
/// What the database says.
pub(super) async fn settle(app: &App, turn: &Model, outcome: &Outcome) -> error::Result<()> {
    db::retried(|| settle_once(app, turn, outcome)).await
}

async fn settle_once(app: &App, turn: &Model, outcome: &Outcome) -> error::Result<()> {
    db::write(&app.db, "bot.settle", async |tx| {
        let failed = match outcome {
            Outcome::About(message_id, Result::Failed { bot, failure }) => Some((*message_id, bot, *failure)),
            _ => None,
        };
        let chat = match failed {
            // Before the turn's row, as whoever stores a message takes them.
            Some(_) => chats::lock(tx, turn.workspace_id, turn.chat_id).await?,
            None => None,
        };
        let Some(mut row) = store::held(tx, turn).await? else {
            tracing::warn!(chat.id = %turn.chat_id, "a bot's turn ended after its lease");
            return Ok(());
        };
        advance(&mut row, outcome, app.clock.now());
        store::save(tx, &row).await?;
        match (failed, chat) {
            (Some(failed), Some(chat)) => tell_failure(app, tx, &chat, failed).await,
            _ => Ok(()),
        }
    })
    .await
}

/// The row after the turn.
fn advance(row: &mut Model, outcome: &Outcome, now: Timestamp) {
    row.lease = None;
    match outcome {
        Outcome::Later(after) => {
            let micros = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
            row.due_at = Some(Timestamp(now.0.saturating_add(micros)));
        }
        Outcome::About(message_id, came) => {
            if matches!(came, Result::Reply) {
                guard::count(row, now);
            }
            row.tries = 0;
            row.reply = None;
            if row.message_id == Some(*message_id) {
                (row.message_id, row.waiting_since, row.due_at) = (None, None, None);
            } else {
                // Something came in the meantime.
                row.waiting_since = Some(now);
                row.due_at = Some(now.plus_seconds(QUIET_SECONDS));
            }
        }
    }
}

/// Leaves a note in the chat and tells the workspace; whoever has answered too often is stopped.
async fn tell_failure(
    app: &App,
    tx: &DatabaseTransaction,
    chat: &entity::chat::Model,
    (message_id, bot, failure): (MessageId, &bot::Model, Failure),
) -> error::Result<()> {
    let is_stopped = failure == Failure::Loop;
    if is_stopped {
        chats::stop_autoresponse(app, tx, chat).await?;
    }
    let text = format!("The bot \"{}\" did not answer: {}.", bot.name, failure.words());
    let note_id = note::leave(app, tx, chat, &text).await?;
    let silence = BotSilence {
        bot_id: bot.id,
        bot_name: bot.name.clone(),
        reason: failure.to_string(),
        description: failure.words(),
        message_id,
        at: app.clock.now(),
    };
    let topic = if is_stopped { Topic::BotStopped } else { Topic::BotFailed };
    tell::bot(app, tx, topic, chat, &silence).await?;
    let Some(workspace) = workspace::by_id(tx, chat.workspace_id).await? else { return Ok(()) };
    let action = if is_stopped { "bot.stop" } else { "bot.fail" };
    let entry = audit::Entry::in_workspace(action, &workspace, chat.id)
        .after(json!({ "reason": failure.to_string(), "note_id": note_id, "message_id": message_id }));
    let origin = Origin { actor: Actor::Bot(bot.id), request_id: None };
    audit::record(app, tx, &origin, entry).await
}
