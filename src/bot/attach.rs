//! Which bot answers what comes to a channel.

use entity::{
    bot, channel,
    id::{BotId, ChannelId, WorkspaceId},
};
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::{
    app::App,
    audit,
    bot::{find, store},
    caller::{Origin, WorkspaceCaller},
    channel as channels, db,
    error::{Error, Result},
    workspace,
};

/// A channel and its bot.
pub struct Attached {
    /// The channel.
    pub channel: channel::Model,
    /// Its bot, if it has one.
    pub bot: Option<bot::Model>,
}

/// Reads a channel's id as it stands in a path.
///
/// # Errors
/// `channel_not_found`: what is no uuid is nobody's.
pub fn parse_channel_id(text: &str) -> Result<ChannelId> {
    text.parse().map_err(|_| Error::ChannelNotFound(text.to_owned()))
}

/// The bot of a channel.
///
/// # Errors
/// `channel_not_found`.
pub async fn get(app: &App, workspace_id: WorkspaceId, id: ChannelId) -> Result<Attached> {
    let db = app.db.reader();
    let channel = find_channel(db, workspace_id, id).await?;
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
    id: ChannelId,
    bot: Option<BotId>,
) -> Result<Attached> {
    db::retried(|| set_once(app, caller, origin, id, bot)).await
}

async fn set_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: ChannelId,
    bot: Option<BotId>,
) -> Result<Attached> {
    db::write(&app.db, "channel.set_bot", async |tx| {
        // Bots are deleted under the same lock.
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        let channel = find_channel(tx, workspace.id, id).await?;
        let bot = match bot {
            Some(id) => Some(find(tx, workspace.id, id).await?),
            None => None,
        };
        let before = store::bot_of(tx, workspace.id, channel.account_id).await?;
        let (old, new) = (before.map(|bot| bot.id), bot.as_ref().map(|bot| bot.id));
        if old != new {
            store::attach(app, tx, workspace.id, channel.account_id, new).await?;
            let entry = audit::Entry::in_workspace("channel.set_bot", &workspace, channel.id)
                .before(json!({ "bot_id": old }))
                .after(json!({ "bot_id": new }));
            audit::record(app, tx, origin, entry).await?;
        }
        Ok(Attached { channel, bot })
    })
    .await
}

async fn find_channel(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: ChannelId) -> Result<channel::Model> {
    let found = channels::by_channel_id(db, workspace_id, id).await?;
    found.ok_or_else(|| Error::ChannelNotFound(id.to_string()))
}
