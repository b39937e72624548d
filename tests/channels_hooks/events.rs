//! What is told, whoever brought it about.

use quartermaster::channel::health;

use super::*;
use crate::support::visitor::Visitor;

#[tokio::test]
async fn the_life_of_a_channel_is_told() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    let (id, _) = hook(&shop, &receiver, json!(["*"])).await;
    let channel = shop.channel("telegram", json!({ "botToken": "1:hook-secret" })).await;
    let path = format!("/channels/{channel}");
    shop.linktor(Method::PATCH, &path, json!({ "name": "Main", "metadata": { "a": 1 } })).await.expect(200);
    shop.linktor(Method::PATCH, &path, json!({ "name": "Main" })).await.expect(200);
    shop.post(&format!("{path}/activate"), json!(null)).await.expect(200);
    shop.post(&format!("{path}/activate"), json!(null)).await.expect(200);
    shop.post(&format!("{path}/deactivate"), json!({ "reason": "Maintenance" })).await.expect(200);
    shop.post(&format!("{path}/deactivate"), json!({ "reason": "Maintenance" })).await.expect(200);
    shop.post(&format!("{path}/disconnect"), json!(null)).await.expect(200);
    shop.linktor(Method::DELETE, &path, json!(null)).await;
    let received = heard(&shop, &receiver).await;
    let expected = [
        "channel.activated",
        "channel.connected",
        "channel.created",
        "channel.deactivated",
        "channel.deleted",
        "channel.disconnected",
        "channel.updated",
    ];
    assert_eq!(names(&received), expected, "one event for each change");
    for one in &received {
        let body = one.json();
        let event = body["id"].as_str().expect("an id").strip_prefix("evt_").expect("a prefix");
        assert_eq!((event, one.header("webhook-id")), (one.header("webhook-id"), event));
        assert_eq!(body["timestamp"], "2026-09-10T08:00:00Z");
        assert_eq!(body["meta"], json!({ "organizationId": shop.workspace, "webhookId": id }));
        assert_eq!((&body["data"]["channelId"], &body["data"]["channelType"]), (&json!(channel), &json!("telegram")));
        assert!(!one.body.contains("hook-secret"), "{}", one.body);
    }
    assert_eq!(data_of(&received, "channel.created")["status"], "inactive");
    let updated = data_of(&received, "channel.updated");
    assert_eq!((&updated["changed"], &updated["name"]), (&json!(["name", "metadata"]), &json!("Main")));
    let connected = data_of(&received, "channel.connected");
    assert_eq!((&connected["connected"], &connected["duplicateAccount"]), (&json!(true), &json!(false)));
    assert_eq!(data_of(&received, "channel.activated")["status"], "active");
    assert_eq!(data_of(&received, "channel.deactivated")["reason"], "Maintenance");
    assert_eq!(data_of(&received, "channel.disconnected")["reason"], "requested");
    assert_eq!(data_of(&received, "channel.deleted")["conversationsClosed"], 0);
}

#[tokio::test]
async fn a_webhook_hears_what_it_asked_for() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let (one, all) = (Receiver::start().await, Receiver::start().await);
    hook(&shop, &one, json!(["channel.deleted"])).await;
    hook(&shop, &all, json!(["*"])).await;
    let other = Shop::of(&app, shop.partner.clone(), "Other", 3).await;
    let channel = shop.channel("telegram", json!({ "botToken": "1:a" })).await;
    other.channel("telegram", json!({ "botToken": "2:b" })).await;
    shop.linktor(Method::DELETE, &format!("/channels/{channel}"), json!(null)).await;
    assert_eq!(names(&heard(&shop, &all).await), ["channel.created", "channel.deleted"], "of its own workspace");
    assert_eq!(names(&heard(&shop, &one).await), ["channel.deleted"]);
}

