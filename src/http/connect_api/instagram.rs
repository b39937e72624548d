//! Instagram, which is connected with user name and password, and asks as often as it likes.

use std::sync::Arc;

use entity::channel::Network;
use poem_openapi::{OpenApi, payload::Json};

use crate::{
    app::App,
    channel::{answer, named::Named, slot},
    http::{
        agents_api::auth::TokenAuth,
        body::UnreadJson,
        connect_api::{
            ConnectFailure,
            requests::{AnswerRequest, ConnectInstagramRequest, ResendRequest},
            views::{DoneAnswer, OutcomeAnswer},
        },
    },
    token::Scope,
};

pub(super) struct InstagramApi {
    pub(super) app: Arc<App>,
}

#[OpenApi]
impl InstagramApi {
    /// Connect Instagram
    ///
    /// Connected at once, or `requires_2fa` with what Instagram asks. 422 `auth_invalid` if it does not accept user name and
    /// password; 409 `account_restricted` if it has restricted the account, and `already_connected` unless `force` is sent; 429
    /// `provider_limited` if the provider takes no more requests.
    #[oai(path = "/channels/instagram/connect", method = "post", operation_id = "connect_instagram")]
    async fn connect(
        &self,
        caller: TokenAuth,
        body: UnreadJson<ConnectInstagramRequest>,
    ) -> Result<Json<OutcomeAnswer>, ConnectFailure> {
        let parsed = body.read().and_then(ConnectInstagramRequest::into_command);
        let command = caller.understand(Scope::ChannelsWrite, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let connected = slot::connect(&self.app, admitted, &caller.origin(), &command).await?;
        Ok(Json(OutcomeAnswer::of_connecting(&connected, self.app.clock.now())))
    }

    /// Answer what Instagram asks
    ///
    /// Connected, or another question. 422 `challenge_wrong` for a wrong code, after which another may be sent; 410
    /// `challenge_expired` if Instagram does not wait any more; 409 `nothing_asked` if it asks nothing; 503 `busy` while
    /// another answer is on its way.
    #[oai(path = "/channels/instagram/2fa", method = "post", operation_id = "answer_instagram")]
    async fn answer(
        &self,
        caller: TokenAuth,
        body: UnreadJson<AnswerRequest>,
    ) -> Result<Json<OutcomeAnswer>, ConnectFailure> {
        let parsed = body.read().and_then(AnswerRequest::into_command);
        let (id, answer) = caller.understand(Scope::ChannelsWrite, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let origin = caller.origin();
        let standing = slot::answer(&self.app, admitted, &origin, Network::Instagram, id, &answer).await?;
        Ok(Json(OutcomeAnswer::of_answer(&standing, self.app.clock.now())))
    }

    /// Send the code again
    ///
    /// 429 `resend_too_soon` within half a minute of the last; 409 `resend_not_offered` where no code is sent.
    #[oai(path = "/channels/instagram/2fa/resend", method = "post", operation_id = "resend_instagram_code")]
    async fn resend(
        &self,
        caller: TokenAuth,
        body: UnreadJson<ResendRequest>,
    ) -> Result<Json<DoneAnswer>, ConnectFailure> {
        let parsed = body.read().and_then(ResendRequest::into_command);
        let id = caller.understand(Scope::ChannelsWrite, parsed).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        answer::ask_again(&self.app, admitted, &Named::Id(id)).await?;
        Ok(Json(DoneAnswer::said("Instagram sends its code again.")))
    }
}
