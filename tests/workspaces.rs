//! Creating, reading, listing and changing workspaces.

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn a_workspace_is_created_field_for_field() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let answer = acme.post("/workspaces", json!({ "display_name": "Bakery North", "seats_purchased": 3 })).await;
    let mut body = answer.expect(201);
    assert_eq!(answer.header("x-tl-api-version"), "v1");
    let owner = body["owner_user_id"].take();
    assert!(owner.as_i64().is_some_and(|id| id > 0));
    assert!(body["group_id"].take().as_i64().is_some_and(|id| id > 0));
    let expected = json!({
        "workspace_id": "bakery-north", "display_name": "Bakery North", "plan_id": 1, "seats_total": 3,
        "seats_available": 2, "owner_user_id": null, "group_id": null, "time_zone": "UTC", "status": "active",
        "created_at": "2026-09-10T08:00:00Z", "updated_at": "2026-09-10T08:00:00Z",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn seats_default_to_one_and_the_owner_holds_it() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let body = acme.post("/workspaces", json!({ "display_name": "Solo" })).await.expect(201);
    assert_eq!((&body["seats_total"], &body["seats_available"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn the_same_name_twice_is_refused_and_another_partner_may_have_it() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    acme.workspace("Bakery", 1).await;
    let again = acme.post("/workspaces", json!({ "display_name": "bakery!" })).await;
    again.expect_error(409, "workspace_creation_failed");
    assert_eq!(other.workspace("Bakery", 1).await, "bakery");
}

#[tokio::test]
async fn names_of_every_script_get_an_id() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    for (name, id) in [
        ("Café Zürich", "cafe-zurich"),
        ("Пекарня", "pekarnia"),
        ("a234567890123456789012345678901", "a23456789012345678901234567890"),
    ] {
        assert_eq!(acme.workspace(name, 1).await, id);
    }
    let nameless = acme.workspace("!!!", 1).await;
    assert!(nameless.starts_with("ws-"), "{nameless}");
    acme.post("/workspaces", json!({ "display_name": "!!!" })).await.expect_error(409, "workspace_creation_failed");
}

#[tokio::test]
async fn bad_input_is_named() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    for (body, field) in [
        (json!({}), "display_name"),
        (json!({ "display_name": "" }), "display_name"),
        (json!({ "display_name": "   " }), "display_name"),
        (json!({ "display_name": "x".repeat(101) }), "display_name"),
        (json!({ "display_name": "a\u{0}b" }), "display_name"),
        (json!({ "display_name": 7 }), "display_name"),
        (json!({ "display_name": null }), "display_name"),
        (json!({ "display_name": "x", "seats_purchased": 0 }), "seats_purchased"),
        (json!({ "display_name": "x", "seats_purchased": 1000 }), "seats_purchased"),
        (json!({ "display_name": "x", "seats_purchased": -1 }), "seats_purchased"),
        (json!({ "display_name": "x", "seats_purchased": 1.5 }), "seats_purchased"),
        (json!({ "display_name": "x", "seats_purchased": "3" }), "seats_purchased"),
        (json!({ "display_name": "x", "time_zone": "Mars/Olympus" }), "time_zone"),
    ] {
        let error = acme.post("/workspaces", body.clone()).await.expect_error(400, "invalid_request");
        let description = error["description"].as_str().expect("a description");
        assert!(description.contains(field), "{body}: {description}");
    }
    assert_eq!(acme.get("/workspaces").await.expect(200)["workspaces"], json!([]), "nothing was half made");
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_limits_are_inclusive() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let body = json!({ "display_name": "ä".repeat(100), "seats_purchased": 999, "unknown": { "deep": [1] } });
    assert_eq!(acme.post("/workspaces", body).await.expect(201)["seats_total"], 999);
}

#[tokio::test]
async fn the_overview_shows_everything_of_a_workspace() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery North", 3).await;
    let users = acme.users(&workspace, 2).await;
    let account = acme.connect(&workspace, users[0], "+15550001111").await;
    let link = acme.link(&workspace, users[1]).await;
    let overview = acme.overview(&workspace).await;
    let owner = overview["users"][0]["user_id"].as_i64().expect("an id");
    let period = |total: i64| {
        json!({
            "total": total, "used": 0,
            "period_start": "2026-09-01T00:00:00Z", "period_end": "2026-09-30T23:59:59Z",
        })
    };
    let user = |id: i64, name: &str, role: &str| {
        json!({
            "user_id": id, "display_name": format!("{name} {id}"), "role": role, "status": "activated",
            "email": format!("{id}-bakery-north@partners.127.0.0.1"), "created_at": "2026-09-10T08:00:00Z",
        })
    };
    let expected = json!({
        "workspace_id": "bakery-north", "display_name": "Bakery North", "status": "active", "time_zone": "UTC",
        "seats": { "total": 3, "used": 3, "available": 0, "full": true, "near_full": true },
        "messages_quota": period(1500),
        "api_calls_quota": period(200_000),
        "non_recurring_quota": { "remaining_balance": 0 },
        "users": [user(owner, "Owner", "owner"), user(users[0], "Agent", "agent"), user(users[1], "Agent", "agent")],
        "whatsapp_accounts": [{
            "whatsapp_account_id": account, "user_id": users[0], "phone_number_e164": "+15550001111",
            "connected": true, "connection_status": "connected", "connected_at": "2026-09-10T08:00:00Z",
        }],
        "qr_links": [{ "qr_link": link, "user_id": users[1], "network": "whatsapp", "expires_at": "2026-09-11T08:00:00Z" }],
    });
    assert_eq!(overview, expected);
}

#[tokio::test]
async fn another_partners_workspace_does_not_exist() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let workspace = acme.workspace("Bakery", 1).await;
    for id in [workspace.as_str(), "nowhere", "UPPER", "a_b", "%00", "..%2F..", &"x".repeat(300)] {
        other.get(&format!("/workspaces/{id}")).await.expect_error(404, "workspace_not_found");
    }
    other.patch(&format!("/workspaces/{workspace}"), json!({})).await.expect_error(404, "workspace_not_found");
}

