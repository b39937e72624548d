//! Accepting messages: what is answered is stored and charged, what is refused leaves no trace.

use std::time::Duration;

use entity::{chat, credit_entry, id::MessageId, message, quota_period, send_queue};
use futures_util::future::join_all;
use quartermaster::{clock::Clock, db, message::send, token::check};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Set, Unchanged};
use serde_json::json;

use crate::{
    ledger::audited,
    support::{
        TestApp,
        sender::{Sender, text},
    },
};

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

/// Whatever came while it waited for its batch has a later id, and stays the newest.
#[tokio::test]
async fn a_message_is_not_newer_than_what_has_come_meanwhile() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    sender.token.send("+15550002222", "one").await.expect(200);
    let known = chat::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a chat");
    let later = MessageId(Clock::manual(known.created_at.plus_seconds(60)).uuid());
    let at = known.created_at.plus_seconds(60);
    let come = chat::ActiveModel {
        id: Unchanged(known.id),
        last_message_id: Set(Some(later)),
        last_message_at: Set(Some(at)),
        ..Default::default()
    };
    come.update(app.app.db.reader()).await.expect("a chat");
    sender.token.send("+15550002222", "two").await.expect(200);
    let jid = json!({ "jid": "15550002222@s.whatsapp.net", "text": "three", "label": "vip" });
    sender.token.post("/messages/to_jid", jid).await.expect(200);
    let chat = chat::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a chat");
    assert_eq!((chat.last_message_id, chat.last_message_at), (Some(later), Some(at)));
    app.clock.advance(Duration::from_secs(120));
    let newest = sender.token.send("+15550002222", "four").await.expect(200)["data"]["message_uid"].clone();
    let chat = chat::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a chat");
    assert_eq!(chat.last_message_id.map(|id| id.to_string()).as_deref(), newest.as_str());
    assert_eq!(chat.last_message_at, Some(app.clock.now()));
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
        ("/messages/to_jid", json!({ "jid": "1@broadcast", "text": "x" }), 400, "validation_error", "jid"),
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
async fn without_an_account_the_one_that_was_connected_last_sends() {
    let app = TestApp::start().await;
    let Sender { partner, .. } = Sender::with_credits(&app, 10).await;
    let shop = partner.workspace("Two phones", 2).await;
    let (owner, other) = (partner.owner(&shop).await, partner.users(&shop, 1).await[0]);
    let token = partner.get(&format!("/workspaces/{shop}/api-token")).await.expect(200);
    let token = app.token(token["token"].as_str().expect("a token"));
    let sender = async |account: Option<&str>| {
        let body = json!({ "phone": "+15550002222", "text": "hello", "whatsapp_account_phone": account });
        let uid = token.post("/messages", body).await.expect(200)["data"]["message_uid"].clone();
        let message = token.get(&format!("/messages/{}", uid.as_str().expect("a uid"))).await.expect(200);
        message["data"]["sender_phone"].as_str().expect("a number").to_owned()
    };
    let (first, second) = ("+15550003333", "+15550004444");
    partner.connect(&shop, owner, first).await;
    assert_eq!(sender(None).await, first);
    app.advance(60).await;
    partner.connect(&shop, other, second).await;
    assert_eq!(sender(None).await, second);
    assert_eq!(sender(Some(first)).await, first);
    partner.post_empty(&format!("/workspaces/{shop}/users/{owner}/whatsapp/disconnect")).await.expect(200);
    assert_eq!(sender(None).await, second);
    app.advance(60).await;
    partner.connect(&shop, owner, first).await;
    assert_eq!(sender(None).await, first);
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
    assert_eq!(refused["error_code"], "idempotency_key_reused");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("Idempotency-Key")), "{refused}");
    assert!(refused.get("errors").is_none(), "no field is at fault");
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
    assert_eq!(audited(&app).await.messages, 50);
}

