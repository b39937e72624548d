//! Deleting a bot.

use entity::id::BotId;
use serde_json::json;

use crate::{
    app::App,
    audit,
    bot::{find, for_audit, store},
    caller::{Origin, WorkspaceCaller},
    channel::{self, update},
    db,
    error::Result,
    webhook::hook::{HookEvent, tell},
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
        let answered_on = store::attached_to(tx, workspace.id, [id]).await?;
        store::delete(tx, workspace.id, id).await?;
        let accounts = answered_on.iter().map(|attached| attached.account_id);
        for channel in channel::by_ids(tx, workspace.id, accounts).await?.values() {
            update::touch(app, tx, channel).await?;
            tell::channel(app, tx, HookEvent::Updated, channel, json!({ "changed": ["defaultBot"] })).await?;
        }
        let entry = audit::Entry::in_workspace("bot.delete", &workspace, id).before(for_audit(&before));
        audit::record(app, tx, origin, entry).await
    })
    .await
}
