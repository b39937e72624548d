//! Sending while things break: processes are killed, clients hang up, Redis and the database go away. What was
//! answered is there, what was refused is not, and the ledger adds up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use entity::{message, sandbox_message, timestamp::Timestamp};
use futures_util::future::join_all;
use quartermaster::{clock::Clock, db, message::send, meter::rule::HOLD_MICROS, plan::SetPlan};
use sea_orm::{ConnectionTrait, EntityTrait};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    faults::{serve, until_ready},
    ledger::{audited, change_balance, grant},
    support::{
        Setup, TestApp, TokenClient,
        database::Mode,
        meter::{holds_nothing, kept},
        proxy::Proxy,
        sender::{Sender, text, unlimited},
    },
};

mod hang_ups;
mod without_redis;

const TO: &str = "+15550002222";

/// Texts of all messages that are stored, with how often each is.
async fn texts(app: &TestApp) -> BTreeMap<String, usize> {
    let mut texts = BTreeMap::new();
    for row in message::Entity::find().all(app.app.db.reader()).await.expect("messages") {
        *texts.entry(row.text.expect("a text")).or_default() += 1;
    }
    texts
}

/// By a clock that is so far on that all holds have ended, none is left.
async fn no_hold_outlives_its_end(app: &TestApp, sender: &Sender) {
    let later = Clock::manual(Timestamp(app.clock.now().0 + 2 * HOLD_MICROS));
    assert!(holds_nothing(&app.replica_by(later).await, sender).await, "holds end by themselves");
}

/// Sends until the workspace has no credits left, which shows that no hold keeps any back; how many that were.
async fn use_up(sender: &Sender) -> i64 {
    let (used, total) = sender.token.credits().await;
    for n in used..total {
        sender.token.send(TO, &format!("the rest {n}")).await.expect(200);
    }
    sender.token.send(TO, "too much").await.expect(403);
    total - used
}

/// Sends a text; the answer, if one came.
async fn attempt(token: &TokenClient, text: &str) -> Option<(u16, Value)> {
    let body = json!({ "phone": TO, "text": text });
    let answer = token.request(reqwest::Method::POST, "/messages").json(&body).send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.json().await.ok()?))
}

/// What became of the texts that were sent to a process until it was killed in the middle, after so many answers: what
/// was answered, if anything was.
async fn until_killed(
    app: &TestApp,
    sender: &Sender,
    round: usize,
    after: usize,
) -> Vec<(String, Option<(u16, Value)>)> {
    let listen = crate::support::free_address().to_string();
    let mut server = serve(app, &listen);
    until_ready(&app.http, &format!("http://{listen}")).await;
    let token = sender.token.at(&format!("http://{listen}"));
    let answered = AtomicUsize::new(0);
    let sending = join_all((0..30).map(|n| {
        let (token, answered) = (&token, &answered);
        async move {
            let text = format!("{round} {n}");
            let outcome = attempt(token, &text).await;
            answered.fetch_add(1, Ordering::SeqCst);
            (text, outcome)
        }
    }));
    let killing = async {
        while answered.load(Ordering::SeqCst) <= after {
            tokio::task::yield_now().await;
        }
        server.kill().expect("a kill");
        server.wait().expect("an end");
    };
    tokio::join!(sending, killing).0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_lose_nothing_that_was_answered_and_charge_nothing_that_was_refused() {
    let app = Setup::real_time().start().await;
    let plan = SetPlan { credits_per_seat: Some(entity::credits::Credits(600)), pacing_ms: Some(0), ..unlimited() };
    let sender = Sender::on_plan(&app, &plan).await;
    let (mut accepted, mut refused, mut unanswered, mut most_held) = (Vec::new(), Vec::new(), 0, 0);
    for round in 0..50usize {
        for (text, outcome) in until_killed(&app, &sender, round, round % 25).await {
            match outcome {
                Some((200, body)) => {
                    accepted.push((text, body["data"]["message_uid"].as_str().expect("a uid").to_owned()));
                }
                Some((status, body)) => {
                    assert_eq!((status, &body["error_code"]), (403, &json!("quota_exceeded")), "{body}");
                    refused.push(text);
                }
                None => unanswered += 1,
            }
        }
        if Mode::current() == Mode::Clustered {
            most_held = kept(&app, &sender).await.held.max(most_held);
        }
    }
    let stored = texts(&app).await;
    assert!(stored.values().all(|count| *count == 1), "none is there twice");
    let ids: BTreeSet<String> = message::Entity::find()
        .all(app.app.db.reader())
        .await
        .expect("messages")
        .iter()
        .map(|row| row.id.to_string())
        .collect();
    assert!(accepted.iter().all(|(text, uid)| stored.contains_key(text) && ids.contains(uid)), "none is lost");
    assert!(refused.iter().all(|text| !stored.contains_key(text)), "what was refused is not there");
    assert!(accepted.len() >= 50 && unanswered > 0, "{} answered, {unanswered} not", accepted.len());
    audited(&app).await;
    assert!(most_held > 0 || Mode::current() == Mode::Embedded, "the killed have left holds on Redis");
    change_balance(&app, &sender, &grant(20)).await.expect("a balance");
    no_hold_outlives_its_end(&app, &sender).await;
    use_up(&sender).await;
    audited(&app).await;
    // What the killed workers had in hand is free again, as it is when their leases have ended.
    let freed = db::write(&app.app.db, "test", async |tx| {
        tx.execute_unprepared("UPDATE send_queues SET due_at = 0 WHERE due_at IS NOT NULL").await?;
        Ok(())
    });
    freed.await.expect("a commit");
    app.run_jobs().await;
    let arrived = sandbox_message::Entity::find().all(app.app.db.reader()).await.expect("messages");
    assert!(!arrived.is_empty() && arrived.iter().all(|row| row.arrivals <= 1), "none went out twice");
    audited(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_falls_behind_turns_callers_away_and_charges_them_nothing() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10_000).await;
    sender.token.send(TO, "the first").await.expect(200);
    let caller = quartermaster::token::check::check(&app.app, sender.token.token()).await.expect("a caller");
    let one = |number: usize| {
        let (app, sending) = (Arc::clone(&app.app), text(&caller, TO, &format!("message {number}")));
        async move { send::send(&app, sending).await }
    };
    let (locked, is_locked) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    // Somebody holds what the writer needs.
    let holding = db::write(&app.app.db, "test", async |tx| {
        tx.execute_unprepared("UPDATE quota_periods SET revision = revision").await?;
        locked.send(()).expect("a listener");
        released.await.expect("a release");
        Ok(())
    });
    let sending = async {
        is_locked.await.expect("a lock");
        let all = join_all((0..6000).map(|number| tokio::spawn(one(number))));
        let releasing = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            release.send(()).expect("a holder");
        };
        tokio::join!(all, releasing).0
    };
    let (held, outcomes) = tokio::join!(holding, sending);
    held.expect("a commit");
    let (mut accepted, mut refused) = (0, 0);
    for outcome in outcomes {
        match outcome.expect("a task") {
            Ok(_) => accepted += 1,
            Err(error) => {
                assert_eq!(error.code().to_string(), "busy");
                assert!(error.retry_after().is_some());
                refused += 1;
            }
        }
    }
    assert!(accepted >= 4096 && refused > 0, "{accepted} accepted, {refused} refused");
    assert_eq!(texts(&app).await.len(), accepted + 1);
    assert_eq!(sender.token.credits().await.0, i64::try_from(accepted).expect("a count") + 1);
    audited(&app).await;
}