#[tokio::test]
async fn what_goes_wrong_with_a_channel_is_told() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    let events = ["channel.error", "channel.link_expired", "channel.credentials_required", "channel.disconnected"];
    hook(&shop, &receiver, json!(events)).await;
    let refused = shop.channel("telegram", json!({ "botToken": "1:a_401" })).await;
    shop.post(&format!("/channels/{refused}/activate"), json!(null)).await.expect(422);
    let received = heard(&shop, &receiver).await;
    assert_eq!(names(&received), ["channel.credentials_required"]);
    assert_eq!(data_of(&received, "channel.credentials_required")["channelId"], json!(refused));
    for (token, status, reason) in [("2:a_423", 409, "banned"), ("3:a_503", 503, "provider_unavailable")] {
        let channel = shop.channel("telegram", json!({ "botToken": token })).await;
        shop.post(&format!("/channels/{channel}/activate"), json!(null)).await.expect(status);
        let received = heard(&shop, &receiver).await;
        assert_eq!(names(&received), ["channel.error"], "{token}");
        assert_eq!(data_of(&received, "channel.error")["reason"], reason);
    }
    let scanned = shop.channel("whatsapp", json!({})).await;
    shop.post(&format!("/channels/{scanned}/activate"), json!(null)).await.expect(200);
    for _ in 0..6 {
        app.advance(20).await;
    }
    let received = heard(&shop, &receiver).await;
    assert_eq!(names(&received), ["channel.link_expired"]);
    assert_eq!(data_of(&received, "channel.link_expired")["channelId"], json!(scanned));
    let linked = shop.active("whatsapp", json!({ "phoneNumberId": "1234567", "accessToken": "t" })).await;
    shop.partner.post("/sandbox/logout", json!({ "phone": "+15551234567" })).await.expect(200);
    let received = heard(&shop, &receiver).await;
    assert_eq!(names(&received), ["channel.credentials_required", "channel.disconnected"]);
    let data = data_of(&received, "channel.disconnected");
    assert_eq!((&data["channelId"], &data["reason"]), (&json!(linked), &json!("logged_out")));
    assert_eq!((&data["status"], &data["connected"]), (&json!("error"), &json!(false)));
}

#[tokio::test]
async fn an_account_that_the_workspace_has_already_is_refused_and_told() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    let owner = shop.partner.owner(&shop.workspace).await;
    shop.partner.connect(&shop.workspace, owner, "+15550001111").await;
    hook(&shop, &receiver, json!(["*"])).await;
    let channel = shop.channel("whatsapp", json!({})).await;
    shop.post(&format!("/channels/{channel}/activate"), json!(null)).await.expect(200);
    heard(&shop, &receiver).await;
    let code = shop.get(&format!("/channels/{channel}/qr-code")).await.expect(200)["data"]["qr"].clone();
    shop.partner.scan(code.as_str().expect("a code"), "+15550001111").await.expect(200);
    let received = heard(&shop, &receiver).await;
    let data = data_of(&received, "channel.error");
    assert_eq!((&data["channelId"], &data["reason"]), (&json!(channel), &json!("duplicate_account")));
    assert_eq!(received.len(), 1);
    let user = shop.partner.users(&shop.workspace, 1).await[0];
    let code = shop.partner.page(&shop.workspace, user).await.start().await.code();
    shop.partner.scan(&code, "+15550001111").await.expect(200);
    let received = heard(&shop, &receiver).await;
    let data = data_of(&received, "channel.error");
    assert_eq!((&data["userId"], &data["reason"]), (&json!(user), &json!("duplicate_account")));
}

