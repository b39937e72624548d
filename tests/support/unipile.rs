//! Unipile, written from the contract: accounts that it names itself, with a code or with questions; chats; callbacks
//! with a header of ours.

use std::collections::{HashMap, VecDeque};

use poem::Response;
use serde_json::{Value, json};

use super::{
    client::Answer,
    provider::{Asked, Fake, Kept, Played, answered},
};

pub(crate) const KEY: &str = "unipile-key-0123456789";
/// The password that opens every account, and the code that answers every question.
pub(crate) const PASSWORD: &str = "instagram-password-9876";
pub(crate) const CODE: &str = "123456";

/// One account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) code: String,
    pub(crate) provider: String,
    pub(crate) country: Value,
    /// Absent until somebody has scanned, or answered everything.
    status: Option<String>,
    /// The number, or the user name.
    name: String,
    /// What is asked, the question that is open first.
    questions: VecDeque<String>,
    pub(crate) restarts: u32,
}

/// What it has.
#[derive(Default)]
pub(crate) struct Accounts {
    accounts: HashMap<String, Account>,
    begun: u32,
    webhooks: Vec<Value>,
    webhooks_made: u32,
    files: HashMap<String, Vec<u8>>,
    /// What the next accounts are asked.
    questions: VecDeque<String>,
    resent: u32,
    /// Whether the next code is asked for too soon.
    is_patient: bool,
    /// The id of the next account, where it is no new one.
    next_id: Option<String>,
    /// Whether accounts have no parts yet.
    is_slow: bool,
    /// Whether the next answer comes too late.
    is_late: bool,
}

pub(crate) type Unipile = Fake<Accounts>;

impl Played for Accounts {
    const KEY_HEADER: &str = "x-api-key";
    const KEY: &str = KEY;
    const ROOT: &str = "/api/v1/";
    const CREATES: &str = "accounts";

    fn is_sending(path: &str) -> bool {
        path == "chats" || path.starts_with("chats/")
    }

    fn unauthorized() -> Response {
        failed(401, "missing_credentials")
    }

    fn answer(kept: &mut Kept<Self>, asked: &Asked) -> Response {
        answer(kept, asked)
    }
}

impl Unipile {
    pub(crate) fn account(&self, id: &str) -> Option<Account> {
        self.kept().own.accounts.get(id).cloned()
    }

    /// What it was told to call.
    pub(crate) fn webhooks(&self) -> Vec<Value> {
        self.kept().own.webhooks.clone()
    }

    /// Was told to call all this.
    pub(crate) fn set_webhooks(&self, webhooks: Vec<Value>) {
        self.kept().own.webhooks = webhooks;
    }

    /// Forgets what it was told to call.
    pub(crate) fn forget_webhooks(&self) {
        self.kept().own.webhooks.clear();
    }

    /// What the next accounts that sign in are asked, one after the other.
    pub(crate) fn will_ask(&self, kinds: &[&str]) {
        self.kept().own.questions = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    }

    /// From now on codes are asked for too soon, or not.
    pub(crate) fn is_patient(&self, is_patient: bool) {
        self.kept().own.is_patient = is_patient;
    }

    /// The next account that is begun gets this id, as one that was there before has it.
    pub(crate) fn next_is(&self, id: &str) {
        self.kept().own.next_id = Some(id.to_owned());
    }

    /// Whether accounts have no parts yet, as in their first moments.
    pub(crate) fn is_slow(&self, is_slow: bool) {
        self.kept().own.is_slow = is_slow;
    }

    /// From now on answers come too late for it, or not.
    pub(crate) fn is_late(&self, is_late: bool) {
        self.kept().own.is_late = is_late;
    }

    /// How often it has sent a code again.
    pub(crate) fn resent(&self) -> u32 {
        self.kept().own.resent
    }

    /// Keeps a file under a name.
    pub(crate) fn keep(&self, name: &str, content: &[u8]) {
        self.kept().own.files.insert(name.to_owned(), content.to_vec());
    }

    /// What came with a message that it has taken.
    pub(crate) fn kept_file(&self, message: &str) -> Option<Vec<u8>> {
        self.kept().own.files.get(message).cloned()
    }

    /// A phone scans, or an approval is given.
    pub(crate) async fn link(&self, id: &str, name: &str) {
        name.clone_into(&mut self.kept().own.accounts.get_mut(id).expect("an account").name);
        self.change(id, "OK", "CREATION_SUCCESS").await;
    }

    /// The intent is over without an account.
    pub(crate) fn forget(&self, id: &str) {
        let mut kept = self.kept();
        kept.own.accounts.remove(id);
        kept.removed.push(id.to_owned());
    }

    /// The account changes its state, and Unipile says so.
    pub(crate) async fn change(&self, id: &str, status: &str, word: &str) {
        self.change_silently(id, status);
        self.tell_status(id, word).await.expect(200);
    }

    /// Says something about an account, as of an account that is not ours too.
    pub(crate) async fn tell_status(&self, id: &str, word: &str) -> Answer {
        let told = json!({ "AccountStatus": { "account_id": id, "account_type": "WHATSAPP", "message": word } });
        self.post("account_status", &told.to_string(), None).await
    }

