//! What becomes of a message: every change of a status goes through here, with its line in the history and, where the
//! message fails, its refund, all in one transaction.
//!
//! Providers may say the same thing twice, late, or in the wrong order; only what moves a message on is written down.
//! A message whose fate is unknown waits a day for its provider's word and then fails.

use std::time::Duration;

use entity::{
    id::{AccountId, MessageId},
    message::{Model, Status},
    timestamp::Timestamp,
};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    credit, db,
    error::{Error, Result},
    message::state::{Event, next},
    webhook::tell,
};

mod store;

/// How long the provider's word on a lost answer is waited for, in seconds.
pub const UNKNOWN_SECONDS: i64 = 24 * 3600;
/// Why a message failed whose fate stayed unknown.
pub const REASON_UNKNOWN: &str = "outcome_unknown";
const MAX_REASON_CHARS: usize = 200;
const GIVEN_UP_AT_ONCE: u64 = 100;
const NOT_YET: Duration = Duration::from_secs(1);
/// How long a message of unknown fate may be the one that a receipt is about, in seconds.
const RECOGNISED_SECONDS: i64 = 600;
/// How far the clocks of two of our processes may be apart, in seconds.
const SKEW_SECONDS: i64 = 5;

/// What a provider says about a message of one of our accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The account that it was sent through.
    pub account_id: AccountId,
    /// Our id of it, where the provider gives it back.
    pub message_id: Option<MessageId>,
    /// The provider's own id of it.
    pub provider_ref: Option<String>,
    /// What happened to it.
    pub event: ReceiptEvent,
}

/// What a provider says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptEvent {
    /// The provider has it.
    Sent,
    /// The phone has it.
    Delivered,
    /// Somebody has read it.
    Read,
    /// It will not arrive.
    Failed {
        /// Why, in the provider's words.
        reason: String,
    },
}

/// What came of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The message has this status now.
    Changed(Status),
    /// It says nothing new.
    Nothing,
    /// It is about no message that is known.
    Stray,
}

/// What is written down with a change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts<'a> {
    /// Why it failed.
    pub(crate) reason: Option<&'a str>,
    /// The provider's id of it.
    pub(crate) provider_ref: Option<&'a str>,
}

/// Writes down what a provider says. Repeating it is harmless.
///
/// # Errors
/// `busy` while the message is still being handed over: the receipt was faster, and is to be told again.
pub async fn received(app: &App, receipt: &Receipt) -> Result<Received> {
    db::retried(|| received_once(app, receipt)).await
}

async fn received_once(app: &App, receipt: &Receipt) -> Result<Received> {
    db::write(&app.db, "message.receipt", async |tx| {
        let Some(message) = store::find(tx, receipt).await? else {
            let since = app.clock.now().plus_seconds(-RECOGNISED_SECONDS);
            let may_be_on_its_way =
                receipt.message_id.is_none() && store::is_on_its_way(tx, receipt.account_id, since).await?;
            return if may_be_on_its_way { Err(Error::Busy { retry_after: NOT_YET }) } else { Ok(Received::Stray) };
        };
        if matches!(message.status, Status::Queued | Status::Sending) {
            return Err(Error::Busy { retry_after: NOT_YET });
        }
        let (event, reason) = understood(&receipt.event);
        let facts = Facts { reason, provider_ref: receipt.provider_ref.as_deref() };
        let changed = step(app, tx, &message, event, facts).await?;
        Ok(changed.map_or(Received::Nothing, Received::Changed))
    })
    .await
}

/// A message that a provider says has gone out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoneOut<'a> {
    /// The account that it was sent through.
    pub(crate) account_id: AccountId,
    /// Where to.
    pub(crate) jid: &'a str,
    /// What it says; empty, or the name of its file, where it is only a file.
    pub(crate) text: &'a str,
    /// Whether a file went with it.
    pub(crate) has_file: bool,
    /// The provider's own id of it.
    pub(crate) provider_ref: &'a str,
    /// Whether a person wrote it on a device, so that no message of ours is recognised in it by what it says.
    pub(crate) is_typed: bool,
    /// When we heard of it.
    pub(crate) heard_at: Timestamp,
}

/// Looks whether a message that has gone out is one of ours: by its id, or, where the answer that told the id was lost,
/// by where it went and what it says; such a one has arrived at the provider after all. [`Received::Stray`] says that it
/// is none. Repeating it is harmless.
///
/// # Errors
/// `busy` while a message of the account is being handed over that it could be.
pub(crate) async fn recognised(app: &App, gone: &GoneOut<'_>) -> Result<Received> {
    let recognising =
        async || db::write(&app.db, "message.recognised", async |tx| recognise(app, tx, gone).await).await;
    db::retried(recognising).await
}

