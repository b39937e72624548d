//! The Channels API as Linktor's clients speak it: every example of its documentation, and what goes wrong.

use entity::{channel_settings, chat};
use quartermaster::{
    caller::Origin,
    plan::{self, SetPlan},
};
use reqwest::Method;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::support::{
    Answer, Setup, TestApp,
    channels::{Shop, settings, word},
    sender::unlimited,
};

mod examples;
mod limits;
mod required;
mod stats;
mod switching;
mod told;
mod updated;
mod upgrade;

/// Texts in a value that say that they are secret.
fn shows_secret(text: &str) -> bool {
    text.contains("-secret")
}

#[tokio::test]
async fn channels_of_all_nine_types_are_made_and_read() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, config) in settings() {
        let body =
            json!({ "name": format!("My {network}"), "type": network, "config": config, "metadata": { "a": 1 } });
        let made = shop.post("/channels", body).await;
        let answer = made.expect(201);
        let (data, attributes) = (&answer["data"], &answer["data"]["attributes"]);
        let id = data["id"].as_str().expect("an id");
        assert!(id.starts_with("ch_") && data["type"] == "channel", "{answer}");
        assert_eq!((&attributes["channelType"], &attributes["status"]), (&json!(network), &json!("inactive")));
        assert_eq!(attributes["createdAt"], "2026-09-10T08:00:00Z");
        let url = attributes["webhookUrl"].as_str().expect("a URL");
        assert!(url.ends_with(id), "{url}");
        assert!(attributes["webhookSecret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{answer}");
        assert!(answer["meta"]["setupInstructions"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
        assert_eq!(attributes["widgetToken"].is_string(), network == "webchat", "{answer}");
        let read = shop.attributes(id).await;
        assert_eq!(read["webhookSecret"], "********");
        assert_eq!((&read["metadata"], &read["defaultBot"]), (&json!({ "a": 1 }), &json!(null)));
        for (name, value) in config.as_object().expect("settings") {
            let is_secret = value.as_str().is_some_and(shows_secret);
            let shown = if is_secret { json!("********") } else { value.clone() };
            assert_eq!(read["config"][name], shown, "{network} {name}");
            assert_eq!(attributes["config"].get(name).is_some(), !is_secret, "{network} {name}: {answer}");
        }
        assert_eq!(read["capabilities"]["text"], network != "voice");
        assert_eq!(read["health"]["status"], "unknown");
        assert_eq!(read["stats"]["messagesReceivedTotal"], 0);
        assert!(!shows_secret(&made.text) && !shows_secret(&read.to_string()), "{network}");
    }
    let list = shop.get("/channels?perPage=100").await;
    assert_eq!(list.expect(200)["data"].as_array().map(Vec::len), Some(9));
    assert!(!shows_secret(&list.text) && !list.text.contains("********"), "{}", list.text);
}

#[tokio::test]
async fn lists_are_paged_filtered_and_searched() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    shop.active("telegram", json!({ "botToken": "1:a" })).await;
    let sms = settings().into_iter().find(|(network, _)| *network == "sms").expect("settings").1;
    shop.channel("sms", sms).await;
    shop.active("telegram", json!({ "botToken": "2:b" })).await;
    let names = async |query: &str| -> Vec<String> {
        let page = shop.get(&format!("/channels{query}")).await.expect(200);
        let name = |one: &Value| one["attributes"]["name"].as_str().expect("a name").to_owned();
        page["data"].as_array().expect("channels").iter().map(name).collect()
    };
    assert_eq!(names("").await, ["My telegram", "My sms", "My telegram"]);
    assert_eq!(names("?type=sms").await, ["My sms"]);
    assert_eq!(names("?status=active").await.len(), 2);
    assert_eq!(names("?status=inactive&type=telegram").await.len(), 0);
    assert_eq!(names("?search=MY%20S").await, ["My sms"]);
    let page = shop.get("/channels?page=2&perPage=2").await.expect(200);
    let pagination = json!({ "page": 2, "perPage": 2, "totalPages": 2, "totalCount": 3 });
    assert_eq!((&page["meta"]["pagination"], page["data"].as_array().map(Vec::len)), (&pagination, Some(1)));
    let attributes = &page["data"][0]["attributes"];
    assert_eq!(attributes["config"], json!({ "botUsername": "@sandbox_2_bot" }));
    assert_eq!(
        attributes["stats"],
        json!({ "messagesReceived24h": 0, "messagesSent24h": 0, "activeConversations": 0 })
    );
    let given_empty = "?page=&perPage=&type=&status=%20&search=";
    assert_eq!(names(given_empty).await.len(), 3, "what is empty is not given");
    for (query, code, field) in [
        ("?perPage=many", "VALIDATION_ERROR", "perPage"),
        ("?page=x", "VALIDATION_ERROR", "page"),
        ("?perPage=101", "VALIDATION_ERROR", "perPage"),
        ("?perPage=0", "VALIDATION_ERROR", "perPage"),
        ("?page=0", "VALIDATION_ERROR", "page"),
        ("?status=asleep", "VALIDATION_ERROR", "status"),
        ("?type=fax", "INVALID_CHANNEL_TYPE", "type"),
    ] {
        let refused = shop.get(&format!("/channels{query}")).await;
        assert_eq!(word(&refused, 400), code, "{query}");
        assert_eq!(refused.json()["error"]["details"][0]["field"], field, "{query}");
        assert_eq!(refused.json()["meta"]["requestId"], refused.header("x-request-id"));
        assert_ne!(refused.header("ratelimit"), "", "a call that is refused is a call: {query}");
        if field != "type" {
            let message = refused.json()["error"]["message"].clone();
            assert!(message.as_str().is_some_and(|text| text.starts_with(field)), "{message}");
        }
    }
    let unreadable = shop.get("/channels/%ff").await;
    let request = unreadable.header("x-request-id");
    assert_eq!(unreadable.json()["meta"]["requestId"], request, "{}", unreadable.text);
    assert!(!request.is_empty());
    let timely = app.http.get(format!("{}/v1/channels/%ff", app.base)).header("x-api-key", shop.token.token());
    let timely = Answer::of(timely).await;
    assert_eq!(timely.json()["error"]["status"], timely.status.as_u16(), "{}", timely.text);
}

#[tokio::test]
async fn what_cannot_be_made_is_named() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let telegram = || json!({ "botToken": "1:a" });
    for (body, code, field) in [
        (json!({ "type": "telegram", "config": telegram() }), "VALIDATION_ERROR", "name"),
        (json!({ "name": "x", "config": telegram() }), "VALIDATION_ERROR", "type"),
        (json!({ "name": "x", "type": "telegram" }), "VALIDATION_ERROR", "config"),
        (json!({ "name": "x", "type": "fax", "config": {} }), "INVALID_CHANNEL_TYPE", "type"),
        (json!({ "name": "x", "type": "telegram", "config": {} }), "VALIDATION_ERROR", "config.botToken"),
        (json!({ "name": "x", "type": "telegram", "config": { "token": "1" } }), "VALIDATION_ERROR", "config.token"),
        (
            json!({ "name": "x", "type": "whatsapp", "config": { "accessToken": "t" } }),
            "VALIDATION_ERROR",
            "config.phoneNumberId",
        ),
        (
            json!({ "name": "x", "type": "webchat", "config": { "allowedOrigins": ["*"] } }),
            "VALIDATION_ERROR",
            "config.allowedOrigins",
        ),
        (
            json!({ "name": "x", "type": "webchat", "config": { "allowedOrigins": ["https://*.example.com"] } }),
            "VALIDATION_ERROR",
            "config.allowedOrigins",
        ),
        (
            json!({ "name": "x", "type": "webchat", "config": { "allowedOrigins": ["https://a.b"], "theme": { "bogus": 1 } } }),
            "VALIDATION_ERROR",
            "config.theme",
        ),
        (
            json!({ "name": "x", "type": "telegram", "config": { "botToken": "1:a", "connector": "magic" } }),
            "VALIDATION_ERROR",
            "config.connector",
        ),
    ] {
        let refused = shop.post("/channels", body.clone()).await;
        assert_eq!(word(&refused, 400), code, "{body}");
        assert!(!refused.text.contains("bogus must"), "what does not exist is nothing: {}", refused.text);
        assert_eq!(refused.json()["error"]["details"][0]["field"], field, "{body}");
    }
    let unknown_bot = json!({
        "name": "x", "type": "telegram", "config": telegram(), "defaultBotId": "bot_00000000-0000-7000-8000-000000000000",
    });
    assert_eq!(word(&shop.post("/channels", unknown_bot).await, 404), "RESOURCE_NOT_FOUND");
    shop.channel("telegram", telegram()).await;
    let again = json!({ "name": "x", "type": "telegram", "config": { "botToken": "1:other" } });
    assert_eq!(word(&shop.post("/channels", again.clone()).await, 409), "CHANNEL_ALREADY_EXISTS");
    let other = Shop::of(&app, shop.partner.clone(), "Other", 1).await;
    other.post("/channels", again).await.expect(201);
    let second = json!({ "name": "x", "type": "telegram", "config": { "botToken": "2:b" } });
    assert_eq!(word(&other.post("/channels", second.clone()).await, 403), "CHANNEL_LIMIT_REACHED");
    let plan = SetPlan { max_channels: Some(2), ..unlimited() };
    plan::set(&app.app, &Origin::operator(), &plan).await.expect("a plan");
    other.post("/channels", second).await.expect(201);
    let real = app.partner_without_sandbox("real").await;
    let real = Shop::of(&app, real, "Real", 3).await;
    let meta = json!({ "name": "x", "type": "whatsapp", "config": { "phoneNumberId": "1", "accessToken": "t" } });
    for body in [meta, json!({ "name": "x", "type": "telegram", "config": telegram() })] {
        assert_eq!(word(&real.post("/channels", body).await, 409), "NO_CONNECTOR");
    }
}

