//! Credentials of the Workspace API: the workspace's token.

use std::sync::Arc;

use poem::Request;
use poem_openapi::{SecurityScheme, auth::Bearer};

use crate::{
    app::App,
    caller::WorkspaceCaller,
    error::{Error, Result},
    token::{Scope, check},
};

/// The workspace's API token.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "WorkspaceToken", checker = "check_token")]
pub(super) struct TokenAuth(Arc<WorkspaceCaller>);

impl TokenAuth {
    /// The caller, if its token has the scope and its quotas and rates allow one more call.
    pub(super) async fn admit(&self, scope: Scope) -> Result<&WorkspaceCaller> {
        self.0.scopes.require(scope)?;
        Ok(&self.0)
    }
}

async fn check_token(request: &Request, bearer: Bearer) -> poem::Result<Arc<WorkspaceCaller>> {
    let app = request.data::<Arc<App>>().ok_or_else(|| Error::Internal("a surface has no app".to_owned()))?;
    Ok(check::check(app, &bearer.token).await?)
}
