//! Partner webhooks: setting the endpoint, trying it out, the log, resending. What the events say, how they are
//! signed, retried and delivered is in the modules.

use quartermaster::{caller::Origin, config::Config, webhook::admin};
use reqwest::Method;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use strum::IntoEnumIterator;

use crate::support::{
    Answer, PartnerClient, Setup, TestApp,
    receiver::{Receiver, Reply},
};

mod events;
mod retries;
mod signatures;
mod workers;

fn lenient(config: &mut Config) {
    config.allow_private_targets = true;
}

/// An application that dials this machine.
async fn start() -> TestApp {
    Setup::default().configured(lenient).start().await
}

async fn try_set(acme: &PartnerClient, url: &str) -> Answer {
    Answer::of(acme.request(Method::PUT, "/webhook").json(&json!({ "url": url }))).await
}

async fn set(acme: &PartnerClient, url: &str) -> Value {
    try_set(acme, url).await.expect(200)
}

/// Queues a test event; its delivery.
async fn try_out(acme: &PartnerClient, event_type: &str) -> Value {
    acme.post("/webhook/test", json!({ "event_type": event_type })).await.expect(201)
}

/// A partner whose endpoint is this one.
async fn partner_at(app: &TestApp, id: &str, receiver: &Receiver) -> PartnerClient {
    let partner = app.partner(id).await;
    set(&partner, &receiver.url()).await;
    partner
}

/// The deliveries of the log, newest first.
async fn log(acme: &PartnerClient, query: &str) -> Vec<Value> {
    let list = acme.get(&format!("/webhook/deliveries{query}")).await.expect(200);
    list["deliveries"].as_array().expect("deliveries").clone()
}

const ROTATED: &str = "api_token:rotated";

#[tokio::test]
async fn the_webhook_is_set_shown_switched_off_and_removed() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = app.partner("acme").await;
    acme.get("/webhook").await.expect_error(404, "webhook_not_set");
    let test = json!({ "event_type": ROTATED });
    acme.post("/webhook/test", test.clone()).await.expect_error(404, "webhook_not_set");
    let made = set(&acme, &receiver.url()).await;
    assert_eq!((&made["url"], &made["enabled"]), (&json!(receiver.url()), &json!(true)));
    assert_eq!((made.get("disabled_reason"), made.get("failing_since")), (None, None));
    assert_eq!(acme.get("/webhook").await.expect(200), made);
    app.advance(60).await;
    let moved = set(&acme, &receiver.url_by_name()).await;
    assert_eq!((&moved["created_at"], &moved["updated_at"]), (&made["created_at"], &json!("2026-09-10T08:01:00Z")));
    let off = json!({ "url": receiver.url(), "enabled": false });
    let off = Answer::of(acme.request(Method::PUT, "/webhook").json(&off)).await.expect(200);
    assert_eq!((&off["enabled"], &off["disabled_reason"]), (&json!(false), &json!("it was switched off")));
    acme.post("/webhook/test", test.clone()).await.expect_error(409, "webhook_disabled");
    set(&acme, &receiver.url()).await;
    acme.post("/webhook/test", test).await.expect(201);
    let id = entity::id::PartnerId::parse("acme").expect("an id");
    for _ in 0..2 {
        admin::remove(&app.app, &Origin::operator(), &id).await.expect("a second time is harmless");
        acme.get("/webhook").await.expect_error(404, "webhook_not_set");
    }
}

#[tokio::test]
async fn the_same_key_sets_once() {
    let app = start().await;
    let acme = app.partner("acme").await;
    let put = async |url: &str| {
        let request = acme.request(Method::PUT, "/webhook").header("Idempotency-Key", "k");
        Answer::of(request.json(&json!({ "url": url }))).await
    };
    let first = put("https://example.com/a").await.expect(200);
    set(&acme, "https://example.com/b").await;
    assert_eq!(put("https://example.com/a").await.expect(200), first);
    assert_eq!(acme.get("/webhook").await.expect(200)["url"], "https://example.com/b");
    put("https://example.com/c").await.expect_error(409, "idempotency_key_reused");
}

#[tokio::test]
async fn addresses_that_lead_inside_are_refused_when_they_are_set() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    for bad in [
        "http://127.0.0.1:9000/hook",
        "http://localhost:9000/hook",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://0x7f.1/",
        "https://user:%ff@example.com/",
        "ftp://example.com/",
        "example.com",
        "",
        &format!("https://example.com/{}", "x".repeat(4096)),
    ] {
        let refused = try_set(&acme, bad).await.expect_error(400, "invalid_request");
        assert!(refused["description"].as_str().is_some_and(|text| text.starts_with("url: ")), "{bad}: {refused}");
    }
    acme.get("/webhook").await.expect_error(404, "webhook_not_set");
}

/// What receivers know their caller by, who can send no header of their own.
#[tokio::test]
async fn a_user_and_a_password_in_an_address_are_sent_and_not_told() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = app.partner("acme").await;
    let address = receiver.url().replacen("://", "://ann:p%40ss@", 1);
    assert_eq!(set(&acme, &address).await["url"], address);
    try_out(&acme, ROTATED).await;
    app.run_jobs().await;
    let received = receiver.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].header("authorization"), "Basic YW5uOnBAc3M=");
    assert!(!received[0].header("webhook-signature").is_empty(), "it is signed all the same");
    set(&acme, "http://ann:p%40ss@127.0.0.1:1/").await;
    try_out(&acme, ROTATED).await;
    app.run_jobs().await;
    let newest = &log(&acme, "").await[0];
    assert!(newest["attempts"][0]["error"].as_str().is_some_and(|error| !error.is_empty()), "{newest}");
    assert!(!newest.to_string().contains("p%40ss"), "{newest}");
    let audited = entity::audit_entry::Entity::find().all(app.app.db.reader()).await.expect("entries");
    assert!(audited.iter().all(|entry| !format!("{entry:?}").contains("p%40ss")), "{audited:?}");
}

