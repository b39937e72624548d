//! What is written on a linked phone, past the API: stored as sent, for nothing.

use base64::{Engine, prelude::BASE64_STANDARD};
use entity::{
    chat,
    message::{self, Direction, Status},
};
use sea_orm::{ActiveModelTrait, EntityTrait, PaginatorTrait, Set, Unchanged};
use serde_json::{Value, json};

use crate::{
    ledger::audited,
    support::{Answer, Setup, TestApp, messages::Line, receiver::Receiver, sender::Sender, upload::png},
};

const OURS: &str = "+15550001111";
const THEIRS: &str = "+15557770000";

fn hello() -> Value {
    json!({ "phone": OURS, "to": THEIRS, "text": "Hello" })
}

fn changed(change: &Value) -> Value {
    let mut body = hello();
    body.as_object_mut().expect("a body").extend(change.as_object().expect("changes").clone());
    body
}

fn uid(answer: &Value) -> entity::id::MessageId {
    let uids = answer["message_uids"].as_array().expect("uids");
    assert_eq!(uids.len(), 1, "{answer}");
    uids[0].as_str().expect("a uid").parse().expect("a uuid")
}

async fn messages(app: &TestApp) -> u64 {
    message::Entity::find().count(app.app.db.reader()).await.expect("a count")
}

async fn chat_of(app: &TestApp, message: &message::Model) -> chat::Model {
    let found = chat::Entity::find_by_id(message.chat_id).one(app.app.db.reader()).await;
    found.expect("a look").expect("a chat")
}

#[tokio::test]
async fn what_is_written_on_a_phone_was_sent_and_costs_nothing() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", OURS).await;
    let answer = acme.post("/sandbox/outbound", hello()).await.expect(200);
    assert_eq!((&answer["phone"], &answer["to"]), (&json!(OURS), &json!(THEIRS)));
    let stored = app.message(uid(&answer)).await;
    assert_eq!((stored.direction, stored.status), (Direction::Sent, Status::Sent));
    assert_eq!((stored.text.as_deref(), stored.origin.as_str()), (Some("Hello"), "synced from WhatsApp"));
    assert_eq!((stored.user_id, stored.account_id), (None, line.account));
    let opened = chat_of(&app, &stored).await;
    assert_eq!((opened.jid.as_str(), opened.phone.as_deref()), ("15557770000@s.whatsapp.net", Some(THEIRS)));
    assert_eq!((opened.read, opened.closed, opened.last_message_id), (true, false, Some(stored.id)));
    let line_up = (app.entries(stored.id).await, line.balances().await, line.waiting().await);
    assert_eq!(line_up, (vec![], (0, 0), (0, None)));
    let steps = app.history(stored.id).await;
    assert_eq!(steps, [(Status::Sent, None)]);
    // Whoever writes has read what came, and leaves a closed chat closed as a message over the API does.
    let waiting =
        chat::ActiveModel { id: Unchanged(opened.id), read: Set(false), closed: Set(true), ..Default::default() };
    waiting.update(app.app.db.reader()).await.expect("a chat");
    app.advance(60).await;
    let second = app.message(uid(&acme.post("/sandbox/outbound", hello()).await.expect(200))).await;
    let again = chat_of(&app, &second).await;
    assert_eq!((again.id, again.read, again.closed), (opened.id, true, true));
    assert_eq!((again.last_message_id, again.last_message_at), (Some(second.id), Some(second.created_at)));
    let group = acme.post("/sandbox/outbound", changed(&json!({ "to": "120363000000000001@g.us" }))).await.expect(200);
    assert!(chat_of(&app, &app.message(uid(&group)).await).await.is_group);
    audited(&app).await;
}

