//! How many messages of a chat nobody has read.

use entity::{
    chat,
    message::{self, Direction},
};
use sea_orm::Set;
use serde_json::json;

use crate::support::{START, TestApp, conversation::Conversations, database::step_again, sender::Sender};

#[tokio::test]
async fn what_has_come_since_a_chat_was_read_is_counted() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let text = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
    let come = async || sender.partner.post("/sandbox/inbound", text.clone()).await.expect(200);
    let only = async || sender.token.get("/chats").await.expect(200)["data"]["chats"][0].clone();
    let standing = async || {
        let chat = only().await;
        (chat["read"].as_bool().expect("a switch"), chat["unread_count"].as_i64().expect("a count"))
    };
    come().await;
    let path = format!("/chats/{}", only().await["id"]);
    let call = json!({ "phone": "+15550001111", "with": "+15557770000", "direction": "incoming", "status": "Missed" });
    assert_eq!(standing().await, (false, 1));
    come().await;
    sender.partner.post("/sandbox/call", call).await.expect(200);
    assert_eq!(standing().await, (false, 3));
    sender.token.post(&format!("{path}/notes"), json!({ "text": "Ours" })).await.expect(200);
    assert_eq!(standing().await, (false, 3), "a note is not for them");
    sender.token.patch(&path, json!({ "read": true })).await.expect(200);
    assert_eq!(standing().await, (true, 0));
    sender.token.patch(&path, json!({ "read": false })).await.expect(200);
    assert_eq!(standing().await, (false, 0), "marked by hand, with nothing new in it");
    for texts in [json!({ "text": "Hi" }), json!({ "text": "Hi", "label": "new" })] {
        come().await;
        assert_eq!(standing().await, (false, 1));
        sender.token.post(&format!("{path}/messages"), texts).await.expect(200);
        assert_eq!(standing().await, (true, 0), "the short way and the long one");
    }
    app.run_jobs().await;
}

#[tokio::test]
async fn what_had_come_before_it_was_counted_is_counted() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let unread = |row: chat::ActiveModel| chat::ActiveModel { read: Set(false), ..row };
    let sent = |origin: &'static str| {
        move |row: message::ActiveModel| message::ActiveModel {
            direction: Set(Direction::Sent),
            origin: Set(origin.to_owned()),
            ..row
        }
    };
    let read = bakery.chat("read", |row| chat::ActiveModel { read: Set(true), ..row }).await;
    let new = bakery.chat("new", unread).await;
    let answered = bakery.chat("answered", unread).await;
    let by_bot = bakery.chat("by a bot", unread).await;
    for id in [read, new, answered, by_bot] {
        bakery.message(id, START, |row| row).await;
        bakery.message(id, START.plus_seconds(2), |row| row).await;
    }
    bakery.message(answered, START.plus_seconds(1), sent("Public API")).await;
    bakery.message(by_bot, START.plus_seconds(3), sent("Bot")).await;
    step_again(&app.app.db, "m0062_unread").await;
    for (id, expected) in [(read, 0), (new, 2), (answered, 1), (by_bot, 2)] {
        let chat = bakery.token.get(&format!("/chats/{id}")).await.expect(200)["data"].clone();
        assert_eq!(chat["unread_count"], expected, "{}", chat["name"]);
    }
}
