//! Switching channels on and off, and connecting them by credentials or by a phone.

use super::*;

/// The code that a channel shows.
async fn code(shop: &Shop<'_>, id: &str) -> String {
    let shown = shop.get(&format!("/channels/{id}/qr-code")).await.expect(200)["data"].clone();
    assert!(shown["qrCode"].as_str().is_some_and(|picture| picture.starts_with("iVBORw0KGgo")), "a PNG: {shown}");
    assert!(shown["expiresInMs"].as_i64().is_some_and(|ms| ms > 0), "{shown}");
    shown["qr"].as_str().expect("a code").to_owned()
}

#[tokio::test]
async fn credentials_connect_a_channel_when_it_is_activated() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, config) in settings() {
        let id = shop.channel(network, config).await;
        let activated = shop.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
        let expected = json!({ "status": "active", "activatedAt": "2026-09-10T08:00:00Z" });
        assert_eq!(activated["data"]["attributes"], expected, "{network}");
        let again = shop.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
        assert_eq!(again, activated, "{network}: twice is harmless");
        assert_eq!(shop.attributes(&id).await["health"]["status"], "healthy");
    }
    let whatsapp = shop.get("/channels?type=whatsapp").await.expect(200)["data"][0]["attributes"].clone();
    assert_eq!(whatsapp["config"]["phoneNumber"], "+15553456789");
}

#[tokio::test]
async fn credentials_that_are_refused_are_an_error_until_the_channel_is_switched_off() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (token, status) in [("1:a_401", 422), ("2:a_423", 409), ("3:a_503", 503)] {
        let id = shop.channel("telegram", json!({ "botToken": token })).await;
        let refused = shop.post(&format!("/channels/{id}/activate"), json!(null)).await;
        assert_eq!(word(&refused, status), "CHANNEL_ERROR", "{token}");
        assert!(!refused.text.contains(token), "{}", refused.text);
        let read = shop.attributes(&id).await;
        assert_eq!((&read["status"], &read["health"]["status"]), (&json!("error"), &json!("unhealthy")), "{token}");
        shop.post(&format!("/channels/{id}/deactivate"), json!(null)).await.expect(200);
        assert_eq!(shop.attributes(&id).await["status"], "inactive", "{token}");
        let mended = json!({ "config": { "botToken": token.split('_').next() } });
        shop.linktor(Method::PATCH, &format!("/channels/{id}"), mended).await.expect(200);
        let activated = shop.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
        assert_eq!(activated["data"]["attributes"]["status"], "active", "{token}");
    }
}

#[tokio::test]
async fn a_channel_that_is_set_up_otherwise_is_looked_at() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.active("telegram", json!({ "botToken": "1:a" })).await;
    let path = format!("/channels/{id}");
    let change = async |config: Value| {
        app.clock.advance(std::time::Duration::from_secs(1));
        let changed = shop.linktor(Method::PATCH, &path, json!({ "config": config })).await.expect(200);
        let attributes = changed["data"]["attributes"].clone();
        assert_eq!(attributes["health"], shop.attributes(&id).await["health"]);
        attributes
    };
    let wrong = change(json!({ "botToken": "1:b_401" })).await;
    assert_eq!((&wrong["status"], &wrong["health"]["status"]), (&json!("error"), &json!("unhealthy")));
    assert_eq!(wrong["health"]["lastChecked"], "2026-09-10T08:00:01Z");
    let activated = shop.post(&format!("{path}/activate"), json!(null)).await.expect(200);
    assert_eq!(activated["data"]["attributes"]["status"], "error", "it is on, and does not work");
    let partly = change(json!({ "botToken": "1:c_404" })).await;
    assert_eq!((&partly["status"], &partly["health"]["status"]), (&json!("error"), &json!("degraded")));
    let right = change(json!({ "botToken": "1:d" })).await;
    assert_eq!((&right["status"], &right["health"]["status"]), (&json!("active"), &json!("healthy")));
    let same = change(json!({ "botToken": "1:d" })).await;
    assert_eq!(same["health"]["lastChecked"], right["health"]["lastChecked"], "nothing has changed");
    let chat = shop.web_chat(json!({})).await;
    shop.post(&format!("/channels/{}/activate", chat.id), json!(null)).await.expect(200);
    let theme = json!({ "config": { "theme": { "title": "Chat" } } });
    let changed = shop.linktor(Method::PATCH, &format!("/channels/{}", chat.id), theme).await.expect(200);
    assert_eq!(changed["data"]["attributes"]["health"]["status"], "healthy");
}

