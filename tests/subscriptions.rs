//! Webhooks of workspaces: subscribing, changing, ending. What events say, and how they are delivered, is in the
//! modules.

use entity::{audit_entry, event};
use quartermaster::config::Config;
use reqwest::Method;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use crate::support::{Answer, Setup, TestApp, TokenClient, conversation::Conversations, receiver::Receiver};

mod deliveries;
mod events;
pub(crate) mod schemas;
mod secrets;
mod upgrade;
mod warnings;
mod workers;

const RECEIVED: &str = "message:received:new";

fn lenient(config: &mut Config) {
    config.allow_private_targets = true;
    config.sandbox_receipt_ms = 0;
}

/// An application that dials this machine, whose simulated recipients send no receipts.
async fn start() -> TestApp {
    Setup::default().configured(lenient).start().await
}

async fn conversations(app: &TestApp) -> Conversations<'_> {
    Conversations::start(app, "acme", "+15550001111").await
}

async fn put(token: &TokenClient, path: &str, body: Value) -> Answer {
    Answer::of(token.request(Method::PUT, path).json(&body)).await
}

async fn delete(token: &TokenClient, path: &str) -> Answer {
    Answer::of(token.request(Method::DELETE, path)).await
}

/// Subscribes with these fields beside type and address; the webhook.
async fn subscribe_with(token: &TokenClient, event_type: &str, url: &str, more: Value) -> Value {
    let mut body = json!({ "event_type": event_type, "url": url });
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    token.post("/webhooks", body).await.expect(200)["data"].clone()
}

async fn subscribe(token: &TokenClient, event_type: &str, url: &str) -> Value {
    subscribe_with(token, event_type, url, json!({})).await
}

/// Subscribes a receiver; the webhook's path.
async fn hook(token: &TokenClient, event_type: &str, receiver: &Receiver) -> String {
    format!("/webhooks/{}", subscribe(token, event_type, &receiver.url()).await["id"])
}

/// Somebody writes to the workspace's phone.
async fn write(conversations: &Conversations<'_>, text: &str) {
    let body = json!({ "phone": "+15550001111", "from": "+15557770000", "text": text });
    conversations.partner.post("/sandbox/inbound", body).await.expect(200);
}

/// The deliveries of a webhook's log, newest first.
async fn log(token: &TokenClient, path: &str) -> Vec<Value> {
    let list = token.get(&format!("{path}/deliveries")).await.expect(200);
    list["data"]["deliveries"].as_array().expect("deliveries").clone()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, word: &str) -> Value {
    let body = answer.expect(status);
    assert_eq!((&body["status"], &body["error_code"]), (&json!("error"), &json!(word)), "{body}");
    body
}

#[tokio::test]
async fn a_webhook_has_the_fields_of_the_contract_and_no_others() {
    let app = start().await;
    let acme = conversations(&app).await;
    assert_eq!(acme.token.get("/webhooks").await.expect(200), json!({ "status": "ok", "data": [] }));
    let made = subscribe(&acme.token, RECEIVED, "https://example.com/hook?secret=1").await;
    let id = made["id"].as_i64().expect("a number");
    let expected = json!({
        "id": id, "event_type": RECEIVED, "enabled": true, "url": "https://example.com/hook?secret=1",
        "errors_counter": 0,
    });
    assert_eq!(made, expected);
    let second = subscribe(&acme.token, "waba:message:read", "http://example.com/").await;
    assert_eq!(acme.token.get(&format!("/webhooks/{id}")).await.expect(200)["data"], made);
    assert_eq!(acme.token.get("/webhooks").await.expect(200)["data"], json!([made, second]), "by id");
}

