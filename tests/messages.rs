//! Messages, one and in lists, and what became of them.

use entity::{
    chat,
    id::{ChatId, MessageId},
    message::{self, Status},
    timestamp::Timestamp,
};
use quartermaster::message::read;
use sea_orm::Set;
use serde_json::{Value, json};

use crate::support::{
    START, TestApp, TokenClient,
    conversation::{Conversations, escaped},
};

fn plain(row: chat::ActiveModel) -> chat::ActiveModel {
    row
}

/// Uids of the messages of a page, in order.
async fn uids(token: &TokenClient, chat: ChatId, query: &str) -> Vec<String> {
    let body = token.get(&format!("/chats/{chat}/messages?{query}")).await.expect(200);
    let messages = body["data"]["messages"].as_array().expect("messages");
    messages.iter().map(|message| message["uid"].as_str().expect("a uid").to_owned()).collect()
}

fn texts(ids: &[&MessageId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_message_has_two_ends() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    bakery.partner.patch("/workspaces/bakery", json!({ "time_zone": "Europe/Paris" })).await.expect(200);
    let chat = bakery.chat("Ann Lee", plain).await;
    let received = bakery.message(chat, START, |row| row).await;
    let sent = bakery.sent(chat, START.plus_seconds(1), Status::Delivered).await;
    let agent = format!("Agent {}", bakery.user_id);
    let message = |uid: MessageId, at: &str, changes: Value| {
        let mut message = json!({
            "uid": uid.to_string(), "chat_id": chat.0, "timestamp": at, "received_timestamp": at, "text": "hello",
            "attachment_url": null, "attachment_filename": null, "has_attachment": false, "status": "Delivered",
            "message_type": "whatsapp", "reactions": { "users": [], "reactions": {}, "total": 0 },
            "failure_reason": null,
        });
        message.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        message
    };
    let received = message(
        received,
        "2026-09-10 10:00:00 +0200",
        json!({
            "sender_phone": "+493000000000", "sender_name": "Ann Lee", "recipient_phone": "+15550001111",
            "recipient_name": agent, "from_me": false, "origin": "synced from WhatsApp",
            "data": { "whatsapp_from_me": false }, "created_by": "",
        }),
    );
    let sent = message(
        sent,
        "2026-09-10 10:00:01 +0200",
        json!({
            "sender_phone": "+15550001111", "sender_name": agent, "recipient_phone": "+493000000000",
            "recipient_name": "Ann Lee", "from_me": true, "origin": "Public API",
            "data": { "whatsapp_from_me": true }, "created_by": agent,
        }),
    );
    let page = bakery.token.get(&format!("/chats/{chat}/messages")).await.expect(200);
    assert_eq!(page, json!({ "status": "ok", "data": { "has_more_pages": false, "messages": [sent, received] } }));
    for message in [received, sent] {
        let one = bakery.token.get(&format!("/messages/{}", message["uid"].as_str().expect("a uid"))).await.expect(200);
        assert_eq!(one, json!({ "status": "ok", "data": message }));
    }
}

#[tokio::test]
async fn of_a_group_the_writer_is_not_known() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let group = bakery.group("Team").await;
    let ends = async |id: MessageId| {
        let body = bakery.token.get(&format!("/messages/{id}")).await.expect(200);
        ["sender_phone", "sender_name", "recipient_phone", "recipient_name"]
            .map(|field| body["data"][field].as_str().expect("text").to_owned())
    };
    let agent = format!("Agent {}", bakery.user_id);
    let received = bakery.message(group, START, |row| row).await;
    assert_eq!(ends(received).await, ["", "", "+15550001111", &agent]);
    let sent = bakery.sent(group, START.plus_seconds(1), Status::Sent).await;
    assert_eq!(ends(sent).await, ["+15550001111", &agent, "", "Team"]);
}