#[tokio::test]
async fn what_a_test_or_a_probe_finds_is_told_once() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    let channel = shop.active("telegram", json!({ "botToken": "1:a" })).await;
    hook(&shop, &receiver, json!(["channel.error", "channel.connected"])).await;
    let path = format!("/channels/{channel}");
    let probe = async || {
        app.advance(301).await;
        health::probe(&app.app).await.expect("a probe")
    };
    assert_eq!(probe().await, 1);
    let checked = shop.attributes(&channel).await["health"].clone();
    assert_eq!((&checked["status"], &checked["lastChecked"]), (&json!("healthy"), &json!("2026-09-10T08:05:01Z")));
    assert!(heard(&shop, &receiver).await.is_empty(), "all is as it was");
    assert_eq!(health::probe(&app.app).await.expect("a probe"), 0, "it has just been looked at");
    for token in ["1:b_404", "1:b_403"] {
        shop.linktor(Method::PATCH, &path, json!({ "config": { "botToken": token } })).await.expect(200);
        let received = heard(&shop, &receiver).await;
        let data = data_of(&received, "channel.error");
        let part = if token.ends_with("404") { "webhook" } else { "permissions" };
        assert_eq!((&data["health"], &data["failed"]), (&json!("degraded"), &json!([part])), "{token}");
        assert_eq!(shop.attributes(&channel).await["health"]["status"], "degraded");
        assert_eq!(probe().await, 1);
        shop.post(&format!("{path}/test"), json!(null)).await.expect(200);
        assert!(heard(&shop, &receiver).await.is_empty(), "one event for each change");
    }
    assert_eq!(shop.attributes(&channel).await["status"], "error", "it is in doubt");
    shop.linktor(Method::PATCH, &path, json!({ "config": { "botToken": "1:c" } })).await.expect(200);
    assert_eq!(data_of(&heard(&shop, &receiver).await, "channel.connected")["recovered"], true);
}

#[tokio::test]
async fn what_is_not_connected_yet_is_no_error() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    hook(&shop, &receiver, json!(["channel.error", "channel.connected"])).await;
    let scanned = shop.channel("whatsapp", json!({})).await;
    shop.post(&format!("/channels/{scanned}/activate"), json!(null)).await.expect(200);
    let keys = shop.channel("telegram", json!({ "botToken": "92:x_403" })).await;
    for (channel, status) in [(&scanned, "pending"), (&keys, "inactive")] {
        let tested = shop.post(&format!("/channels/{channel}/test"), json!(null)).await.expect(200);
        assert_eq!(tested["data"]["success"], false);
        assert_eq!(shop.attributes(channel).await["status"], status);
    }
    assert!(heard(&shop, &receiver).await.is_empty(), "nobody has connected either");
    // Signing in proves less than a test has found.
    let test = async || shop.post(&format!("/channels/{keys}/test"), json!(null)).await.expect(200);
    let activated = shop.post(&format!("/channels/{keys}/activate"), json!(null)).await.expect(200);
    assert_eq!(activated["data"]["attributes"]["status"], "error");
    let received = heard(&shop, &receiver).await;
    assert_eq!(names(&received), ["channel.connected", "channel.error"]);
    assert_eq!(data_of(&received, "channel.error")["failed"], json!(["permissions"]));
    test().await;
    shop.post(&format!("/channels/{keys}/activate"), json!(null)).await.expect(200);
    test().await;
    assert!(heard(&shop, &receiver).await.is_empty(), "all is as it was");
    assert_eq!(shop.attributes(&keys).await["health"]["status"], "degraded");
}

