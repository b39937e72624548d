//! The Connect API (seed 003): its own examples, and everything that can happen around them.

use reqwest::{
    Method,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, channels::Shop};

mod callers;

/// A request with the workspace's key, as the contract's examples send it.
async fn call(shop: &Shop<'_>, method: Method, path: &str, body: Value) -> Answer {
    let request = shop.app.http.request(method, format!("{}/api/v1/channels{path}", shop.app.base));
    let request = request.header("X-Api-Key", shop.token.token());
    Answer::of(if body.is_null() {
        request
    } else {
        request.header(CONTENT_TYPE, "application/json").body(body.to_string())
    })
    .await
}

async fn get(shop: &Shop<'_>, path: &str) -> Value {
    call(shop, Method::GET, path, json!(null)).await.expect(200)["data"].clone()
}

async fn post(shop: &Shop<'_>, path: &str, body: Value) -> Answer {
    call(shop, Method::POST, path, body).await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) -> Value {
    let body = answer.expect(status);
    assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!(code)), "{body}");
    assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    body
}

#[track_caller]
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name}: {value}"))
}

/// What happens before an example is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Scanned,
}

/// The types of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Text,
    Number,
    Flag,
    Time,
}

const CHANNEL: [(&str, Is); 6] = [
    ("/data/id", Is::Number),
    ("/data/type", Is::Text),
    ("/data/username", Is::Text),
    ("/data/is_connected", Is::Flag),
    ("/data/sync_status", Is::Text),
    ("/data/last_synced_at", Is::Time),
];
const DONE: [(&str, Is); 2] = [("/data/completed", Is::Flag), ("/data/in_progress", Is::Flag)];
const CODE: [(&str, Is); 3] = [("/data/account_id", Is::Text), ("/data/qr_code", Is::Text), ("/message", Is::Text)];

