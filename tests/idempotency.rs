//! The same key twice.

use serde_json::json;

use crate::support::{Answer, TestApp};

#[tokio::test]
async fn the_same_key_and_body_returns_the_same_answer_and_changes_nothing() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let create = json!({ "display_name": "Bakery", "seats_purchased": 5 });
    let first = acme.post_with_key("/workspaces", "k1", create.clone()).await;
    let second = acme.post_with_key("/workspaces", "k1", create).await;
    assert_eq!((first.expect(201), &first.text), (second.expect(201), &second.text));
    let path = "/workspaces/bakery/users";
    let first = acme.post_with_key(path, "k2", json!({ "count": 2 })).await.expect(201);
    assert_eq!(acme.post_with_key(path, "k2", json!({ "count": 2 })).await.expect(201), first);
    assert_eq!(acme.overview("bakery").await["seats"]["used"], 3);
    let user = first["users"][0]["user_id"].as_i64().expect("an id");
    let path = format!("/workspaces/bakery/users/{user}/qr");
    let link = acme.post_with_key(&path, "k3", json!({})).await.expect(200);
    assert_eq!(acme.post_with_key(&path, "k3", json!({})).await.expect(200), link);
    assert_eq!(link["previous_qr_revoked"], false);
    assert_eq!(acme.overview("bakery").await["qr_links"].as_array().map(Vec::len), Some(1));
    acme.connect("bakery", user, "+15550001111").await;
    let path = format!("/workspaces/bakery/users/{user}/whatsapp/disconnect");
    let ended = acme.post_with_key(&path, "k4", json!({})).await.expect(200);
    assert_eq!(ended["disconnected"], true);
    assert_eq!(acme.post_with_key(&path, "k4", json!({})).await.expect(200), ended);
}

#[tokio::test]
async fn the_same_key_for_another_request_is_refused() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    acme.post_with_key("/workspaces", "k", json!({ "display_name": "One" })).await.expect(201);
    let body = json!({ "display_name": "Two" });
    acme.post_with_key("/workspaces", "k", body.clone()).await.expect_error(409, "idempotency_key_reused");
    let path = "/workspaces/one/api-token";
    acme.post_with_key(path, "k", json!({})).await.expect_error(409, "idempotency_key_reused");
    // Keys are each partner's own.
    other.post_with_key("/workspaces", "k", body).await.expect(201);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let path = format!("/workspaces/{workspace}/users");
    acme.post_with_key(&path, "k", json!({ "count": 1 })).await.expect_error(409, "seats_full");
    acme.patch(&format!("/workspaces/{workspace}"), json!({ "seats_purchased": 2 })).await.expect(200);
    acme.post_with_key(&path, "k", json!({ "count": 1 })).await.expect(201);
}

#[tokio::test]
async fn a_replayed_token_that_was_revoked_since_is_refused() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let path = format!("/workspaces/{workspace}/api-token");
    let first = acme.post_with_key(&path, "k", json!({})).await.expect(201);
    assert_eq!(acme.post_with_key(&path, "k", json!({})).await.expect(201), first);
    acme.post_empty(&path).await.expect(201);
    acme.post_with_key(&path, "k", json!({})).await.expect_error(409, "token_revoked");
}

#[tokio::test]
async fn keys_have_a_form_and_an_end() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let body = json!({ "display_name": "Bakery" });
    for bad in ["", "with space", &"k".repeat(256)] {
        acme.post_with_key("/workspaces", bad, body.clone()).await.expect_error(400, "invalid_request");
    }
    let request = || acme.request(reqwest::Method::POST, "/workspaces").json(&body);
    let unreadable =
        request().header("Idempotency-Key", reqwest::header::HeaderValue::from_bytes(b"\xfc").expect("bytes"));
    Answer::of(unreadable).await.expect_error(400, "invalid_request");
    let two = request().header("Idempotency-Key", "one").header("Idempotency-Key", "two");
    Answer::of(two).await.expect_error(400, "invalid_request");
    let longest = "k".repeat(255);
    acme.post_with_key("/workspaces", &longest, body.clone()).await.expect(201);
    acme.post_with_key("/workspaces", &longest, body.clone()).await.expect(201);
    app.clock.advance(std::time::Duration::from_secs(31 * 24 * 3600));
    let forgotten = quartermaster::idempotency::forget_old(&app.app).await.expect("a sweep");
    assert_eq!(forgotten, 1);
    acme.post_with_key("/workspaces", &longest, body).await.expect_error(409, "workspace_creation_failed");
}

#[tokio::test]
async fn stored_answers_do_not_show_their_secrets() {
    use sea_orm::EntityTrait;
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let made = acme.post_with_key(&format!("/workspaces/{workspace}/api-token"), "k", json!({})).await.expect(201);
    let token = made["token"].as_str().expect("a token");
    let rows = entity::idempotency_key::Entity::find().all(app.app.db.reader()).await.expect("rows");
    let outcome = rows[0].outcome.as_ref().expect("an outcome");
    assert!(!outcome.windows(token.len()).any(|window| window == token.as_bytes()));
}
