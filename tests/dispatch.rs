//! Handing messages over: in order, at the channel's pace, by one worker, at most once.

use std::{sync::Arc, time::Duration};

use entity::{
    message::Status::{Failed, Queued, Sending, Sent, Unknown},
    message_status,
};
use quartermaster::{
    connector::Delivery,
    message::dispatch::{
        self,
        claim::{self, LEASE_SECONDS},
        settle::{self, Settled},
        turn,
    },
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use serde_json::json;

use crate::support::{
    Answer, TestApp,
    messages::{Fate, Line},
};

const SECOND: i64 = 1_000_000;
const SENT_ONCE: Fate = Fate { status: Sent, tries: 1, at_provider: (1, 1) };

/// Hands everything due now over, without the work that follows later.
async fn dispatch_due(app: &TestApp) -> usize {
    dispatch::run_due(&app.app).await.expect("a look at the queues")
}

#[tokio::test]
async fn messages_go_one_by_one_in_order_about_two_seconds_apart() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let ids = line.accept_many(6).await;
    app.run_jobs().await;
    let mut pauses = Vec::new();
    for sent in 1..ids.len() {
        let statuses = app.statuses(&ids).await;
        assert!(statuses[..sent].iter().all(|status| *status != Queued), "{statuses:?}");
        assert!(statuses[sent..].iter().all(|status| *status == Queued), "{statuses:?}");
        let due_at = line.queue().await.due_at.expect("something waits");
        let pause = due_at.0 - app.clock.now().0;
        assert!((3 * SECOND / 2..=5 * SECOND / 2).contains(&pause), "{pause} is not 2 s within a quarter");
        pauses.push(pause);
        let almost = u64::try_from(pause - 1).expect("a pause");
        app.clock.advance(Duration::from_micros(almost));
        assert_eq!(dispatch_due(&app).await, 0, "nothing goes before the pause is over");
        app.clock.advance(Duration::from_micros(1));
        assert_eq!(dispatch_due(&app).await, 1);
    }
    pauses.dedup();
    assert!(pauses.len() > 1, "the pauses are not all alike: {pauses:?}");
    let queue = line.queue().await;
    assert_eq!((queue.queued, queue.due_at, queue.lease), (0, None, None));
    for id in ids {
        assert_eq!(app.fate(id).await.at_provider, (1, 1));
    }
}

#[tokio::test]
async fn messages_that_come_one_by_one_are_two_seconds_apart_too() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 3).await;
    let owner = acme.owner(&workspace).await;
    let line = Line::connect(&app, &acme, &workspace, owner, "+15550001111").await;
    let token = acme.get(&format!("/workspaces/{workspace}/api-token")).await.expect(200);
    let token = app.token(token["token"].as_str().expect("a token"));
    for round in 0..4 {
        let sent = token.send("+15557770000", "Hello").await.expect(200);
        let id = sent["data"]["message_uid"].as_str().expect("a uid").parse().expect("a uuid");
        let pause = line.queue().await.due_at.expect("it waits").0 - app.clock.now().0;
        if round == 0 {
            assert_eq!(pause, 0);
        } else {
            assert!((SECOND / 2..=3 * SECOND / 2).contains(&pause), "{pause}: a second has gone by");
            assert_eq!(dispatch_due(&app).await, 0);
            app.clock.advance(Duration::from_micros(u64::try_from(pause).expect("a pause")));
        }
        assert_eq!(dispatch_due(&app).await, 1);
        assert_eq!(app.fate(id).await, SENT_ONCE);
        assert_eq!(line.waiting().await, (0, None));
        app.clock.advance(Duration::from_secs(1));
    }
    // Nor does one that is switched off and on again meanwhile.
    token.send("+15557770000", "Hello").await.expect(200);
    let path = format!("{}/v1/channels/{}", app.base, line.channel().await.id);
    for switch in ["deactivate", "activate"] {
        let request = app.http.post(format!("{path}/{switch}")).bearer_auth(token.token());
        Answer::of(request.json(&json!({}))).await.expect(200);
    }
    assert_eq!(dispatch_due(&app).await, 0);
    // A channel that has rested sends at once.
    app.clock.advance(Duration::from_secs(10));
    assert_eq!(dispatch_due(&app).await, 1);
    app.clock.advance(Duration::from_secs(10));
    token.send("+15557770000", "Hello").await.expect(200);
    assert_eq!(dispatch_due(&app).await, 1);
}

