//! Webhooks of the Channels API: made, changed and deleted, what they hear of, how they are signed, and what becomes of
//! deliveries.

use reqwest::Method;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::support::{
    Answer, Setup, TestApp,
    channels::{Shop, word},
    receiver::{Received, Receiver, Reply},
};

mod deliveries;
mod events;
mod signatures;

async fn start() -> TestApp {
    Setup::default().configured(|config| config.allow_private_targets = true).start().await
}

/// A webhook for these events; its id and its secret.
async fn hook(shop: &Shop<'_>, receiver: &Receiver, events: Value) -> (String, String) {
    let body = json!({ "name": "Mine", "url": receiver.url(), "events": events });
    let made = shop.post("/webhooks", body).await.expect(201)["data"].clone();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&made["id"]), text(&made["attributes"]["secret"]))
}

/// What was heard since the last look.
async fn heard(shop: &Shop<'_>, receiver: &Receiver) -> Vec<Received> {
    shop.app.run_jobs().await;
    let received = receiver.received();
    receiver.forget();
    received
}

/// Types of events, in the order of the alphabet: deliveries may overtake one another.
fn names(received: &[Received]) -> Vec<String> {
    let name = |one: &Received| one.json()["event"].as_str().expect("a type").to_owned();
    let mut names: Vec<String> = received.iter().map(name).collect();
    names.sort();
    names
}

/// What is said of an event of this type, which came once.
#[track_caller]
fn data_of(received: &[Received], event: &str) -> Value {
    let told: Vec<Value> = received.iter().map(Received::json).filter(|body| body["event"] == event).collect();
    assert_eq!(told.len(), 1, "{event}: {:?}", names(received));
    told[0]["data"].clone()
}

#[tokio::test]
async fn webhooks_are_made_read_changed_and_deleted() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    let (id, secret) = hook(&shop, &receiver, json!(["channel.created"])).await;
    assert!(secret.starts_with("whsec_") && id.starts_with("wh_"));
    let path = format!("/webhooks/{id}");
    let read = shop.get(&path).await.expect(200)["data"].clone();
    let expected = json!({
        "id": id, "type": "webhook",
        "attributes": {
            "name": "Mine", "url": receiver.url(), "events": ["channel.created"], "active": true,
            "config": { "retryPolicy": "exponential", "maxRetries": 5, "timeout": 5 },
            "secret": "********", "failures": 0,
            "createdAt": "2026-09-10T08:00:00Z", "updatedAt": "2026-09-10T08:00:00Z",
        },
    });
    assert_eq!(read, expected);
    assert_eq!(shop.get(&format!("/webhooks/{}", id.trim_start_matches("wh_"))).await.expect(200)["data"], expected);
    assert_eq!(shop.get("/webhooks").await.expect(200)["data"], json!([expected]));
    let own = shop.token.get("/webhooks").await;
    assert!(!own.text.contains(&receiver.url()), "the other surface has its own: {}", own.text);
    app.clock.advance(std::time::Duration::from_secs(1));
    let config = json!({ "retryPolicy": "exponential", "maxRetries": 1, "timeout": 30 });
    let change =
        json!({ "name": "Ours", "events": ["channel.deleted", "channel.error"], "active": false, "config": config });
    let changed = shop.linktor(Method::PATCH, &path, change).await.expect(200)["data"]["attributes"].clone();
    assert_eq!((&changed["name"], &changed["active"]), (&json!("Ours"), &json!(false)));
    assert_eq!(changed["events"], json!(["channel.error", "channel.deleted"]));
    assert_eq!(changed["config"]["maxRetries"], 1);
    assert_eq!(changed["config"]["timeout"], 5, "more is not granted");
    assert_eq!(changed["updatedAt"], "2026-09-10T08:00:01Z");
    assert_eq!(word(&shop.post(&format!("{path}/test"), json!({})).await, 409), "CONFLICT");
    shop.channel("telegram", json!({ "botToken": "1:a" })).await;
    app.run_jobs().await;
    assert!(receiver.received().is_empty(), "it is switched off");
    assert_eq!(shop.linktor(Method::DELETE, &path, json!(null)).await.status.as_u16(), 204);
    for gone in ["", "/deliveries"] {
        assert_eq!(word(&shop.get(&format!("{path}{gone}")).await, 404), "RESOURCE_NOT_FOUND");
    }
    assert_eq!(word(&shop.linktor(Method::DELETE, &path, json!(null)).await, 404), "RESOURCE_NOT_FOUND");
    assert_eq!(shop.get("/webhooks").await.expect(200)["data"], json!([]));
    let row = entity::webhook_subscription::Entity::find().one(app.app.db.reader()).await.expect("a look");
    assert_eq!(row.expect("its row").secret, None, "nothing secret is kept of it");
}

