//! Accepting messages: what is answered is stored and charged, what is refused leaves no trace.

use entity::{chat, credit_entry, message, send_queue};
use futures_util::future::join_all;
use sea_orm::EntityTrait;
use serde_json::json;

use crate::support::{TestApp, sender::Sender};

/// Everything that sending writes: messages, entries of the ledger that concern messages, and queued messages.
async fn traces(app: &TestApp) -> (usize, usize, i64) {
    let db = app.app.db.reader();
    let messages = message::Entity::find().all(db).await.expect("messages");
    let entries = credit_entry::Entity::find().all(db).await.expect("entries");
    let queues = send_queue::Entity::find().all(db).await.expect("queues");
    let charges = entries.iter().filter(|entry| entry.message_id.is_some()).count();
    (messages.len(), charges, queues.iter().map(|queue| queue.queued).sum())
}

#[tokio::test]
async fn a_message_is_stored_charged_and_queued_once() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let uid = sender.token.send("+15550002222", "hello").await.expect(200)["data"]["message_uid"].clone();
    assert_eq!(sender.token.credits().await, (1, 10));
    assert_eq!(traces(&app).await, (1, 1, 1));
    let stored = message::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a message");
    assert_eq!(stored.id.to_string(), uid.as_str().expect("a uid"));
    assert_eq!((stored.text.as_deref(), stored.account_id.0), (Some("hello"), sender.account_id));
}

#[tokio::test]
async fn a_second_message_goes_to_the_same_chat_however_it_is_addressed() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    sender.token.send("15550002222", "one").await.expect(200);
    let jid = json!({ "jid": "15550002222@s.whatsapp.net", "text": "two", "chat_name": "Ann", "label": "vip" });
    let second = sender.token.post("/messages/to_jid", jid).await.expect(200);
    let chats = chat::Entity::find().all(app.app.db.reader()).await.expect("chats");
    assert_eq!(chats.len(), 1);
    assert_eq!((chats[0].name.as_str(), chats[0].phone.as_deref()), ("Ann", Some("+15550002222")));
    let path = format!("/chats/{}/messages", chats[0].id);
    let answered = json!({ "text": "three", "reply_to": second["data"]["message_uid"] });
    sender.token.post(&path, answered).await.expect(200);
    assert_eq!(traces(&app).await, (3, 3, 3));
    let labels = entity::chat_label::Entity::find().all(app.app.db.reader()).await.expect("labels");
    assert_eq!(labels.iter().map(|label| label.label.as_str()).collect::<Vec<_>>(), ["vip"]);
}

#[tokio::test]
async fn what_cannot_be_sent_leaves_no_trace() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let stranger = Sender::of(&app, app.partner("stranger").await, "Other", "+15550009999").await;
    stranger.token.send("+15550002222", "theirs").await.expect(200);
    let foreign = message::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a message");
    let before = traces(&app).await;
    let long = "x".repeat(2001);
    for (path, body, status, word, text) in [
        ("/messages", json!({ "phone": "12", "text": "x" }), 400, "validation_error", "Wrong phone number \"12\""),
        (
            "/messages",
            json!({ "phone": "+15550002222" }),
            400,
            "validation_error",
            "text: text or file_uid is required",
        ),
        ("/messages", json!({ "phone": "+15550002222", "text": long }), 400, "validation_error", "at most 2000"),
        ("/messages", json!({ "phone": "+15550002222", "text": "a\u{0}" }), 400, "validation_error", "U+0000"),
        ("/messages", json!({ "text": "x" }), 400, "validation_error", "phone"),
        ("/messages", json!({ "phone": "+15550002222", "text": 5 }), 400, "validation_error", "text"),
        (
            "/messages",
            json!({ "phone": "+15550002222", "file_uid": "f" }),
            404,
            "not_found",
            "File uid \"f\" not found",
        ),
        (
            "/messages",
            json!({ "phone": "+15550002222", "text": "x", "attachment_template_id": 7 }),
            404,
            "not_found",
            "Attachment template 7 not found",
        ),
        (
            "/messages",
            json!({ "phone": "+15550002222", "text": "x", "whatsapp_account_phone": "+15550009999" }),
            404,
            "not_found",
            "+15550009999",
        ),
        ("/messages/to_jid", json!({ "jid": "1@lid", "text": "x" }), 400, "validation_error", "jid"),
        ("/chats/999/messages", json!({ "text": "x" }), 404, "not_found", "Whatsapp chat_id \"999\" not found"),
        ("/chats/x/messages", json!({ "text": "x" }), 404, "not_found", "Whatsapp chat_id \"x\" not found"),
        ("/chats/{foreign}/messages", json!({ "text": "x" }), 404, "not_found", "not found"),
        (
            "/messages/to_jid",
            json!({ "jid": "15550002222@s.whatsapp.net", "text": "x", "reply_to": foreign.id }),
            404,
            "not_found",
            "Message uid",
        ),
    ] {
        let path = path.replace("{foreign}", &foreign.chat_id.to_string());
        let answer = sender.token.post(&path, body.clone()).await;
        let refused = answer.expect(status);
        assert_eq!(refused["error_code"], word, "{body}: {refused}");
        assert!(refused["message"].as_str().is_some_and(|message| message.contains(text)), "{body}: {refused}");
    }
    assert_eq!(traces(&app).await, before);
    assert_eq!(sender.token.credits().await, (0, 10));
}