#[tokio::test]
async fn statuses_have_the_contracts_words() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    let words = [
        (Status::Queued, "Pending"),
        (Status::Sending, "Sending"),
        (Status::Unknown, "Sending"),
        (Status::Sent, "Sent"),
        (Status::Delivered, "Delivered"),
        (Status::Read, "Read"),
        (Status::Failed, "Failed"),
    ];
    for (number, (status, word)) in (0..).zip(words) {
        let id = bakery.sent(chat, START.plus_seconds(number), status).await;
        assert_eq!(bakery.token.get(&format!("/messages/{id}")).await.expect(200)["data"]["status"], word);
    }
    let without_text = |row| message::ActiveModel { text: Set(None), failure: Set(Some("why".to_owned())), ..row };
    let id = bakery.message(chat, START.plus_seconds(60), without_text).await;
    let shown = bakery.token.get(&format!("/messages/{id}")).await.expect(200)["data"].clone();
    assert_eq!((&shown["text"], &shown["failure_reason"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn filters_and_order_of_a_chats_messages() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    let other = bakery.chat("Bob", plain).await;
    let a = bakery.message(chat, START, |row| row).await;
    let b = bakery.sent(chat, START.plus_seconds(60), Status::Sent).await;
    let elsewhere = bakery.message(other, START.plus_seconds(90), |row| row).await;
    let c = bakery.message(chat, START.plus_seconds(120), |row| row).await;
    let d = bakery.sent(chat, START.plus_seconds(180), Status::Queued).await;
    for (query, expected) in [
        (String::new(), vec![&d, &c, &b, &a]),
        ("sorting_order=desc".to_owned(), vec![&d, &c, &b, &a]),
        ("sorting_order=asc".to_owned(), vec![&a, &b, &c, &d]),
        ("from_me=true".to_owned(), vec![&d, &b]),
        ("from_me=false&sorting_order=asc".to_owned(), vec![&a, &c]),
        (format!("after_message={b}"), vec![&d, &c]),
        (format!("before_message={c}"), vec![&b, &a]),
        (format!("after_message={a}&before_message={d}&sorting_order=asc"), vec![&b, &c]),
        (format!("after_message={d}"), vec![]),
        (format!("after_message={d}&before_message={a}"), vec![]),
        ("after=2026-09-10T08:01:00Z".to_owned(), vec![&d, &c, &b]),
        ("before=2026-09-10T08:01:00Z".to_owned(), vec![&b, &a]),
        ("after=2026-09-10T08:01:00&before=2026-09-10T08:02:00".to_owned(), vec![&c, &b]),
        ("after=2026-09-10".to_owned(), vec![&d, &c, &b, &a]),
        ("before=2026-09-09".to_owned(), vec![]),
        ("after=&before=&after_message=&before_message=&sorting_order=".to_owned(), vec![&d, &c, &b, &a]),
        (format!("after=2026-09-10T08:01:00&from_me=true&before_message={d}"), vec![&b]),
    ] {
        assert_eq!(uids(&bakery.token, chat, &query).await, texts(&expected), "{query}");
    }
    let foreign = elsewhere.to_string();
    let unknown = uuid::Uuid::nil().to_string();
    for (field, uid) in [
        ("after_message", foreign.as_str()),
        ("before_message", &foreign),
        ("after_message", &unknown),
        ("before_message", "x"),
        ("after_message", "\0"),
    ] {
        let path = format!("/chats/{chat}/messages?{field}={}", escaped(uid));
        let body = bakery.token.get(&path).await.expect(404);
        assert_eq!(body["error_code"], "not_found");
        assert_eq!(body["message"], format!("Message uid \"{uid}\" not found"));
    }
    for (query, field) in [
        ("page=0", "page"),
        ("from_me=x", "from_me"),
        ("after=x", "after"),
        ("after=%00", "after"),
        ("before=2026-09-10T25:00", "before"),
        ("sorting_order=up", "sorting_order"),
        ("sorting_order=%00", "sorting_order"),
    ] {
        let body = bakery.token.get(&format!("/chats/{chat}/messages?{query}")).await.expect(400);
        assert_eq!(body["error_code"], "validation_error", "{query}");
        assert_eq!(body["errors"][0]["fields"], json!([field]), "{query}");
    }
}

#[tokio::test]
async fn dates_are_days_of_the_workspaces_zone() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    bakery.partner.patch("/workspaces/bakery", json!({ "time_zone": "Europe/Paris" })).await.expect(200);
    let chat = bakery.chat("Ann", plain).await;
    // The clocks go forward on 2027-03-28 at 01:00 UTC, from 02:00 to 03:00.
    let midnight = 1_806_188_400;
    let mut ids = Vec::new();
    for seconds in [-1, 0, 7199, 7200, 23 * 3600 - 1, 23 * 3600] {
        ids.push(bakery.message(chat, Timestamp((midnight + seconds) * 1_000_000 + 1), |row| row).await);
    }
    let body = bakery.token.get(&format!("/chats/{chat}/messages?sorting_order=asc")).await.expect(200);
    let shown: Vec<_> =
        body["data"]["messages"].as_array().expect("messages").iter().map(|m| &m["timestamp"]).collect();
    let expected = [
        "2027-03-27 23:59:59 +0100",
        "2027-03-28 00:00:00 +0100",
        "2027-03-28 01:59:59 +0100",
        "2027-03-28 03:00:00 +0200",
        "2027-03-28 23:59:59 +0200",
        "2027-03-29 00:00:00 +0200",
    ];
    assert_eq!(shown, expected);
    for (query, range) in [
        ("after=2027-03-28&before=2027-03-28", 1..5),
        ("before=2027-03-27", 0..1),
        ("after=2027-03-29", 5..6),
        ("after=2027-03-28T03:00:00", 3..6),
        ("before=2027-03-28T01:59:59", 0..3),
        ("after=2027-03-28T00:00:00Z&before=2027-03-28T02:00:00Z", 2..4),
    ] {
        let expected: Vec<String> = ids[range].iter().map(ToString::to_string).collect();
        assert_eq!(uids(&bakery.token, chat, &format!("sorting_order=asc&{query}")).await, expected, "{query}");
    }
}

#[tokio::test]
async fn messages_come_in_pages_of_fifty() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    let mut ids = Vec::new();
    for number in 0..51 {
        ids.push(bakery.message(chat, START.plus_seconds(number), |row| row).await.to_string());
    }
    let first = bakery.token.get(&format!("/chats/{chat}/messages?limit=5")).await.expect(200);
    assert_eq!(first["data"]["has_more_pages"], true);
    let newest: Vec<String> = ids.iter().rev().cloned().collect();
    assert_eq!(uids(&bakery.token, chat, "page=1").await, newest[..50]);
    let second = bakery.token.get(&format!("/chats/{chat}/messages?page=2")).await.expect(200);
    assert_eq!(second["data"]["has_more_pages"], false);
    assert_eq!(uids(&bakery.token, chat, "page=2").await, newest[50..]);
    assert_eq!(uids(&bakery.token, chat, "page=2&sorting_order=asc").await, ids[50..]);
    assert_eq!(uids(&bakery.token, chat, "page=2&sorting_order=ASC").await, ids[50..]);
    assert_eq!(uids(&bakery.token, chat, "page=2&sorting_order=Desc&from_me=").await, newest[50..]);
    assert!(uids(&bakery.token, chat, "page=3").await.is_empty());
}

