//! Calls of accounts: a provider tells of each once it has ended. They are kept, cost nothing, and are told of.
//!
//! A call stands in the history of its chat as a message of the same id without a text, and is the chat's newest one as
//! any other would be. A missed one leaves the chat unread and open, as what comes does; others leave that as it was.
//!
//! Providers repeat themselves; their own id of a call, unique for the account, says what is known. A call with
//! somebody who has no chat yet makes one.

use entity::{
    call::{Direction, Model, Outcome},
    id::{AttemptId, CallId},
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    channel as channels, db,
    error::{Error, Result},
    message::{Jid, receive},
    webhook::{subscription::Topic, tell},
};

mod store;

pub(crate) use store::by_ids;

/// Longest call, in seconds.
pub const MAX_SECONDS: i64 = 24 * 3600;

/// A call that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The session that it went through.
    pub session: AttemptId,
    /// The other side's id on the network.
    pub with: Jid,
    /// Which way it went.
    pub direction: Direction,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it was a video call.
    pub is_video: bool,
    /// How long they spoke, where that is known.
    pub duration_seconds: Option<i64>,
    /// The provider's own id of it, unique for the account.
    pub provider_ref: String,
}

impl Ended {
    /// Whether a call can have gone so.
    ///
    /// # Errors
    /// `invalid_request` naming `status` or `duration`.
    pub fn check(direction: Direction, outcome: Outcome, duration_seconds: Option<i64>) -> Result<()> {
        if Topic::of_call(direction, outcome).is_none() {
            return Err(Error::field("status", format!("a call that is {direction} cannot end so")));
        }
        match (outcome, duration_seconds) {
            (_, None) | (Outcome::Answered | Outcome::Ended, Some(0..=MAX_SECONDS)) => Ok(()),
            (Outcome::Answered | Outcome::Ended, Some(_)) => {
                Err(Error::field("duration", format!("must be 0 to {MAX_SECONDS}")))
            }
            _ => Err(Error::field("duration", "is only known of calls that were taken")),
        }
    }
}

/// Keeps a call; one that is known already changes nothing.
///
/// # Errors
/// `channel_not_connected` if no connected account has this session; as [`Ended::check`].
pub async fn record(app: &App, ended: &Ended) -> Result<CallId> {
    db::retried(async || db::write(&app.db, "call.record", async |tx| store_ended(app, tx, ended).await).await).await
}

/// [`record`] within a transaction.
pub(crate) async fn store_ended(app: &App, tx: &DatabaseTransaction, ended: &Ended) -> Result<CallId> {
    Ended::check(ended.direction, ended.outcome, ended.duration_seconds)?;
    let channel = channels::open_by_session(tx, ended.session).await?.ok_or(Error::ChannelNotConnected)?;
    if let Some(known) = store::by_provider_ref(tx, &channel, &ended.provider_ref).await? {
        return Ok(known.id);
    }
    let (chat, is_new_chat) = receive::open_chat(app, tx, &channel, &ended.with).await?;
    let call = Model {
        id: CallId(app.clock.uuid()),
        workspace_id: chat.workspace_id,
        account_id: chat.account_id,
        chat_id: chat.id,
        provider_ref: ended.provider_ref.clone(),
        direction: ended.direction,
        outcome: ended.outcome,
        is_video: ended.is_video,
        duration_seconds: ended.duration_seconds,
        created_at: app.clock.now(),
    };
    if !store::insert(tx, &call).await? {
        // Somebody brought the same at the same time; the repeated operation finds it.
        return Err(Error::Contention);
    }
    store::insert_message(tx, &call).await?;
    store::touch_chat(tx, &call).await?;
    tell::call(app, tx, &call, is_new_chat).await?;
    Ok(call.id)
}
