//! Bots, which this surface calls agents, and the channels that they answer on (`contracts/channels.md` B1, B3).
//!
//! One resource in two dialects: with `Authorization: Bearer` a caller speaks Linktor's (`data` and `meta`, camelCase,
//! ids with a prefix), with `x-api-key` Timely's (flat, snake_case, bare ids). The same tokens open both.

use std::sync::Arc;

use poem_openapi::{OpenApi, OpenApiService};

use crate::{
    app::App,
    http::{channels_api::BASE, required::Required},
};

mod agents;
pub(super) mod auth;
mod channels;
pub(super) mod dialect;
mod either;
pub(super) mod views;

/// What the operations demand of their bodies.
pub(super) const REQUIRED: &[Required] = &[
    Required { operation: "create_agent", schema: "LinktorAgentRequest", fields: &["name", "type", "config"] },
    Required { operation: "create_agent", schema: "TimelyAgentRequest", fields: &["name", "kind"] },
    Required { operation: "replace_agent", schema: "LinktorAgentRequest", fields: &["name", "config"] },
    Required { operation: "replace_agent", schema: "TimelyAgentRequest", fields: &["name"] },
    Required { operation: "set_channel_agent", schema: "LinktorChannelAgentRequest", fields: &["defaultBotId"] },
    Required { operation: "set_channel_agent", schema: "TimelyChannelAgentRequest", fields: &["agent_id"] },
];

/// The operations, for routing.
pub(super) fn operations(app: &Arc<App>) -> impl OpenApi + use<> {
    (agents::AgentsApi { app: Arc::clone(app) }, channels::ChannelAgentApi { app: Arc::clone(app) })
}

/// The operations, for the document.
pub(super) fn service(app: &Arc<App>) -> OpenApiService<impl OpenApi + use<>, ()> {
    OpenApiService::new(operations(app), "Quartermaster Agents API", "1")
        .description(
            "Bots that answer what comes to a channel. The workspace's token is sent as Authorization: Bearer, and bodies are \
             {data, meta} in camelCase then, or as x-api-key, and bodies are flat in snake_case.",
        )
        .server(BASE)
}
