//! What happens at the same time.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn twenty_batches_of_three_users_on_ten_free_seats_are_three() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 11).await;
    let path = format!("/workspaces/{workspace}/users");
    let answers = join_all((0..20).map(|_| acme.post(&path, json!({ "count": 3 })))).await;
    let made = answers.iter().filter(|answer| answer.status.as_u16() == 201).count();
    assert_eq!(made, 3);
    for refused in answers.iter().filter(|answer| answer.status.as_u16() != 201) {
        refused.expect_error(409, "seats_full");
    }
    let overview = acme.overview(&workspace).await;
    assert_eq!((&overview["seats"]["used"], &overview["seats"]["available"]), (&json!(10), &json!(1)));
    assert_eq!(overview["users"].as_array().map(Vec::len), Some(10));
}

#[tokio::test]
async fn of_two_workspaces_with_one_name_one_is_made() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let answers = join_all((0..10).map(|_| acme.post("/workspaces", json!({ "display_name": "Bakery" })))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status.as_u16() == 201).count(), 1);
    for refused in answers.iter().filter(|answer| answer.status.as_u16() != 201) {
        refused.expect_error(409, "workspace_creation_failed");
    }
    assert_eq!(acme.get("/workspaces").await.expect(200)["workspaces"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn one_link_per_user_is_active_however_many_are_asked_for() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    let path = format!("/workspaces/{workspace}/users/{user}/qr");
    let answers = join_all((0..10).map(|_| acme.post_empty(&path))).await;
    let first = answers.iter().filter(|answer| answer.expect(200)["previous_qr_revoked"] == false).count();
    assert_eq!(first, 1, "each but one took the one before it back");
    let links = acme.overview(&workspace).await["qr_links"].clone();
    assert_eq!(links.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn two_first_reads_of_the_token_get_the_same() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let path = format!("/workspaces/{workspace}/api-token");
    let answers = join_all((0..10).map(|_| acme.get(&path))).await;
    let tokens: std::collections::HashSet<String> =
        answers.iter().map(|answer| answer.expect(200)["token"].to_string()).collect();
    assert_eq!(tokens.len(), 1);
}

#[tokio::test]
async fn of_many_rotations_at_once_one_token_is_left() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let path = format!("/workspaces/{workspace}/api-token");
    let answers = join_all((0..10).map(|_| acme.post_empty(&path))).await;
    let mut working = 0;
    for answer in &answers {
        let token = answer.expect(201)["token"].as_str().expect("a token").to_owned();
        working += usize::from(app.token(&token).get("/workspace").await.status.is_success());
    }
    assert_eq!(working, 1);
}

#[tokio::test]
async fn the_same_key_at_once_makes_one_thing_and_equal_answers() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let body = json!({ "display_name": "Bakery", "seats_purchased": 3 });
    let answers = join_all((0..10).map(|_| acme.post_with_key("/workspaces", "k", body.clone()))).await;
    let texts: std::collections::HashSet<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
    assert!(answers.iter().all(|answer| answer.status.as_u16() == 201), "{texts:?}");
    assert_eq!(texts.len(), 1);
}

#[tokio::test]
async fn of_two_phones_on_one_code_one_connects() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let owner = acme.owner(&workspace).await;
    let page = acme.page(&workspace, owner).await;
    let code = page.start().await.code();
    let phones: Vec<String> = (0..8).map(|n| format!("+1555000111{n}")).collect();
    let answers = join_all(phones.iter().map(|phone| acme.scan(&code, phone))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status.as_u16() == 200).count(), 1);
    app.run_jobs().await;
    assert_eq!(acme.overview(&workspace).await["whatsapp_accounts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn one_number_scanned_for_two_users_at_once_connects_once() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 5).await;
    let users = acme.users(&workspace, 4).await;
    let mut pages = Vec::new();
    let mut codes = Vec::new();
    for user in users {
        let page = acme.page(&workspace, user).await;
        codes.push(page.start().await.code());
        pages.push(page);
    }
    for answer in join_all(codes.iter().map(|code| acme.scan(code, "+15550001111"))).await {
        answer.expect(200);
    }
    app.run_jobs().await;
    let mut states = Vec::new();
    for page in &pages {
        let shown = page.now().await;
        states.push(shown.state().to_owned());
        if shown.state() == "failed" {
            assert_eq!(shown.0["error"]["code"], "duplicate_account");
        }
    }
    states.sort();
    assert_eq!(states, ["connected", "failed", "failed", "failed"]);
}

#[tokio::test]
async fn seats_hold_while_users_are_created_and_seats_changed() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 6).await;
    let users = format!("/workspaces/{workspace}/users");
    let path = format!("/workspaces/{workspace}");
    let creating = join_all((0..10).map(|_| acme.post(&users, json!({ "count": 2 }))));
    let changing = join_all([3, 8, 2, 9, 1, 5].map(|seats| acme.patch(&path, json!({ "seats_purchased": seats }))));
    let (created, changed) = tokio::join!(creating, changing);
    assert!(created.iter().all(|answer| [201, 409].contains(&answer.status.as_u16())));
    assert!(changed.iter().all(|answer| answer.status.as_u16() == 200));
    let overview = acme.overview(&workspace).await;
    let activated = overview["users"].as_array().expect("users").iter().filter(|user| user["status"] == "activated");
    let (used, total) = (overview["seats"]["used"].as_i64(), overview["seats"]["total"].as_i64());
    assert_eq!(used, i64::try_from(activated.count()).ok(), "the count is the users'");
    assert!(used <= total);
}

#[tokio::test]
async fn a_phone_that_connects_during_a_downgrade_is_suspended_or_refused() {
    for _ in 0..5 {
        let app = TestApp::start().await;
        let acme = app.partner("acme").await;
        let workspace = acme.workspace("Bakery", 2).await;
        let user = acme.users(&workspace, 1).await[0];
        let page = acme.page(&workspace, user).await;
        let code = page.start().await.code();
        let path = format!("/workspaces/{workspace}");
        let (_, lowered) =
            tokio::join!(acme.scan(&code, "+15550001111"), acme.patch(&path, json!({ "seats_purchased": 1 })));
        lowered.expect(200);
        app.run_jobs().await;
        let accounts = acme.overview(&workspace).await["whatsapp_accounts"].clone();
        for account in accounts.as_array().expect("accounts") {
            assert_eq!(account["connected"], false, "{account}");
        }
    }
}
