//! Ending a subscription. Its row stays, because making it again restores it; its secrets go.

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    db,
    error::Result,
    webhook::subscription::{
        find, for_audit, secret,
        store::{self, Counters},
    },
    workspace,
};

/// Ends a subscription. What is not on its way this moment is not sent any more: workers look before they send.
///
/// # Errors
/// `webhook_not_found`, for one that is deleted already too.
pub async fn delete(app: &App, caller: &WorkspaceCaller, origin: &Origin, id: &str) -> Result<()> {
    db::retried(|| delete_once(app, caller, origin, id)).await
}

async fn delete_once(app: &App, caller: &WorkspaceCaller, origin: &Origin, id: &str) -> Result<()> {
    db::write(&app.db, "subscription.delete", async |tx| {
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        let before = find(tx, workspace.id, id).await?;
        let mut row = before.clone();
        row.enabled = false;
        row.updated_at = app.clock.now();
        row.deleted_at = Some(app.clock.now());
        secret::remove(&mut row);
        store::save(tx, &row, Counters::Keep).await?;
        let entry = audit::Entry::in_workspace("subscription.delete", &workspace, row.id).before(for_audit(&before));
        audit::record(app, tx, origin, entry).await
    })
    .await
}