/// What happens before, method, path with the account's id, body, status, and the fields that the contract shows.
type Example = (Before, Method, &'static str, Option<&'static str>, u16, Vec<(&'static str, Is)>);

/// Every example of the contract, in their order.
fn examples() -> Vec<Example> {
    let with_done = || [&CHANNEL[..], &DONE[..]].concat();
    let login = r#"{"username": "my_brand", "password": "secret", "country": "SA"}"#;
    vec![
        (Before::Nothing, Method::POST, "/whatsapp/connect", None, 200, CODE.to_vec()),
        (Before::Scanned, Method::GET, "/whatsapp/status?account_id={id}", None, 200, with_done()),
        (Before::Nothing, Method::POST, "/whatsapp/refresh", None, 200, CHANNEL.to_vec()),
        (Before::Nothing, Method::POST, "/whatsapp/disconnect", None, 204, vec![]),
        (Before::Nothing, Method::POST, "/telegram/connect", None, 200, CODE.to_vec()),
        (Before::Scanned, Method::GET, "/telegram/status?account_id={id}", None, 200, with_done()),
        (Before::Nothing, Method::POST, "/telegram/refresh", None, 200, CHANNEL.to_vec()),
        (Before::Nothing, Method::POST, "/telegram/disconnect", None, 204, vec![]),
        (Before::Nothing, Method::POST, "/instagram/connect", Some(login), 200, CHANNEL.to_vec()),
        (Before::Nothing, Method::GET, "/instagram/status", None, 200, CHANNEL.to_vec()),
        (Before::Nothing, Method::POST, "/instagram/refresh", None, 200, CHANNEL.to_vec()),
        (Before::Nothing, Method::POST, "/instagram/disconnect", None, 204, vec![]),
    ]
}

#[tokio::test]
async fn the_examples_of_the_contract_work_as_they_stand() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let mut last = json!({});
    for (before, method, path, body, status, fields) in examples() {
        if before == Before::Scanned {
            shop.partner.scan(text(&last["data"], "qr_code"), "+15550001111").await.expect(200);
        }
        let path = path.replace("{id}", last["data"]["account_id"].as_str().unwrap_or_default());
        let request = app.http.request(method, format!("{}/api/v1/channels{path}", app.base));
        let request = request.header("X-Api-Key", shop.token.token());
        let answer = Answer::of(match body {
            Some(body) => request.header("Content-Type", "application/json").body(body),
            None => request,
        })
        .await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        if status == 204 {
            assert_eq!(answer.text, "");
            continue;
        }
        last = answer.json();
        assert_eq!(last["success"], true, "{path}: {last}");
        for (pointer, is) in fields {
            let value = last.pointer(pointer).unwrap_or_else(|| panic!("{path}: {pointer} is missing: {last}"));
            let fits = match is {
                Is::Text => value.as_str().is_some_and(|text| !text.is_empty()),
                Is::Number => value.as_i64().is_some_and(|number| number > 0),
                Is::Flag => value.is_boolean(),
                Is::Time => value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
            };
            assert!(fits, "{path}: {pointer} is {value}, no {is:?}");
        }
    }
}

#[tokio::test]
async fn the_instagram_examples_go_round_as_often_as_they_are_asked() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let login = json!({ "username": "my_brand", "password": "secret_2fa", "country": "SA" });
    let first = post(&shop, "/instagram/connect", login).await.expect(200);
    assert_eq!((&first["success"], &first["data"]["requires_2fa"]), (&json!(true), &json!(true)));
    assert_eq!(first["data"]["checkpoint_type"], "2FA");
    let message = "Instagram asks for a code. Send it to POST /channels/instagram/2fa.";
    assert_eq!(first["message"], message);
    assert_eq!((&first["data"]["expires_in_ms"], &first["data"]["next_poll_ms"]), (&json!(300_000), &json!(3000)));
    let id = text(&first["data"], "account_id").to_owned();
    assert!(id.starts_with("ig_"), "{id}");
    let solve = async |code: &str| post(&shop, "/instagram/2fa", json!({ "account_id": id, "code": code })).await;
    let waiting = get(&shop, &format!("/instagram/status?account_id={id}")).await;
    assert_eq!((&waiting["completed"], &waiting["in_progress"]), (&json!(false), &json!(true)));
    assert_eq!((&waiting["requires_2fa"], &waiting["checkpoint_type"]), (&json!(true), &json!("2FA")));
    let wrong = refused(&solve("000000").await, 422, "challenge_wrong");
    assert!(wrong["errors"]["code"][0].is_string(), "{wrong}");
    let second = solve("123456").await.expect(200);
    assert_eq!((&second["data"]["requires_2fa"], &second["data"]["checkpoint_type"]), (&json!(true), &json!("OTP")));
    assert_eq!(second["data"]["account_id"], id);
    let resend = async || post(&shop, "/instagram/2fa/resend", json!({ "account_id": id })).await;
    let soon = resend().await;
    refused(&soon, 429, "resend_too_soon");
    assert_eq!(soon.header(RETRY_AFTER.as_str()), "30");
    app.advance(30).await;
    let resent = resend().await.expect(200);
    assert_eq!(resent, json!({ "success": true, "message": "Instagram sends its code again." }));
    let done = solve(" 123456 ").await.expect(200);
    assert_eq!(done["message"], "Instagram has let the account in; it is being set up.");
    let data = &done["data"];
    assert_eq!((&data["is_connected"], &data["sync_status"]), (&json!(true), &json!("CONNECTING")));
    assert_eq!((&data["type"], &data["username"]), (&json!("instagram"), &json!("my_brand")));
    assert_eq!(get(&shop, "/instagram/status").await["sync_status"], "SYNC_SUCCESS");
    assert_eq!(get(&shop, "/instagram/status").await["sync_status"], "OK");
    refused(&solve("123456").await, 409, "nothing_asked");
    refused(&resend().await, 409, "nothing_asked");
}

