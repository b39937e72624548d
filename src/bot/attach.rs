//! Which bot answers what comes to a channel.

use entity::{
    bot, channel,
    id::{BotId, WorkspaceId},
    workspace,
};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use crate::{
    app::App,
    audit,
    bot::{find, store},
    caller::{Origin, WorkspaceCaller},
    channel::{
        named::{self, Named},
        update,
    },
    db,
    error::Result,
    webhook::hook::{HookEvent, tell},
    workspace as workspaces,
};

/// A channel and its bot.
pub struct Attached {
    /// The channel.
    pub channel: channel::Model,
    /// Its bot, if it has one.
    pub bot: Option<bot::Model>,
}

/// The bot of a channel.
///
/// # Errors
/// `channel_not_found`.
pub async fn get(app: &App, workspace_id: WorkspaceId, named: &Named) -> Result<Attached> {
    let db = app.db.reader();
    let channel = named::find(db, workspace_id, named).await?;
    let bot = store::bot_of(db, workspace_id, channel.account_id).await?;
    Ok(Attached { channel, bot })
}

/// Gives a channel this bot in place of the one that it had, or none.
///
/// # Errors
/// `channel_not_found`, `bot_not_found`.
pub async fn set(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    named: &Named,
    bot: Option<BotId>,
) -> Result<Attached> {
    db::retried(|| set_once(app, caller, origin, named, bot)).await
}

async fn set_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    named: &Named,
    bot: Option<BotId>,
) -> Result<Attached> {
    db::write(&app.db, "channel.set_bot", async |tx| {
        // Bots are deleted under the same lock.
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let channel = named::find(tx, workspace.id, named).await?;
        let before = store::bot_of(tx, workspace.id, channel.account_id).await?.map(|bot| bot.id);
        let bot = put_on(app, tx, origin, &workspace, &channel, bot).await?;
        if before != bot.as_ref().map(|bot| bot.id) {
            tell::channel(app, tx, HookEvent::Updated, &channel, json!({ "changed": ["defaultBot"] })).await?;
        }
        Ok(Attached { channel, bot })
    })
    .await
}

/// Gives a channel this bot or none, within a transaction that has the workspace locked.
///
/// # Errors
/// `bot_not_found`.
pub(crate) async fn put_on(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    workspace: &workspace::Model,
    channel: &channel::Model,
    bot: Option<BotId>,
) -> Result<Option<bot::Model>> {
    let bot = match bot {
        Some(id) => Some(find(tx, workspace.id, id).await?),
        None => None,
    };
    let before = store::bot_of(tx, workspace.id, channel.account_id).await?;
    let (old, new) = (before.map(|bot| bot.id), bot.as_ref().map(|bot| bot.id));
    if old != new {
        store::attach(app, tx, workspace.id, channel.account_id, new).await?;
        update::touch(app, tx, channel).await?;
        let entry = audit::Entry::in_workspace("channel.set_bot", workspace, channel.id)
            .before(json!({ "bot_id": old }))
            .after(json!({ "bot_id": new }));
        audit::record(app, tx, origin, entry).await?;
    }
    Ok(bot)
}
