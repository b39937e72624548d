//! Onboarding links on the Partner API.

use serde_json::json;

use crate::support::{TestApp, page::Page};

#[tokio::test]
async fn a_link_lives_as_long_as_was_asked() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    let path = format!("/workspaces/{workspace}/users/{user}/qr");
    let usual = acme.post_empty(&path).await.expect(200);
    let link = usual["qr_link"].as_str().expect("an address");
    let token = link.strip_prefix(&format!("{}/qr/", app.base)).expect("our address");
    assert_eq!(token.len(), 43, "256 bits");
    let expected = json!({
        "workspace_id": "bakery", "user_id": user, "network": "whatsapp", "qr_link": link, "expires_at": "2026-09-11T08:00:00Z",
        "whatsapp_disconnected": false, "previous_qr_revoked": false,
    });
    assert_eq!(usual, expected);
    let longest = acme.post(&path, json!({ "expires_in_hours": 168 })).await.expect(200);
    assert_eq!(longest["expires_at"], "2026-09-17T08:00:00Z");
    assert_eq!(longest["previous_qr_revoked"], true);
    for bad in [0, -1, 169] {
        acme.post(&path, json!({ "expires_in_hours": bad })).await.expect_error(400, "invalid_request");
    }
    let shown = acme.get(&format!("/workspaces/{workspace}/qr-links")).await.expect(200);
    let rows = json!([{ "qr_link": longest["qr_link"], "user_id": user, "network": "whatsapp", "expires_at": longest["expires_at"] }]);
    assert_eq!(shown, json!({ "qr_links": rows }), "the refused requests took nothing back");
}

#[tokio::test]
async fn asking_for_a_link_ends_the_account_and_the_link_before() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    acme.connect(&workspace, user, "+15550001111").await;
    let path = format!("/workspaces/{workspace}/users/{user}/qr");
    let answer = acme.post_empty(&path).await.expect(200);
    assert_eq!((&answer["whatsapp_disconnected"], &answer["previous_qr_revoked"]), (&json!(true), &json!(false)));
    assert_eq!(acme.overview(&workspace).await["whatsapp_accounts"][0]["connected"], false);
    app.run_jobs().await;
    acme.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect_error(409, "phone_not_linked");
    let first = answer["qr_link"].as_str().expect("an address");
    let second = acme.post_empty(&path).await.expect(200);
    assert_eq!((&second["whatsapp_disconnected"], &second["previous_qr_revoked"]), (&json!(false), &json!(true)));
    assert_eq!(Page::open(&app.http, first).now().await.state(), "revoked");
}

#[tokio::test]
async fn an_expired_link_is_not_listed_and_not_called_revoked() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    let page = acme.page(&workspace, user).await;
    app.advance(24 * 3600).await;
    assert_eq!(acme.overview(&workspace).await["qr_links"], json!([]));
    assert_eq!(page.now().await.state(), "link_expired");
    assert_eq!(page.try_start().await.expect(410)["code"], "link_expired");
    let next = acme.post_empty(&format!("/workspaces/{workspace}/users/{user}/qr")).await.expect(200);
    assert_eq!(next["previous_qr_revoked"], false);
    assert_eq!(page.now().await.state(), "link_expired");
}

#[tokio::test]
async fn a_link_is_revoked_once_and_a_second_time_is_harmless() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    let page = acme.page(&workspace, user).await;
    let code = page.start().await.code();
    let path = format!("/workspaces/{workspace}/users/{user}/qr");
    let answer = |revoked: bool| json!({ "workspace_id": "bakery", "user_id": user, "revoked": revoked });
    assert_eq!(acme.delete(&path).await.expect(200), answer(true));
    assert_eq!(acme.delete(&path).await.expect(200), answer(false));
    assert_eq!(page.now().await.state(), "revoked");
    assert_eq!(page.html("").await.status.as_u16(), 410);
    assert_eq!(page.try_start().await.expect(410)["code"], "link_revoked");
    app.run_jobs().await;
    acme.scan(&code, "+15550001111").await.expect_error(409, "code_used");
    assert_eq!(acme.overview(&workspace).await["whatsapp_accounts"], json!([]));
}

#[tokio::test]
async fn links_are_listed_in_pages() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 4).await;
    let users = acme.users(&workspace, 3).await;
    for user in &users {
        acme.link(&workspace, *user).await;
    }
    let first = acme.get(&format!("/workspaces/{workspace}/qr-links?limit=2")).await.expect(200);
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let second = acme.get(&format!("/workspaces/{workspace}/qr-links?limit=2&cursor={cursor}")).await.expect(200);
    let of = |page: &serde_json::Value| -> Vec<i64> {
        let links = page["qr_links"].as_array().expect("links");
        links.iter().map(|link| link["user_id"].as_i64().expect("an id")).collect()
    };
    assert_eq!([of(&first), of(&second)].concat(), users);
    assert_eq!(second.get("next_cursor"), None);
}

#[tokio::test]
async fn links_of_others_do_not_exist() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    acme.link(&workspace, user).await;
    let path = format!("/workspaces/{workspace}/users/{user}/qr");
    other.post_empty(&path).await.expect_error(404, "workspace_not_found");
    other.delete(&path).await.expect_error(404, "workspace_not_found");
    other.get(&format!("/workspaces/{workspace}/qr-links")).await.expect_error(404, "workspace_not_found");
    let mine = other.workspace("Bakery", 1).await;
    other.post_empty(&format!("/workspaces/{mine}/users/{user}/qr")).await.expect_error(404, "user_not_found");
    other.delete(&format!("/workspaces/{mine}/users/{user}/qr")).await.expect_error(404, "user_not_found");
    assert_eq!(acme.overview(&workspace).await["qr_links"].as_array().map(Vec::len), Some(1));
}