#[tokio::test]
async fn instagram_says_no_in_its_ways() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let connect = async |password: &str| {
        post(&shop, "/instagram/connect", json!({ "username": "my_brand", "password": password })).await
    };
    refused(&connect("secret_401").await, 422, "auth_invalid");
    let failed = get(&shop, "/instagram/status").await;
    assert_eq!((&failed["sync_status"], &failed["error_code"]), (&json!("CREATION_FAIL"), &json!("login_refused")));
    refused(&connect("secret_423").await, 409, "account_restricted");
    assert_eq!(get(&shop, "/instagram/status").await["error_code"], "banned");
    refused(&connect("secret_503").await, 503, "provider_unavailable");
    // Too late, for what is answered and for the whole attempt.
    let asked = connect("secret_410").await.expect(200);
    let answer = json!({ "account_id": asked["data"]["account_id"], "code": "123456" });
    refused(&post(&shop, "/instagram/2fa", answer.clone()).await, 410, "challenge_expired");
    let over = get(&shop, "/instagram/status").await;
    assert_eq!((&over["completed"], &over["in_progress"]), (&json!(false), &json!(false)));
    assert_eq!(over["error_code"], "challenge_expired");
    connect("secret_otp").await.expect(200);
    app.advance(301).await;
    refused(&post(&shop, "/instagram/2fa", answer.clone()).await, 409, "nothing_asked");
    assert_eq!(get(&shop, "/instagram/status").await["error_code"], "challenge_expired");
    // A picture is not sent again; an approval is given elsewhere.
    let picture = connect("secret_captcha").await.expect(200);
    assert_eq!(picture["data"]["checkpoint_data"]["public_key"], "sandbox-captcha");
    let resend = post(&shop, "/instagram/2fa/resend", json!({ "account_id": picture["data"]["account_id"] })).await;
    refused(&resend, 409, "resend_not_offered");
    let approval = connect("secret_app").await.expect(200);
    assert_eq!(approval["data"]["checkpoint_type"], "IN_APP_VALIDATION");
    assert_eq!(approval["data"]["account_id"], picture["data"]["account_id"]);
    refused(&post(&shop, "/instagram/2fa", answer).await, 409, "nothing_asked");
    app.advance(11).await;
    assert_eq!(get(&shop, "/instagram/status").await["completed"], true);
    for (body, field) in [
        (json!({ "username": "my_brand" }), "password"),
        (json!({ "password": "x" }), "username"),
        (json!({ "username": "my_brand", "password": "x", "country": "Arabia", "force": true }), "country"),
        (json!({ "username": "", "password": "x", "force": true }), "username"),
    ] {
        let wrong = refused(&post(&shop, "/instagram/connect", body).await, 422, "invalid_request");
        assert!(wrong["errors"][field][0].is_string(), "{wrong}");
        assert!(text(&wrong, "message").starts_with(&format!("{field}: ")), "{wrong}");
    }
    assert_eq!(get(&shop, "/instagram/status").await["completed"], true, "what cannot be done changes nothing");
}

#[tokio::test]
async fn codes_are_followed_to_their_end() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (channel, prefix, begins) in [("whatsapp", "wa_", "2@"), ("telegram", "tg_", "tg://login?token=")] {
        let connect = format!("/{channel}/connect");
        refused(&call(&shop, Method::GET, &format!("/{channel}/status"), json!(null)).await, 404, "channel_not_found");
        let first = post(&shop, &connect, json!(null)).await.expect(200)["data"].clone();
        let id = text(&first, "account_id").to_owned();
        assert!(id.starts_with(prefix) && text(&first, "qr_code").starts_with(begins), "{first}");
        let shown = (&first["expires_in_ms"], &first["next_poll_ms"], &first["qr_seq"]);
        assert_eq!(shown, (&json!(20_000), &json!(3000), &json!(1)));
        assert_eq!(first["previous_attempt_revoked"], false);
        let status = format!("/{channel}/status?account_id={id}");
        let waiting = get(&shop, &status).await;
        assert_eq!((&waiting["completed"], &waiting["in_progress"]), (&json!(false), &json!(true)));
        assert_eq!((&waiting["sync_status"], &waiting["username"]), (&json!("CONNECTING"), &json!(null)));
        app.advance(20).await;
        let replaced = get(&shop, &status).await;
        assert_eq!(replaced["qr_seq"], 2);
        assert_ne!(replaced["qr_code"], first["qr_code"], "codes are replaced");
        // Nobody scans.
        app.advance(100).await;
        let over = get(&shop, &status).await;
        assert_eq!((&over["completed"], &over["in_progress"]), (&json!(false), &json!(false)));
        assert_eq!((&over["sync_status"], &over["error_code"]), (&json!("CREATION_FAIL"), &json!("qr_expired")));
        // Another attempt, and one more that takes its place.
        let second = post(&shop, &connect, json!({})).await.expect(200)["data"].clone();
        let third = post(&shop, &connect, json!({})).await.expect(200)["data"].clone();
        assert_eq!((&third["account_id"], &third["previous_attempt_revoked"]), (&json!(id), &json!(true)));
        app.run_jobs().await;
        let dead = shop.partner.scan(text(&second, "qr_code"), "+15550001111").await;
        assert!(dead.status.is_client_error(), "{dead:?}");
        shop.partner.scan(text(&third, "qr_code"), "+15550001111").await.expect(200);
        let connected = get(&shop, &status).await;
        assert_eq!((&connected["completed"], &connected["in_progress"]), (&json!(true), &json!(false)));
        assert_eq!((&connected["username"], &connected["sync_status"]), (&json!("+15550001111"), &json!("OK")));
        assert_eq!(get(&shop, &format!("/{channel}/status")).await, connected);
        refused(&post(&shop, &connect, json!({})).await, 409, "already_connected");
        let forced = post(&shop, &connect, json!({ "force": true })).await.expect(200)["data"].clone();
        assert_eq!(get(&shop, &status).await["is_connected"], false);
        shop.partner.scan(text(&forced, "qr_code"), "+15550002222").await.expect(200);
        let again = get(&shop, &status).await;
        assert_eq!((&again["id"], &again["username"]), (&connected["id"], &json!("+15550002222")));
        shop.partner.post("/sandbox/logout", json!({ "phone": "+15550002222" })).await.expect(200);
        let lost = get(&shop, &status).await;
        assert_eq!((&lost["is_connected"], &lost["sync_status"]), (&json!(false), &json!("CREDENTIALS")));
        let gone = post(&shop, &format!("/{channel}/disconnect"), json!(null)).await;
        assert_eq!(gone.status.as_u16(), 204);
        refused(&call(&shop, Method::GET, &status, json!(null)).await, 404, "channel_not_found");
    }
}

