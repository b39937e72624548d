//! What happens and what is told of it: each body against the schema of the contract, and what it says.

use std::{collections::BTreeMap, time::Duration};

use entity::{
    channel, chat,
    id::{ChatId, MessageId},
    message, user,
};
use quartermaster::{
    db,
    message::{
        Jid,
        reaction::{self, Emoji},
    },
    webhook::tell::{self, Reaction, ReactionAction},
};
use sea_orm::{EntityTrait, Set};
use serde_json::{Value, json};

use crate::{
    subscriptions::{conversations, hook, lenient, schemas, start, write},
    support::{
        Setup, TestApp, TokenClient,
        conversation::Conversations,
        receiver::{Received, Receiver},
    },
};

/// Subscribes a receiver to these types.
pub(super) async fn hear(token: &TokenClient, receiver: &Receiver, types: &[&str]) {
    for event_type in types {
        hook(token, event_type, receiver).await;
    }
}

/// What was told, by type, each body checked; the receiver forgets it.
pub(super) fn told(receiver: &Receiver) -> BTreeMap<String, Value> {
    let bodies = receiver.received().iter().map(Received::json).collect::<Vec<_>>();
    receiver.forget();
    let mut told = BTreeMap::new();
    for body in bodies {
        schemas::check(&body);
        let event_type = body["event_type"].as_str().expect("a type").to_owned();
        assert!(told.insert(event_type.clone(), body).is_none(), "{event_type} was told twice");
    }
    told
}

fn types(told: &BTreeMap<String, Value>) -> Vec<&str> {
    told.keys().map(String::as_str).collect()
}

async fn find_chat(app: &TestApp, id: &Value) -> chat::Model {
    let id = ChatId(id.as_i64().expect("a number"));
    chat::Entity::find_by_id(id).one(app.app.db.reader()).await.expect("a look").expect("a chat")
}

#[tokio::test]
async fn a_received_message_and_its_new_chat() {
    let app = start().await;
    let acme = conversations(&app).await;
    acme.partner.patch(&format!("/workspaces/{}", acme.slug), json!({ "time_zone": "Europe/Paris" })).await.expect(200);
    let receiver = Receiver::start().await;
    let all = ["message:new", "message:sent:new", "message:received:new", "chat:new", "chat:incoming:new"];
    hear(&acme.token, &receiver, &all).await;
    hear(&acme.token, &receiver, &["chat:outgoing:new"]).await;
    write(&acme, "Grüß Gott \"you\"").await;
    app.run_jobs().await;
    let first = told(&receiver);
    assert_eq!(types(&first), ["chat:incoming:new", "chat:new", "message:new", "message:received:new"]);
    let body = &first["message:received:new"];
    let chat = find_chat(&app, &body["chat"]["chat_id"]).await;
    let user = acme.user_id.0;
    let (name, email) = (format!("Agent {user}"), format!("{user}-{}@partners.127.0.0.1", acme.slug));
    let expected = json!({
        "event_type": "message:received:new",
        "chat": {
            "full_name": "+15557770000", "chat_url": format!("{}/chat/{}/messages/", app.base, chat.id),
            "chat_id": chat.id, "is_group": false, "phone": "+15557770000",
        },
        "whatsapp_account": { "full_name": name, "email": email, "phone": "+15550001111" },
        "message": {
            "text": "Grüß Gott \"you\"", "direction": "received", "origin": "synced from WhatsApp",
            "timestamp": "2026-09-10 10:00:00 +0200", "received_timestamp": "2026-09-10 10:00:00 +0200",
            "message_uid": chat.last_message_id.expect("a message"),
            "sender": { "full_name": "+15557770000", "phone": "+15557770000" },
            "recipient": { "full_name": name, "phone": "+15550001111" }, "attachments": [],
        },
    });
    assert_eq!(body, &expected);
    let mut same = first["message:new"].clone();
    same["event_type"] = json!("message:received:new");
    assert_eq!(same, expected);
    let of_chat = &first["chat:new"]["chat"];
    assert_eq!((&of_chat["id"], &of_chat["name"]), (&json!(chat.id), &json!("+15557770000")));
    assert_eq!(of_chat["last_message_uid"], expected["message"]["message_uid"]);
    assert_eq!((&of_chat["jid"], &of_chat["read"]), (&json!("15557770000@s.whatsapp.net"), &json!(false)));
    write(&acme, "again").await;
    app.run_jobs().await;
    assert_eq!(types(&told(&receiver)), ["message:new", "message:received:new"], "the chat is known");
}

