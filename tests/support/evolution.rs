//! An Evolution API server, written from the contract: instances with their states and codes, messages, events that
//! carry a token.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use jsonwebtoken::{EncodingKey, Header};
use poem::{Response, http::StatusCode};
use serde_json::{Value, json};

use super::{
    client::Answer,
    provider::{Asked, Fake, Kept, Played, answered},
};

pub(crate) const KEY: &str = "evolution-global-key-0123456789";
/// Long after every test.
const EXPIRES: i64 = 4_102_444_800;

/// One instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Instance {
    state: String,
    code: Option<String>,
    codes: u32,
    owner: Option<String>,
    reason: Option<i64>,
    webhook: Value,
    pub(crate) restarts: u32,
    /// In how many looks more it has no code.
    codeless_looks: Option<u32>,
}

/// What a server has.
#[derive(Default)]
pub(crate) struct Instances {
    instances: HashMap<String, Instance>,
    codeless_looks: Option<u32>,
    files: HashMap<String, Vec<u8>>,
}

pub(crate) type Evolution = Fake<Instances>;

impl Played for Instances {
    const KEY_HEADER: &str = "apikey";
    const KEY: &str = KEY;
    const ROOT: &str = "/";
    const CREATES: &str = "instance/create";

    fn is_sending(path: &str) -> bool {
        path.starts_with("message/")
    }

    fn unauthorized() -> Response {
        failed(401, "Unauthorized")
    }

    fn answer(kept: &mut Kept<Self>, asked: &Asked) -> Response {
        answer(kept, asked)
    }
}

impl Instance {
    fn next_code(&mut self, name: &str) -> String {
        self.codes += 1;
        let code = format!("2@code-{}-of-{name},a,b,c", self.codes);
        self.code = Some(code.clone());
        code
    }

    /// Somebody asks for its code.
    fn connect(&mut self, name: &str, is_typed: bool) -> Response {
        if self.state == "open" {
            return answered(200, &json!({ "instance": { "instanceName": name, "state": "open" } }));
        }
        self.codeless_looks = match self.codeless_looks.take() {
            Some(0) => {
                self.next_code(name);
                None
            }
            looks => looks.map(|looks| looks - 1),
        };
        let Some(code) = &self.code else { return answered(200, &json!({ "count": 0 })) };
        let pairing = is_typed.then_some("WZYEH1YY");
        answered(200, &json!({ "pairingCode": pairing, "code": code, "base64": "data:,", "count": self.codes }))
    }
}

impl Evolution {
    pub(crate) fn instance(&self, name: &str) -> Option<Instance> {
        self.kept().own.instances.get(name).cloned()
    }

    /// Keeps a file under a name.
    pub(crate) fn keep(&self, name: &str, content: &[u8]) {
        self.kept().own.files.insert(name.to_owned(), content.to_vec());
    }

    /// Keeps the file of this name, if there is one, as that of a message.
    pub(crate) fn keep_as(&self, name: &str, message: &str) {
        let content = self.kept().own.files.get(name).cloned();
        if let Some(content) = content {
            self.keep(message, &content);
        }
    }

    /// The instance shows its next code, and says so.
    pub(crate) async fn show_code(&self, name: &str) -> String {
        let code = {
            let mut kept = self.kept();
            let instance = kept.own.instances.get_mut(name).expect("an instance");
            "connecting".clone_into(&mut instance.state);
            instance.next_code(name)
        };
        self.tell(name, "qrcode.updated", json!({ "qrcode": { "instance": name, "code": code } })).await.expect(200);
        code
    }

    /// Instances that are made from now on have a code by themselves, after so many looks.
    pub(crate) fn start_slowly(&self, looks: u32) {
        self.kept().own.codeless_looks = Some(looks);
    }

    /// A phone scans.
    pub(crate) async fn link(&self, name: &str, digits: &str) {
        self.kept().own.instances.get_mut(name).expect("an instance").owner =
            Some(format!("{digits}:3@s.whatsapp.net"));
        self.change(name, "open", None).await;
    }

