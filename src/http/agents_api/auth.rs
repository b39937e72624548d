//! Credentials: the workspace's token in either header, which also says what the caller speaks.

use std::ops::Deref;

use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, SecurityScheme,
    auth::{ApiKey, Bearer},
    registry::Registry,
};

use crate::http::{agents_api::dialect::Spoken, token_caller::TokenCaller};

/// The workspace's API token, as Linktor's clients send it.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "BearerToken", checker = "check_bearer")]
struct BearerToken(TokenCaller);

/// The workspace's API token, as Timely's clients send it.
#[derive(SecurityScheme)]
#[oai(ty = "api_key", key_name = "x-api-key", key_in = "header", rename = "ApiKey", checker = "check_key")]
struct KeyToken(TokenCaller);

/// A token in either header, checked, before it is metered.
pub(in crate::http) struct TokenAuth {
    caller: TokenCaller,
    /// What the caller speaks.
    pub(in crate::http) spoken: Spoken,
}

/// The framework's own choice between two schemes would hide why the first was refused.
impl<'a> ApiExtractor<'a> for TokenAuth {
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
        let caller = match spoken {
            Spoken::Linktor => BearerToken::from_request(request, body, options).await?.0,
            Spoken::Timely => KeyToken::from_request(request, body, options).await?.0,
        };
        Ok(Self { caller, spoken })
    }
}

impl Deref for TokenAuth {
    type Target = TokenCaller;

    fn deref(&self) -> &TokenCaller {
        &self.caller
    }
}

async fn check_bearer(request: &Request, bearer: Bearer) -> poem::Result<TokenCaller> {
    TokenCaller::check(request, &bearer.token).await
}

async fn check_key(request: &Request, key: ApiKey) -> poem::Result<TokenCaller> {
    TokenCaller::check(request, &key.key).await
}
