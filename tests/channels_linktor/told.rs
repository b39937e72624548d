//! Settings that are sent back as they were shown.

use super::*;
use crate::support::channels::simulated;

#[tokio::test]
async fn settings_can_be_sent_back_as_they_are_shown() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, config) in simulated() {
        let id = shop.active(network, config).await;
        let path = format!("/channels/{id}");
        let before = shop.attributes(&id).await;
        app.clock.advance(std::time::Duration::from_secs(1));
        let body = json!({ "name": before["name"], "config": before["config"], "metadata": before["metadata"] });
        let changed = shop.linktor(Method::PATCH, &path, body).await.expect(200)["data"]["attributes"].clone();
        assert_eq!(changed, before, "{network}");
        let timely = app.http.put(format!("{}/v1{path}", app.base)).header("x-api-key", shop.token.token());
        Answer::of(timely.json(&json!({ "config": before["config"] }))).await.expect(200);
        assert_eq!(shop.attributes(&id).await, before, "{network}: nor in the other dialect");
    }
}

#[tokio::test]
async fn a_channel_that_nobody_has_connected_takes_back_what_is_empty() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.channel("whatsapp", json!({})).await;
    let before = shop.attributes(&id).await;
    assert_eq!(before["config"], json!({ "phoneNumber": "", "businessName": "" }));
    let path = format!("/channels/{id}");
    let body = json!({ "config": before["config"] });
    assert_eq!(shop.linktor(Method::PATCH, &path, body).await.expect(200)["data"]["attributes"], before);
    let named = json!({ "config": { "phoneNumber": "", "businessName": "Bakery" } });
    let changed = shop.linktor(Method::PATCH, &path, named).await.expect(200)["data"]["attributes"].clone();
    assert_eq!(changed["config"], json!({ "phoneNumber": "", "businessName": "Bakery" }));
}

#[tokio::test]
async fn what_is_told_cannot_be_changed_and_a_mask_of_nothing_is_refused() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let telegram = shop.active("telegram", json!({ "botToken": "1:a" })).await;
    let rcs = shop.channel("rcs", json!({ "agentId": "a", "serviceAccountKey": "k" })).await;
    let whatsapp = shop.active("whatsapp", json!({ "phoneNumberId": "123456789", "accessToken": "t" })).await;
    for (id, name, value) in [
        (&telegram, "botUsername", json!("@other_bot")),
        (&telegram, "botUsername", json!(null)),
        (&whatsapp, "phoneNumber", json!("+15550001111")),
        (&rcs, "clientToken", json!("********")),
        (&whatsapp, "appSecret", json!("********")),
    ] {
        let before = shop.attributes(id).await;
        let mut body = json!({ "config": before["config"] });
        body["config"][name] = value.clone();
        let refused = shop.linktor(Method::PATCH, &format!("/channels/{id}"), body.clone()).await;
        assert_eq!(word(&refused, 400), "VALIDATION_ERROR", "{name} {value}");
        assert_eq!(refused.json()["error"]["details"][0]["field"], format!("config.{name}"), "{}", refused.text);
        let timely = app.http.put(format!("{}/v1/channels/{id}", app.base)).header("x-api-key", shop.token.token());
        let refused = Answer::of(timely.json(&body)).await;
        assert_eq!(word(&refused, 400), "VALIDATION_ERROR", "{name} {value}");
        assert!(refused.text.contains(&format!("config.{name}")), "{}", refused.text);
        assert_eq!(shop.attributes(id).await, before, "{name}");
    }
    let masked = json!({ "name": "x", "type": "telegram", "config": { "botToken": "********" } });
    let refused = shop.post("/channels", masked).await;
    assert_eq!(word(&refused, 400), "VALIDATION_ERROR");
    assert_eq!(refused.json()["error"]["details"][0]["field"], "config.botToken");
    // Another secret is another secret.
    let other = json!({ "config": { "botToken": "1:b" } });
    shop.linktor(Method::PATCH, &format!("/channels/{telegram}"), other).await.expect(200);
    let taken = json!({ "config": { "serviceAccountKey": "k2", "clientToken": "c" } });
    let changed = shop.linktor(Method::PATCH, &format!("/channels/{rcs}"), taken).await.expect(200);
    assert_eq!(changed["data"]["attributes"]["config"]["clientToken"], "********");
}
