//! Making, reading, changing and deleting channels.

use std::sync::Arc;

use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};

use crate::{
    app::App,
    bot::list::Place,
    channel::{
        create,
        delete::{self, Conversations},
        list::{self, Filter},
        show, update,
    },
    error::Result,
    http::{
        body::UnreadJson,
        channels_api::timely::{
            TimelyAuth, TimelyFailure, named,
            requests::{CreateRequest, UpdateRequest, statuses},
            views::{ChannelView, Page},
        },
        query::{self, Written},
    },
    token::Scope,
};

pub(super) struct ChannelsApi {
    pub(super) app: Arc<App>,
}

/// A channel was made.
#[derive(ApiResponse)]
enum CreatedResponse {
    /// It is there, and not connected.
    #[oai(status = 201)]
    Done(Json<ChannelView>),
}

/// A channel was deleted.
#[derive(ApiResponse)]
enum Deleted {
    /// It is gone.
    #[oai(status = 204)]
    Done,
}

#[OpenApi]
impl ChannelsApi {
    /// List channels
    ///
    /// In the order in which they were made, accounts that were linked with a page among them.
    #[oai(path = "/channels", method = "get", operation_id = "list_channels")]
    async fn list(
        &self,
        caller: TimelyAuth,
        /// Number of the page, from 1.
        page: Query<Written<i64>>,
        /// Channels on a page, 1 to 100; 20 where absent.
        #[oai(name = "per_page")]
        per_page: Query<Written<i64>>,
        /// The same in another word.
        limit: Query<Written<i64>>,
        /// Only channels of this type.
        r#type: Query<Written<String>>,
        /// Only channels that stand so: `connected`, `disconnected` or `error`.
        status: Query<Written<String>>,
    ) -> Result<Json<Page>, TimelyFailure> {
        let parse = || {
            let (size, name) = query::either((&per_page, "per_page"), (&limit, "limit"))?;
            let place = Place::parse(page.read("page")?, size, name)?;
            let network = r#type.read("type")?.as_deref().map(create::parse_type).transpose()?;
            let statuses = status.read("status")?.as_deref().map(statuses).transpose()?.unwrap_or_default();
            Ok((place, Filter { network, statuses, search: None }))
        };
        let (place, filter) = caller.understand(Scope::ChannelsRead, parse()).await?;
        let workspace_id = caller.admit(Scope::ChannelsRead).await?.workspace.id;
        Ok(Json(list::list(&self.app, workspace_id, &filter, place).await?.into()))
    }

    /// Get a channel
    #[oai(path = "/channels/:channel_id", method = "get", operation_id = "get_channel")]
    async fn get(
        &self,
        caller: TimelyAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Json<ChannelView>, TimelyFailure> {
        let workspace_id = caller.admit(Scope::ChannelsRead).await?.workspace.id;
        Ok(Json(show::get(&self.app, workspace_id, &named(&channel_id.0)).await?.into()))
    }

    /// Make a channel
    ///
    /// It is not connected before `connect`. 409 `NO_CONNECTOR` where nobody speaks to the provider, `CONFLICT` if another
    /// channel of the workspace has the account; 403 `CHANNEL_LIMIT_REACHED` if there are as many as the plan allows.
    #[oai(path = "/channels", method = "post", operation_id = "create_channel")]
    async fn create(
        &self,
        caller: TimelyAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<CreateRequest>,
    ) -> Result<CreatedResponse, TimelyFailure> {
        let parsed = body.read().and_then(CreateRequest::into_command).and_then(|command| {
            let request = command.repeatable(caller.repeat_scope(), key.0.as_deref())?;
            Ok((command, request))
        });
        let (command, request) = caller.understand(Scope::ChannelsWrite, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let made = create::create(&self.app, admitted, &caller.origin(), &command, &request).await?;
        Ok(CreatedResponse::Done(Json(made.into())))
    }

    /// Change a channel
    ///
    /// What is absent stays. A channel has one agent at a time.
    #[oai(path = "/channels/:channel_id", method = "put", operation_id = "update_channel")]
    async fn update(
        &self,
        caller: TimelyAuth,
        /// Id of the channel.
        channel_id: Path<String>,
        body: UnreadJson<UpdateRequest>,
    ) -> Result<Json<ChannelView>, TimelyFailure> {
        let parsed = body.read().and_then(UpdateRequest::into_command);
        let command = caller.understand(Scope::ChannelsWrite, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let origin = caller.origin();
        Ok(Json(update::update(&self.app, admitted, &origin, &named(&channel_id.0), &command).await?.into()))
    }

    /// Delete a channel
    ///
    /// Its session is ended, and what is secret of it forgotten. Its conversations are closed and stay readable; messages
    /// that wait to be sent through it fail, and their credits come back.
    #[oai(path = "/channels/:channel_id", method = "delete", operation_id = "delete_channel")]
    async fn delete(
        &self,
        caller: TimelyAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Deleted, TimelyFailure> {
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let channel = named(&channel_id.0);
        delete::delete(&self.app, admitted, &caller.origin(), &channel, Conversations::Close).await?;
        Ok(Deleted::Done)
    }
}
