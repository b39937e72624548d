//! Every operation of every document refuses strangers and other tenants. A new operation fails here until it has a
//! row: how it is called for something that belongs to somebody else, and what is answered then.

use std::{collections::BTreeSet, time::Duration};

use quartermaster::http::documents;
use reqwest::Method;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::support::{Answer, START, TestApp, conversation::Conversations, upload::png};

mod channels;
mod connect;

/// What a caller gets who asks for another tenant's thing.
enum Foreign {
    /// There is no such thing for it.
    NotFound(&'static str),
    /// It gets an answer about itself, without a trace of the other.
    OwnOnly,
    /// Phones of the other do not exist.
    NoSuchPhone(u16, &'static str),
    /// It is refused before anybody's thing is looked at.
    Refused(u16, &'static str),
}

/// Operation, method, path with the other's ids, body.
fn partner_rows() -> Vec<(&'static str, Method, &'static str, Value, Foreign)> {
    use Foreign::{NoSuchPhone, NotFound, OwnOnly};
    let workspace = || NotFound("workspace_not_found");
    vec![
        ("create_workspace", Method::POST, "/workspaces", json!({ "display_name": "Foreign" }), OwnOnly),
        ("list_workspaces", Method::GET, "/workspaces", json!(null), OwnOnly),
        ("get_workspace", Method::GET, "/workspaces/{w}", json!(null), workspace()),
        ("update_workspace", Method::PATCH, "/workspaces/{w}", json!({ "seats_purchased": 1 }), workspace()),
        ("create_users", Method::POST, "/workspaces/{w}/users", json!({ "count": 1 }), workspace()),
        ("list_users", Method::GET, "/workspaces/{w}/users", json!(null), workspace()),
        ("create_qr_link", Method::POST, "/workspaces/{w}/users/{u}/qr", json!({}), workspace()),
        ("revoke_qr_link", Method::DELETE, "/workspaces/{w}/users/{u}/qr", json!(null), workspace()),
        ("list_qr_links", Method::GET, "/workspaces/{w}/qr-links", json!(null), workspace()),
        (
            "disconnect_whatsapp_account",
            Method::POST,
            "/workspaces/{w}/users/{u}/whatsapp/disconnect",
            json!({}),
            workspace(),
        ),
        ("get_api_token", Method::GET, "/workspaces/{w}/api-token", json!(null), workspace()),
        ("rotate_api_token", Method::POST, "/workspaces/{w}/api-token", json!({}), workspace()),
        (
            "scan_with_sandbox_phone",
            Method::POST,
            "/sandbox/scan",
            json!({ "qr": "{qr}", "phone": "+15550003333" }),
            NoSuchPhone(404, "code_not_found"),
        ),
        (
            "pair_sandbox_phone",
            Method::POST,
            "/sandbox/pair",
            json!({ "code": "{pairing}", "phone": "+15550003333" }),
            NoSuchPhone(404, "code_not_found"),
        ),
        (
            "log_out_sandbox_phone",
            Method::POST,
            "/sandbox/logout",
            json!({ "phone": "+15550001111" }),
            NoSuchPhone(409, "phone_not_linked"),
        ),
        (
            "write_to_sandbox_phone",
            Method::POST,
            "/sandbox/inbound",
            json!({ "phone": "+15550001111", "from": "+15550002222", "text": "Hello" }),
            NoSuchPhone(409, "phone_not_linked"),
        ),
        (
            "write_on_sandbox_phone",
            Method::POST,
            "/sandbox/outbound",
            json!({ "phone": "+15550001111", "to": "+15550002222", "text": "Hello" }),
            NoSuchPhone(409, "phone_not_linked"),
        ),
        (
            "call_sandbox_phone",
            Method::POST,
            "/sandbox/call",
            json!({ "phone": "+15550001111", "with": "+15550002222", "direction": "incoming", "status": "Missed" }),
            NoSuchPhone(409, "phone_not_linked"),
        ),
        (
            "write_to_sandbox_channel",
            Method::POST,
            "/sandbox/channel-inbound",
            json!({ "channel_id": "{ch}", "from": "+15550002222", "text": "Hello" }),
            NoSuchPhone(409, "phone_not_linked"),
        ),
        (
            "react_from_sandbox_phone",
            Method::POST,
            "/sandbox/reaction",
            json!({ "phone": "+15550001111", "from": "+15550002222", "message_uid": "00000000-0000-7000-8000-000000000001", "reaction": "👍" }),
            NoSuchPhone(409, "phone_not_linked"),
        ),
        ("set_webhook", Method::PUT, "/webhook", json!({ "url": "https://1.1.1.1/stranger" }), OwnOnly),
        ("get_webhook", Method::GET, "/webhook", json!(null), OwnOnly),
        (
            "test_webhook",
            Method::POST,
            "/webhook/test",
            json!({ "event_type": "api_token:rotated", "workspace_id": "{w}" }),
            workspace(),
        ),
        ("list_webhook_deliveries", Method::GET, "/webhook/deliveries", json!(null), OwnOnly),
        (
            "resend_webhook_delivery",
            Method::POST,
            "/webhook/deliveries/{d}/resend",
            json!({}),
            NotFound("delivery_not_found"),
        ),
    ]
}

/// Operation, method, path with the other's ids, body.
fn workspace_rows() -> Vec<(&'static str, Method, &'static str, Value, Foreign)> {
    use Foreign::{NotFound, OwnOnly, Refused};
    let get = |operation, path, expected| (operation, Method::GET, path, json!(null), expected);
    let post = |operation, path, body| (operation, Method::POST, path, body, NotFound("not_found"));
    vec![
        get("get_workspace", "/workspace", OwnOnly),
        get("list_teammates", "/workspace/teammates", OwnOnly),
        get("get_current_teammate", "/workspace/teammates/me", OwnOnly),
        get("list_whatsapp_accounts", "/whatsapp_accounts", OwnOnly),
        get("list_chats", "/chats?with_msg=true", OwnOnly),
        get("get_chat", "/chats/{c}", NotFound("not_found")),
        get("list_messages", "/chats/{c}/messages", NotFound("not_found")),
        get("get_message", "/messages/{m}", NotFound("not_found")),
        get("get_status_history", "/messages/{m}/status_history", NotFound("not_found")),
        get("get_quotas", "/workspace/quotas", OwnOnly),
        get("list_labels", "/chats/{c}/labels", NotFound("not_found")),
        get("list_reactions", "/messages/{m}/reactions", NotFound("not_found")),
        get("search_chats", "/chats/search?q=ann", OwnOnly),
        get("list_templates", "/templates", OwnOnly),
        get("get_template", "/templates/{t}", NotFound("not_found")),
        get("list_templates_with_usage", "/v2/templates", OwnOnly),
        get("list_chats_of_member", "/v2/chats?with_msg=true", OwnOnly),
        get("list_messages_of_member", "/v2/chats/{c}/messages", NotFound("not_found")),
        get("list_whatsapp_accounts_of_member", "/v2/whatsapp_accounts", OwnOnly),
        (
            "update_chat",
            Method::PATCH,
            "/chats/{c}",
            json!({ "name": "Mine now", "responsible": "", "closed": true, "read": true }),
            NotFound("not_found"),
        ),
        ("add_labels", Method::PUT, "/chats/{c}/labels", json!({ "labels": ["mine"] }), NotFound("not_found")),
        ("react", Method::PATCH, "/messages/{m}/reactions", json!({ "reaction": "👍" }), NotFound("not_found")),
        ("update_template", Method::PATCH, "/templates/{t}", json!({ "name": "x" }), NotFound("not_found")),
        ("delete_template", Method::DELETE, "/templates/{t}", json!(null), NotFound("not_found")),
        ("withdraw_invitation", Method::DELETE, "/workspace/invitations/{i}", json!(null), NotFound("not_found")),
        (
            "invite_teammate",
            Method::POST,
            "/workspace/invitations",
            json!({ "email": "guest@example.com", "role": "admin" }),
            OwnOnly,
        ),
        ("create_template", Method::POST, "/templates", json!({ "name": "x", "text": "x" }), OwnOnly),
        post("replace_labels", "/chats/{c}/labels", json!({ "labels": [] })),
        post("write_note", "/chats/{c}/notes", json!({ "text": "x" })),
        post("track_template_usage", "/templates/{t}/track_usage", json!({})),
        post("track_usage_of_template", "/v2/templates", json!({ "template_id": 1 })),
        post("send_message_to_chat_name", "/messages/to_chat_name", json!({ "chat_name": "Secret Ann", "text": "x" })),
        post("send_message_in_chat_of_member", "/v2/chats/{c}/messages", json!({ "text": "x" })),
        post(
            "send_message_as_member",
            "/v2/messages",
            json!({ "phone": "+19990000000", "text": "x", "whatsapp_account_phone": "+15550001111" }),
        ),
        post(
            "send_message",
            "/messages",
            json!({ "phone": "+19990000000", "text": "x", "whatsapp_account_phone": "+15550001111" }),
        ),
        post(
            "send_message_to_jid",
            "/messages/to_jid",
            json!({ "jid": "19990000000@s.whatsapp.net", "text": "x", "whatsapp_account_phone": "+15550001111" }),
        ),
        post("send_message_in_chat", "/chats/{c}/messages", json!({ "text": "x" })),
        post("send_file_in_chat", "/chats/{c}/file_message", json!({})),
        post("send_voice_in_chat", "/chats/{c}/voice_message", json!({})),
        get("list_files", "/files", OwnOnly),
        get("get_file", "/files/{f}", NotFound("not_found")),
        ("delete_file", Method::DELETE, "/files/{f}", json!(null), NotFound("not_found")),
        (
            "fetch_file",
            Method::POST,
            "/files",
            json!({ "download_url": "http://127.0.0.1/secret.png" }),
            Refused(400, "validation_error"),
        ),
        ("upload_file", Method::POST, "/files_upload", json!({}), Refused(400, "validation_error")),
        get("list_webhooks", "/webhooks", OwnOnly),
        get("get_webhook", "/webhooks/{h}", NotFound("not_found")),
        (
            "create_webhook",
            Method::POST,
            "/webhooks",
            json!({ "event_type": "chat:new", "url": "https://1.1.1.1/stranger" }),
            OwnOnly,
        ),
        ("update_webhook", Method::PUT, "/webhooks/{h}", json!({ "enabled": false }), NotFound("not_found")),
        ("delete_webhook", Method::DELETE, "/webhooks/{h}", json!(null), NotFound("not_found")),
        post("rotate_webhook_secret", "/webhooks/{h}/secret", json!({})),
        get("list_webhook_deliveries", "/webhooks/{h}/deliveries", NotFound("not_found")),
        post("resend_webhook_delivery", "/webhooks/{h}/deliveries/{d}/resend", json!({})),
    ]
}

fn operations(app: &TestApp, document: &str) -> BTreeSet<String> {
    let documents = documents(&app.app);
    let (_, text) = documents.iter().find(|(name, _)| *name == document).expect("a document");
    let document: Value = serde_json::from_str(text).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").values();
    let operations = paths.flat_map(|path| path.as_object().expect("operations").values());
    operations.map(|operation| operation["operationId"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn no_partner_reads_or_writes_what_belongs_to_another() {
    let app = TestApp::start().await;
    let (victim, stranger) = (app.partner("victim").await, app.partner("stranger").await);
    let workspace = victim.workspace("Secret Bakery", 4).await;
    let users = victim.users(&workspace, 2).await;
    victim.connect(&workspace, users[0], "+15550001111").await;
    let page = victim.page(&workspace, users[1]).await;
    let qr = page.start().await.code();
    let pairing =
        page.try_pair("+15550003333").await.expect(200)["pairing"]["code"].as_str().expect("a code").to_owned();
    let token = victim.get(&format!("/workspaces/{workspace}/api-token")).await.expect(200);
    let webhook = json!({ "url": "https://1.1.1.1/secret" });
    Answer::of(victim.request(Method::PUT, "/webhook").json(&webhook)).await.expect(200);
    let webhook = victim.get("/webhook").await.expect(200);
    let test = json!({ "event_type": "api_token:rotated", "workspace_id": workspace });
    let delivery = victim.post("/webhook/test", test).await.expect(201)["delivery_id"].clone();
    let deliveries = victim.get("/webhook/deliveries").await.expect(200);
    let channel = entity::channel::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("the channel");
    let channel = channel.id.to_string();
    let before = victim.overview(&workspace).await;
    let rows = partner_rows();
    let covered: BTreeSet<String> = rows.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(operations(&app, "partner-api.json"), covered, "add a row to partner_rows for each operation");
    for (operation, method, path, body, expected) in rows {
        let path = path.replace("{w}", &workspace).replace("{u}", &users[0].to_string());
        let path = path.replace("{d}", delivery.as_str().expect("an id"));
        let body = body
            .to_string()
            .replace("{ch}", &channel)
            .replace("{w}", &workspace)
            .replace("{qr}", &qr)
            .replace("{pairing}", &pairing);
        let body: Value = serde_json::from_str(&body).expect("JSON");
        let with_body = |request: reqwest::RequestBuilder| if body.is_null() { request } else { request.json(&body) };
        let url = format!("{}{path}", stranger.base);
        let anonymous = Answer::of(with_body(app.http.request(method.clone(), url))).await;
        anonymous.expect_error(401, "missing_header");
        let answer = Answer::of(with_body(stranger.request(method, &path))).await;
        match expected {
            Foreign::NotFound(word) => drop(answer.expect_error(404, word)),
            Foreign::NoSuchPhone(status, word) | Foreign::Refused(status, word) => {
                drop(answer.expect_error(status, word));
            }
            Foreign::OwnOnly => {
                assert!(answer.status.is_success(), "{operation}: {}", answer.text);
                assert!(!answer.text.to_lowercase().contains("secret"), "{operation}: {}", answer.text);
            }
        }
    }
    assert_eq!(victim.overview(&workspace).await, before, "nothing of the victim changed");
    assert_eq!(victim.get("/webhook").await.expect(200), webhook);
    assert_eq!(victim.get("/webhook/deliveries").await.expect(200), deliveries);
    assert_eq!(victim.get(&format!("/workspaces/{workspace}/api-token")).await.expect(200), token);
}

#[tokio::test]
async fn no_token_reads_or_writes_in_another_workspace() {
    let app = TestApp::start().await;
    let victim = Conversations::start(&app, "victim", "+15550001111").await;
    let chat = victim.chat("Secret Ann", |row| row).await;
    let message = victim.message(chat, START, |row| row).await;
    victim.label(chat, "secret").await;
    let template = json!({ "name": "Secret", "text": "secret" });
    let template = victim.token.post("/templates", template).await.expect(200)["data"]["id"].clone();
    assert_eq!(template, 1, "a row says which template is counted");
    let invited = json!({ "email": "guest@example.com", "first_name": "Secret" });
    let invited = victim.token.post("/workspace/invitations", invited).await.expect(200)["data"]["user_id"].clone();
    let file = victim.token.picture("secret.png", &png(1000, 1)).await;
    let webhook = json!({ "event_type": "message:received:new", "url": "https://1.1.1.1/secret" });
    let webhook = victim.token.post("/webhooks", webhook).await.expect(200)["data"]["id"].clone();
    let written = json!({ "phone": "+15550001111", "from": "+19990000001", "text": "A secret" });
    victim.partner.post("/sandbox/inbound", written).await.expect(200);
    let log = format!("/webhooks/{webhook}/deliveries");
    let deliveries = victim.token.get(&log).await.expect(200);
    let delivery = deliveries["data"]["deliveries"][0]["delivery_id"].as_str().expect("a delivery").to_owned();
    let all = ["/chats?with_msg=true", "/templates", "/v2/templates", "/workspace/teammates", "/webhooks", &log];
    let mut before = Vec::new();
    for path in all {
        before.push(victim.token.get(path).await.expect(200));
    }
    let stranger = app.partner("stranger").await;
    let mine = stranger.workspace("Mine", 1).await;
    let token = stranger.get(&format!("/workspaces/{mine}/api-token")).await.expect(200);
    let token = app.token(token["token"].as_str().expect("a token"));
    let rows = workspace_rows();
    let covered: BTreeSet<String> = rows.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(operations(&app, "workspace-api.json"), covered, "add a row to workspace_rows for each operation");
    for (operation, method, path, body, expected) in rows {
        let path = path.replace("{c}", &chat.to_string()).replace("{m}", &message.to_string());
        let path = path.replace("{t}", &template.to_string()).replace("{i}", &invited.to_string());
        let path = path.replace("{f}", &file);
        // There are more operations than a token may call in one second.
        app.clock.advance(Duration::from_secs(1));
        let path = path.replace("{h}", &webhook.to_string()).replace("{d}", &delivery);
        let with_body = |request: reqwest::RequestBuilder| if body.is_null() { request } else { request.json(&body) };
        let url = format!("{}/integrations/api{path}", app.base);
        let anonymous = Answer::of(with_body(app.http.request(method.clone(), url))).await;
        assert_eq!(anonymous.expect(401)["error_code"], "missing_credentials", "{operation}");
        let answer = Answer::of(with_body(token.request(method, &path))).await;
        match expected {
            Foreign::NotFound(word) => assert_eq!(answer.expect(404)["error_code"], word, "{operation}"),
            Foreign::NoSuchPhone(status, word) | Foreign::Refused(status, word) => {
                assert_eq!(answer.expect(status)["error_code"], word, "{operation}");
            }
            Foreign::OwnOnly => {
                answer.expect(200);
                let text = answer.text.to_lowercase();
                assert!(!text.contains("secret") && !text.contains("1555"), "{operation}: {text}");
            }
        }
    }
    for (path, before) in all.into_iter().zip(before) {
        assert_eq!(victim.token.get(path).await.expect(200), before, "{path}: nothing of the victim changed");
    }
    victim.token.get(&format!("/files/{file}")).await.expect(200);
}

/// Operation, method, path with the other's ids, body, and what is answered: `404`, or `200` about the caller itself.
fn agents_rows() -> Vec<(&'static str, Method, &'static str, Value, u16)> {
    let agent = || json!({ "name": "Mine now", "endpoint": "https://1.1.1.1/" });
    let made = json!({ "name": "Mine", "kind": "http", "endpoint": "https://1.1.1.1/" });
    vec![
        ("list_agents", Method::GET, "/agents", json!(null), 200),
        ("create_agent", Method::POST, "/agents", made, 201),
        ("get_agent", Method::GET, "/agents/{a}", json!(null), 404),
        ("update_agent", Method::PATCH, "/agents/{a}", agent(), 404),
        ("replace_agent", Method::PUT, "/agents/{a}", agent(), 404),
        ("delete_agent", Method::DELETE, "/agents/{a}", json!(null), 404),
        ("get_channel_agent", Method::GET, "/channels/{c}/agent", json!(null), 404),
        ("set_channel_agent", Method::PUT, "/channels/{c}/agent", json!({ "agent_id": "{a}" }), 404),
        ("remove_channel_agent", Method::DELETE, "/channels/{c}/agent", json!(null), 404),
    ]
}

#[tokio::test]
async fn no_token_reaches_another_workspaces_agents() {
    let app = TestApp::start().await;
    let victim = Conversations::start(&app, "victim", "+15550001111").await;
    let channel = entity::channel::Entity::find_by_id(victim.account_id).one(app.app.db.reader()).await;
    let channel = channel.expect("a look").expect("the channel").id.to_string();
    let call = |token: &str, method: Method, path: &str, body: &Value| {
        let request = app.http.request(method, format!("{}/v1{path}", app.base)).header("x-api-key", token);
        if body.is_null() { request } else { request.json(body) }
    };
    let made = json!({ "name": "Secret", "kind": "http", "endpoint": "https://1.1.1.1/secret" });
    let owner = victim.token.token();
    let agent = Answer::of(call(owner, Method::POST, "/agents", &made)).await.expect(201);
    let agent = agent["id"].as_str().expect("an id").to_owned();
    let attached = json!({ "agent_id": agent });
    Answer::of(call(owner, Method::PUT, &format!("/channels/{channel}/agent"), &attached)).await.expect(200);
    let before = Answer::of(call(owner, Method::GET, "/agents", &json!(null))).await.expect(200);
    let stranger = app.partner("stranger").await;
    let mine = stranger.workspace("Mine", 1).await;
    let token = stranger.get(&format!("/workspaces/{mine}/api-token")).await.expect(200);
    let token = token["token"].as_str().expect("a token");
    let rows = agents_rows();
    let covered: BTreeSet<String> = rows.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(operations(&app, "agents-api.json"), covered, "add a row to agents_rows for each operation");
    for (operation, method, path, body, status) in rows {
        let path = path.replace("{a}", &agent).replace("{c}", &channel);
        let body: Value = serde_json::from_str(&body.to_string().replace("{a}", &agent)).expect("JSON");
        let url = format!("{}/v1{path}", app.base);
        let anonymous = app.http.request(method.clone(), url);
        let anonymous = Answer::of(if body.is_null() { anonymous } else { anonymous.json(&body) }).await;
        assert_eq!(anonymous.expect(401)["error"]["code"], "AUTHENTICATION_REQUIRED", "{operation}");
        let answer = Answer::of(call(token, method, &path, &body)).await;
        answer.expect(status);
        let shows = ["\"Secret\"", "1.1.1.1/secret"].iter().any(|theirs| answer.text.contains(theirs));
        assert!(!shows, "{operation}: {}", answer.text);
    }
    assert_eq!(Answer::of(call(owner, Method::GET, "/agents", &json!(null))).await.expect(200), before);
    // A channel of one's own takes no agent of another's either.
    let owner_id = stranger.owner(&mine).await;
    let account = stranger.connect(&mine, owner_id, "+15550009999").await;
    let own = entity::channel::Entity::find_by_id(entity::id::AccountId(account)).one(app.app.db.reader()).await;
    let path = format!("/channels/{}/agent", own.expect("a look").expect("the channel").id);
    assert_eq!(Answer::of(call(token, Method::PUT, &path, &attached)).await.expect(404)["error"]["code"], "NOT_FOUND");
}
