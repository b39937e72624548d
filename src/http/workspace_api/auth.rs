//! Credentials of the Workspace API, and letting their calls in: the workspace's token, its rates and quotas.

use std::sync::Arc;

use entity::{credits::Credits, workspace};
use poem::Request;
use poem_openapi::{SecurityScheme, auth::Bearer};

use crate::{
    app::App,
    caller::{Actor, Origin, WorkspaceCaller},
    error::{Error, Result},
    http::{edge::RequestId, repeat, workspace_api::limits::Told},
    meter::admission::{self, Admitted, Need},
    token::{Scope, check},
};

/// The workspace's API token.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "WorkspaceToken", checker = "check_token")]
pub(super) struct TokenAuth(Checked);

/// A token that was checked, before it is metered.
pub(super) struct Checked {
    app: Arc<App>,
    caller: Arc<WorkspaceCaller>,
    told: Told,
    request_id: String,
}

impl TokenAuth {
    /// The caller, if its token has the scope and its rates and API calls allow one more.
    pub(super) async fn admit(&self, scope: Scope) -> Result<&Arc<WorkspaceCaller>> {
        self.metered(scope, Need::Call).await.map(|_| &self.0.caller)
    }

    /// The caller, also when its API calls are used up, and the calls counted with this one.
    pub(super) async fn admit_always(&self, scope: Scope) -> Result<(&Arc<WorkspaceCaller>, i64)> {
        let admitted = self.metered(scope, Need::Counted).await?;
        Ok((&self.0.caller, admitted.calls))
    }

    /// The caller with a hold on credits. A request that `is_repeatable` may have been answered before, so only the
    /// ledger refuses it for want of credits.
    pub(super) async fn admit_sending(
        &self,
        credits: Credits,
        is_repeatable: bool,
    ) -> Result<(&Arc<WorkspaceCaller>, Admitted)> {
        let need = Need::Credits { credits, is_repeatable };
        let admitted = self.metered(Scope::MessagesWrite, need).await?;
        Ok((&self.0.caller, admitted))
    }

    /// What the caller asks for, parsed. What cannot be understood is a call all the same.
    pub(super) async fn understand<T>(&self, scope: Scope, parsed: Result<T>) -> Result<T> {
        if parsed.is_err() {
            Box::pin(self.metered(scope, Need::Call)).await?;
        }
        parsed
    }

    /// The caller before it is let in. Whoever asks lets it in afterwards.
    pub(super) fn unmetered(&self) -> &Arc<WorkspaceCaller> {
        &self.0.caller
    }

    /// The caller's workspace before it is let in, if its token has the scope.
    pub(super) fn workspace_for(&self, scope: Scope) -> Result<&workspace::Model> {
        self.0.caller.scopes.require(scope)?;
        Ok(&self.0.caller.workspace)
    }

    /// The workspace that keys of repeatable requests are kept for.
    pub(super) fn repeat_scope(&self) -> String {
        format!("workspace:{}", self.0.caller.workspace.id)
    }

    /// Who is written into the audit.
    pub(super) fn origin(&self) -> Origin {
        let actor = Actor::Token(self.0.caller.token_id);
        Origin { actor, request_id: Some(self.0.request_id.clone()) }
    }

    async fn metered(&self, scope: Scope, need: Need) -> Result<Admitted> {
        self.0.caller.scopes.require(scope)?;
        let (outcome, limits) = admission::admit(&self.0.app, &self.0.caller, need).await;
        self.0.told.tell(limits);
        outcome
    }
}

async fn check_token(request: &Request, bearer: Bearer) -> poem::Result<Checked> {
    let app = request.data::<Arc<App>>().ok_or_else(|| Error::Internal("a surface has no app".to_owned()))?;
    let caller = check::check(app, &bearer.token).await?;
    repeat::check_key(request)?;
    Ok(Checked { app: Arc::clone(app), caller, told: Told::of(request), request_id: RequestId::of(request) })
}