#[tokio::test]
async fn subscribing_again_returns_enables_or_restores_with_the_same_id() {
    let app = start().await;
    let acme = conversations(&app).await;
    let made = subscribe(&acme.token, RECEIVED, "https://example.com/a").await;
    let path = format!("/webhooks/{}", made["id"]);
    assert_eq!(subscribe(&acme.token, RECEIVED, "https://example.com/a").await, made);
    let off = json!({ "enabled": false });
    assert_eq!(subscribe_with(&acme.token, RECEIVED, "https://example.com/a", off.clone()).await, made, "a no-op");
    assert_eq!(put(&acme.token, &path, off.clone()).await.expect(200)["data"]["enabled"], false);
    assert_eq!(subscribe(&acme.token, RECEIVED, "https://example.com/a").await, made, "enabled again");
    assert_eq!(delete(&acme.token, &path).await.expect(200), json!({ "status": "ok" }));
    assert_eq!(subscribe(&acme.token, RECEIVED, "https://example.com/a").await, made, "restored");
    delete(&acme.token, &path).await.expect(200);
    let restored_off = subscribe_with(&acme.token, RECEIVED, "https://example.com/a", off.clone()).await;
    assert_eq!((&restored_off["id"], &restored_off["enabled"]), (&made["id"], &json!(false)));
    let other = subscribe_with(&acme.token, RECEIVED, "https://example.com/b", off).await;
    assert_eq!((&other["enabled"], other["id"] == made["id"]), (&json!(false), false));
    assert_eq!(acme.token.get("/webhooks").await.expect(200)["data"].as_array().expect("two").len(), 2);
}

#[tokio::test]
async fn many_at_once_make_one() {
    let app = start().await;
    let acme = conversations(&app).await;
    let all = (0..12).map(|_| subscribe(&acme.token, RECEIVED, "https://example.com/a"));
    let made = futures_util::future::join_all(all).await;
    assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
    assert_eq!(acme.token.get("/webhooks").await.expect(200)["data"], json!([made[0]]));
}

