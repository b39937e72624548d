//! The Channels API as Timely's clients speak it: its fields, its life cycle, and what goes wrong.

use entity::message;
use reqwest::Method;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};

use crate::support::{
    Answer, TestApp,
    channels::{Shop, settings, simulated, word},
};

/// A request of Timely's dialect.
async fn call(shop: &Shop<'_>, method: Method, path: &str, body: Value) -> Answer {
    let request = shop.app.http.request(method, format!("{}/v1{path}", shop.app.base));
    let request = request.header("x-api-key", shop.token.token());
    Answer::of(if body.is_null() { request } else { request.json(&body) }).await
}

async fn get(shop: &Shop<'_>, path: &str) -> Answer {
    call(shop, Method::GET, path, json!(null)).await
}

async fn post(shop: &Shop<'_>, path: &str, body: Value) -> Answer {
    call(shop, Method::POST, path, body).await
}

/// A channel of this type; its id.
async fn channel(shop: &Shop<'_>, kind: &str) -> String {
    let made = post(shop, "/channels", json!({ "name": format!("My {kind}"), "type": kind })).await.expect(201);
    made["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn channels_have_the_fields_of_the_documentation() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (kind, shown) in [
        ("whatsapp", "whatsapp"),
        ("instagram", "instagram"),
        ("telegram", "telegram"),
        ("widget", "widget"),
        ("website", "widget"),
        ("webchat", "widget"),
        ("email", "email"),
        ("sms", "sms"),
    ] {
        let made = post(&shop, "/channels", json!({ "name": "Support", "type": kind })).await.expect(201);
        let id = made["id"].as_str().expect("an id").to_owned();
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{made}");
        assert_eq!(made["widget_token"].is_string(), shown == "widget", "{made}");
        let expected = json!({
            "id": id, "agent_id": null, "type": shown, "name": "Support", "status": "disconnected",
            "phone_number": null, "username": null, "widget_token": made["widget_token"],
            "created_at": "2026-09-10T08:00:00Z", "last_connected_at": null,
        });
        assert_eq!(made, expected, "{kind}");
        assert_eq!(get(&shop, &format!("/channels/{id}")).await.expect(200), made);
        assert_eq!(get(&shop, &format!("/channels/ch_{id}")).await.expect(200), made);
        let other = shop.get(&format!("/channels/{id}")).await.expect(200);
        assert_eq!(other["data"]["id"], format!("ch_{id}"), "the header chooses the dialect");
    }
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for kind in ["whatsapp", "widget", "telegram"] {
        channel(&shop, kind).await;
    }
    shop.active("telegram", json!({ "botToken": "7:x" })).await;
    let page = get(&shop, "/channels?page=2&per_page=3").await.expect(200);
    assert_eq!(page["pagination"], json!({ "page": 2, "limit": 3, "total": 4, "total_pages": 2 }));
    assert_eq!(page["data"][0]["username"], "sandbox_7_bot");
    let count = async |query: &str| {
        get(&shop, &format!("/channels?{query}")).await.expect(200)["pagination"]["total"].as_i64().expect("a count")
    };
    assert_eq!((count("type=website").await, count("type=telegram").await), (1, 2));
    assert_eq!((count("status=connected").await, count("status=disconnected").await), (1, 3));
    assert_eq!(count("status=error").await, 0);
    assert_eq!(count("page=&per_page=&limit=&type=&status=").await, 4, "what is empty is not given");
    for query in ["limit=101", "status=active", "page=x", "per_page=x", "limit=x"] {
        let refused = get(&shop, &format!("/channels?{query}")).await;
        assert_eq!(word(&refused, 400), "VALIDATION_ERROR", "{query}");
        let name = query.split('=').next().unwrap_or_default();
        let message = refused.json()["error"]["message"].clone();
        assert!(message.as_str().is_some_and(|text| text.starts_with(name)), "{query}: {message}");
        assert_ne!(refused.header("ratelimit"), "", "a call that is refused is a call: {query}");
    }
    assert_eq!(word(&get(&shop, "/channels?type=fax").await, 400), "VALIDATION_ERROR");
}

