//! What breaks: the process in the middle, the database, Redis.

use std::{
    collections::HashSet,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, future::join_all};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::support::{
    Answer, PartnerClient, Setup, TestApp,
    database::{Mode, redis_url},
    proxy::Proxy,
};

/// Serves the state of `app` from a process that can be killed.
pub(crate) fn serve(app: &TestApp, listen: &str) -> Child {
    server(app, listen).spawn().expect("the binary")
}

/// What [`serve`] starts, to be changed before.
pub(crate) fn server(app: &TestApp, listen: &str) -> Command {
    let config = &app.app.config;
    let mut command = Command::new(env!("CARGO_BIN_EXE_quartermaster"));
    command
        .args(["--listen", listen, "--log-filter", "warn"])
        .env("QM_DATABASE_URL", config.database_url.expose_secret())
        .env("QM_DATA_DIR", &config.data_dir)
        .env("QM_REDIS_PREFIX", &config.redis_prefix)
        .env("QM_MASTER_KEY", config.master_key.as_ref().expect("a key").expose_secret())
        .env("QM_DATABASE_POOL_SIZE", "8")
        .stdin(Stdio::null());
    command.env("QM_ALLOW_PRIVATE_TARGETS", config.allow_private_targets.to_string());
    if let Some(url) = &config.redis_url {
        command.env("QM_REDIS_URL", url.expose_secret());
    }
    command
}

pub(crate) async fn until_ready(http: &reqwest::Client, base: &str) {
    let ready = async {
        while http.get(format!("{base}/healthz")).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ready).await.expect("the process is ready");
}

#[tokio::test]
async fn a_kill_in_the_middle_loses_nothing_that_was_answered_and_leaves_nothing_half() {
    let app = Setup::real_time().start().await;
    let acme = app.partner("acme").await;
    let mut made = HashSet::new();
    for round in 0..5usize {
        let listen = crate::support::free_address().to_string();
        let base = format!("http://{listen}");
        let mut server = serve(&app, &listen);
        until_ready(&app.http, &base).await;
        let victim = acme.at(&base);
        let answered = AtomicUsize::new(0);
        let sending = join_all((0..30).map(|n| create(&victim, format!("Bakery {round} {n}"), &answered)));
        // Killed while the rest is under way, however slow the machine is.
        let killing = async {
            while answered.load(Ordering::SeqCst) <= round * 4 {
                tokio::task::yield_now().await;
            }
            server.kill().expect("a kill");
            server.wait().expect("an end");
        };
        let (answers, ()) = tokio::join!(sending, killing);
        made.extend(answers.into_iter().flatten());
    }
    let list = acme.get("/workspaces?limit=200").await.expect(200);
    let mut found = HashSet::new();
    for workspace in list["workspaces"].as_array().expect("workspaces") {
        let id = workspace["workspace_id"].as_str().expect("an id").to_owned();
        let overview = acme.overview(&id).await;
        assert_eq!(overview["users"].as_array().map(Vec::len), Some(1), "{overview}");
        assert_eq!(overview["messages_quota"]["total"], 1000);
        assert!(workspace["owner_user_id"].is_i64() && workspace["group_id"].is_i64());
        found.insert(id);
    }
    let lost: Vec<&String> = made.difference(&found).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
    assert!(made.len() >= 5, "some were answered before each kill");
    assert!(made.len() < 150, "and some were not");
}

/// The id of the workspace, if the request was answered.
async fn create(client: &PartnerClient, name: String, answered: &AtomicUsize) -> Option<String> {
    let body = json!({ "display_name": name, "seats_purchased": 2 });
    let answer = client.request(reqwest::Method::POST, "/workspaces").json(&body).send().await.ok()?;
    let made: serde_json::Value = answer.json().await.ok()?;
    answered.fetch_add(1, Ordering::SeqCst);
    made["workspace_id"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_database_that_is_gone_is_a_503_and_back_is_back() {
    if Mode::current() == Mode::Embedded {
        // The embedded store is a file of the process.
        return;
    }
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let wire = Proxy::to(app.app.config.database_url.expose_secret()).await;
    let cut_off = app.replica_at(&wire.url(app.app.config.database_url.expose_secret()), None).await;
    let client = acme.at(&cut_off.base);
    client.get("/workspaces").await.expect(200);
    wire.cut();
    for _ in 0..3 {
        let refused = client.post("/workspaces", json!({ "display_name": "Bakery" })).await;
        refused.expect_error(503, "busy");
        assert_eq!(refused.header("retry-after"), "1");
    }
    let ready = Answer::of(app.http.get(format!("{}/readyz", cut_off.base))).await.expect(503);
    assert_eq!(ready["database"], "failed");
    wire.mend();
    client.post("/workspaces", json!({ "display_name": "Bakery" })).await.expect(201);
    assert_eq!(acme.get("/workspaces").await.expect(200)["workspaces"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn without_redis_other_replicas_look_for_themselves() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let wire = Proxy::to(&redis_url()).await;
    let url = app.app.config.database_url.expose_secret();
    let deaf = app.replica_at(url, Some(&wire.url(&redis_url()))).await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let owner = acme.owner(&workspace).await;
    for phone in ["+15550001111", "+15550002222"] {
        let page = acme.page(&workspace, owner).await;
        let mut events = page.at(&deaf.base).events().await;
        let code = page.start().await.code();
        wire.cut();
        acme.scan(&code, phone).await.expect(200);
        let connected = async { while events.next().await.expect("a state").state() != "connected" {} };
        tokio::time::timeout(Duration::from_secs(5), connected).await.expect("the page is told without Redis");
        wire.mend();
    }
    // After its return signals go through again, without a restart.
    let heard = async {
        loop {
            let mut signals = deaf.app.signals.subscribe();
            app.app.signals.publish(quartermaster::signal::Signal::Work);
            if tokio::time::timeout(Duration::from_millis(100), signals.recv()).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), heard).await.expect("signals are back");
}
