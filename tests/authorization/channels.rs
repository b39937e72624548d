//! The same of the Channels API, in both dialects.

use super::*;
use crate::support::channels::Shop;

/// Operation of Linktor's document, method, path with the other's channel, body, and what is answered.
fn linktor_rows() -> Vec<(&'static str, Method, &'static str, Value, u16)> {
    let made = json!({ "name": "Mine", "type": "telegram", "config": { "botToken": "9:mine" } });
    vec![
        ("list_channels", Method::GET, "/channels?search=secret", json!(null), 200),
        ("create_channel", Method::POST, "/channels", made, 201),
        ("get_channel", Method::GET, "/channels/{c}", json!(null), 404),
        ("update_channel", Method::PATCH, "/channels/{c}", json!({ "name": "Mine now" }), 404),
        ("delete_channel", Method::DELETE, "/channels/{c}?force=true", json!(null), 404),
        ("test_channel", Method::POST, "/channels/{c}/test", json!(null), 404),
        ("activate_channel", Method::POST, "/channels/{c}/activate", json!(null), 404),
        ("deactivate_channel", Method::POST, "/channels/{c}/deactivate", json!({ "closeConversations": true }), 404),
        ("disconnect_channel", Method::POST, "/channels/{c}/disconnect", json!(null), 404),
        ("get_channel_qr_code", Method::GET, "/channels/{c}/qr-code", json!(null), 404),
        ("rotate_widget_token", Method::POST, "/channels/{c}/widget-token", json!(null), 404),
        ("list_webhooks", Method::GET, "/webhooks", json!(null), 200),
        ("create_webhook", Method::POST, "/webhooks", json!({ "url": "https://1.1.1.1/mine", "events": ["*"] }), 201),
        ("get_webhook", Method::GET, "/webhooks/{h}", json!(null), 404),
        ("update_webhook", Method::PATCH, "/webhooks/{h}", json!({ "active": false }), 404),
        ("delete_webhook", Method::DELETE, "/webhooks/{h}", json!(null), 404),
        ("rotate_webhook_secret", Method::POST, "/webhooks/{h}/rotate-secret", json!(null), 404),
        ("test_webhook", Method::POST, "/webhooks/{h}/test", json!({}), 404),
        ("list_webhook_deliveries", Method::GET, "/webhooks/{h}/deliveries", json!(null), 404),
        ("retry_webhook_delivery", Method::POST, "/webhooks/{h}/deliveries/{d}/retry", json!({}), 404),
        ("get_channel_stats", Method::GET, "/channels/{c}/stats", json!(null), 404),
    ]
}

/// The same of Timely's document.
fn timely_rows() -> Vec<(&'static str, Method, &'static str, Value, u16)> {
    let made = json!({ "name": "Mine", "type": "widget" });
    let conversation = json!({ "to": "1", "message": "x" });
    vec![
        ("list_channels", Method::GET, "/channels", json!(null), 200),
        ("create_channel", Method::POST, "/channels", made, 201),
        ("get_channel", Method::GET, "/channels/{c}", json!(null), 404),
        ("update_channel", Method::PUT, "/channels/{c}", json!({ "name": "Mine now" }), 404),
        ("delete_channel", Method::DELETE, "/channels/{c}", json!(null), 404),
        ("connect_channel", Method::POST, "/channels/{c}/connect", json!({ "token": "1:mine" }), 404),
        ("disconnect_channel", Method::POST, "/channels/{c}/disconnect", json!(null), 404),
        ("get_channel_qr_code", Method::GET, "/channels/{c}/qr-code", json!(null), 404),
        ("get_widget_settings", Method::GET, "/channels/{c}/widget/settings", json!(null), 404),
        ("set_widget_settings", Method::PUT, "/channels/{c}/widget/settings", json!({ "title": "Mine" }), 404),
        ("rotate_widget_token", Method::POST, "/channels/{c}/widget/token", json!(null), 404),
        ("begin_conversation", Method::POST, "/channels/{c}/conversation", conversation, 404),
    ]
}

