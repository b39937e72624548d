//! Where a browser has to be that calls a widget.

use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, TestApp,
    channels::Shop,
    visitor::{Visitor, WEBSITE},
};

/// What a browser is told about who may read an answer.
fn allowed(answer: &Answer) -> (&str, &str) {
    (answer.header("access-control-allow-origin"), answer.header("access-control-allow-credentials"))
}

/// Origins that look like the allowed one, and are not.
const OTHERS: [&str; 7] = [
    "https://www.example.org",
    "http://www.example.com",
    "https://www.example.com:8443",
    "https://www.example.com.evil.example",
    "https://evil-www.example.com",
    "https://WWW.example.com",
    "null",
];

#[tokio::test]
async fn every_call_is_checked_for_its_origin() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    let calls = [
        (Method::GET, "/config"),
        (Method::POST, "/session"),
        (Method::GET, "/messages"),
        (Method::POST, "/messages"),
        (Method::POST, "/receipts"),
        (Method::GET, "/events"),
        (Method::OPTIONS, "/messages"),
        (Method::GET, "/nothing"),
    ];
    for (method, path) in calls {
        for other in OTHERS {
            let elsewhere = Visitor { origin: other.to_owned(), ..visitor.clone() };
            let answer = Answer::of(elsewhere.request(method.clone(), path).json(&json!({ "text": "x" }))).await;
            assert_eq!(answer.expect(403)["code"], "origin_not_allowed", "{method} {path} {other}");
            assert_eq!(allowed(&answer), ("", ""), "{method} {path} {other}");
            assert!(answer.header("vary").contains("Origin"));
        }
        let url = format!("{}/widget/api/{}{path}", app.base, chat.token);
        let silent = Answer::of(app.http.request(method.clone(), &url).bearer_auth(&visitor.token)).await;
        assert_eq!(silent.expect(403)["code"], "origin_not_allowed", "{method} {path} without an origin");
    }
    assert_eq!(visitor.window().await, [], "nothing was written");
}

#[tokio::test]
async fn browsers_are_told_that_the_website_may_call_and_no_other() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({ "allowedOrigins": [WEBSITE, "http://localhost:5173"] })).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    for origin in [WEBSITE, "http://localhost:5173"] {
        let visitor = Visitor { origin: origin.to_owned(), ..visitor.clone() };
        let asked = visitor
            .request(Method::OPTIONS, "/messages")
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type");
        let preflight = Answer::of(asked).await;
        assert_eq!((preflight.status.as_u16(), allowed(&preflight)), (204, (origin, "")));
        assert_eq!(preflight.header("access-control-allow-methods"), "GET, POST");
        let headers = preflight.header("access-control-allow-headers").to_lowercase();
        for needed in ["authorization", "content-type", "last-event-id"] {
            assert!(headers.contains(needed), "{headers}");
        }
        for answer in [visitor.get("/config").await, visitor.get("/messages").await, visitor.get("/nothing").await] {
            assert_eq!(allowed(&answer), (origin, ""), "{}", answer.text);
            assert!(answer.header("vary").contains("Origin"));
        }
        // Errors can be read by the website too.
        let refused = visitor.post("/messages", json!({ "text": "" })).await;
        assert_eq!((refused.expect(400)["code"].clone(), allowed(&refused)), (json!("invalid_request"), (origin, "")));
    }
}

#[tokio::test]
async fn our_own_frame_calls_without_an_origin() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let url = format!("{}/widget/api/{}/config", app.base, chat.token);
    let called = async |name: &'static str, value: &str| {
        Answer::of(app.http.get(&url).header(name, value)).await.status.as_u16()
    };
    assert_eq!(called("Sec-Fetch-Site", "same-origin").await, 200);
    assert_eq!(called("Sec-Fetch-Site", "same-site").await, 403);
    assert_eq!(called("Sec-Fetch-Site", "none").await, 403);
    assert_eq!(called("Referer", &format!("{}/widget/frame/{}", app.base, chat.token)).await, 200);
    assert_eq!(called("Referer", &format!("{WEBSITE}/")).await, 403);
    assert_eq!(called("Origin", &app.base).await, 200);
}

#[tokio::test]
async fn a_changed_list_of_origins_counts_at_once() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    let change = json!({ "config": { "allowedOrigins": ["https://shop.example.com"] } });
    shop.linktor(Method::PATCH, &format!("/channels/{}", chat.id), change).await.expect(200);
    visitor.get("/messages").await.expect(403);
    let moved = Visitor { origin: "https://shop.example.com".to_owned(), ..visitor };
    moved.get("/messages").await.expect(200);
}
