//! Calling a provider over HTTP.
//!
//! Addresses of providers are set by the operator, never by a customer: they are trusted and may be private, which is
//! what self-hosted servers are. Everything else is as for addresses of customers: no proxies of the environment, no
//! redirects, a time-out for connecting and one for the answer, and a limit on what is read. Addresses that a provider
//! tells us of, such as a file's, are a customer's again and go through [`App::outbound`].
//!
//! Nothing of a call is logged but its class: bodies hold messages, headers hold keys.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, header::RETRY_AFTER, multipart::Form};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    app::App,
    connector::{
        refusal::{Class, Refusal},
        session::Session,
    },
    error::Result,
    webhook::retry,
};

/// Most bytes of an answer that are read.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// How long an answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as any call.
    Usual,
    /// Three times as long: for what a provider does before it answers, such as handing a message on.
    Long,
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// There was no connection: the provider has seen nothing.
    NotSent,
    /// It may have been seen.
    NoAnswer,
}

/// How a kind of server is called.
pub(super) struct Server {
    /// The header that its key goes into.
    pub(super) key: &'static str,
    /// What all its paths begin with.
    pub(super) root: &'static str,
    /// What its noes mean.
    pub(super) refusal: fn(&Answer) -> Refusal,
}

impl Server {
    /// Calls the server of a session; its answer if that is a yes.
    pub(super) async fn call(
        &self,
        app: &App,
        session: &Session,
        method: Method,
        path: &str,
        body: Option<Value>,
        patience: Patience,
    ) -> Result<Answer, Refusal> {
        let request = self.to(app, session, method, path, patience)?;
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        self.said(answer(app, request).await?)
    }

    /// Posts a form to the server of a session; its answer if that is a yes.
    pub(super) async fn post_form(
        &self,
        app: &App,
        session: &Session,
        path: &str,
        form: Form,
    ) -> Result<Answer, Refusal> {
        let request = self.to(app, session, Method::POST, path, Patience::Long)?;
        self.said(answer(app, request.multipart(form)).await?)
    }

    /// A request to one of the server's paths.
    fn to(
        &self,
        app: &App,
        session: &Session,
        method: Method,
        path: &str,
        patience: Patience,
    ) -> Result<RequestBuilder, Missed> {
        let url = format!("{}/{}{path}", session.access.base_url, self.root);
        let request = self.request(app, session, method, &url, patience).map_err(|error| {
            tracing::error!(%error, "a provider cannot be called");
            Missed::NotSent
        })?;
        Ok(request.header("Accept", "application/json"))
    }

    fn said(&self, answer: Answer) -> Result<Answer, Refusal> {
        if answer.is_success() {
            return Ok(answer);
        }
        let refusal = (self.refusal)(&answer);
        if matches!(answer.status, 404 | 410) && refusal.class == Class::ProviderUnavailable {
            tracing::warn!(status = answer.status, "what answers at a provider's address does not know its paths");
        }
        Err(refusal)
    }

    /// A request with the key of a session, to an address of its server.
    pub(super) fn request(
        &self,
        app: &App,
        session: &Session,
        method: Method,
        url: &str,
        patience: Patience,
    ) -> Result<RequestBuilder> {
        let request = app.connectors.request(method, url, session.access.timeout, patience)?;
        Ok(request.header(self.key, session.access.api_key.expose_secret()))
    }
}

/// Sends a request and reads what is answered.
pub(super) async fn answer(app: &App, request: RequestBuilder) -> Result<Answer, Missed> {
    let mut response = request.send().await.map_err(|error| missed(&error))?;
    let status = response.status().as_u16();
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = asked.and_then(|value| retry::retry_after(value, app.clock.now()));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Missed::NoAnswer)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Missed::NoAnswer);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, retry_after, body })
}

fn missed(error: &reqwest::Error) -> Missed {
    if error.is_connect() || error.is_builder() { Missed::NotSent } else { Missed::NoAnswer }
}

impl Answer {
    /// One with this body.
    #[cfg(test)]
    pub(super) fn of(status: u16, body: &Value) -> Self {
        Self { status, retry_after: None, body: body.to_string().into_bytes() }
    }

    /// Whether it is a yes.
    pub(super) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The body of a yes. What cannot be read tells nothing of what was done.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|_| Refusal::of(Class::TimeoutUnknown))
    }

    /// The body, `null` if it is no JSON.
    pub(super) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What a no means wherever a provider does not say otherwise. A provider that fails while it works may have done
    /// it; only one that says that it is not there has not. Of what is not found only the provider's own words tell that
    /// it is gone: the status alone is also that of whatever stands before it, and of an address that is wrong.
    pub(super) const fn refusal(&self) -> Refusal {
        let class = match self.status {
            401 => Class::AuthInvalid,
            403 => Class::PermissionMissing,
            404 | 410 => Class::ProviderUnavailable,
            408 | 500..=502 | 504..=599 => Class::TimeoutUnknown,
            409 => Class::Duplicate,
            429 => Class::RateLimited,
            400..=499 => Class::ContentRejected,
            _ => Class::ProviderUnavailable,
        };
        Refusal { class, retry_after: self.retry_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn statuses_have_classes() {
        for (status, class) in [
            (302, Class::ProviderUnavailable),
            (400, Class::ContentRejected),
            (401, Class::AuthInvalid),
            (403, Class::PermissionMissing),
            (404, Class::ProviderUnavailable),
            (408, Class::TimeoutUnknown),
            (409, Class::Duplicate),
            (410, Class::ProviderUnavailable),
            (418, Class::ContentRejected),
            (429, Class::RateLimited),
            (500, Class::TimeoutUnknown),
            (502, Class::TimeoutUnknown),
            (503, Class::ProviderUnavailable),
            (504, Class::TimeoutUnknown),
            (599, Class::TimeoutUnknown),
        ] {
            assert_eq!(answered(status, "").refusal().class, class, "{status}");
        }
    }

    #[test]
    fn a_yes_that_cannot_be_read_is_no_yes() {
        assert_eq!(answered(200, "{\"a\":1").json::<Value>(), Err(Refusal::of(Class::TimeoutUnknown)));
        assert_eq!(answered(200, "<html>").value(), Value::Null);
        assert!(answered(201, "").is_success() && !answered(302, "").is_success());
    }
}
