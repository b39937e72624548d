//! Text templates: who sees them, who changes them, and how often they are used.

use entity::id::UserId;
use quartermaster::db;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{TestApp, TokenClient, conversation::Conversations};

const SCOPES: &str = "messages:read messages:write";

async fn names(token: &TokenClient) -> Vec<String> {
    let body = token.get("/templates").await.expect(200);
    let templates = body["data"]["templates"].as_array().expect("templates").clone();
    assert_eq!(body["data"]["templates_count"], templates.len());
    templates.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn a_template_is_written_read_changed_and_deleted() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let owner = bakery.token.get("/workspace/teammates/me").await.expect(200)["data"].clone();
    let new = json!({ "name": " Greeting ", "text": "Hello {name},\nhow are you?" });
    let made = bakery.token.post("/templates", new).await.expect(200)["data"].clone();
    let mut expected = json!({
        "id": made["id"], "name": "Greeting", "text": "Hello {name},\nhow are you?", "visibility": "public",
        "team_title": null, "created_by_name": owner["display_name"], "created_at": "2026-09-10T08:00:00Z",
        "updated_by_name": owner["display_name"], "updated_at": "2026-09-10T08:00:00Z",
    });
    assert_eq!(made, expected);
    let path = format!("/templates/{}", made["id"]);
    assert_eq!(bakery.token.get(&path).await.expect(200)["data"], expected);
    app.advance(60).await;
    let change = json!({ "text": "Hi", "visibility": "read-only", "team_title": "Default", "id": 99 });
    for _ in 0..2 {
        let changed = bakery.token.patch(&path, change.clone()).await.expect(200)["data"].clone();
        expected["text"] = json!("Hi");
        expected["visibility"] = json!("read-only");
        expected["team_title"] = json!("Default");
        expected["updated_at"] = json!("2026-09-10T08:01:00Z");
        assert_eq!(changed, expected);
        app.advance(60).await;
    }
    assert_eq!(bakery.audited("template.update").await, 1, "the same again is no change");
    let all = bakery.token.patch(&path, json!({ "team_title": "" })).await.expect(200);
    assert_eq!(all["data"]["team_title"], Value::Null);
    assert_eq!(bakery.token.delete(&path).await.expect(200), json!({ "status": "ok" }));
    for answer in [
        bakery.token.delete(&path).await,
        bakery.token.get(&path).await,
        bakery.token.patch(&path, json!({})).await,
        bakery.token.post(&format!("{path}/track_usage"), json!({})).await,
        bakery.token.get("/templates/x").await,
        bakery.token.get("/templates/-1").await,
    ] {
        assert_eq!(answer.expect(404)["error_code"], "not_found");
    }
    assert_eq!(names(&bakery.token).await, [] as [&str; 0]);
}

#[tokio::test]
async fn what_was_changed_last_comes_first_and_keys_write_once() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let mut first = Value::Null;
    for name in ["a", "b", "c"] {
        let made = bakery.token.post_with_key("/templates", name, json!({ "name": name, "text": "x" })).await;
        let made = made.expect(200);
        if name == "a" {
            first = made;
        }
        app.advance(1).await;
    }
    let again = bakery.token.post_with_key("/templates", "a", json!({ "name": "a", "text": "x" })).await.expect(200);
    assert_eq!(again, first);
    bakery.token.post_with_key("/templates", "a", json!({ "name": "a", "text": "y" })).await.expect(409);
    assert_eq!(names(&bakery.token).await, ["c", "b", "a"]);
    bakery.token.patch(&format!("/templates/{}", first["data"]["id"]), json!({ "text": "z" })).await.expect(200);
    assert_eq!(names(&bakery.token).await, ["a", "c", "b"]);
}

#[tokio::test]
async fn private_is_for_oneself_and_read_only_is_for_reading() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let other = UserId(bakery.partner.users(&bakery.slug, 1).await[0]);
    let (ann, bob) = (bakery.token_of(bakery.user_id, SCOPES).await, bakery.token_of(other, SCOPES).await);
    let mut ids = Vec::new();
    for visibility in ["public", "private", "read-only"] {
        let new = json!({ "name": visibility, "text": "x", "visibility": visibility });
        ids.push(ann.post("/templates", new).await.expect(200)["data"]["id"].clone());
        app.advance(1).await;
    }
    let [public, private, read_only] = [0, 1, 2].map(|index: usize| format!("/templates/{}", ids[index]));
    assert_eq!(names(&ann).await, ["read-only", "private", "public"]);
    assert_eq!(names(&bob).await, ["read-only", "public"]);
    assert_eq!(names(&bakery.token).await, ["read-only", "public"], "not even the owner sees what is private");
    for token in [&bob, &bakery.token] {
        token.get(&private).await.expect(404);
        token.patch(&private, json!({ "text": "y" })).await.expect(404);
        token.delete(&private).await.expect(404);
        token.post(&format!("{private}/track_usage"), json!({})).await.expect(404);
    }
    bob.get(&read_only).await.expect(200);
    bob.post(&format!("{read_only}/track_usage"), json!({})).await.expect(200);
    for answer in [bob.patch(&read_only, json!({ "text": "y" })).await, bob.delete(&read_only).await] {
        assert_eq!(answer.expect(403)["error_code"], "permission_denied");
    }
    let changed = bakery.token.patch(&read_only, json!({ "text": "y" })).await.expect(200)["data"].clone();
    assert!(changed["updated_by_name"].as_str().is_some_and(|name| name.starts_with("Owner")), "{changed}");
    assert!(changed["created_by_name"].as_str().is_some_and(|name| name.starts_with("Agent")), "{changed}");
    bob.patch(&public, json!({ "text": "y" })).await.expect(200);
    bob.delete(&public).await.expect(200);
    bob.patch(&read_only, json!({ "visibility": "public" })).await.expect(403);
    ann.patch(&read_only, json!({ "visibility": "private" })).await.expect(200);
    bob.get(&read_only).await.expect(404);
}