#[tokio::test]
async fn accounts_that_users_link_are_told_of_as_well() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    hook(&shop, &receiver, json!(["*"])).await;
    let user = shop.partner.users(&shop.workspace, 1).await[0];
    let page = shop.partner.page(&shop.workspace, user).await;
    page.start().await;
    for _ in 0..6 {
        app.advance(20).await;
    }
    let received = heard(&shop, &receiver).await;
    let data = data_of(&received, "channel.link_expired");
    assert_eq!((&data["channelId"], &data["userId"]), (&json!(null), &json!(user)), "there is no channel yet");
    assert_eq!(received.len(), 1);
    shop.partner.connect(&shop.workspace, user, "+15550001111").await;
    let received = heard(&shop, &receiver).await;
    assert_eq!(names(&received), ["channel.connected", "channel.created"]);
    let channel = data_of(&received, "channel.connected")["channelId"].clone();
    let path = format!("/workspaces/{}", shop.workspace);
    // The seats left are for the owner and the users who were there before.
    shop.partner.patch(&path, json!({ "seats_purchased": 1 })).await.expect(200);
    let received = heard(&shop, &receiver).await;
    let data = data_of(&received, "channel.deactivated");
    assert_eq!((&data["channelId"], &data["reason"], &data["status"]), (&channel, &json!("seats"), &json!("inactive")));
    shop.partner.patch(&path, json!({ "seats_purchased": 20 })).await.expect(200);
    let received = heard(&shop, &receiver).await;
    assert_eq!(data_of(&received, "channel.activated")["channelId"], channel);
    let id = channel.as_str().expect("an id").to_owned();
    shop.post(&format!("/channels/{id}/deactivate"), json!(null)).await.expect(200);
    assert_eq!(names(&heard(&shop, &receiver).await), ["channel.deactivated"]);
    shop.partner.link(&shop.workspace, user).await;
    let received = heard(&shop, &receiver).await;
    assert_eq!(data_of(&received, "channel.disconnected")["reason"], "new_link");
    assert_eq!(received.len(), 1);
    shop.partner.connect(&shop.workspace, user, "+15550001111").await;
    let received = heard(&shop, &receiver).await;
    assert_eq!(names(&received), ["channel.activated", "channel.connected"], "the same channel, on again");
    let disconnect = format!("{path}/users/{user}/whatsapp/disconnect");
    shop.partner.post_empty(&disconnect).await.expect(200);
    assert_eq!(names(&heard(&shop, &receiver).await), ["channel.disconnected"]);
    shop.linktor(Method::DELETE, &format!("/channels/{id}"), json!(null)).await;
    assert_eq!(names(&heard(&shop, &receiver).await), ["channel.deleted"]);
    shop.partner.connect(&shop.workspace, user, "+15550001111").await;
    assert_eq!(names(&heard(&shop, &receiver).await), ["channel.connected", "channel.created"], "it is back");
}

#[tokio::test]
async fn changes_in_the_other_dialect_are_told() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    hook(&shop, &receiver, json!(["*"])).await;
    let timely = async |method: Method, path: &str, body: Value| {
        let request = app.http.request(method, format!("{}/v1{path}", app.base));
        let request = request.header("x-api-key", shop.token.token());
        Answer::of(if body.is_null() { request } else { request.json(&body) }).await
    };
    let made = timely(Method::POST, "/channels", json!({ "name": "Site", "type": "widget" })).await.expect(201);
    let path = format!("/channels/{}", made["id"].as_str().expect("an id"));
    assert_eq!(names(&heard(&shop, &receiver).await), ["channel.created"]);
    timely(Method::PUT, &path, json!({ "name": "Our site" })).await.expect(200);
    let received = heard(&shop, &receiver).await;
    assert_eq!(data_of(&received, "channel.updated")["changed"], json!(["name"]));
    timely(Method::PUT, &format!("{path}/widget/settings"), json!({ "title": "Hello" })).await.expect(200);
    let received = heard(&shop, &receiver).await;
    assert_eq!(data_of(&received, "channel.updated")["changed"], json!(["config"]));
    let agent = json!({ "name": "Bot", "kind": "http", "endpoint": "https://1.1.1.1/" });
    let agent = timely(Method::POST, "/agents", agent).await.expect(201)["id"].clone();
    let attach = json!({ "agent_id": agent });
    timely(Method::PUT, &format!("{path}/agent"), attach.clone()).await.expect(200);
    timely(Method::PUT, &format!("{path}/agent"), attach).await.expect(200);
    let received = heard(&shop, &receiver).await;
    assert_eq!(data_of(&received, "channel.updated")["changed"], json!(["defaultBot"]));
    timely(Method::DELETE, &format!("/agents/{}", agent.as_str().expect("an id")), json!(null)).await;
    let received = heard(&shop, &receiver).await;
    assert_eq!(data_of(&received, "channel.updated")["changed"], json!(["defaultBot"]), "its bot is gone");
    timely(Method::DELETE, &path, json!(null)).await;
    assert_eq!(names(&heard(&shop, &receiver).await), ["channel.deleted"]);
}

