//! The settings without which no channel is connected, type by type.

use super::*;

/// Settings that each type needs, of those that [`settings()`] has.
const NEEDED: [(&str, &[&str]); 9] = [
    ("whatsapp", &["phoneNumberId", "accessToken"]),
    ("telegram", &["botToken"]),
    ("sms", &["provider", "accountSid", "authToken", "phoneNumber"]),
    ("email", &["smtpHost", "smtpPort", "smtpPassword", "imapPort", "imapUser", "imapPassword", "fromEmail"]),
    ("webchat", &["allowedOrigins"]),
    ("facebook", &["pageId", "pageAccessToken", "appSecret"]),
    ("instagram", &["accountId", "accessToken"]),
    ("voice", &["provider", "accountSid", "authToken", "phoneNumber"]),
    ("rcs", &["agentId", "serviceAccountKey"]),
];

/// Each type's settings without one that it needs, and which.
fn incomplete() -> Vec<(&'static str, &'static str, Value)> {
    let mut cases = Vec::new();
    for (network, config) in settings() {
        let (_, needed) = NEEDED.iter().find(|(name, _)| *name == network).expect("a row for every type");
        for name in *needed {
            let mut config = config.clone();
            config.as_object_mut().and_then(|config| config.remove(*name)).expect("a setting");
            cases.push((network, *name, config));
        }
    }
    cases
}

#[tokio::test]
async fn a_setting_that_is_missing_is_named_when_a_channel_is_made() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, name, config) in incomplete() {
        let refused = shop.post("/channels", json!({ "name": "x", "type": network, "config": config })).await;
        assert_eq!(word(&refused, 400), "VALIDATION_ERROR", "{network} {name}");
        let detail = refused.json()["error"]["details"][0].clone();
        assert_eq!(detail["field"], format!("config.{name}"), "{network}: {}", refused.text);
    }
    assert_eq!(shop.get("/channels").await.expect(200)["meta"]["pagination"]["totalCount"], 0);
}

#[tokio::test]
async fn a_setting_that_is_missing_is_named_when_a_channel_is_connected() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let timely = async |method: Method, path: &str, body: Value| {
        let request = app.http.request(method, format!("{}/v1{path}", app.base));
        Answer::of(request.header("x-api-key", shop.token.token()).json(&body)).await
    };
    for (network, name, config) in incomplete() {
        let made = timely(Method::POST, "/channels", json!({ "name": "x", "type": network })).await.expect(201);
        let path = format!("/channels/{}", made["id"].as_str().expect("an id"));
        let refused = timely(Method::POST, &format!("{path}/connect"), json!({ "config": config })).await;
        assert_eq!(word(&refused, 400), "VALIDATION_ERROR", "{network} {name}");
        let message = refused.json()["error"]["message"].clone();
        let is_named = message.as_str().is_some_and(|text| text.starts_with(&format!("config.{name}")));
        assert!(is_named, "{network} {name}: {message}");
        assert_eq!(timely(Method::DELETE, &path, json!({})).await.status.as_u16(), 204);
    }
}

#[tokio::test]
async fn what_is_to_be_done_next_is_said_of_channels_that_wait() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, config, parts) in [
        ("whatsapp", json!({}), &["pending", "qr-code", "over, activate it again"][..]),
        ("telegram", json!({ "connector": "sandbox" }), &["pending", "qr-code", "over, activate it again"]),
        ("whatsapp", json!({ "phoneNumberId": "1", "accessToken": "t" }), &["verifyToken", "/callbacks/"]),
        (
            "whatsapp",
            json!({ "phoneNumberId": "2", "accessToken": "t", "verifyToken": "v" }),
            &["with the verify token", "/callbacks/"],
        ),
        ("instagram", json!({ "connector": "sandbox", "username": "ann", "password": "p" }), &["signed in", "pending"]),
    ] {
        let made = shop.post("/channels", json!({ "name": "x", "type": network, "config": config })).await.expect(201);
        let text = made["meta"]["setupInstructions"].as_str().expect("a sentence").to_owned();
        for part in parts {
            assert!(text.contains(part), "{network} {config}: {text}");
        }
        if !parts.contains(&"/callbacks/") {
            assert!(!text.contains("webhook"), "{network} {config}: {text}");
        }
    }
    let waiting = shop.get("/channels?type=telegram").await.expect(200)["data"][0]["id"].clone();
    let path = format!("/channels/{}", waiting.as_str().expect("an id"));
    let activate = format!("{path}/activate");
    let pending = async || {
        let activated = shop.post(&activate, json!(null)).await.expect(200);
        assert_eq!(activated["data"]["attributes"]["status"], "pending");
        shop.get(&format!("{path}/qr-code")).await.expect(200)["data"]["windowEndsAt"].clone()
    };
    assert_eq!(pending().await, "2026-09-10T08:05:00Z");
    app.advance(60).await;
    assert_eq!(pending().await, "2026-09-10T08:05:00Z", "they are not over");
    app.advance(241).await;
    assert_eq!(word(&shop.get(&format!("{path}/qr-code")).await, 409), "QR_CODE_NOT_AVAILABLE");
    assert_eq!(pending().await, "2026-09-10T08:10:01Z");
}
