//! Channels as Timely's clients speak of them (seed 000): flat, snake_case, bare ids.

use std::{ops::Deref, sync::Arc};

use poem::Request;
use poem_openapi::{OpenApi, OpenApiService, SecurityScheme, auth::ApiKey};

use crate::{
    app::App,
    channel::named::Named,
    http::{
        agents_api::{dialect::TimelyError, views::bare_channel},
        channels_api::BASE,
        failure::Failure,
        required::Required,
        token_caller::TokenCaller,
    },
};

mod actions;
mod channels;
mod conversation;
mod requests;
mod views;
mod widget;

/// The way out of a handler.
type TimelyFailure = Failure<TimelyError>;

/// What the operations demand of their bodies.
pub(in crate::http) const REQUIRED: &[Required] = &[
    Required { operation: "create_channel", schema: "TimelyCreateChannelRequest", fields: &["name", "type"] },
    Required { operation: "begin_conversation", schema: "TimelyConversationRequest", fields: &["to", "message"] },
];

/// The workspace's API token.
#[derive(SecurityScheme)]
#[oai(ty = "api_key", key_name = "x-api-key", key_in = "header", rename = "ApiKey", checker = "check")]
struct TimelyAuth(TokenCaller);

async fn check(request: &Request, key: ApiKey) -> poem::Result<TokenCaller> {
    TokenCaller::check(request, &key.key).await
}

impl Deref for TimelyAuth {
    type Target = TokenCaller;

    fn deref(&self) -> &TokenCaller {
        &self.0
    }
}

/// Which channel a path means.
fn named(id: &str) -> Named {
    Named::parse(bare_channel(id))
}

/// The operations, for routing.
pub(super) fn operations(app: &Arc<App>) -> impl OpenApi + use<> {
    (
        channels::ChannelsApi { app: Arc::clone(app) },
        actions::ActionsApi { app: Arc::clone(app) },
        widget::WidgetApi { app: Arc::clone(app) },
        conversation::ConversationApi { app: Arc::clone(app) },
    )
}

/// The operations, for the document.
pub(in crate::http) fn service(app: &Arc<App>) -> OpenApiService<impl OpenApi + use<>, ()> {
    OpenApiService::new(operations(app), "Quartermaster Channels API (Timely's dialect)", "1")
        .description(
            "Accounts on messaging networks: made, connected and written from. The workspace's token is sent as x-api-key. With \
             Authorization: Bearer in its place the same addresses speak Linktor's dialect. Ids are uuids; ch_ and a uuid, and an \
             account as /whatsapp_accounts names it, are understood too.",
        )
        .server(BASE)
}
