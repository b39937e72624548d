//! What is sent to make and to change a channel.

use std::collections::BTreeMap;

use entity::{channel::Network, id::BotId};
use poem_openapi::Object;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    bot,
    channel::{
        config::Config,
        create::{self, ChannelName, CreateChannel},
        switch::Deactivate,
        update::UpdateChannel,
    },
    error::{Error, Result},
    http::agents_api::views::bare_bot,
};

/// A channel to be made.
#[derive(Object, Deserialize)]
#[oai(rename = "CreateChannelRequest", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRequest {
    /// Its name, 1 to 255 characters.
    name: Option<String>,
    /// `whatsapp`, `telegram`, `sms`, `email`, `voice`, `webchat`, `facebook`, `instagram` or `rcs`.
    r#type: Option<String>,
    /// How it is set up; see the description of the operation.
    config: Option<BTreeMap<String, Value>>,
    /// The bot that answers on it.
    default_bot_id: Option<String>,
    /// Whatever you like to keep with it, at most 16 KiB of JSON.
    metadata: Option<BTreeMap<String, Value>>,
}

impl CreateRequest {
    pub(super) fn into_command(self) -> Result<CreateChannel> {
        let name = ChannelName::parse(&self.name.ok_or_else(|| Error::field("name", "is required"))?)?;
        let network = network(&self.r#type.ok_or_else(|| Error::field("type", "is required"))?)?;
        let given = self.config.ok_or_else(|| Error::field("config", "is required"))?;
        let config = Config::default().changed(network, object(given))?;
        config.require_complete(network)?;
        let metadata = object(self.metadata.unwrap_or_default());
        create::check_metadata(&metadata)?;
        let bot = self.default_bot_id.as_deref().map(bot_id).transpose()?;
        Ok(CreateChannel { name, network, config, bot, metadata })
    }
}

/// What to change of a channel; what is absent stays.
#[derive(Object, Deserialize)]
#[oai(rename = "UpdateChannelRequest", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateRequest {
    /// Its name, 1 to 255 characters.
    name: Option<String>,
    /// Settings to change: what is absent stays, `null` takes one away. What is sent back as it is shown stays, masked
    /// secrets and what the provider tells of the account among it. Of `theme` each part is changed by itself.
    config: Option<BTreeMap<String, Value>>,
    /// The bot that answers on it; `null` takes the one that it has off.
    #[oai(nullable)]
    #[serde(default = "absent")]
    default_bot_id: Option<String>,
    /// What you keep with it, in place of what there is.
    metadata: Option<BTreeMap<String, Value>>,
}

/// Stands for a field that was not sent, which is no bot's id.
const fn absent() -> Option<String> {
    Some(String::new())
}

impl UpdateRequest {
    pub(super) fn into_command(self) -> Result<UpdateChannel> {
        let bot = match self.default_bot_id.as_deref() {
            Some("") => None,
            None => Some(None),
            Some(id) => Some(Some(bot_id(id)?)),
        };
        let metadata = self.metadata.map(object);
        metadata.as_ref().map(create::check_metadata).transpose()?;
        Ok(UpdateChannel {
            name: self.name.as_deref().map(ChannelName::parse).transpose()?,
            config: self.config.map(object),
            bot,
            metadata,
        })
    }
}

/// Why and how a channel is switched off.
#[derive(Object, Deserialize)]
#[oai(rename = "DeactivateChannelRequest", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct DeactivateRequest {
    /// Why, at most 500 characters.
    reason: Option<String>,
    /// Whether its open conversations are closed; they are not where absent.
    close_conversations: Option<bool>,
}

impl From<DeactivateRequest> for Deactivate {
    fn from(request: DeactivateRequest) -> Self {
        Self { reason: request.reason, closes_conversations: request.close_conversations.unwrap_or(false) }
    }
}

/// One of the nine types, by Linktor's names.
pub(super) fn network(text: &str) -> Result<Network> {
    text.parse().map_err(|_| Error::InvalidChannelType(text.to_owned()))
}

fn bot_id(text: &str) -> Result<BotId> {
    bot::parse_id(bare_bot(text))
}

fn object(given: BTreeMap<String, Value>) -> Map<String, Value> {
    given.into_iter().collect()
}