#[tokio::test]
async fn a_phone_scans_the_code_while_the_window_is_open() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = channel(&shop, "whatsapp").await;
    let (path, code) = (format!("/channels/{id}"), format!("/channels/{id}/qr-code"));
    let closed = get(&shop, &code).await;
    assert_eq!(word(&closed, 409), "QR_CODE_NOT_AVAILABLE");
    assert_eq!(closed.json()["error"]["status"], 409);
    let connecting = post(&shop, &format!("{path}/connect"), json!({})).await.expect(200);
    assert_eq!(connecting["status"], "disconnected");
    let first = get(&shop, &code).await.expect(200);
    assert!(first["qr_code"].as_str().is_some_and(|picture| picture.starts_with("iVBORw0KGgo")), "{first}");
    assert_eq!((&first["expires_in_ms"], &first["expires_at"]), (&json!(20_000), &json!("2026-09-10T08:00:20Z")));
    assert_eq!((&first["next_poll_ms"], &first["window_ends_at"]), (&json!(3000), &json!("2026-09-10T08:05:00Z")));
    app.advance(20).await;
    let second = get(&shop, &code).await.expect(200);
    assert_ne!(second["qr"], first["qr"], "codes are replaced");
    let scanned = shop.partner.scan(first["qr"].as_str().expect("a code"), "+15550001111").await;
    scanned.expect_error(410, "code_expired");
    shop.partner.scan(second["qr"].as_str().expect("a code"), "+15550001111").await.expect(200);
    let connected = get(&shop, &path).await.expect(200);
    assert_eq!((&connected["status"], &connected["phone_number"]), (&json!("connected"), &json!("+15550001111")));
    assert_eq!(connected["last_connected_at"], "2026-09-10T08:00:20Z");
    assert_eq!(word(&get(&shop, &code).await, 409), "QR_CODE_NOT_AVAILABLE");
    let again = post(&shop, &format!("{path}/connect"), json!(null)).await.expect(200);
    assert_eq!(again, connected, "a channel that is connected stays so");
    let ended = post(&shop, &format!("{path}/disconnect"), json!(null)).await.expect(200);
    assert_eq!((&ended["status"], &ended["phone_number"]), (&json!("disconnected"), &json!("+15550001111")));
    assert_eq!(ended["last_connected_at"], "2026-09-10T08:00:20Z");
    post(&shop, &format!("{path}/connect"), json!(null)).await.expect(200);
    let third = get(&shop, &code).await.expect(200);
    shop.partner.scan(third["qr"].as_str().expect("a code"), "+15550001111").await.expect(200);
    assert_eq!(get(&shop, &path).await.expect(200)["status"], "connected");
    shop.partner.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    assert_eq!(get(&shop, &path).await.expect(200)["status"], "error", "the connection is lost");
}

#[tokio::test]
async fn a_token_connects_what_has_no_code() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = channel(&shop, "telegram").await;
    let connect = format!("/channels/{id}/connect");
    let missing = post(&shop, &connect, json!({})).await;
    assert_eq!(word(&missing, 400), "VALIDATION_ERROR");
    assert!(missing.text.contains("botToken"), "{}", missing.text);
    let refused = post(&shop, &connect, json!({ "token": "9:bot-secret_401" })).await;
    assert_eq!(word(&refused, 422), "CHANNEL_ERROR");
    assert_eq!(refused.json()["error"]["status"], 422);
    assert!(!refused.text.contains("bot-secret"), "{}", refused.text);
    let status = async || get(&shop, &format!("/channels/{id}")).await.expect(200)["status"].clone();
    assert_eq!(status().await, "error");
    let failed = get(&shop, "/channels?status=error").await.expect(200)["data"].clone();
    assert_eq!((failed.as_array().map(Vec::len), &failed[0]["id"]), (Some(1), &json!(id)));
    post(&shop, &format!("/channels/{id}/disconnect"), json!(null)).await.expect(200);
    assert_eq!(status().await, "disconnected", "nobody wants it connected any more");
    let connected = post(&shop, &connect, json!({ "token": "9:bot-secret" })).await.expect(200);
    assert_eq!((&connected["status"], &connected["username"]), (&json!("connected"), &json!("sandbox_9_bot")));
    let sms = channel(&shop, "sms").await;
    let refused = post(&shop, &format!("/channels/{sms}/connect"), json!({ "token": "x" })).await;
    assert_eq!(word(&refused, 400), "VALIDATION_ERROR");
    let config = settings().into_iter().find(|(network, _)| *network == "sms").expect("settings").1;
    let connected = post(&shop, &format!("/channels/{sms}/connect"), json!({ "config": config })).await.expect(200);
    assert_eq!((&connected["status"], &connected["phone_number"]), (&json!("connected"), &json!("+15551234567")));
}