#[tokio::test]
async fn a_phone_connects_a_channel_that_is_pending() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, phone) in [("whatsapp", "+15550001111"), ("telegram", "+15550002222")] {
        let config = if network == "telegram" { json!({ "connector": "sandbox" }) } else { json!({}) };
        let id = shop.channel(network, config).await;
        let activated = shop.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
        assert_eq!(activated["data"]["attributes"]["status"], "pending", "{network}");
        assert_eq!(shop.get("/channels?status=pending").await.expect(200)["meta"]["pagination"]["totalCount"], 1);
        let qr = code(&shop, &id).await;
        assert_eq!(qr.starts_with("tg://login?token="), network == "telegram", "{qr}");
        assert_eq!(shop.partner.scan(&qr, phone).await.expect(200)["outcome"], "linked");
        app.run_jobs().await;
        let read = shop.attributes(&id).await;
        assert_eq!((&read["status"], &read["config"]["phoneNumber"]), (&json!("active"), &json!(phone)), "{network}");
        shop.partner.post("/sandbox/logout", json!({ "phone": phone })).await.expect(200);
        app.run_jobs().await;
        let read = shop.attributes(&id).await;
        assert_eq!((&read["status"], &read["health"]["status"]), (&json!("error"), &json!("unhealthy")), "{network}");
        let again = shop.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
        assert_eq!(again["data"]["attributes"]["status"], "pending", "it waits for a phone again");
        shop.partner.scan(&code(&shop, &id).await, phone).await.expect(200);
        app.run_jobs().await;
        assert_eq!(shop.attributes(&id).await["status"], "active", "{network}");
    }
}

#[tokio::test]
async fn a_window_that_nobody_uses_closes_and_opens_again() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.channel("whatsapp", json!({})).await;
    let activate = format!("/channels/{id}/activate");
    shop.post(&activate, json!(null)).await.expect(200);
    let first = shop.row(&id).await.session;
    shop.post(&activate, json!(null)).await.expect(200);
    assert_eq!(shop.row(&id).await.session, first, "the open window stays");
    for _ in 0..6 {
        app.advance(20).await;
    }
    let read = shop.attributes(&id).await;
    assert_eq!((&read["status"], &read["health"]["status"]), (&json!("pending"), &json!("unhealthy")));
    assert_eq!(word(&shop.get(&format!("/channels/{id}/qr-code")).await, 409), "QR_CODE_NOT_AVAILABLE");
    shop.post(&activate, json!(null)).await.expect(200);
    assert_ne!(shop.row(&id).await.session, first);
    shop.partner.scan(&code(&shop, &id).await, "+15550001111").await.expect(200);
    app.run_jobs().await;
    assert_eq!(shop.attributes(&id).await["status"], "active");
    assert_eq!(word(&shop.get(&format!("/channels/{id}/qr-code")).await, 409), "QR_CODE_NOT_AVAILABLE");
    let off = shop.post(&format!("/channels/{id}/disconnect"), json!(null)).await.expect(200);
    assert_eq!(off["data"]["attributes"]["status"], "inactive");
    app.run_jobs().await;
    let row = shop.row(&id).await;
    assert_eq!(row.state, entity::channel::State::Disconnected);
    let session = entity::sandbox_session::Entity::find_by_id(row.session).one(app.app.db.reader()).await;
    assert_eq!(session.expect("a look").expect("a session").state, entity::sandbox_session::State::Closed);
}

#[tokio::test]
async fn the_same_account_is_not_connected_twice() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let owner = shop.partner.owner(&shop.workspace).await;
    shop.partner.connect(&shop.workspace, owner, "+15550001111").await;
    let id = shop.channel("whatsapp", json!({})).await;
    shop.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
    shop.partner.scan(&code(&shop, &id).await, "+15550001111").await.expect(200);
    app.run_jobs().await;
    let read = shop.attributes(&id).await;
    assert_eq!((&read["status"], &read["health"]["status"]), (&json!("error"), &json!("unhealthy")));
    let linked = shop.get("/channels").await.expect(200)["data"][0].clone();
    assert_eq!(linked["attributes"]["status"], "active", "the one that has it keeps it");
    let linked = linked["id"].as_str().expect("an id").to_owned();
    shop.partner.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    app.run_jobs().await;
    let refused = shop.post(&format!("/channels/{linked}/activate"), json!(null)).await;
    assert_eq!(word(&refused, 409), "CHANNEL_ERROR", "a page has linked it, and only a page links it again");
}

