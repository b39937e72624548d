//! A WAHA server, written from the contract: sessions with their states and codes, messages, events that are signed.

use std::collections::HashMap;

use hmac_sha512::HMAC;
use poem::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{
    client::Answer,
    provider::{Asked, Fake, Kept, Played, Trouble, answered},
};

pub(crate) const KEY: &str = "waha-api-key-0123456789";

/// One session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(crate) status: String,
    pub(crate) code: Option<String>,
    codes: u32,
    me: Value,
    pub(crate) config: Value,
    pub(crate) restarts: u32,
    starting: Option<Starting>,
    /// How often it was set anew.
    pub(crate) updates: u32,
}

/// How a session starts: the state that it comes to, without a word, after so many looks in which it has none.
#[derive(Clone, Copy, Debug)]
struct Starting {
    looks: u32,
    status: &'static str,
}

/// What a server has.
#[derive(Default)]
pub(crate) struct Sessions {
    sessions: HashMap<String, Session>,
    starting: Option<Starting>,
    files: HashMap<String, (String, Vec<u8>)>,
    lids: HashMap<String, String>,
    events: u64,
}

pub(crate) type Waha = Fake<Sessions>;

impl Played for Sessions {
    const KEY_HEADER: &str = "x-api-key";
    const KEY: &str = KEY;
    const ROOT: &str = "/api/";
    const CREATES: &str = "sessions";

    fn is_sending(path: &str) -> bool {
        path.starts_with("send") || path == "reaction"
    }

    fn unauthorized() -> Response {
        answered(401, &json!({ "message": "Unauthorized", "statusCode": 401 }))
    }

    fn answer(kept: &mut Kept<Self>, asked: &Asked) -> Response {
        answer(kept, asked)
    }
}

impl Session {
    fn next_code(&mut self, name: &str) -> String {
        self.codes += 1;
        let code = format!("2@code-{}-of-{name},a,b,c", self.codes);
        self.code = Some(code.clone());
        code
    }

    /// Somebody looks at it while it starts.
    fn go_on(&mut self, name: &str) {
        self.starting = match self.starting.take() {
            Some(Starting { looks: 0, status }) => {
                status.clone_into(&mut self.status);
                self.next_code(name);
                None
            }
            starting => starting.map(|starting| Starting { looks: starting.looks - 1, ..starting }),
        };
    }
}

impl Waha {
    pub(crate) fn session(&self, name: &str) -> Option<Session> {
        self.kept().own.sessions.get(name).cloned()
    }

    /// Keeps a file; its address as the server says it, which does not know its own name.
    pub(crate) fn keep(&self, name: &str, content_type: &str, content: &[u8]) -> String {
        self.kept().own.files.insert(name.to_owned(), (content_type.to_owned(), content.to_vec()));
        format!("http://localhost:3000/api/files/{name}")
    }

    /// Knows whose number hides behind an id.
    pub(crate) fn know(&self, lid: &str, digits: &str) {
        self.kept().own.lids.insert(lid.to_owned(), format!("{digits}@c.us"));
    }

    /// The session shows its next code, and says so.
    pub(crate) async fn show_code(&self, name: &str) -> String {
        let code = {
            let mut kept = self.kept();
            kept.own.sessions.get_mut(name).expect("a session").next_code(name)
        };
        self.change(name, "SCAN_QR_CODE").await;
        code
    }

    /// Sessions that are made from now on come to a state by themselves, after so many looks.
    pub(crate) fn start_slowly(&self, looks: u32, status: &'static str) {
        self.kept().own.starting = Some(Starting { looks, status });
    }

    /// A phone scans.
    pub(crate) async fn link(&self, name: &str, digits: &str) {
        let me = json!({ "id": format!("{digits}:3@c.us"), "pushName": "Bakery" });
        self.kept().own.sessions.get_mut(name).expect("a session").me = me;
        self.change(name, "WORKING").await;
    }

    /// The session changes its state, and says so.
    pub(crate) async fn change(&self, name: &str, status: &str) {
        self.change_silently(name, status);
        self.tell(name, "session.status", json!({ "name": name, "status": status })).await.expect(200);
    }

    pub(crate) fn change_silently(&self, name: &str, status: &str) {
        self.kept().own.sessions.get_mut(name).expect("a session").status = status.to_owned();
    }

    /// The session is removed without us, and nothing is said.
    pub(crate) fn forget(&self, name: &str) {
        self.kept().own.sessions.remove(name).expect("a session");
    }

    /// Tells of an event.
    pub(crate) async fn tell(&self, name: &str, event: &str, payload: Value) -> Answer {
        let body = self.event(name, event, 0, payload);
        self.post(name, &body).await
    }

