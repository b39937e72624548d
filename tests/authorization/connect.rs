//! Nobody reaches another workspace's accounts over the Connect API.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    authorization::operations,
    support::{Answer, TestApp, channels::Shop},
};

/// Operation, method, path, body, and what is answered: `404`, or `200` about the caller itself. `{n}` is a type of
/// channel, `{i}` the other's account of it.
fn connect_rows() -> Vec<(&'static str, Method, &'static str, Value, u16)> {
    let login = json!({ "username": "mine", "password": "mine_otp" });
    vec![
        ("connect_whatsapp", Method::POST, "/whatsapp/connect", json!({ "force": true }), 200),
        ("connect_telegram", Method::POST, "/telegram/connect", json!({ "force": true }), 200),
        ("connect_instagram", Method::POST, "/instagram/connect", login, 200),
        ("answer_instagram", Method::POST, "/instagram/2fa", json!({ "account_id": "{i}", "code": "1" }), 404),
        ("resend_instagram_code", Method::POST, "/instagram/2fa/resend", json!({ "account_id": "{i}" }), 404),
        ("get_status", Method::GET, "/{n}/status?account_id={i}", json!(null), 404),
        ("refresh_status", Method::POST, "/{n}/refresh?account_id={i}", json!(null), 404),
        ("disconnect", Method::POST, "/{n}/disconnect?account_id={i}", json!(null), 404),
        ("set_campaign", Method::PUT, "/{n}/campaign", json!({ "running": true }), 200),
    ]
}

#[tokio::test]
async fn no_token_reaches_another_workspaces_accounts() {
    let app = TestApp::start().await;
    let victim = Shop::open(&app).await;
    let stranger = Shop::of(&app, app.partner("stranger").await, "Mine", 9).await;
    let call = async |token: Option<&str>, method: &Method, path: &str, body: &Value| {
        let request = app.http.request(method.clone(), format!("{}/api/v1/channels{path}", app.base));
        let request = if let Some(token) = token { request.header("x-api-key", token) } else { request };
        Answer::of(if body.is_null() { request } else { request.json(body) }).await
    };
    let token = Some(victim.token.token());
    let login = json!({ "username": "secret", "password": "secret_otp" });
    let mut accounts = Vec::new();
    for (network, body) in [("whatsapp", json!(null)), ("telegram", json!(null)), ("instagram", login)] {
        let begun = call(token, &Method::POST, &format!("/{network}/connect"), &body).await.expect(200);
        accounts.push((network, begun["data"]["account_id"].as_str().expect("an id").to_owned()));
    }
    let rows = connect_rows();
    let covered: BTreeSet<String> = rows.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(operations(&app, "connect-api.json"), covered, "add a row to connect_rows for each operation");
    for (operation, method, path, body, status) in rows {
        for (network, id) in &accounts {
            let path = path.replace("{n}", network).replace("{i}", id);
            let body: Value = serde_json::from_str(&body.to_string().replace("{i}", id)).expect("JSON");
            assert_eq!(
                call(None, &method, &path, &body).await.expect(401)["code"],
                "missing_credentials",
                "{operation}"
            );
            let answer = call(Some(stranger.token.token()), &method, &path, &body).await;
            answer.expect(status);
            assert!(!answer.text.contains("secret"), "{operation}: {}", answer.text);
        }
    }
    for (network, id) in &accounts {
        let path = format!("/{network}/status?account_id={id}");
        let standing = call(token, &Method::GET, &path, &json!(null)).await.expect(200);
        assert_eq!(standing["data"]["in_progress"], true, "nothing of the victim changed: {standing}");
        call(token, &Method::POST, &format!("/{network}/disconnect"), &json!(null)).await;
        assert_eq!(
            call(token, &Method::GET, &path, &json!(null)).await.status.as_u16(),
            404,
            "no campaign was in the way"
        );
    }
}
