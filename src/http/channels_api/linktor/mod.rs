//! Channels as Linktor's clients speak of them (seed 002): `{data, meta}` in camelCase, ids with a prefix.

use std::{ops::Deref, sync::Arc};

use poem::Request;
use poem_openapi::{OpenApi, OpenApiService, SecurityScheme, auth::Bearer};

use crate::{
    app::App,
    channel::named::Named,
    http::{
        agents_api::{dialect::LinktorError, views::bare_channel},
        channels_api::BASE,
        failure::Failure,
        required::Required,
        token_caller::TokenCaller,
    },
};

mod actions;
mod answers;
mod channels;
mod requests;
mod views;
mod webhook_views;
mod webhooks;

/// The way out of a handler.
type LinktorFailure = Failure<LinktorError>;

/// What the operations demand of their bodies.
pub(in crate::http) const REQUIRED: &[Required] = &[
    Required { operation: "create_channel", schema: "CreateChannelRequest", fields: &["name", "type", "config"] },
    Required { operation: "create_webhook", schema: "WebhookRequest", fields: &["url", "events"] },
];

/// The workspace's API token.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "BearerToken", checker = "check")]
struct LinktorAuth(TokenCaller);

async fn check(request: &Request, bearer: Bearer) -> poem::Result<TokenCaller> {
    TokenCaller::check(request, &bearer.token).await
}

impl Deref for LinktorAuth {
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
        webhooks::WebhooksApi { app: Arc::clone(app) },
    )
}

/// The operations, for the document.
pub(in crate::http) fn service(app: &Arc<App>) -> OpenApiService<impl OpenApi + use<>, ()> {
    OpenApiService::new(operations(app), "Quartermaster Channels API (Linktor's dialect)", "1")
        .description(
            "Accounts on messaging networks: made, set up, tested, switched on and off; and webhooks that hear of them. The workspace's token is sent as \
             Authorization: Bearer. With x-api-key in its place the same addresses speak Timely's dialect. Ids are ch_ and a \
             uuid; a bare uuid, and an account as /whatsapp_accounts names it, are understood too.",
        )
        .server(BASE)
}
