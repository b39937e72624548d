//! Rates and quotas of the Workspace API: who is let in, and what the headers say.

use std::time::Duration;

use entity::{event, quota_period};
use futures_util::future::join_all;
use quartermaster::{
    caller::Origin,
    plan::{self, SetPlan},
    quota::api_calls,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::support::{
    Answer, TestApp,
    database::Mode,
    meter::workspace_of,
    redis::OwnRedis,
    sender::{Sender, unlimited},
};

mod on_redis;

fn named(name: &str) -> SetPlan {
    SetPlan { name: name.to_owned(), ..SetPlan::default() }
}

/// Counts answers by status.
pub(crate) fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status.as_u16() == status).count()
}

/// What the headers of both families say: limit, remaining, seconds.
fn told(answer: &Answer) -> (i64, i64, i64) {
    let number = |name: &str| answer.header(name).parse::<i64>().unwrap_or_else(|_| panic!("{name}: {answer:?}"));
    let (limit, remaining, reset) =
        (number("x-ratelimit-limit"), number("x-ratelimit-remaining"), number("x-ratelimit-reset"));
    let item = answer.header("ratelimit");
    let (name, parameters) = item.split_once(';').expect("parameters");
    assert_eq!(parameters, format!("r={remaining};t={reset}"), "both families agree");
    let policy = answer.header("ratelimit-policy");
    assert!(policy.contains(&format!("{name};q={limit};w=")), "{name} of {policy}");
    (limit, remaining, reset)
}

#[tokio::test]
async fn a_token_has_its_rate_and_its_burst_and_is_let_in_again() {
    let app = TestApp::start().await;
    let plan = SetPlan { token_rate_per_second: Some(2), token_burst: Some(3), ..unlimited() };
    let sender = Sender::on_plan(&app, &plan).await;
    for left in (0..5).rev() {
        let answer = sender.token.get("/whatsapp_accounts").await;
        answer.expect(200);
        assert_eq!(told(&answer), (5, left, (5 - left + 1) / 2));
    }
    for _ in 0..3 {
        let refused = sender.token.get("/whatsapp_accounts").await;
        assert_eq!(refused.expect(429)["error_code"], "rate_limit_exceeded");
        assert_eq!((told(&refused), refused.header("retry-after")), ((5, 0, 1), "1"));
    }
    // What was refused has burnt nothing: half a second later there is one place.
    app.clock.advance(Duration::from_millis(500));
    sender.token.get("/whatsapp_accounts").await.expect(200);
    sender.token.get("/whatsapp_accounts").await.expect(429);
    app.clock.advance(Duration::from_secs(3600));
    let answers = join_all((0..20).map(|_| sender.token.get("/whatsapp_accounts"))).await;
    assert_eq!((count(&answers, 200), count(&answers, 429)), (5, 15), "a window fills to its size and no further");
}

#[tokio::test]
async fn tokens_have_rates_of_their_own_and_share_those_of_workspace_and_partner() {
    let app = TestApp::start().await;
    let plan = SetPlan {
        token_rate_per_second: Some(3),
        token_burst: Some(0),
        workspace_rate_per_second: Some(5),
        partner_rate_per_second: Some(7),
        ..named("starter")
    };
    let first = Sender::on_plan(&app, &plan).await;
    let second = Sender::of(&app, first.partner.clone(), "Florist", "+15550003333").await;
    let owner = first.partner.owner(&first.workspace).await;
    let other = app.token(&crate::cli::token_of(&app, &first.workspace, owner).await);
    // Told apart from the first by its name, which the answer tells.
    app.clock.advance(Duration::from_secs(60));
    let nearest = |answer: &Answer| answer.header("ratelimit").split(';').next().unwrap_or_default().to_owned();
    let all = join_all((0..6).map(|_| first.token.get("/whatsapp_accounts"))).await;
    assert_eq!(count(&all, 200), 3, "the token's");
    assert_eq!(nearest(&first.token.get("/whatsapp_accounts").await), "\"token\"");
    let all = join_all((0..6).map(|_| other.get("/workspace"))).await;
    assert_eq!(count(&all, 200), 2, "what is left of the workspace's");
    assert_eq!(nearest(&other.get("/workspace").await), "\"workspace\"");
    let all = join_all((0..6).map(|_| second.token.get("/workspace"))).await;
    assert_eq!(count(&all, 200), 2, "what is left of the partner's");
    assert_eq!(nearest(&second.token.get("/workspace").await), "\"partner\"");
}