/// [`recognised`] within a transaction.
pub(crate) async fn recognise(app: &App, tx: &DatabaseTransaction, gone: &GoneOut<'_>) -> Result<Received> {
    if store::is_known(tx, gone).await? {
        return Ok(Received::Nothing);
    }
    // Its answer tells the id; what was begun later than we heard of this is another.
    let begun_until = gone.heard_at.plus_seconds(SKEW_SECONDS);
    if store::is_being_handed_over(tx, gone.account_id, begun_until).await? {
        return Err(Error::Busy { retry_after: NOT_YET });
    }
    if gone.is_typed {
        return Ok(Received::Stray);
    }
    let Some(message) = store::without_answer(tx, gone).await? else { return Ok(Received::Stray) };
    let facts = Facts { reason: None, provider_ref: Some(gone.provider_ref) };
    let changed = step(app, tx, &message, Event::Accepted, facts).await?;
    Ok(changed.map_or(Received::Nothing, Received::Changed))
}

/// Writes down that a message was sent, where it was stored as such, and what its provider says has become of it since.
///
/// # Errors
/// What the database says.
pub(crate) async fn begin(
    app: &App,
    tx: &DatabaseTransaction,
    message: &Model,
    since: Option<&ReceiptEvent>,
) -> Result<()> {
    let sent = store::Change { status: Status::Sent, reason: None, provider_ref: None };
    store::record(app, tx, message.id, &sent).await?;
    if let Some(said) = since {
        let (event, reason) = understood(said);
        step(app, tx, message, event, Facts { reason, provider_ref: None }).await?;
    }
    Ok(())
}

/// What a provider's word means for the state of a message, and why it failed.
const fn understood(said: &ReceiptEvent) -> (Event, Option<&str>) {
    match said {
        ReceiptEvent::Sent => (Event::Accepted, None),
        ReceiptEvent::Delivered => (Event::Delivered, None),
        ReceiptEvent::Read => (Event::Read, None),
        ReceiptEvent::Failed { reason } => (Event::Failed, Some(reason.as_str())),
    }
}

/// Moves a message on, if the event moves it; tells its new status.
///
/// # Errors
/// `Contention` if somebody else was faster; the whole operation is then to be repeated.
pub(crate) async fn step(
    app: &App,
    tx: &DatabaseTransaction,
    message: &Model,
    event: Event,
    facts: Facts<'_>,
) -> Result<Option<Status>> {
    let Some(status) = next(message.status, event) else { return Ok(None) };
    let reason = facts.reason.map(cleaned);
    if status == Status::Failed {
        // The period's row is taken before the message's, here as everywhere.
        credit::refund(app, tx, message.workspace_id, message.id).await?;
        // Just before the commit; whoever reads in between sees the refund a second later.
        app.figures.forget(message.workspace_id);
    }
    let change = store::Change { status, reason: reason.as_deref(), provider_ref: facts.provider_ref };
    if !store::set(app, tx, message, &change).await? {
        return Err(Error::Contention);
    }
    if matches!(status, Status::Sent | Status::Delivered | Status::Read | Status::Failed) {
        store::record(app, tx, message.id, &change).await?;
    }
    tell::status(app, tx, message, status, change.reason).await?;
    Ok(Some(status))
}

/// Fails and refunds the messages whose fate has been unknown for a day; returns how many.
///
/// # Errors
/// What the database says to the look; a message that cannot be failed now is logged and looked at again.
pub async fn give_up_unknown(app: &App) -> Result<usize> {
    let before = app.clock.now().plus_seconds(-UNKNOWN_SECONDS);
    let overdue = store::unknown_since(app.db.reader(), before, GIVEN_UP_AT_ONCE).await?;
    let mut given_up = 0;
    for seen in &overdue {
        match db::retried(|| give_up(app, seen)).await {
            Ok(()) => given_up += 1,
            Err(error) => tracing::warn!(%error, message.id = %seen.id, "a message of unknown fate is failed later"),
        }
    }
    Ok(given_up)
}

async fn give_up(app: &App, seen: &Model) -> Result<()> {
    db::write(&app.db, "message.give_up", async |tx| {
        let found = store::by_id(tx, seen.workspace_id, seen.id).await?;
        let Some(message) = found.filter(|found| found.status == Status::Unknown) else { return Ok(()) };
        let facts = Facts { reason: Some(REASON_UNKNOWN), ..Facts::default() };
        step(app, tx, &message, Event::Failed, facts).await?;
        Ok(())
    })
    .await
}

/// A provider's words as they can be stored.
fn cleaned(reason: &str) -> String {
    reason.chars().filter(|char| !char.is_control()).take(MAX_REASON_CHARS).collect()
}