#[tokio::test]
async fn addresses_that_lead_inside_are_not_dialled() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let strict = app.replica().await;
    let acme = app.partner("acme").await;
    for url in [receiver.url(), receiver.url_by_name()] {
        set(&acme, &url).await;
        let id = try_out(&acme, ROTATED).await["delivery_id"].clone();
        strict.run_jobs().await;
        let newest = &log(&acme, "").await[0];
        assert_eq!((&newest["delivery_id"], &newest["state"]), (&id, &json!("pending")));
        let error = newest["attempts"][0]["error"].as_str().expect("a reason");
        assert!(error.contains("not public"), "{url}: {error}");
    }
    assert!(receiver.received().is_empty());
    app.advance(10).await;
    assert_eq!(receiver.received().len(), 2, "where it is allowed they are");
}

#[tokio::test]
async fn every_type_can_be_tried_out() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    let workspace = acme.workspace("Bakery", 2).await;
    for kind in quartermaster::webhook::EventType::iter() {
        let kind = kind.to_string();
        receiver.forget();
        let body = json!({ "event_type": kind, "workspace_id": workspace });
        let queued = acme.post("/webhook/test", body).await.expect(201);
        app.run_jobs().await;
        let told = receiver.only();
        assert_eq!((&queued["body"], &queued["event_id"]), (&json!(told.body), &json!(told.header("webhook-id"))));
        assert_eq!((&told.json()["event_type"], &told.json()["workspace_id"]), (&json!(kind), &json!(workspace)));
        assert_eq!(told.json()["triggered_at"], "2026-09-10T08:00:00Z");
    }
    receiver.forget();
    try_out(&acme, "workspace:quota_full:transactions").await;
    app.run_jobs().await;
    assert_eq!(receiver.only().json()["workspace_id"], "bakery-north");
    let unknown = json!({ "event_type": "api-token:rotated" });
    acme.post("/webhook/test", unknown).await.expect_error(400, "invalid_request");
    let foreign = json!({ "event_type": ROTATED, "workspace_id": "elsewhere" });
    acme.post("/webhook/test", foreign).await.expect_error(404, "workspace_not_found");
}

#[tokio::test]
async fn the_log_pages_newest_first_and_filters() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    receiver.next([Reply::Status(500), Reply::Status(204)]);
    let mut ids = Vec::new();
    for kind in [ROTATED, "workspace:seats_full", ROTATED] {
        app.clock.advance(std::time::Duration::from_millis(10));
        ids.insert(0, try_out(&acme, kind).await["delivery_id"].clone());
    }
    app.run_jobs().await;
    let id = |list: &[Value]| list.iter().map(|one| one["delivery_id"].clone()).collect::<Vec<_>>();
    assert_eq!(id(&log(&acme, "").await), ids);
    let first = acme.get("/webhook/deliveries?limit=2").await.expect(200);
    assert_eq!(id(first["deliveries"].as_array().expect("a page")), ids[..2]);
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let second = acme.get(&format!("/webhook/deliveries?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!(id(second["deliveries"].as_array().expect("a page")), ids[2..]);
    assert!(second.get("next_cursor").is_none());
    assert_eq!(id(&log(&acme, "?event_type=workspace:seats_full").await), [ids[1].clone()]);
    let failed = log(&acme, "?state=pending").await;
    assert_eq!(failed.len(), 1);
    let tried = &failed[0]["attempts"][0];
    assert_eq!((&tried["status"], &tried["at"]), (&json!(500), &json!("2026-09-10T08:00:00Z")));
    assert!(tried["duration_ms"].is_i64() && failed[0]["next_attempt_at"].is_string());
    app.advance(10).await;
    let delivered = log(&acme, "?state=delivered").await;
    assert_eq!(delivered.len(), 3);
    assert!(delivered.iter().all(|one| one["finished_at"].is_string() && one.get("next_attempt_at").is_none()));
    for bad in ["?state=lost", "?event_type=lost", "?cursor=x", "?limit=0", "?limit=201"] {
        acme.get(&format!("/webhook/deliveries{bad}")).await.expect_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn an_event_is_sent_again_with_its_id_and_its_bytes() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    let first = try_out(&acme, "workspace:quota_near_full:messaging").await;
    app.run_jobs().await;
    app.advance(100).await;
    let path = format!("/webhook/deliveries/{}/resend", first["delivery_id"].as_str().expect("an id"));
    let second = acme.post_with_key(&path, "k", json!({})).await.expect(201);
    assert_eq!(acme.post_with_key(&path, "k", json!({})).await.expect(201), second, "a repeated call sends nothing");
    assert_ne!(second["delivery_id"], first["delivery_id"]);
    app.run_jobs().await;
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    assert_ne!(received[0].header("webhook-timestamp"), received[1].header("webhook-timestamp"));
    assert_eq!(log(&acme, "?state=delivered").await.len(), 2);
    for unknown in ["nonsense", "0198f000-0000-7000-8000-000000000001"] {
        let path = format!("/webhook/deliveries/{unknown}/resend");
        acme.post_empty(&path).await.expect_error(404, "delivery_not_found");
    }
}
