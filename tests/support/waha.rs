//! A WAHA server, written from the contract: sessions with their states and codes, messages, events that are signed.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use hmac_sha512::HMAC;
use poem::{
    Endpoint, IntoResponse, Request, Response,
    endpoint::make,
    http::{Method, StatusCode},
    listener::{Acceptor, Listener, TcpListener},
};
use serde_json::{Value, json};

use super::{
    client::Answer,
    provider::{Trouble, Troubles},
};

pub(crate) const KEY: &str = "waha-api-key-0123456789";

/// One session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(crate) status: String,
    pub(crate) code: Option<String>,
    codes: u32,
    me: Value,
    webhook: Value,
    pub(crate) restarts: u32,
}

#[derive(Default)]
struct State {
    sessions: HashMap<String, Session>,
    newest: String,
    removed: Vec<String>,
    sent: Vec<Value>,
    reactions: Vec<Value>,
    files: HashMap<String, (String, Vec<u8>)>,
    lids: HashMap<String, String>,
    events: u64,
    refuses_key: bool,
}

pub(crate) struct Waha {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    http: reqwest::Client,
    /// What goes wrong with messages.
    pub(crate) sending: Troubles,
    /// What goes wrong with everything else.
    pub(crate) asking: Troubles,
}

impl Waha {
    pub(crate) async fn start() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let (sending, asking) = (Troubles::default(), Troubles::default());
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.expect("a port");
        let address = *acceptor.local_addr()[0].as_socket_addr().expect("an address");
        let served = endpoint(Arc::clone(&state), sending.clone(), asking.clone());
        tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(served));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { address, state, http, sending, asking }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a lock")
    }

    /// The name of the session that was made last.
    pub(crate) fn newest(&self) -> String {
        self.state().newest.clone()
    }

    pub(crate) fn session(&self, name: &str) -> Option<Session> {
        self.state().sessions.get(name).cloned()
    }

    /// Names of sessions that were removed.
    pub(crate) fn removed(&self) -> Vec<String> {
        self.state().removed.clone()
    }

    /// Messages that it has taken.
    pub(crate) fn sent(&self) -> Vec<Value> {
        self.state().sent.clone()
    }

    pub(crate) fn reactions(&self) -> Vec<Value> {
        self.state().reactions.clone()
    }

    /// Accepts no key any more, or again.
    pub(crate) fn refuse_key(&self, refuses_key: bool) {
        self.state().refuses_key = refuses_key;
    }

    /// Keeps a file; its address as the server says it, which does not know its own name.
    pub(crate) fn keep(&self, name: &str, content_type: &str, content: &[u8]) -> String {
        self.state().files.insert(name.to_owned(), (content_type.to_owned(), content.to_vec()));
        format!("http://localhost:3000/api/files/{name}")
    }

    /// Knows whose number hides behind an id.
    pub(crate) fn know(&self, lid: &str, digits: &str) {
        self.state().lids.insert(lid.to_owned(), format!("{digits}@c.us"));
    }

    /// The session shows its next code, and says so.
    pub(crate) async fn show_code(&self, name: &str) -> String {
        let code = {
            let mut state = self.state();
            let session = state.sessions.get_mut(name).expect("a session");
            session.codes += 1;
            let code = format!("2@code-{}-of-{name},a,b,c", session.codes);
            session.code = Some(code.clone());
            code
        };
        self.change(name, "SCAN_QR_CODE").await;
        code
    }

    /// A phone scans.
    pub(crate) async fn link(&self, name: &str, digits: &str) {
        let me = json!({ "id": format!("{digits}:3@c.us"), "pushName": "Bakery" });
        self.state().sessions.get_mut(name).expect("a session").me = me;
        self.change(name, "WORKING").await;
    }

    /// The session changes its state, and says so.
    pub(crate) async fn change(&self, name: &str, status: &str) {
        self.change_silently(name, status);
        self.tell(name, "session.status", json!({ "name": name, "status": status })).await.expect(200);
    }

    pub(crate) fn change_silently(&self, name: &str, status: &str) {
        self.state().sessions.get_mut(name).expect("a session").status = status.to_owned();
    }

    /// Tells of an event.
    pub(crate) async fn tell(&self, name: &str, event: &str, payload: Value) -> Answer {
        let body = self.event(name, event, 0, payload);
        self.post(name, &body).await
    }

    /// An event with an id of its own, which happened so many milliseconds after the first.
    pub(crate) fn event(&self, name: &str, event: &str, after_ms: i64, payload: Value) -> String {
        let mut state = self.state();
        state.events += 1;
        json!({
            "id": format!("evt_{:026}", state.events),
            "timestamp": 1_789_027_200_000i64 + after_ms,
            "event": event,
            "session": name,
            "metadata": {},
            "engine": "GOWS",
            "environment": { "version": "2026.7.1", "tier": "CORE" },
            "payload": payload,
        })
        .to_string()
    }

    /// Posts an event as the session's webhook says.
    pub(crate) async fn post(&self, name: &str, body: &str) -> Answer {
        let key = self.hook(name)["hmac"]["key"].as_str().expect("a key").to_owned();
        self.post_signed(name, body, &sign(&key, body)).await
    }

    /// Posts an event with this signature.
    pub(crate) async fn post_signed(&self, name: &str, body: &str, signature: &str) -> Answer {
        let url = self.hook(name)["url"].as_str().expect("an address").to_owned();
        let request = self
            .http
            .post(url)
            .header("Content-Type", "application/json")
            .header("X-Webhook-Request-Id", "1")
            .header("X-Webhook-Timestamp", "1789027200000")
            .header("X-Webhook-Hmac", signature)
            .header("X-Webhook-Hmac-Algorithm", "sha512")
            .body(body.to_owned());
        Answer::of(request).await
    }

    /// How the session was told to call back.
    pub(crate) fn hook(&self, name: &str) -> Value {
        self.state().sessions.get(name).expect("a session").webhook.clone()
    }
}