#[tokio::test]
async fn settings_that_do_not_work_replace_none_that_do() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = channel(&shop, "telegram").await;
    let connect = async |token: &str| post(&shop, &format!("/channels/{id}/connect"), json!({ "token": token })).await;
    connect("9:first").await.expect(200);
    let before = shop.attributes(&id).await;
    for (token, status) in [("9:x_401", 422), ("9:x_423", 409), ("9:x_503", 503)] {
        let refused = connect(token).await;
        assert_eq!(word(&refused, status), "CHANNEL_ERROR", "{token}");
        assert!(!refused.text.contains(token), "{}", refused.text);
        let after = shop.attributes(&id).await;
        assert_eq!((&after["status"], &after["health"]), (&before["status"], &before["health"]), "{token}");
        assert_eq!(after["updatedAt"], before["updatedAt"], "nothing was stored");
    }
    let tested = shop.post(&format!("/channels/{id}/test"), json!(null)).await.expect(200);
    assert_eq!(tested["data"]["success"], true, "it works as before: {tested}");
    let doubtful = connect("9:second_403").await.expect(200);
    assert_eq!(doubtful["status"], "error", "let in, and not to everything");
    assert_eq!(connect("9:third").await.expect(200)["status"], "connected");
    assert_eq!(shop.attributes(&id).await["health"]["status"], "healthy");
}

/// What is asked of somebody who signs in with something else by now is not waited for.
#[tokio::test]
async fn other_credentials_begin_another_attempt() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = channel(&shop, "instagram").await;
    let connect = async |password: &str| {
        let config = json!({ "connector": "sandbox", "username": "my_brand", "password": password });
        post(&shop, &format!("/channels/{id}/connect"), json!({ "config": config })).await.expect(200)
    };
    let session = async || shop.row(&id).await.session;
    assert_eq!(connect("secret_2fa").await["status"], "disconnected");
    let first = session().await;
    connect("secret_2fa").await;
    assert_eq!(session().await, first, "the same goes on");
    assert_eq!(connect("secret").await["status"], "connected");
    assert_ne!(session().await, first);
}

#[tokio::test]
async fn a_channel_has_one_agent_at_a_time() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let mut agents = Vec::new();
    for name in ["one", "two"] {
        let agent = json!({ "name": name, "kind": "http", "endpoint": "https://1.1.1.1/" });
        agents.push(post(&shop, "/agents", agent).await.expect(201)["id"].clone());
    }
    let body = json!({ "name": "Support", "type": "telegram", "agent_id": agents[0] });
    let made = post(&shop, "/channels", body).await.expect(201);
    assert_eq!(made["agent_id"], agents[0]);
    let path = format!("/channels/{}", made["id"].as_str().expect("an id"));
    let put = async |body: Value| call(&shop, Method::PUT, &path, body).await;
    let changed = put(json!({ "name": "Sales", "agent_id": agents[1] })).await.expect(200);
    assert_eq!((&changed["name"], &changed["agent_id"]), (&json!("Sales"), &agents[1]));
    let agent = get(&shop, &format!("{path}/agent")).await.expect(200);
    assert_eq!(agent["agent_id"], agents[1]);
    assert_eq!(put(json!({ "name": "Sales 2" })).await.expect(200)["agent_id"], agents[1], "what is absent stays");
    assert_eq!(put(json!({ "agent_id": null })).await.expect(200)["agent_id"], json!(null));
    assert_eq!(word(&put(json!({ "agent_id": "nobody" })).await, 404), "NOT_FOUND");
    assert_eq!(word(&put(json!({ "name": "" })).await, 400), "VALIDATION_ERROR");
    assert_eq!(call(&shop, Method::DELETE, &path, json!(null)).await.status.as_u16(), 204);
    assert_eq!(word(&get(&shop, &path).await, 404), "NOT_FOUND");
}