#[tokio::test]
async fn all_workspaces_of_a_phone_have_it_once() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    for name in ["Bakery", "Butcher"] {
        Line::open(&app, &acme, name, OURS).await;
    }
    let file =
        json!({ "filename": "cake.png", "content_type": "image/png", "data": BASE64_STANDARD.encode(png(900, 1)) });
    let body = changed(&json!({ "text": null, "attachment": file }));
    let first = acme.post_with_key("/sandbox/outbound", "k", body.clone()).await.expect(200);
    assert_eq!(first["message_uids"].as_array().map(Vec::len), Some(2));
    assert_eq!(acme.post_with_key("/sandbox/outbound", "k", body).await.expect(200), first);
    assert_eq!(messages(&app).await, 2);
    let all = message::Entity::find().all(app.app.db.reader()).await.expect("messages");
    assert!(all.iter().all(|message| message.file_id.is_some() && message.text.is_none()));
    acme.post_with_key("/sandbox/outbound", "k", hello()).await.expect_error(409, "idempotency_key_reused");
    other.post("/sandbox/outbound", hello()).await.expect_error(409, "phone_not_linked");
    let plain = app.partner_without_sandbox("plain").await;
    plain.post("/sandbox/outbound", hello()).await.expect_error(403, "sandbox_only");
    for (field, change) in [
        ("phone", json!({ "phone": "nobody" })),
        ("to", json!({ "to": "nobody" })),
        ("text", json!({ "text": "" })),
        ("text", json!({ "text": null })),
        ("text", json!({ "text": "a\u{0}" })),
    ] {
        let error = acme.post("/sandbox/outbound", changed(&change)).await.expect_error(400, "invalid_request");
        assert!(error["description"].as_str().is_some_and(|text| text.contains(field)), "{error}");
    }
    assert_eq!(messages(&app).await, 2);
    audited(&app).await;
}

#[tokio::test]
async fn workspaces_are_told_and_find_it_where_messages_are() {
    let app = Setup::default().sandbox().configured(|config| config.allow_private_targets = true).start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let receiver = Receiver::start().await;
    for topic in ["message:new", "message:sent:new", "message:received:new", "chat:outgoing:new"] {
        let webhook = json!({ "event_type": topic, "url": receiver.url() });
        sender.token.post("/webhooks", webhook).await.expect(200);
    }
    // Developers on the machine need no token.
    let url = format!("{}/sandbox/outbound", app.base);
    let answer = Answer::of(app.http.post(&url).json(&hello())).await.expect(200);
    let id = uid(&answer);
    app.advance(2).await;
    let mut types = receiver.types();
    types.sort();
    assert_eq!(types, ["chat:outgoing:new", "message:new", "message:sent:new"]);
    let bodies: Vec<Value> = receiver.received().into_iter().map(|one| one.json()).collect();
    let body = bodies.iter().find(|body| body["event_type"] == "message:sent:new").expect("an event");
    assert_eq!(body["message"]["message_uid"], json!(id.to_string()));
    assert_eq!((&body["message"]["direction"], &body["message"]["text"]), (&json!("sent"), &json!("Hello")));
    assert_eq!(body["message"]["recipient"], json!({ "full_name": THEIRS, "phone": THEIRS }));
    let history = sender.token.get(&format!("/chats/{}/messages?from_me=true", body["chat"]["chat_id"])).await;
    let history = history.expect(200)["data"]["messages"].clone();
    let shown = &history[0];
    assert_eq!((&shown["uid"], &shown["from_me"]), (&json!(id.to_string()), &json!(true)));
    assert_eq!((&shown["sender_phone"], &shown["data"]["whatsapp_from_me"]), (&json!(OURS), &json!(true)));
    assert_eq!(sender.token.credits().await.0, 0);
    // It can be answered and reacted to as any other message.
    let path = format!("/messages/{id}/reactions");
    let react = json!({ "phone": OURS, "from": OURS, "message_uid": id.to_string(), "reaction": "👍" });
    sender.partner.post("/sandbox/reaction", react).await.expect(200);
    let users = sender.token.get(&path).await.expect(200)["data"]["users"].clone();
    assert_eq!((&users[0]["current"], &users[0]["phone"]), (&json!(true), &json!(OURS)));
    audited(&app).await;
}