#[tokio::test]
async fn api_calls_are_counted_and_end_with_the_period() {
    let app = TestApp::start().await;
    let sender = Sender::on_plan(&app, &SetPlan { api_calls_per_period: Some(10), ..unlimited() }).await;
    for _ in 0..4 {
        sender.token.get("/chats").await.expect(200);
    }
    sender.token.get("/chats/999").await.expect(404);
    sender.token.post("/messages", json!({ "phone": "x" })).await.expect(400);
    let quota = async || sender.token.get("/workspace").await.expect(200)["data"]["api_calls_quota"].clone();
    assert_eq!(quota().await["used"], 7, "reads, errors, and this one");
    api_calls::write(&app.app).await.expect("written");
    let stored = quota_period::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a period");
    assert_eq!(stored.api_calls_used, 7);
    for _ in 0..3 {
        sender.token.get("/chats").await.expect(200);
    }
    let refused = sender.token.get("/chats").await;
    assert_eq!(refused.expect(429)["error_code"], "quota_exceeded");
    // From 2026-09-10T08:00:00Z to the end of September.
    let seconds = (20 * 24 + 16) * 3600;
    assert_eq!(refused.header("retry-after"), seconds.to_string());
    assert_eq!(told(&refused), (10, 0, seconds));
    sender.token.send("+15550002222", "hello").await.expect(429);
    sender.token.get("/workspace").await.expect(200);
    sender.token.get("/workspace/quotas").await.expect(200);
    assert_eq!(sender.token.credits().await.0, 0, "nothing was charged");
    app.clock.advance(Duration::from_secs(seconds.unsigned_abs()));
    sender.token.get("/chats").await.expect(200);
    sender.token.send("+15550002222", "hello").await.expect(200);
}

/// Credentials come first, then scopes, then the count, and only then what is asked for.
#[tokio::test]
async fn what_cannot_be_understood_counts_and_what_is_not_allowed_does_not() {
    let app = TestApp::start().await;
    let sender = Sender::on_plan(&app, &unlimited()).await;
    let mut looks = 0;
    let mut used = async || {
        looks += 1;
        let quota = sender.token.get("/workspace").await.expect(200)["data"]["api_calls_quota"]["used"].clone();
        quota.as_i64().expect("a number") - looks
    };
    let reading = [
        ("/chats?page=x", "page"),
        ("/chats?page=0", "page"),
        ("/chats?closed=maybe", "closed"),
        ("/chats?with_msg=2", "with_msg"),
        ("/chats?created_after=x", "created_after"),
        ("/chats?phone=x", "phone"),
        ("/chats/search", "q"),
        ("/chats/search?q=", "q"),
        ("/chats/search?q=a&page=x", "page"),
        ("/chats/1/messages?from_me=2", "from_me"),
        ("/chats/1/messages?after=x", "after"),
        ("/chats/1/messages?sorting_order=up", "sorting_order"),
        ("/files?page=0", "page"),
        ("/webhooks/1/deliveries?limit=x", "limit"),
        ("/v2/chats?group=2", "group"),
        ("/v2/chats?with_msg=2", "with_msg"),
        ("/v2/chats/1/messages?page=0", "page"),
    ];
    let before = used().await;
    for (counted, (path, field)) in (1..).zip(reading) {
        let error = sender.token.get(path).await.expect(400);
        assert_eq!(
            (&error["error_code"], &error["errors"][0]["fields"]),
            (&json!("validation_error"), &json!([field]))
        );
        assert_eq!(used().await, before + counted, "{path}");
    }
    let before = used().await;
    sender.token.post("/templates/1/track_usage", json!({ "origin": 1 })).await.expect(400);
    sender.token.post("/v2/templates", json!({ "template_id": "x" })).await.expect(400);
    assert_eq!(used().await, before + 2);

    let before = used().await;
    let reader = app.token(&crate::cli::token_with(&app, &sender.workspace, "chats:read").await);
    let asking = ["/chats?with_msg=1", "/v2/chats?with_msg=1", "/chats/search?q=a", "/chats/search"];
    for path in asking.into_iter().chain(reading.map(|(path, _)| path)) {
        let anonymous = app.http.get(format!("{}/integrations/api{path}", app.base));
        assert_eq!(Answer::of(anonymous).await.expect(401)["error_code"], "missing_credentials", "{path}");
    }
    for path in asking {
        assert_eq!(reader.get(path).await.expect(403)["error_code"], "insufficient_scope", "{path}");
    }
    assert_eq!(used().await, before);
}