/// All that a workspace sends changes one row. Whoever waits for it goes with the others that wait.
#[tokio::test]
async fn what_waits_for_the_row_of_a_busy_workspace_takes_it_together() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 1000).await;
    sender.token.send("+15550002222", "the first").await.expect(200);
    let caller = check::check(&app.app, sender.token.token()).await.expect("a caller");
    let revision = async || {
        let row = quota_period::Entity::find().one(app.app.db.reader()).await.expect("a look");
        row.expect("a period").revision
    };
    let before = revision().await;
    let one = |number| send::send(&app.app, text(&caller, "+15550002222", &format!("message {number}")));
    let mut sending = Box::pin(join_all((0..300).map(one)));
    // Somebody holds the row until all have been handed in.
    let holding = db::write(&app.app.db, "test", async |tx| {
        tx.execute_unprepared("UPDATE quota_periods SET revision = revision").await?;
        assert!(futures_util::poll!(&mut sending).is_pending());
        Ok(())
    });
    holding.await.expect("a commit");
    let sent = sending.await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(traces(&app).await, (301, 301, 301));
    // Each transaction counts it on once: the one that had begun to wait, and the one after it.
    let taken = revision().await - before;
    assert!((1..=2).contains(&taken), "{taken} transactions");
    audited(&app).await;
}

#[tokio::test]
async fn a_name_that_another_chat_has_is_refused_and_costs_nothing() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 20).await;
    let other = Sender::of(&app, app.partner("other").await, "Other", "+15550009999").await;
    let to = |phone: &str, name: &str| json!({ "phone": phone, "text": "Hello", "chat_name": name });
    sender.token.post("/messages", to("+15550002222", "Ann Lee")).await.expect(200);
    other.token.post("/messages", to("+15550002222", "Bob")).await.expect(200);
    sender.token.send("+15550003333", "Hello").await.expect(200);
    let before = (traces(&app).await, sender.token.credits().await);
    let ann = sender.token.get("/chats?name=ann").await.expect(200)["data"]["chats"][0]["id"].clone();
    let nameless = sender.token.get("/chats?phone=5550003333").await.expect(200)["data"]["chats"][0]["id"].clone();
    for (path, body) in [
        ("/messages".to_owned(), to("+15550003333", "Ann Lee")),
        ("/messages".to_owned(), to("+15550004444", " ANN lee ")),
        ("/messages/to_jid".to_owned(), json!({ "jid": "5@g.us", "text": "Hello", "chat_name": "ann lee" })),
        (format!("/chats/{nameless}/messages"), json!({ "text": "Hello", "chat_name": "Ann Lee" })),
        (format!("/v2/chats/{nameless}/messages"), json!({ "text": "Hello", "chat_name": "Ann Lee" })),
    ] {
        let refused = sender.token.post(&path, body.clone()).await.expect(400);
        assert_eq!(refused["error_code"], "validation_error", "{path}");
        let name = body["chat_name"].as_str().expect("a name").trim();
        assert_eq!(refused["message"], format!("Chat name \"{name}\" is taken by chat {ann}"), "{path}");
        assert!(refused.get("errors").is_none(), "a rule of ours, not of the schema");
    }
    assert_eq!((traces(&app).await, sender.token.credits().await), before);
    // The same chat keeps its name or changes it, and what was given up is free.
    for (phone, name) in [
        ("+15550002222", "ANN LEE"),
        ("+15550002222", "Ann Miller"),
        ("+15550003333", "Ann Lee"),
        ("+15550004444", "Bob"),
    ] {
        sender.token.post("/messages", to(phone, name)).await.expect(200);
        let digits = &phone[1..];
        let chat = sender.token.get(&format!("/chats?phone={digits}")).await.expect(200)["data"]["chats"][0].clone();
        assert_eq!(chat["name"], name);
    }
    // What was accepted is answered again, whoever has the name by now.
    let body = to("+15550005555", "Carl");
    let first = sender.token.post_with_key("/messages", "k", body.clone()).await.expect(200);
    sender.token.post("/messages", to("+15550005555", "Charles")).await.expect(200);
    sender.token.post("/messages", to("+15550004444", "Carl")).await.expect(200);
    assert_eq!(sender.token.post_with_key("/messages", "k", body).await.expect(200), first);
}