#[tokio::test]
async fn a_sent_message_is_told_a_second_after_it_was_accepted() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    let all = ["message:new", "message:sent:new", "message:received:new", "chat:new", "chat:incoming:new"];
    hear(&acme.token, &receiver, &all).await;
    hear(&acme.token, &receiver, &["chat:outgoing:new"]).await;
    let sent = acme.token.send("+15557770000", "hello").await.expect(200)["data"]["message_uid"].clone();
    app.run_jobs().await;
    assert_eq!(types(&told(&receiver)), ["chat:new", "chat:outgoing:new"], "its sender has no uid yet");
    app.advance(1).await;
    let first = told(&receiver);
    assert_eq!(types(&first), ["message:new", "message:sent:new"]);
    let message = &first["message:sent:new"]["message"];
    assert_eq!((&message["message_uid"], &message["direction"]), (&sent, &json!("sent")));
    assert_eq!((&message["origin"], &message["text"]), (&json!("Public API"), &json!("hello")));
    assert_eq!(message["recipient"], json!({ "full_name": "+15557770000", "phone": "+15557770000" }));
    assert_eq!(message["sender"]["phone"], "+15550001111");
    assert!(message.get("reply_to_uid").is_none());
    let chat = first["message:sent:new"]["chat"]["chat_id"].clone();
    let answer = json!({ "text": "and", "reply_to": sent, "label": "vip", "chat_name": "Ann" });
    acme.token.post(&format!("/chats/{chat}/messages"), answer).await.expect(200);
    app.advance(1).await;
    let second = told(&receiver);
    assert_eq!(types(&second), ["message:new", "message:sent:new"]);
    assert_eq!(second["message:new"]["message"]["reply_to_uid"], sent);
    assert_eq!(second["message:new"]["chat"]["full_name"], "Ann");
    let refused = json!({ "text": "no", "reply_to": "0198f000-0000-7000-8000-000000000001" });
    acme.token.post(&format!("/chats/{chat}/messages"), refused).await.expect(404);
    app.advance(2).await;
    assert_eq!(types(&told(&receiver)), [] as [&str; 0], "what was refused did not happen");
}

#[tokio::test]
async fn a_group_is_a_new_chat_and_neither_incoming_nor_outgoing() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    hear(&acme.token, &receiver, &["message:new", "chat:new", "chat:outgoing:new", "chat:incoming:new"]).await;
    let group = json!({ "jid": "120363041234567890@g.us", "text": "hello", "label": "team" });
    acme.token.post("/messages/to_jid", group).await.expect(200);
    app.advance(1).await;
    let first = told(&receiver);
    assert_eq!(types(&first), ["chat:new", "message:new"]);
    let chat = &first["chat:new"]["chat"];
    assert_eq!((&chat["is_group"], &chat["phone"]), (&json!(true), &json!("")));
    assert_eq!(chat["labels"], json!(["team"]));
    assert!(first["message:new"]["message"]["recipient"].get("phone").is_none());
}

#[tokio::test]
async fn many_messages_of_one_batch_are_each_told_once() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    hook(&acme.token, "message:sent:new", &receiver).await;
    hook(&acme.token, "chat:new", &receiver).await;
    let other = Conversations::start(&app, "other", "+15550002222").await;
    let sends = (0..30).flat_map(|number| {
        let (acme, other) = (&acme.token, &other.token);
        let phone = format!("+1555777{:04}", number % 10);
        let send = async move |token: &TokenClient| token.send(&phone, "hello").await.expect(200)["data"].clone();
        [(send.clone(), acme), (send, other)].map(|(send, token)| async move { send(token).await })
    });
    let uids = futures_util::future::join_all(sends).await;
    app.advance(1).await;
    let received = receiver.received();
    let of = |event_type: &str| -> Vec<Value> {
        let bodies = received.iter().map(Received::json);
        bodies.filter(|body| body["event_type"] == event_type).collect()
    };
    assert_eq!(of("chat:new").len(), 10);
    let mut told: Vec<String> =
        of("message:sent:new").iter().map(|body| body["message"]["message_uid"].to_string()).collect();
    let mut sent: Vec<String> = uids.iter().step_by(2).map(|data| data["message_uid"].to_string()).collect();
    told.sort();
    sent.sort();
    assert_eq!(told, sent);
}