#[tokio::test]
async fn without_a_connected_account_nothing_is_sent() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    sender.token.send("+15550002222", "one").await.expect(200);
    let owner = sender.partner.owner(&sender.workspace).await;
    let path = format!("/workspaces/{}/users/{owner}/whatsapp/disconnect", sender.workspace);
    sender.partner.post_empty(&path).await.expect(200);
    let chat = chat::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a chat");
    let refused = sender.token.send("+15550002222", "two").await.expect(409);
    assert_eq!(refused["error_code"], "account_inactive");
    let path = format!("/chats/{}/messages", chat.id);
    sender.token.post(&path, json!({ "text": "two" })).await.expect(409);
    assert_eq!(sender.token.credits().await, (1, 10));
}

#[tokio::test]
async fn the_same_key_sends_once_and_answers_twice() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 2).await;
    let body = json!({ "phone": "+15550002222", "text": "hello" });
    let first = sender.token.post_with_key("/messages", "k", body.clone()).await.expect(200);
    sender.token.send("+15550002222", "the last credit").await.expect(200);
    let again = sender.token.post_with_key("/messages", "k", body.clone()).await.expect(200);
    assert_eq!(first, again, "even though there are no credits left");
    let other = json!({ "phone": "+15550002222", "text": "another" });
    let refused = sender.token.post_with_key("/messages", "k", other.clone()).await.expect(409);
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("Idempotency-Key")), "{refused}");
    sender.token.post_with_key("/messages", "new", other).await.expect(403);
    assert_eq!(sender.token.credits().await, (2, 2));
    assert_eq!(traces(&app).await, (2, 2, 2));
}

#[tokio::test]
async fn the_same_key_at_once_sends_once() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 100).await;
    let body = json!({ "phone": "+15550002222", "text": "hello" });
    let answers = join_all((0..20).map(|_| sender.token.post_with_key("/messages", "k", body.clone()))).await;
    let uids: std::collections::HashSet<String> =
        answers.iter().map(|answer| answer.expect(200)["data"]["message_uid"].to_string()).collect();
    assert_eq!(uids.len(), 1);
    assert_eq!(traces(&app).await, (1, 1, 1));
}

#[tokio::test]
async fn two_hundred_sends_on_fifty_credits_are_fifty() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 50).await;
    let answers = join_all((0..200).map(|n| {
        let token = sender.token.clone();
        async move { token.send("+15550002222", &format!("message {n}")).await }
    }))
    .await;
    let accepted = answers.iter().filter(|answer| answer.status.as_u16() == 200).count();
    for refused in answers.iter().filter(|answer| answer.status.as_u16() != 200) {
        assert_eq!(refused.expect(403)["error_code"], "quota_exceeded");
    }
    assert_eq!((accepted, answers.len() - accepted), (50, 150));
    assert_eq!(traces(&app).await, (50, 50, 50));
    assert_eq!(sender.token.credits().await, (50, 50));
}
