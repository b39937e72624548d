//! A visitor's browser at the widget of a web chat, without the browser.

use futures_util::{Stream, StreamExt};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, channels::Shop};

/// The website that may show the widget.
pub(crate) const WEBSITE: &str = "https://www.example.com";

/// A web chat that nobody has visited yet.
pub(crate) struct WebChat {
    /// Its id, `ch_…`.
    pub(crate) id: String,
    /// Its public token.
    pub(crate) token: String,
}

impl Shop<'_> {
    /// A web chat for [`WEBSITE`], with more settings.
    pub(crate) async fn web_chat(&self, more: Value) -> WebChat {
        let mut config = json!({ "allowedOrigins": [WEBSITE] });
        for (name, value) in more.as_object().into_iter().flatten() {
            config[name] = value.clone();
        }
        let body = json!({ "name": "Website", "type": "webchat", "config": config });
        let made = self.post("/channels", body).await.expect(201);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        WebChat { id: text(&made["data"]["id"]), token: text(&made["data"]["attributes"]["widgetToken"]) }
    }

    /// The chats of the workspace.
    pub(crate) async fn chats(&self) -> Vec<Value> {
        let listed = self.token.get("/chats").await.expect(200);
        listed["data"]["chats"].as_array().expect("chats").clone()
    }

    /// Answers in a chat; the uid of the message.
    pub(crate) async fn answer(&self, chat: &Value, text: &str) -> entity::id::MessageId {
        let path = format!("/chats/{}/messages", chat["id"]);
        let sent = self.token.post(&path, json!({ "text": text })).await.expect(200);
        self.app.run_jobs().await;
        sent["data"]["message_uid"].as_str().expect("a uid").parse().expect("a uuid")
    }
}

/// A browser on a website with a widget.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) widget: String,
    pub(crate) origin: String,
    /// What proves the visitor; empty before the session.
    pub(crate) token: String,
    pub(crate) id: String,
}

impl Visitor {
    /// One who has not begun a session.
    pub(crate) fn at(app: &TestApp, widget: &str) -> Self {
        Self {
            http: app.http.clone(),
            base: app.base.clone(),
            widget: widget.to_owned(),
            origin: WEBSITE.to_owned(),
            token: String::new(),
            id: String::new(),
        }
    }

    /// One with a session.
    pub(crate) async fn come(app: &TestApp, widget: &str) -> Self {
        Self::at(app, widget).begin(json!({})).await
    }

    /// With a session that is begun so.
    pub(crate) async fn begin(self, body: Value) -> Self {
        let begun = self.session(body).await.expect(200);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Self { token: text(&begun["visitor_token"]), id: text(&begun["visitor"]["id"]), ..self }
    }

    /// The same browser at another replica.
    pub(crate) fn over(&self, app: &TestApp) -> Self {
        Self { base: app.base.clone(), ..self.clone() }
    }

    /// The same visitor where the widget has another token.
    pub(crate) fn with_widget(&self, widget: &str) -> Self {
        Self { widget: widget.to_owned(), ..self.clone() }
    }

    /// The same visitor, proved by another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// A call as the browser makes it.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/widget/api/{}{path}", self.base, self.widget));
        let request = request.header("Origin", &self.origin);
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn session(&self, body: Value) -> Answer {
        self.post("/session", body).await
    }

    pub(crate) async fn write(&self, text: &str) -> Value {
        self.post("/messages", json!({ "text": text })).await.expect(201)
    }

    /// Who wrote what in the visitor's window.
    pub(crate) async fn window(&self) -> Vec<(String, String)> {
        let page = self.get("/messages").await.expect(200);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let messages = page["messages"].as_array().expect("messages").iter();
        messages.map(|message| (text(&message["from"]), text(&message["text"]))).collect()
    }

    /// Tells how far the visitor is.
    pub(crate) async fn tell(&self, app: &TestApp, delivered: i64, read: i64) {
        let told = self.post("/receipts", json!({ "delivered": delivered, "read": read })).await;
        assert_eq!(told.status.as_u16(), 204, "{}", told.text);
        app.run_jobs().await;
    }

    /// Messages with the ids of their events, as they come.
    pub(crate) async fn events(&self, last: Option<i64>) -> impl Stream<Item = (i64, Value)> + Unpin + use<> {
        let request = self.request(Method::GET, "/events");
        let request = if let Some(last) = last { request.header("Last-Event-ID", last) } else { request };
        let response = request.send().await.expect("events");
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["access-control-allow-origin"], self.origin.as_str());
        let stream = response.bytes_stream().map(|chunk| chunk.map_or_else(|_| Vec::new(), |bytes| bytes.to_vec()));
        let events = stream.scan(String::new(), |text, chunk| {
            text.push_str(&String::from_utf8_lossy(&chunk));
            let mut events = Vec::new();
            while let Some((event, rest)) = text.split_once("\n\n") {
                let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
                if let (Some(id), Some(data)) = (line("id: "), line("data: ")) {
                    events.push((id.parse().expect("a number"), serde_json::from_str(&data).expect("a message")));
                }
                *text = rest.to_owned();
            }
            std::future::ready(Some(futures_util::stream::iter(events)))
        });
        events.flatten().boxed()
    }
}
