//! Credentials of the Workspace API: the workspace's token.

use std::ops::Deref;

use poem::Request;
use poem_openapi::{SecurityScheme, auth::Bearer};

use crate::http::token_caller::TokenCaller;

/// The workspace's API token.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "WorkspaceToken", checker = "check_token")]
pub(super) struct TokenAuth(TokenCaller);

impl Deref for TokenAuth {
    type Target = TokenCaller;

    fn deref(&self) -> &TokenCaller {
        &self.0
    }
}

async fn check_token(request: &Request, bearer: Bearer) -> poem::Result<TokenCaller> {
    TokenCaller::check(request, &bearer.token).await
}