#[tokio::test]
async fn without_its_database_a_send_is_a_503_and_nothing_is_lost() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 20).await;
    let url = app.app.config.database_url.expose_secret();
    let wire = Proxy::to(url).await;
    // Whoever sends over a connection that broke unseen waits for as long.
    let cut_off = app.replica_at_configured(&wire.url(url), None, |config| config.request_timeout_ms = 5000).await;
    let token = sender.token.at(&cut_off.base);
    token.send(TO, "before").await.expect(200);
    wire.cut();
    for n in 0..3 {
        let refused = token.send(TO, &format!("refused {n}")).await;
        refused.expect(503);
        assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    }
    wire.mend();
    token.send(TO, "after").await.expect(200);
    assert_eq!(texts(&app).await.keys().map(String::as_str).collect::<Vec<_>>(), ["after", "before"]);
    assert_eq!(use_up(&sender).await, 18);
    audited(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_period_that_was_closed_meanwhile_turns_away_its_own_workspace_only() {
    let app = TestApp::start().await;
    let bakery = Sender::with_credits(&app, 100).await;
    let florist = Sender::of(&app, bakery.partner.clone(), "Florist", "+15550003333").await;
    for sender in [&bakery, &florist] {
        sender.token.send(TO, "the first").await.expect(200);
    }
    let (locked, is_locked) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    // Somebody whose clock is ahead closes the period of the bakery while messages of both wait.
    let closing = db::write(&app.app.db, "test", async |tx| {
        let close = "UPDATE quota_periods SET recurring_expired = recurring_granted - recurring_used, closed_at = 1 \
                     WHERE workspace_id IN (SELECT id FROM workspaces WHERE slug = 'bakery')";
        assert_eq!(tx.execute_unprepared(close).await?.rows_affected(), 1);
        let expire = "INSERT INTO credit_entries (workspace_id, period_start, bucket, kind, amount, created_at) \
                      SELECT workspace_id, period_start, 'recurring', 'expire', -recurring_expired, 1 \
                      FROM quota_periods WHERE closed_at = 1";
        tx.execute_unprepared(expire).await?;
        locked.send(()).expect("a listener");
        released.await.expect("a release");
        Ok(())
    });
    let sending = async {
        is_locked.await.expect("a lock");
        let both = (0..10).map(|n| if n % 2 == 0 { &bakery } else { &florist });
        let all = join_all(
            both.map(|sender| sender.token.post_with_key("/messages", "one", json!({ "phone": TO, "text": "waits" }))),
        );
        let releasing = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            release.send(()).expect("a holder");
        };
        tokio::join!(all, releasing).0
    };
    let (closed, answers) = tokio::join!(closing, sending);
    closed.expect("a commit");
    for (n, answer) in answers.iter().enumerate() {
        if n % 2 == 0 {
            answer.expect(503);
            assert_eq!(answer.header("retry-after"), "1");
        } else {
            answer.expect(200);
        }
    }
    assert_eq!(florist.token.credits().await, (2, 100));
    audited(&app).await;
    // By its own clock the next period begins a moment later.
    app.clock.advance(Duration::from_secs((20 * 24 + 16) * 3600));
    bakery.token.send(TO, "goes on").await.expect(200);
    audited(&app).await;
}
