//! Callers with a workspace's token: checked when the request is read, let in when its handler has understood it.

use std::sync::Arc;

use entity::{credits::Credits, workspace};
use poem::Request;

use crate::{
    app::App,
    caller::{Actor, Origin, WorkspaceCaller},
    error::{Error, Result},
    http::{edge::RequestId, limits::Told, repeat},
    meter::admission::{self, Admitted, Need},
    token::{Scope, check},
};

/// A token that was checked, before it is metered.
pub(super) struct TokenCaller {
    app: Arc<App>,
    caller: Arc<WorkspaceCaller>,
    told: Told,
    request_id: Option<RequestId>,
}

impl TokenCaller {
    /// Checks the token that a request came with.
    pub(super) async fn check(request: &Request, token: &str) -> poem::Result<Self> {
        let app = request.data::<Arc<App>>().ok_or_else(|| Error::Internal("a surface has no app".to_owned()))?;
        Ok(Self::of(app, request, token, Told::of(request)).await?)
    }

    /// The same for a request outside all surfaces.
    pub(super) async fn of(app: &Arc<App>, request: &Request, token: &str, told: Told) -> Result<Self> {
        let caller = check::check(app, token).await?;
        repeat::check_key(request)?;
        Ok(Self { app: Arc::clone(app), caller, told, request_id: request.extensions().get().cloned() })
    }

    /// The caller, if its token has the scope and its rates and API calls allow one more.
    pub(super) async fn admit(&self, scope: Scope) -> Result<&Arc<WorkspaceCaller>> {
        self.metered(scope, Need::Call).await.map(|_| &self.caller)
    }

    /// The caller, also when its API calls are used up, and the calls counted with this one.
    pub(super) async fn admit_always(&self, scope: Scope) -> Result<(&Arc<WorkspaceCaller>, i64)> {
        let admitted = self.metered(scope, Need::Counted).await?;
        Ok((&self.caller, admitted.calls))
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
        Ok((&self.caller, admitted))
    }

    /// What the caller asks for, parsed. What cannot be understood is a call all the same.
    pub(super) async fn understand<T>(&self, scope: Scope, parsed: Result<T>) -> Result<T> {
        if parsed.is_err() {
            Box::pin(self.metered(scope, Need::Call)).await?;
        }
        parsed
    }

    /// Passes if the token has a scope that is needed beside the one that the caller is let in with. Comes before that:
    /// what a token may not do is no call.
    pub(super) fn require(&self, scope: Scope) -> Result<()> {
        self.caller.scopes.require(scope)
    }

    /// The caller before it is let in. Whoever asks lets it in afterwards.
    pub(super) fn unmetered(&self) -> &Arc<WorkspaceCaller> {
        &self.caller
    }

    /// The caller's workspace before it is let in, if its token has the scope.
    pub(super) fn workspace_for(&self, scope: Scope) -> Result<&workspace::Model> {
        self.caller.scopes.require(scope)?;
        Ok(&self.caller.workspace)
    }

    /// The workspace that keys of repeatable requests are kept for.
    pub(super) fn repeat_scope(&self) -> String {
        format!("workspace:{}", self.caller.workspace.id)
    }

    /// Who is written into the audit.
    pub(super) fn origin(&self) -> Origin {
        let actor = Actor::Token(self.caller.token_id);
        Origin { actor, request_id: self.request_id.as_ref().map(|id| id.0.to_string()) }
    }

    async fn metered(&self, scope: Scope, need: Need) -> Result<Admitted> {
        self.caller.scopes.require(scope)?;
        let (outcome, limits) = admission::admit(&self.app, &self.caller, need).await;
        self.told.tell(limits);
        outcome
    }
}
