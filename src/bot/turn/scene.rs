//! What a turn is about, read when it begins.

use std::{collections::HashMap, sync::Arc};

use entity::{
    bot, bot_turn, channel, chat, file,
    id::{FileId, MessageId, TokenId},
    message::{self, Direction},
    partner, workspace,
};
use serde::Serialize;

use crate::{
    app::App, bot::bot_of, caller::WorkspaceCaller, channel as channels, chat as chats, error::Result, file as files,
    message::read, partner as partners, plan, quota::threshold::Thresholds, token::Scopes, user as users,
    workspace as workspaces,
};

/// A chat that waits for an answer, and whoever is to give it.
pub(super) struct Scene {
    pub(super) bot: bot::Model,
    pub(super) chat: chat::Model,
    pub(super) channel: channel::Model,
    /// As whom the bot sends: its rates are its own, its credits the workspace's.
    pub(super) caller: Arc<WorkspaceCaller>,
}

/// What was said until a message, oldest first, and the files that it carries.
pub(super) struct History {
    /// The messages, notes left out.
    pub(super) messages: Vec<message::Model>,
    /// Files that are kept.
    pub(super) files: HashMap<FileId, file::Model>,
    /// Labels of the chat.
    pub(super) labels: Vec<String>,
}

/// Who wrote a message, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Sender<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) phone: Option<&'a str>,
}

impl Scene {
    /// `None` where nothing is to be answered any more: the chat is not answered automatically, the channel has no bot,
    /// the workspace is kept out.
    pub(super) async fn read(app: &App, turn: &bot_turn::Model) -> Result<Option<Self>> {
        let (db, workspace_id) = (app.db.reader(), turn.workspace_id);
        let chat = chats::find(db, workspace_id, turn.chat_id).await?;
        let Some(chat) = chat.filter(chat::Model::is_answered_automatically) else { return Ok(None) };
        let Some(bot) = bot_of(db, workspace_id, chat.account_id).await? else { return Ok(None) };
        let channel = channels::by_ids(db, workspace_id, [chat.account_id]).await?.remove(&chat.account_id);
        let Some(channel) = channel else { return Ok(None) };
        let Some(workspace) = workspaces::by_id(db, workspace_id).await? else { return Ok(None) };
        let Some(partner) = partners::find(db, &workspace.partner_id).await? else { return Ok(None) };
        if workspace.status != workspace::Status::Active || partner.status != partner::Status::Active {
            return Ok(None);
        }
        let Some(user) = users::find(db, workspace_id, channel.user_id).await? else { return Ok(None) };
        let caller = WorkspaceCaller {
            plan: plan::by_id(db, workspace.plan_id).await?,
            thresholds: Thresholds::from_stored(&partner.thresholds),
            token_id: TokenId(bot.id.0),
            scopes: Scopes::all(),
            workspace,
            user,
        };
        Ok(Some(Self { bot, chat, channel, caller: Arc::new(caller) }))
    }

    /// Whether a reply could be sent now.
    pub(super) fn can_send(&self) -> bool {
        self.channel.is_open()
    }

    /// Who wrote a message of the chat.
    pub(super) fn sender<'a>(&'a self, message: &'a message::Model) -> Sender<'a> {
        let (name, phone) = match (message.direction, self.chat.is_group) {
            (Direction::Sent, _) => (Some(&self.caller.user.display_name), Some(&self.channel.phone)),
            (Direction::Received, false) => (Some(&self.chat.name), self.chat.phone.as_ref()),
            (Direction::Received, true) => (message.sender_name.as_ref(), message.sender_phone.as_ref()),
        };
        let known = |text: Option<&'a String>| text.map(String::as_str).filter(|text| !text.is_empty());
        Sender { name: known(name), phone: known(phone) }
    }

    /// What was said until this message.
    pub(super) async fn history(&self, app: &App, until: MessageId) -> Result<History> {
        let (db, workspace_id) = (app.db.reader(), self.chat.workspace_id);
        let limit = u64::try_from(self.bot.history).unwrap_or(1).max(1);
        let messages = read::until(db, workspace_id, self.chat.id, until, limit).await?;
        let files = files::by_ids(db, workspace_id, messages.iter().filter_map(|message| message.file_id)).await?;
        let labels = chats::labels_of(db, workspace_id, self.chat.id).await?;
        Ok(History { messages, files, labels })
    }
}