#[tokio::test]
async fn a_channel_that_is_off_neither_sends_nor_receives() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.active("whatsapp", json!({ "phoneNumberId": "123456789", "accessToken": "t" })).await;
    let written = json!({ "phone": "+15553456789", "from": "+15557770000", "text": "Hello" });
    shop.partner.post("/sandbox/inbound", written.clone()).await.expect(200);
    shop.token.send("+15557770000", "Waits").await.expect(200);
    let may_write =
        async || shop.token.get("/chats").await.expect(200)["data"]["chats"][0]["is_allowed_to_message"].clone();
    assert_eq!(may_write().await, true);
    let path = format!("/channels/{id}/deactivate");
    let long = json!({ "reason": "x".repeat(501) });
    assert_eq!(word(&shop.post(&path, long).await, 400), "VALIDATION_ERROR");
    let off = json!({ "reason": "Maintenance", "closeConversations": false });
    let off = shop.post(&path, off).await.expect(200)["data"]["attributes"].clone();
    let expected = json!({
        "status": "inactive", "deactivatedAt": "2026-09-10T08:00:00Z", "deactivationReason": "Maintenance",
    });
    assert_eq!(off, expected);
    app.run_jobs().await;
    let waiting = entity::message::Entity::find().all(app.app.db.reader()).await.expect("messages");
    assert!(waiting.iter().any(|message| message.status == entity::message::Status::Queued), "{waiting:?}");
    shop.partner.post("/sandbox/inbound", written.clone()).await.expect_error(409, "phone_not_linked");
    assert_eq!(shop.token.send("+15557770000", "x").await.expect(409)["error_code"], "account_inactive");
    assert_eq!(may_write().await, false);
    let chat = chat::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a chat");
    assert!(!chat.closed);
    let closing = shop.post(&path, json!({ "closeConversations": true })).await.expect(200);
    assert_eq!(closing["data"]["attributes"]["deactivationReason"], "Maintenance", "the reason stays");
    let chat = chat::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a chat");
    assert!(chat.closed);
    shop.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
    assert_eq!(shop.attributes(&id).await["deactivationReason"], json!(null));
    assert_eq!(may_write().await, true);
    app.run_jobs().await;
    let all = entity::message::Entity::find().all(app.app.db.reader()).await.expect("messages");
    assert!(all.iter().all(|message| message.status != entity::message::Status::Queued), "it went on: {all:?}");
    shop.partner.post("/sandbox/inbound", written).await.expect(200);
}

#[tokio::test]
async fn the_reason_stays_until_another_is_given_or_the_channel_is_on() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.active("telegram", json!({ "botToken": "1:a" })).await;
    let deactivate = format!("/channels/{id}/deactivate");
    let reason = async || shop.attributes(&id).await["deactivationReason"].clone();
    shop.post(&deactivate, json!({ "reason": "Maintenance" })).await.expect(200);
    shop.post(&deactivate, json!(null)).await.expect(200);
    assert_eq!(reason().await, "Maintenance");
    shop.post(&deactivate, json!({ "closeConversations": true })).await.expect(200);
    assert_eq!(reason().await, "Maintenance");
    shop.post(&deactivate, json!({ "reason": "Moved" })).await.expect(200);
    assert_eq!(reason().await, "Moved");
    let timely = app.http.post(format!("{}/v1/channels/{id}/disconnect", app.base));
    Answer::of(timely.header("x-api-key", shop.token.token())).await.expect(200);
    assert_eq!(reason().await, "Moved", "in Timely's dialect too");
    shop.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
    assert_eq!(reason().await, json!(null));
    shop.post(&deactivate, json!(null)).await.expect(200);
    assert_eq!(reason().await, json!(null), "an old reason does not come back");
}
