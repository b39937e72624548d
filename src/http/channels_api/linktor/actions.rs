//! Testing channels, switching them on and off, and how much goes through them.

use std::sync::Arc;

use poem_openapi::{
    OpenApi,
    param::{Path, Query},
    payload::Json,
};

use crate::{
    app::App,
    channel::{
        link, switch, test,
        traffic::{self, Granularity, Period},
        widget,
    },
    error::Result,
    http::{
        body::UnreadJson,
        channels_api::linktor::{
            LinktorAuth, LinktorFailure,
            answers::{Activated, Deactivated, QrCodeAnswer, StatsAnswer, TestAnswer},
            named,
            requests::DeactivateRequest,
            views::{Full, One},
        },
        query::Written,
    },
    token::Scope,
};

pub(super) struct ActionsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi]
impl ActionsApi {
    /// Test a channel
    ///
    /// With calls to its provider that change nothing there. What is found becomes the channel's health.
    #[oai(path = "/channels/:channel_id/test", method = "post", operation_id = "test_channel")]
    async fn test(
        &self,
        caller: LinktorAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Json<TestAnswer>, LinktorFailure> {
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let tested = test::test(&self.app, admitted, &named(&channel_id.0)).await?;
        Ok(Json(tested.into()))
    }

    /// Activate a channel
    ///
    /// One that is not connected is connected first, with its settings: 422 `CHANNEL_ERROR` if the network does not accept
    /// them, and 409 if it has restricted the account, or the channel cannot be connected so. What signs in by itself is
    /// tested then, and `error` if it does not work as it should. A channel that a phone has to scan a code for is `pending`
    /// until one has: `qr-code` shows codes for five minutes; once they are over, activating it again gives five more. 429
    /// if the provider takes no more requests for a while.
    #[oai(path = "/channels/:channel_id/activate", method = "post", operation_id = "activate_channel")]
    async fn activate(
        &self,
        caller: LinktorAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Json<One<Activated>>, LinktorFailure> {
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let shown = switch::activate(&self.app, admitted, &caller.origin(), &named(&channel_id.0)).await?;
        Ok(Json(One::of(shown)))
    }

    /// Deactivate a channel
    ///
    /// It neither sends nor receives then; its connection stays, and what waits to be sent waits for a day.
    #[oai(path = "/channels/:channel_id/deactivate", method = "post", operation_id = "deactivate_channel")]
    async fn deactivate(
        &self,
        caller: LinktorAuth,
        /// Id of the channel.
        channel_id: Path<String>,
        body: UnreadJson<DeactivateRequest>,
    ) -> Result<Json<One<Deactivated>>, LinktorFailure> {
        let command = caller.understand(Scope::ChannelsWrite, body.read()).await?.into();
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let origin = caller.origin();
        let shown = switch::deactivate(&self.app, admitted, &origin, &named(&channel_id.0), &command).await?;
        Ok(Json(One::of(shown)))
    }

    /// Disconnect a channel
    ///
    /// Its session ends, and it is switched off. One that is not connected is only switched off.
    #[oai(path = "/channels/:channel_id/disconnect", method = "post", operation_id = "disconnect_channel")]
    async fn disconnect(
        &self,
        caller: LinktorAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Json<One<Deactivated>>, LinktorFailure> {
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let shown = switch::disconnect(&self.app, admitted, &caller.origin(), &named(&channel_id.0)).await?;
        Ok(Json(One::of(shown)))
    }

    /// Get the QR code of a channel
    ///
    /// For a phone to scan, within five minutes after the channel was activated. The first one is waited for, for some
    /// seconds; 409 `QR_CODE_NOT_AVAILABLE` if it does not come in time, in no such five minutes, and once all codes have
    /// been shown.
    #[oai(path = "/channels/:channel_id/qr-code", method = "get", operation_id = "get_channel_qr_code")]
    async fn qr_code(
        &self,
        caller: LinktorAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Json<QrCodeAnswer>, LinktorFailure> {
        let workspace_id = caller.admit(Scope::ChannelsWrite).await?.workspace.id;
        let code = link::code(&self.app, workspace_id, &named(&channel_id.0)).await?;
        Ok(Json(QrCodeAnswer::new(code, self.app.clock.now())?))
    }

    /// Replace the widget token of a web chat
    ///
    /// The old token opens nothing any more: embed the widget anew with the one that is answered. Conversations go on.
    #[oai(path = "/channels/:channel_id/widget-token", method = "post", operation_id = "rotate_widget_token")]
    async fn rotate_widget_token(
        &self,
        caller: LinktorAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Json<One<Full>>, LinktorFailure> {
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let rotated = widget::rotate_token(&self.app, admitted, &caller.origin(), &named(&channel_id.0)).await?;
        Ok(Json(One::full(&self.app, rotated)))
    }

    /// Get how much goes through a channel
    ///
    /// Of the period that ends now, to the minute (`7d` and `30d`: to the hour), whatever the granularity is. Pieces begin
    /// at round instants of UTC: the last one has not ended, and the first one counts only what lies in the period. At most
    /// a day of minutes.
    #[oai(path = "/channels/:channel_id/stats", method = "get", operation_id = "get_channel_stats")]
    async fn stats(
        &self,
        caller: LinktorAuth,
        /// Id of the channel.
        channel_id: Path<String>,
        /// How far back: `1h`, `24h`, `7d` or `30d`; `24h` where absent.
        period: Query<Written<String>>,
        /// How long each piece is: `minute`, `hour` or `day`; `hour` where absent.
        granularity: Query<Written<String>>,
    ) -> Result<Json<StatsAnswer>, LinktorFailure> {
        let parse = || {
            let period = Period::parse(period.read("period")?.as_deref())?;
            Ok((period, Granularity::parse(granularity.read("granularity")?.as_deref())?))
        };
        let (period, granularity) = caller.understand(Scope::ChannelsRead, parse()).await?;
        let workspace_id = caller.admit(Scope::ChannelsRead).await?.workspace.id;
        let stats = traffic::stats(&self.app, workspace_id, &named(&channel_id.0), period, granularity).await?;
        Ok(Json(stats.into()))
    }
}
