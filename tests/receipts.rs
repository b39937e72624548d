//! What providers say of messages afterwards: forwards only, once, and about our own messages.

use std::time::Duration;

use entity::{
    id::{AccountId, MessageId},
    message::Status::{Delivered, Failed, Read, Sending, Sent, Unknown},
};
use quartermaster::message::{
    dispatch::{claim, settle, turn},
    status::{self, Receipt, ReceiptEvent, Received},
};

use crate::support::{Setup, TestApp, messages::Line};

fn receipt(account_id: AccountId, id: MessageId, event: ReceiptEvent) -> Receipt {
    Receipt { account_id, message_id: Some(id), provider_ref: None, event }
}

fn failed() -> ReceiptEvent {
    ReceiptEvent::Failed { reason: "blocked\u{0}\n".to_owned() }
}

#[tokio::test]
async fn receipts_come_after_one_and_two_pauses() {
    let app = Setup::default().configured(|config| config.sandbox_receipt_ms = 5000).start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let id = line.accept("+15557770000").await;
    app.run_jobs().await;
    for (seconds, status) in [(4, Sent), (1, Delivered), (4, Delivered), (1, Read)] {
        app.advance(seconds).await;
        assert_eq!(app.message(id).await.status, status);
    }
    assert_eq!(app.history(id).await, [(Sent, None), (Delivered, None), (Read, None)]);
    assert_eq!(app.entries(id).await, [-1]);
}

#[tokio::test]
async fn without_receipts_a_message_stays_sent_and_a_lost_one_fails_after_a_day() {
    let app = Setup::default().configured(|config| config.sandbox_receipt_ms = 0).start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let ids = [line.accept("+15557770000").await, line.accept("+15550000504").await];
    app.advance(3).await;
    app.advance(3).await;
    assert_eq!(app.statuses(&ids).await, [Sent, Unknown]);
    app.advance(24 * 3600 - 4).await;
    assert_eq!(app.statuses(&ids).await, [Sent, Unknown], "the day is not over");
    app.advance(4).await;
    assert_eq!(app.statuses(&ids).await, [Sent, Failed]);
    assert_eq!(app.entries(ids[1]).await, [-1, 1]);
}

#[tokio::test]
async fn statuses_never_go_backwards_and_nothing_counts_twice() {
    let app = Setup::default().configured(|config| config.sandbox_receipt_ms = 0).start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let id = line.accept("+15557770000").await;
    app.run_jobs().await;
    for (event, expected) in [
        (ReceiptEvent::Sent, Received::Nothing),
        (ReceiptEvent::Read, Received::Changed(Read)),
        (ReceiptEvent::Read, Received::Nothing),
        (ReceiptEvent::Delivered, Received::Nothing),
        (failed(), Received::Nothing),
    ] {
        let told = status::received(&app.app, &receipt(line.account, id, event.clone())).await.expect("an answer");
        assert_eq!(told, expected, "{event:?}");
    }
    assert_eq!(app.history(id).await, [(Sent, None), (Read, None)]);
    assert_eq!((app.entries(id).await, line.balances().await), (vec![-1], (1, 0)));
}

#[tokio::test]
async fn a_late_failure_gives_the_credit_back_once() {
    let app = Setup::default().configured(|config| config.sandbox_receipt_ms = 0).start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    app.set_pacing(0).await;
    let ids = line.accept_many(2).await;
    app.run_jobs().await;
    let delivered = receipt(line.account, ids[1], ReceiptEvent::Delivered);
    status::received(&app.app, &delivered).await.expect("an answer");
    for id in ids {
        let told = receipt(line.account, id, failed());
        let at_once = (0..5).map(|_| status::received(&app.app, &told));
        let answers = futures_util::future::join_all(at_once).await;
        let changes = answers.iter().filter(|answer| matches!(answer, Ok(Received::Changed(Failed)))).count();
        assert_eq!(changes, 1, "{answers:?}");
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(app.entries(id).await, [-1, 1]);
        assert_eq!(app.message(id).await.failure.as_deref(), Some("blocked"), "words are stored without controls");
        let late = receipt(line.account, id, ReceiptEvent::Read);
        assert_eq!(status::received(&app.app, &late).await.expect("an answer"), Received::Nothing);
    }
    assert_eq!(line.balances().await, (0, 0));
}

