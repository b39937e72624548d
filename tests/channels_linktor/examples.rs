//! Every request that seed 002 shows, and in its answer every field that the seed shows, with its type.

use super::*;

/// Fails where a field of `shown` is absent in `told` or of another type. What is ours besides may be there. An array
/// stands for its elements.
#[track_caller]
fn covers(told: &Value, shown: &Value, place: &str) {
    match (shown, told) {
        (Value::Object(shown), Value::Object(told)) => {
            for (name, shown) in shown {
                let told = told.get(name).unwrap_or_else(|| panic!("{place}.{name} is absent"));
                covers(told, shown, &format!("{place}.{name}"));
            }
        }
        (Value::Array(shown), Value::Array(told)) => {
            let (Some(shown), false) = (shown.first(), told.is_empty()) else { panic!("{place} is empty") };
            told.iter().for_each(|told| covers(told, shown, &format!("{place}[]")));
        }
        (shown, told) => {
            let is_same = match shown {
                Value::String(_) => told.is_string(),
                Value::Number(_) => told.is_i64(),
                Value::Bool(_) => told.is_boolean(),
                other => panic!("{place}: nothing is said of {other}"),
            };
            assert!(is_same, "{place}: {told} in place of {shown}");
        }
    }
}

/// Attributes that the seed shows of a channel in a list.
fn summary(config: Value) -> Value {
    json!({
        "name": "", "channelType": "", "status": "", "config": config,
        "stats": { "messagesReceived24h": 0, "messagesSent24h": 0, "activeConversations": 0 },
        "webhookUrl": "", "createdAt": "", "updatedAt": "",
    })
}

fn resource(attributes: Value) -> Value {
    json!({ "id": "", "type": "", "attributes": attributes })
}

/// A channel with an account, a bot, and a message each way.
async fn busy(shop: &Shop<'_>) -> String {
    let bot = json!({ "name": "Support Bot", "type": "http", "config": { "endpoint": "https://1.1.1.1/" } });
    let bot = shop.post("/agents", bot).await.expect(201)["data"]["id"].clone();
    let body = json!({
        "name": "WhatsApp Business", "type": "whatsapp",
        "config": {
            "phoneNumberId": "123456789", "accessToken": "EAABcd", "businessAccountId": "987654321",
            "verifyToken": "my_verify_token",
        },
        "defaultBotId": bot,
    });
    let made = shop.post("/channels", body).await.expect(201);
    let shown = json!({
        "data": resource(json!({
            "name": "", "channelType": "", "status": "",
            "config": { "phoneNumber": "", "phoneNumberId": "", "businessAccountId": "" },
            "webhookUrl": "", "webhookSecret": "", "createdAt": "",
        })),
        "meta": { "setupInstructions": "" },
    });
    covers(&made, &shown, "created");
    assert_eq!(made["data"]["attributes"]["status"], "inactive");
    let id = made["data"]["id"].as_str().expect("an id").to_owned();
    shop.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
    let written = json!({ "phone": "+15553456789", "from": "+15557770000", "text": "Hello" });
    shop.partner.post("/sandbox/inbound", written).await.expect(200);
    shop.token.send("+15557770000", "Hello you").await.expect(200);
    shop.app.run_jobs().await;
    shop.post(&format!("/channels/{id}/test"), json!(null)).await.expect(200);
    id
}