#[tokio::test]
async fn numbers_that_fail_are_told_with_their_reason() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (number, code) in [("+15550000403", "banned"), ("+15550000402", "payment_required")] {
        let begun = post(&shop, "/whatsapp/connect", json!(null)).await.expect(200)["data"].clone();
        shop.partner.scan(text(&begun, "qr_code"), number).await.expect(200);
        let failed = get(&shop, "/whatsapp/status").await;
        assert_eq!((&failed["sync_status"], &failed["error_code"]), (&json!("CREATION_FAIL"), &json!(code)));
        let failed = shop.get("/channels?status=error").await.expect(200);
        assert_eq!(failed["data"].as_array().expect("channels").len(), 1, "{failed}");
    }
    let pairing =
        async |number: &str| post(&shop, "/whatsapp/connect", json!({ "pairing_phone_number": number })).await;
    refused(&pairing("+15550000429").await, 422, "pairing_refused");
    let paired = pairing("+15550001111").await.expect(200)["data"].clone();
    assert_eq!(paired["previous_attempt_revoked"], false);
    let code = text(&paired, "pairing_code").to_owned();
    assert!(text(&paired, "pairing_code_expires_at") > text(&paired, "expires_at"), "{paired}");
    shop.partner.post("/sandbox/pair", json!({ "code": code, "phone": "+15550001111" })).await.expect(200);
    assert_eq!(get(&shop, "/whatsapp/status").await["completed"], true);
    for (channel, number) in [("whatsapp", "555"), ("telegram", "+15550001111")] {
        let body = json!({ "pairing_phone_number": number, "force": true });
        let wrong = refused(&post(&shop, &format!("/{channel}/connect"), body).await, 422, "invalid_request");
        assert!(wrong["errors"]["pairing_phone_number"][0].is_string(), "{wrong}");
    }
}

#[tokio::test]
async fn a_campaign_keeps_a_channel() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let begun = post(&shop, "/whatsapp/connect", json!(null)).await.expect(200)["data"].clone();
    shop.partner.scan(text(&begun, "qr_code"), "+15550001111").await.expect(200);
    let campaign = async |running: bool| {
        let answer = call(&shop, Method::PUT, "/whatsapp/campaign", json!({ "running": running })).await;
        assert_eq!(answer.expect(200), json!({ "success": true, "data": { "running": running } }));
    };
    campaign(true).await;
    campaign(true).await;
    refused(&post(&shop, "/whatsapp/disconnect", json!(null)).await, 422, "campaign_running");
    refused(&post(&shop, "/whatsapp/connect", json!({ "force": true })).await, 422, "campaign_running");
    assert_eq!(get(&shop, "/whatsapp/status").await["is_connected"], true);
    refused(&post(&shop, "/telegram/disconnect", json!(null)).await, 404, "channel_not_found");
    campaign(false).await;
    assert_eq!(post(&shop, "/whatsapp/disconnect", json!(null)).await.status.as_u16(), 204);
    let missing = call(&shop, Method::PUT, "/whatsapp/campaign", json!({})).await;
    assert!(refused(&missing, 422, "invalid_request")["errors"]["running"][0].is_string());
}