#[tokio::test]
async fn delivered_read_and_failed_are_types_of_ours() {
    let app = Setup::default()
        .configured(|config| {
            lenient(config);
            config.sandbox_receipt_ms = 5000;
        })
        .start()
        .await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    hear(&acme.token, &receiver, &["message:delivered", "message:read", "message:failed"]).await;
    let sent = acme.token.send("+15557770000", "hello").await.expect(200)["data"]["message_uid"].clone();
    app.run_jobs().await;
    assert_eq!(types(&told(&receiver)), [] as [&str; 0], "sent is not told of");
    app.advance(5).await;
    let delivered = told(&receiver);
    assert_eq!(types(&delivered), ["message:delivered"]);
    let message = &delivered["message:delivered"]["message"];
    assert_eq!((&message["message_uid"], &message["status"]), (&sent, &json!("Delivered")));
    assert_eq!(message["status_timestamp"], "2026-09-10 08:00:05 +0000");
    assert_eq!(message["timestamp"], "2026-09-10 08:00:00 +0000");
    app.advance(5).await;
    assert_eq!(types(&told(&receiver)), ["message:read"]);
    let failing = acme.token.send("+15550000404", "hello").await.expect(200)["data"]["message_uid"].clone();
    app.run_jobs().await;
    let failed = told(&receiver);
    assert_eq!(types(&failed), ["message:failed"]);
    let message = &failed["message:failed"]["message"];
    assert_eq!((&message["message_uid"], &message["failure_reason"]), (&failing, &json!("not_on_network")));
}

#[tokio::test]
async fn accounts_are_connected_suspended_resumed_and_disconnected() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    let all = ["connected", "disconnected", "suspended", "resumed"].map(|word| format!("whatsapp:account:{word}"));
    hear(&acme.token, &receiver, &all.each_ref().map(String::as_str)).await;
    let path = format!("/workspaces/{}", acme.slug);
    let step = async |expected: &str, status: &str| {
        app.run_jobs().await;
        let told = told(&receiver);
        assert_eq!(types(&told), [expected]);
        let account = told[expected]["whatsapp_account"].clone();
        assert_eq!((&account["id"], &account["status"]), (&json!("15550001111@s.whatsapp.net"), &json!(status)));
        assert_eq!(account["account_name"], "Sandbox 1111");
        account
    };
    acme.partner.patch(&path, json!({ "seats_purchased": 1 })).await.expect(200);
    step("whatsapp:account:suspended", "disconnected").await;
    acme.partner.patch(&path, json!({ "seats_purchased": 3 })).await.expect(200);
    step("whatsapp:account:resumed", "active").await;
    app.clock.advance(Duration::from_secs(60));
    acme.partner.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    let ended = step("whatsapp:account:disconnected", "disconnected").await;
    assert_eq!(ended["disconnected_on"], "2026-09-10 08:01:00 +0000");
    acme.partner.connect(&acme.slug, acme.user_id.0, "+15550001111").await;
    let again = step("whatsapp:account:connected", "active").await;
    assert_eq!((&again["connected_on"], again.get("disconnected_on")), (&json!("2026-09-10 08:01:00 +0000"), None));
    let disconnect = format!("{path}/users/{}/whatsapp/disconnect", acme.user_id);
    acme.partner.post_empty(&disconnect).await.expect(200);
    step("whatsapp:account:disconnected", "disconnected").await;
    acme.partner.post_empty(&disconnect).await.expect(200);
    app.run_jobs().await;
    assert_eq!(types(&told(&receiver)), [] as [&str; 0], "nothing happened");
}