#[tokio::test]
async fn the_history_tells_what_became_of_a_message() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    bakery.partner.patch("/workspaces/bakery", json!({ "time_zone": "Europe/Paris" })).await.expect(200);
    let chat = bakery.chat("Ann", plain).await;
    let history = async |id: MessageId| bakery.token.get(&format!("/messages/{id}/status_history")).await.expect(200);
    let arrived = bakery.sent(chat, START, Status::Read).await;
    assert_eq!(history(arrived).await, json!({ "status": "ok", "data": [] }));
    let failed = bakery.sent(chat, START.plus_seconds(1), Status::Failed).await;
    // Written in another order than they happened in, two of them in one instant.
    for (status, seconds, reason) in [
        (Status::Queued, 0, None),
        (Status::Sending, 1, None),
        (Status::Read, 4, None),
        (Status::Sent, 2, Some("not a failure")),
        (Status::Delivered, 4, None),
        (Status::Unknown, 1, None),
    ] {
        bakery.status(arrived, status, START.plus_seconds(seconds), reason).await;
    }
    bakery.status(failed, Status::Failed, START.plus_seconds(3), Some("not on WhatsApp")).await;
    let step = |status: &str, second: i64| json!({ "status": status, "timestamp": format!("2026-09-10 10:00:0{second} +0200") });
    assert_eq!(history(arrived).await["data"], json!([step("Sent", 2), step("Read", 4), step("Delivered", 4)]));
    let mut expected = step("Failed", 3);
    expected["failure_reason"] = json!("not on WhatsApp");
    assert_eq!(history(failed).await["data"], json!([expected]));
}

