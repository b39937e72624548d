//! Simulated phones of a sandbox partner (extension). The numbers that fail are listed in
//! [`crate::connector::sandbox`].

use std::sync::Arc;

use poem_openapi::{OpenApi, param::Header, payload::Json};

use crate::{
    app::App,
    connector::sandbox::phones::Scope,
    error::Result,
    http::{
        body::JsonBody,
        partner_api::{auth::PartnerAuth, dialect::PartnerFailure},
        sandbox::{
            self, CallRequest, CallView, ChannelInboundRequest, ChannelInboundView, InboundRequest, InboundView,
            LogoutRequest, OutboundRequest, OutboundView, PairRequest, PhoneView, ReactionRequest, ReactionView,
            ScanRequest,
        },
    },
};

pub(super) struct SandboxApi {
    pub(super) app: Arc<App>,
}

#[OpenApi]
impl SandboxApi {
    /// Scan a QR code with a simulated phone
    ///
    /// Numbers that end in 000402 fail with `payment_required`, 000403 with `banned`; 000408 hangs until the codes run
    /// out; for 000429 the page's pairing code is refused. Recipients of messages have endings of their own; see
    /// `POST /sandbox/inbound`. 404 `code_not_found` for a code that no page of the partner has shown, 410 `code_expired` for one that has been
    /// replaced, 409 `code_used` for one of a session that is linked or over.
    #[oai(path = "/sandbox/scan", method = "post", operation_id = "scan_with_sandbox_phone")]
    async fn scan(
        &self,
        caller: PartnerAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<ScanRequest>,
    ) -> Result<Json<PhoneView>, PartnerFailure> {
        let scope = Scope::of_partner(&self.app, &caller.0.partner)?;
        let request = caller.repeatable(key.0.as_deref(), "scan_with_sandbox_phone", &body.0)?;
        Ok(Json(sandbox::scan(&self.app, &scope, &body.0, &request).await?))
    }

    /// Type a pairing code into a simulated phone
    ///
    /// Fails as scanning does, and with 409 `code_for_another_phone`.
    #[oai(path = "/sandbox/pair", method = "post", operation_id = "pair_sandbox_phone")]
    async fn pair(
        &self,
        caller: PartnerAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<PairRequest>,
    ) -> Result<Json<PhoneView>, PartnerFailure> {
        let scope = Scope::of_partner(&self.app, &caller.0.partner)?;
        let request = caller.repeatable(key.0.as_deref(), "pair_sandbox_phone", &body.0)?;
        Ok(Json(sandbox::pair(&self.app, &scope, &body.0, &request).await?))
    }

    /// Remove the linked devices of a simulated phone
    ///
    /// Its account is disconnected, as when a person removes the device on the phone. 409 `phone_not_linked` without
    /// any.
    #[oai(path = "/sandbox/logout", method = "post", operation_id = "log_out_sandbox_phone")]
    async fn log_out(
        &self,
        caller: PartnerAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<LogoutRequest>,
    ) -> Result<Json<PhoneView>, PartnerFailure> {
        let scope = Scope::of_partner(&self.app, &caller.0.partner)?;
        let request = caller.repeatable(key.0.as_deref(), "log_out_sandbox_phone", &body.0)?;
        Ok(Json(sandbox::log_out(&self.app, &scope, &body.0, &request).await?))
    }

