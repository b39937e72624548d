//! What is told, and what is not.

use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use serde_json::json;

use crate::{
    support::receiver::Receiver,
    webhooks::{log, partner_at, start},
};

#[tokio::test]
async fn accounts_that_connect_and_disconnect_are_told_and_calls_without_effect_are_not() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    let workspace = acme.workspace("Bakery", 3).await;
    let user = acme.users(&workspace, 1).await[0];
    let account = acme.connect(&workspace, user, "+15550001111").await;
    app.run_jobs().await;
    let connected = receiver.only();
    let expected = json!({
        "event_type": "whatsapp_account:connected", "workspace_id": workspace, "partner_id": "acme",
        "triggered_at": "2026-09-10T08:00:00Z", "whatsapp_account_id": account, "phone_number_e164": "+15550001111",
        "user_id": user,
    });
    assert_eq!(connected.json(), expected);
    let path = format!("/workspaces/{workspace}/users/{user}/whatsapp/disconnect");
    for reason in ["(requested)", "(new link)", "(logged out)"] {
        receiver.forget();
        app.advance(60).await;
        match reason {
            "(requested)" => drop(acme.post_empty(&path).await.expect(200)),
            "(new link)" => drop(acme.link(&workspace, user).await),
            _ => drop(acme.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200)),
        }
        app.run_jobs().await;
        let told = receiver.only().json();
        assert_eq!(told["event_type"], "whatsapp_account:disconnected");
        assert_eq!((&told["reason"], &told["disconnected_at"]), (&json!(reason), &told["triggered_at"]));
        assert_eq!((&told["whatsapp_account_id"], &told["user_id"]), (&json!(account), &json!(user)));
        receiver.forget();
        acme.post_empty(&path).await.expect(200);
        app.run_jobs().await;
        assert!(receiver.received().is_empty(), "nothing was connected");
        acme.connect(&workspace, user, "+15550001111").await;
        app.run_jobs().await;
        assert_eq!(receiver.types(), ["whatsapp_account:connected"]);
    }
}

#[tokio::test]
async fn a_rotated_token_is_told_once_however_often_the_call_is_repeated() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    let workspace = acme.workspace("Bakery", 2).await;
    let path = format!("/workspaces/{workspace}/api-token");
    acme.get(&path).await.expect(200);
    let rotated = acme.post_with_key(&path, "k", json!({})).await.expect(201);
    for _ in 0..3 {
        acme.post_with_key(&path, "k", json!({})).await.expect(201);
    }
    app.run_jobs().await;
    let told = receiver.only().json();
    assert_eq!((&told["event_type"], &told["workspace_id"]), (&json!("api_token:rotated"), &json!(workspace)));
    assert_eq!(told["rotated_at"], rotated["rotated_at"]);
    assert!(!told.to_string().contains(rotated["token"].as_str().expect("a token")));
}

#[tokio::test]
async fn seats_that_run_out_and_come_back_are_told_once() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    let workspace = acme.workspace("Bakery", 2).await;
    acme.users(&workspace, 1).await;
    let refused = acme.post(&format!("/workspaces/{workspace}/users"), json!({ "count": 1 })).await;
    refused.expect_error(409, "seats_full");
    acme.patch(&format!("/workspaces/{workspace}"), json!({ "seats_purchased": 4 })).await.expect(200);
    app.run_jobs().await;
    // Both are due at once, and events come in no particular order.
    let mut told = receiver.received();
    told.sort_by_key(|told| told.body.contains("recovered"));
    let seats =
        |index: usize| (told[index].json()["seats_purchased"].clone(), told[index].json()["seats_available"].clone());
    assert_eq!(told[0].json()["event_type"], "workspace:seats_full");
    assert_eq!(seats(0), (json!(2), json!(0)));
    assert_eq!(told[1].json()["event_type"], "workspace:quota_recovered:seats");
    assert_eq!(seats(1), (json!(4), json!(2)));
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn a_change_that_is_rolled_back_is_not_told() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    let workspace = acme.workspace("Bakery", 3).await;
    let user = acme.users(&workspace, 1).await[0];
    acme.connect(&workspace, user, "+15550001111").await;
    app.run_jobs().await;
    receiver.forget();
    let execute = async |sql: &str| {
        app.app.db.reader().execute_unprepared(sql).await.expect("a statement");
    };
    let events = async || entity::event::Entity::find().count(app.app.db.reader()).await.expect("a count");
    let before = events().await;
    // The event is stored before the job that ends the session, for which there is no table now.
    execute("ALTER TABLE jobs RENAME TO jobs_elsewhere").await;
    let path = format!("/workspaces/{workspace}/users/{user}/whatsapp/disconnect");
    acme.post_empty(&path).await.expect(500);
    assert_eq!(events().await, before);
    execute("ALTER TABLE jobs_elsewhere RENAME TO jobs").await;
    app.run_jobs().await;
    assert!(receiver.received().is_empty());
    acme.post_empty(&path).await.expect(200);
    app.run_jobs().await;
    assert_eq!(receiver.types(), ["whatsapp_account:disconnected"]);
    assert_eq!(events().await, before + 1);
}

#[tokio::test]
async fn without_an_endpoint_events_are_kept_and_nothing_is_queued() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    acme.post_empty(&format!("/workspaces/{workspace}/api-token")).await.expect(201);
    crate::webhooks::set(&acme, &receiver.url()).await;
    app.run_jobs().await;
    assert!(receiver.received().is_empty() && log(&acme, "").await.is_empty());
    let kept = entity::event::Entity::find().all(app.app.db.reader()).await.expect("events");
    assert_eq!(kept.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["api_token:rotated"]);
}

#[tokio::test]
async fn seats_that_were_full_in_the_period_before_recover_once_in_this_one() {
    const MONTH_SECONDS: u64 = 31 * 24 * 3600;
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    let workspace = acme.workspace("Bakery", 1).await;
    let (full, recovered) = ("workspace:seats_full", "workspace:quota_recovered:seats");
    let seats = async |count: i64| {
        acme.patch(&format!("/workspaces/{workspace}"), json!({ "seats_purchased": count })).await.expect(200);
        app.run_jobs().await;
        receiver.types()
    };
    app.run_jobs().await;
    assert_eq!(receiver.types(), [full]);
    app.advance(MONTH_SECONDS).await;
    assert_eq!(seats(2).await, [full, recovered], "they are free again, whenever they were full");
    assert_eq!(seats(3).await, [full, recovered]);
    app.advance(MONTH_SECONDS).await;
    assert_eq!(seats(4).await, [full, recovered], "once");
    acme.users(&workspace, 3).await;
    app.run_jobs().await;
    assert_eq!(receiver.types(), [full, recovered, full]);
    assert_eq!(seats(5).await, [full, recovered, full, recovered]);
}
