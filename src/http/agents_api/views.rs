//! Agents as they are sent and shown, in both dialects.

use entity::{bot::Kind, id::ChannelId};
use poem_openapi::{Enum, Object};
use serde::Deserialize;

use crate::{
    bot::{
        Bot,
        list::Listed,
        settings::{Given, MASK},
    },
    error::Error,
    http::{agents_api::dialect::Spoken, formats::IsoTime},
};

/// How Linktor's dialect begins the ids of bots.
pub(in crate::http) const BOT_PREFIX: &str = "bot_";
/// How it begins those of channels.
pub(in crate::http) const CHANNEL_PREFIX: &str = "ch_";

/// An id in a path or a body, with or without its prefix.
pub(in crate::http) fn bare_bot(id: &str) -> &str {
    id.strip_prefix(BOT_PREFIX).unwrap_or(id)
}

/// The same for a channel.
pub(in crate::http) fn bare_channel(id: &str) -> &str {
    id.strip_prefix(CHANNEL_PREFIX).unwrap_or(id)
}

/// An agent to be made, or what to change of one, as Linktor's clients send it.
#[derive(Object, Deserialize)]
#[oai(rename = "LinktorAgentRequest", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct LinktorRequest {
    /// Its name, at most 100 characters.
    name: Option<String>,
    /// `http` or `openai`; cannot be changed.
    #[serde(alias = "kind", alias = "botType")]
    r#type: Option<String>,
    /// How it answers.
    config: Option<LinktorConfigRequest>,
}

/// How an agent answers, as Linktor's clients send it.
#[derive(Default, Object, Deserialize)]
#[oai(rename = "LinktorAgentConfigRequest", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
struct LinktorConfigRequest {
    /// Address of an `http` agent; must lead to a public address.
    endpoint: Option<String>,
    /// What signs requests to it, `whsec_` and base64 of 24 to 64 bytes; made where absent.
    signing_secret: Option<String>,
    /// Address of the API of an `openai` agent, to which `/chat/completions` is added; must lead to a public address.
    base_url: Option<String>,
    /// Name of the model.
    model: Option<String>,
    /// Key of the API.
    api_key: Option<String>,
    /// What the model is told first, at most 10000 characters.
    system_prompt: Option<String>,
    /// 0 to 2.
    temperature: Option<f64>,
    /// 1 to 32768.
    max_tokens: Option<i64>,
    /// How long an answer may take, 1000 to 60000; 20000 where absent.
    timeout_ms: Option<i64>,
    /// How many messages of the chat it is shown, 1 to 50; 20 where absent.
    history_limit: Option<i64>,
}

impl From<LinktorRequest> for Given {
    fn from(request: LinktorRequest) -> Self {
        let config = request.config.unwrap_or_default();
        Self {
            name: request.name,
            kind: request.r#type,
            endpoint: config.endpoint,
            signing_secret: config.signing_secret,
            base_url: config.base_url,
            model: config.model,
            api_key: config.api_key,
            system_prompt: config.system_prompt,
            temperature: config.temperature,
            max_tokens: config.max_tokens,
            timeout_ms: config.timeout_ms,
            history_limit: config.history_limit,
        }
    }
}

/// Settings by our names, and where Linktor's clients send them.
const LINKTOR_FIELDS: [(&str, &str); 11] = [
    ("kind", "type"),
    ("endpoint", "config.endpoint"),
    ("signing_secret", "config.signingSecret"),
    ("base_url", "config.baseUrl"),
    ("model", "config.model"),
    ("api_key", "config.apiKey"),
    ("system_prompt", "config.systemPrompt"),
    ("temperature", "config.temperature"),
    ("max_tokens", "config.maxTokens"),
    ("timeout_ms", "config.timeoutMs"),
    ("history_limit", "config.historyLimit"),
];

/// An error that names a setting as its sender knows it.
pub(super) fn named_in(spoken: Spoken, error: Error) -> Error {
    match error {
        Error::InvalidField { field, reason } if spoken == Spoken::Linktor => {
            let sent = LINKTOR_FIELDS.iter().find(|(own, _)| *own == field).map_or(field, |(_, sent)| *sent);
            Error::InvalidField { field: sent, reason }
        }
        error => error,
    }
}

