//! The demo's outside client: signs JWTs, sends requests, reads events. It uses nothing of the server's inside.

use std::time::Duration;

use futures_util::StreamExt;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::clock::Clock;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Speaks to one server.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    partner_id: String,
    secret: SecretString,
    clock: Clock,
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

/// A file to upload.
pub(super) struct File<'a> {
    pub(super) name: &'a str,
    pub(super) content_type: &'a str,
    pub(super) content: &'a [u8],
}

/// Who a request is from.
#[derive(Clone, Copy)]
pub(super) enum Who<'a> {
    /// The partner, with a fresh JWT.
    Partner,
    /// A customer's system or the operator's staff, with a token.
    Token(&'a str),
    /// A browser.
    Nobody,
    /// A browser on a website with a chat; without a token before its session.
    Visitor { website: &'a str, token: &'a str },
}

impl Client {
    pub(super) fn new(base: &str, partner_id: &str, secret: SecretString, clock: Clock) -> Result<Self, String> {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().map_err(|error| error.to_string())?;
        Ok(Self { http, base: base.to_owned(), partner_id: partner_id.to_owned(), secret, clock })
    }

    /// Sends one request.
    pub(super) async fn send(
        &self,
        who: Who<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let mut request = self.http.request(method, self.url(path));
        request = match who {
            Who::Partner => request.bearer_auth(self.jwt()?).header("X-TL-Partner-Id", &self.partner_id),
            Who::Token(token) => request.bearer_auth(token),
            Who::Nobody => request,
            Who::Visitor { website, token: "" } => request.header("Origin", website),
            Who::Visitor { website, token } => request.header("Origin", website).bearer_auth(token),
        };
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request).await
    }

    /// Uploads a file in a form.
    pub(super) async fn upload(&self, token: &str, path: &str, file: &File<'_>) -> Result<Answer, String> {
        const BOUNDARY: &str = "demo-2f7c91";
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
            file.name, file.content_type
        );
        let body = [head.as_bytes(), file.content, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
        let request = self.http.request(Method::POST, self.url(path)).bearer_auth(token);
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        answer(request.header("Content-Type", content_type).body(body)).await
    }

    /// Waits for the first event of a page that `is_it` recognises.
    pub(super) async fn wait_for_event(&self, page: &str, is_it: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let response = self.http.get(format!("{page}/events")).send().await.map_err(|error| error.to_string())?;
        let mut stream = response.bytes_stream();
        let mut text = String::new();
        while let Some(chunk) = stream.next().await {
            text.push_str(&String::from_utf8_lossy(&chunk.map_err(|error| error.to_string())?));
            while let Some((event, rest)) = text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                let state: Option<Value> = data.and_then(|data| serde_json::from_str(data).ok());
                text = rest.to_owned();
                if let Some(state) = state.filter(|state| is_it(state)) {
                    return Ok(state);
                }
            }
        }
        Err("the events ended".to_owned())
    }

    pub(super) fn partner_id(&self) -> &str {
        &self.partner_id
    }

    pub(super) fn secret(&self) -> &SecretString {
        &self.secret
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) }
    }

    fn jwt(&self) -> Result<String, String> {
        let now = self.clock.now().0 / 1_000_000;
        let claims = json!({ "partner_id": self.partner_id, "nbf": now - 180, "exp": now + 180 });
        let key = EncodingKey::from_secret(self.secret.expose_secret().as_bytes());
        encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(|error| error.to_string())
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    let response = request.send().await.map_err(|error| error.to_string())?;
    let status = response.status();
    let text = response.text().await.map_err(|error| error.to_string())?;
    let body = serde_json::from_str(&text).unwrap_or_else(|_| json!({ "text": text }));
    Ok(Answer { status, body })
}
