//! Who a visitor is.

use hmac_sha256::HMAC;
use serde_json::{Value, json};

use crate::support::{
    Setup, TestApp,
    channels::Shop,
    receiver::{Received, Receiver},
    visitor::Visitor,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn hash(text: &str, secret: &str) -> String {
    HMAC::mac(text, secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ann() -> Value {
    let email = "ann@example.com";
    json!({ "user_id": "42", "email": email, "hash": hash(&format!("42\n{email}"), SECRET) })
}

#[tokio::test]
async fn a_visitor_stays_who_they_were() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    visitor.write("Hello").await;
    app.advance(20 * 24 * 3600).await;
    let again = visitor.session(json!({ "visitor_token": visitor.token })).await.expect(200);
    assert_eq!(again["visitor"]["id"], visitor.id, "a reload is no other visitor");
    app.advance(20 * 24 * 3600).await;
    let renewed = visitor.with_token(again["visitor_token"].as_str().expect("a token"));
    assert_eq!(renewed.window().await.len(), 1, "each session brings a new token");
    assert_eq!(again["expires_at"], "2026-10-30T08:00:00Z");
}

#[tokio::test]
async fn the_customers_system_says_who_is_who() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({ "identitySecret": SECRET })).await;
    let begun = Visitor::at(&app, &chat.token).session(json!({ "identity": ann(), "name": "Ann" })).await.expect(200);
    let known =
        json!({ "id": begun["visitor"]["id"], "is_identified": true, "name": "Ann", "email": "ann@example.com" });
    assert_eq!(begun["visitor"], known);
    let here = Visitor::at(&app, &chat.token).begin(json!({ "identity": ann() })).await;
    assert_eq!(json!(here.id), begun["visitor"]["id"]);
    here.write("From my phone").await;
    let there = Visitor::at(&app, &chat.token).begin(json!({ "identity": ann() })).await;
    assert_eq!(there.window().await.len(), 1, "the same person, in another browser");
    // Somebody else signs in at the same browser.
    let bob = json!({ "user_id": "43", "hash": hash("43", SECRET) });
    let other = there.session(json!({ "visitor_token": there.token, "identity": bob })).await.expect(200);
    assert_ne!(other["visitor"]["id"], here.id);
    assert_eq!(other["visitor"]["email"], json!(null));
    // Who was unknown keeps what they wrote.
    let unknown = Visitor::come(&app, &chat.token).await;
    unknown.write("Before I signed in").await;
    let carol = json!({ "user_id": "44", "hash": hash("44", SECRET) });
    let known = unknown.session(json!({ "visitor_token": unknown.token, "identity": carol })).await.expect(200);
    assert_eq!(known["visitor"]["id"], unknown.id);
    assert_eq!(shop.chats().await.len(), 2);
}

#[tokio::test]
async fn a_wrong_signature_lets_nobody_in() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({ "identitySecret": SECRET, "requireIdentity": true })).await;
    let visitor = Visitor::at(&app, &chat.token);
    for identity in [
        json!({ "user_id": "42", "hash": hash("43", SECRET) }),
        json!({ "user_id": "42", "hash": hash("42", "another") }),
        json!({ "user_id": "42", "email": "eve@example.com", "hash": hash("42", SECRET) }),
    ] {
        let refused = visitor.session(json!({ "identity": identity })).await;
        assert_eq!(refused.expect(401)["code"], "invalid_signature", "{identity}");
    }
    let required = visitor.session(json!({})).await.expect(400);
    assert!(required["detail"].as_str().is_some_and(|text| text.contains("identity")), "{required}");
    let upper = json!({ "user_id": "42", "hash": hash("42", SECRET).to_uppercase() });
    visitor.session(json!({ "identity": upper })).await.expect(200);
    let without = shop.web_chat(json!({})).await;
    let refused = Visitor::at(&app, &without.token).session(json!({ "identity": ann() })).await.expect(400);
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("identitySecret")), "{refused}");
}

#[tokio::test]
async fn an_address_may_be_required_and_names_the_chat() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({ "requireEmail": true })).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    let refused = visitor.post("/messages", json!({ "text": "Hello" })).await.expect(400);
    assert!(refused["detail"].as_str().is_some_and(|text| text.starts_with("email")), "{refused}");
    assert_eq!((visitor.window().await.len(), shop.chats().await.len()), (0, 0));
    let told = json!({ "visitor_token": visitor.token, "email": " ann@example.com " });
    assert_eq!(visitor.session(told).await.expect(200)["visitor"]["email"], "ann@example.com");
    visitor.write("Hello").await;
    let chats = shop.chats().await;
    assert_eq!(chats[0]["name"], "ann@example.com");
    visitor.session(json!({ "visitor_token": visitor.token, "name": "Ann" })).await.expect(200);
    assert_eq!(shop.chats().await[0]["name"], "Ann");
    let path = format!("/chats/{}", shop.chats().await[0]["id"]);
    shop.token.patch(&path, json!({ "name": "Customer 7" })).await.expect(200);
    visitor.session(json!({ "visitor_token": visitor.token, "name": "Annie" })).await.expect(200);
    assert_eq!(shop.chats().await[0]["name"], "Customer 7", "a chat that was given a name keeps it");
}

#[tokio::test]
async fn who_only_looks_leaves_nothing() {
    use sea_orm::{EntityTrait, PaginatorTrait};
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    assert_eq!(visitor.window().await, []);
    visitor.tell(&app, 9, 9).await;
    let visitors = entity::webchat_visitor::Entity::find().count(app.app.db.reader()).await.expect("a count");
    assert_eq!((visitors, shop.chats().await.len()), (0, 0));
}

#[tokio::test]
async fn the_first_thing_that_is_told_of_a_visitor_has_their_name() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let receiver = Receiver::start().await;
    for event_type in ["chat:new", "message:received:new"] {
        let body = json!({ "event_type": event_type, "url": receiver.url(), "enabled": true });
        shop.token.post("/webhooks", body).await.expect(200);
    }
    let ann = Visitor::at(&app, &chat.token).begin(json!({ "name": "Ann" })).await;
    ann.write("Hello").await;
    app.run_jobs().await;
    let called = |body: &Value| {
        ["full_name", "name"].into_iter().find_map(|field| body["chat"][field].as_str().map(str::to_owned))
    };
    let told: Vec<Value> = receiver.received().iter().map(Received::json).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for body in &told {
        assert_eq!(called(body).as_deref(), Some("Ann"), "{body}");
    }
    receiver.forget();
    // Of somebody who has not said it, the id stands for it.
    let nobody = Visitor::come(&app, &chat.token).await;
    nobody.write("Hello").await;
    app.run_jobs().await;
    let id = format!("{}@webchat", nobody.id);
    let told: Vec<Value> = receiver.received().iter().map(Received::json).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|body| called(body).as_deref() == Some(id.as_str())), "{told:?}");
}
