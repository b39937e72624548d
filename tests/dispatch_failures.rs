//! What cannot be sent: numbers that fail, retries that end, channels that are off. Credits come back exactly once.

use entity::{
    id::MessageId,
    message::Status::{Failed, Queued, Read, Sent},
    sandbox_session, send_queue,
};
use quartermaster::message::dispatch;
use sea_orm::{ActiveModelTrait, Set};
use serde_json::json;

use crate::support::{
    TestApp,
    messages::{Fate, Line},
};

const DAY: u64 = 24 * 3600;

#[tokio::test]
async fn every_recipient_that_fails_ends_as_documented() {
    for (number, fate, reason, entries) in [
        ("+15550000123", (Read, 1, (1, 1)), None, vec![-1]),
        ("+15550000404", (Failed, 1, (1, 0)), Some("not_on_network"), vec![-1, 1]),
        ("+15550000410", (Failed, 1, (1, 1)), Some("undeliverable"), vec![-1, 1]),
        ("+15550000429", (Read, 2, (2, 1)), None, vec![-1]),
        ("+15550000503", (Read, 2, (2, 1)), None, vec![-1]),
        ("+15550000504", (Read, 1, (1, 1)), None, vec![-1]),
        ("+15550000505", (Failed, 1, (1, 0)), Some("outcome_unknown"), vec![-1, 1]),
    ] {
        let app = TestApp::start().await;
        let acme = app.partner("acme").await;
        let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
        let id = line.accept(number).await;
        assert_eq!(line.balances().await, (1, 0));
        for _ in 0..10 {
            app.advance(3).await;
        }
        app.advance(DAY).await;
        let (status, tries, at_provider) = fate;
        assert_eq!(app.fate(id).await, Fate { status, tries, at_provider }, "{number}");
        assert_eq!(app.message(id).await.failure.as_deref(), reason, "{number}");
        assert_eq!(app.entries(id).await, entries, "{number}");
        assert_eq!(line.balances().await, (i64::from(status == Read), 0), "{number}");
        assert_eq!(line.waiting().await, (0, None), "{number}");
        let last = app.history(id).await.pop().expect("a history");
        assert_eq!(last, (status, reason.map(str::to_owned)), "{number}");
    }
}

#[tokio::test]
async fn what_failed_makes_room_for_the_next_message() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let bad = line.accept("+15550000404").await;
    let good = line.accept("+15557770000").await;
    app.run_jobs().await;
    assert_eq!(app.statuses(&[bad, good]).await, [Failed, Queued]);
    app.advance(3).await;
    assert_eq!(app.fate(good).await.at_provider, (1, 1));
    assert_eq!(line.balances().await, (1, 0));
}

#[tokio::test]
async fn the_eighth_try_is_the_last() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    // The provider has forgotten the session and does not say so: every try is put off.
    let session = line.channel().await.session;
    let closed = sandbox_session::ActiveModel {
        id: sea_orm::Unchanged(session),
        state: Set(sandbox_session::State::Closed),
        ..Default::default()
    };
    closed.update(app.app.db.reader()).await.expect("a closed session");
    let id = line.accept("+15557770000").await;
    app.run_jobs().await;
    for (tries, wait) in (1..).zip([2u64, 5, 15, 30, 60, 120, 300]) {
        assert_eq!(app.fate(id).await, Fate { status: Queued, tries, at_provider: (0, 0) });
        assert_eq!(line.waiting().await, (1, i64::try_from(wait).ok()), "after {tries} tries");
        app.advance(wait - 1).await;
        assert_eq!(app.message(id).await.tries, tries, "not before its time");
        app.advance(1).await;
    }
    assert_eq!(app.fate(id).await, Fate { status: Failed, tries: 8, at_provider: (0, 0) });
    assert_eq!(app.message(id).await.failure.as_deref(), Some("not_linked"));
    assert_eq!((app.entries(id).await, line.balances().await), (vec![-1, 1], (0, 0)));
    assert_eq!(line.waiting().await, (0, None));
}

async fn is_idle(app: &TestApp) -> bool {
    dispatch::run_due(&app.app).await.expect("a look") == 0
}

async fn assert_refunded(app: &TestApp, ids: &[MessageId], reason: &str) {
    for id in ids {
        let message = app.message(*id).await;
        assert_eq!((message.status, message.failure.as_deref()), (Failed, Some(reason)));
        assert_eq!(app.entries(*id).await, [-1, 1]);
        assert_eq!(app.fate(*id).await.at_provider, (0, 0));
    }
}

#[tokio::test]
async fn the_queue_of_a_disconnected_channel_is_kept_for_a_day_and_refunded() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let ids = line.accept_many(3).await;
    acme.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    app.run_jobs().await;
    assert_eq!(line.waiting().await, (3, i64::try_from(DAY).ok()), "it is looked at again when the day is over");
    assert!(is_idle(&app).await);
    app.advance(DAY - 1).await;
    assert_eq!(app.statuses(&ids).await, [Queued; 3]);
    app.advance(1).await;
    assert_refunded(&app, &ids, "channel_disconnected").await;
    assert_eq!((line.waiting().await, line.balances().await), ((0, None), (0, 0)));
}

#[tokio::test]
async fn a_channel_that_is_connected_again_goes_on_at_once() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let owner = acme.owner(&workspace).await;
    let line = Line::connect(&app, &acme, &workspace, owner, "+15550001111").await;
    app.set_pacing(0).await;
    let ids = line.accept_many(3).await;
    acme.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    app.advance(DAY - 60).await;
    assert_eq!(app.statuses(&ids).await, [Queued; 3]);
    assert_eq!(acme.connect(&workspace, owner, "+15550001111").await, line.account.0);
    assert_eq!(line.waiting().await, (3, Some(0)));
    app.run_jobs().await;
    assert_eq!(app.statuses(&ids).await, [Sent; 3]);
    assert_eq!(line.balances().await, (3, 0));
}

#[tokio::test]
async fn connecting_again_takes_no_turn_away_from_a_worker() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let owner = acme.owner(&workspace).await;
    let line = Line::connect(&app, &acme, &workspace, owner, "+15550001111").await;
    line.accept_many(2).await;
    let claimed = dispatch::claim::claim(&app.app, 32).await.expect("a claim");
    let leased: send_queue::Model = line.queue().await;
    acme.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    acme.connect(&workspace, owner, "+15550001111").await;
    assert_eq!(line.queue().await, leased);
    assert_eq!(claimed.turns.len(), 1);
}

#[tokio::test]
async fn a_suspended_channel_keeps_its_queue_until_its_user_is_back() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    let line = Line::connect(&app, &acme, &workspace, user, "+15550001111").await;
    app.set_pacing(0).await;
    let path = format!("/workspaces/{workspace}");
    let ids = line.accept_many(2).await;
    acme.patch(&path, json!({ "seats_purchased": 1 })).await.expect(200);
    app.advance(3600).await;
    assert_eq!(line.waiting().await, (2, i64::try_from(DAY - 3600).ok()));
    acme.patch(&path, json!({ "seats_purchased": 2 })).await.expect(200);
    app.run_jobs().await;
    assert_eq!(app.statuses(&ids).await, [Sent; 2]);
    let later = line.accept_many(2).await;
    acme.patch(&path, json!({ "seats_purchased": 1 })).await.expect(200);
    app.advance(DAY - 1).await;
    assert_eq!(app.statuses(&later).await, [Queued; 2]);
    app.advance(1).await;
    assert_refunded(&app, &later, "channel_suspended").await;
    assert_eq!(line.balances().await, (2, 0));
}
