//! Which account is meant.

use serde_json::json;

use crate::{
    connect::{get, post, refused, text},
    support::{TestApp, channels::Shop},
};

/// A portal that finds one of several channels finds it by its name, wherever it sends that.
#[tokio::test]
async fn an_account_may_be_named_in_the_body() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let other = shop.active("telegram", json!({ "botToken": "1:a" })).await;
    let other = format!("tg_{}", other.trim_start_matches("ch_").replace('-', ""));
    let own = post(&shop, "/telegram/connect", json!({ "force": true })).await.expect(200)["data"].clone();
    let own = text(&own, "account_id").to_owned();
    let refreshed = post(&shop, "/telegram/refresh", json!({ "account_id": own })).await.expect(200);
    assert_eq!(refreshed["data"]["account_id"], own);
    for path in ["refresh", "disconnect"] {
        let path = format!("/telegram/{path}");
        let mixed = post(&shop, &format!("{path}?account_id={own}"), json!({ "account_id": other })).await;
        let mixed = refused(&mixed, 422, "invalid_request");
        assert!(mixed["errors"]["account_id"][0].is_string(), "{mixed}");
        refused(&post(&shop, &path, json!({ "account_id": 7 })).await, 422, "invalid_request");
        refused(&post(&shop, &path, json!({ "account_id": "tg_x" })).await, 404, "channel_not_found");
    }
    let named = json!({ "account_id": other });
    assert_eq!(post(&shop, "/telegram/disconnect", named.clone()).await.status.as_u16(), 204);
    refused(&post(&shop, "/telegram/disconnect", named).await, 404, "channel_not_found");
    let waiting = get(&shop, &format!("/telegram/status?account_id={own}")).await;
    assert_eq!(waiting["in_progress"], true, "another was meant: {waiting}");
    // The same in both places is no contradiction.
    let twice = post(&shop, &format!("/telegram/disconnect?account_id={own}"), json!({ "account_id": own })).await;
    assert_eq!(twice.status.as_u16(), 204);
}
