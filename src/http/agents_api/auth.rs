//! Credentials: the workspace's token in either header, which also says what the caller speaks.

use std::sync::Arc;

use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, SecurityScheme,
    auth::{ApiKey, Bearer},
    registry::Registry,
};

use crate::{
    app::App,
    caller::{Actor, Origin, WorkspaceCaller},
    error::{Error, Result},
    http::{agents_api::dialect::Spoken, edge::RequestId, repeat, workspace_api::limits::Told},
    meter::admission::{self, Need},
    token::{Scope, check},
};

/// The workspace's API token, as Linktor's clients send it.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "BearerToken", checker = "check_bearer")]
struct BearerToken(Checked);

/// The workspace's API token, as Timely's clients send it.
#[derive(SecurityScheme)]
#[oai(ty = "api_key", key_name = "x-api-key", key_in = "header", rename = "ApiKey", checker = "check_key")]
struct KeyToken(Checked);

/// A token in either header, checked, before it is metered.
pub(super) struct AgentsAuth {
    checked: Checked,
    /// What the caller speaks.
    pub(super) spoken: Spoken,
}

struct Checked {
    app: Arc<App>,
    caller: Arc<WorkspaceCaller>,
    told: Told,
    request_id: String,
}

/// The framework's own choice between two schemes would hide why the first was refused.
impl<'a> ApiExtractor<'a> for AgentsAuth {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        BearerToken::register(registry);
        KeyToken::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        [BearerToken::security_schemes(), KeyToken::security_schemes()].concat()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let spoken = Spoken::of(request);
        let checked = match spoken {
            Spoken::Linktor => BearerToken::from_request(request, body, options).await?.0,
            Spoken::Timely => KeyToken::from_request(request, body, options).await?.0,
        };
        Ok(Self { checked, spoken })
    }
}

impl AgentsAuth {
    /// The caller, if its token has the scope and its rates and API calls allow one more.
    pub(super) async fn admit(&self, scope: Scope) -> Result<&Arc<WorkspaceCaller>> {
        self.checked.caller.scopes.require(scope)?;
        let (outcome, limits) = admission::admit(&self.checked.app, &self.checked.caller, Need::Call).await;
        self.checked.told.tell(limits);
        outcome.map(|_| &self.checked.caller)
    }

    /// What the caller asks for, parsed. What cannot be understood is a call all the same.
    pub(super) async fn understand<T>(&self, scope: Scope, parsed: Result<T>) -> Result<T> {
        if parsed.is_err() {
            self.admit(scope).await?;
        }
        parsed
    }

    /// The workspace that keys of repeatable requests are kept for.
    pub(super) fn repeat_scope(&self) -> String {
        format!("workspace:{}", self.checked.caller.workspace.id)
    }

    /// Who is written into the audit.
    pub(super) fn origin(&self) -> Origin {
        let actor = Actor::Token(self.checked.caller.token_id);
        Origin { actor, request_id: Some(self.checked.request_id.clone()) }
    }
}

async fn check_bearer(request: &Request, bearer: Bearer) -> poem::Result<Checked> {
    check(request, &bearer.token).await
}

async fn check_key(request: &Request, key: ApiKey) -> poem::Result<Checked> {
    check(request, &key.key).await
}

async fn check(request: &Request, token: &str) -> poem::Result<Checked> {
    let app = request.data::<Arc<App>>().ok_or_else(|| Error::Internal("a surface has no app".to_owned()))?;
    let caller = check::check(app, token).await?;
    repeat::check_key(request)?;
    Ok(Checked { app: Arc::clone(app), caller, told: Told::of(request), request_id: RequestId::of(request) })
}