pub(crate) fn sign(key: &str, body: &str) -> String {
    HMAC::mac(body, key).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn endpoint(state: Arc<Mutex<State>>, sending: Troubles, asking: Troubles) -> impl Endpoint<Output = Response> {
    make(move |mut request: Request| {
        let (state, sending, asking) = (Arc::clone(&state), sending.clone(), asking.clone());
        async move {
            let is_known = request.header("x-api-key") == Some(KEY);
            let path = request.uri().path().trim_start_matches("/api/").to_owned();
            let is_sending = path.starts_with("send") || path == "reaction";
            let body = request.take_body().into_string().await.expect("a body");
            let body: Value = serde_json::from_str(&body).unwrap_or_default();
            let refuses = state.lock().expect("a lock").refuses_key;
            if !is_known || refuses {
                let body = json!({ "message": "Unauthorized", "statusCode": 401 });
                return Ok::<_, poem::Error>(answered(401, &body));
            }
            let trouble = if is_sending { sending.next() } else { asking.next() };
            let answer =
                |state: &Mutex<State>| answer(&mut state.lock().expect("a lock"), request.method(), &path, &body);
            Ok(match trouble {
                None => answer(&state),
                Some(trouble) => {
                    if trouble.is_done() {
                        drop(answer(&state));
                    }
                    trouble.answer().await
                }
            })
        }
    })
}

fn answered(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    Response::builder().status(status).content_type("application/json").body(body.to_string())
}

fn in_wrong_state(name: &str, status: &str) -> Response {
    let message = format!("Session \"{name}\" is in status {status}");
    answered(422, &json!({ "statusCode": 422, "message": message, "error": "Unprocessable Entity" }))
}

fn answer(state: &mut State, method: &Method, path: &str, body: &Value) -> Response {
    let parts: Vec<&str> = path.split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["sessions"]) => create(state, body),
        ("GET", ["sessions", name]) => match state.sessions.get(*name) {
            Some(session) => answered(200, &shown(name, session)),
            None => answered(404, &json!({ "statusCode": 404, "message": "Session not found" })),
        },
        ("DELETE", ["sessions", name]) => {
            if state.sessions.remove(*name).is_some() {
                state.removed.push((*name).to_owned());
            }
            answered(200, &Value::Null)
        }
        ("POST", ["sessions", name, "restart"]) => match state.sessions.get_mut(*name) {
            Some(session) => {
                session.restarts += 1;
                answered(201, &shown(name, session))
            }
            None => answered(404, &json!({ "statusCode": 404 })),
        },
        ("GET", [name, "auth", "qr"]) => match state.sessions.get(*name) {
            Some(Session { status, code: Some(code), .. }) if status == "SCAN_QR_CODE" => {
                answered(200, &json!({ "value": code }))
            }
            Some(session) => in_wrong_state(name, &session.status),
            None => answered(404, &json!({ "statusCode": 404 })),
        },
        ("POST", [name, "auth", "request-code"]) => match state.sessions.get(*name) {
            Some(session) if session.status == "SCAN_QR_CODE" => answered(201, &json!({ "code": "ABCD-EFGH" })),
            Some(session) => in_wrong_state(name, &session.status),
            None => answered(404, &json!({ "statusCode": 404 })),
        },
        ("GET", [_, "lids", lid]) => {
            let pn = state.lids.get(*lid);
            answered(200, &json!({ "lid": format!("{lid}@lid"), "pn": pn }))
        }
        ("GET", ["files", name]) => match state.files.get(*name) {
            Some((content_type, content)) => content.clone().with_content_type(content_type.clone()).into_response(),
            None => answered(404, &json!({ "statusCode": 404 })),
        },
        ("POST", [send]) if send.starts_with("send") => take(state, send, body),
        ("PUT", ["reaction"]) => {
            state.reactions.push(body.clone());
            answered(200, &json!({ "id": "r" }))
        }
        _ => answered(404, &json!({ "statusCode": 404, "message": format!("Cannot {method} {path}") })),
    }
}