    /// The instance changes its state, and says so.
    pub(crate) async fn change(&self, name: &str, to: &str, reason: Option<i64>) {
        self.change_silently(name, to, reason);
        self.tell(name, "connection.update", json!({ "instance": name, "state": to, "statusReason": reason }))
            .await
            .expect(200);
    }

    pub(crate) fn change_silently(&self, name: &str, to: &str, reason: Option<i64>) {
        let mut kept = self.kept();
        let instance = kept.own.instances.get_mut(name).expect("an instance");
        to.clone_into(&mut instance.state);
        instance.reason = reason;
    }

    /// The instance is removed without us, and nothing is said.
    pub(crate) fn forget(&self, name: &str) {
        self.kept().own.instances.remove(name).expect("an instance");
    }

    /// Tells of an event.
    pub(crate) async fn tell(&self, name: &str, event: &str, data: Value) -> Answer {
        self.post(name, &event_of(name, event, &data)).await
    }

    /// Posts an event as the instance's webhook says.
    pub(crate) async fn post(&self, name: &str, body: &str) -> Answer {
        let key = self.hook(name)["headers"]["jwt_key"].as_str().expect("a key").to_owned();
        self.post_with(name, body, &format!("Bearer {}", token(&key))).await
    }

    /// Posts an event with this proof.
    pub(crate) async fn post_with(&self, name: &str, body: &str, authorization: &str) -> Answer {
        let url = self.hook(name)["url"].as_str().expect("an address").to_owned();
        let request = self.http.post(url).header("Content-Type", "application/json");
        Answer::of(request.header("Authorization", authorization).body(body.to_owned())).await
    }

    /// The instance loses its webhook.
    pub(crate) fn forget_hook(&self, name: &str) {
        self.kept().own.instances.get_mut(name).expect("an instance").webhook = Value::Null;
    }

    pub(crate) fn hook(&self, name: &str) -> Value {
        self.kept().own.instances.get(name).expect("an instance").webhook.clone()
    }
}

/// An event as it is posted: the instance's own token is in it.
pub(crate) fn event_of(name: &str, event: &str, data: &Value) -> String {
    json!({
        "event": event,
        "instance": name,
        "data": data,
        "destination": "http://example.com",
        "date_time": "2026-09-10T08:00:00.000Z",
        "sender": "15550001111@s.whatsapp.net",
        "server_url": "http://localhost:8080",
        "apikey": "the-token-of-the-instance",
    })
    .to_string()
}

/// What proves an event.
pub(crate) fn token(key: &str) -> String {
    let claims = json!({ "iat": EXPIRES - 600, "exp": EXPIRES, "app": "evolution", "action": "webhook" });
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes())).expect("a token")
}

fn failed(status: u16, reason: &str) -> Response {
    let error = StatusCode::from_u16(status).expect("a status").canonical_reason();
    answered(status, &json!({ "status": status, "error": error, "response": { "message": [reason] } }))
}