#[tokio::test]
async fn without_a_pause_a_queue_is_emptied_at_once_and_in_order() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    app.set_pacing(0).await;
    let ids = line.accept_many(20).await;
    app.run_jobs().await;
    let rows = message_status::Entity::find()
        .filter(message_status::Column::Status.eq(Sent))
        .order_by_asc(message_status::Column::Id)
        .all(app.app.db.reader())
        .await
        .expect("statuses");
    assert_eq!(rows.into_iter().map(|row| row.message_id).collect::<Vec<_>>(), ids);
    assert_eq!(line.waiting().await, (0, None));
    assert_eq!(line.balances().await.0, 20, "what was sent stays charged");
}

#[tokio::test]
async fn a_channel_that_waits_holds_nobody_else_up() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let slow = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let quick = Line::open(&app, &acme, "Butcher", "+15550002222").await;
    app.set_pacing(0).await;
    let limited = slow.accept("+15550000429").await;
    let behind = slow.accept_many(2).await;
    let others = quick.accept_many(3).await;
    app.run_jobs().await;
    assert_eq!(app.statuses(&others).await, [Sent; 3]);
    assert_eq!(app.fate(limited).await, Fate { status: Queued, tries: 1, at_provider: (1, 0) });
    assert_eq!(slow.waiting().await, (3, Some(5)), "the whole channel waits as long as the provider asks");
    app.advance(4).await;
    assert_eq!(app.statuses(&behind).await, [Queued; 2], "nobody overtakes");
    app.advance(1).await;
    assert_eq!(app.statuses(&behind).await, [Sent; 2]);
    assert_eq!(app.fate(limited).await, Fate { status: Sent, tries: 2, at_provider: (2, 1) });
}

#[tokio::test]
async fn two_workers_send_nothing_twice() {
    let app = TestApp::start().await;
    let second = app.replica().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 9).await;
    let mut lines = Vec::new();
    for (user, number) in acme.users(&workspace, 6).await.into_iter().zip(1..) {
        lines.push(Line::connect(&app, &acme, &workspace, user, &format!("+1555000111{number}")).await);
    }
    app.set_pacing(0).await;
    let mut ids = Vec::new();
    for line in &lines {
        ids.extend(line.accept_many(5).await);
    }
    tokio::join!(app.run_jobs(), second.run_jobs(), app.run_jobs(), second.run_jobs());
    app.run_jobs().await;
    for id in &ids {
        assert_eq!(app.fate(*id).await, SENT_ONCE);
    }
    assert_eq!(lines[0].balances().await.0, 30);
}

#[tokio::test]
async fn the_loop_hears_of_messages_and_stops_when_told() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    app.set_pacing(0).await;
    let working = tokio::spawn(dispatch::work(Arc::clone(&app.app), app.app.stop.subscribe()));
    let other = tokio::spawn(dispatch::work(Arc::clone(&app.app), app.app.stop.subscribe()));
    let ids = line.accept_many(40).await;
    app.app.signals.publish(quartermaster::signal::Signal::Work);
    let emptied = async {
        while line.waiting().await != (0, None) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), emptied).await.expect("the queue is emptied");
    for id in ids {
        assert_eq!(app.fate(id).await, SENT_ONCE);
    }
    app.app.stop.send_replace(true);
    let stopped = async { (working.await, other.await) };
    let (first, second) = tokio::time::timeout(Duration::from_secs(10), stopped).await.expect("both stop");
    assert!(first.is_ok() && second.is_ok());
}