    /// An event with an id of its own, which happened so many milliseconds after the first.
    pub(crate) fn event(&self, name: &str, event: &str, after_ms: i64, payload: Value) -> String {
        let number = {
            let mut kept = self.kept();
            kept.own.events += 1;
            kept.own.events
        };
        json!({
            "id": format!("evt_{number:026}"),
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

    /// How the session was told to call back, last.
    pub(crate) fn hook(&self, name: &str) -> Value {
        let session = self.session(name).expect("a session");
        session.config["webhooks"].as_array().and_then(|all| all.last()).expect("a webhook").clone()
    }

    /// Somebody else sets the session.
    pub(crate) fn configure(&self, name: &str, config: Value) {
        self.kept().own.sessions.get_mut(name).expect("a session").config = config;
    }
}

pub(crate) fn sign(key: &str, body: &str) -> String {
    HMAC::mac(body, key).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn in_wrong_state(name: &str, status: &str) -> Response {
    let message = format!("Session \"{name}\" is in status {status}");
    answered(422, &json!({ "statusCode": 422, "message": message, "error": "Unprocessable Entity" }))
}

fn no_session() -> Response {
    answered(404, &json!({ "statusCode": 404, "message": "Session not found", "error": "Not Found" }))
}

fn answer(kept: &mut Kept<Sessions>, asked: &Asked) -> Response {
    let Asked { method, path, body, .. } = asked;
    let parts: Vec<&str> = path.split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["sessions"]) => create(kept, body),
        ("GET", ["sessions", name]) => match kept.own.sessions.get_mut(*name) {
            Some(session) => {
                session.go_on(name);
                answered(200, &shown(name, session))
            }
            None => no_session(),
        },
        ("DELETE", ["sessions", name]) => {
            if kept.own.sessions.remove(*name).is_some() {
                kept.removed.push((*name).to_owned());
            }
            answered(200, &Value::Null)
        }
        // It is started again with it, faster than anybody can look.
        ("PUT", ["sessions", name]) => match kept.own.sessions.get_mut(*name) {
            Some(session) => {
                session.updates += 1;
                session.config = body["config"].clone();
                answered(200, &shown(name, session))
            }
            None => no_session(),
        },
        ("POST", ["sessions", name, "restart"]) => match kept.own.sessions.get_mut(*name) {
            Some(session) => {
                session.restarts += 1;
                answered(201, &shown(name, session))
            }
            None => no_session(),
        },
        ("GET", [name, "auth", "qr"]) => match kept.own.sessions.get(*name) {
            Some(Session { status, code: Some(code), .. }) if status == "SCAN_QR_CODE" => {
                answered(200, &json!({ "value": code }))
            }
            Some(session) => in_wrong_state(name, &session.status),
            None => no_session(),
        },
        ("POST", [name, "auth", "request-code"]) => match kept.own.sessions.get(*name) {
            Some(session) if session.status == "SCAN_QR_CODE" => answered(201, &json!({ "code": "ABCD-EFGH" })),
            Some(session) => in_wrong_state(name, &session.status),
            None => no_session(),
        },
        ("GET", [_, "lids", lid]) => {
            let pn = kept.own.lids.get(*lid);
            answered(200, &json!({ "lid": format!("{lid}@lid"), "pn": pn }))
        }
        ("GET", ["files", name]) => match kept.own.files.get(*name) {
            Some((content_type, content)) => content.clone().with_content_type(content_type.clone()).into_response(),
            None => answered(404, &json!({ "statusCode": 404 })),
        },
        ("POST", [send]) if send.starts_with("send") => take(kept, send, body),
        ("PUT", ["reaction"]) => {
            kept.reactions.push(body.clone());
            answered(200, &json!({ "id": "r" }))
        }
        _ => answered(404, &json!({ "statusCode": 404, "message": format!("Cannot {method} {path}") })),
    }
}

fn create(kept: &mut Kept<Sessions>, body: &Value) -> Response {
    let name = body["name"].as_str().expect("a name").to_owned();
    if kept.own.sessions.contains_key(&name) {
        let message = format!("Session '{name}' already exists");
        return answered(422, &json!({ "statusCode": 422, "message": message }));
    }
    let (config, starting) = (body["config"].clone(), kept.own.starting);
    let session = Session { status: "STARTING".to_owned(), config, starting, ..Session::default() };
    let shown = shown(&name, &session);
    kept.own.sessions.insert(name.clone(), session);
    kept.newest = name;
    answered(201, &shown)
}

fn shown(name: &str, session: &Session) -> Value {
    json!({ "name": name, "status": session.status, "engine": { "engine": "GOWS" }, "me": session.me,
        "config": session.config })
}

/// Takes a message; the answer has another shape each time, as engines have.
fn take(kept: &mut Kept<Sessions>, send: &str, body: &Value) -> Response {
    let name = body["session"].as_str().expect("a session");
    let Some(session) = kept.own.sessions.get(name) else { return no_session() };
    if session.status != "WORKING" {
        return in_wrong_state(name, &session.status.clone());
    }
    let mut message = body.clone();
    let (id, chat) = (format!("3EB0{:04}", kept.sent.len()), body["chatId"].as_str().expect("a chat"));
    message["endpoint"] = send.into();
    message["id"] = id.as_str().into();
    let answer = match kept.sent.len() % 3 {
        0 => json!({ "id": format!("true_{chat}_{id}"), "timestamp": 1 }),
        1 => json!({ "id": { "fromMe": true, "_serialized": format!("true_{chat}_{id}") } }),
        _ => json!({ "key": { "remoteJid": chat.replace("@c.us", "@s.whatsapp.net"), "fromMe": true, "id": id } }),
    };
    kept.sent.push(message);
    answered(201, &answer)
}

impl Waha {
    /// What the next message meets.
    pub(crate) fn trouble(&self, trouble: Trouble) {
        self.sending.add(trouble);
    }
}