    pub(crate) fn change_silently(&self, id: &str, status: &str) {
        self.kept().own.accounts.get_mut(id).expect("an account").status = Some(status.to_owned());
    }

    /// Posts an event as the webhook of its source says, with its header or another.
    pub(crate) async fn post(&self, source: &str, body: &str, proof: Option<&str>) -> Answer {
        let webhook = self.webhooks().into_iter().find(|webhook| webhook["source"] == source).expect("a webhook");
        let mut request = self.http.post(webhook["request_url"].as_str().expect("an address")).body(body.to_owned());
        for header in webhook["headers"].as_array().expect("headers") {
            let (key, value) = (header["key"].as_str().expect("a key"), header["value"].as_str().expect("a value"));
            let value = if key == "Unipile-Auth" { proof.unwrap_or(value) } else { value };
            request = request.header(key, value);
        }
        Answer::of(request).await
    }
}

fn failed(status: u16, slug: &str) -> Response {
    answered(status, &json!({ "status": status, "type": format!("errors/{slug}"), "title": slug }))
}

fn answer(kept: &mut Kept<Accounts>, asked: &Asked) -> Response {
    let Asked { method, path, body, .. } = asked;
    let parts: Vec<&str> = path.split('/').collect();
    let missing = || failed(404, "resource_not_found");
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["webhooks"]) => {
            answered(200, &json!({ "object": "WebhookList", "items": kept.own.webhooks, "cursor": null }))
        }
        ("DELETE", ["webhooks", id]) => {
            let before = kept.own.webhooks.len();
            kept.own.webhooks.retain(|webhook| webhook["id"] != *id);
            if kept.own.webhooks.len() < before {
                answered(200, &json!({ "object": "WebhookDeleted" }))
            } else {
                missing()
            }
        }
        ("POST", ["webhooks"]) => {
            kept.own.webhooks_made += 1;
            let id = format!("w{}", kept.own.webhooks_made);
            let mut webhook = body.clone();
            webhook["id"] = id.clone().into();
            kept.own.webhooks.push(webhook);
            answered(201, &json!({ "object": "WebhookCreated", "webhook_id": id }))
        }
        ("POST", ["accounts"]) => begin(kept, body),
        ("POST", ["accounts", "checkpoint"]) => solve(kept, body),
        ("POST", ["accounts", "checkpoint", "resend"]) => resend(kept, body),
        ("GET", ["accounts", id]) => match kept.own.accounts.get(*id) {
            Some(Account { status: Some(status), provider, name, .. }) => {
                let mut shown = shown(id, provider, name, status);
                if kept.own.is_slow {
                    shown["sources"] = json!([]);
                }
                answered(200, &shown)
            }
            _ => missing(),
        },
        ("DELETE", ["accounts", id]) => match kept.own.accounts.remove(*id) {
            Some(_) => {
                kept.removed.push((*id).to_owned());
                answered(200, &json!({ "object": "AccountDeleted" }))
            }
            None => missing(),
        },
        ("POST", ["accounts", id, "restart"]) => match kept.own.accounts.get_mut(*id) {
            Some(account) => {
                account.restarts += 1;
                answered(200, &json!({ "object": "AccountRestarted" }))
            }
            None => missing(),
        },
        ("GET", ["messages", _, "attachments", name]) => match kept.own.files.get(*name) {
            Some(content) => Response::builder().body(content.clone()),
            None => missing(),
        },
        ("GET", ["messages", id]) => {
            // It has everything that was sent, and what the tests say that others wrote.
            answered(200, &json!({ "object": "Message", "id": id, "chat_id": "c" }))
        }
        ("POST", ["chats"]) => take(kept, &asked.raw, None),
        ("POST", ["chats", chat, "messages"]) => take(kept, &asked.raw, Some(chat)),
        _ => missing(),
    }
}

fn shown(id: &str, provider: &str, name: &str, status: &str) -> Value {
    let im = match provider {
        "WHATSAPP" => json!({ "phone_number": name }),
        "TELEGRAM" => json!({ "user_id": "4711", "username": "bakery", "phone_number": name }),
        _ => json!({ "id": "178414", "username": name }),
    };
    let source = json!({ "id": format!("{id}_MESSAGING"), "status": status });
    json!({ "object": "Account", "type": provider, "id": id, "name": "Bakery", "created_at": "2026-09-10T08:00:00.000Z",
        "connection_params": { "im": im }, "sources": [source], "groups": [] })
}