#[tokio::test]
async fn a_message_whose_worker_died_is_unknown_and_never_sent_again() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let ids = line.accept_many(2).await;
    let claimed = claim::claim(&app.app, 32).await.expect("a claim");
    assert_eq!(claimed.turns.len(), 1);
    drop(claimed);
    app.advance(29).await;
    assert_eq!(app.statuses(&ids).await, [Sending, Queued], "while the lease holds nobody touches it");
    app.advance(1).await;
    assert_eq!(app.statuses(&ids).await, [Unknown, Queued]);
    assert_eq!(line.queue().await.queued, 1, "what is unknown waits no more");
    app.advance(3).await;
    assert_eq!(app.fate(ids[1]).await.at_provider, (1, 1), "the channel goes on");
    app.advance(24 * 3600).await;
    assert_eq!(app.fate(ids[0]).await, Fate { status: Failed, tries: 1, at_provider: (0, 0) });
    assert_eq!(app.message(ids[0]).await.failure.as_deref(), Some("outcome_unknown"));
    assert_eq!(app.entries(ids[0]).await, [-1, 1]);
    assert_eq!(line.balances().await, (1, 0));
}

#[tokio::test]
async fn a_worker_that_died_after_sending_has_its_message_settled_by_receipts() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let id = line.accept("+15557770000").await;
    let claimed = claim::claim(&app.app, 32).await.expect("a claim");
    assert!(matches!(turn::hand_over(&app.app, &claimed.turns[0]).await, Delivery::Accepted { .. }));
    drop(claimed);
    app.advance(31).await;
    app.advance(600).await;
    assert_eq!(app.message(id).await.status.to_string(), "read");
    assert_eq!(app.fate(id).await.at_provider, (1, 1), "it is not sent again");
    assert_eq!(app.entries(id).await, [-1]);
}

#[tokio::test]
async fn a_worker_that_is_late_changes_no_queue_and_takes_nothing_back() {
    let app = TestApp::start().await;
    let second = app.replica().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let ids = line.accept_many(3).await;
    let claimed = claim::claim(&app.app, 32).await.expect("a claim");
    let late = &claimed.turns[0];
    app.clock.advance(Duration::from_secs(u64::try_from(LEASE_SECONDS).expect("seconds")));
    second.run_jobs().await;
    assert_eq!(app.statuses(&ids).await, [Unknown, Queued, Queued]);
    let before = line.queue().await;
    let again = Delivery::TryLater { after: None, reason: "busy".to_owned() };
    for delivery in [again, Delivery::Lost] {
        assert_eq!(settle::settle(&app.app, late, &delivery).await.expect("settled"), Settled::LeaseLost);
        assert_eq!(app.statuses(&ids).await, [Unknown, Queued, Queued], "{delivery:?}");
    }
    let accepted = Delivery::Accepted { provider_ref: "late".to_owned() };
    assert_eq!(settle::settle(&app.app, late, &accepted).await.expect("settled"), Settled::LeaseLost);
    assert_eq!(app.statuses(&ids).await, [Sent, Queued, Queued], "what it learnt settles the unknown");
    assert_eq!(app.message(ids[0]).await.provider_ref.as_deref(), Some("late"));
    let rejected = Delivery::Rejected { reason: "no".to_owned() };
    app.advance(3).await;
    let status = app.message(ids[1]).await.status;
    assert!(status != Queued && before.queued == 2);
    assert_eq!(
        turn::hand_over(&app.app, late).await,
        Delivery::TryLater { after: None, reason: "not_begun".to_owned() }
    );
    assert_eq!(settle::settle(&app.app, late, &rejected).await.expect("settled"), Settled::LeaseLost);
    assert_eq!(app.entries(ids[0]).await, [-1, 1], "a late no is a late failure, refunded once");
    assert_eq!(settle::settle(&app.app, late, &rejected).await.expect("settled"), Settled::LeaseLost);
    assert_eq!(app.entries(ids[0]).await, [-1, 1]);
    assert_eq!(app.message(ids[1]).await.status, status);
}