#[tokio::test]
async fn every_example_is_answered_as_it_is_shown() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = busy(&shop).await;
    let path = format!("/channels/{id}");
    let bot = json!({ "name": "New Bot", "type": "http", "config": { "endpoint": "https://1.1.1.1/2" } });
    let bot = shop.post("/agents", bot).await.expect(201)["data"]["id"].clone();

    let list = json!({
        "data": [resource(summary(json!({ "phoneNumber": "", "businessName": "" })))],
        "meta": { "pagination": { "page": 0, "perPage": 0, "totalPages": 0, "totalCount": 0 } },
    });
    let capability = [
        "text",
        "image",
        "document",
        "audio",
        "video",
        "location",
        "buttons",
        "quickReplies",
        "templates",
        "deliveryReceipts",
        "readReceipts",
        "typingIndicators",
    ];
    let capabilities: serde_json::Map<String, Value> =
        capability.into_iter().map(|name| (name.to_owned(), json!(true))).collect();
    let full = json!({ "data": resource(json!({
        "name": "", "channelType": "", "status": "",
        "config": {
            "phoneNumber": "", "phoneNumberId": "", "businessAccountId": "", "businessName": "", "verifyToken": "",
        },
        "capabilities": capabilities,
        "defaultBot": { "id": "", "name": "" },
        "webhookUrl": "", "webhookSecret": "",
        "stats": {
            "messagesReceived24h": 0, "messagesSent24h": 0, "messagesReceivedTotal": 0, "messagesSentTotal": 0,
            "activeConversations": 0, "totalConversations": 0,
        },
        "health": { "status": "", "lastChecked": "", "lastMessageReceived": "", "lastMessageSent": "" },
        "createdAt": "", "updatedAt": "",
    })) });
    let changed = json!({ "data": resource(json!({
        "name": "", "channelType": "", "status": "", "defaultBot": { "id": "", "name": "" }, "updatedAt": "",
    })) });
    let tested = json!({ "data": {
        "success": true, "channelId": "", "tests": [{ "name": "", "status": "", "message": "" }], "testedAt": "",
    } });
    let off = json!({ "data": resource(json!({ "status": "", "deactivatedAt": "", "deactivationReason": "" })) });
    let on = json!({ "data": resource(json!({ "status": "", "activatedAt": "" })) });
    let stats = json!({ "data": {
        "channelId": "", "period": "",
        "summary": {
            "messagesReceived": 0, "messagesSent": 0, "conversationsStarted": 0, "conversationsClosed": 0,
            "avgResponseTime": 0, "avgResolutionTime": 0,
        },
        "timeSeries": [{ "timestamp": "", "messagesReceived": 0, "messagesSent": 0, "conversationsStarted": 0 }],
    } });
    let none = || json!(null);
    let why = json!({ "reason": "Maintenance", "closeConversations": false });
    let renamed = json!({ "name": "WhatsApp Business - Main", "defaultBotId": bot });
    let rows = [
        (Method::GET, "/channels?status=active".to_owned(), none(), list),
        (Method::GET, path.clone(), none(), full),
        (Method::PATCH, path.clone(), renamed, changed),
        (Method::POST, format!("{path}/test"), none(), tested),
        (Method::POST, format!("{path}/deactivate"), why, off),
        (Method::POST, format!("{path}/activate"), none(), on),
    ];
    for (method, path, body, shown) in rows {
        let told = shop.linktor(method.clone(), &path, body).await.expect(200);
        covers(&told, &shown, &format!("{method} {path}"));
    }
    // Averages are of something once a conversation was closed.
    shop.post(&format!("{path}/deactivate"), json!({ "closeConversations": true })).await.expect(200);
    let told = shop.get(&format!("{path}/stats?period=7d&granularity=day")).await.expect(200);
    covers(&told, &stats, "stats");
    assert_eq!((&told["data"]["period"], &told["data"]["channelId"]), (&json!("7d"), &json!(id)));
    let gone = shop.linktor(Method::DELETE, &format!("{path}?force=true"), none()).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
}

#[tokio::test]
async fn a_test_that_fails_is_answered_as_it_is_shown() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.channel("telegram", json!({ "botToken": "1:a_404" })).await;
    let told = shop.post(&format!("/channels/{id}/test"), json!(null)).await.expect(200);
    let part = json!({ "name": "", "status": "", "message": "" });
    covers(&told, &json!({ "data": { "success": true, "channelId": "", "tests": [part], "testedAt": "" } }), "test");
    assert_eq!(told["data"]["success"], false);
    let webhook = told["data"]["tests"].as_array().expect("tests").iter().find(|part| part["name"] == "webhook");
    let details = &webhook.expect("the part")["details"];
    covers(details, &json!({ "url": "", "statusCode": 0 }), "details");
    assert_eq!(details["url"], shop.attributes(&id).await["webhookUrl"]);
}

