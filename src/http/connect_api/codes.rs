//! WhatsApp and Telegram, which are linked by a code.

use std::sync::Arc;

use entity::channel::Network;
use poem_openapi::{OpenApi, payload::Json};

use crate::{
    app::App,
    channel::slot,
    http::{
        agents_api::auth::TokenAuth,
        body::UnreadJson,
        connect_api::{ConnectFailure, requests::ConnectCodeRequest, views::OutcomeAnswer},
    },
    token::Scope,
};

pub(super) struct CodesApi {
    pub(super) app: Arc<App>,
}

#[OpenApi]
impl CodesApi {
    /// Connect WhatsApp
    ///
    /// Gives the code that WhatsApp scans, as the text that is to be drawn, and the account_id to ask for the status with.
    /// The code is waited for, for some seconds; where it does not come in time, the status has it later, and a pairing
    /// code is asked for again. An attempt that is under way is given up for it, unless a pairing code is asked for within
    /// forty seconds of its beginning. 409 `already_connected` unless `force` is sent, which disconnects what was
    /// connected here and leaves other channels alone; 409 `no_connector` where nobody speaks to WhatsApp; 409
    /// `qr_code_not_available` if there is no code, or no pairing code in time; 429 `provider_limited` if the provider
    /// takes no more requests.
    #[oai(path = "/channels/whatsapp/connect", method = "post", operation_id = "connect_whatsapp")]
    async fn whatsapp(
        &self,
        caller: TokenAuth,
        body: UnreadJson<ConnectCodeRequest>,
    ) -> Result<Json<OutcomeAnswer>, ConnectFailure> {
        self.connect(&caller, Network::Whatsapp, body).await
    }

    /// Connect Telegram
    ///
    /// As WhatsApp; the code is a link that begins with `tg://login?token=`, to be drawn and not opened.
    #[oai(path = "/channels/telegram/connect", method = "post", operation_id = "connect_telegram")]
    async fn telegram(
        &self,
        caller: TokenAuth,
        body: UnreadJson<ConnectCodeRequest>,
    ) -> Result<Json<OutcomeAnswer>, ConnectFailure> {
        self.connect(&caller, Network::Telegram, body).await
    }
}

impl CodesApi {
    async fn connect(
        &self,
        caller: &TokenAuth,
        network: Network,
        body: UnreadJson<ConnectCodeRequest>,
    ) -> Result<Json<OutcomeAnswer>, ConnectFailure> {
        let parsed = body.read().and_then(|request| request.into_command(network));
        let command = caller.understand(Scope::ChannelsWrite, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let connected = slot::connect(&self.app, admitted, &caller.origin(), &command).await?;
        Ok(Json(OutcomeAnswer::of_connecting(&connected, self.app.clock.now())))
    }
}
