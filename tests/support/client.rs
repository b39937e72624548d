//! Clients that carry their credentials and say what was answered when it is not what was expected.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use quartermaster::clock::Clock;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use crate::support::page::Page;

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.expect("a body") }
    }

    /// The body, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Checks an error of the Partner API: its word, its status twice, and that it says something.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, word: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["error"], word, "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert!(body["description"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        assert_eq!(self.header("x-tl-api-version"), "v1");
        body
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A partner's backend.
#[derive(Clone)]
pub(crate) struct PartnerClient {
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
    pub(crate) id: String,
    pub(crate) secret: String,
    clock: Clock,
}

impl PartnerClient {
    pub(crate) fn new(base: &str, http: reqwest::Client, id: &str, secret: &str, clock: Clock) -> Self {
        Self { base: format!("{base}/partner/api/v1"), http, id: id.to_owned(), secret: secret.to_owned(), clock }
    }

    /// The same partner at another replica.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self { base: format!("{base}/partner/api/v1"), ..self.clone() }
    }

    /// A token as the contract recommends it.
    pub(crate) fn jwt(&self) -> String {
        let now = self.clock.now().0 / 1_000_000;
        self.sign(&json!({ "partner_id": self.id, "nbf": now - 180, "exp": now + 180 }))
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        encode(&Header::new(Algorithm::HS256), claims, &key).expect("a token")
    }

    /// A signed request, to be changed before it is sent.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(self.jwt())
            .header("X-TL-Partner-Id", &self.id)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn post_empty(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::POST, path)).await
    }

    pub(crate) async fn post_with_key(&self, path: &str, key: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).header("Idempotency-Key", key).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(&body)).await
    }

    /// A workspace of this name; its id.
    pub(crate) async fn workspace(&self, name: &str, seats: i64) -> String {
        let body = json!({ "display_name": name, "seats_purchased": seats });
        let created = self.post("/workspaces", body).await.expect(201);
        created["workspace_id"].as_str().expect("an id").to_owned()
    }

    /// New users of a workspace; their ids.
    pub(crate) async fn users(&self, workspace: &str, count: i64) -> Vec<i64> {
        let path = format!("/workspaces/{workspace}/users");
        let created = self.post(&path, json!({ "count": count })).await.expect(201);
        let users = created["users"].as_array().expect("users");
        users.iter().map(|user| user["user_id"].as_i64().expect("an id")).collect()
    }

    /// A link for a user; its address.
    pub(crate) async fn link(&self, workspace: &str, user: i64) -> String {
        let created = self.post_empty(&format!("/workspaces/{workspace}/users/{user}/qr")).await.expect(200);
        created["qr_link"].as_str().expect("an address").to_owned()
    }

    /// Address of a new link for a user's account on a network.
    pub(crate) async fn link_on(&self, workspace: &str, user: i64, network: &str) -> String {
        let path = format!("/workspaces/{workspace}/users/{user}/qr");
        let created = self.post(&path, serde_json::json!({ "network": network })).await.expect(200);
        assert_eq!(created["network"], network);
        created["qr_link"].as_str().expect("an address").to_owned()
    }

    /// The page of a new link for a user.
    pub(crate) async fn page(&self, workspace: &str, user: i64) -> Page {
        Page::open(&self.http, &self.link(workspace, user).await)
    }

    /// The user that was made with the workspace.
    pub(crate) async fn owner(&self, workspace: &str) -> i64 {
        self.overview(workspace).await["users"][0]["user_id"].as_i64().expect("an id")
    }

    /// Everything about a workspace.
    pub(crate) async fn overview(&self, workspace: &str) -> Value {
        self.get(&format!("/workspaces/{workspace}")).await.expect(200)
    }

    /// A phone scans a code.
    pub(crate) async fn scan(&self, qr: &str, phone: &str) -> Answer {
        self.post("/sandbox/scan", json!({ "qr": qr, "phone": phone })).await
    }

    /// Links a phone to a user, from link to account; the account's number on the wire.
    pub(crate) async fn connect(&self, workspace: &str, user: i64, phone: &str) -> i64 {
        let qr = self.page(workspace, user).await.start().await.code();
        assert_eq!(self.scan(&qr, phone).await.expect(200)["outcome"], "linked");
        let overview = self.overview(workspace).await;
        let accounts = overview["whatsapp_accounts"].as_array().expect("accounts");
        let account = accounts.iter().find(|account| account["phone_number_e164"] == phone).expect("the account");
        assert_eq!(account["connected"], true);
        account["whatsapp_account_id"].as_i64().expect("a number")
    }
}

/// A customer's system.
#[derive(Clone)]
pub(crate) struct TokenClient {
    base: String,
    http: reqwest::Client,
    token: String,
}

impl TokenClient {
    pub(crate) fn new(base: &str, http: reqwest::Client, token: &str) -> Self {
        Self { base: format!("{base}/integrations/api"), http, token: token.to_owned() }
    }

    /// The token itself.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The same token at another replica.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self { base: format!("{base}/integrations/api"), ..self.clone() }
    }

    /// A request with the token, to be changed before it is sent.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn post_with_key(&self, path: &str, key: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).header("Idempotency-Key", key).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// Waits until the token is unknown: other replicas hear of it at once, and within seconds without Redis.
    pub(crate) async fn until_refused(&self) {
        self.until_refused_with(401).await;
    }

    /// Waits likewise until calls with the token are answered with this status.
    pub(crate) async fn until_refused_with(&self, status: u16) {
        let refused = async {
            while self.get("/workspace").await.status.as_u16() != status {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), refused).await.expect("the token is refused within 5 s");
    }

    /// Sends a text to a number.
    pub(crate) async fn send(&self, phone: &str, text: &str) -> Answer {
        self.post("/messages", json!({ "phone": phone, "text": text })).await
    }

    /// Used and total credits, as the workspace sees them.
    pub(crate) async fn credits(&self) -> (i64, i64) {
        let quota = self.get("/workspace/quotas").await.expect(200)["data"]["messaging_quota"].clone();
        (quota["used"].as_i64().expect("used"), quota["total"].as_i64().expect("total"))
    }
}