#[tokio::test]
async fn the_same_key_makes_one_channel() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let make = async |token: &str| {
        let body = json!({ "name": "x", "type": "telegram", "config": { "botToken": token } });
        let request = app.http.post(format!("{}/v1/channels", app.base)).bearer_auth(shop.token.token());
        Answer::of(request.header("Idempotency-Key", "k").json(&body)).await
    };
    let first = make("1:a").await.expect(201);
    assert_eq!(make("1:a").await.expect(201), first);
    assert_eq!(word(&make("2:b").await, 409), "CONFLICT");
    assert_eq!(shop.get("/channels").await.expect(200)["meta"]["pagination"]["totalCount"], 1);
}

#[tokio::test]
async fn channels_are_changed_and_secrets_stay_sealed() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let bot = json!({ "name": "Support Bot", "type": "http", "config": { "endpoint": "https://1.1.1.1/" } });
    let bot = shop.post("/agents", bot).await.expect(201)["data"]["id"].clone();
    let id = shop.channel("telegram", json!({ "botToken": "1:telegram-secret" })).await;
    let path = format!("/channels/{id}");
    let bare = format!("/channels/{}", id.trim_start_matches("ch_"));
    app.clock.advance(std::time::Duration::from_secs(1));
    let change = json!({ "name": "Main", "defaultBotId": bot, "metadata": { "b": [1] } });
    let changed = shop.linktor(Method::PATCH, &bare, change).await.expect(200)["data"].clone();
    assert_eq!(changed["id"], json!(id));
    let attributes = &changed["attributes"];
    assert_eq!((&attributes["name"], &attributes["metadata"]), (&json!("Main"), &json!({ "b": [1] })));
    assert_eq!(attributes["defaultBot"], json!({ "id": bot, "name": "Support Bot" }));
    assert_eq!(attributes["updatedAt"], "2026-09-10T08:00:01Z");
    let masked = json!({ "config": { "botToken": "********" }, "defaultBotId": null });
    let changed = shop.linktor(Method::PATCH, &path, masked).await.expect(200);
    assert_eq!(changed["data"]["attributes"]["defaultBot"], json!(null));
    let activated = shop.post(&format!("{path}/activate"), json!(null)).await.expect(200);
    assert_eq!(activated["data"]["attributes"]["status"], "active", "the masked token stayed");
    let other = json!({ "config": { "botToken": "2:telegram-secret" } });
    assert_eq!(word(&shop.linktor(Method::PATCH, &path, other).await, 409), "CHANNEL_ERROR");
    let renewed = json!({ "config": { "botToken": "1:renewed-secret" } });
    shop.linktor(Method::PATCH, &path, renewed).await.expect(200);
    let refused = json!({ "config": { "botToken": null } });
    assert_eq!(word(&shop.linktor(Method::PATCH, &path, refused).await, 400), "VALIDATION_ERROR");
    let row = channel_settings::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("settings");
    let kept = format!("{row:?}");
    let sealed = row.secrets.expect("secrets");
    for plain in ["1:telegram-secret", "1:renewed-secret"] {
        assert!(!kept.contains(plain) && !sealed.windows(plain.len()).any(|part| part == plain.as_bytes()));
    }
    let entries = entity::audit_entry::Entity::find().all(app.app.db.reader()).await.expect("entries");
    let entries = format!("{entries:?}");
    assert!(entries.contains("channel.update") && !shows_secret(&entries), "{entries}");
}