/// An agent to be made, or what to change of one, as Timely's clients send it.
#[derive(Object, Deserialize)]
#[oai(rename = "TimelyAgentRequest")]
pub(super) struct TimelyRequest {
    /// Its name, at most 100 characters.
    name: Option<String>,
    /// `http` or `openai`; cannot be changed.
    #[serde(alias = "type")]
    kind: Option<String>,
    /// Address of an `http` agent; must lead to a public address.
    endpoint: Option<String>,
    /// What signs requests to it, `whsec_` and base64 of 24 to 64 bytes; made where absent.
    signing_secret: Option<String>,
    /// Address of the API of an `openai` agent, to which `/chat/completions` is added; must lead to a public address.
    base_url: Option<String>,
    /// Name of the model.
    model: Option<String>,
    /// Key of the API.
    api_key: Option<String>,
    /// What the model is told first, at most 10000 characters.
    system_prompt: Option<String>,
    /// 0 to 2.
    temperature: Option<f64>,
    /// 1 to 32768.
    max_tokens: Option<i64>,
    /// How long an answer may take, 1000 to 60000; 20000 where absent.
    timeout_ms: Option<i64>,
    /// How many messages of the chat it is shown, 1 to 50; 20 where absent.
    history_limit: Option<i64>,
}

impl From<TimelyRequest> for Given {
    fn from(request: TimelyRequest) -> Self {
        Self {
            name: request.name,
            kind: request.kind,
            endpoint: request.endpoint,
            signing_secret: request.signing_secret,
            base_url: request.base_url,
            model: request.model,
            api_key: request.api_key,
            system_prompt: request.system_prompt,
            temperature: request.temperature,
            max_tokens: request.max_tokens,
            timeout_ms: request.timeout_ms,
            history_limit: request.history_limit,
        }
    }
}

/// Who thinks of the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename = "AgentKind", rename_all = "lowercase")]
enum KindView {
    /// An HTTP endpoint.
    Http,
    /// A model behind an endpoint for chat completions.
    Openai,
}

impl From<Kind> for KindView {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Http => Self::Http,
            Kind::Openai => Self::Openai,
        }
    }
}

/// The parts of an agent of which each kind has its own.
struct Parts {
    endpoint: Option<String>,
    signing_secret: Option<String>,
    base_url: Option<String>,
    api_key: Option<String>,
}

impl Parts {
    fn of(bot: &Bot) -> Self {
        let mask = || bot.has_secret.then(|| MASK.to_owned());
        match bot.kind {
            Kind::Http => Self {
                endpoint: Some(bot.url.clone()),
                signing_secret: bot.shown_secret.clone().or_else(mask),
                base_url: None,
                api_key: None,
            },
            Kind::Openai => {
                Self { endpoint: None, signing_secret: None, base_url: Some(bot.url.clone()), api_key: mask() }
            }
        }
    }
}

fn temperature(bot: &Bot) -> Option<f64> {
    bot.temperature_percent.map(|percent| f64::from(percent) / 100.0)
}

/// An agent, as Linktor's clients get it.
#[derive(Object)]
#[oai(rename = "LinktorAgent")]
pub(super) struct LinktorAgent {
    /// `bot_` and its id.
    id: String,
    /// Always `bot`.
    r#type: String,
    /// What is known of it.
    attributes: LinktorAttributes,
}

/// What is known of an agent.
#[derive(Object)]
#[oai(rename = "LinktorAgentAttributes", rename_all = "camelCase")]
struct LinktorAttributes {
    /// Its name.
    name: String,
    /// Who thinks of its answers.
    bot_type: KindView,
    /// How it answers.
    config: LinktorConfig,
    /// Ids of the channels that it answers on.
    channels: Vec<String>,
    /// When it was made.
    created_at: IsoTime,
    /// When it was last changed.
    updated_at: IsoTime,
}

/// How an agent answers. Secrets are masked but in the answer to the request that sets one.
#[derive(Object)]
#[oai(rename = "LinktorAgentConfig", rename_all = "camelCase", skip_serializing_if_is_none)]
struct LinktorConfig {
    /// Address of an `http` agent.
    endpoint: Option<String>,
    /// What signs requests to it.
    signing_secret: Option<String>,
    /// Address of the API of an `openai` agent.
    base_url: Option<String>,
    /// Name of the model.
    model: Option<String>,
    /// Key of the API; always masked.
    api_key: Option<String>,
    /// What the model is told first.
    system_prompt: Option<String>,
    /// How freely the model answers.
    temperature: Option<f64>,
    /// Most tokens of an answer.
    max_tokens: Option<i32>,
    /// How long an answer may take, in milliseconds.
    timeout_ms: i64,
    /// How many messages of the chat it is shown.
    history_limit: i32,
}

impl From<Bot> for LinktorAgent {
    fn from(bot: Bot) -> Self {
        let parts = Parts::of(&bot);
        let temperature = temperature(&bot);
        Self {
            id: format!("{BOT_PREFIX}{}", bot.id),
            r#type: "bot".to_owned(),
            attributes: LinktorAttributes {
                name: bot.name,
                bot_type: bot.kind.into(),
                config: LinktorConfig {
                    endpoint: parts.endpoint,
                    signing_secret: parts.signing_secret,
                    base_url: parts.base_url,
                    model: bot.model,
                    api_key: parts.api_key,
                    system_prompt: bot.system_prompt,
                    temperature,
                    max_tokens: bot.max_tokens,
                    timeout_ms: bot.timeout_ms,
                    history_limit: bot.history,
                },
                channels: bot.channels.into_iter().map(|id| format!("{CHANNEL_PREFIX}{id}")).collect(),
                created_at: bot.created_at.into(),
                updated_at: bot.updated_at.into(),
            },
        }
    }
}