#[tokio::test]
async fn widgets_look_as_they_are_told() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = channel(&shop, "widget").await;
    let path = format!("/channels/{id}/widget/settings");
    let mut shown = get(&shop, &path).await.expect(200);
    let embed = shown["embed_code"].take();
    let token = get(&shop, &format!("/channels/{id}")).await.expect(200)["widget_token"].clone();
    assert!(embed.as_str().is_some_and(|code| code.contains(token.as_str().expect("a token"))), "{embed}");
    let usual = json!({
        "allowed_origins": [], "primary_color": null, "position": "bottom-right", "title": null, "subtitle": null, "welcome_message": null,
        "avatar_url": null, "show_branding": true, "embed_code": null,
    });
    assert_eq!(shown, usual);
    let connect = format!("/channels/{id}/connect");
    let nowhere = post(&shop, &connect, json!({})).await;
    assert_eq!(word(&nowhere, 400), "VALIDATION_ERROR");
    assert!(nowhere.text.contains("allowed_origins"), "it says where to set them: {}", nowhere.text);
    let mut wanted = json!({
        "allowed_origins": ["https://www.example.com"], "primary_color": "#0066cc", "position": "bottom-left", "title": "Chat", "subtitle": "with us",
        "welcome_message": "Hi!", "avatar_url": "https://example.com/a.png", "show_branding": false,
    });
    let set = call(&shop, Method::PUT, &path, wanted.clone()).await.expect(200);
    wanted["embed_code"] = embed;
    assert_eq!(set, wanted);
    let changed = call(&shop, Method::PUT, &path, json!({ "title": "Help" })).await.expect(200);
    assert_eq!((&changed["title"], &changed["subtitle"]), (&json!("Help"), &json!("with us")));
    assert_eq!(post(&shop, &connect, json!({})).await.expect(200)["status"], "connected");
    for (field, value) in [
        ("primary_color", json!("blue")),
        ("position", json!("top")),
        ("avatar_url", json!("http://x")),
        ("allowed_origins", json!(["*"])),
        ("allowed_origins", json!([])),
    ] {
        let mut change = json!({});
        change[field] = value;
        let refused = call(&shop, Method::PUT, &path, change).await;
        assert_eq!(word(&refused, 400), "VALIDATION_ERROR");
        assert!(
            refused.json()["error"]["message"].as_str().is_some_and(|text| text.starts_with(field)),
            "{}",
            refused.text
        );
    }
    let telegram = channel(&shop, "telegram").await;
    assert_eq!(word(&get(&shop, &format!("/channels/{telegram}/widget/settings")).await, 409), "CHANNEL_ERROR");
}

#[tokio::test]
async fn what_a_widget_looks_like_is_sent_back_or_made_usual() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = channel(&shop, "widget").await;
    let path = format!("/channels/{id}/widget/settings");
    let put = async |body: Value| call(&shop, Method::PUT, &path, body).await;
    let usual = get(&shop, &path).await.expect(200);
    app.clock.advance(std::time::Duration::from_secs(1));
    let before = shop.attributes(&id).await;
    assert_eq!(put(usual.clone()).await.expect(200), usual);
    assert_eq!(shop.attributes(&id).await, before, "nothing has changed");
    let theme = json!({ "headerText": "Hello", "textColor": "#ffffff", "offlineMessage": "Later" });
    let config = json!({ "config": { "theme": theme, "allowedOrigins": ["https://a.b"], "requireEmail": true } });
    shop.linktor(Method::PATCH, &format!("/channels/{id}"), config).await.expect(200);
    let set =
        put(json!({ "subtitle": "with us", "position": "bottom-left", "show_branding": false })).await.expect(200);
    assert_eq!((&set["title"], &set["subtitle"]), (&json!("Hello"), &json!("with us")));
    assert_eq!(put(set.clone()).await.expect(200), set);
    let config = shop.attributes(&id).await["config"].clone();
    let theme = json!({
        "headerText": "Hello", "textColor": "#ffffff", "offlineMessage": "Later", "subtitle": "with us",
        "position": "bottom-left",
    });
    assert_eq!(config["theme"], theme, "what this dialect does not know stays");
    let cleared = json!({
        "title": null, "subtitle": null, "position": null, "show_branding": null, "allowed_origins": null,
        "primary_color": null, "welcome_message": null, "avatar_url": null,
    });
    assert_eq!(put(cleared.clone()).await.expect(200), usual);
    let config = shop.attributes(&id).await["config"].clone();
    let rest = json!({ "theme": { "textColor": "#ffffff", "offlineMessage": "Later" }, "requireEmail": true });
    assert_eq!(config, rest);
    let connected = json!({ "allowed_origins": ["https://a.b"] });
    put(connected).await.expect(200);
    post(&shop, &format!("/channels/{id}/connect"), json!({})).await.expect(200);
    let nowhere = put(cleared).await;
    assert_eq!(word(&nowhere, 400), "VALIDATION_ERROR", "it is connected, and has to be shown somewhere");
    assert!(nowhere.text.contains("allowed_origins"), "{}", nowhere.text);
}

