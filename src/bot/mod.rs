//! Bots (DESIGN, Words): automations that answer what comes to a channel, while a chat is answered automatically.
//!
//! - A bot is an HTTP endpoint of the customer's or a model behind an endpoint for chat completions; a channel has at
//!   most one, a bot any number of channels. [`turn`] is how it answers.
//! - What signs requests to an endpoint, or opens a model's, is sealed at rest. An answer shows a signing secret once,
//!   in the request that sets it; the key of a model never.
//! - Its addresses pass [`crate::outbound`] when they are set and whenever they are dialled.

use entity::{
    bot::{Kind, Model},
    channel_bot,
    id::{AccountId, BotId, ChannelId, WorkspaceId},
    timestamp::Timestamp,
};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    channel,
    error::{Error, Result},
};

pub mod attach;
pub mod create;
pub mod delete;
pub mod list;
mod secret;
pub mod settings;
mod store;
pub mod turn;
pub mod update;

pub(crate) use store::{bot_of, bots_of};

/// Most bots of a workspace.
pub const MOST: u64 = 50;

/// A bot as an answer shows it. Answers are kept for replays, so what is added here later needs a default.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the column of the same name")]
pub struct Bot {
    pub id: BotId,
    pub name: String,
    pub kind: Kind,
    pub url: String,
    pub model: Option<String>,
    pub system_prompt: Option<String>,
    pub temperature_percent: Option<i32>,
    pub max_tokens: Option<i32>,
    pub timeout_ms: i64,
    pub history: i32,
    /// Whether it has a secret.
    pub has_secret: bool,
    /// The secret that signs, in the one answer that shows it.
    pub shown_secret: Option<String>,
    /// Channels that it answers on.
    pub channels: Vec<ChannelId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Bot {
    fn new(row: Model, channels: Vec<ChannelId>, shown_secret: Option<String>) -> Self {
        Self {
            id: row.id,
            name: row.name,
            kind: row.kind,
            url: row.url,
            model: row.model,
            system_prompt: row.system_prompt,
            temperature_percent: row.temperature_percent,
            max_tokens: row.max_tokens,
            timeout_ms: row.timeout_ms,
            history: row.history,
            has_secret: row.secret.is_some(),
            shown_secret,
            channels,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Reads a bot's id as it stands in a path.
///
/// # Errors
/// `bot_not_found`: what is no uuid is nobody's.
pub fn parse_id(text: &str) -> Result<BotId> {
    text.parse().map_err(|_| Error::BotNotFound(text.to_owned()))
}

/// One bot.
///
/// # Errors
/// `bot_not_found`.
pub async fn get(app: &App, workspace_id: WorkspaceId, id: BotId) -> Result<Bot> {
    let db = app.db.reader();
    let row = find(db, workspace_id, id).await?;
    with_channels(db, workspace_id, row, None).await
}

async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: BotId) -> Result<Model> {
    store::find(db, workspace_id, id).await?.ok_or_else(|| Error::BotNotFound(id.to_string()))
}

/// A row with the channels that it answers on.
async fn with_channels(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    row: Model,
    shown_secret: Option<String>,
) -> Result<Bot> {
    let attached = store::attached_to(db, workspace_id, [row.id]).await?;
    let names = channel_ids(db, workspace_id, &attached).await?;
    let channels = attached.iter().filter_map(|one| names.get(&one.account_id).copied()).collect();
    Ok(Bot::new(row, channels, shown_secret))
}

/// The ids of the channels that bots are attached to.
async fn channel_ids(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    attached: &[channel_bot::Model],
) -> Result<std::collections::HashMap<AccountId, ChannelId>> {
    let found = channel::by_ids(db, workspace_id, attached.iter().map(|one| one.account_id)).await?;
    Ok(found.into_iter().map(|(account_id, channel)| (account_id, channel.id)).collect())
}

/// What the audit keeps: whose machine it is, and no secret; paths of such addresses are often secrets too.
fn for_audit(row: &Model) -> serde_json::Value {
    let origin = row.url.parse::<reqwest::Url>().map(|url| url.origin().ascii_serialization());
    serde_json::json!({
        "name": row.name, "kind": row.kind, "origin": origin.unwrap_or_default(), "model": row.model,
        "timeout_ms": row.timeout_ms, "history": row.history, "has_secret": row.secret.is_some(),
    })
}
