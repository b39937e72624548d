//! Commits that the database does not answer: nobody is told what is not so, and what was done is done once.

use entity::message;
use quartermaster::config::Config;
use sea_orm::EntityTrait;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    ledger::audited,
    support::{
        Answer, TestApp,
        database::Mode,
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
