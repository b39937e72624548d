//! The workspace's API token on the Partner API.

use serde_json::json;

use crate::support::TestApp;

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
