//! Sending while Redis is emptied, gone, stuck, or silent: the ledger decides, nobody waits for it, and its return needs
//! nothing of ours.

use std::time::Duration;

use futures_util::future::join_all;
use secrecy::ExposeSecret;

use crate::{
    ledger::audited,
    metering::count,
    send_faults::{TO, texts},
    support::{
        Setup, TestApp, TokenClient,
        database::{Mode, redis_url},
        meter::until_on_redis,
        proxy::Proxy,
        redis::OwnRedis,
        sender::Sender,
    },
};

/// Two replicas on a Redis of their own.
async fn two_replicas(app: &TestApp, redis: &OwnRedis) -> [TestApp; 2] {
    let database = app.app.config.database_url.expose_secret();
    [app.replica_at(database, Some(&redis.url())).await, app.replica_at(database, Some(&redis.url())).await]
}

/// A replica whose requests end long before those of others would, so that none of them can wait for Redis.
async fn impatient(app: &TestApp, redis_url: &str) -> TestApp {
    let database = app.app.config.database_url.expose_secret();
    app.replica_at_configured(database, Some(redis_url), |config| config.request_timeout_ms = 3000).await
}

/// Sends so many texts at once, each by the next token; how many were accepted. The others had no credits.
async fn send_some(tokens: &[TokenClient], number: usize) -> usize {
    let answers = join_all((0..number).map(|n| tokens[n % tokens.len()].send(TO, "hello"))).await;
    for answer in &answers {
        assert!([200, 403].contains(&answer.status.as_u16()), "{}", answer.text);
    }
    count(&answers, 200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emptying_redis_in_the_middle_oversells_nothing_on_two_replicas() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 50).await;
    let redis = OwnRedis::start().await;
    let replicas = if Mode::current() == Mode::Embedded {
        [app.replica().await, app.replica().await]
    } else {
        two_replicas(&app, &redis).await
    };
    let sending = join_all((0..200usize).map(|n| {
        let token = sender.token.at(&replicas[n % 2].base);
        async move { token.send(TO, &format!("message {n}")).await }
    }));
    let emptying = async {
        for _ in 0..20 {
            redis.command(&["FLUSHALL"]).await;
            redis.command(&["SCRIPT", "FLUSH"]).await;
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    let (answers, ()) = tokio::join!(sending, emptying);
    assert_eq!((count(&answers, 200), count(&answers, 403)), (50, 150));
    assert_eq!(texts(&app).await.len(), 50);
    audited(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_the_ledger_decides_and_its_return_needs_no_restart() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = Setup::real_time().start().await;
    let sender = Sender::with_credits(&app, 800).await;
    let mut redis = OwnRedis::start().await;
    let replicas = two_replicas(&app, &redis).await;
    let tokens = [sender.token.at(&replicas[0].base), sender.token.at(&replicas[1].base)];
    let both_on_redis = async || {
        for replica in &replicas {
            until_on_redis(replica, &sender).await;
        }
    };
    both_on_redis().await;
    let mut accepted = send_some(&tokens, 20).await;
    redis.stop();
    // Ten seconds and a little more.
    for _ in 0..50 {
        accepted += send_some(&tokens, 10).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(accepted, 520, "nobody was refused what there was");
    redis.start_again().await;
    let back = tokio::time::timeout(Duration::from_secs(1), both_on_redis()).await;
    back.expect("both meters are on Redis again within a second");
    assert_eq!(send_some(&tokens, 40).await, 40);
    // Frozen it holds each replica up for one call, no longer.
    redis.signal("-STOP");
    assert_eq!(send_some(&tokens, 40).await, 40);
    redis.signal("-CONT");
    both_on_redis().await;
    assert_eq!(send_some(&tokens, 400).await, 200, "every credit was used and none twice");
    assert_eq!(texts(&app).await["hello"], 800);
    audited(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_stuck_takes_no_request_its_time() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 20).await;
    let redis = OwnRedis::start().await;
    let replica = impatient(&app, &redis.url()).await;
    let tokens = [sender.token.at(&replica.base)];
    for left in [20, 8] {
        until_on_redis(&replica, &sender).await;
        redis.signal("-STOP");
        assert_eq!(send_some(&tokens, 12).await, left.min(12));
        tokens[0].get("/chats").await.expect(200);
        redis.signal("-CONT");
    }
    until_on_redis(&replica, &sender).await;
    assert_eq!(texts(&app).await["hello"], 20);
    audited(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_takes_connections_and_says_nothing_is_asked_again_until_it_answers() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let wire = Proxy::to(&redis_url()).await;
    wire.silence();
    let replica = impatient(&app, &wire.url(&redis_url())).await;
    let tokens = [sender.token.at(&replica.base)];
    assert_eq!(send_some(&tokens, 6).await, 6);
    // On the connections that it has taken it never answers.
    wire.mend();
    until_on_redis(&replica, &sender).await;
    assert_eq!(send_some(&tokens, 6).await, 4);
    audited(&app).await;
}
