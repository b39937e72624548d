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

/// Which channel is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The one of this id.
    Id(ChannelId),
    /// That of this account, named as the Workspace API shows it, `<digits>@s.whatsapp.net`.
    Account(String),
}

impl Named {
    /// Reads what stands in a path. What is neither is nobody's.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Account(text.to_owned()), Self::Id)
    }
}

/// The bot of a channel.
///
/// # Errors
/// `channel_not_found`.
pub async fn get(app: &App, workspace_id: WorkspaceId, named: &Named) -> Result<Attached> {
    let db = app.db.reader();
    let channel = find_channel(db, workspace_id, named).await?;
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
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        let channel = find_channel(tx, workspace.id, named).await?;
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

async fn find_channel(db: &impl ConnectionTrait, workspace_id: WorkspaceId, named: &Named) -> Result<channel::Model> {
    let (found, text) = match named {
        Named::Id(id) => (channels::by_channel_id(db, workspace_id, *id).await?, id.to_string()),
        Named::Account(id) => (channels::by_account(db, workspace_id, id).await?, id.clone()),
    };
    found.ok_or(Error::ChannelNotFound(text))
}