#[tokio::test]
async fn of_messages_that_bring_one_name_at_once_one_chat_gets_it() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 40).await;
    let (replica, old) = (app.replica().await, "+15550002000");
    sender.token.send(old, "Hello").await.expect(200);
    let chat = sender.token.get("/chats").await.expect(200)["data"]["chats"][0]["id"].clone();
    let sending = (0..10).map(|number| {
        let token = if number % 2 == 0 { sender.token.clone() } else { sender.token.at(&replica.base) };
        let body = json!({ "phone": format!("+1555000200{number}"), "text": "Hello", "chat_name": "The one" });
        async move { token.post("/messages", body).await.status.as_u16() }
    });
    let renaming = async {
        vec![sender.token.patch(&format!("/chats/{chat}"), json!({ "name": "THE ONE" })).await.status.as_u16()]
    };
    let (sent, renamed) = futures_util::future::join(join_all(sending), renaming).await;
    let mut statuses = [sent, renamed].concat();
    statuses.sort_unstable();
    let named = sender.token.get("/chats?name=the%20one").await.expect(200)["data"]["chats"].clone();
    assert_eq!(named.as_array().map(Vec::len), Some(1), "{named}");
    // The chat that has it may be named so again.
    let good = statuses.iter().filter(|status| **status == 200).count();
    assert!((1..=2).contains(&good) && statuses[good..].iter().all(|status| *status == 400), "{statuses:?}");
    assert_eq!(traces(&app).await.0, traces(&app).await.1, "whoever was refused paid nothing");
}

#[tokio::test]
async fn a_label_too_many_is_refused_and_costs_nothing() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 200).await;
    let labelled = |label: &str| json!({ "phone": "+15550002222", "text": "Hello", "label": label });
    sender.token.post("/messages", labelled("label 0")).await.expect(200);
    let path = format!("/chats/{}", sender.token.get("/chats").await.expect(200)["data"]["chats"][0]["id"]);
    let count = async || {
        let labels = sender.token.get(&format!("{path}/labels")).await.expect(200)["data"]["labels"].clone();
        labels.as_array().map_or(0, Vec::len)
    };
    let most: Vec<String> = (0..98).map(|number| format!("label {number}")).collect();
    sender.token.post(&format!("{path}/labels"), json!({ "labels": most })).await.expect(200);
    // More at once than there is room for, some of them twice, beside one who adds by hand.
    let sending = (0..8).map(|number| {
        let (token, body) = (sender.token.clone(), labelled(&format!("new {}", number / 2)));
        async move { token.post("/messages", body).await }
    });
    let labels = format!("{path}/labels");
    let adding = sender.token.put(&labels, json!({ "labels": ["by hand"] }));
    let (sent, added) = futures_util::future::join(join_all(sending), adding).await;
    assert_eq!(count().await, 100);
    let accepted = sent.iter().filter(|answer| answer.status.as_u16() == 200).count();
    let by_hand = usize::from(added.status.as_u16() == 200);
    assert!((2 - by_hand..=2 * (2 - by_hand)).contains(&accepted), "{accepted} {by_hand}");
    let before = (traces(&app).await, sender.token.credits().await);
    assert_eq!(before.0.0, accepted + 1);
    for (path, body) in [
        ("/messages".to_owned(), labelled("one more")),
        (format!("{path}/messages"), json!({ "text": "x", "label": "LABEL 1" })),
    ] {
        let refused = sender.token.post(&path, body).await.expect(400);
        assert_eq!(
            (&refused["error_code"], &refused["errors"][0]["fields"]),
            (&json!("validation_error"), &json!(["label"]))
        );
    }
    assert_eq!((traces(&app).await, sender.token.credits().await, count().await), (before.0, before.1, 100));
    sender.token.post("/messages", labelled("label 1")).await.expect(200);
    let another = json!({ "phone": "+15550003333", "text": "Hello", "label": "one more" });
    sender.token.post("/messages", another).await.expect(200);
}