    /// Write to a linked simulated phone from outside
    ///
    /// Every account of the partner's workspaces that is connected with the phone receives the text, the file or both;
    /// the file becomes one of the workspace's. 409 `phone_not_linked` without any; 404 `message_not_found` if none has
    /// the message that it answers.
    ///
    /// What is sent the other way, to a number of your choice, is delivered and read after `sandbox_receipt_ms` and
    /// twice that, unless the number ends in one of these: 000404 is not on the network and fails; 000410 is sent and
    /// fails later; 000429 is put off for 5 seconds by a rate limit and then sent; 000503 meets a temporary error and is
    /// then sent; 000504 arrives though the provider's answer is lost; 000505 is lost with its answer and fails after
    /// 24 hours. What fails gives its credits back.
    #[oai(path = "/sandbox/inbound", method = "post", operation_id = "write_to_sandbox_phone")]
    async fn write(
        &self,
        caller: PartnerAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<InboundRequest>,
    ) -> Result<Json<InboundView>, PartnerFailure> {
        let scope = Scope::of_partner(&self.app, &caller.0.partner)?;
        let request = caller.repeatable(key.0.as_deref(), "write_to_sandbox_phone", &body.0)?;
        Ok(Json(sandbox::write(&self.app, &scope, &body.0, &request).await?))
    }

    /// Write on a linked simulated phone
    ///
    /// As its owner does, past the API. Every account of the partner's workspaces that is connected with the phone has
    /// the message as one that was sent, for nothing; its chat has been read, and its bot is silent there until it is
    /// switched on again. 409 `phone_not_linked` without any account.
    #[oai(path = "/sandbox/outbound", method = "post", operation_id = "write_on_sandbox_phone")]
    async fn write_on_phone(
        &self,
        caller: PartnerAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<OutboundRequest>,
    ) -> Result<Json<OutboundView>, PartnerFailure> {
        let scope = Scope::of_partner(&self.app, &caller.0.partner)?;
        let request = caller.repeatable(key.0.as_deref(), "write_on_sandbox_phone", &body.0)?;
        Ok(Json(sandbox::write_on_phone(&self.app, &scope, &body.0, &request).await?))
    }

    /// Write to a simulated channel from outside
    ///
    /// To one that was made over the Channels API, on any network, is connected and is switched on. 409
    /// `phone_not_linked` without such a one.
    #[oai(path = "/sandbox/channel-inbound", method = "post", operation_id = "write_to_sandbox_channel")]
    async fn write_to_channel(
        &self,
        caller: PartnerAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<ChannelInboundRequest>,
    ) -> Result<Json<ChannelInboundView>, PartnerFailure> {
        let scope = Scope::of_partner(&self.app, &caller.0.partner)?;
        let request = caller.repeatable(key.0.as_deref(), "write_to_sandbox_channel", &body.0)?;
        Ok(Json(sandbox::write_to_channel(&self.app, &scope, &body.0, &request).await?))
    }

    /// Have a call with a linked simulated phone
    ///
    /// Every account of the partner's workspaces that is connected with the phone hears of the call, as if it had just
    /// ended. 409 `phone_not_linked` without any.
    #[oai(path = "/sandbox/call", method = "post", operation_id = "call_sandbox_phone")]
    async fn call(
        &self,
        caller: PartnerAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<CallRequest>,
    ) -> Result<Json<CallView>, PartnerFailure> {
        let scope = Scope::of_partner(&self.app, &caller.0.partner)?;
        let request = caller.repeatable(key.0.as_deref(), "call_sandbox_phone", &body.0)?;
        Ok(Json(sandbox::call(&self.app, &scope, &body.0, &request).await?))
    }

    /// React to a message of a linked simulated phone from outside
    ///
    /// Every account of the partner's workspaces that is connected with the phone and has the message, received or sent,
    /// hears of the reaction, which takes the place of an earlier one of the same person; with the phone's own number it
    /// is the account's. 409 `phone_not_linked` without any account, 404 `message_not_found` where none has the message.
    #[oai(path = "/sandbox/reaction", method = "post", operation_id = "react_from_sandbox_phone")]
    async fn react(
        &self,
        caller: PartnerAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<ReactionRequest>,
    ) -> Result<Json<ReactionView>, PartnerFailure> {
        let scope = Scope::of_partner(&self.app, &caller.0.partner)?;
        let request = caller.repeatable(key.0.as_deref(), "react_from_sandbox_phone", &body.0)?;
        Ok(Json(sandbox::react(&self.app, &scope, &body.0, &request).await?))
    }
}
