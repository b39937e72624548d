//! Credentials of the Partner API: a JWT and the header that names the partner.

use std::sync::Arc;

use poem::Request;
use poem_openapi::{SecurityScheme, auth::Bearer};
use serde::Serialize;

use crate::{
    app::App,
    caller::PartnerCaller,
    error::{Error, Result},
    http::edge::RequestId,
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
    check_idempotency_key(request)?;
    Ok(caller)
}

/// A key that the framework cannot read would otherwise count as none, and the request would be done twice.
fn check_idempotency_key(request: &Request) -> Result<()> {
    let mut keys = request.headers().get_all("Idempotency-Key").iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if key.to_str().is_err() => {
            Err(Error::field("Idempotency-Key", "must be 1 to 255 visible ASCII characters"))
        }
        (Some(_), Some(_)) => Err(Error::field("Idempotency-Key", "must be sent once")),
        _ => Ok(()),
    }
}