#[tokio::test]
async fn a_channel_with_open_conversations_is_deleted_by_force_only() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let bot = json!({ "name": "x", "type": "http", "config": { "endpoint": "https://1.1.1.1/" } });
    let bot = shop.post("/agents", bot).await.expect(201)["data"]["id"].clone();
    let config = json!({ "phoneNumberId": "123456789", "accessToken": "t" });
    let id = shop.active("whatsapp", config.clone()).await;
    let path = format!("/channels/{id}");
    shop.linktor(Method::PATCH, &path, json!({ "defaultBotId": bot })).await.expect(200);
    let written = json!({ "phone": "+15553456789", "from": "+15557770000", "text": "Hello" });
    shop.partner.post("/sandbox/inbound", written.clone()).await.expect(200);
    shop.token.send("+15557770000", "On its way").await.expect(200);
    let delete = async |query: &str| shop.linktor(Method::DELETE, &format!("{path}{query}"), json!(null)).await;
    assert_eq!(word(&delete("").await, 400), "ACTIVE_CONVERSATIONS_EXIST");
    assert_eq!(shop.attributes(&id).await["status"], "active");
    let (used, _) = shop.token.credits().await;
    assert_eq!(delete("?force=true").await.status.as_u16(), 204);
    assert_eq!(word(&delete("?force=true").await, 404), "CHANNEL_NOT_FOUND");
    assert_eq!(word(&shop.get(&path).await, 404), "CHANNEL_NOT_FOUND");
    assert_eq!(shop.get("/channels").await.expect(200)["meta"]["pagination"]["totalCount"], 0);
    let db = app.app.db.reader();
    let chat = chat::Entity::find().one(db).await.expect("a look").expect("the chat is kept");
    assert!(chat.closed);
    assert_eq!(entity::channel_bot::Entity::find().count(db).await.expect("a count"), 0);
    assert_eq!(channel_settings::Entity::find().count(db).await.expect("a count"), 0, "nothing secret is kept");
    app.run_jobs().await;
    assert_eq!(shop.token.credits().await.0, used - 1, "what waited has failed and is refunded");
    let unlinked = shop.partner.post("/sandbox/inbound", written).await;
    unlinked.expect_error(409, "phone_not_linked");
    let chats = shop.token.get("/chats").await.expect(200);
    assert_eq!(chats["data"]["chats"].as_array().map(Vec::len), Some(1), "its conversations stay readable: {chats}");
    let anew = shop.active("whatsapp", config).await;
    assert_ne!(anew, id, "the account can be had by another channel");
}

