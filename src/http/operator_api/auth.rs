//! Credentials of the Operator API: an operator token.

use std::sync::Arc;

use poem::Request;
use poem_openapi::{SecurityScheme, auth::Bearer};
use serde::Serialize;

use crate::{
    app::App,
    caller::OperatorCaller,
    error::{Error, Result},
    http::{edge::RequestId, repeat},
    idempotency::Repeatable,
    token::operator,
};

/// A token made with `quartermaster operator-token create`.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "OperatorToken", checker = "check")]
pub(super) struct OperatorAuth(pub(super) OperatorCaller);

impl OperatorAuth {
    /// The request under the caller's `Idempotency-Key`; `command` decides with `operation` what is asked.
    pub(super) fn repeatable(
        &self,
        key: Option<&str>,
        operation: &str,
        command: &impl Serialize,
    ) -> Result<Repeatable> {
        Repeatable::new(format!("operator:{}", self.0.token_id), key, operation, command)
    }
}

async fn check(request: &Request, bearer: Bearer) -> poem::Result<OperatorCaller> {
    let app = request.data::<Arc<App>>().ok_or_else(|| Error::Internal("a surface has no app".to_owned()))?;
    let caller = operator::check(app, &bearer.token, RequestId::of(request)).await?;
    repeat::check_key(request)?;
    Ok(caller)
}