#[tokio::test]
async fn the_eleventh_is_refused_until_one_is_deleted() {
    let app = start().await;
    let acme = conversations(&app).await;
    let mut made = Vec::new();
    for number in 0..10 {
        made.push(subscribe(&acme.token, RECEIVED, &format!("https://example.com/{number}")).await);
    }
    let eleventh = json!({ "event_type": RECEIVED, "url": "https://example.com/10" });
    let body = refused(&acme.token.post("/webhooks", eleventh.clone()).await, 403, "plan_feature_unavailable");
    assert_eq!(body["message"], "a workspace can have 10 webhooks; delete one first");
    assert_eq!(subscribe(&acme.token, RECEIVED, "https://example.com/3").await, made[3], "it is there already");
    delete(&acme.token, &format!("/webhooks/{}", made[3]["id"])).await.expect(200);
    acme.token.post("/webhooks", eleventh).await.expect(200);
    let third = json!({ "event_type": RECEIVED, "url": "https://example.com/3" });
    refused(&acme.token.post("/webhooks", third).await, 403, "plan_feature_unavailable");
    let other = Conversations::start(&app, "other", "+15550002222").await;
    subscribe(&other.token, RECEIVED, "https://example.com/10").await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name() {
    let app = TestApp::start().await;
    let acme = conversations(&app).await;
    for bad in [
        "",
        "example.com",
        "ftp://example.com/",
        "https://",
        "https://user:%ff@example.com/",
        "http://127.0.0.1/",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        &format!("https://example.com/{}", "x".repeat(4077)),
    ] {
        let answer = acme.token.post("/webhooks", json!({ "event_type": RECEIVED, "url": bad })).await;
        let body = refused(&answer, 400, "validation_error");
        assert_eq!(body["errors"][0]["fields"], json!(["url"]), "{bad}: {body}");
    }
    let longest = format!("https://example.com/{}", "x".repeat(4076));
    let made = subscribe(&acme.token, RECEIVED, &longest).await;
    let path = format!("/webhooks/{}", made["id"]);
    for bad in ["", "chat:created", "message", "Message:New"] {
        let answer = acme.token.post("/webhooks", json!({ "event_type": bad, "url": "https://example.com" })).await;
        assert_eq!(refused(&answer, 400, "validation_error")["errors"][0]["fields"], json!(["event_type"]));
        let answer = put(&acme.token, &path, json!({ "event_type": bad })).await;
        refused(&answer, 400, "validation_error");
    }
    refused(&put(&acme.token, &path, json!({ "url": "nonsense" })).await, 400, "validation_error");
    refused(&put(&acme.token, &path, json!({ "enabled": "yes" })).await, 400, "validation_error");
    for bad in [json!({}), json!({ "url": "https://example.com" }), json!({ "event_type": RECEIVED })] {
        refused(&acme.token.post("/webhooks", bad).await, 400, "validation_error");
    }
    assert_eq!(acme.token.get(&path).await.expect(200)["data"], made);
    // So many calls are more than the token's rate allows at once.
    app.clock.advance(std::time::Duration::from_secs(2));
    for unknown in ["0", "999999", "x", "+1", "9999999999999999999999"] {
        let path = format!("/webhooks/{unknown}");
        let body = refused(&acme.token.get(&path).await, 404, "not_found");
        assert_eq!(body["message"], format!("Webhook {unknown} not found"));
        refused(&put(&acme.token, &path, json!({ "enabled": true })).await, 404, "not_found");
        refused(&delete(&acme.token, &path).await, 404, "not_found");
        refused(&acme.token.get(&format!("{path}/deliveries")).await, 404, "not_found");
    }
}

#[tokio::test]
async fn a_change_leaves_what_it_does_not_name_and_never_makes_two_alike() {
    let app = start().await;
    let acme = conversations(&app).await;
    let made = subscribe(&acme.token, RECEIVED, "https://example.com/a").await;
    let path = format!("/webhooks/{}", made["id"]);
    assert_eq!(put(&acme.token, &path, json!({})).await.expect(200)["data"], made);
    let moved = put(&acme.token, &path, json!({ "url": "https://example.com/b" })).await.expect(200);
    assert_eq!(moved["data"]["url"], "https://example.com/b");
    let retyped = put(&acme.token, &path, json!({ "event_type": "chat:new" })).await.expect(200)["data"].clone();
    assert_eq!((&retyped["url"], &retyped["event_type"]), (&json!("https://example.com/b"), &json!("chat:new")));
    let other = subscribe(&acme.token, RECEIVED, "https://example.com/b").await;
    let body = refused(&put(&acme.token, &path, json!({ "event_type": RECEIVED })).await, 409, "validation_error");
    assert_eq!(body["message"], format!("webhook {} has this event_type and url already", other["id"]));
    delete(&acme.token, &format!("/webhooks/{}", other["id"])).await.expect(200);
    let taken = put(&acme.token, &path, json!({ "event_type": RECEIVED })).await.expect(200)["data"].clone();
    assert_eq!(subscribe(&acme.token, RECEIVED, "https://example.com/b").await, taken, "not the deleted one");
    assert_eq!(acme.token.get("/webhooks").await.expect(200)["data"], json!([taken]));
}

#[tokio::test]
async fn a_deleted_webhook_is_gone_and_deleting_it_again_is_harmless() {
    let app = start().await;
    let acme = conversations(&app).await;
    let path = format!("/webhooks/{}", subscribe(&acme.token, RECEIVED, "https://example.com/a").await["id"]);
    delete(&acme.token, &path).await.expect(200);
    refused(&delete(&acme.token, &path).await, 404, "not_found");
    refused(&acme.token.get(&path).await, 404, "not_found");
    refused(&put(&acme.token, &path, json!({ "enabled": true })).await, 404, "not_found");
    assert_eq!(acme.token.get("/webhooks").await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn the_same_key_subscribes_once() {
    let app = start().await;
    let acme = conversations(&app).await;
    let body = json!({ "event_type": RECEIVED, "url": "https://example.com/a", "signed": true });
    let first = acme.token.post_with_key("/webhooks", "k", body.clone()).await.expect(200);
    assert!(first["data"]["secret"].is_string());
    let again = acme.token.post_with_key("/webhooks", "k", body.clone()).await.expect(200);
    assert_eq!(again, first, "with its secret: the first answer may have been lost");
    let other = json!({ "event_type": RECEIVED, "url": "https://example.com/b" });
    refused(&acme.token.post_with_key("/webhooks", "k", other).await, 409, "idempotency_key_reused");
    assert!(acme.token.post("/webhooks", body).await.expect(200)["data"].get("secret").is_none(), "shown once");
}

#[tokio::test]
async fn a_token_needs_the_scopes_of_webhooks() {
    let app = start().await;
    let acme = conversations(&app).await;
    let made = subscribe(&acme.token, RECEIVED, "https://example.com/a").await;
    let reader = crate::cli::token_with(&app, &acme.slug, "webhooks:read").await;
    let reader = app.token(&reader);
    assert_eq!(reader.get("/webhooks").await.expect(200)["data"], json!([made]));
    let path = format!("/webhooks/{}", made["id"]);
    let body = json!({ "event_type": RECEIVED, "url": "https://example.com/b" });
    refused(&reader.post("/webhooks", body.clone()).await, 403, "insufficient_scope");
    refused(&put(&reader, &path, json!({ "enabled": false })).await, 403, "insufficient_scope");
    refused(&delete(&reader, &path).await, 403, "insufficient_scope");
    refused(&reader.post(&format!("{path}/secret"), json!({})).await, 403, "insufficient_scope");
    let writer = app.token(&crate::cli::token_with(&app, &acme.slug, "webhooks:write").await);
    refused(&writer.get("/webhooks").await, 403, "insufficient_scope");
    writer.post("/webhooks", body).await.expect(200);
}

#[tokio::test]
async fn changes_leave_entries_without_addresses_and_secrets() {
    let app = start().await;
    let acme = conversations(&app).await;
    let options = json!({ "signed": true });
    let made = subscribe_with(&acme.token, RECEIVED, "https://example.com/hidden", options).await;
    let path = format!("/webhooks/{}", made["id"]);
    put(&acme.token, &path, json!({ "enabled": false })).await.expect(200);
    let rotated = acme.token.post(&format!("{path}/secret"), json!({})).await.expect(200);
    delete(&acme.token, &path).await.expect(200);
    let rows = audit_entry::Entity::find()
        .filter(audit_entry::Column::Action.starts_with("subscription."))
        .all(app.app.db.reader())
        .await
        .expect("entries");
    let actions: Vec<&str> = rows.iter().map(|row| row.action.as_str()).collect();
    let expected = ["create", "update", "rotate_secret", "delete"].map(|verb| format!("subscription.{verb}"));
    assert_eq!(actions, expected);
    assert!(rows.iter().all(|row| row.actor.starts_with("token:") && row.request_id.is_some()));
    let text = format!("{rows:?}");
    for secret in [&made["secret"], &rotated["data"]["secret"], &json!("hidden")] {
        assert!(!text.contains(secret.as_str().expect("text")), "{text}");
    }
    assert!(text.contains("https://example.com"));
}

#[tokio::test]
async fn a_workspace_without_webhooks_leaves_no_events() {
    let app = start().await;
    let acme = conversations(&app).await;
    let count = async || {
        let of_chats = event::Entity::find().filter(event::Column::Kind.like("message:%"));
        of_chats.count(app.app.db.reader()).await.expect("a count")
    };
    let other = Conversations::start(&app, "other", "+15550002222").await;
    subscribe(&other.token, RECEIVED, "https://example.com/a").await;
    subscribe(&acme.token, "chat:new", "https://example.com/a").await;
    let off = json!({ "enabled": false });
    subscribe_with(&acme.token, RECEIVED, "https://example.com/a", off).await;
    write(&acme, "hello").await;
    acme.token.send("+15557770000", "hello").await.expect(200);
    assert_eq!(count().await, 0);
}