#[tokio::test]
async fn calls_stand_in_the_history_and_are_the_newest_of_their_chat() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let text = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Call me" });
    bakery.partner.post("/sandbox/inbound", text).await.expect(200);
    let only = async || bakery.token.get("/chats").await.expect(200)["data"]["chats"][0].clone();
    let path = format!("/chats/{}", only().await["id"]);
    let with_call = async || bakery.token.get("/chats?with_msg=1").await.expect(200)["data"]["chats"][0].clone();
    let mut uids = Vec::new();
    for (direction, status, is_missed) in [
        ("incoming", "Missed", true),
        ("incoming", "Answered", false),
        ("outgoing", "No Answer", false),
        ("outgoing", "Rejected", false),
    ] {
        let done = json!({ "read": true, "closed": true });
        let mut expected = bakery.token.patch(&path, done).await.expect(200)["data"].clone();
        app.clock.advance(std::time::Duration::from_secs(60));
        let call = json!({ "phone": "+15550001111", "with": "+15557770000", "direction": direction, "status": status });
        uids.push(bakery.partner.post("/sandbox/call", call).await.expect(200)["call_uids"][0].clone());
        let shown = only().await;
        expected["last_message_uid"] = uids[uids.len() - 1].clone();
        expected["last_message_timestamp"] = shown["last_message_timestamp"].clone();
        expected["read"] = json!(!is_missed);
        expected["unread_count"] = json!(i64::from(is_missed));
        expected["closed"] = json!(!is_missed);
        assert_eq!(shown, expected, "only a missed call is something that somebody has to see");
        let last = with_call().await["last_message"].clone();
        assert_eq!((&last["uid"], &last["status"]), (&expected["last_message_uid"], &json!(status)));
        assert_eq!(
            (&last["message_type"], &last["timestamp"]),
            (&json!("whatsapp_call"), &shown["last_message_timestamp"])
        );
    }
    let history = bakery.token.get(&format!("{path}/messages?sorting_order=asc")).await.expect(200)["data"].clone();
    let history = history["messages"].as_array().expect("messages").clone();
    assert_eq!(history.len(), 5);
    let agent = format!("Agent {}", bakery.user_id);
    let ends = [("+15557770000", "+15557770000"), ("+15550001111", agent.as_str())];
    for ((number, shown), (status, is_ours)) in history[1..].iter().enumerate().zip([
        ("Missed", false),
        ("Answered", false),
        ("No Answer", true),
        ("Rejected", true),
    ]) {
        let (sender, recipient) = if is_ours { (ends[1], ends[0]) } else { (ends[0], ends[1]) };
        assert_eq!((&shown["uid"], &shown["status"]), (&uids[number], &json!(status)));
        assert_eq!((&shown["message_type"], &shown["text"]), (&json!("whatsapp_call"), &Value::Null));
        assert_eq!((&shown["from_me"], &shown["created_by"]), (&json!(is_ours), &json!("")));
        assert_eq!((&shown["sender_phone"], &shown["sender_name"]), (&json!(sender.0), &json!(sender.1)));
        assert_eq!((&shown["recipient_phone"], &shown["recipient_name"]), (&json!(recipient.0), &json!(recipient.1)));
        let path = format!("/messages/{}", uids[number].as_str().expect("a uid"));
        assert_eq!(bakery.token.get(&path).await.expect(200)["data"], *shown);
        assert_eq!(bakery.token.get(&format!("{path}/status_history")).await.expect(200)["data"], json!([]));
    }
    let ours = uids_of(&bakery.token.get(&format!("{path}/messages?from_me=true")).await.expect(200));
    assert_eq!(ours, [uids[3].clone(), uids[2].clone()]);
    let report = quartermaster::credit::verify::verify(&app.app).await.expect("a report");
    assert!(report.drift.is_empty(), "{report:?}");
}

fn uids_of(list: &Value) -> Vec<Value> {
    list["data"]["messages"].as_array().expect("messages").iter().map(|message| message["uid"].clone()).collect()
}

#[tokio::test]
async fn messages_of_others_do_not_exist() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let stranger = Conversations::start(&app, "stranger", "+15550003333").await;
    let chat = bakery.chat("Ann", plain).await;
    let message = bakery.message(chat, START, |row| row).await.to_string();
    let own = stranger.chat("Eve", plain).await;
    let error = read::get(&app.app, stranger.workspace_id, &message).await.expect_err("no message");
    assert_eq!(error.code().to_string(), "message_not_found");
    let unknown = uuid::Uuid::nil().to_string();
    for (path, uid) in [
        (message.as_str(), message.as_str()),
        (&unknown, &unknown),
        ("7", "7"),
        ("hello%20there", "hello there"),
        ("%00", "\0"),
    ] {
        for suffix in ["", "/status_history"] {
            let body = stranger.token.get(&format!("/messages/{path}{suffix}")).await.expect(404);
            assert_eq!(body["error_code"], "not_found", "{path}{suffix}");
            assert_eq!(body["message"], format!("Message uid \"{uid}\" not found"), "{path}{suffix}");
        }
    }
    let body = stranger.token.get(&format!("/chats/{own}/messages?after_message={message}")).await.expect(404);
    assert_eq!(body["message"], format!("Message uid \"{message}\" not found"));
    bakery.token.get(&format!("/messages/{message}")).await.expect(200);
}
