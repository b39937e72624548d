//! The command line, as the binary that is shipped.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Setup, TestApp, database::Mode};

/// A token that acts as this user of a workspace of `acme`.
pub(crate) async fn token_of(app: &TestApp, workspace: &str, user: i64) -> String {
    issue(app, workspace, "all", Some(user)).await
}

/// A token with these scopes that acts as the owner of a workspace of `acme`.
pub(crate) async fn token_with(app: &TestApp, workspace: &str, scopes: &str) -> String {
    issue(app, workspace, scopes, None).await
}

async fn issue(app: &TestApp, workspace: &str, scopes: &str, user: Option<i64>) -> String {
    use quartermaster::{
        caller::Origin,
        token::{
            Scopes,
            admin::{self, CreateToken},
        },
    };
    use secrecy::ExposeSecret;
    let command = CreateToken {
        partner_id: entity::id::PartnerId::parse("acme").expect("an id"),
        workspace: workspace.to_owned(),
        name: "test".to_owned(),
        scopes: Scopes::parse(scopes).expect("scopes"),
        user_id: user.map(entity::id::UserId),
    };
    let made = admin::create(&app.app, &Origin::operator(), &command).await.expect("a token");
    made.token.expose_secret().to_owned()
}

/// Runs the binary on the state of `app`.
pub(crate) fn run(app: &TestApp, arguments: &[&str]) -> Output {
    use secrecy::ExposeSecret;
    let config = &app.app.config;
    let mut command = Command::new(env!("CARGO_BIN_EXE_quartermaster"));
    command
        .args(arguments)
        .arg("--json")
        .env("QM_DATABASE_URL", config.database_url.expose_secret())
        .env("QM_DATA_DIR", &config.data_dir)
        .env("QM_MASTER_KEY", config.master_key.as_ref().expect("a key").expose_secret())
        .stdin(Stdio::null());
    command.output().expect("the binary")
}

#[track_caller]
pub(crate) fn printed(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    assert_eq!(text.lines().count(), 1, "one document: {text}");
    serde_json::from_str(&text).expect("JSON")
}

#[track_caller]
pub(crate) fn refused(output: &Output, code: &str) {
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr.clone()).expect("text");
    let error: Value = serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{text}"));
    assert_eq!(error["error"], code, "{error}");
}

#[tokio::test]
async fn partners_are_made_shown_and_kept_out() {
    let app = Setup::real_time().start().await;
    let create = ["partner", "create", "--id", "acme", "--name", "Acme", "--plan", "starter", "--sandbox"];
    let made = printed(&run(&app, &create));
    assert_eq!(made["partner_id"], "acme");
    let secret = made["secret"].as_str().expect("a secret");
    let acme = app.client_of("acme", secret);
    acme.get("/workspaces").await.expect(200);
    refused(&run(&app, &create), "partner_exists");
    let shown = printed(&run(&app, &["partner", "show", "--id", "acme"]));
    assert_eq!((shown.get("secret"), &shown["sandbox"]), (None, &json!(true)), "the secret is shown once");
    assert_eq!(printed(&run(&app, &["partner", "list"])).as_array().map(Vec::len), Some(1));
    printed(&run(&app, &["partner", "disable", "--id", "acme"]));
    acme.get("/workspaces").await.expect_error(403, "partner_not_active");
    printed(&run(&app, &["partner", "enable", "--id", "acme"]));
    acme.get("/workspaces").await.expect(200);
    let rotated = printed(&run(&app, &["partner", "rotate-secret", "--id", "acme", "--overlap-seconds", "0"]));
    acme.get("/workspaces").await.expect_error(401, "invalid_signature");
    app.client_of("acme", rotated["secret"].as_str().expect("a secret")).get("/workspaces").await.expect(200);
    refused(&run(&app, &["partner", "show", "--id", "nobody"]), "partner_not_found");
    refused(&run(&app, &["partner", "create", "--id", "Bad Id", "--name", "x"]), "invalid_request");
    refused(&run(&app, &["partner", "create", "--id", "x", "--name", "x", "--plan", "none"]), "plan_not_found");
}

