//! The ledger: entries that are only ever added, and the balances that are their sums.
//!
//! Recurring credits of the period are used first, then those that do not expire. A refund goes back where its charge
//! came from, once, and changes the charge's period only. Everything here runs while the period's row is held
//! (`quota::take`), and the database's CHECK constraints stand behind each sum.

use entity::{
    credit_entry::{Bucket, Kind},
    credits::Credits,
    id::{MessageId, WorkspaceId},
    quota_period,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    error::{Error, Result},
    quota::{self, Change},
};

pub mod change;
mod store;
pub mod verify;

pub use store::of_message;
pub(crate) use store::{add_wallet, balance, open_wallet};

/// Adds up, or says that the sum does not fit.
///
/// # Errors
/// `internal_error`; sums that large are refused where they come in.
pub(crate) fn sum(a: Credits, b: Credits) -> Result<Credits> {
    a.plus(b).ok_or_else(|| Error::Internal("credits overflow".to_owned()))
}

/// The other sign.
pub(crate) fn negated(amount: Credits) -> Result<Credits> {
    Credits::ZERO.minus(amount).ok_or_else(|| Error::Internal("credits overflow".to_owned()))
}

/// Writes down what seats granted in a period.
///
/// # Errors
/// What the database says.
pub(crate) async fn record_seats(
    app: &App,
    tx: &DatabaseTransaction,
    row: &quota_period::Model,
    granted: Credits,
) -> Result<()> {
    if granted == Credits::ZERO {
        return Ok(());
    }
    let entry = store::NewEntry {
        bucket: Bucket::Recurring,
        kind: Kind::Grant,
        amount: granted,
        message_id: None,
        note: Some("seats".to_owned()),
    };
    store::insert(app, tx, row, entry).await
}

/// Writes down what expired with a period.
///
/// # Errors
/// What the database says.
pub(crate) async fn record_expiry(
    app: &App,
    tx: &DatabaseTransaction,
    row: &quota_period::Model,
    left: Credits,
) -> Result<()> {
    let entry = store::NewEntry {
        bucket: Bucket::Recurring,
        kind: Kind::Expire,
        amount: negated(left)?,
        message_id: None,
        note: None,
    };
    store::insert(app, tx, row, entry).await
}

/// Takes the row of the period that a message was charged in, for transactions that take other rows before they refund.
///
/// # Errors
/// What the database says.
pub(crate) async fn lock_period_of(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    message_id: MessageId,
) -> Result<Option<quota_period::Model>> {
    let charged = store::of_message(tx, workspace_id, message_id).await?;
    let Some(period_start) = charged.first().map(|charge| charge.period_start) else { return Ok(None) };
    let row = quota::lock_of(tx, workspace_id, period_start).await?;
    row.map(Some).ok_or_else(|| Error::Internal("a charge has no period".to_owned()))
}

/// Gives back what a message was charged, to where it came from. A second time gives nothing; a message that was not
/// charged has nothing to get.
///
/// # Errors
/// What the database says.
pub(crate) async fn refund(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    message_id: MessageId,
) -> Result<()> {
    let Some(row) = lock_period_of(tx, workspace_id, message_id).await? else { return Ok(()) };
    let entries = store::of_message(tx, workspace_id, message_id).await?;
    if entries.iter().any(|entry| entry.kind == Kind::Refund) {
        return Ok(());
    }
    for charge in entries {
        let amount = negated(charge.amount)?;
        let entry = store::NewEntry {
            bucket: charge.bucket,
            kind: Kind::Refund,
            amount,
            message_id: Some(message_id),
            note: None,
        };
        store::insert(app, tx, &row, entry).await?;
        match charge.bucket {
            Bucket::Recurring if row.closed_at.is_some() => {
                let change = Change { recurring_used: charge.amount, recurring_expired: amount, ..Change::of(&row) };
                quota::apply(tx, &change).await?;
                record_expiry(app, tx, &row, amount).await?;
            }
            Bucket::Recurring => {
                quota::apply(tx, &Change { recurring_used: charge.amount, ..Change::of(&row) }).await?;
            }
            Bucket::NonRecurring => {
                quota::apply(tx, &Change { non_recurring_used: charge.amount, ..Change::of(&row) }).await?;
                store::add_wallet(tx, workspace_id, amount).await?;
            }
        }
    }
    Ok(())
}
