//! One turn: ask, keep, send.

use std::{sync::Arc, time::Duration};

use entity::{bot_turn::Model, id::MessageId};

use crate::{
    app::App,
    bot::turn::{
        Failure, ask, guard,
        scene::Scene,
        settle::{Outcome, Result as Came},
        store,
    },
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    message::{
        Destination, SendMessage, Text,
        send::{self, Author, Sending},
    },
    meter::admission::{self, Need},
};

/// How often workers may die while they ask about one thing.
const MOST_TRIES: i32 = 3;
/// How long an answer is tried to be given, in seconds.
const KEPT_SECONDS: i64 = 3600;
const LATER: Duration = Duration::from_secs(1);

/// Does what the turn is about; never in a transaction.
///
/// # Errors
/// What the database says; the turn is to be taken again then.
pub(super) async fn answer(app: &App, turn: &Model) -> Result<Outcome> {
    let Some(newest) = turn.message_id else { return Err(Error::Internal("a turn is about nothing".to_owned())) };
    let Some(scene) = Scene::read(app, turn).await? else { return Ok(Outcome::about(newest, Came::Nothing)) };
    let failed = |failure| Outcome::about(newest, Came::Failed { bot: scene.bot.clone(), failure });
    let is_old = turn.waiting_since.is_some_and(|since| since.plus_seconds(KEPT_SECONDS) < app.clock.now());
    if is_old || turn.tries > MOST_TRIES {
        return Ok(failed(Failure::Abandoned));
    }
    if let (Some(answered), Some(reply)) = (turn.answered_id, &turn.reply) {
        return send(app, &scene, answered, reply).await;
    }
    if guard::is_spent(turn, app.clock.now()) {
        return Ok(failed(Failure::Loop));
    }
    if !scene.can_send() {
        return Ok(failed(Failure::ChannelNotConnected));
    }
    let history = scene.history(app, newest).await?;
    let said = ask::ask(app, &scene, &history, newest).await?;
    let reply = match said {
        Ok(Some(reply)) => reply,
        Ok(None) => return Ok(Outcome::about(newest, Came::Nothing)),
        Err(failure) => return Ok(failed(failure)),
    };
    let kept = db::write(&app.db, "bot.keep_reply", async |tx| store::keep_reply(tx, turn, newest, &reply).await);
    if !kept.await? {
        return Err(Error::Internal("the lease of a turn had ended".to_owned()));
    }
    send(app, &scene, newest, &reply).await
}

/// Sends a reply as any message is sent. The key is the message that it answers, so it is sent once however often this
/// is done.
async fn send(app: &App, scene: &Scene, answered: MessageId, reply: &str) -> Result<Outcome> {
    let command = SendMessage {
        destination: Destination::Chat(scene.chat.id),
        text: Some(Text::parse(reply.to_owned())?),
        file: None,
        label: None,
        chat_name: None,
        reply_to: None,
    };
    let scope = format!("bots:{}", scene.chat.workspace_id);
    let request = Repeatable::new(scope, Some(&answered.to_string()), "bot_reply", &command)?;
    let need = Need::Credits { credits: command.cost(), is_repeatable: true };
    let sent = match admission::admit(app, &scene.caller, need).await.0 {
        Ok(admitted) => {
            let caller = Arc::clone(&scene.caller);
            send::send(app, Sending { caller, hold: admitted.hold, command, request, author: Author::Bot }).await
        }
        Err(error) => Err(error),
    };
    let failed = |failure| Came::Failed { bot: scene.bot.clone(), failure };
    let came = match sent {
        // Another reply to the same message was sent before; this one is not.
        Ok(_) | Err(Error::IdempotencyKeyReused) => Came::Reply,
        // Somebody has switched it off, or written, in the meantime.
        Err(Error::PermissionDenied(_)) => Came::Nothing,
        Err(Error::QuotaExceeded { .. }) => failed(Failure::QuotaExceeded),
        Err(Error::ApiCallsExhausted { .. }) => failed(Failure::ApiCallsExhausted),
        Err(Error::ChannelNotConnected) => failed(Failure::ChannelNotConnected),
        // The network takes less than we do, or no texts at all.
        Err(Error::InvalidField { field: "text", .. } | Error::ChannelRefused(_)) => failed(Failure::ReplyTooLong),
        Err(Error::TooManyRequests { retry_after } | Error::Busy { retry_after }) => {
            return Ok(Outcome::later(retry_after.max(LATER)));
        }
        // The key says then whether it was sent.
        Err(Error::OutcomeUnknown { .. }) => return Ok(Outcome::later(LATER)),
        Err(error) => return Err(error),
    };
    Ok(Outcome::about(answered, came))
}
