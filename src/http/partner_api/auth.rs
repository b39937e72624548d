//! Credentials of the Partner API: a JWT and the header that names the partner.

use std::sync::Arc;

use poem::Request;
use poem_openapi::{SecurityScheme, auth::Bearer};
use serde::Serialize;

use crate::{
    app::App,
    caller::PartnerCaller,
    error::{Error, Result},
    http::{edge::RequestId, repeat},
    idempotency::Repeatable,
    partner::authenticate::{Credentials, authenticate},
};

/// A JWT signed with the partner secret (HS256); claims `partner_id`, `nbf`, `exp`.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "PartnerJwt", bearer_format = "JWT", checker = "check")]
pub(super) struct PartnerAuth(pub(super) PartnerCaller);

impl PartnerAuth {
    /// The request under the caller's `Idempotency-Key`; `command` decides with `operation` what is asked.
    pub(super) fn repeatable(
        &self,
        key: Option<&str>,
        operation: &str,
        command: &impl Serialize,
    ) -> Result<Repeatable> {
        Repeatable::new(format!("partner:{}", self.0.partner.id), key, operation, command)
    }
}

async fn check(request: &Request, bearer: Bearer) -> poem::Result<PartnerCaller> {
    let app = request.data::<Arc<App>>().ok_or_else(|| Error::Internal("a surface has no app".to_owned()))?;
    let partner_id = request.header("X-TL-Partner-Id").ok_or(Error::MissingHeader("X-TL-Partner-Id"))?;
    let credentials = Credentials { token: &bearer.token, partner_id, request_id: RequestId::of(request) };
    let caller = authenticate(app, &credentials).await?;
    repeat::check_key(request)?;
    Ok(caller)
}
