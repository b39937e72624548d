//! The workspace's API token: read and rotate (`contracts/timelines.md` §1.3, 7 and 8).

use std::sync::Arc;

use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    payload::Json,
};
use secrecy::ExposeSecret;

use crate::{
    app::App,
    error::Result,
    http::{
        formats::IsoTime,
        partner_api::{auth::PartnerAuth, dialect::PartnerFailure, views::Created},
    },
    token::partner_api,
};

pub(super) struct TokensApi {
    pub(super) app: Arc<App>,
}

/// The current token.
#[derive(Object)]
struct TokenResponse {
    /// Id of the workspace.
    workspace_id: String,
    /// Bearer token of the Public API. It does not expire.
    token: String,
}

/// A new token.
#[derive(Object)]
struct RotateTokenResponse {
    /// Id of the workspace.
    workspace_id: String,
    /// Bearer token of the Public API. It does not expire.
    token: String,
    /// When the token before it stopped working.
    rotated_at: IsoTime,
}

#[OpenApi]
impl TokensApi {
    /// Get the API token
    ///
    /// The first call makes it. It has all workspace scopes and acts as the owner.
    #[oai(path = "/workspaces/:workspace_id/api-token", method = "get", operation_id = "get_api_token")]
    async fn get(
        &self,
        caller: PartnerAuth,
        /// Id of the workspace.
        workspace_id: Path<String>,
    ) -> Result<Json<TokenResponse>, PartnerFailure> {
        let token = partner_api::current(&self.app, &caller.0, &workspace_id.0).await?;
        Ok(Json(TokenResponse { workspace_id: workspace_id.0, token: token.expose_secret().to_owned() }))
    }

    /// Rotate the API token
    ///
    /// The old token stops working at once. With an `Idempotency-Key` a repeated call returns the same token while it
    /// is current, and 409 `token_revoked` after that.
    #[oai(path = "/workspaces/:workspace_id/api-token", method = "post", operation_id = "rotate_api_token")]
    async fn rotate(
        &self,
        caller: PartnerAuth,
        /// Id of the workspace.
        workspace_id: Path<String>,
        /// The same key returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Created<RotateTokenResponse>, PartnerFailure> {
        let request = caller.repeatable(key.0.as_deref(), "rotate_api_token", &workspace_id.0)?;
        let rotated = partner_api::rotate(&self.app, &caller.0, &workspace_id.0, &request).await?;
        Ok(Created::Created(Json(RotateTokenResponse {
            workspace_id: workspace_id.0,
            token: rotated.token,
            rotated_at: rotated.rotated_at.into(),
        })))
    }
}