#[tokio::test]
async fn a_receipt_is_heard_for_its_own_account_only() {
    let app = Setup::default().configured(|config| config.sandbox_receipt_ms = 0).start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let foreign = Line::open(&app, &other, "Butcher", "+15550002222").await;
    let id = line.accept("+15557770000").await;
    app.run_jobs().await;
    let provider_ref = app.message(id).await.provider_ref;
    assert!(provider_ref.is_some());
    for message_id in [Some(id), None] {
        let told =
            Receipt { account_id: foreign.account, message_id, provider_ref: provider_ref.clone(), event: failed() };
        assert_eq!(status::received(&app.app, &told).await.expect("an answer"), Received::Stray);
    }
    assert_eq!(app.message(id).await.status, Sent);
    let told = Receipt { account_id: line.account, message_id: None, provider_ref, event: ReceiptEvent::Delivered };
    assert_eq!(status::received(&app.app, &told).await.expect("an answer"), Received::Changed(Delivered));
    let unknown = Receipt { provider_ref: Some("written on the phone".to_owned()), ..told };
    assert_eq!(status::received(&app.app, &unknown).await.expect("an answer"), Received::Stray);
}

#[tokio::test]
async fn a_receipt_that_is_faster_than_the_answer_is_told_again() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let id = line.accept("+15557770000").await;
    let claimed = claim::claim(&app.app, 1).await.expect("a claim");
    let turn = &claimed.turns[0];
    let delivery = turn::hand_over(&app.app, turn).await;
    for told in [
        receipt(line.account, id, ReceiptEvent::Delivered),
        Receipt {
            account_id: line.account,
            message_id: None,
            provider_ref: Some("unheard of".to_owned()),
            event: ReceiptEvent::Delivered,
        },
    ] {
        let error = status::received(&app.app, &told).await.expect_err("not yet");
        assert_eq!(error.code().to_string(), "busy");
    }
    app.clock.advance(Duration::from_secs(2));
    app.run_jobs().await;
    assert_eq!(app.message(id).await.status, Sending, "the sandbox's receipts wait as well");
    settle::settle(&app.app, turn, &delivery).await.expect("settled");
    for _ in 0..5 {
        app.advance(2).await;
    }
    assert_eq!(app.message(id).await.status, Read);
    assert_eq!(app.history(id).await, [(Sent, None), (Delivered, None), (Read, None)]);
}

#[tokio::test]
async fn the_word_on_a_lost_answer_settles_it() {
    let app = Setup::default().configured(|config| config.sandbox_receipt_ms = 0).start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    app.set_pacing(0).await;
    let ids = [line.accept("+15550000505").await, line.accept("+15550000505").await];
    app.run_jobs().await;
    assert_eq!(app.statuses(&ids).await, [Unknown; 2]);
    for (id, event, status) in [(ids[0], ReceiptEvent::Sent, Sent), (ids[1], failed(), Failed)] {
        let told = Receipt { provider_ref: Some(format!("ref-{id}")), ..receipt(line.account, id, event) };
        assert_eq!(status::received(&app.app, &told).await.expect("an answer"), Received::Changed(status));
        assert_eq!(app.message(id).await.provider_ref, told.provider_ref);
    }
    assert_eq!(line.balances().await, (1, 0));
    app.advance(24 * 3600).await;
    assert_eq!(app.statuses(&ids).await, [Sent, Failed], "what is settled is not given up");
    assert_eq!(line.balances().await, (1, 0));
}