/// One agent.
#[derive(Object)]
#[oai(rename = "LinktorAgentAnswer")]
pub(super) struct LinktorOne {
    /// The agent.
    data: LinktorAgent,
}

impl From<Bot> for LinktorOne {
    fn from(bot: Bot) -> Self {
        Self { data: bot.into() }
    }
}

/// One page of agents.
#[derive(Object)]
#[oai(rename = "LinktorAgents")]
pub(super) struct LinktorList {
    /// The agents, in the order in which they were made.
    data: Vec<LinktorAgent>,
    /// About the page.
    meta: LinktorListMeta,
}

/// About a page.
#[derive(Object)]
#[oai(rename = "LinktorListMeta")]
struct LinktorListMeta {
    /// Which page it is.
    pagination: LinktorPagination,
}

/// Which page it is.
#[derive(Object)]
#[oai(rename = "LinktorPagination", rename_all = "camelCase")]
struct LinktorPagination {
    /// Its number, from 1.
    page: u64,
    /// Items on a page.
    per_page: u64,
    /// How many pages there are.
    total_pages: u64,
    /// How many items there are.
    total_count: u64,
}

impl From<Listed> for LinktorList {
    fn from(listed: Listed) -> Self {
        let pagination = LinktorPagination {
            page: listed.place.page,
            per_page: listed.place.limit,
            total_pages: listed.pages(),
            total_count: listed.total,
        };
        Self { data: listed.bots.into_iter().map(Into::into).collect(), meta: LinktorListMeta { pagination } }
    }
}

/// An agent, as Timely's clients get it. Secrets are masked but in the answer to the request that sets one.
#[derive(Object)]
#[oai(rename = "TimelyAgent", skip_serializing_if_is_none)]
pub(super) struct TimelyAgent {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Who thinks of its answers.
    kind: KindView,
    /// Address of an `http` agent.
    endpoint: Option<String>,
    /// What signs requests to it.
    signing_secret: Option<String>,
    /// Address of the API of an `openai` agent.
    base_url: Option<String>,
    /// Name of the model.
    model: Option<String>,
    /// Key of the API; always masked.
    api_key: Option<String>,
    /// What the model is told first.
    system_prompt: Option<String>,
    /// How freely the model answers.
    temperature: Option<f64>,
    /// Most tokens of an answer.
    max_tokens: Option<i32>,
    /// How long an answer may take, in milliseconds.
    timeout_ms: i64,
    /// How many messages of the chat it is shown.
    history_limit: i32,
    /// Ids of the channels that it answers on.
    channel_ids: Vec<String>,
    /// When it was made.
    created_at: IsoTime,
    /// When it was last changed.
    updated_at: IsoTime,
}

impl From<Bot> for TimelyAgent {
    fn from(bot: Bot) -> Self {
        let parts = Parts::of(&bot);
        let temperature = temperature(&bot);
        Self {
            id: bot.id.to_string(),
            name: bot.name,
            kind: bot.kind.into(),
            endpoint: parts.endpoint,
            signing_secret: parts.signing_secret,
            base_url: parts.base_url,
            model: bot.model,
            api_key: parts.api_key,
            system_prompt: bot.system_prompt,
            temperature,
            max_tokens: bot.max_tokens,
            timeout_ms: bot.timeout_ms,
            history_limit: bot.history,
            channel_ids: bot.channels.iter().map(ChannelId::to_string).collect(),
            created_at: bot.created_at.into(),
            updated_at: bot.updated_at.into(),
        }
    }
}

/// One page of agents.
#[derive(Object)]
#[oai(rename = "TimelyAgents")]
pub(super) struct TimelyList {
    /// The agents, in the order in which they were made.
    data: Vec<TimelyAgent>,
    /// Which page it is.
    pagination: TimelyPagination,
}

/// Which page it is.
#[derive(Object)]
#[oai(rename = "TimelyPagination")]
struct TimelyPagination {
    /// Its number, from 1.
    page: u64,
    /// Items on a page.
    limit: u64,
    /// How many items there are.
    total: u64,
    /// How many pages there are.
    total_pages: u64,
}

impl From<Listed> for TimelyList {
    fn from(listed: Listed) -> Self {
        let pagination = TimelyPagination {
            page: listed.place.page,
            limit: listed.place.limit,
            total: listed.total,
            total_pages: listed.pages(),
        };
        Self { data: listed.bots.into_iter().map(Into::into).collect(), pagination }
    }
}