#[tokio::test]
async fn what_is_linked_elsewhere_is_shown_here() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let owner = shop.partner.owner(&shop.workspace).await;
    let account = shop.partner.connect(&shop.workspace, owner, "+15550003333").await;
    let shown = get(&shop, "/whatsapp/status").await;
    assert_eq!((&shown["id"], &shown["username"]), (&json!(account), &json!("+15550003333")));
    assert_eq!((&shown["sync_status"], &shown["completed"]), (&json!("OK"), &json!(true)));
    refused(&post(&shop, "/whatsapp/connect", json!(null)).await, 409, "already_connected");
    let refreshed = post(&shop, "/whatsapp/refresh", json!(null)).await.expect(200);
    assert_eq!(refreshed["data"]["is_connected"], true);
    refused(&post(&shop, "/whatsapp/disconnect", json!(null)).await, 404, "channel_not_found");
    // Replaced by its name, it is a channel of its own: the old one keeps its conversations.
    let named = json!({ "force": true, "account_id": shown["account_id"] });
    let forced = post(&shop, "/whatsapp/connect", named).await.expect(200)["data"].clone();
    shop.partner.scan(text(&forced, "qr_code"), "+15550004444").await.expect(200);
    let replaced = get(&shop, "/whatsapp/status").await;
    assert_ne!(replaced["id"], shown["id"]);
    assert_eq!(replaced["username"], "+15550004444");
    // What is made here is a channel like all others.
    let list = shop.get("/channels?status=active").await.expect(200);
    assert_eq!(list["data"].as_array().expect("channels").len(), 1, "{list}");
}

#[tokio::test]
async fn what_is_asked_again_leaves_other_channels_alone() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let mut others = Vec::new();
    for token in ["1:a", "2:b"] {
        others.push(shop.active("telegram", json!({ "botToken": token })).await);
    }
    let active = async || {
        let list = shop.get("/channels?type=telegram&status=active").await.expect(200)["data"].clone();
        list.as_array().expect("channels").iter().map(|one| text(one, "id").to_owned()).collect::<Vec<_>>()
    };
    let disconnect = async |query: &str| post(&shop, &format!("/telegram/disconnect{query}"), json!(null)).await;
    let missing = refused(&disconnect("").await, 404, "channel_not_found");
    assert!(text(&missing, "message").contains("account_id"), "{missing}");
    let taken = refused(&post(&shop, "/telegram/connect", json!(null)).await, 409, "already_connected");
    assert!(text(&taken, "message").contains("not connected here"), "{taken}");
    let wrong = json!({ "account_id": get(&shop, "/telegram/status").await["account_id"] });
    let wrong = refused(&post(&shop, "/telegram/connect", wrong).await, 422, "invalid_request");
    assert!(wrong["errors"]["account_id"][0].is_string(), "{wrong}");
    // Beside them, and given up while it waits for a phone: once.
    let begun = post(&shop, "/telegram/connect", json!({ "force": true })).await.expect(200)["data"].clone();
    assert_eq!(active().await, others);
    assert_eq!(disconnect("").await.status.as_u16(), 204);
    refused(&disconnect("").await, 404, "channel_not_found");
    let gone = format!("/telegram/status?account_id={}", text(&begun, "account_id"));
    refused(&call(&shop, Method::GET, &gone, json!(null)).await, 404, "channel_not_found");
    // The same once it is connected.
    let begun = post(&shop, "/telegram/connect", json!({ "force": true })).await.expect(200)["data"].clone();
    shop.partner.scan(text(&begun, "qr_code"), "+15550001111").await.expect(200);
    assert_eq!(get(&shop, "/telegram/status").await["username"], "+15550001111");
    post(&shop, "/telegram/connect", json!({ "force": true })).await.expect(200);
    assert_eq!(active().await, others, "only its own is disconnected");
    assert_eq!(disconnect("").await.status.as_u16(), 204);
    refused(&disconnect("").await, 404, "channel_not_found");
    assert_eq!(active().await, others);
    let named = format!("?account_id=tg_{}", others[0].trim_start_matches("ch_").replace('-', ""));
    assert_eq!(disconnect(&named).await.status.as_u16(), 204);
    refused(&disconnect(&named).await, 404, "channel_not_found");
    assert_eq!(active().await, others[1..], "another goes by its name");
    let stranger = Shop::of(&app, app.partner("stranger").await, "Other", 2).await;
    let theirs = json!({ "force": true, "account_id": get(&shop, "/telegram/status").await["account_id"] });
    refused(&post(&stranger, "/telegram/connect", theirs).await, 404, "channel_not_found");
    assert_eq!(active().await, others[1..]);
}

