//! Which agent answers on a channel.

use std::sync::Arc;

use poem_openapi::{Object, OpenApi, param::Path};
use serde::Deserialize;

use crate::{
    app::App,
    bot::{
        self,
        attach::{self, Attached},
    },
    channel::named::Named,
    error::{Error, Result},
    http::agents_api::{
        auth::TokenAuth,
        dialect::{AgentsFailure, Spoken},
        either::{Answer, EitherJson},
        views::{BOT_PREFIX, CHANNEL_PREFIX, bare_bot, bare_channel},
    },
    token::Scope,
};

pub(super) struct ChannelAgentApi {
    pub(super) app: Arc<App>,
}

type One = Answer<200, LinktorChannel, TimelyChannel>;

/// The bot that a channel is to have, as Linktor's clients name it.
#[derive(Object, Deserialize)]
#[oai(rename = "LinktorChannelAgentRequest")]
struct LinktorRequest {
    /// Id of the bot; `null` takes the one that it has off.
    #[oai(rename = "defaultBotId", nullable)]
    #[serde(rename = "defaultBotId", alias = "agentId", alias = "agent_id", default = "absent")]
    default_bot_id: Option<String>,
}

/// The agent that a channel is to have, as Timely's clients name it.
#[derive(Object, Deserialize)]
#[oai(rename = "TimelyChannelAgentRequest")]
struct TimelyRequest {
    /// Id of the agent; `null` takes the one that it has off.
    #[oai(nullable)]
    #[serde(default = "absent")]
    agent_id: Option<String>,
}

/// Stands for a field that was not sent, which is no agent's id.
const fn absent() -> Option<String> {
    Some(String::new())
}

/// The id that was sent; `null` is none.
struct Wanted(Option<String>);

impl From<LinktorRequest> for Wanted {
    fn from(request: LinktorRequest) -> Self {
        Self(request.default_bot_id)
    }
}

impl From<TimelyRequest> for Wanted {
    fn from(request: TimelyRequest) -> Self {
        Self(request.agent_id)
    }
}

/// A channel's agent, as Linktor's clients get it.
#[derive(Object)]
#[oai(rename = "LinktorChannelAgent")]
struct LinktorChannel {
    /// The channel.
    data: LinktorChannelData,
}

/// A channel.
#[derive(Object)]
#[oai(rename = "LinktorChannelAgentData")]
struct LinktorChannelData {
    /// `ch_` and its id.
    id: String,
    /// Always `channel`.
    r#type: String,
    /// What is known of it.
    attributes: LinktorChannelAttributes,
}

/// The bot of a channel.
#[derive(Object)]
#[oai(rename = "LinktorChannelAgentAttributes", rename_all = "camelCase")]
struct LinktorChannelAttributes {
    /// Its bot; `null` where it has none.
    #[oai(nullable)]
    default_bot: Option<LinktorBot>,
}

/// A bot.
#[derive(Object)]
#[oai(rename = "LinktorBot")]
struct LinktorBot {
    /// `bot_` and its id.
    id: String,
    /// Its name.
    name: String,
}

impl From<Attached> for LinktorChannel {
    fn from(attached: Attached) -> Self {
        let bot = attached.bot.map(|bot| LinktorBot { id: format!("{BOT_PREFIX}{}", bot.id), name: bot.name });
        Self {
            data: LinktorChannelData {
                id: format!("{CHANNEL_PREFIX}{}", attached.channel.id),
                r#type: "channel".to_owned(),
                attributes: LinktorChannelAttributes { default_bot: bot },
            },
        }
    }
}

/// A channel's agent, as Timely's clients get it.
#[derive(Object)]
#[oai(rename = "TimelyChannelAgent")]
struct TimelyChannel {
    /// The channel's id.
    id: String,
    /// Id of its agent; `null` where it has none.
    #[oai(nullable)]
    agent_id: Option<String>,
}

impl From<Attached> for TimelyChannel {
    fn from(attached: Attached) -> Self {
        Self { id: attached.channel.id.to_string(), agent_id: attached.bot.map(|bot| bot.id.to_string()) }
    }
}

#[OpenApi]
impl ChannelAgentApi {
    /// Get the agent of a channel
    #[oai(path = "/channels/:channel_id/agent", method = "get", operation_id = "get_channel_agent")]
    async fn get(
        &self,
        caller: TokenAuth,
        /// Id of the channel, or of its account as `/whatsapp_accounts` shows it.
        channel_id: Path<String>,
    ) -> Result<One, AgentsFailure> {
        let workspace_id = caller.admit(Scope::AgentsRead).await?.workspace.id;
        let named = Named::parse(bare_channel(&channel_id.0));
        Ok(Answer::of(caller.spoken, attach::get(&self.app, workspace_id, &named).await?))
    }

    /// Give a channel an agent
    ///
    /// In place of the one that it has; `null` takes that off.
    #[oai(path = "/channels/:channel_id/agent", method = "put", operation_id = "set_channel_agent")]
    async fn set(
        &self,
        caller: TokenAuth,
        /// Id of the channel, or of its account as `/whatsapp_accounts` shows it.
        channel_id: Path<String>,
        body: EitherJson<LinktorRequest, TimelyRequest>,
    ) -> Result<One, AgentsFailure> {
        let field = match caller.spoken {
            Spoken::Linktor => "defaultBotId",
            Spoken::Timely => "agent_id",
        };
        let wanted = body.read::<Wanted>().and_then(|wanted| match wanted.0.as_deref() {
            Some("") => Err(Error::field(field, "is required; null takes the agent off")),
            _ => Ok(wanted.0),
        });
        let wanted = caller.understand(Scope::AgentsWrite, wanted).await?;
        self.change(&caller, &channel_id.0, wanted.as_deref()).await
    }

    /// Take the agent off a channel
    ///
    /// Changes nothing where it has none.
    #[oai(path = "/channels/:channel_id/agent", method = "delete", operation_id = "remove_channel_agent")]
    async fn remove(
        &self,
        caller: TokenAuth,
        /// Id of the channel, or of its account as `/whatsapp_accounts` shows it.
        channel_id: Path<String>,
    ) -> Result<One, AgentsFailure> {
        self.change(&caller, &channel_id.0, None).await
    }
}

impl ChannelAgentApi {
    async fn change(&self, caller: &TokenAuth, id: &str, wanted: Option<&str>) -> Result<One, AgentsFailure> {
        let admitted = caller.admit(Scope::AgentsWrite).await?;
        let named = Named::parse(bare_channel(id));
        let bot = wanted.map(|id| bot::parse_id(bare_bot(id))).transpose()?;
        let attached = attach::set(&self.app, admitted, &caller.origin(), &named, bot).await?;
        Ok(Answer::of(caller.spoken, attached))
    }
}