#[tokio::test]
async fn brands_and_origins_are_set_and_checked() {
    let app = Setup::real_time().start().await;
    app.partner("acme").await;
    let branded =
        printed(&run(&app, &["partner", "set-brand", "--id", "acme", "--name", "Acme!", "--color", "#00AAFF"]));
    assert_eq!((&branded["brand_name"], &branded["brand_color"]), (&json!("Acme!"), &json!("#00aaff")));
    let svg = app.app.config.data_dir.join("logo.svg");
    std::fs::write(&svg, "<svg/>").expect("a file");
    let svg = svg.to_str().expect("a path");
    refused(&run(&app, &["partner", "set-brand", "--id", "acme", "--logo", svg]), "invalid_request");
    let origins = ["partner", "set-embedding-origins", "--id", "acme", "https://portal.example.com"];
    assert_eq!(printed(&run(&app, &origins))["embedding_origins"], json!(["https://portal.example.com"]));
    let bad = ["partner", "set-embedding-origins", "--id", "acme", "https://*.example.com"];
    refused(&run(&app, &bad), "invalid_request");
    let none = ["partner", "set-embedding-origins", "--id", "acme"];
    assert_eq!(printed(&run(&app, &none))["embedding_origins"], json!([]));
}

#[tokio::test]
async fn webhooks_and_thresholds_are_set() {
    let app = Setup::real_time().start().await;
    let acme = app.partner("acme").await;
    let set = ["partner", "set-webhook", "--id", "acme", "--url", "https://1.1.1.1/hook"];
    let made = printed(&run(&app, &set));
    assert_eq!((&made["url"], &made["enabled"]), (&json!("https://1.1.1.1/hook"), &json!(true)));
    assert_eq!(acme.get("/webhook").await.expect(200)["url"], "https://1.1.1.1/hook");
    refused(&run(&app, &["partner", "set-webhook", "--id", "acme", "--url", "http://127.0.0.1/"]), "invalid_request");
    refused(
        &run(&app, &["partner", "set-webhook", "--id", "nobody", "--url", "https://1.1.1.1/"]),
        "partner_not_found",
    );
    assert_eq!(run(&app, &["partner", "set-webhook", "--id", "acme"]).status.code(), Some(2));
    assert_eq!(printed(&run(&app, &["partner", "set-webhook", "--id", "acme", "--off"]))["url"], json!(null));
    acme.get("/webhook").await.expect_error(404, "webhook_not_set");
    let thresholds = ["partner", "set-thresholds", "--id", "acme", "100", "80", "90"];
    assert_eq!(printed(&run(&app, &thresholds))["thresholds"], json!([80, 90, 100]));
    assert_eq!(printed(&run(&app, &["partner", "show", "--id", "acme"]))["thresholds"], json!([80, 90, 100]));
    refused(&run(&app, &["partner", "set-thresholds", "--id", "acme", "0"]), "invalid_request");
}

