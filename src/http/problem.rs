//! RFC 9457 problems: the dialect of everything that has no older contract.

use poem::http::StatusCode;
use poem_openapi::Object;

use crate::{error::Error, http::failure::Dialect};

/// A problem.
#[derive(Object)]
pub(super) struct Problem {
    /// Where the code is explained.
    #[oai(rename = "type")]
    kind: String,
    /// What the code means.
    title: String,
    /// HTTP status.
    status: u16,
    /// Stable word for what went wrong.
    code: String,
    /// What went wrong this time.
    detail: String,
}

impl Dialect for Problem {
    const CONTENT_TYPE: &'static str = "application/problem+json";

    fn render(error: &Error, status: StatusCode) -> Self {
        let code = error.code();
        Self {
            kind: format!("/docs/errors#{code}"),
            title: code.title().to_owned(),
            status: status.as_u16(),
            code: code.to_string(),
            detail: error.description(),
        }
    }
}
