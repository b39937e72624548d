//! Deleting a bot.

use entity::id::BotId;

use crate::{
    app::App,
    audit,
    bot::{find, for_audit, store},
    caller::{Origin, WorkspaceCaller},
    db,
    error::Result,
    workspace,
};

/// Deletes a bot and takes it off its channels. What it is being asked just now is answered no more.
///
/// # Errors
/// `bot_not_found`.
pub async fn delete(app: &App, caller: &WorkspaceCaller, origin: &Origin, id: BotId) -> Result<()> {
    db::write(&app.db, "bot.delete", async |tx| {
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        let before = find(tx, workspace.id, id).await?;
        store::delete(tx, workspace.id, id).await?;
        let entry = audit::Entry::in_workspace("bot.delete", &workspace, id).before(for_audit(&before));
        audit::record(app, tx, origin, entry).await
    })
    .await
}