fn answer(kept: &mut Kept<Instances>, asked: &Asked) -> Response {
    let Asked { method, path, query, body, .. } = asked;
    let parts: Vec<&str> = path.split('/').collect();
    let no_instance = || failed(404, "The \"x\" instance does not exist");
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["instance", "create"]) => create(kept, body),
        ("GET", ["instance", "connectionState", name]) => match kept.own.instances.get(*name) {
            Some(instance) => answered(200, &json!({ "instance": { "instanceName": name, "state": instance.state } })),
            None => no_instance(),
        },
        ("GET", ["instance", "connect", name]) => match kept.own.instances.get_mut(*name) {
            Some(instance) => instance.connect(name, query.contains("number=")),
            None => no_instance(),
        },
        ("GET", ["instance", "fetchInstances"]) => {
            let name = query.trim_start_matches("instanceName=");
            match kept.own.instances.get(name) {
                Some(instance) => answered(200, &json!([shown(name, instance)])),
                None => no_instance(),
            }
        }
        ("POST", ["instance", "restart", name]) => match kept.own.instances.get_mut(*name) {
            Some(instance) => {
                instance.restarts += 1;
                answered(200, &json!({ "instance": { "instanceName": name, "state": instance.state } }))
            }
            None => no_instance(),
        },
        ("GET", ["webhook", "find", name]) => match kept.own.instances.get(*name) {
            Some(instance) => answered(200, &instance.webhook),
            None => no_instance(),
        },
        ("POST", ["webhook", "set", name]) => match kept.own.instances.get_mut(*name) {
            Some(instance) => {
                instance.webhook = body["webhook"].clone();
                answered(201, &instance.webhook)
            }
            None => no_instance(),
        },
        ("DELETE", ["instance", "logout", name]) => match kept.own.instances.get(*name) {
            Some(instance) if instance.state == "open" => {
                answered(200, &json!({ "status": "SUCCESS", "error": false }))
            }
            Some(_) => failed(400, "The instance is not connected"),
            None => no_instance(),
        },
        ("DELETE", ["instance", "delete", name]) => match kept.own.instances.remove(*name) {
            Some(_) => {
                kept.removed.push((*name).to_owned());
                answered(200, &json!({ "status": "SUCCESS", "error": false }))
            }
            None => no_instance(),
        },
        ("POST", ["chat", "getBase64FromMediaMessage", _]) => {
            let id = body["message"]["key"]["id"].as_str().expect("an id");
            match kept.own.files.get(id) {
                Some(content) => answered(201, &json!({ "base64": BASE64_STANDARD.encode(content) })),
                None => failed(400, "Message not found"),
            }
        }
        ("POST", ["message", "sendReaction", _]) => {
            kept.reactions.push(body.clone());
            answered(201, &json!({ "key": { "id": "R" } }))
        }
        ("POST", ["message", send, name]) => take(kept, send, name, body),
        _ => failed(404, &format!("Cannot {method} {path}")),
    }
}

fn create(kept: &mut Kept<Instances>, body: &Value) -> Response {
    let name = body["instanceName"].as_str().expect("a name").to_owned();
    if kept.own.instances.contains_key(&name) {
        return failed(403, &format!("This name \"{name}\" is already in use."));
    }
    let webhook = body["webhook"].clone();
    let codeless_looks = kept.own.codeless_looks;
    let instance = Instance { state: "connecting".to_owned(), webhook, codeless_looks, ..Instance::default() };
    let shown = json!({ "instance": { "instanceName": name, "status": "connecting" }, "hash": "token",
        "qrcode": { "count": 0 } });
    kept.own.instances.insert(name.clone(), instance);
    kept.newest = name;
    answered(201, &shown)
}

fn shown(name: &str, instance: &Instance) -> Value {
    json!({ "id": "1", "name": name, "connectionStatus": instance.state, "ownerJid": instance.owner,
        "profileName": "Bakery", "integration": "WHATSAPP-BAILEYS", "disconnectionReasonCode": instance.reason })
}

fn take(kept: &mut Kept<Instances>, send: &str, name: &str, body: &Value) -> Response {
    let Some(instance) = kept.own.instances.get(name) else { return failed(404, "The \"x\" instance does not exist") };
    if instance.state != "open" {
        return failed(400, "Error: Connection Closed");
    }
    let mut message = body.clone();
    let id = format!("BAE5{:04}", kept.sent.len());
    let number = body["number"].as_str().expect("a number");
    message["endpoint"] = send.into();
    message["id"] = id.as_str().into();
    kept.sent.push(message);
    let key = json!({ "remoteJid": format!("{number}@s.whatsapp.net"), "fromMe": true, "id": id });
    answered(201, &json!({ "key": key, "status": "PENDING", "messageType": "conversation" }))
}