#[tokio::test]
async fn what_cannot_be_made_is_named() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let good = |field: &str, value: Value| {
        let mut body = json!({ "url": "https://1.1.1.1/hook", "events": ["*"] });
        body[field] = value;
        body
    };
    let first = shop.post("/webhooks", good("name", json!("First"))).await.expect(201)["data"]["id"].clone();
    let path = format!("/webhooks/{}", first.as_str().expect("an id"));
    for (field, value) in [
        ("url", json!("ftp://1.1.1.1/")),
        ("url", json!("https://127.0.0.1/")),
        ("url", json!("here")),
        ("events", json!([])),
        ("events", json!(["message.received"])),
        ("name", json!(" ")),
        ("name", json!("x".repeat(256))),
        ("config.maxRetries", json!({ "maxRetries": 6 })),
        ("config.maxRetries", json!({ "maxRetries": -1 })),
        ("config.timeout", json!({ "timeout": 0 })),
        ("config.timeout", json!({ "timeout": 31 })),
        ("config.retryPolicy", json!({ "retryPolicy": "linear" })),
    ] {
        let name = field.split('.').next().expect("a name");
        let made = shop.post("/webhooks", good(name, value.clone())).await;
        let changed = shop.linktor(Method::PATCH, &path, json!({ name: value })).await;
        for refused in [made, changed] {
            assert_eq!(word(&refused, 400), "VALIDATION_ERROR", "{field} {value}");
            assert_eq!(refused.json()["error"]["details"][0]["field"], field, "{value}: {}", refused.text);
        }
    }
    for (missing, body) in [("url", json!({ "events": ["*"] })), ("events", json!({ "url": "https://1.1.1.1/2" }))] {
        let refused = shop.post("/webhooks", body).await;
        assert_eq!(word(&refused, 400), "VALIDATION_ERROR");
        assert_eq!(refused.json()["error"]["details"][0]["field"], missing);
    }
    let wrong_type = json!({ "url": "https://1.1.1.1/2", "events": "channel.created" });
    assert_eq!(word(&shop.post("/webhooks", wrong_type).await, 400), "VALIDATION_ERROR");
    assert_eq!(word(&shop.post("/webhooks", good("name", json!("Again"))).await, 409), "RESOURCE_ALREADY_EXISTS");
    for number in 1..5 {
        shop.post("/webhooks", good("url", json!(format!("https://1.1.1.1/{number}")))).await.expect(201);
    }
    let taken = json!({ "url": "https://1.1.1.1/4" });
    assert_eq!(word(&shop.linktor(Method::PATCH, &path, taken).await, 409), "RESOURCE_ALREADY_EXISTS");
    let one_more = good("url", json!("https://1.1.1.1/5"));
    assert_eq!(word(&shop.post("/webhooks", one_more.clone()).await, 403), "WEBHOOK_LIMIT_REACHED");
    shop.linktor(Method::DELETE, &path, json!(null)).await;
    shop.post("/webhooks", one_more).await.expect(201);
    for nobody in ["wh_x", "wh_99999", "wh_-1", "x"] {
        assert_eq!(word(&shop.get(&format!("/webhooks/{nobody}")).await, 404), "RESOURCE_NOT_FOUND", "{nobody}");
    }
}

