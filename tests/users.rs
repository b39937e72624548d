//! Creating and listing users, and ending their accounts' sessions.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn users_take_seats_and_get_system_addresses() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery North", 3).await;
    let path = format!("/workspaces/{workspace}/users");
    let created = acme.post(&path, json!({ "count": 2 })).await.expect(201);
    assert_eq!(created["workspace_id"], "bakery-north");
    assert_eq!((&created["seats_total"], &created["seats_available"]), (&json!(3), &json!(0)));
    let users = created["users"].as_array().expect("users");
    assert_eq!(users.len(), 2);
    for user in users {
        let id = user["user_id"].as_i64().expect("an id");
        let expected = json!({
            "user_id": id, "display_name": format!("Agent {id}"), "role": "agent", "status": "activated",
            "email": format!("{id}-bakery-north@partners.127.0.0.1"), "created_at": "2026-09-10T08:00:00Z",
        });
        assert_eq!(*user, expected);
    }
}

#[tokio::test]
async fn too_many_users_are_refused_whole() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 4).await;
    let path = format!("/workspaces/{workspace}/users");
    acme.post(&path, json!({ "count": 4 })).await.expect_error(409, "seats_full");
    let overview = acme.overview(&workspace).await;
    assert_eq!(overview["seats"]["used"], 1);
    assert_eq!(overview["users"].as_array().map(Vec::len), Some(1));
    acme.post(&path, json!({ "count": 3 })).await.expect(201);
    acme.post(&path, json!({ "count": 1 })).await.expect_error(409, "seats_full");
}

#[tokio::test]
async fn counts_are_one_to_ninety_nine() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 999).await;
    let path = format!("/workspaces/{workspace}/users");
    for bad in
        [json!({}), json!({ "count": 0 }), json!({ "count": 100 }), json!({ "count": -3 }), json!({ "count": "2" })]
    {
        acme.post(&path, bad).await.expect_error(400, "invalid_request");
    }
    acme.post_empty(&path).await.expect_error(400, "invalid_request");
    assert_eq!(acme.users(&workspace, 99).await.len(), 99);
}

#[tokio::test]
async fn users_are_listed_in_pages() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 5).await;
    let mut expected = acme.users(&workspace, 4).await;
    expected.insert(0, expected[0] - 1);
    let mut seen = Vec::new();
    let mut path = format!("/workspaces/{workspace}/users?limit=2");
    loop {
        let page = acme.get(&path).await.expect(200);
        let users = page["users"].as_array().expect("users");
        seen.extend(users.iter().map(|user| user["user_id"].as_i64().expect("an id")));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/workspaces/{workspace}/users?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn disconnecting_twice_is_harmless() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    let account = acme.connect(&workspace, user, "+15550001111").await;
    let path = format!("/workspaces/{workspace}/users/{user}/whatsapp/disconnect");
    let first = acme.post_empty(&path).await.expect(200);
    let expected = json!({
        "workspace_id": workspace, "user_id": user, "disconnected": true,
        "disconnected_at": "2026-09-10T08:00:00Z", "whatsapp_account_id": account, "phone_number": "+15550001111",
    });
    assert_eq!(first, expected);
    let second = acme.post_empty(&path).await.expect(200);
    let nothing = json!({
        "workspace_id": workspace, "user_id": user, "disconnected": false, "description": "no active account",
    });
    assert_eq!(second, nothing);
    let overview = acme.overview(&workspace).await;
    assert_eq!(overview["whatsapp_accounts"][0]["connected"], false);
    assert_eq!(overview["whatsapp_accounts"][0]["connection_status"], "disconnected");
    // The provider is told after the commit: the phone has no linked device any more.
    app.run_jobs().await;
    acme.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect_error(409, "phone_not_linked");
}

#[tokio::test]
async fn the_same_number_keeps_its_account_and_moves_between_users() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 3).await;
    let users = acme.users(&workspace, 2).await;
    let account = acme.connect(&workspace, users[0], "+15550001111").await;
    acme.post_empty(&format!("/workspaces/{workspace}/users/{}/whatsapp/disconnect", users[0])).await.expect(200);
    assert_eq!(acme.connect(&workspace, users[1], "+15550001111").await, account);
    let overview = acme.overview(&workspace).await;
    assert_eq!(overview["whatsapp_accounts"].as_array().map(Vec::len), Some(1));
    assert_eq!(overview["whatsapp_accounts"][0]["user_id"], users[1]);
}

#[tokio::test]
async fn users_of_other_workspaces_do_not_exist() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let mine = acme.workspace("Mine", 2).await;
    let foreign = other.workspace("Foreign", 2).await;
    let sibling = acme.workspace("Sibling", 2).await;
    let theirs = other.users(&foreign, 1).await[0];
    let siblings = acme.users(&sibling, 1).await[0];
    for user in [theirs, siblings, 0, -1, i64::MAX] {
        let path = format!("/workspaces/{mine}/users/{user}/whatsapp/disconnect");
        acme.post_empty(&path).await.expect_error(404, "user_not_found");
    }
    for user in ["abc", "1.5", "99999999999999999999", "%00"] {
        let path = format!("/workspaces/{mine}/users/{user}/whatsapp/disconnect");
        acme.post_empty(&path).await.expect_error(400, "invalid_request");
    }
    let path = format!("/workspaces/{foreign}/users/{theirs}/whatsapp/disconnect");
    acme.post_empty(&path).await.expect_error(404, "workspace_not_found");
    acme.post(&format!("/workspaces/{foreign}/users"), json!({ "count": 1 }))
        .await
        .expect_error(404, "workspace_not_found");
    acme.get(&format!("/workspaces/{foreign}/users")).await.expect_error(404, "workspace_not_found");
}