#[tokio::test]
async fn an_account_that_another_workspace_has_is_reported() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    let other = Shop::of(&app, shop.partner.clone(), "Other", 3).await;
    let stranger = Shop::of(&app, app.partner("stranger").await, "Third", 3).await;
    let first = other.active("telegram", json!({ "botToken": "1:a" })).await;
    stranger.active("telegram", json!({ "botToken": "2:b" })).await;
    assert_eq!(other.attributes(&first).await["health"]["duplicateAccount"], false);
    hook(&shop, &receiver, json!(["channel.connected"])).await;
    let same = shop.active("telegram", json!({ "botToken": "1:a" })).await;
    let received = heard(&shop, &receiver).await;
    assert_eq!(data_of(&received, "channel.connected")["duplicateAccount"], true);
    for (shop, channel) in [(&shop, &same), (&other, &first)] {
        assert_eq!(shop.attributes(channel).await["health"]["duplicateAccount"], true);
    }
    shop.active("telegram", json!({ "botToken": "2:b" })).await;
    let received = heard(&shop, &receiver).await;
    assert_eq!(data_of(&received, "channel.connected")["duplicateAccount"], false, "another partner's is nobody's");
    other.post(&format!("/channels/{first}/disconnect"), json!(null)).await.expect(200);
    assert_eq!(shop.attributes(&same).await["health"]["duplicateAccount"], false);
}

#[tokio::test]
async fn a_web_chat_is_told_of_when_its_first_visitor_comes() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    let chat = shop.web_chat(json!({})).await;
    hook(&shop, &receiver, json!(["*"])).await;
    for _ in 0..2 {
        Visitor::come(&app, &chat.token).await;
    }
    let received = heard(&shop, &receiver).await;
    assert_eq!(names(&received), ["channel.activated", "channel.connected"], "once");
    let activated = data_of(&received, "channel.activated");
    assert_eq!((&activated["status"], &activated["reason"]), (&json!("active"), &json!("first visit")));
    assert_eq!(data_of(&received, "channel.connected")["connected"], true);
    shop.post(&format!("/channels/{}/widget-token", chat.id), json!(null)).await.expect(200);
    let received = heard(&shop, &receiver).await;
    assert_eq!(data_of(&received, "channel.updated")["changed"], json!(["widgetToken"]));
    assert!(!received[0].body.contains("wgt_"), "{}", received[0].body);
}

#[tokio::test]
async fn an_attempt_on_a_page_names_the_account_that_its_user_had() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    hook(&shop, &receiver, json!(["channel.link_expired"])).await;
    let user = shop.partner.users(&shop.workspace, 1).await[0];
    let expired = async || {
        shop.partner.page(&shop.workspace, user).await.start().await;
        for _ in 0..5 {
            app.advance(20).await;
        }
        data_of(&heard(&shop, &receiver).await, "channel.link_expired")
    };
    let first = expired().await;
    let expected = json!({
        "channelId": null, "channelType": "whatsapp", "connected": false, "userId": user,
        "attemptId": first["attemptId"], "reason": "qr_expired",
    });
    assert_eq!(first, expected);
    shop.partner.connect(&shop.workspace, user, "+15550001111").await;
    let id = shop.get("/channels").await.expect(200)["data"][0]["id"].clone();
    let second = expired().await;
    assert_eq!(second["channelId"], id);
    assert_ne!(second["attemptId"], first["attemptId"]);
}
