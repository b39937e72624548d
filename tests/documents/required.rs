//! What the documents say that a body cannot do without, operations cannot do without.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::*;
use crate::support::channels::Shop;

/// A body that is complete, by document, form, operation and address; `{c}` is a channel, `{i}` an account at Instagram.
type Row = (&'static str, &'static str, &'static str, Method, &'static str, Value);

fn channel_rows() -> Vec<Row> {
    let (linktor, timely, connect) = ("channels-api-linktor.json", "channels-api-timely.json", "connect-api.json");
    let telegram = json!({ "name": "x", "type": "telegram", "config": { "botToken": "9:x" } });
    let hook = json!({ "url": "https://1.1.1.1/", "events": ["*"] });
    vec![
        (linktor, "CreateChannelRequest", "create_channel", Method::POST, "/v1/channels", telegram),
        (linktor, "CreateWebhookRequest", "create_webhook", Method::POST, "/v1/webhooks", hook),
        (
            timely,
            "TimelyCreateChannelRequest",
            "create_channel",
            Method::POST,
            "/v1/channels",
            json!({ "name": "x", "type": "widget" }),
        ),
        (
            timely,
            "TimelyConversationRequest",
            "begin_conversation",
            Method::POST,
            "/v1/channels/{c}/conversation",
            json!({ "to": "person", "message": "Hello" }),
        ),
        (
            connect,
            "ConnectInstagramRequest",
            "connect_instagram",
            Method::POST,
            "/api/v1/channels/instagram/connect",
            json!({ "username": "ann", "password": "ann_otp", "force": true }),
        ),
        (
            connect,
            "AnswerRequest",
            "answer_instagram",
            Method::POST,
            "/api/v1/channels/instagram/2fa",
            json!({ "account_id": "{i}", "code": "123456" }),
        ),
        (
            connect,
            "ResendRequest",
            "resend_instagram_code",
            Method::POST,
            "/api/v1/channels/instagram/2fa/resend",
            json!({ "account_id": "{i}" }),
        ),
        (
            connect,
            "CampaignRequest",
            "set_campaign",
            Method::PUT,
            "/api/v1/channels/whatsapp/campaign",
            json!({ "running": false }),
        ),
    ]
}

fn agent_rows() -> Vec<Row> {
    let agents = "agents-api.json";
    let bot = || json!({ "name": "x", "type": "http", "config": { "endpoint": "https://1.1.1.1/" } });
    let flat = || json!({ "name": "x", "kind": "http", "endpoint": "https://1.1.1.1/" });
    vec![
        (agents, "CreateLinktorAgentRequest", "create_agent", Method::POST, "/v1/agents", bot()),
        (agents, "CreateTimelyAgentRequest", "create_agent", Method::POST, "/v1/agents", flat()),
        (agents, "ReplaceLinktorAgentRequest", "replace_agent", Method::PUT, "/v1/agents/{a}", bot()),
        (agents, "ReplaceTimelyAgentRequest", "replace_agent", Method::PUT, "/v1/agents/{a}", flat()),
        (
            agents,
            "LinktorChannelAgentRequest",
            "set_channel_agent",
            Method::PUT,
            "/v1/channels/{c}/agent",
            json!({ "defaultBotId": null }),
        ),
        (
            agents,
            "TimelyChannelAgentRequest",
            "set_channel_agent",
            Method::PUT,
            "/v1/channels/{c}/agent",
            json!({ "agent_id": null }),
        ),
    ]
}

/// The forms of the operations of a document that demand something, with what they demand.
fn demands(name: &str, document: &Value) -> Vec<(String, String, String, Vec<String>)> {
    let mut found = Vec::new();
    for operations in document["paths"].as_object().expect("paths").values() {
        for operation in operations.as_object().expect("operations").values() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let forms = schema["anyOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
            for form in forms.iter().filter_map(|form| form["$ref"].as_str()) {
                let form = form.trim_start_matches("#/components/schemas/").to_owned();
                let required = &document["components"]["schemas"][&form]["required"];
                let Some(required) = required.as_array() else { continue };
                assert_eq!(operation["requestBody"]["required"], true, "{form}");
                let fields = required.iter().map(|field| field.as_str().expect("a field").to_owned()).collect();
                let operation = operation["operationId"].as_str().expect("an id").to_owned();
                found.push((name.to_owned(), form, operation, fields));
            }
        }
    }
    found
}

/// Whether an answer is that this field is missing, in whatever dialect.
fn misses(answer: &Answer, field: &str) -> bool {
    let body = answer.json();
    let reason = match body["errors"][field][0].as_str() {
        Some(reason) => format!("{field} {reason}"),
        None => body["error"]["message"].as_str().unwrap_or_default().to_owned(),
    };
    matches!(answer.status.as_u16(), 400 | 422) && reason.starts_with(field) && reason.contains("is required")
}

#[tokio::test]
async fn what_is_required_is_refused_if_it_is_missing() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let channel = shop.channel("telegram", json!({ "botToken": "1:a" })).await;
    let agent = json!({ "name": "x", "type": "http", "config": { "endpoint": "https://1.1.1.1/" } });
    let agent = shop.post("/agents", agent).await.expect(201)["data"]["id"].as_str().expect("an id").to_owned();
    let account = "ig_01990000000070008000000000000001";
    let mut stated = Vec::new();
    for (name, text) in documents(&app.app).into_iter().filter(|(name, _)| name.ends_with(".json")) {
        stated.extend(demands(name, &serde_json::from_str(&text).expect("JSON")));
    }
    let rows = [channel_rows(), agent_rows()].concat();
    let forms = |all: &[Row]| all.iter().map(|row| (row.0, row.1, row.2)).collect::<BTreeSet<_>>();
    let of = |name: &str| rows.iter().any(|row| row.0 == name);
    let told: BTreeSet<_> =
        stated.iter().filter(|row| of(&row.0)).map(|row| (row.0.as_str(), row.1.as_str(), row.2.as_str())).collect();
    assert_eq!(told, forms(&rows), "a row for every form that demands something");
    for (name, form, operation, method, path, body) in &rows {
        let path = path.replace("{c}", &channel).replace("{a}", &agent);
        let call = async |body: &Value| {
            let body: Value = serde_json::from_str(&body.to_string().replace("{i}", account)).expect("JSON");
            let request = app.http.request(method.clone(), format!("{}{path}", app.base)).json(&body);
            let is_timely = form.contains("Timely");
            Answer::of(match is_timely {
                true => request.header("x-api-key", shop.token.token()),
                false => request.bearer_auth(shop.token.token()),
            })
            .await
        };
        let row =
            stated.iter().find(|row| (row.0.as_str(), row.1.as_str(), row.2.as_str()) == (*name, *form, *operation));
        for field in &row.expect("it is told").3 {
            let mut without = body.clone();
            without.as_object_mut().and_then(|body| body.remove(field)).expect("the body has it");
            let refused = call(&without).await;
            assert!(misses(&refused, field), "{name} {operation} without {field}: {} {}", refused.status, refused.text);
        }
        let whole = call(body).await;
        assert!(!matches!(whole.status.as_u16(), 400 | 422), "{name} {operation}: {} {}", whole.status, whole.text);
    }
}