#[tokio::test]
async fn conversations_begin_on_every_network_with_texts() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, config) in simulated() {
        let id = shop.active(network, config).await;
        let to = match network {
            "whatsapp" | "sms" | "rcs" | "voice" => "+15557770000",
            "email" => "Ann@Example.com",
            _ => "person-1",
        };
        let begin = format!("/channels/{id}/conversation");
        let answer = post(&shop, &begin, json!({ "to": to, "message": "Good morning" })).await;
        if network == "voice" {
            assert_eq!(word(&answer, 409), "CHANNEL_ERROR", "a call takes no text");
            continue;
        }
        let begun = answer.expect(201);
        let again = post(&shop, &begin, json!({ "to": to, "message": "Again" })).await.expect(201);
        assert_eq!(again["conversation_id"], begun["conversation_id"], "{network}");
        assert_ne!(again["message_id"], begun["message_id"]);
        app.clock.advance(std::time::Duration::from_secs(10));
        app.run_jobs().await;
        app.advance(10).await;
        let sent = message::Entity::find().order_by_desc(message::Column::Id).one(app.app.db.reader()).await;
        let sent = sent.expect("a look").expect("a message");
        assert_eq!(sent.account_id, shop.row(&id).await.account_id, "{network}");
        assert!(
            matches!(sent.status, message::Status::Sent | message::Status::Delivered),
            "{network}: {}",
            sent.status
        );
        let chat = shop.token.get(&format!("/chats/{}", sent.chat_id)).await.expect(200);
        let is_number = matches!(network, "whatsapp" | "sms" | "rcs");
        assert_eq!(chat["data"]["phone"].as_str().is_some_and(|phone| phone == to), is_number, "{network}: {chat}");
    }
    assert_eq!(shop.token.credits().await.0, 16, "one for each");
}

#[tokio::test]
async fn conversations_that_cannot_begin_cost_nothing() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let off = channel(&shop, "telegram").await;
    let refused = post(&shop, &format!("/channels/{off}/conversation"), json!({ "to": "1", "message": "x" })).await;
    assert_eq!(word(&refused, 409), "CONFLICT", "it is not connected");
    assert_eq!(refused.json()["error"]["message"], "the telegram account of the channel is not connected");
    let sms = settings().into_iter().find(|(network, _)| *network == "sms").expect("settings").1;
    let id = shop.active("sms", sms).await;
    let begin = format!("/channels/{id}/conversation");
    for body in [
        json!({ "message": "x" }),
        json!({ "to": "+15557770000" }),
        json!({ "to": "Ann", "message": "x" }),
        json!({ "to": "+15557770000", "message": " " }),
        json!({ "to": "+15557770000", "message": "x".repeat(1601) }),
    ] {
        let refused = post(&shop, &begin, body.clone()).await;
        assert_eq!(word(&refused, 400), "VALIDATION_ERROR", "{body}");
    }
    assert_eq!(
        word(&post(&shop, "/channels/nothing/conversation", json!({ "to": "1", "message": "x" })).await, 404),
        "NOT_FOUND"
    );
    assert_eq!(shop.token.credits().await.0, 0);
}

