//! What systems commonly do with several requests: hand new chats to whom their labels say, and close those in which
//! nobody has written for long.

use entity::{chat, id::ChatId, timestamp::Timestamp};
use sea_orm::Set;
use serde_json::{Value, json};

use crate::{
    client_requests::{names, teammate, workspace},
    support::{START, TestApp, TokenClient},
};

const DAY_SECONDS: i64 = 24 * 3600;

/// Gives a chat to whoever its labels say.
async fn route_chat(token: &TokenClient, chat: ChatId) {
    let labels = token.get(&format!("/chats/{chat}/labels")).await.expect(200)["data"]["labels"].clone();
    let labels: Vec<&str> = labels.as_array().expect("labels").iter().filter_map(Value::as_str).collect();
    let agent = if labels.contains(&"enterprise") {
        "senior@company.com"
    } else if labels.contains(&"support") {
        "support@company.com"
    } else {
        "sales@company.com"
    };
    token.patch(&format!("/chats/{chat}"), json!({ "responsible": agent })).await.expect(200);
}

#[tokio::test]
async fn new_chats_go_to_whom_their_labels_say() {
    let app = TestApp::start().await;
    let bakery = workspace(&app, "+15550001111").await;
    for email in ["senior@company.com", "support@company.com", "sales@company.com"] {
        teammate(&app, &bakery, email).await;
    }
    for (name, labels) in [
        ("Large", vec!["enterprise"]),
        ("Large and lost", vec!["support", "enterprise"]),
        ("Lost", vec!["support", "vip"]),
        ("New", vec![]),
        ("Shouting", vec!["ENTERPRISE"]),
    ] {
        let chat = bakery.chat(name, |row| row).await;
        bakery.token.put(&format!("/chats/{chat}/labels"), json!({ "labels": labels })).await.expect(200);
        route_chat(&bakery.token, chat).await;
    }
    for (email, chats) in [
        ("senior@company.com", vec!["Large", "Large and lost"]),
        ("support@company.com", vec!["Lost"]),
        ("sales@company.com", vec!["New", "Shouting"]),
    ] {
        let page = bakery.token.get(&format!("/chats?responsible={email}")).await.expect(200)["data"].clone();
        assert_eq!(names(&page), chats, "{email}");
    }
    // A label that comes later moves the chat on, and tells who had it before.
    let chat = bakery.token.get("/chats?name=new").await.expect(200)["data"]["chats"][0].clone();
    let id = ChatId(chat["id"].as_i64().expect("a number"));
    bakery.token.put(&format!("/chats/{id}/labels"), json!({ "labels": ["support"] })).await.expect(200);
    route_chat(&bakery.token, id).await;
    let routed = bakery.token.get(&format!("/chats/{id}")).await.expect(200)["data"].clone();
    assert_eq!(
        (&routed["responsible"], &routed["responsible_name"]),
        (&json!("support@company.com"), &json!("support@company.com"))
    );
}

/// An instant as answers tell it.
fn instant(text: &Value) -> Timestamp {
    let text = text.as_str().expect("a time");
    let at = jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S %z", text).and_then(|time| time.to_timestamp());
    Timestamp(at.expect("an instant").as_microsecond())
}

/// All open chats, page by page.
async fn open_chats(token: &TokenClient) -> Vec<Value> {
    let mut chats = Vec::new();
    for page in 1.. {
        let list = token.get(&format!("/chats?closed=false&page={page}")).await.expect(200)["data"].clone();
        chats.extend(list["chats"].as_array().expect("chats").iter().cloned());
        if list["has_more_pages"] == false {
            break;
        }
    }
    chats
}

/// Closes the chats in which nobody has written since `cutoff`, or ever since they were made before it.
async fn close_inactive_chats(token: &TokenClient, cutoff: Timestamp) {
    for chat in open_chats(token).await {
        let path = format!("/chats/{}", chat["id"]);
        let messages = token.get(&format!("{path}/messages")).await.expect(200)["data"]["messages"].clone();
        let last = messages.get(0).map_or(&chat["created_timestamp"], |message| &message["timestamp"]);
        if instant(last) < cutoff {
            let closed = token.patch(&path, json!({ "closed": true })).await.expect(200);
            assert_eq!(closed["data"]["closed"], true);
        }
    }
}

#[tokio::test]
async fn chats_in_which_nobody_writes_are_closed() {
    let app = TestApp::start().await;
    let bakery = workspace(&app, "+15550001111").await;
    bakery.partner.patch("/workspaces/bakery", json!({ "time_zone": "Asia/Tokyo" })).await.expect(200);
    let old = |row| chat::ActiveModel { created_at: Set(START.plus_seconds(-90 * DAY_SECONDS)), ..row };
    // More than a page of them, so that who closes while it reads would pass some over.
    for number in 0..52 {
        let chat = bakery.chat(&format!("Silent {number:02}"), old).await;
        bakery.message(chat, START.plus_seconds(-31 * DAY_SECONDS - number), |row| row).await;
    }
    let (first, last) = (-30 * DAY_SECONDS - 1, -30 * DAY_SECONDS);
    for (name, at) in [("A second too old", first), ("Just so", last), ("Lively", -60)] {
        let chat = bakery.chat(name, old).await;
        bakery.message(chat, START.plus_seconds(at), |row| row).await;
    }
    bakery.chat("Never written in", old).await;
    bakery.chat("Made today", |row| row).await;
    bakery.chat("Closed long ago", |row| chat::ActiveModel { closed: Set(true), ..old(row) }).await;
    close_inactive_chats(&bakery.token, START.plus_seconds(-30 * DAY_SECONDS)).await;
    let open = open_chats(&bakery.token).await;
    let mut open: Vec<&str> = open.iter().map(|chat| chat["name"].as_str().expect("a name")).collect();
    open.sort_unstable();
    assert_eq!(open, ["Just so", "Lively", "Made today"]);
    let closed = bakery.token.get("/chats?closed=true&page=2").await.expect(200)["data"].clone();
    assert_eq!(closed["chats"].as_array().map(Vec::len), Some(52 + 3 - 50));
    assert_eq!(bakery.audited("chat.update").await, 52 + 2, "what was closed before is left alone");
    // Whoever writes again opens the chat.
    let body = json!({ "phone": "+15550001111", "from": "+493000000000", "text": "Are you still there?" });
    bakery.partner.post("/sandbox/inbound", body).await.expect(200);
    assert_eq!(open_chats(&bakery.token).await[0]["name"], "Silent 00");
}

#[tokio::test]
async fn who_closes_the_first_page_closes_that_page_only() {
    let app = TestApp::start().await;
    let bakery = workspace(&app, "+15550001111").await;
    for number in 0..51 {
        bakery.chat(&format!("Chat {number:02}"), |row| row).await;
    }
    let page = bakery.token.get("/chats?closed=false").await.expect(200)["data"].clone();
    for chat in page["chats"].as_array().expect("chats") {
        bakery.token.patch(&format!("/chats/{}", chat["id"]), json!({ "closed": true })).await.expect(200);
    }
    assert_eq!(names(&bakery.token.get("/chats?closed=false").await.expect(200)["data"]), ["Chat 50"]);
}
