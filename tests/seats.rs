//! Downgrades, upgrades, and what they do to users, accounts, links and grants.

use serde_json::{Value, json};

use crate::support::{PartnerClient, TestApp};

async fn seats(acme: &PartnerClient, workspace: &str, count: i64) -> Value {
    acme.patch(&format!("/workspaces/{workspace}"), json!({ "seats_purchased": count })).await.expect(200)
}

fn statuses(overview: &Value) -> Vec<&str> {
    let users = overview["users"].as_array().expect("users");
    users.iter().map(|user| user["status"].as_str().expect("a status")).collect()
}

#[tokio::test]
async fn a_downgrade_suspends_the_unconnected_then_the_newest_and_never_the_owner() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 5).await;
    let users = acme.users(&workspace, 4).await;
    let connected = acme.connect(&workspace, users[1], "+15550001111").await;
    let last = acme.connect(&workspace, users[3], "+15550002222").await;
    let lowered = seats(&acme, &workspace, 2).await;
    let expected = json!([
        { "user_id": users[2] },
        { "user_id": users[0] },
        { "user_id": users[3], "whatsapp_account_id": last, "phone_numbers": ["+15550002222"] },
    ]);
    assert_eq!(lowered["suspended_members"], expected);
    assert_eq!((&lowered["seats_total"], &lowered["seats_available"]), (&json!(2), &json!(0)));
    let lowest = seats(&acme, &workspace, 1).await;
    let expected =
        json!([{ "user_id": users[1], "whatsapp_account_id": connected, "phone_numbers": ["+15550001111"] }]);
    assert_eq!(lowest["suspended_members"], expected);
    let overview = acme.overview(&workspace).await;
    assert_eq!(statuses(&overview), ["activated", "suspended", "suspended", "suspended", "suspended"]);
    for account in overview["whatsapp_accounts"].as_array().expect("accounts") {
        assert_eq!(account["connected"], false);
        assert_eq!(account["connection_status"], "suspended");
    }
}

#[tokio::test]
async fn an_upgrade_restores_the_latest_suspended_first() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 4).await;
    let users = acme.users(&workspace, 3).await;
    acme.connect(&workspace, users[0], "+15550001111").await;
    // Suspended in this order: the newest, the middle one, the connected one.
    seats(&acme, &workspace, 1).await;
    let raised = seats(&acme, &workspace, 2).await;
    assert_eq!(raised["seats_available"], 0);
    let overview = acme.overview(&workspace).await;
    assert_eq!(statuses(&overview), ["activated", "activated", "suspended", "suspended"]);
    assert_eq!(overview["whatsapp_accounts"][0]["connection_status"], "connected", "the session was kept");
    seats(&acme, &workspace, 3).await;
    assert_eq!(statuses(&acme.overview(&workspace).await), ["activated", "activated", "activated", "suspended"]);
    let all = seats(&acme, &workspace, 9).await;
    assert_eq!(all["seats_available"], 5);
    assert_eq!(statuses(&acme.overview(&workspace).await), ["activated"; 4]);
}

#[tokio::test]
async fn a_suspended_user_loses_its_link_and_gets_none() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    let page = acme.page(&workspace, user).await;
    let code = page.start().await.code();
    seats(&acme, &workspace, 1).await;
    assert_eq!(page.now().await.state(), "revoked");
    assert_eq!(acme.overview(&workspace).await["qr_links"], json!([]));
    let path = format!("/workspaces/{workspace}/users/{user}/qr");
    acme.post_empty(&path).await.expect_error(409, "user_not_active");
    // The attempt's session is ended at the provider, so its code is dead.
    app.run_jobs().await;
    acme.scan(&code, "+15550001111").await.expect_error(409, "code_used");
    seats(&acme, &workspace, 2).await;
    acme.post_empty(&path).await.expect(200);
}

#[tokio::test]
async fn lowering_and_raising_again_grants_nothing_twice() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 4).await;
    let total = async || acme.overview(&workspace).await["messages_quota"]["total"].as_i64().expect("a total");
    assert_eq!(total().await, 2000);
    for (count, granted) in [(2, 2000), (4, 2000), (1, 2000), (5, 2500), (3, 2500), (5, 2500)] {
        seats(&acme, &workspace, count).await;
        assert_eq!(total().await, granted, "after {count} seats");
    }
    seats(&acme, &workspace, 3).await;
    // From the next period on, the seats of that period count.
    app.clock.advance(std::time::Duration::from_secs(21 * 24 * 3600));
    assert_eq!(total().await, 1500);
    let overview = acme.overview(&workspace).await;
    assert_eq!(overview["messages_quota"]["period_start"], "2026-10-01T00:00:00Z");
    seats(&acme, &workspace, 2).await;
    assert_eq!(total().await, 1500, "lowering keeps what this period had");
}

#[tokio::test]
async fn a_suspended_owner_of_a_token_is_told() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    let token = crate::cli::token_of(&app, &workspace, user).await;
    app.token(&token).get("/workspace").await.expect(200);
    seats(&acme, &workspace, 1).await;
    let refused = app.token(&token).get("/workspace").await.expect(403);
    assert_eq!(refused["error_code"], "member_not_found");
}