#[tokio::test]
async fn tests_look_at_each_part_and_become_the_health() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (token, verdicts, health) in [
        ("1:a", ["passed", "passed", "passed"], "healthy"),
        ("2:a_401", ["failed", "skipped", "skipped"], "unhealthy"),
        ("3:a_403", ["passed", "passed", "failed"], "degraded"),
        ("4:a_404", ["passed", "failed", "passed"], "degraded"),
        ("5:a_423", ["failed", "skipped", "skipped"], "unhealthy"),
        ("6:a_503", ["failed", "skipped", "skipped"], "unhealthy"),
    ] {
        let id = shop.channel("telegram", json!({ "botToken": token })).await;
        let tested = shop.post(&format!("/channels/{id}/test"), json!(null)).await.expect(200)["data"].clone();
        assert_eq!((&tested["channelId"], &tested["success"]), (&json!(id), &json!(health == "healthy")), "{token}");
        assert_eq!(tested["testedAt"], "2026-09-10T08:00:00Z");
        let parts: Vec<(&str, &str)> = tested["tests"]
            .as_array()
            .expect("tests")
            .iter()
            .map(|part| (part["name"].as_str().expect("a name"), part["status"].as_str().expect("a status")))
            .collect();
        let names = ["credentials", "webhook", "permissions"];
        assert_eq!(parts, names.into_iter().zip(verdicts).collect::<Vec<_>>(), "{token}");
        assert!(tested["tests"][0]["latencyMs"].is_u64() && tested["tests"][0]["message"].is_string());
        if token.ends_with("_404") {
            assert_eq!(tested["tests"][1]["details"]["statusCode"], 404);
        }
        let read = shop.attributes(&id).await;
        assert_eq!(
            (&read["health"]["status"], &read["health"]["lastChecked"]),
            (&json!(health), &tested["testedAt"]),
            "{token}"
        );
    }
    let webchat = settings().into_iter().find(|(network, _)| *network == "webchat").expect("settings").1;
    let id = shop.channel("webchat", webchat).await;
    let tested = shop.post(&format!("/channels/{id}/test"), json!(null)).await.expect(200);
    assert_eq!(tested["data"]["success"], true);
    assert_eq!(word(&shop.post("/channels/ch_unknown/test", json!(null)).await, 404), "CHANNEL_NOT_FOUND");
}