/// The configuration of each type, as its example shows it.
#[tokio::test]
async fn every_types_example_is_taken() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, config) in settings() {
        let body = json!({ "name": "An example", "type": network, "config": config });
        let made = shop.post("/channels", body).await.expect(201);
        let shown = json!({
            "data": resource(json!({
                "name": "", "channelType": "", "status": "", "config": {}, "webhookUrl": "", "webhookSecret": "",
                "createdAt": "",
            })),
            "meta": { "setupInstructions": "" },
        });
        covers(&made, &shown, network);
    }
    let list = shop.get("/channels").await.expect(200);
    covers(&list, &json!({ "data": [resource(summary(json!({})))] }), "list");
}

#[tokio::test]
async fn every_address_that_is_shown_is_served() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, config) in settings() {
        let id = shop.channel(network, config).await;
        let url = shop.attributes(&id).await["webhookUrl"].as_str().expect("a URL").to_owned();
        let anybody = Answer::of(app.http.post(&url).json(&json!({ "from": "1", "text": "x" }))).await;
        assert_eq!(anybody.expect(401)["code"], "invalid_signature", "{network} {url}");
        assert_eq!(Answer::of(app.http.get(&url)).await.status.as_u16(), 401, "{network} {url}");
    }
    let nobody = format!("{}/callbacks/ch_00000000-0000-7000-8000-000000000000", app.base);
    assert_eq!(Answer::of(app.http.post(nobody)).await.expect(404)["code"], "route_not_found");
}

#[tokio::test]
async fn a_provider_asks_for_the_address_and_brings_messages_there() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let config = json!({ "phoneNumberId": "123456789", "accessToken": "t", "verifyToken": "my token" });
    let body = json!({ "name": "x", "type": "whatsapp", "config": config });
    let made = shop.post("/channels", body).await.expect(201)["data"].clone();
    let attributes = &made["attributes"];
    let url = attributes["webhookUrl"].as_str().expect("a URL").to_owned();
    let secret = attributes["webhookSecret"].as_str().expect("a secret").to_owned();
    let ask = async |token: &str, challenge: &str| {
        let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge={challenge}");
        Answer::of(app.http.get(format!("{url}?{query}"))).await
    };
    let answered = ask("my%20token", "1158201444").await;
    assert_eq!((answered.status.as_u16(), answered.text.as_str()), (200, "1158201444"));
    assert_eq!(ask("another", "1158201444").await.status.as_u16(), 401);
    assert_eq!(ask("my%20token", "%3Cscript%3E").await.status.as_u16(), 400);
    let bring = async |body: &Value, key: &str, age: i64| {
        let (body, at) = (body.to_string(), app.clock.now().0 / 1_000_000 - age);
        let mac = hmac_sha256::HMAC::mac(format!("{at}.{body}"), key);
        let mac: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        let request = app.http.post(&url).header("X-Linktor-Timestamp", at.to_string());
        Answer::of(request.header("X-Linktor-Signature", format!("sha256={mac}")).body(body)).await
    };
    let written = json!({ "id": "m1", "from": "+15557770000", "text": "Hello" });
    assert_eq!(bring(&written, &secret, 0).await.status.as_u16(), 409, "it is not connected yet");
    let id = made["id"].as_str().expect("an id");
    shop.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
    assert_eq!(bring(&written, "another", 0).await.status.as_u16(), 401);
    assert_eq!(bring(&written, &secret, 301).await.status.as_u16(), 401, "it is too old");
    assert_eq!(bring(&json!({ "id": "m1" }), &secret, 0).await.status.as_u16(), 400);
    for _ in 0..2 {
        assert_eq!(bring(&written, &secret, 1).await.status.as_u16(), 200);
    }
    let messages = entity::message::Entity::find().all(app.app.db.reader()).await.expect("messages");
    assert_eq!(messages.len(), 1, "the second is known");
    assert_eq!(messages[0].text.as_deref(), Some("Hello"));
}