#[tokio::test]
async fn no_key_reaches_another_workspaces_channels() {
    let app = TestApp::start().await;
    let victim = Shop::open(&app).await;
    let id = victim.active("webchat", json!({ "allowedOrigins": ["https://secret.example.com"] })).await;
    let before = victim.get("/channels").await.expect(200);
    let stranger = Shop::of(&app, app.partner("stranger").await, "Mine", 5).await;
    let rows = timely_rows();
    let covered: BTreeSet<String> = rows.iter().map(|row| row.0.to_owned()).collect();
    let document = "channels-api-timely.json";
    assert_eq!(operations(&app, document), covered, "add a row to timely_rows for each operation");
    for (operation, method, path, body, status) in rows {
        for id in [id.as_str(), id.trim_start_matches("ch_")] {
            let url = format!("{}/v1{}", app.base, path.replace("{c}", id));
            let call = |key: &str| {
                let request = app.http.request(method.clone(), &url).header("x-api-key", key);
                if body.is_null() { request } else { request.json(&body) }
            };
            assert_eq!(Answer::of(call("qm_x")).await.expect(401)["error"]["code"], "UNAUTHORIZED", "{operation}");
            let answer = Answer::of(call(stranger.token.token())).await;
            answer.expect(status);
            assert!(!answer.text.contains("My webchat") && !answer.text.contains("secret"), "{operation}");
        }
    }
    assert_eq!(victim.get("/channels").await.expect(200), before, "nothing of the victim changed");
}

#[tokio::test]
async fn no_token_reaches_another_workspaces_channels() {
    let app = TestApp::start().await;
    let victim = Shop::open(&app).await;
    let body = json!({ "name": "Secret", "type": "telegram", "config": { "botToken": "1:secret" } });
    let made = victim.post("/channels", body).await.expect(201);
    let id = made["data"]["id"].as_str().expect("an id").to_owned();
    victim.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
    let hook = json!({ "url": "https://1.1.1.1/secret", "events": ["*"] });
    let hook = victim.post("/webhooks", hook).await.expect(201)["data"]["id"].as_str().expect("an id").to_owned();
    victim.linktor(Method::PATCH, &format!("/channels/{id}"), json!({ "metadata": { "a": 1 } })).await.expect(200);
    let sent = victim.get(&format!("/webhooks/{hook}/deliveries")).await.expect(200);
    let sent = sent["data"][0]["id"].as_str().expect("an id").to_owned();
    let before = victim.get("/channels").await.expect(200);
    let hooks = victim.get("/webhooks").await.expect(200);
    let stranger = Shop::of(&app, app.partner("stranger").await, "Mine", 3).await;
    let rows = linktor_rows();
    let covered: BTreeSet<String> = rows.iter().map(|row| row.0.to_owned()).collect();
    let document = "channels-api-linktor.json";
    assert_eq!(operations(&app, document), covered, "add a row to linktor_rows for each operation");
    for (operation, method, path, body, status) in rows {
        for id in [id.as_str(), id.trim_start_matches("ch_")] {
            let path = path.replace("{c}", id).replace("{h}", &hook).replace("{d}", &sent);
            let anonymous = Answer::of(app.http.request(method.clone(), format!("{}/v1{path}", app.base))).await;
            assert_eq!(anonymous.expect(401)["error"]["code"], "AUTHENTICATION_REQUIRED", "{operation}");
            let answer = stranger.linktor(method.clone(), &path, body.clone()).await;
            let is_made = matches!(operation, "create_channel" | "create_webhook");
            if !is_made || answer.status.as_u16() != 409 {
                answer.expect(status);
            }
            let theirs = ["\"Secret\"", "1:secret", "1.1.1.1/secret"];
            assert!(theirs.iter().all(|theirs| !answer.text.contains(theirs)), "{operation}: {}", answer.text);
        }
    }
    assert_eq!(victim.get("/channels").await.expect(200), before, "nothing of the victim changed");
    assert_eq!(victim.get("/webhooks").await.expect(200), hooks, "nor of its webhooks");
}