#[tokio::test]
async fn the_same_key_makes_one_webhook_and_shows_its_secret_again() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let make = async |url: &str| {
        let body = json!({ "url": url, "events": ["*"] });
        let request = app.http.post(format!("{}/v1/webhooks", app.base)).bearer_auth(shop.token.token());
        Answer::of(request.header("Idempotency-Key", "k").json(&body)).await
    };
    let first = make("https://1.1.1.1/a").await.expect(201);
    assert_eq!(make("https://1.1.1.1/a").await.expect(201), first);
    assert_eq!(word(&make("https://1.1.1.1/b").await, 409), "CONFLICT");
    assert_eq!(shop.get("/webhooks").await.expect(200)["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn subscriptions_of_the_workspace_api_are_not_told_of_channels() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let (channels, messages) = (Receiver::start().await, Receiver::start().await);
    hook(&shop, &channels, json!(["*"])).await;
    let subscription = json!({ "event_type": "message:new", "url": messages.url() });
    shop.token.post("/webhooks", subscription).await.expect(200);
    shop.active("whatsapp", json!({ "phoneNumberId": "123456789", "accessToken": "t" })).await;
    shop.token.send("+15557770000", "Hello").await.expect(200);
    for _ in 0..3 {
        app.advance(1).await;
    }
    assert_eq!(names(&heard(&shop, &channels).await), ["channel.activated", "channel.connected", "channel.created"]);
    let told = messages.received();
    assert!(!told.is_empty() && told.iter().all(|one| one.json()["event_type"] == "message:new"), "{told:?}");
    assert_eq!(shop.token.get("/webhooks").await.expect(200)["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_token_needs_the_scopes_of_webhooks() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let body = json!({ "url": "https://1.1.1.1/hidden", "events": ["*"] });
    let made = shop.post("/webhooks", body).await.expect(201)["data"]["id"].clone();
    let path = format!("/webhooks/{}", made.as_str().expect("an id"));
    let with = async |scopes: &str| {
        let token = app.token(&crate::cli::token_with(&app, &shop.workspace, scopes).await);
        Shop { app: &app, partner: shop.partner.clone(), workspace: shop.workspace.clone(), token }
    };
    let (reader, writer) = (with("webhooks:read").await, with("webhooks:write").await);
    reader.get(&path).await.expect(200);
    let body = json!({ "url": "https://1.1.1.1/other", "events": ["*"] });
    for (method, path, body) in [
        (Method::POST, "/webhooks".to_owned(), body.clone()),
        (Method::PATCH, path.clone(), json!({ "active": false })),
        (Method::DELETE, path.clone(), json!(null)),
        (Method::POST, format!("{path}/test"), json!(null)),
        (Method::POST, format!("{path}/rotate-secret"), json!(null)),
        (Method::POST, format!("{path}/deliveries/x/retry"), json!(null)),
    ] {
        let refused = reader.linktor(method, &path, body).await;
        assert_eq!(word(&refused, 403), "INSUFFICIENT_PERMISSIONS", "{path}");
    }
    for path in ["/webhooks", &path, &format!("{path}/deliveries")] {
        assert_eq!(word(&writer.get(path).await, 403), "INSUFFICIENT_PERMISSIONS", "{path}");
    }
    writer.post("/webhooks", body).await.expect(201);
    let entries = entity::audit_entry::Entity::find().all(app.app.db.reader()).await.expect("entries");
    let of_hooks: Vec<_> = entries.iter().filter(|entry| entry.action.starts_with("hook.")).collect();
    assert_eq!(of_hooks.len(), 2, "what was refused is not in the audit");
    let entries = format!("{of_hooks:?}");
    assert!(entries.contains("https://1.1.1.1") && !entries.contains("hidden"), "{entries}");
}
