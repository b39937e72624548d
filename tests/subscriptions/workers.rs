//! Workers: a dead address, a worker that dies, two that share.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use entity::delivery;
use futures_util::future::join_all;
use quartermaster::job;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::json;

use crate::{
    subscriptions::{RECEIVED, conversations, delete, hook, lenient, log, start, subscribe_with, write},
    support::{
        Setup, TestApp,
        conversation::Conversations,
        receiver::{Received, Receiver, Reply},
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

async fn live() -> TestApp {
    Setup::live().configured(lenient).start().await
}

/// Waits until so many deliveries have ended as they should.
async fn until_delivered(app: &TestApp, count: u64) {
    let query = delivery::Entity::find().filter(delivery::Column::State.eq(delivery::State::Delivered));
    let waiting = async {
        while query.clone().count(app.app.db.reader()).await.expect("a count") < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "not all were delivered");
}

#[tokio::test]
async fn ten_dead_webhooks_of_one_workspace_do_not_slow_another() {
    let app = live().await;
    // It would take a minute to give up.
    app.app.outbound.limit_to(Duration::from_secs(60));
    let (dead, healthy) = (Receiver::start().await, Receiver::start().await);
    dead.usually(Reply::Hold);
    let acme = conversations(&app).await;
    let other = Conversations::start(&app, "other", "+15550002222").await;
    for number in 0..10 {
        let url = format!("{}/{number}", dead.url());
        subscribe_with(&acme.token, RECEIVED, &url, json!({})).await;
    }
    hook(&other.token, RECEIVED, &healthy).await;
    for _ in 0..8 {
        write(&acme, "hello").await;
    }
    dead.until_received(10).await;
    let body = json!({ "phone": "+15550002222", "from": "+15557770000", "text": "hello" });
    for _ in 0..20 {
        other.partner.post("/sandbox/inbound", body.clone()).await.expect(200);
    }
    healthy.until_received(20).await;
    assert_eq!((dead.open(), dead.most_open()), (10, 10), "one to each address");
    dead.release();
    until_delivered(&app, 100).await;
}

#[tokio::test]
async fn what_waits_for_its_turn_is_not_sent_after_deletion() {
    let app = live().await;
    app.app.outbound.limit_to(Duration::from_secs(60));
    let receiver = Receiver::start().await;
    receiver.next([Reply::Status(200)]);
    receiver.usually(Reply::Hold);
    let acme = conversations(&app).await;
    let path = hook(&acme.token, RECEIVED, &receiver).await;
    write(&acme, "hello").await;
    until_delivered(&app, 1).await;
    for _ in 0..12 {
        write(&acme, "hello").await;
    }
    receiver.until_received(2).await;
    // Those that are leased behind the one that is held have waited long enough to be looked at again.
    tokio::time::sleep(Duration::from_millis(300)).await;
    delete(&acme.token, &path).await.expect(200);
    receiver.release();
    until_delivered(&app, 2).await;
    let ended = delivery::Entity::find().filter(delivery::Column::FinishedAt.is_not_null());
    let waiting = async {
        while ended.clone().count(app.app.db.reader()).await.expect("a count") < 13 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "the others end");
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_worker_that_dies_after_sending_delivers_again_byte_by_byte() {
    let app = start().await;
    let receiver = Receiver::start().await;
    receiver.next([Reply::Hold]);
    let acme = conversations(&app).await;
    let options = json!({ "numbered": true });
    let made = subscribe_with(&acme.token, RECEIVED, &receiver.url(), options).await;
    write(&acme, "hello").await;
    let victim = {
        let app = Arc::clone(&app.app);
        tokio::spawn(async move { job::drain(&app).await })
    };
    receiver.until_received(1).await;
    victim.abort();
    assert!(victim.await.expect_err("it was stopped").is_cancelled());
    app.advance(14).await;
    assert_eq!(receiver.received().len(), 1, "its lease may still be at work");
    app.advance(2).await;
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    for header in ["webhook-id", "webhook-sequence"] {
        assert!(!received[0].header(header).is_empty());
        assert_eq!(received[0].header(header), received[1].header(header));
    }
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(log(&acme.token, &format!("/webhooks/{}", made["id"])).await[0]["state"], "delivered");
}

#[tokio::test]
async fn two_replicas_tell_each_event_once() {
    let first = live().await;
    let second = first.replica_configured(lenient).await;
    let working = tokio::spawn(job::work(Arc::clone(&second.app), second.app.stop.subscribe()));
    let receiver = Receiver::start().await;
    let acme = conversations(&first).await;
    let options = json!({ "numbered": true });
    subscribe_with(&acme.token, "message:new", &receiver.url(), options).await;
    let at_second = acme.token.at(&second.base);
    for _ in 0..5 {
        let sends = (0..10).map(|number| {
            let token = if number % 2 == 0 { &acme.token } else { &at_second };
            async move { token.send("+15557770000", "hello").await.expect(200) }
        });
        tokio::join!(join_all(sends), write(&acme, "hello"));
    }
    until_delivered(&first, 55).await;
    let received = receiver.received();
    let numbers: BTreeSet<i64> =
        received.iter().map(|one| one.header("webhook-sequence").parse().expect("a number")).collect();
    assert_eq!((received.len(), numbers), (55, (1..=55).collect()), "each once, and none is missing");
    second.app.stop.send_replace(true);
    working.await.expect("it stops");
}

/// What a receiver was told of as the text of messages, in order.
fn texts(receiver: &Receiver) -> Vec<String> {
    let text = |one: &Received| one.json()["message"]["text"].as_str().expect("a text").to_owned();
    receiver.received().iter().map(text).collect()
}

#[tokio::test]
async fn two_workers_tell_a_webhook_that_works_in_order() {
    let first = live().await;
    let second = first.replica_configured(lenient).await;
    let working = tokio::spawn(job::work(Arc::clone(&second.app), second.app.stop.subscribe()));
    let (messages, assignments) = (Receiver::start().await, Receiver::start().await);
    let acme = conversations(&first).await;
    let numbered = json!({ "numbered": true });
    hook(&acme.token, RECEIVED, &messages).await;
    subscribe_with(&acme.token, "chat:responsible:assigned", &assignments.url(), numbered).await;
    let written: Vec<String> = (0..50).map(|number| format!("m{number}")).collect();
    for text in &written {
        write(&acme, text).await;
    }
    let emails = acme.token.get("/workspace/teammates").await.expect(200)["data"]["teammates"].clone();
    let chat = acme.token.get("/chats").await.expect(200)["data"]["chats"][0]["id"].clone();
    let mut assigned = Vec::new();
    for number in 0..20 {
        let email = emails[number % 2]["email"].clone();
        acme.token.patch(&format!("/chats/{chat}"), json!({ "responsible": email })).await.expect(200);
        assigned.push(email);
    }
    until_delivered(&first, 70).await;
    assert_eq!(texts(&messages), written);
    let told: Vec<_> =
        assignments.received().iter().map(|one| one.json()["chat"]["responsible_email"].clone()).collect();
    assert_eq!(told, assigned);
    let numbers: Vec<i64> =
        assignments.received().iter().map(|one| one.header("webhook-sequence").parse().expect("a number")).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    assert_eq!((messages.most_open(), assignments.most_open()), (1, 1), "one after the other");
    second.app.stop.send_replace(true);
    working.await.expect("it stops");
}

#[tokio::test]
async fn what_fails_comes_again_later_and_blocks_nothing() {
    let app = start().await;
    let receiver = Receiver::start().await;
    receiver.next([200, 500, 200].map(Reply::Status));
    let acme = conversations(&app).await;
    hook(&acme.token, RECEIVED, &receiver).await;
    for text in ["m0", "m1", "m2", "m3"] {
        write(&acme, text).await;
    }
    app.run_jobs().await;
    assert_eq!(texts(&receiver), ["m0", "m1", "m2", "m3"]);
    app.advance(37).await;
    assert_eq!(texts(&receiver), ["m0", "m1", "m2", "m3", "m1"]);
}

#[tokio::test]
async fn what_follows_a_message_of_the_workspaces_own_is_told_after_it() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = conversations(&app).await;
    hook(&acme.token, "message:new", &receiver).await;
    write(&acme, "before").await;
    acme.token.send("+15557770000", "own").await.expect(200);
    // More than one look goes through.
    let after: Vec<String> = (0..140).map(|number| format!("after {number}")).collect();
    for text in &after {
        write(&acme, text).await;
    }
    app.run_jobs().await;
    assert_eq!(texts(&receiver), ["before"]);
    app.advance(1).await;
    let told = texts(&receiver);
    assert_eq!(told[..2], ["before", "own"]);
    assert_eq!(told[2..], after);
}