#[tokio::test]
async fn what_is_linked_here_is_disconnected_by_the_partner_too() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let begun = post(&shop, "/whatsapp/connect", json!(null)).await.expect(200)["data"].clone();
    shop.partner.scan(text(&begun, "qr_code"), "+15550001111").await.expect(200);
    let account = async || shop.partner.overview(&shop.workspace).await["whatsapp_accounts"][0].clone();
    let before = account().await;
    assert_eq!(before["connected"], true);
    let path = format!("/workspaces/{}/users/{}/whatsapp/disconnect", shop.workspace, before["user_id"]);
    let ended = shop.partner.post(&path, json!(null)).await.expect(200);
    assert_eq!((&ended["disconnected"], &ended["phone_number"]), (&json!(true), &json!("+15550001111")));
    assert_eq!(ended["whatsapp_account_id"], before["whatsapp_account_id"]);
    assert_eq!(account().await["connected"], false);
    let status = get(&shop, "/whatsapp/status").await;
    assert_eq!((&status["is_connected"], &status["sync_status"]), (&json!(false), &json!("STOPPED")));
    let again = shop.partner.post(&path, json!(null)).await.expect(200);
    assert_eq!((&again["disconnected"], &again["description"]), (&json!(false), &json!("no active account")));
}

#[tokio::test]
async fn a_channel_that_is_switched_off_is_not_connected() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let begun = post(&shop, "/whatsapp/connect", json!(null)).await.expect(200)["data"].clone();
    shop.partner.scan(text(&begun, "qr_code"), "+15550001111").await.expect(200);
    let list = shop.get("/channels").await.expect(200);
    let channel = format!("/channels/{}", text(&list["data"][0], "id"));
    let shown = async || {
        let status = get(&shop, "/whatsapp/status").await;
        (status["is_connected"].clone(), status["completed"].clone(), status["sync_status"].clone())
    };
    assert_eq!(shown().await, (json!(true), json!(true), json!("OK")));
    shop.post(&format!("{channel}/deactivate"), json!({})).await.expect(200);
    assert_eq!(shown().await, (json!(false), json!(false), json!("STOPPED")));
    let taken = refused(&post(&shop, "/whatsapp/connect", json!(null)).await, 409, "already_connected");
    let id = channel.trim_start_matches("/channels/ch_");
    let how = format!("switched off: activate channel {id} over the Channels API");
    assert!(text(&taken, "message").contains(&how), "{taken}");
    shop.post(&format!("{channel}/activate"), json!({})).await.expect(200);
    assert_eq!(shown().await, (json!(true), json!(true), json!("OK")));
}

#[tokio::test]
async fn errors_are_told_in_the_same_way() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let url = format!("{}/api/v1/channels/whatsapp/status", app.base);
    let anonymous = Answer::of(app.http.get(&url)).await;
    refused(&anonymous, 401, "missing_credentials");
    refused(&Answer::of(app.http.get(&url).header("X-Api-Key", "qm_x")).await, 401, "invalid_token");
    refused(&Answer::of(app.http.get(&url).bearer_auth("qm_x")).await, 401, "invalid_token");
    let none = refused(&Answer::of(app.http.get(&url).bearer_auth(shop.token.token())).await, 404, "channel_not_found");
    assert_eq!(none["message"], "no whatsapp channel is connected");
    refused(&call(&shop, Method::GET, "/sms/status", json!(null)).await, 404, "route_not_found");
    refused(&call(&shop, Method::GET, "/whatsapp/connect", json!(null)).await, 405, "method_not_allowed");
    refused(&call(&shop, Method::GET, "/whatsapp/status?account_id=wa_x", json!(null)).await, 404, "channel_not_found");
    let broken = app.http.post(format!("{}/api/v1/channels/instagram/connect", app.base));
    let broken = broken.header("X-Api-Key", shop.token.token()).header(CONTENT_TYPE, "application/json").body("{");
    refused(&Answer::of(broken).await, 400, "invalid_request");
    let alone = app.partner_without_sandbox("alone").await;
    let other = Shop::of(&app, alone, "Alone", 2).await;
    refused(&post(&other, "/telegram/connect", json!(null)).await, 409, "no_connector");
    refused(&call(&other, Method::GET, "/telegram/status", json!(null)).await, 404, "channel_not_found");
}