fn create(state: &mut State, body: &Value) -> Response {
    let name = body["name"].as_str().expect("a name").to_owned();
    if state.sessions.contains_key(&name) {
        let message = format!("Session '{name}' already exists");
        return answered(422, &json!({ "statusCode": 422, "message": message }));
    }
    let webhook = body["config"]["webhooks"][0].clone();
    let session = Session { status: "STARTING".to_owned(), webhook, ..Session::default() };
    let shown = shown(&name, &session);
    state.sessions.insert(name.clone(), session);
    state.newest = name;
    answered(201, &shown)
}

fn shown(name: &str, session: &Session) -> Value {
    json!({ "name": name, "status": session.status, "engine": { "engine": "GOWS" }, "me": session.me })
}

/// Takes a message; the answer has another shape each time, as engines have.
fn take(state: &mut State, send: &str, body: &Value) -> Response {
    let name = body["session"].as_str().expect("a session");
    let Some(session) = state.sessions.get(name) else { return answered(404, &json!({ "statusCode": 404 })) };
    if session.status != "WORKING" {
        return in_wrong_state(name, &session.status.clone());
    }
    let mut message = body.clone();
    let (id, chat) = (format!("3EB0{:04}", state.sent.len()), body["chatId"].as_str().expect("a chat"));
    message["endpoint"] = send.into();
    message["id"] = id.as_str().into();
    let answer = match state.sent.len() % 3 {
        0 => json!({ "id": format!("true_{chat}_{id}"), "timestamp": 1 }),
        1 => json!({ "id": { "fromMe": true, "_serialized": format!("true_{chat}_{id}") } }),
        _ => json!({ "key": { "remoteJid": chat.replace("@c.us", "@s.whatsapp.net"), "fromMe": true, "id": id } }),
    };
    state.sent.push(message);
    answered(201, &answer)
}

/// How long a call may take in tests that wait for one that does not end.
pub(crate) const IMPATIENT: std::time::Duration = std::time::Duration::from_millis(150);

impl Waha {
    /// What the next message meets.
    pub(crate) fn trouble(&self, trouble: Trouble) {
        self.sending.add(trouble);
    }
}
