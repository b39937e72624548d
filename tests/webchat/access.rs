//! No visitor reads or writes in another's window, and no token opens another channel's widget. A new operation of the
//! widget fails here until it has a row.

use std::collections::BTreeSet;

use quartermaster::http::documents;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, TestApp,
    channels::Shop,
    visitor::{Visitor, WebChat},
};

/// Operation, method, path, body, and whether a visitor has to be proved for it.
fn rows() -> Vec<(&'static str, Method, &'static str, Value, bool)> {
    vec![
        ("get_widget", Method::GET, "/config", json!(null), false),
        ("begin_session", Method::POST, "/session", json!({ "visitor_token": "{token}" }), false),
        ("list_messages", Method::GET, "/messages", json!(null), true),
        ("write_message", Method::POST, "/messages", json!({ "text": "I was here" }), true),
        ("send_file", Method::POST, "/files?name=a.png", json!(null), true),
        ("tell_receipts", Method::POST, "/receipts", json!({ "delivered": 1, "read": 1 }), true),
        ("hear_messages", Method::GET, "/events", json!(null), true),
    ]
}

async fn call(visitor: &Visitor, method: &Method, path: &str, body: &Value) -> Answer {
    let body: Value = serde_json::from_str(&body.to_string().replace("{token}", &visitor.token)).expect("JSON");
    let request = visitor.request(method.clone(), path);
    Answer::of(if body.is_null() { request } else { request.json(&body) }).await
}

#[tokio::test]
async fn no_token_opens_another_window() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let stranger = Shop::of(&app, app.partner("stranger").await, "Mine", 3).await;
    let (ours, theirs): (WebChat, WebChat) = (shop.web_chat(json!({})).await, stranger.web_chat(json!({})).await);
    let victim = Visitor::come(&app, &ours.token).await;
    victim.write("My secret").await;
    let other = Visitor::come(&app, &theirs.token).await;
    let (_, documents) = documents(&app.app).into_iter().find(|(name, _)| *name == "widget-api.json").expect("ours");
    let document: Value = serde_json::from_str(&documents).expect("JSON");
    let operations =
        document["paths"].as_object().expect("paths").values().flat_map(|path| path.as_object().into_iter().flatten());
    let operations: BTreeSet<String> =
        operations.map(|(_, operation)| operation["operationId"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(operations, rows().iter().map(|row| row.0.to_owned()).collect(), "add a row for each operation");
    let mut expired = victim.token.clone();
    expired.replace_range(expired.len() - 4.., "AAAA");
    let bad = [other.token.as_str(), &expired, "", "wvt_x", "qm_x", shop.token.token()];
    for (operation, method, path, body, is_proved) in rows() {
        let nowhere = victim.with_widget("wgt_unknown");
        assert_eq!(call(&nowhere, &method, path, &body).await.expect(404)["code"], "widget_not_found", "{operation}");
        if operation == "get_widget" {
            continue;
        }
        for token in bad {
            let answer = call(&victim.with_token(token), &method, path, &body).await;
            let code = answer.expect(401)["code"].clone();
            let expected = if token.is_empty() && is_proved { "missing_credentials" } else { "visitor_token_invalid" };
            assert_eq!(code, expected, "{operation} {token}");
            assert!(!answer.text.contains("secret"), "{operation}");
        }
        // A token of one channel is nothing at another.
        let answer = call(&victim.with_widget(&theirs.token), &method, path, &body).await;
        assert_eq!(answer.expect(401)["code"], "visitor_token_invalid", "{operation}");
    }
    assert_eq!(victim.window().await, [("visitor".to_owned(), "My secret".to_owned())]);
    let same_channel = Visitor::come(&app, &ours.token).await;
    assert_eq!(same_channel.window().await, []);
    app.advance(31 * 24 * 3600).await;
    assert_eq!(victim.get("/messages").await.expect(401)["code"], "visitor_token_invalid", "it has run out");
}

#[tokio::test]
async fn who_calls_too_often_is_told_to_wait() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    let mut refused = None;
    for number in 0..30 {
        let answer = visitor.post("/messages", json!({ "text": format!("{number}") })).await;
        if answer.status.as_u16() != 201 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("somebody who writes 30 messages at once is stopped");
    assert_eq!((refused.expect(429)["code"].clone(), refused.header("retry-after")), (json!("too_many_requests"), "1"));
    assert_eq!(refused.header("access-control-expose-headers"), "ETag, Retry-After, X-Request-Id");
    // Somebody else is not.
    Visitor::come(&app, &chat.token).await.write("Hello").await;
}

#[tokio::test]
async fn a_website_may_read_that_its_address_has_to_wait() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    let mut refused = None;
    for _ in 0..10_000 {
        let answer = visitor.get("/config").await;
        if answer.status.as_u16() != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("ten thousand calls at once are too many");
    assert_eq!((refused.expect(429)["code"].clone(), refused.header("retry-after")), (json!("too_many_requests"), "1"));
    assert_eq!(refused.header("access-control-allow-origin"), visitor.origin);
}

#[tokio::test]
async fn what_is_too_large_or_unreadable_is_refused_by_name() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    for (path, body, field) in [
        ("/messages", json!({}), "text"),
        ("/messages", json!({ "text": 7 }), "text"),
        ("/messages", json!({ "text": " \n " }), "text"),
        ("/messages", json!({ "text": "x".repeat(4097) }), "text"),
        ("/messages", json!({ "text": "x", "client_id": "a b" }), "client_id"),
        ("/receipts", json!({ "read": "all" }), "read"),
        ("/session", json!({ "email": "ann" }), "email"),
        ("/session", json!({ "name": "x".repeat(257) }), "name"),
        ("/session", json!({ "identity": { "user_id": "1" } }), "identity"),
    ] {
        let refused = visitor.post(path, body.clone()).await.expect(400);
        assert_eq!(refused["code"], "invalid_request", "{path} {body}");
        assert!(refused["detail"].as_str().is_some_and(|text| text.contains(field)), "{path} {body}: {refused}");
    }
    assert_eq!(visitor.get("/messages?limit=101").await.expect(400)["code"], "invalid_request");
    let last = visitor.request(Method::GET, "/events").header("Last-Event-ID", "x");
    assert_eq!(Answer::of(last).await.expect(400)["code"], "invalid_request");
    let large = "x".repeat(2 * 1024 * 1024);
    assert_eq!(visitor.post("/messages", json!({ "text": large })).await.expect(413)["code"], "body_too_large");
    let text = visitor.request(Method::POST, "/messages").header("Content-Type", "text/plain").body("{}");
    assert_eq!(Answer::of(text).await.expect(415)["code"], "unsupported_media_type");
    assert_eq!(
        Answer::of(visitor.request(Method::DELETE, "/messages")).await.expect(405)["code"],
        "method_not_allowed"
    );
}
