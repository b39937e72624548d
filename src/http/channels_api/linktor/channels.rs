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
        channels_api::linktor::{
            LinktorAuth, LinktorFailure,
            answers::Created,
            named,
            requests::{CreateRequest, UpdateRequest, network},
            views::{Full, One, Page},
        },
        query::Written,
    },
    token::Scope,
};

pub(super) struct ChannelsApi {
    pub(super) app: Arc<App>,
}

/// A channel was made.
#[derive(ApiResponse)]
enum CreatedResponse {
    /// It is there, and switched off.
    #[oai(status = 201)]
    Done(Json<Created>),
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
        caller: LinktorAuth,
        /// Number of the page, from 1.
        page: Query<Written<i64>>,
        /// Channels on a page, 1 to 100; 20 where absent.
        #[oai(name = "perPage")]
        per_page: Query<Written<i64>>,
        /// Only channels of this type.
        r#type: Query<Written<String>>,
        /// Only channels that stand so: `active`, `inactive`, `error` or `pending`.
        status: Query<Written<String>>,
        /// Only channels with this in their name, in whatever case.
        search: Query<Written<String>>,
    ) -> Result<Json<Page>, LinktorFailure> {
        let parse = || {
            let place = Place::parse(page.read("page")?, per_page.read("perPage")?, "perPage")?;
            let network = r#type.read("type")?.as_deref().map(network).transpose()?;
            let status = status.read("status")?.as_deref().map(Filter::parse_status).transpose()?;
            let statuses = status.into_iter().collect();
            Ok((place, Filter { network, statuses, search: search.read("search")? }))
        };
        let (place, filter) = caller.understand(Scope::ChannelsRead, parse()).await?;
        let workspace_id = caller.admit(Scope::ChannelsRead).await?.workspace.id;
        let listed = list::list(&self.app, workspace_id, &filter, place).await?;
        Ok(Json(Page::new(&self.app, listed)))
    }

    /// Get a channel
    ///
    /// Secret settings are masked.
    #[oai(path = "/channels/:channel_id", method = "get", operation_id = "get_channel")]
    async fn get(
        &self,
        caller: LinktorAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Json<One<Full>>, LinktorFailure> {
        let workspace_id = caller.admit(Scope::ChannelsRead).await?.workspace.id;
        let shown = show::get(&self.app, workspace_id, &named(&channel_id.0)).await?;
        Ok(Json(One::full(&self.app, shown)))
    }

    /// Make a channel
    ///
    /// It is switched off until it is activated, a web chat until its first visitor comes. Settings in `config` by type
    /// (those in italics are secret and optional ones in brackets):
    ///
    /// - `whatsapp`: phoneNumberId, *accessToken*, [businessAccountId, *verifyToken*, *appSecret*, businessName] of
    ///   Meta's own API; or none of these, and a phone scans a code once the channel is activated
    /// - `telegram`: *botToken*
    /// - `sms`: provider (`twilio`), accountSid, *authToken*, phoneNumber
    /// - `voice`: as `sms`, and [speechToText, textToSpeech, recordCalls]
    /// - `email`: smtpHost, smtpPort, [smtpUser with *smtpPassword*], [imapHost with imapPort, imapUser, *imapPassword*],
    ///   fromEmail, [fromName, provider (`smtp`)]
    /// - `webchat`: allowedOrigins, [theme with primaryColor, textColor, headerText, title, subtitle, welcomeMessage,
    ///   offlineMessage, avatarUrl, position], [requireEmail, showBranding, *identitySecret*, requireIdentity]
    /// - `facebook`: pageId, *pageAccessToken*, *appSecret*
    /// - `instagram`: accountId, *accessToken*
    /// - `rcs`: agentId, *serviceAccountKey*, [*clientToken*, provider (`rbm`)]
    ///
    /// Each may name its `connector`. The answer shows `webhookSecret`; no other answer does. 409 `NO_CONNECTOR` where
    /// nobody speaks to the provider, and `CHANNEL_ALREADY_EXISTS` if another channel of the workspace has the account;
    /// 403 `CHANNEL_LIMIT_REACHED` if there are as many channels as the plan allows.
    #[oai(path = "/channels", method = "post", operation_id = "create_channel")]
    async fn create(
        &self,
        caller: LinktorAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<CreateRequest>,
    ) -> Result<CreatedResponse, LinktorFailure> {
        let parsed = body.read().and_then(CreateRequest::into_command).and_then(|command| {
            let request = command.repeatable(caller.repeat_scope(), key.0.as_deref())?;
            Ok((command, request))
        });
        let (command, request) = caller.understand(Scope::ChannelsWrite, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let made = create::create(&self.app, admitted, &caller.origin(), &command, &request).await?;
        Ok(CreatedResponse::Done(Json(Created::new(&self.app, made))))
    }

    /// Change a channel
    ///
    /// What is absent stays. A channel that is connected keeps its account: 409 `CHANNEL_ERROR` for settings of another. With
    /// other settings it is tested at once, which `status` and `health` show.
    #[oai(path = "/channels/:channel_id", method = "patch", operation_id = "update_channel")]
    async fn update(
        &self,
        caller: LinktorAuth,
        /// Id of the channel.
        channel_id: Path<String>,
        body: UnreadJson<UpdateRequest>,
    ) -> Result<Json<One<Full>>, LinktorFailure> {
        let parsed = body.read().and_then(UpdateRequest::into_command);
        let command = caller.understand(Scope::ChannelsWrite, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let origin = caller.origin();
        let shown = update::update(&self.app, admitted, &origin, &named(&channel_id.0), &command).await?;
        Ok(Json(One::full(&self.app, shown)))
    }

    /// Delete a channel
    ///
    /// Its session is ended and what is secret of it forgotten. Its conversations are closed and stay readable; messages
    /// that wait to be sent through it fail, and their credits come back. 400 `ACTIVE_CONVERSATIONS_EXIST` while
    /// conversations are open, unless `force` is set.
    #[oai(path = "/channels/:channel_id", method = "delete", operation_id = "delete_channel")]
    async fn delete(
        &self,
        caller: LinktorAuth,
        /// Id of the channel.
        channel_id: Path<String>,
        /// Whether open conversations are closed with it.
        force: Query<Written<bool>>,
    ) -> Result<Deleted, LinktorFailure> {
        let force = caller.understand(Scope::ChannelsWrite, force.read("force")).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let conversations = if force == Some(true) { Conversations::Close } else { Conversations::Keep };
        delete::delete(&self.app, admitted, &caller.origin(), &named(&channel_id.0), conversations).await?;
        Ok(Deleted::Done)
    }
}
