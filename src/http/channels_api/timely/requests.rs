//! What is sent to make, change and connect a channel.

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
        show::Status,
        update::UpdateChannel,
    },
    error::{Error, Result},
    http::agents_api::views::bare_bot,
};

/// A channel to be made.
#[derive(Object, Deserialize)]
#[oai(rename = "TimelyCreateChannelRequest")]
pub(super) struct CreateRequest {
    /// Its name, 1 to 255 characters.
    name: Option<String>,
    /// `whatsapp`, `instagram`, `telegram`, `widget` (or `website`), `email`, `sms`, `voice`, `facebook` or `rcs`.
    r#type: Option<String>,
    /// Id of the agent that answers on it.
    agent_id: Option<String>,
    /// How it is set up, in the words of the other dialect; may be sent when it is connected.
    config: Option<BTreeMap<String, Value>>,
}

impl CreateRequest {
    pub(super) fn into_command(self) -> Result<CreateChannel> {
        let name = ChannelName::parse(&self.name.ok_or_else(|| Error::field("name", "is required"))?)?;
        let network = create::parse_type(&self.r#type.ok_or_else(|| Error::field("type", "is required"))?)?;
        let config = Config::default().changed(network, self.config.unwrap_or_default().into_iter().collect())?;
        let bot = self.agent_id.as_deref().map(agent_id).transpose()?;
        Ok(CreateChannel { name, network, config, bot, metadata: Map::new() })
    }
}

/// What to change of a channel; what is absent stays.
#[derive(Object, Deserialize)]
#[oai(rename = "TimelyUpdateChannelRequest")]
pub(super) struct UpdateRequest {
    /// Its name, 1 to 255 characters.
    name: Option<String>,
    /// Id of the agent that answers on it in place of the one that it has; `null` takes that off.
    #[oai(nullable)]
    #[serde(default = "absent")]
    agent_id: Option<String>,
    /// Settings to change: what is absent stays, `null` takes one away, and a secret that is sent masked stays. Of `theme`
    /// each part is changed by itself.
    config: Option<BTreeMap<String, Value>>,
}

/// Stands for a field that was not sent, which is no agent's id.
const fn absent() -> Option<String> {
    Some(String::new())
}

impl UpdateRequest {
    pub(super) fn into_command(self) -> Result<UpdateChannel> {
        let bot = match self.agent_id.as_deref() {
            Some("") => None,
            None => Some(None),
            Some(id) => Some(Some(agent_id(id)?)),
        };
        Ok(UpdateChannel {
            name: self.name.as_deref().map(ChannelName::parse).transpose()?,
            config: self.config.map(|config| config.into_iter().collect()),
            bot,
            metadata: None,
        })
    }
}

/// What a channel is connected with.
#[derive(Object, Deserialize)]
#[oai(rename = "TimelyConnectChannelRequest")]
pub(super) struct ConnectRequest {
    /// The token of a Telegram bot, or the access token of an account at Meta; kept as one of its settings.
    token: Option<String>,
    /// Settings to change before it is connected.
    config: Option<BTreeMap<String, Value>>,
}

impl ConnectRequest {
    /// The settings to change; `None` if there are none.
    pub(super) fn into_settings(self, network: Network) -> Result<Option<Map<String, Value>>> {
        let mut config: Map<String, Value> = self.config.unwrap_or_default().into_iter().collect();
        if let Some(token) = self.token {
            let setting = match network {
                Network::Telegram => "botToken",
                Network::Whatsapp | Network::Instagram => "accessToken",
                Network::Facebook => "pageAccessToken",
                _ => return Err(Error::field("token", "is for Telegram, WhatsApp, Instagram and Facebook")),
            };
            config.insert(setting.to_owned(), token.into());
        }
        Ok((!config.is_empty()).then_some(config))
    }
}

/// How channels stand that are looked for.
pub(super) fn statuses(text: &str) -> Result<Vec<Status>> {
    match text {
        "connected" => Ok(vec![Status::Active]),
        "disconnected" => Ok(vec![Status::Inactive, Status::Pending]),
        "error" => Ok(vec![Status::Error]),
        _ => Err(Error::field("status", "must be connected, disconnected or error")),
    }
}

fn agent_id(text: &str) -> Result<BotId> {
    bot::parse_id(bare_bot(text))
}
