//! Proof that every balance is the sum of its entries and every charge belongs to a message, of all workspaces at one
//! moment. Nothing is changed; what does not agree is reported.

use sea_orm::DatabaseTransaction;

use crate::{app::App, credit::store, db, error::Result};

/// Something that does not agree.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Drift {
    /// What was compared.
    pub check: &'static str,
    /// Of what: workspace and period, message, or account.
    pub subject: String,
    /// What the balance or the state says.
    pub found: i64,
    /// What the entries say.
    pub expected: i64,
}

/// What was looked at, and what does not agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Periods that were added up.
    pub periods: i64,
    /// Entries of the ledger.
    pub entries: i64,
    /// Messages.
    pub messages: i64,
    /// What does not agree.
    pub drift: Vec<Drift>,
}

/// Adds everything up.
///
/// # Errors
/// What the database says.
pub async fn verify(app: &App) -> Result<Report> {
    db::snapshot(&app.db, async |tx| verify_in(tx).await).await
}

/// [`verify`] within a transaction.
///
/// # Errors
/// What the database says.
pub async fn verify_in(tx: &DatabaseTransaction) -> Result<Report> {
    let mut report = Report {
        periods: store::count(tx, "quota_periods").await?,
        entries: store::count(tx, "credit_entries").await?,
        messages: store::count(tx, "messages").await?,
        drift: Vec::new(),
    };
    for (check, sql) in store::CHECKS {
        for found in store::differences(tx, sql).await? {
            report.drift.push(Drift { check, subject: found.subject, found: found.found, expected: found.expected });
        }
    }
    Ok(report)
}
