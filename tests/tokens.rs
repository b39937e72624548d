//! The workspace's API token on the Partner API.

use futures_util::future::join_all;
use secrecy::ExposeSecret;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{
    TestApp,
    database::Mode,
    proxy::Proxy,
    sender::{Sender, unlimited},
};

#[tokio::test]
async fn the_first_read_makes_the_token_and_later_ones_find_it() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let path = format!("/workspaces/{workspace}/api-token");
    let first = acme.get(&path).await.expect(200);
    assert_eq!(first["workspace_id"], "bakery");
    let token = first["token"].as_str().expect("a token");
    assert!(token.starts_with("qm_") && token.len() == 46, "256 bits behind a prefix");
    assert_eq!(acme.get(&path).await.expect(200), first);
    app.token(token).get("/workspace").await.expect(200);
}

#[tokio::test]
async fn a_rotation_refuses_the_old_token_at_once() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let path = format!("/workspaces/{workspace}/api-token");
    let old = acme.get(&path).await.expect(200)["token"].as_str().expect("a token").to_owned();
    let rotated = acme.post_empty(&path).await.expect(201);
    let new = rotated["token"].as_str().expect("a token").to_owned();
    assert_ne!(old, new);
    assert_eq!(rotated["workspace_id"], "bakery");
    assert_eq!(rotated["rotated_at"], "2026-09-10T08:00:00Z");
    let refused = app.token(&old).get("/workspace").await.expect(401);
    assert_eq!(refused["error_code"], "invalid_token");
    app.token(&new).get("/workspace").await.expect(200);
    assert_eq!(acme.get(&path).await.expect(200)["token"], json!(new));
    let again = acme.post_empty(&path).await.expect(201);
    assert_ne!(again["token"], json!(new), "rotating is not idempotent without a key");
}

#[tokio::test]
async fn a_rotation_without_a_first_token_makes_one() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let made = acme.post_empty(&format!("/workspaces/{workspace}/api-token")).await.expect(201);
    app.token(made["token"].as_str().expect("a token")).get("/workspace").await.expect(200);
}

#[tokio::test]
async fn another_partners_token_is_neither_read_nor_rotated() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let workspace = acme.workspace("Bakery", 1).await;
    let path = format!("/workspaces/{workspace}/api-token");
    let token = acme.get(&path).await.expect(200)["token"].clone();
    other.get(&path).await.expect_error(404, "workspace_not_found");
    other.post_empty(&path).await.expect_error(404, "workspace_not_found");
    assert_eq!(acme.get(&path).await.expect(200)["token"], token);
}

/// Where every question to the database can be counted, and a process that has checked no token yet.
async fn counting(app: &TestApp, token: &str) -> (Proxy, TestApp) {
    let url = app.app.config.database_url.expose_secret();
    let wire = Proxy::to(url).await;
    let replica = app.replica_at(&wire.url(url), None).await;
    wire.count(&Sha256::digest(token));
    (wire, replica)
}

#[tokio::test]
async fn of_many_first_uses_of_a_token_one_asks_the_database() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let sender = Sender::on_plan(&app, &unlimited()).await;
    let (wire, replica) = counting(&app, sender.token.token()).await;
    let client = sender.token.at(&replica.base);
    for answer in join_all((0..40).map(|_| client.get("/whatsapp_accounts"))).await {
        answer.expect(200);
    }
    // It asks twice, before and after it knows whose token it is; and again if it hears of a change meanwhile.
    let asked = wire.counted();
    assert!((2..=4).contains(&asked), "{asked}");
    client.get("/whatsapp_accounts").await.expect(200);
    assert_eq!(wire.counted(), asked, "it is remembered");
}

#[tokio::test]
async fn an_unknown_token_is_remembered_for_a_while() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = TestApp::start().await;
    let token = format!("qm_{}", "x".repeat(43));
    let (wire, replica) = counting(&app, &token).await;
    let stranger = replica.token(&token);
    for _ in 0..3 {
        for answer in join_all((0..20).map(|_| stranger.get("/workspace"))).await {
            answer.expect(401);
        }
    }
    // A second time only if all that took longer than it is remembered.
    let asked = wire.counted();
    assert!((1..=2).contains(&asked), "{asked}");
}