#[tokio::test]
async fn calls_are_told_after_they_have_ended() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    hear(&acme.token, &receiver, &["call:incoming:missed", "call:incoming:ended", "call:outgoing:ended"]).await;
    hear(&acme.token, &receiver, &["chat:new", "chat:incoming:new", "chat:outgoing:new", "message:new"]).await;
    let call = async |direction: &str, status: &str, more: Value| {
        let mut body = json!({ "phone": "+15550001111", "with": "+15557770000" });
        (body["direction"], body["status"]) = (json!(direction), json!(status));
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        acme.partner.post("/sandbox/call", body).await
    };
    let uid = call("incoming", "Missed", json!({})).await.expect(200)["call_uids"][0].clone();
    app.run_jobs().await;
    let first = told(&receiver);
    assert_eq!(types(&first), ["call:incoming:missed", "chat:incoming:new", "chat:new"]);
    let begun = &first["chat:new"]["chat"];
    assert_eq!((&begun["last_message_uid"], &begun["read"]), (&uid, &json!(false)));
    let body = &first["call:incoming:missed"];
    assert_eq!((&body["chat"]["phone"], &body["chat"]["chat_type"]), (&json!("15557770000"), &json!("direct")));
    assert_eq!(body["whatsapp_account"]["whatsapp_account_wid"], "15550001111@s.whatsapp.net");
    let details = &body["call_details"];
    assert_eq!((&details["message_uid"], &details["duration"]), (&uid, &json!(null)));
    assert_eq!((&details["caller"]["phone"], &details["is_video"]), (&json!("+15557770000"), &json!(false)));
    assert_eq!(details["recipient"]["phone"], "+15550001111");
    for (direction, status, more, expected) in [
        ("incoming", "Answered", json!({ "duration": 95, "is_video": true }), "call:incoming:ended"),
        ("incoming", "Rejected", json!({}), "call:incoming:ended"),
        ("outgoing", "Ended", json!({ "duration": 0 }), "call:outgoing:ended"),
        ("outgoing", "No Answer", json!({}), "call:outgoing:ended"),
        ("outgoing", "Rejected", json!({}), "call:outgoing:ended"),
    ] {
        call(direction, status, more.clone()).await.expect(200);
        app.run_jobs().await;
        let told = told(&receiver);
        assert_eq!(types(&told), [expected]);
        let details = &told[expected]["call_details"];
        assert_eq!((&details["status"], &details["direction"]), (&json!(status), &json!(direction)));
        assert_eq!((&details["duration"], &details["is_video"]), (&more["duration"], &json!(status == "Answered")));
        let caller = if direction == "incoming" { "+15557770000" } else { "+15550001111" };
        assert_eq!(details["caller"]["phone"], caller);
    }
    for (direction, status, more) in [
        ("incoming", "Ended", json!({})),
        ("outgoing", "Missed", json!({})),
        ("sideways", "Missed", json!({})),
        ("incoming", "Busy", json!({})),
        ("incoming", "Missed", json!({ "duration": 1 })),
        ("incoming", "Answered", json!({ "duration": -1 })),
        ("incoming", "Answered", json!({ "duration": 86_401 })),
        ("incoming", "Missed", json!({ "with": "nobody" })),
    ] {
        call(direction, status, more).await.expect_error(400, "invalid_request");
    }
    call("incoming", "Missed", json!({ "phone": "+15550009999" })).await.expect_error(409, "phone_not_linked");
    app.run_jobs().await;
    assert!(receiver.received().is_empty());
    let report = quartermaster::credit::verify::verify(&app.app).await.expect("a report");
    assert!(report.drift.is_empty(), "{report:?}");
}