fn begin(kept: &mut Kept<Accounts>, body: &Value) -> Response {
    let own = &mut kept.own;
    let provider = body["provider"].as_str().expect("a provider").to_owned();
    let id = own.next_id.take().unwrap_or_else(|| format!("acc-{}", own.begun));
    let mut account = Account { provider: provider.clone(), country: body["country"].clone(), ..Account::default() };
    let pairing = body["pairing_phone_number"].as_str();
    account.code = match provider.as_str() {
        "WHATSAPP" if pairing.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) => {
            "WZYE-H1YY".to_owned()
        }
        "WHATSAPP" => format!("2@code-of-{id},a,b,c"),
        "TELEGRAM" => format!("tg://login?token=code-of-{id}"),
        "INSTAGRAM" => {
            if body["password"] != PASSWORD {
                return failed(401, "invalid_credentials");
            }
            body["username"].as_str().expect("a user name").clone_into(&mut account.name);
            account.questions = own.questions.clone();
            String::new()
        }
        other => panic!("{other}"),
    };
    own.begun += 1;
    let answer = if provider == "INSTAGRAM" {
        next(&mut account, &id)
    } else {
        let checkpoint = json!({ "type": "QRCODE", "qrcode": account.code });
        answered(201, &json!({ "object": "Checkpoint", "account_id": id, "checkpoint": checkpoint }))
    };
    own.accounts.insert(id.clone(), account);
    kept.newest = id;
    answer
}

/// The next question, or the account.
fn next(account: &mut Account, id: &str) -> Response {
    match account.questions.front() {
        Some(kind) => {
            let mut checkpoint = json!({ "type": kind });
            if kind == "CAPTCHA" {
                checkpoint["public_key"] = "captcha-key".into();
            }
            answered(202, &json!({ "object": "Checkpoint", "account_id": id, "checkpoint": checkpoint }))
        }
        None => {
            account.status = Some("OK".to_owned());
            answered(201, &json!({ "object": "AccountCreated", "account_id": id }))
        }
    }
}

fn solve(kept: &mut Kept<Accounts>, body: &Value) -> Response {
    assert_eq!(body["provider"], "INSTAGRAM");
    let id = body["account_id"].as_str().expect("an id");
    if kept.own.accounts.get(id).is_none_or(|account| account.status.is_some()) {
        return failed(404, "resource_not_found");
    }
    if kept.own.is_late {
        return failed(408, "request_timeout");
    }
    let Some(account) = kept.own.accounts.get_mut(id) else { return failed(404, "resource_not_found") };
    if body["code"] != CODE {
        return failed(401, "invalid_checkpoint_solution");
    }
    account.questions.pop_front();
    next(account, id)
}

fn resend(kept: &mut Kept<Accounts>, body: &Value) -> Response {
    assert_eq!(body["provider"], "INSTAGRAM");
    let id = body["account_id"].as_str().expect("an id").to_owned();
    let Some(account) = kept.own.accounts.get(&id) else { return failed(404, "resource_not_found") };
    if account.questions.front().is_some_and(|kind| kind == "CAPTCHA") {
        return failed(501, "not_implemented");
    }
    if kept.own.is_patient {
        return failed(422, "unprocessable_entity");
    }
    kept.own.resent += 1;
    answered(200, &json!({ "object": "CheckpointResend", "account_id": id, "success": true }))
}

/// A part of a form; forms are read no further than tests need.
fn part<'a>(body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let find = |haystack: &'a [u8], needle: &[u8]| haystack.windows(needle.len()).position(|part| part == needle);
    let start = find(body, format!("name=\"{name}\"").as_bytes())?;
    let rest = &body[start..];
    let content = &rest[find(rest, b"\r\n\r\n")? + 4..];
    Some(&content[..find(content, b"\r\n--")?])
}

/// What the parts of a form are called, and of files their names and types.
fn parts(body: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(body);
    let mut found: Vec<Value> = Vec::new();
    for line in text.split("\r\n") {
        if let Some(said) = line.strip_prefix("Content-Disposition: form-data; ") {
            let fields = said.split("; ").filter_map(|field| field.split_once('='));
            found.push(fields.map(|(key, value)| (key.to_owned(), json!(value.trim_matches('"')))).collect());
        } else if let (Some(content_type), Some(last)) = (line.strip_prefix("Content-Type: "), found.last_mut()) {
            last["type"] = content_type.into();
        }
    }
    found
}

fn take(kept: &mut Kept<Accounts>, body: &[u8], chat: Option<&str>) -> Response {
    let text = |name: &str| part(body, name).map(|part| String::from_utf8_lossy(part).into_owned()).unwrap_or_default();
    // Chats that are there are those of the account that was made last.
    let account = if chat.is_some() { kept.newest.clone() } else { text("account_id") };
    match kept.own.accounts.get(&account).and_then(|account| account.status.as_deref()) {
        Some("OK") => {}
        Some(_) => return failed(401, "disconnected_account"),
        None => return failed(404, "resource_not_found"),
    }
    let id = format!("msg-{}", kept.sent.len());
    if let Some(file) = part(body, "attachments").or_else(|| part(body, "voice_message")) {
        kept.own.files.insert(id.clone(), file.to_vec());
    }
    kept.sent.push(json!({ "id": id, "to": text("attendees_ids"), "text": text("text"), "chat": chat,
        "quote_id": text("quote_id"), "parts": parts(body) }));
    answered(201, &json!({ "object": "ChatStarted", "chat_id": "c", "message_id": id }))
}
