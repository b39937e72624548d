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
        receiver::{Receiver, Reply},
    },
};

const PATIENCE: Duration = Duration::from_secs(20);

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
    dead.until_received(40).await;
    let body = json!({ "phone": "+15550002222", "from": "+15557770000", "text": "hello" });
    for _ in 0..20 {
        other.partner.post("/sandbox/inbound", body.clone()).await.expect(200);
    }
    healthy.until_received(20).await;
    assert_eq!((dead.open(), dead.most_open()), (40, 40), "four to each address");
    dead.release();
    until_delivered(&app, 100).await;
}

#[tokio::test]
async fn what_waits_for_its_turn_is_not_sent_after_deletion() {
    let app = live().await;
    app.app.outbound.limit_to(Duration::from_secs(60));
    let receiver = Receiver::start().await;
    receiver.usually(Reply::Hold);
    let acme = conversations(&app).await;
    let path = hook(&acme.token, RECEIVED, &receiver).await;
    for _ in 0..12 {
        write(&acme, "hello").await;
    }
    receiver.until_received(4).await;
    // Those that are leased beyond the four have waited long enough to be looked at again.
    tokio::time::sleep(Duration::from_millis(300)).await;
    delete(&acme.token, &path).await.expect(200);
    receiver.release();
    until_delivered(&app, 4).await;
    let ended = delivery::Entity::find().filter(delivery::Column::FinishedAt.is_not_null());
    let waiting = async {
        while ended.clone().count(app.app.db.reader()).await.expect("a count") < 12 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "the others end");
    assert_eq!(receiver.received().len(), 4);
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