#[tokio::test]
async fn calls_are_written_down_by_themselves() {
    let app = TestApp::start().await;
    let sender = Sender::on_plan(&app, &unlimited()).await;
    for _ in 0..5 {
        sender.token.get("/chats").await.expect(200);
    }
    assert_eq!(until_written(&app, &sender, 5).await, 5);
}

/// Waits until so many calls of a workspace stand in the ledger; how many there are.
async fn until_written(app: &TestApp, sender: &Sender, calls: i64) -> i64 {
    let workspace = workspace_of(app, sender).await;
    let periods = quota_period::Entity::find().filter(quota_period::Column::WorkspaceId.eq(workspace.id));
    let written = async {
        loop {
            let found = periods.clone().one(app.app.db.reader()).await.expect("a look");
            match found.map_or(0, |period| period.api_calls_used) {
                used if used >= calls => return used,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written).await.expect("calls are written down")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_told_of_calls_that_were_made_while_it_did_not_answer() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let sender = Sender::on_plan(&app, &unlimited()).await;
    let redis = OwnRedis::start().await;
    let database = app.app.config.database_url.expose_secret();
    let replica = async || app.replica_at(database, Some(&redis.url())).await;
    let [replica, other] = [replica().await, replica().await];
    let [token, elsewhere] = [&replica, &other].map(|at| sender.token.at(&at.base));
    for token in [&token, &elsewhere] {
        token.get("/chats").await.expect(200);
    }
    // Frozen it keeps what it has counted.
    redis.signal("-STOP");
    for _ in 0..20 {
        token.get("/chats").await.expect(200);
    }
    redis.signal("-CONT");
    let mut made = 22;
    let told = async {
        loop {
            until_written(&app, &sender, made).await;
            // The meter hears of it a moment later.
            tokio::time::sleep(Duration::from_millis(700)).await;
            made += 1;
            let seen = elsewhere.get("/workspace").await.expect(200)["data"]["api_calls_quota"]["used"].clone();
            if seen == made {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("Redis counts as the ledger does");
}

#[tokio::test]
async fn thresholds_of_api_calls_are_told_once_and_a_larger_plan_recovers_them() {
    let app = TestApp::start().await;
    let sender = Sender::on_plan(&app, &SetPlan { api_calls_per_period: Some(20), ..unlimited() }).await;
    let kinds = async || {
        api_calls::write(&app.app).await.expect("written");
        app.run_jobs().await;
        let events = event::Entity::find().all(app.app.db.reader()).await.expect("events");
        let mut kinds: Vec<String> = events.into_iter().map(|event| event.kind).collect();
        kinds.retain(|kind| kind.contains("api_calls"));
        kinds.sort();
        kinds
    };
    for _ in 0..17 {
        sender.token.get("/chats").await.expect(200);
    }
    assert_eq!(kinds().await, [] as [String; 0]);
    for _ in 0..3 {
        sender.token.get("/chats").await.expect(200);
        kinds().await;
    }
    let (near, full) = ("workspace:quota_near_full:api_calls", "workspace:quota_full:api_calls");
    assert_eq!(kinds().await, [full, near]);
    let larger = SetPlan { api_calls_per_period: Some(100), ..unlimited() };
    plan::set(&app.app, &Origin::operator(), &larger).await.expect("a plan");
    assert_eq!(kinds().await, [full, near, "workspace:quota_recovered:api_calls"]);
    sender.token.get("/chats").await.expect(200);
    for _ in 0..80 {
        sender.token.get("/chats").await;
    }
    assert_eq!(kinds().await.iter().filter(|kind| *kind == full).count(), 2, "told again after it had recovered");
}

#[tokio::test]
async fn a_burst_over_the_mark_is_told_once_and_a_top_up_recovers_it() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 1100).await;
    let kinds = async || {
        let events = event::Entity::find().all(app.app.db.reader()).await.expect("events");
        let mut told: Vec<(String, serde_json::Value)> = events
            .into_iter()
            .filter(|event| event.kind.ends_with(":messaging"))
            .map(|event| (event.kind, serde_json::from_str(&event.body).expect("JSON")))
            .collect();
        told.sort_by_key(|(kind, _)| kind.clone());
        told
    };
    let answers = join_all((0..1000).map(|n| {
        let token = sender.token.clone();
        async move { token.send("+15550002222", &format!("message {n}")).await }
    }))
    .await;
    assert_eq!(count(&answers, 200), 1000);
    let told = kinds().await;
    assert_eq!(told.len(), 1, "one thousand sends over 90 % are told once: {told:?}");
    assert_eq!(told[0].0, "workspace:quota_near_full:messaging");
    let used = told[0].1["messaging_quota_used"].as_i64().expect("used");
    assert!((990..=1000).contains(&used) && told[0].1["messaging_quota_total"] == 1100, "{told:?}");
    let answers = join_all((0..120).map(|_| sender.token.send("+15550002222", "more"))).await;
    assert_eq!((count(&answers, 200), count(&answers, 403)), (100, 20));
    assert_eq!(kinds().await.len(), 2);
    crate::ledger::change_balance(&app, &sender, &crate::ledger::grant(1000)).await.expect("a balance");
    let told = kinds().await;
    let names: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    let (full, near) = ("workspace:quota_full:messaging", "workspace:quota_near_full:messaging");
    assert_eq!(names, [full, near, "workspace:quota_recovered:messaging"]);
    sender.token.send("+15550002222", "goes on").await.expect(200);
    crate::ledger::audited(&app).await;
}

#[tokio::test]
async fn a_key_that_was_depleted_sends_at_once_after_a_refill() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 1).await;
    sender.token.send("+15550002222", "the only one").await.expect(200);
    for _ in 0..3 {
        sender.token.send("+15550002222", "refused").await.expect(403);
    }
    crate::ledger::change_balance(&app, &sender, &crate::ledger::grant(1)).await.expect("a balance");
    sender.token.send("+15550002222", "after the refill").await.expect(200);
    sender.token.send("+15550002222", "refused").await.expect(403);
}

#[tokio::test]
async fn who_has_no_credits_left_is_told_of_its_rates_all_the_same() {
    let app = TestApp::start().await;
    let plan = SetPlan {
        credits_per_seat: Some(entity::credits::Credits(1)),
        token_rate_per_second: Some(5),
        token_burst: Some(0),
        ..unlimited()
    };
    let sender = Sender::on_plan(&app, &plan).await;
    let sent = sender.token.send("+15550002222", "the only one").await;
    sent.expect(200);
    assert_eq!(told(&sent), (5, 4, 1));
    for _ in 0..2 {
        let refused = sender.token.send("+15550002222", "refused").await;
        assert_eq!(refused.expect(403)["error_code"], "quota_exceeded");
        assert_eq!(told(&refused), (5, 4, 1), "what the meter refuses burns no place");
    }
    let body = json!({ "phone": "+15550002222", "text": "refused" });
    let refused = sender.token.post_with_key("/messages", "a-key", body).await;
    assert_eq!(refused.expect(403)["error_code"], "quota_exceeded");
    assert_eq!(told(&refused), (5, 3, 1), "it was let in, and the ledger refused it");
    for (left, answer) in
        [(2, sender.token.get("/chats/999").await), (1, sender.token.post("/messages", json!({})).await)]
    {
        assert!(answer.status.is_client_error(), "{}", answer.text);
        assert_eq!(told(&answer), (5, left, 1));
    }
}

#[tokio::test]
async fn unknown_tokens_are_refused_without_headers_of_anybodys_limits() {
    let app = TestApp::start().await;
    let stranger = app.token(&format!("qm_{}", "x".repeat(43)));
    for _ in 0..3 {
        let refused = stranger.get("/workspace").await;
        assert_eq!(refused.expect(401)["error_code"], "invalid_token");
        assert_eq!(refused.header("ratelimit"), "");
    }
}
