//! What all three types have in common: status, refresh, disconnect, and whether a campaign runs.

use std::sync::Arc;

use entity::{channel::Network, id::ChannelId};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Path, Query},
    payload::Json,
};

use crate::{
    app::App,
    channel::slot,
    error::{Error, Result as Understood},
    http::{
        agents_api::auth::TokenAuth,
        body::UnreadJson,
        connect_api::{
            ConnectFailure, channel_of, network_of,
            requests::{AccountRequest, CampaignRequest},
            views::{CampaignAnswer, ChannelAnswer},
        },
    },
    token::Scope,
};

pub(super) struct AnyApi {
    pub(super) app: Arc<App>,
}

/// A channel was disconnected.
#[derive(ApiResponse)]
enum Disconnected {
    /// It is gone.
    #[oai(status = 204)]
    Done,
}

#[OpenApi]
impl AnyApi {
    /// Get the status of a channel
    ///
    /// While a phone is waited for, with the code that is good now, for tokens with the scope `channels:write`: whoever
    /// sees it can connect the account. While the network asks something, with what. 404 where there is no such channel.
    #[oai(path = "/channels/:channel/status", method = "get", operation_id = "get_status")]
    async fn status(
        &self,
        caller: TokenAuth,
        /// `whatsapp`, `telegram` or `instagram`.
        channel: Path<String>,
        /// As `connect` gave it; the channel that is connected where absent.
        account_id: Query<Option<String>>,
    ) -> Result<Json<ChannelAnswer>, ConnectFailure> {
        let parsed = parse(&channel.0, account_id.0, Ok(AccountRequest::default()));
        let (network, id) = caller.understand(Scope::ChannelsRead, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsRead).await?;
        let standing = slot::status(&self.app, admitted.workspace.id, network, id).await?;
        Ok(Json(ChannelAnswer::to(&admitted.scopes, &standing, self.app.clock.now())))
    }

    /// Refresh the status of a channel
    ///
    /// Asks the provider how the account is; where a phone is waited for and no code is there yet, waits some seconds for
    /// one. 503 `provider_unavailable` if the provider does not answer, 429 `provider_limited` if it takes no more requests.
    #[oai(path = "/channels/:channel/refresh", method = "post", operation_id = "refresh_status")]
    async fn refresh(
        &self,
        caller: TokenAuth,
        /// `whatsapp`, `telegram` or `instagram`.
        channel: Path<String>,
        /// As `connect` gave it; the channel that is connected where absent. It may stand in the body instead.
        account_id: Query<Option<String>>,
        body: UnreadJson<AccountRequest>,
    ) -> Result<Json<ChannelAnswer>, ConnectFailure> {
        let parsed = parse(&channel.0, account_id.0, body.read());
        let (network, id) = caller.understand(Scope::ChannelsWrite, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let standing = slot::refresh(&self.app, admitted.workspace.id, network, id).await?;
        Ok(Json(ChannelAnswer::to(&admitted.scopes, &standing, self.app.clock.now())))
    }

    /// Disconnect a channel
    ///
    /// Removes its account from the provider and deletes its settings; its conversations are closed and stay readable. 404
    /// where nothing was connected here and no other channel is named; 422 `campaign_running` while a campaign runs on it.
    #[oai(path = "/channels/:channel/disconnect", method = "post", operation_id = "disconnect")]
    async fn disconnect(
        &self,
        caller: TokenAuth,
        /// `whatsapp`, `telegram` or `instagram`.
        channel: Path<String>,
        /// As `connect` or the status gave it; the channel that was connected here, or is being connected, where absent. It
        /// may stand in the body instead.
        account_id: Query<Option<String>>,
        body: UnreadJson<AccountRequest>,
    ) -> Result<Disconnected, ConnectFailure> {
        let parsed = parse(&channel.0, account_id.0, body.read());
        let (network, id) = caller.understand(Scope::ChannelsWrite, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        slot::disconnect(&self.app, admitted, &caller.origin(), network, id).await?;
        Ok(Disconnected::Done)
    }

    /// Say whether a campaign runs on a channel
    ///
    /// While one does, the channel is neither disconnected nor replaced.
    #[oai(path = "/channels/:channel/campaign", method = "put", operation_id = "set_campaign")]
    async fn campaign(
        &self,
        caller: TokenAuth,
        /// `whatsapp`, `telegram` or `instagram`.
        channel: Path<String>,
        body: UnreadJson<CampaignRequest>,
    ) -> Result<Json<CampaignAnswer>, ConnectFailure> {
        let parsed = network_of(&channel.0)
            .and_then(|network| Ok((network, body.read().and_then(CampaignRequest::into_command)?)));
        let (network, running) = caller.understand(Scope::ChannelsWrite, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        slot::set_campaign(&self.app, admitted, &caller.origin(), network, running).await?;
        Ok(Json(CampaignAnswer::of(running)))
    }
}

/// The network that a path means, and the channel that is named in the query or in the body.
fn parse(
    channel: &str,
    in_query: Option<String>,
    body: Understood<AccountRequest>,
) -> Understood<(Network, Option<ChannelId>)> {
    let network = network_of(channel)?;
    let account_id = match (in_query, body?.account_id) {
        (Some(one), Some(other)) if one != other => {
            return Err(Error::field("account_id", "is one in the query and another in the body"));
        }
        (in_query, in_body) => in_query.or(in_body),
    };
    Ok((network, account_id.map(|id| channel_of(network, &id)).transpose()?))
}
