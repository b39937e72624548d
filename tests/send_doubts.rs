//! Commits that the database does not answer: nobody is told what is not so, and what was done is done once.

use std::time::Duration;

use entity::{message, quota_period};
use quartermaster::{config::Config, error::Error, message::dispatch::claim};
use sea_orm::EntityTrait;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    ledger::audited,
    support::{
        Answer, TestApp,
        database::Mode,
        messages::{Fate, Line},
        proxy::{Loses, Proxy},
        sender::Sender,
    },
};

const TO: &str = "+15550002222";

/// A process that reaches the database over a wire of its own.
async fn over_a_wire(app: &TestApp, change: fn(&mut Config)) -> (Proxy, TestApp) {
    let url = app.app.config.database_url.expose_secret();
    let wire = Proxy::to(url).await;
    let replica = app.replica_at_configured(&wire.url(url), None, change).await;
    (wire, replica)
}

/// Asks until no connection is left that was cut.
async fn once_back(ask: impl AsyncFn() -> Answer) -> Answer {
    loop {
        let answer = ask().await;
        if answer.status.as_u16() != 503 {
            return answer;
        }
    }
}

async fn is_stored(app: &TestApp, text: &str) -> bool {
    let rows = message::Entity::find().all(app.app.db.reader()).await.expect("messages");
    rows.iter().filter(|row| row.text.as_deref() == Some(text)).count() == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_is_told_what_became_of_a_commit_that_was_not_answered() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 100).await;
    for (text, key, loses) in [
        ("by itself and answered", None, Loses::Answer),
        ("by itself and lost", None, Loses::Request),
        ("in a transaction and answered", Some("one"), Loses::Answer),
        ("in a transaction and lost", Some("two"), Loses::Request),
    ] {
        let (wire, replica) = over_a_wire(&app, |_| {}).await;
        let token = sender.token.at(&replica.base);
        // What goes the short way needs what a commit before it has left.
        token.send(TO, "before").await.expect(200);
        // A message without a key is written by one statement.
        let texts = if key.is_some() { vec![text, "COMMIT"] } else { vec![text] };
        wire.cut_at(&texts, loses);
        let body = json!({ "phone": TO, "text": text });
        let request = token.request(reqwest::Method::POST, "/messages").json(&body);
        let request = key.iter().fold(request, |request, key| request.header("Idempotency-Key", *key));
        let answering = tokio::spawn(Answer::of(request));
        wire.until_cut().await;
        let was_done = loses == Loses::Answer;
        assert_eq!(is_stored(&app, text).await, was_done, "{text}");
        wire.mend();
        let answer = answering.await.expect("an answer");
        if was_done {
            let uid = answer.expect(200)["data"]["message_uid"].clone();
            let uid = uid.as_str().expect("a uid");
            let found = once_back(async || token.get(&format!("/messages/{uid}")).await).await;
            assert_eq!(found.expect(200)["data"]["text"], text);
        } else {
            answer.expect(503);
            assert!(!is_stored(&app, text).await, "{text}");
        }
        if let Some(key) = key {
            let again = once_back(async || token.post_with_key("/messages", key, body.clone()).await).await;
            again.expect(200);
            assert!(!was_done || again.text == answer.text, "the same answer");
        }
        once_back(async || token.send(TO, "after").await).await.expect(200);
    }
    // Four before, four after, two that were stored at once and one whose key came again.
    assert_eq!(sender.token.credits().await, (11, 100));
    audited(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nobody_knows_the_answer_says_so_and_names_the_message() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 100).await;
    let (wire, replica) = over_a_wire(&app, |config| config.request_timeout_ms = 2000).await;
    let token = sender.token.at(&replica.base);
    wire.cut_at(&["in doubt", "COMMIT"], Loses::Answer);
    let body = json!({ "phone": TO, "text": "in doubt" });
    let doubtful = token.post_with_key("/messages", "in-doubt", body.clone()).await;
    let refusal = doubtful.expect(503);
    assert_eq!(doubtful.header("retry-after"), "1");
    let text = refusal["message"].as_str().expect("a text");
    assert!(text.starts_with("it is not known whether the message"), "{text}");
    let found = message::Entity::find().all(app.app.db.reader()).await.expect("messages");
    assert!(text.contains(&found[0].id.to_string()), "{text}");
    wire.mend();
    let again = once_back(async || token.post_with_key("/messages", "in-doubt", body.clone()).await).await;
    assert_eq!(again.expect(200)["data"]["message_uid"], found[0].id.to_string());
    for n in 1..100 {
        once_back(async || token.send(TO, &format!("message {n}")).await).await.expect(200);
    }
    token.send(TO, "too much").await.expect(403);
    audited(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_commit_was_not_answered_is_not_said_to_have_failed() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let (wire, replica) = over_a_wire(&app, |_| {}).await;
    let partner = acme.at(&replica.base);
    wire.cut_at(&["Bakery in doubt", "COMMIT"], Loses::Answer);
    let body = json!({ "display_name": "Bakery in doubt" });
    partner.post_with_key("/workspaces", "bakery", body.clone()).await.expect_error(503, "outcome_unknown");
    wire.mend();
    let made = once_back(async || partner.post_with_key("/workspaces", "bakery", body.clone()).await).await.expect(201);
    let all = acme.get("/workspaces").await.expect(200);
    assert_eq!(all["workspaces"].as_array().map(Vec::len), Some(1), "it was made the first time");
    assert_eq!(all["workspaces"][0]["workspace_id"], made["workspace_id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_after_it_was_looked_up_does_nothing() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 100).await;
    let (wire, replica) = over_a_wire(&app, |_| {}).await;
    let token = sender.token.at(&replica.base);
    token.send(TO, "before").await.expect(200);
    wire.break_at(&["too late"], Loses::Time);
    let refusal = token.send(TO, "too late").await.expect(503);
    let text = refusal["message"].as_str().expect("a text");
    assert!(!text.starts_with("it is not known"), "{text}");
    wire.deliver().await;
    assert!(!is_stored(&app, "too late").await);
    once_back(async || token.send(TO, "after").await).await.expect(200);
    assert_eq!(sender.token.credits().await, (2, 100));
    audited(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_claim_that_was_not_answered_has_taken_is_taken_back() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let id = line.accept("+15557770000").await;
    let (wire, replica) = over_a_wire(&app, |_| {}).await;
    wire.break_at(&["UPDATE send_queues SET lease", "COMMIT"], Loses::Answer);
    let error = claim::claim(&replica.app, 32).await.expect_err("it is not answered");
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    let queued = Fate { status: message::Status::Queued, tries: 0, at_provider: (0, 0) };
    assert_eq!(app.fate(id).await, queued);
    assert_eq!(line.queue().await.lease, None);
    assert_eq!(line.waiting().await, (1, Some(0)));
    app.run_jobs().await;
    let sent = Fate { status: message::Status::Sent, tries: 1, at_provider: (1, 1) };
    assert_eq!(app.fate(id).await, sent);
}

/// Waits until so many API calls are written down, or more.
async fn calls(app: &TestApp, least: i64) -> i64 {
    loop {
        let period = quota_period::Entity::find().one(app.app.db.reader()).await.expect("a look");
        match period.map_or(0, |period| period.api_calls_used) {
            used if used < least => tokio::time::sleep(Duration::from_millis(5)).await,
            used => return used,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_whose_write_was_not_answered_are_counted_once() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 100).await;
    let (wire, replica) = over_a_wire(&app, |_| {}).await;
    let token = sender.token.at(&replica.base);
    wire.break_at(&["SET api_calls_used = ", "COMMIT"], Loses::Answer);
    for _ in 0..3 {
        token.get("/chats").await.expect(200);
    }
    assert_eq!(calls(&app, 3).await, 3);
    assert!(!wire.is_set(), "the write was not answered");
    token.get("/chats").await.expect(200);
    // Whatever was put back is written with it.
    assert_eq!(calls(&app, 4).await, 4);
}