#[tokio::test]
async fn a_rename_keeps_the_id_and_an_empty_change_changes_nothing() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let path = format!("/workspaces/{workspace}");
    app.clock.advance(std::time::Duration::from_secs(60));
    let body = json!({ "display_name": "Patisserie", "time_zone": "Europe/Paris" });
    for _ in 0..2 {
        let renamed = acme.patch(&path, body.clone()).await.expect(200);
        assert_eq!(renamed["workspace_id"], "bakery");
        assert_eq!(renamed["display_name"], "Patisserie");
        assert_eq!(renamed["time_zone"], "Europe/Paris");
        assert_eq!(renamed["updated_at"], "2026-09-10T08:01:00Z");
        assert_eq!(renamed.get("suspended_members"), None);
    }
    // No body at all, without a Content-Type.
    let request = acme.request(reqwest::Method::PATCH, &path);
    let unchanged = crate::support::Answer::of(request).await.expect(200);
    assert_eq!(unchanged["display_name"], "Patisserie");
    assert_eq!(unchanged["seats_total"], 2);
    for bad in [json!({ "display_name": "" }), json!({ "seats_purchased": 0 }), json!({ "time_zone": "x" })] {
        acme.patch(&path, bad).await.expect_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn lists_are_paged_filtered_and_the_partners_own() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    other.workspace("Bakery of another", 1).await;
    for name in ["Bakery North", "Ärzte_Haus", "Bakery South", "100% Tea", "Öl"] {
        acme.workspace(name, 1).await;
    }
    let ids = |body: &Value| -> Vec<String> {
        let workspaces = body["workspaces"].as_array().expect("workspaces");
        workspaces.iter().map(|row| row["workspace_id"].as_str().expect("an id").to_owned()).collect()
    };
    let mut seen = Vec::new();
    let mut path = "/workspaces?limit=2".to_owned();
    loop {
        let page = acme.get(&path).await.expect(200);
        seen.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/workspaces?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["bakery-north", "arzte-haus", "bakery-south", "100-tea", "ol"]);
    for (query, expected) in [
        ("q=BAKERY", vec!["bakery-north", "bakery-south"]),
        ("q=%C3%84RZTE", vec!["arzte-haus"]),
        ("q=%C3%B6", vec!["ol"]),
        ("q=arzte-haus", vec!["arzte-haus"]),
        ("q=%25", vec!["100-tea"]),
        ("q=_", vec!["arzte-haus"]),
        ("q=nothing", vec![]),
        ("q=", vec!["bakery-north", "arzte-haus", "bakery-south", "100-tea", "ol"]),
        ("status=suspended", vec![]),
        ("status=active&q=south", vec!["bakery-south"]),
    ] {
        assert_eq!(ids(&acme.get(&format!("/workspaces?{query}")).await.expect(200)), expected, "{query}");
    }
    for bad in ["limit=0", "limit=201", "limit=x", "cursor=x", "status=closed", "q=%00"] {
        acme.get(&format!("/workspaces?{bad}")).await.expect_error(400, "invalid_request");
    }
}
