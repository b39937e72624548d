//! Credits that do not expire: the Operator API and the command line, and what both refuse.

use quartermaster::{caller::Origin, token::operator};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    cli::{printed, refused, run},
    support::{Answer, Setup, TestApp, sender::Sender},
};

/// The platform's staff.
struct Staff<'a> {
    app: &'a TestApp,
    token: String,
}

impl<'a> Staff<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let (_, token) = operator::create(&app.app, &Origin::operator(), "staff").await.expect("a token");
        Self { app, token: token.expose_secret().to_owned() }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.app.http.request(method, format!("{}/operator/v1{path}", self.app.base)).bearer_auth(&self.token)
    }

    async fn change(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }
}

#[tokio::test]
async fn staff_grants_adjusts_and_reads_the_ledger() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 1).await;
    let staff = Staff::new(&app).await;
    let path = format!("/workspaces/acme/{}/credits", sender.workspace);
    let grant = json!({ "kind": "grant", "credits": 5, "note": "welcome" });
    assert_eq!(staff.change(&path, &grant).await.expect(200), json!({ "remaining_balance": 5 }));
    let adjust = json!({ "kind": "adjust", "credits": -2 });
    assert_eq!(staff.change(&path, &adjust).await.expect(200), json!({ "remaining_balance": 3 }));
    sender.token.send("+15550002222", "hello").await.expect(200);
    let first = Answer::of(staff.request(Method::GET, &format!("{path}?limit=3"))).await.expect(200);
    assert_eq!((&first["total"], &first["used"], &first["remaining_balance"]), (&json!(4), &json!(1), &json!(3)));
    let amounts: Vec<i64> =
        first["entries"].as_array().expect("entries").iter().filter_map(|one| one["amount"].as_i64()).collect();
    assert_eq!(amounts, [1, 5, -2]);
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let second = Answer::of(staff.request(Method::GET, &format!("{path}?cursor={cursor}"))).await.expect(200);
    assert_eq!((&second["entries"][0]["kind"], &second["entries"][0]["amount"]), (&json!("charge"), &json!(-1)));
    assert_eq!(second["next_cursor"], json!(null));
}

#[tokio::test]
async fn the_same_key_grants_once() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 1).await;
    let staff = Staff::new(&app).await;
    let path = format!("/workspaces/acme/{}/credits", sender.workspace);
    let body = json!({ "kind": "grant", "credits": 5 });
    for _ in 0..3 {
        let request = staff.request(Method::POST, &path).header("Idempotency-Key", "k").json(&body);
        assert_eq!(Answer::of(request).await.expect(200)["remaining_balance"], 5);
    }
    let other = json!({ "kind": "grant", "credits": 6 });
    let request = staff.request(Method::POST, &path).header("Idempotency-Key", "k").json(&other);
    assert_eq!(Answer::of(request).await.expect(409)["code"], "idempotency_key_reused");
}

#[tokio::test]
async fn what_is_refused_is_a_problem_and_changes_nothing() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 1).await;
    let staff = Staff::new(&app).await;
    let path = format!("/workspaces/acme/{}/credits", sender.workspace);
    for (path, body, status, code) in [
        (path.as_str(), json!({ "kind": "grant", "credits": -5 }), 400, "invalid_request"),
        (&path, json!({ "kind": "grant", "credits": 0 }), 400, "invalid_request"),
        (&path, json!({ "kind": "grant", "credits": 1_000_000_001 }), 400, "invalid_request"),
        (&path, json!({ "kind": "steal", "credits": 1 }), 400, "invalid_request"),
        (&path, json!({ "kind": "adjust", "credits": -1 }), 409, "insufficient_credits"),
        ("/workspaces/acme/other/credits", json!({ "kind": "grant", "credits": 1 }), 404, "workspace_not_found"),
        ("/workspaces/other/bakery/credits", json!({ "kind": "grant", "credits": 1 }), 404, "workspace_not_found"),
    ] {
        let answer = staff.change(path, &body).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{body}");
        assert_eq!(answer.expect(status)["code"], code, "{body}");
    }
    let anonymous = Answer::of(app.http.get(format!("{}/operator/v1{path}", app.base))).await;
    assert_eq!(anonymous.expect(401)["code"], "missing_credentials");
    for stranger in [sender.token.token(), "qmop_x"] {
        let request = app.http.get(format!("{}/operator/v1{path}", app.base)).bearer_auth(stranger);
        assert_eq!(Answer::of(request).await.expect(401)["code"], "invalid_token");
    }
    assert_eq!(sender.token.credits().await, (0, 1));
    crate::ledger::audited(&app).await;
}

#[tokio::test]
async fn the_command_line_grants_shows_and_audits() {
    let app = Setup::real_time().start().await;
    let sender = Sender::with_credits(&app, 2).await;
    let workspace = format!("acme/{}", sender.workspace);
    let credits = |verb, amount| ["credits", verb, "--workspace", &workspace, "--credits", amount].map(str::to_owned);
    let ran = |arguments: [String; 6]| run(&app, &arguments.each_ref().map(String::as_str));
    assert_eq!(printed(&ran(credits("grant", "7")))["remaining_balance"], 7);
    assert_eq!(printed(&ran(credits("adjust", "-3")))["remaining_balance"], 4);
    refused(&ran(credits("grant", "-7")), "invalid_request");
    refused(&ran(credits("adjust", "-5")), "insufficient_credits");
    let shown = printed(&run(&app, &["credits", "show", "--workspace", &workspace]));
    assert_eq!((&shown["total"], &shown["remaining_balance"]), (&json!(6), &json!(4)));
    for _ in 0..6 {
        sender.token.send("+15550002222", "a running server knows of it").await.expect(200);
    }
    sender.token.send("+15550002222", "too much").await.expect(403);
    assert_eq!(printed(&run(&app, &["audit"]))["drift"], json!([]));
    quartermaster::db::write(&app.app.db, "test", async |tx| {
        sea_orm::ConnectionTrait::execute_unprepared(tx, "UPDATE wallets SET balance = 9").await?;
        Ok(())
    })
    .await
    .expect("a tampering");
    let found = run(&app, &["audit"]);
    assert_eq!(found.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&found.stdout).expect("a report");
    assert_eq!(report["drift"][0]["check"], "balance");
}
