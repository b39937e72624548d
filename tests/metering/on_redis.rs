//! Rates and quotas where the meter is on Redis: replicas share them, and without Redis each is as strict by itself.

use std::time::Duration;

use entity::credits::Credits;
use futures_util::future::join_all;
use quartermaster::plan::SetPlan;
use secrecy::ExposeSecret;

use crate::{
    ledger::audited,
    metering::{count, told, until_written},
    support::{
        TestApp, TokenClient,
        database::{Mode, redis_url},
        meter::until_on_redis,
        proxy::Proxy,
        sender::{Sender, unlimited},
    },
};

const HOUR: Duration = Duration::from_secs(3600);
/// From 2026-09-10T08:00:00Z to the end of September.
const UNTIL_OCTOBER: i64 = (20 * 24 + 16) * 3600;

/// A workspace whose plan leaves it little, one beside it that says whether Redis is asked, and a replica whose wire to
/// Redis can be cut.
struct Stage {
    sender: Sender,
    other: Sender,
    wire: Proxy,
    replica: TestApp,
}

impl Stage {
    async fn on_plan(app: &TestApp, plan: &SetPlan) -> Self {
        let sender = Sender::on_plan(app, plan).await;
        let other = Sender::of(app, sender.partner.clone(), "Florist", "+15550003333").await;
        let wire = Proxy::to(&redis_url()).await;
        let database = app.app.config.database_url.expose_secret();
        let replica = app.replica_at(database, Some(&wire.url(&redis_url()))).await;
        until_on_redis(&replica, &other).await;
        app.clock.advance(HOUR);
        Self { sender, other, wire, replica }
    }

    /// The sender's token at the replica.
    fn token(&self) -> TokenClient {
        self.sender.token.at(&self.replica.base)
    }

    /// API calls of the sender, with this one.
    async fn calls(&self) -> i64 {
        let workspace = self.token().get("/workspace").await.expect(200);
        workspace["data"]["api_calls_quota"]["used"].as_i64().expect("a number")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_let_in_what_one_would() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let plan = SetPlan { token_rate_per_second: Some(10), token_burst: Some(10), ..unlimited() };
    let sender = Sender::on_plan(&app, &plan).await;
    let replicas = [app.replica().await, app.replica().await];
    for replica in &replicas {
        until_on_redis(replica, &sender).await;
    }
    let tokens = [sender.token.at(&replicas[0].base), sender.token.at(&replicas[1].base)];
    for (wait, places) in [(HOUR, 20), (Duration::from_millis(500), 5), (Duration::ZERO, 0), (HOUR, 20)] {
        app.clock.advance(wait);
        let answers = join_all((0..60).map(|n| tokens[n % 2].get("/whatsapp_accounts"))).await;
        assert_eq!((count(&answers, 200), count(&answers, 429)), (places, 60 - places), "after {wait:?}");
        let allowed = answers.iter().filter(|answer| answer.status.as_u16() == 200);
        let mut left: Vec<i64> = allowed.map(|answer| told(answer).1).collect();
        left.sort_unstable();
        assert!(left.into_iter().eq((0..).take(places)), "each place is told once");
    }
}

#[tokio::test]
async fn without_redis_a_token_has_its_rate_and_its_burst() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let plan = SetPlan { token_rate_per_second: Some(2), token_burst: Some(3), ..unlimited() };
    let stage = Stage::on_plan(&app, &plan).await;
    let token = stage.token();
    let first = token.get("/whatsapp_accounts").await;
    first.expect(200);
    assert_eq!(told(&first), (5, 4, 1));
    stage.wire.cut();
    // In process the window is a new one.
    for left in (0..5).rev() {
        let answer = token.get("/whatsapp_accounts").await;
        answer.expect(200);
        assert_eq!(told(&answer), (5, left, (5 - left + 1) / 2));
    }
    for refused in [token.get("/whatsapp_accounts").await, token.send("+15550002222", "hello").await] {
        assert_eq!(refused.expect(429)["error_code"], "rate_limit_exceeded");
        assert_eq!((told(&refused), refused.header("retry-after")), ((5, 0, 1), "1"));
    }
    app.clock.advance(Duration::from_millis(500));
    token.get("/whatsapp_accounts").await.expect(200);
    token.get("/whatsapp_accounts").await.expect(429);
    app.clock.advance(HOUR);
    let answers = join_all((0..20).map(|_| token.get("/whatsapp_accounts"))).await;
    assert_eq!((count(&answers, 200), count(&answers, 429)), (5, 15));
    // On Redis the hour has emptied the window, whatever was let in beside it.
    stage.wire.mend();
    until_on_redis(&stage.replica, &stage.other).await;
    let answer = token.get("/whatsapp_accounts").await;
    answer.expect(200);
    assert_eq!(told(&answer), (5, 4, 1));
}

#[tokio::test]
async fn without_redis_api_calls_and_credits_end_where_they_end_with_it() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let plan = SetPlan { api_calls_per_period: Some(20), credits_per_seat: Some(Credits(3)), ..unlimited() };
    let stage = Stage::on_plan(&app, &plan).await;
    let token = stage.token();
    token.send("+15550002222", "on Redis").await.expect(200);
    until_written(&app, &stage.sender, stage.calls().await).await;
    stage.wire.cut();
    for text in ["by the ledger", "the last"] {
        token.send("+15550002222", text).await.expect(200);
    }
    let refused = token.send("+15550002222", "too much").await;
    assert_eq!(refused.expect(403)["error_code"], "quota_exceeded");
    for _ in stage.calls().await..20 {
        token.get("/chats").await.expect(200);
    }
    for refused in [token.get("/chats").await, token.send("+15550002222", "too much").await] {
        assert_eq!(refused.expect(429)["error_code"], "quota_exceeded");
        let seconds = UNTIL_OCTOBER - 3600;
        assert_eq!(refused.header("retry-after"), seconds.to_string());
        assert_eq!(told(&refused), (20, 0, seconds));
    }
    assert_eq!(token.credits().await, (3, 3));
    audited(&app).await;
}

#[tokio::test]
async fn what_stands_in_for_redis_knows_what_was_counted_since_it_did_last() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let stage = Stage::on_plan(&app, &SetPlan { api_calls_per_period: Some(20), ..unlimited() }).await;
    let token = stage.token();
    stage.wire.cut();
    token.get("/chats").await.expect(200);
    until_written(&app, &stage.sender, 1).await;
    stage.wire.mend();
    until_on_redis(&stage.replica, &stage.other).await;
    for _ in stage.calls().await..20 {
        token.get("/chats").await.expect(200);
    }
    token.get("/chats").await.expect(429);
    until_written(&app, &stage.sender, 20).await;
    // Calls are written down one after the other: once this one is, the process has heard of those before.
    until_written(&app, &stage.sender, stage.calls().await).await;
    stage.wire.cut();
    assert_eq!(token.get("/chats").await.expect(429)["error_code"], "quota_exceeded");
}