#[tokio::test]
async fn the_same_key_calls_once_and_two_devices_hear_of_one_call() {
    let app = start().await;
    let acme = conversations(&app).await;
    let second = acme.partner.workspace("Second", 2).await;
    let owner = acme.partner.owner(&second).await;
    acme.partner.connect(&second, owner, "+15550001111").await;
    let body = json!({ "phone": "+15550001111", "with": "+15557770000", "direction": "incoming", "status": "Missed" });
    let first = acme.partner.post_with_key("/sandbox/call", "k", body.clone()).await.expect(200);
    assert_eq!(first["call_uids"].as_array().expect("uids").len(), 2);
    assert_eq!(acme.partner.post_with_key("/sandbox/call", "k", body).await.expect(200), first);
    let calls = entity::call::Entity::find().all(app.app.db.reader()).await.expect("calls");
    assert_eq!(calls.len(), 2);
    let ended = |session| quartermaster::call::Ended {
        session,
        with: quartermaster::message::Jid::parse("15557770000@s.whatsapp.net").expect("an id"),
        direction: entity::call::Direction::Incoming,
        outcome: entity::call::Outcome::Missed,
        is_video: false,
        duration_seconds: None,
        provider_ref: "x".to_owned(),
    };
    let account = channel::Entity::find_by_id(acme.account_id).one(app.app.db.reader()).await.expect("a look");
    let session = account.expect("an account").session;
    let twice = [ended(session), ended(session)];
    let uids = futures_util::future::join_all(twice.iter().map(|one| quartermaster::call::record(&app.app, one))).await;
    let uids: Vec<_> = uids.into_iter().map(|uid| uid.expect("a call")).collect();
    assert_eq!(uids[0], uids[1], "a provider that repeats itself");
}