#[tokio::test]
async fn other_networks_do_not_get_in_the_way_of_whatsapp() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, config) in settings().into_iter().filter(|(network, _)| *network != "whatsapp") {
        shop.active(network, config).await;
    }
    let refused = shop.token.send("+15557770000", "x").await;
    assert_eq!(refused.expect(409)["error_code"], "account_inactive", "no channel is a WhatsApp account");
    assert_eq!(shop.token.get("/whatsapp_accounts").await.expect(200)["data"]["whatsapp_accounts"], json!([]));
    let own = json!({ "phone": "+15557770000", "text": "x", "whatsapp_account_phone": "+15551234567" });
    assert_eq!(shop.token.post("/messages", own).await.expect(404)["error_code"], "not_found");
    let owner = shop.partner.owner(&shop.workspace).await;
    let account = shop.partner.connect(&shop.workspace, owner, "+15550001111").await;
    let sms = settings().into_iter().find(|(network, _)| *network == "sms").expect("settings").1;
    let mut sms = sms;
    sms["phoneNumber"] = json!("+15551234569");
    shop.active("sms", sms).await;
    shop.token.send("+15557770000", "x").await.expect(200);
    app.run_jobs().await;
    let sent = entity::message::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a message");
    assert_eq!((sent.account_id.0, sent.status), (account, entity::message::Status::Sent));
    let overview = shop.partner.overview(&shop.workspace).await;
    assert_eq!(overview["whatsapp_accounts"].as_array().map(Vec::len), Some(1), "{overview}");
}

#[tokio::test]
async fn scopes_and_strangers_are_refused_in_the_dialect() {
    let app = Setup::default().start().await;
    let shop = Shop::open(&app).await;
    let anonymous = Answer::of(app.http.get(format!("{}/v1/channels", app.base))).await;
    assert_eq!(word(&anonymous, 401), "AUTHENTICATION_REQUIRED");
    let unknown = app.http.get(format!("{}/v1/channels", app.base)).bearer_auth("qm_unknown");
    assert_eq!(word(&Answer::of(unknown).await, 401), "INVALID_API_KEY");
    let nowhere = shop.get("/channels/a/b/c").await;
    assert_eq!(word(&nowhere, 404), "RESOURCE_NOT_FOUND");
    let unread = app.http.post(format!("{}/v1/channels", app.base)).bearer_auth(shop.token.token()).body("name=x");
    assert_eq!(word(&Answer::of(unread).await, 415), "VALIDATION_ERROR");
}