#[tokio::test]
async fn plans_are_listed_and_set() {
    let app = Setup::real_time().start().await;
    let starter = json!({
        "plan_id": 1, "name": "starter", "credits_per_seat": 500, "api_calls_per_period": 200_000,
        "token_rate_per_second": 30, "token_burst": 10, "workspace_rate_per_second": 100,
        "partner_rate_per_second": 300, "pacing_ms": 2000, "max_channels": null,
    });
    assert_eq!(printed(&run(&app, &["plan", "list"])), json!([starter]));
    let made = printed(&run(&app, &["plan", "set", "crm", "--credits-per-seat", "50"]));
    assert_eq!(
        (&made["plan_id"], &made["credits_per_seat"], &made["pacing_ms"]),
        (&json!(2), &json!(50), &json!(2000))
    );
    let changed = printed(&run(&app, &["plan", "set", "crm", "--pacing-ms", "500"]));
    assert_eq!(
        (&changed["plan_id"], &changed["credits_per_seat"], &changed["pacing_ms"]),
        (&json!(2), &json!(50), &json!(500))
    );
    refused(&run(&app, &["plan", "set", "crm", "--credits-per-seat=-1"]), "invalid_request");
    printed(&run(&app, &["partner", "create", "--id", "acme", "--name", "Acme", "--plan", "crm"]));
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked_beside_a_running_server() {
    let app = Setup::real_time().start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let address = format!("acme/{workspace}");
    let create = ["token", "create", "--workspace", &address, "--scopes", "workspace:read", "--name", "billing"];
    let made = printed(&run(&app, &create));
    let token = made["token"].as_str().expect("a token");
    app.token(token).get("/workspace").await.expect(200);
    app.token(token).get("/whatsapp_accounts").await.expect(403);
    let listed = printed(&run(&app, &["token", "list", "--workspace", &address]));
    assert_eq!((&listed[0]["name"], &listed[0]["revoked_at"]), (&json!("billing"), &json!(null)));
    assert!(!listed.to_string().contains(token));
    let id = made["id"].as_str().expect("an id");
    let revoke = ["token", "revoke", "--workspace", &address, "--id", id];
    let revoked = printed(&run(&app, &revoke));
    assert!(revoked["revoked_at"].is_string());
    app.token(token).until_refused().await;
    assert_eq!(printed(&run(&app, &revoke)), revoked, "a second time is harmless");
    refused(&run(&app, &["token", "revoke", "--workspace", "other/bakery", "--id", id]), "workspace_not_found");
    refused(&run(&app, &["token", "create", "--workspace", &address, "--scopes", "root"]), "invalid_request");
    refused(
        &run(&app, &["token", "create", "--workspace", &address, "--scopes", "all", "--user", "999"]),
        "user_not_found",
    );
}

#[tokio::test]
async fn operator_tokens_are_made_and_revoked() {
    let app = Setup::real_time().start().await;
    let made = printed(&run(&app, &["operator-token", "create", "--name", "billing"]));
    assert!(made["token"].as_str().is_some_and(|token| token.starts_with("qmop_")));
    let id = made["id"].as_str().expect("an id");
    let revoked = printed(&run(&app, &["operator-token", "revoke", "--id", id]));
    assert!(revoked["revoked_at"].is_string());
    refused(&run(&app, &["operator-token", "revoke", "--id", "nonsense"]), "token_not_found");
}

#[tokio::test]
async fn commands_say_that_the_schema_is_missing() {
    if Mode::current() == Mode::Embedded {
        // The embedded store is migrated by whoever opens it.
        return;
    }
    let app = Setup::real_time().start().await;
    app.app.db.migrate_down().await.expect("down");
    let missing = app.app.db.missing_migrations().await.expect("a count");
    assert!(missing > 0);
    let output = run(&app, &["plan", "list"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("quartermaster migrate"));
    let ready = crate::support::Answer::of(app.http.get(format!("{}/readyz", app.base))).await.expect(503);
    assert!(ready["migrations"].as_str().is_some_and(|text| text.contains("quartermaster migrate")));
    assert_eq!(printed(&run(&app, &["migrate"]))["applied"], missing);
    printed(&run(&app, &["plan", "list"]));
}

#[test]
fn the_demo_plays_its_story() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_quartermaster"))
        .args(["demo", "--once", "--json", "--data-dir"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("the binary");
    let story = printed(&output);
    assert_eq!(story["failed"], 0);
    let steps = story["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 37 + 19 + 9 + 11);
    for title in [
        "A customer writes",
        "and gives it to whom they say",
        "Both together cost two",
        "The bot answers",
        "The visitor has read it",
        "WhatsApp is connected",
        "Telegram is connected",
        "Instagram is connected",
    ] {
        assert!(steps.iter().any(|step| step["title"] == title && step["ok"] == true), "{title}");
    }
    assert!(story["page"].as_str().is_some_and(|page| page.contains("/qr/")));
}

#[test]
fn a_served_process_stops_on_sigterm() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Command::new(env!("CARGO_BIN_EXE_quartermaster"))
        .args(["--listen", "127.0.0.1:0", "--log-format", "json", "--data-dir"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    let mut lines = BufReader::new(server.stderr.take().expect("logs")).lines().map_while(Result::ok);
    let ready = lines.find(|line| line.contains("\"message\":\"ready\"")).expect("a line");
    let ready: Value = serde_json::from_str(&ready).expect("JSON logs");
    let address = ready["address"].as_str().expect("an address").to_owned();
    let mut connection = std::net::TcpStream::connect(&address).expect("a connection");
    std::io::Write::write_all(&mut connection, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let answer = std::io::read_to_string(connection).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let id = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    assert!(server.wait().expect("an end").success());
    assert!(lines.any(|line| line.contains("\"message\":\"stopped\"")));
    assert!(std::net::TcpStream::connect(&address).is_err());
}

#[tokio::test]
async fn only_an_adjustment_is_said_to_take_credits_away() {
    let app = TestApp::start().await;
    for (command, takes_away) in [("grant", false), ("adjust", true)] {
        let shown = run(&app, &["credits", command, "--help"]);
        let shown = String::from_utf8(shown.stdout).expect("text");
        assert!(shown.contains("--credits") && shown.contains("--workspace") && shown.contains("--note"), "{shown}");
        assert_eq!(shown.contains("negative"), takes_away, "{shown}");
    }
}