#[tokio::test]
async fn somebody_or_nobody_is_responsible_for_a_chat() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    hear(&acme.token, &receiver, &["chat:responsible:assigned", "chat:responsible:unassigned"]).await;
    let chat_id = acme.chat("Ann", |row| row).await;
    acme.label(chat_id, "vip").await;
    let user = async |id: i64| {
        let found = user::Entity::find_by_id(entity::id::UserId(id)).one(app.app.db.reader()).await.expect("a look");
        found.expect("a user")
    };
    let agent = user(acme.user_id.0).await;
    let owner = user(acme.partner.owner(&acme.slug).await).await;
    let assign = async |email: &str| {
        let path = format!("/chats/{chat_id}");
        acme.token.patch(&path, json!({ "responsible": email })).await.expect(200);
        // What is so already is no news.
        acme.token.patch(&path, json!({ "responsible": email })).await.expect(200);
        app.run_jobs().await;
        told(&receiver)
    };
    let first = assign(&agent.email).await;
    assert_eq!(types(&first), ["chat:responsible:assigned"]);
    let chat = &first["chat:responsible:assigned"]["chat"];
    assert_eq!((&chat["responsible_email"], &chat["labels"]), (&json!(agent.email), &json!(["vip"])));
    assert!(chat.get("previous_responsible_email").is_none());
    let second = assign(&owner.email).await;
    let chat = &second["chat:responsible:assigned"]["chat"];
    assert_eq!(chat["responsible_name"], json!(owner.display_name));
    assert_eq!(chat["previous_responsible_email"], json!(agent.email));
    let third = assign("").await;
    assert_eq!(types(&third), ["chat:responsible:unassigned"]);
    let chat = &third["chat:responsible:unassigned"]["chat"];
    assert_eq!(chat["previous_responsible_name"], json!(owner.display_name));
    assert!(chat.get("responsible_name").is_none());
    assert_eq!((&chat["chatgpt_autoresponse_enabled"], &chat["unattended_customer"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn reactions_carry_all_that_stand_after_the_change() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    hear(&acme.token, &receiver, &["message:reaction"]).await;
    let chat_id = acme.chat("Ann", |row| row).await;
    let message_id: MessageId = acme.message(chat_id, app.clock.now(), |row| row).await;
    let react = async |action, reactions: &[(&str, i64)]| {
        let reaction = Reaction {
            workspace_id: acme.workspace_id,
            chat_id,
            message_id,
            action,
            emoji: "👍".to_owned(),
            reactor: ("Ann".to_owned(), "+493000000000".to_owned()),
            at: app.clock.now(),
            reactions: reactions.iter().map(|(emoji, count)| ((*emoji).to_owned(), *count)).collect(),
        };
        let reacted = db::write(&app.app.db, "test", async |tx| tell::reaction(&app.app, tx, &reaction).await);
        reacted.await.expect("a reaction");
        app.run_jobs().await;
        told(&receiver)["message:reaction"].clone()
    };
    let set = react(ReactionAction::Set, &[("👍", 2), ("❤", 1)]).await;
    assert_eq!(set["reaction"]["reactions"], json!({ "👍": 2, "❤": 1 }));
    assert_eq!((&set["reaction"]["message_uid"], &set["reaction"]["action"]), (&json!(message_id), &json!("set")));
    assert_eq!(set["chat"]["phone"], "493000000000");
    let clear = react(ReactionAction::Clear, &[]).await;
    assert_eq!((&clear["reaction"]["action"], &clear["reaction"]["reactions"]), (&json!("clear"), &json!({})));
}

#[tokio::test]
async fn reactions_of_the_workspace_are_told() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    hear(&acme.token, &receiver, &["message:reaction"]).await;
    let chat_id = acme.chat("Ann", |row| row).await;
    let message_id: MessageId = acme.message(chat_id, app.clock.now(), |row| row).await;
    for (reaction, action, reactions) in [("🎉", "set", json!({ "🎉": 1 })), ("", "clear", json!({}))] {
        acme.token
            .patch(&format!("/messages/{message_id}/reactions"), json!({ "reaction": reaction }))
            .await
            .expect(200);
        app.run_jobs().await;
        let told = told(&receiver)["message:reaction"]["reaction"].clone();
        assert_eq!((&told["action"], &told["emoji"]), (&json!(action), &json!("🎉")));
        assert_eq!(told["reactions"], reactions);
    }
}

#[tokio::test]
async fn of_people_who_react_at_once_each_is_told_with_those_before() {
    const PEOPLE: i64 = 6;
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    hear(&acme.token, &receiver, &["message:reaction"]).await;
    let chat_id = acme.chat("Ann", |row| row).await;
    let known = |row| message::ActiveModel { provider_ref: Set(Some("ref".to_owned())), ..row };
    acme.message(chat_id, app.clock.now(), known).await;
    let account = channel::Entity::find_by_id(acme.account_id).one(app.app.db.reader()).await.expect("a look");
    let session = account.expect("an account").session;
    let people = (0..PEOPLE).map(|person| reaction::Incoming {
        session,
        provider_ref: "ref".to_owned(),
        from: Jid::parse(&format!("1555777000{person}@s.whatsapp.net")).expect("an id"),
        name: None,
        emoji: Some(Emoji::parse("👍").expect("an emoji").expect("one")),
        happened_at: None,
    });
    let people: Vec<_> = people.collect();
    let received = people.iter().map(|incoming| reaction::received(&app.app, incoming));
    assert!(futures_util::future::join_all(received).await.into_iter().all(|changed| changed.expect("received")));
    app.run_jobs().await;
    let told: Vec<Value> = receiver.received().iter().map(Received::json).collect();
    let count = |told: &Value| told["reaction"]["reactions"]["👍"].as_i64().expect("a count");
    let mut counts: Vec<i64> = told.iter().map(count).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=PEOPLE).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    hear(&acme.token, &receiver, &["chat:responsible:unassigned"]).await;
    let chat_id = acme.chat("Ann", |row| row).await;
    let undone = db::write(&app.app.db, "test", async |tx| {
        tell::responsible(&app.app, tx, acme.workspace_id, chat_id, None).await?;
        Err::<(), _>(quartermaster::error::Error::Contention)
    });
    undone.await.expect_err("it was undone");
    app.advance(5).await;
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn every_example_of_the_document_fits_its_schema() {
    use quartermaster::webhook::subscription::Topic;
    use strum::IntoEnumIterator;
    let mut count = 0;
    for topic in Topic::iter() {
        let example = tell::example(topic, crate::support::START).expect("an example");
        assert_eq!(example.is_some(), topic.occasion().is_some(), "{topic}");
        if let Some(body) = example {
            schemas::check(&serde_json::from_str(&body).expect("JSON"));
            count += 1;
        }
    }
    assert_eq!(count, 21);
}