#[tokio::test]
async fn errors_have_a_code_a_message_and_their_status() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let unknown = app.http.get(format!("{}/v1/channels", app.base)).header("x-api-key", "qm_unknown");
    assert_eq!(word(&Answer::of(unknown).await, 401), "UNAUTHORIZED");
    for (body, status, code) in [
        (json!({ "type": "telegram" }), 400, "VALIDATION_ERROR"),
        (json!({ "name": "x", "type": "fax" }), 400, "VALIDATION_ERROR"),
        (json!({ "name": "x", "type": "telegram", "config": { "botToken": 7 } }), 400, "VALIDATION_ERROR"),
    ] {
        let refused = post(&shop, "/channels", body).await;
        assert_eq!(word(&refused, status), code);
        let error = refused.json()["error"].clone();
        assert_eq!(error["status"], status);
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    }
    let one = json!({ "name": "x", "type": "telegram", "config": { "botToken": "1:a" } });
    post(&shop, "/channels", one.clone()).await.expect(201);
    assert_eq!(word(&post(&shop, "/channels", one).await, 409), "CONFLICT");
    let small = Shop::of(&app, shop.partner.clone(), "Small", 1).await;
    channel(&small, "telegram").await;
    let second = post(&small, "/channels", json!({ "name": "x", "type": "widget" })).await;
    assert_eq!(word(&second, 403), "CHANNEL_LIMIT_REACHED");
}

#[tokio::test]
async fn what_people_write_on_any_network_is_received_and_answered() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, config) in simulated() {
        let id = shop.active(network, config).await;
        let from = match network {
            "whatsapp" | "sms" | "rcs" | "voice" => "+15557770000",
            "email" => "ann@example.com",
            _ => "person-1",
        };
        let written = json!({ "channel_id": id, "from": from, "text": "Hello" });
        let arrived = shop.partner.post("/sandbox/channel-inbound", written.clone()).await.expect(200);
        let uid = arrived["message_uid"].as_str().expect("a uid");
        let message = shop.token.get(&format!("/messages/{uid}")).await.expect(200)["data"].clone();
        assert_eq!((&message["text"], &message["from_me"]), (&json!("Hello"), &json!(false)), "{network}");
        let chat = message["chat_id"].as_i64().expect("a chat");
        let details = shop.token.get(&format!("/chats/{chat}")).await.expect(200)["data"].clone();
        if network != "whatsapp" {
            assert!(details["jid"].as_str().is_some_and(|jid| jid.ends_with(&format!("@{network}"))), "{details}");
        }
        let answered = shop.token.post(&format!("/chats/{chat}/messages"), json!({ "text": "Good morning" })).await;
        if network == "voice" {
            assert_eq!(answered.expect(409)["error_code"], "validation_error", "a call takes no text");
            continue;
        }
        answered.expect(200);
        app.advance(10).await;
        let sent = message::Entity::find().order_by_desc(message::Column::Id).one(app.app.db.reader()).await;
        let sent = sent.expect("a look").expect("a message");
        assert!(
            matches!(sent.status, message::Status::Sent | message::Status::Delivered),
            "{network}: {}",
            sent.status
        );
        shop.post(&format!("/channels/{id}/deactivate"), json!(null)).await.expect(200);
        let off = shop.partner.post("/sandbox/channel-inbound", written).await;
        off.expect_error(409, "phone_not_linked");
    }
    let stranger = app.partner("stranger").await;
    let id = shop.active("telegram", json!({ "botToken": "99:x" })).await;
    for (channel_id, from, status) in [(id.as_str(), "1", 409), ("nothing", "1", 409)] {
        let written = json!({ "channel_id": channel_id, "from": from, "text": "Hello" });
        stranger.post("/sandbox/channel-inbound", written).await.expect_error(status, "phone_not_linked");
    }
    let written = json!({ "channel_id": id, "from": "a b", "text": "Hello" });
    shop.partner.post("/sandbox/channel-inbound", written).await.expect_error(400, "invalid_request");
}
