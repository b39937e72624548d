//! What the operator does to the credits that do not expire: grant and adjust.

use entity::{
    credit_entry::{Bucket, Kind, Model},
    credits::Credits,
    id::PartnerId,
};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    audit,
    caller::Origin,
    credit::{add_wallet, balance, store, sum},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    page::{Page, PageRequest},
    quota::{self, Change, figures, notify},
    signal::Signal,
    workspace as workspaces,
};

/// Most credits of one change.
pub const MOST: i64 = 1_000_000_000;
/// Most credits that a balance may come to.
const MOST_BALANCE: i64 = 1_000_000_000_000;
const MOST_NOTE_CHARS: usize = 200;

/// A change of the balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeBalance {
    kind: Kind,
    credits: Credits,
    note: Option<String>,
}

impl ChangeBalance {
    /// More credits: 1 to 1,000,000,000.
    ///
    /// # Errors
    /// `invalid_request` naming `credits` or `note`.
    pub fn grant(credits: i64, note: Option<&str>) -> Result<Self> {
        if !(1..=MOST).contains(&credits) {
            return Err(Error::field("credits", format!("must be 1 to {MOST}")));
        }
        Self::new(Kind::Grant, credits, note)
    }

    /// A correction: up or down by at most 1,000,000,000.
    ///
    /// # Errors
    /// `invalid_request` naming `credits` or `note`.
    pub fn adjust(credits: i64, note: Option<&str>) -> Result<Self> {
        if credits == 0 || !(-MOST..=MOST).contains(&credits) {
            return Err(Error::field("credits", format!("must be -{MOST} to {MOST} and not 0")));
        }
        Self::new(Kind::Adjust, credits, note)
    }

    fn new(kind: Kind, credits: i64, note: Option<&str>) -> Result<Self> {
        let note = note.map(str::trim).filter(|note| !note.is_empty());
        if note.is_some_and(|note| note.chars().count() > MOST_NOTE_CHARS || note.chars().any(char::is_control)) {
            return Err(Error::field("note", format!("must be at most {MOST_NOTE_CHARS} characters")));
        }
        Ok(Self { kind, credits: Credits(credits), note: note.map(str::to_owned) })
    }
}

/// Credits of a workspace after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Those that do not expire.
    pub balance: Credits,
}

/// Changes the balance of a partner's workspace.
///
/// # Errors
/// `workspace_not_found`; `insufficient_credits` if the balance would fall below zero; `idempotency_key_reused`.
pub async fn change(
    app: &App,
    origin: &Origin,
    partner_id: &PartnerId,
    slug: &str,
    command: &ChangeBalance,
    request: &Repeatable,
) -> Result<Changed> {
    let changed = db::retried(|| change_once(app, origin, partner_id, slug, command, request)).await?;
    app.signals.publish(Signal::Work);
    Ok(changed)
}

async fn change_once(
    app: &App,
    origin: &Origin,
    partner_id: &PartnerId,
    slug: &str,
    command: &ChangeBalance,
    request: &Repeatable,
) -> Result<Changed> {
    db::write(&app.db, "credit.change", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let workspace = workspaces::find(tx, partner_id, slug).await?;
        let row = quota::take(app, tx, workspace.id).await?;
        let before = balance(tx, workspace.id).await?;
        let after = sum(before, command.credits)?;
        if after > Credits(MOST_BALANCE) {
            return Err(Error::field("credits", format!("the balance may come to at most {MOST_BALANCE}")));
        }
        add_wallet(tx, workspace.id, command.credits).await?;
        let entry = store::NewEntry {
            bucket: Bucket::NonRecurring,
            kind: command.kind,
            amount: command.credits,
            message_id: None,
            note: command.note.clone(),
        };
        store::insert(app, tx, &row, entry).await?;
        quota::apply(tx, &Change::of(&row)).await?;
        notify::messages_may_have_recovered(app, tx, &workspace, row.period_start).await?;
        let action = if command.kind == Kind::Grant { "credits.grant" } else { "credits.adjust" };
        let entry = audit::Entry::in_workspace(action, &workspace, &workspace.slug)
            .before(before)
            .after(serde_json::json!({ "credits": command.credits, "balance": after, "note": command.note }));
        audit::record(app, tx, origin, entry).await?;
        let changed = Changed { balance: after };
        request.finish(app, tx, &changed).await?;
        Ok(changed)
    })
    .await
}

/// The figures of a partner's workspace.
///
/// # Errors
/// `workspace_not_found`.
pub async fn show(app: &App, partner_id: &PartnerId, slug: &str) -> Result<figures::Figures> {
    let workspace = workspaces::find(app.db.reader(), partner_id, slug).await?;
    figures::figures(app, app.db.reader(), workspace.id).await
}

/// One page of the ledger of a partner's workspace, in the order in which it was written.
///
/// # Errors
/// `workspace_not_found`.
pub async fn entries(app: &App, partner_id: &PartnerId, slug: &str, page: PageRequest) -> Result<Page<Model>> {
    let workspace = workspaces::find(app.db.reader(), partner_id, slug).await?;
    let rows = store::page(app.db.reader(), workspace.id, page).await?;
    Ok(Page::of(rows, page, |entry| entry.id.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_amount_grants_nothing() {
        assert!(ChangeBalance::grant(1, Some(" thanks ")).is_ok());
        for bad in [0, -1, i64::MIN, MOST + 1] {
            assert!(ChangeBalance::grant(bad, None).is_err(), "{bad}");
        }
        assert!(ChangeBalance::adjust(-5, None).is_ok());
        for bad in [0, MOST + 1, -MOST - 1, i64::MIN] {
            assert!(ChangeBalance::adjust(bad, None).is_err(), "{bad}");
        }
        assert!(ChangeBalance::grant(1, Some(&"x".repeat(201))).is_err());
    }
}
