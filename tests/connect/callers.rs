//! Which account is meant, and what a token may see of it.

use entity::id::PartnerId;
use quartermaster::{
    caller::Origin,
    token::{
        Scopes,
        admin::{self, CreateToken},
    },
};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    connect::{call, get, post, refused, text},
    support::{Answer, TestApp, channels::Shop},
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

/// Whoever sees a code can take the account over.
#[tokio::test]
async fn a_code_is_shown_to_who_may_connect() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let begun = post(&shop, "/whatsapp/connect", json!(null)).await.expect(200)["data"].clone();
    let made = CreateToken {
        partner_id: PartnerId::parse(&shop.partner.id).expect("an id"),
        workspace: shop.workspace.clone(),
        name: "a screen".to_owned(),
        scopes: Scopes::parse("channels:read").expect("scopes"),
        user_id: None,
    };
    let made = admin::create(&app.app, &Origin::operator(), &made).await.expect("a token");
    let ask = async |method: Method, path: &str, body: Value| {
        let request = app.http.request(method, format!("{}/api/v1/channels{path}", app.base));
        let request = request.header("X-Api-Key", made.token.expose_secret());
        Answer::of(if body.is_null() { request } else { request.json(&body) }).await
    };
    let shown = ask(Method::GET, "/whatsapp/status", json!(null)).await.expect(200)["data"].clone();
    assert_eq!((&shown["in_progress"], &shown["account_id"]), (&json!(true), &begun["account_id"]));
    assert_eq!((shown.get("qr_code"), shown.get("qr_seq")), (None, None), "{shown}");
    let whole = call(&shop, Method::GET, "/whatsapp/status", json!(null)).await.expect(200);
    assert_eq!(whole["data"]["qr_code"], begun["qr_code"]);
    let id = &begun["account_id"];
    for (method, path, body) in [
        (Method::POST, "/whatsapp/connect", json!({ "force": true })),
        (Method::POST, "/telegram/connect", json!({})),
        (Method::POST, "/instagram/connect", json!({ "username": "a", "password": "b" })),
        (Method::POST, "/instagram/2fa", json!({ "account_id": id, "code": "123456" })),
        (Method::POST, "/instagram/2fa/resend", json!({ "account_id": id })),
        (Method::POST, "/whatsapp/refresh", json!({})),
        (Method::POST, "/whatsapp/disconnect", json!({})),
        (Method::PUT, "/whatsapp/campaign", json!({ "running": true })),
    ] {
        refused(&ask(method, path, body).await, 403, "insufficient_scope");
    }
    let channel = shop.get("/channels").await.expect(200)["data"][0]["id"].as_str().expect("an id").to_owned();
    for path in ["qr-code", "connect", "activate", "disconnect"] {
        let method = if path == "qr-code" { Method::GET } else { Method::POST };
        let request = app.http.request(method, format!("{}/v1/channels/{channel}/{path}", app.base));
        let answer = Answer::of(request.bearer_auth(made.token.expose_secret())).await;
        assert!(!answer.status.is_success() && !answer.text.contains("2@"), "{path}: {}", answer.text);
    }
    assert_eq!(get(&shop, "/whatsapp/status").await["qr_code"], begun["qr_code"], "nothing has changed");
}
