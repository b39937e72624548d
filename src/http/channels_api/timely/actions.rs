//! Connecting and disconnecting channels.

use std::sync::Arc;

use poem_openapi::{Object, OpenApi, param::Path, payload::Json};

use crate::{
    app::App,
    channel::{link, named::look_up, renew, switch},
    error::{Error, Result},
    http::{
        body::UnreadJson,
        channels_api::{
            qr_code,
            timely::{TimelyAuth, TimelyFailure, named, requests::ConnectRequest, views::ChannelView},
        },
        formats::IsoTime,
    },
    token::Scope,
};

pub(super) struct ActionsApi {
    pub(super) app: Arc<App>,
}

/// A QR code.
#[derive(Object)]
#[oai(rename = "TimelyQrCode")]
struct QrCodeView {
    /// The code as a PNG in base64.
    qr_code: String,
    /// What the code says.
    qr: String,
    /// When the next code takes its place.
    expires_at: IsoTime,
    /// How long that is, in milliseconds.
    expires_in_ms: i64,
    /// When to ask again, in milliseconds.
    next_poll_ms: i64,
    /// Until when codes are shown.
    window_ends_at: IsoTime,
}

/// A widget that may be shown nowhere: where that is said in this dialect.
fn without_websites(error: Error) -> Error {
    match error {
        Error::InvalidField { field: field @ "config.allowedOrigins", reason } => {
            Error::field(field, format!("{reason}; set it here, or allowed_origins with the widget's settings"))
        }
        error => error,
    }
}

#[OpenApi]
impl ActionsApi {
    /// Connect a channel
    ///
    /// With its settings, changed by what is sent; `status` is `connected` then; 422 `CHANNEL_ERROR` says that the
    /// network does not accept them, and 409 that it has restricted the account, or that the channel cannot be connected
    /// so. Where a phone has to scan a code, `status` stays `disconnected` until one has, and a window of five minutes
    /// opens, in which `qr-code` shows it. A channel that is connected stays so; settings that the network does not accept
    /// are refused in the same way, and it keeps those that it has. An attempt that is under way begins anew with other
    /// credentials. 429 if the provider takes no more requests for a while.
    #[oai(path = "/channels/:channel_id/connect", method = "post", operation_id = "connect_channel")]
    async fn connect(
        &self,
        caller: TimelyAuth,
        /// Id of the channel.
        channel_id: Path<String>,
        body: UnreadJson<ConnectRequest>,
    ) -> Result<Json<ChannelView>, TimelyFailure> {
        let request = caller.understand(Scope::ChannelsWrite, body.read()).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let (channel, origin) = (named(&channel_id.0), caller.origin());
        let network = look_up(&self.app, admitted.workspace.id, &channel).await?.network;
        let connected = match request.into_settings(network)? {
            Some(config) => renew::connect_with(&self.app, admitted, &origin, &channel, config).await,
            None => switch::activate(&self.app, admitted, &origin, &channel).await,
        };
        Ok(Json(connected.map_err(without_websites)?.into()))
    }

    /// Disconnect a channel
    ///
    /// Its session ends, and what waits to be sent waits for a day. One that is not connected stays so.
    #[oai(path = "/channels/:channel_id/disconnect", method = "post", operation_id = "disconnect_channel")]
    async fn disconnect(
        &self,
        caller: TimelyAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Json<ChannelView>, TimelyFailure> {
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let channel = named(&channel_id.0);
        Ok(Json(switch::disconnect(&self.app, admitted, &caller.origin(), &channel).await?.into()))
    }

    /// Get the QR code of a channel
    ///
    /// While its window is open. The first one is waited for, for some seconds; 409 `QR_CODE_NOT_AVAILABLE` if it does not
    /// come in time, without a window, and once all codes have been shown.
    #[oai(path = "/channels/:channel_id/qr-code", method = "get", operation_id = "get_channel_qr_code")]
    async fn qr_code(
        &self,
        caller: TimelyAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Json<QrCodeView>, TimelyFailure> {
        let workspace_id = caller.admit(Scope::ChannelsWrite).await?.workspace.id;
        let code = link::code(&self.app, workspace_id, &named(&channel_id.0)).await?;
        let now = self.app.clock.now();
        Ok(Json(QrCodeView {
            qr_code: qr_code::png(&code.qr.payload)?,
            expires_in_ms: now.millis_until(code.qr.expires_at),
            next_poll_ms: qr_code::next_poll_ms(now, code.qr.expires_at),
            expires_at: code.qr.expires_at.into(),
            window_ends_at: code.window_ends_at.into(),
            qr: code.qr.payload,
        }))
    }
}