#[tokio::test]
async fn uses_are_counted() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    bakery.partner.patch("/workspaces/bakery", json!({ "time_zone": "Europe/Paris" })).await.expect(200);
    let made = bakery.token.post("/templates", json!({ "name": "a", "text": "x" })).await.expect(200)["data"].clone();
    let owner = bakery.token.get("/workspace/teammates/me").await.expect(200)["data"].clone();
    let track = format!("/templates/{}/track_usage", made["id"]);
    let shown = async || bakery.token.get("/v2/templates").await.expect(200)["data"].clone();
    let mut expected = json!({
        "id": made["id"], "name": "a", "text": "x", "visibility": "public", "team_title": null,
        "created_by_name": owner["display_name"], "created_by_email": owner["email"],
        "created_at": "2026-09-10 10:00", "updated_by_name": owner["display_name"],
        "updated_by_email": owner["email"], "updated_at": "2026-09-10 10:00", "usage_count": 0, "last_used_at": null,
    });
    assert_eq!(shown().await, json!({ "templates_count": 1, "templates": [expected] }));
    app.advance(60).await;
    assert_eq!(
        bakery.token.post(&track, json!({ "origin": "Shared Inbox" })).await.expect(200),
        json!({ "status": "ok" })
    );
    let used = bakery.token.post("/v2/templates", json!({ "template_id": made["id"], "origin": "app" })).await;
    assert_eq!(used.expect(200), json!({ "success": true }));
    expected["usage_count"] = json!(2);
    expected["last_used_at"] = json!("2026-09-10 10:01");
    assert_eq!(shown().await["templates"], json!([expected]), "a use is no change");
    bakery.token.post(&track, json!({ "origin": "x".repeat(65) })).await.expect(400);
    bakery.token.post("/v2/templates", json!({ "template_id": 999 })).await.expect(404);
    bakery.token.post("/v2/templates", json!({})).await.expect(400);
}

#[tokio::test]
async fn bad_templates_are_named_and_there_is_an_end() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    for (change, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "x".repeat(161) }), "name"),
        (json!({ "text": " " }), "text"),
        (json!({ "text": "x".repeat(4097) }), "text"),
        (json!({ "text": "a\u{0}" }), "text"),
        (json!({ "visibility": "secret" }), "visibility"),
    ] {
        let mut body = json!({ "name": "x", "text": "x" });
        body.as_object_mut().expect("a body").extend(change.as_object().expect("a change").clone());
        let error = bakery.token.post("/templates", body).await.expect(400);
        assert_eq!(error["errors"][0]["fields"], json!([field]), "{change}");
    }
    let team = json!({ "name": "x", "text": "x", "team_title": "Nobody's" });
    assert_eq!(bakery.token.post("/templates", team).await.expect(404)["error_code"], "not_found");
    let longest = json!({ "name": "ä".repeat(160), "text": "ä".repeat(4096) });
    let made = bakery.token.post("/templates", longest).await.expect(200)["data"]["id"].clone();
    let copies = "INSERT INTO text_templates (workspace_id, name, text, visibility, created_by, created_at, updated_by, \
                  updated_at, uses) SELECT workspace_id, name, text, visibility, created_by, created_at, updated_by, \
                  updated_at, 0 FROM text_templates LIMIT";
    for most in [1, 2, 4, 8, 16, 32, 64, 128, 256, 488] {
        let copied = db::write(&app.app.db, "test", async |tx| {
            Ok(tx.execute_unprepared(&format!("{copies} {most}")).await?.rows_affected())
        });
        assert_eq!(copied.await.expect("copies"), most);
    }
    let more = json!({ "name": "x", "text": "x" });
    let error = bakery.token.post("/templates", more.clone()).await.expect(409);
    assert!(error["message"].as_str().is_some_and(|text| text.contains("1000")), "{error}");
    bakery.token.delete(&format!("/templates/{made}")).await.expect(200);
    bakery.token.post("/templates", more).await.expect(200);
}
