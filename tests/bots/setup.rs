//! Setting bots up, in both dialects.

use super::*;

/// A request of Linktor's dialect.
async fn linktor(app: &TestApp, token: &str, method: Method, path: &str, body: Value) -> Answer {
    let request = app.http.request(method, format!("{}/v1{path}", app.base)).bearer_auth(token);
    Answer::of(if body.is_null() { request } else { request.json(&body) }).await
}

#[tokio::test]
async fn bots_are_made_read_changed_and_deleted_in_both_dialects() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let token = stage.sender.token.token();
    let body = json!({
        "name": " Support ", "type": "openai",
        "config": { "baseUrl": "https://1.1.1.1/v1/", "model": "m", "apiKey": "sk-1", "temperature": 0.25 },
    });
    let made = linktor(&app, token, Method::POST, "/agents", body).await.expect(201);
    let id = made["data"]["id"].as_str().expect("an id").to_owned();
    let bare = id.strip_prefix("bot_").expect("a prefix").to_owned();
    let expected = json!({
        "name": "Support", "botType": "openai", "channels": [], "createdAt": "2026-09-10T08:00:00Z",
        "updatedAt": "2026-09-10T08:00:00Z",
        "config": {
            "baseUrl": "https://1.1.1.1/v1", "model": "m", "apiKey": "********", "temperature": 0.25,
            "timeoutMs": 20000, "historyLimit": 20,
        },
    });
    assert_eq!((&made["data"]["type"], &made["data"]["attributes"]), (&json!("bot"), &expected));
    assert_eq!(linktor(&app, token, Method::GET, &format!("/agents/{id}"), json!(null)).await.expect(200), made);
    let flat = stage.call(Method::GET, &format!("/agents/{bare}"), json!(null)).await.expect(200);
    let expected = json!({
        "id": bare, "name": "Support", "kind": "openai", "base_url": "https://1.1.1.1/v1", "model": "m",
        "api_key": "********", "temperature": 0.25, "timeout_ms": 20000, "history_limit": 20, "channel_ids": [],
        "created_at": "2026-09-10T08:00:00Z", "updated_at": "2026-09-10T08:00:00Z",
    });
    assert_eq!(flat, expected);
    let change = json!({ "max_tokens": 9, "api_key": "********" });
    let changed = stage.call(Method::PATCH, &format!("/agents/{id}"), change).await.expect(200);
    assert_eq!((&changed["max_tokens"], &changed["temperature"]), (&json!(9), &json!(0.25)));
    let anew = json!({ "name": "Anew", "config": { "baseUrl": "https://1.1.1.1", "model": "n" } });
    let anew = linktor(&app, token, Method::PUT, &format!("/agents/{bare}"), anew).await.expect(200);
    let config = json!({
        "baseUrl": "https://1.1.1.1", "model": "n", "apiKey": "********", "timeoutMs": 20000, "historyLimit": 20,
    });
    assert_eq!(anew["data"]["attributes"]["config"], config);
    assert_eq!(stage.call(Method::DELETE, &format!("/agents/{bare}"), json!(null)).await.status.as_u16(), 204);
    let gone = linktor(&app, token, Method::GET, &format!("/agents/{id}"), json!(null)).await;
    let error = gone.expect(404);
    assert_eq!(error["error"]["code"], "RESOURCE_NOT_FOUND");
    assert!(error["meta"]["requestId"].as_str().is_some_and(|id| id == gone.header("x-request-id")), "{error}");
    let gone = stage.call(Method::DELETE, &format!("/agents/{bare}"), json!(null)).await.expect(404);
    assert_eq!((&gone["error"]["code"], &gone["error"]["status"]), (&json!("NOT_FOUND"), &json!(404)));
}

#[tokio::test]
async fn lists_are_paged_in_each_dialects_words() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let token = stage.sender.token.token();
    for name in ["a", "b", "c"] {
        let body = json!({ "name": name, "kind": "http", "endpoint": "https://1.1.1.1/" });
        stage.call(Method::POST, "/agents", body).await.expect(201);
    }
    let page = stage.call(Method::GET, "/agents?page=2&limit=2", json!(null)).await.expect(200);
    assert_eq!(page["pagination"], json!({ "page": 2, "limit": 2, "total": 3, "total_pages": 2 }));
    assert_eq!((page["data"].as_array().map(Vec::len), &page["data"][0]["name"]), (Some(1), &json!("c")));
    let page = linktor(&app, token, Method::GET, "/agents?perPage=2", json!(null)).await.expect(200);
    let pagination = json!({ "page": 1, "perPage": 2, "totalPages": 2, "totalCount": 3 });
    assert_eq!(page["meta"]["pagination"], pagination);
    assert_eq!(page["data"][1]["attributes"]["name"], "b");
    let refused = linktor(&app, token, Method::GET, "/agents?perPage=101", json!(null)).await.expect(400);
    assert_eq!(refused["error"]["details"][0]["field"], "perPage");
    for (query, name) in [("per_page=0", "per_page"), ("limit=0", "limit"), ("per_page=0&limit=2", "per_page")] {
        let refused = stage.call(Method::GET, &format!("/agents?{query}"), json!(null)).await.expect(400);
        let is_named = refused["error"]["message"].as_str().is_some_and(|text| text.starts_with(&format!("{name}:")));
        assert!(is_named, "{query}: {refused}");
    }
}

#[tokio::test]
async fn bad_settings_are_named() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let token = stage.sender.token.token();
    let http = || json!({ "endpoint": "https://1.1.1.1/" });
    for (field, body) in [
        ("type", json!({ "name": "x", "config": http() })),
        ("type", json!({ "name": "x", "type": "magic", "config": http() })),
        ("name", json!({ "type": "http", "config": http() })),
        ("config.endpoint", json!({ "name": "x", "type": "http" })),
        ("config.endpoint", json!({ "name": "x", "type": "http", "config": { "endpoint": "ftp://x" } })),
        ("config.baseUrl", json!({ "name": "x", "type": "openai", "config": { "model": "m" } })),
        ("config.model", json!({ "name": "x", "type": "openai", "config": { "baseUrl": "https://1.1.1.1" } })),
        (
            "config.model",
            json!({ "name": "x", "type": "http", "config": { "endpoint": "https://1.1.1.1/", "model": "m" } }),
        ),
        ("config.signingSecret", json!({ "name": "x", "type": "http", "config": { "signingSecret": "secret" } })),
        ("config.timeoutMs", json!({ "name": "x", "type": "http", "config": { "timeoutMs": 1 } })),
        ("config.timeoutMs", json!({ "name": "x", "type": "http", "config": { "timeoutMs": "long" } })),
    ] {
        let refused = linktor(&app, token, Method::POST, "/agents", body).await.expect(400);
        assert_eq!(refused["error"]["code"], "VALIDATION_ERROR");
        assert_eq!(refused["error"]["details"][0]["field"], field, "{refused}");
        assert!(refused["error"]["message"].as_str().is_some_and(|text| text.starts_with(field)), "{refused}");
        app.clock.advance(std::time::Duration::from_secs(1));
    }
    let made = stage.http_bot().await;
    let path = format!("/agents/{}", made["id"].as_str().expect("an id"));
    let refused = stage.call(Method::PATCH, &path, json!({ "kind": "openai" })).await.expect(400);
    assert!(refused["error"]["message"].as_str().is_some_and(|text| text.starts_with("kind")), "{refused}");
    let path = format!("/channels/{}/agent", stage.channel);
    let refused = stage.call(Method::PUT, &path, json!({})).await.expect(400);
    assert!(refused["error"]["message"].as_str().is_some_and(|text| text.starts_with("agent_id")), "{refused}");
    let unread = app.http.post(format!("{}/v1/agents", app.base)).header("x-api-key", token).body("name=x");
    assert_eq!(Answer::of(unread).await.expect(415)["error"]["code"], "VALIDATION_ERROR");
    let stranger = linktor(&app, "qm_unknown", Method::GET, "/agents", json!(null)).await.expect(401);
    assert_eq!(stranger["error"]["code"], "INVALID_API_KEY");
    let stranger = call(&app, "qm_unknown", Method::GET, "/agents", json!(null)).await.expect(401);
    assert_eq!(stranger["error"]["code"], "UNAUTHORIZED");
}

#[tokio::test]
async fn secrets_are_shown_once_and_sealed() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let body = json!({ "name": "x", "kind": "http", "endpoint": "https://1.1.1.1/" });
    let request = || {
        let request = app.http.post(format!("{}/v1/agents", app.base)).header("x-api-key", stage.sender.token.token());
        request.header("Idempotency-Key", "k").json(&body)
    };
    let made = Answer::of(request()).await.expect(201);
    let secret = made["signing_secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("whsec_"));
    assert_eq!(Answer::of(request()).await.expect(201), made, "the same request has the same answer");
    let path = format!("/agents/{}", made["id"].as_str().expect("an id"));
    for method in [Method::GET, Method::PATCH] {
        let body = if method == Method::GET { json!(null) } else { json!({ "name": "y" }) };
        assert_eq!(stage.call(method, &path, body).await.expect(200)["signing_secret"], "********");
    }
    let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let changed = stage.call(Method::PATCH, &path, json!({ "signing_secret": own })).await.expect(200);
    assert_eq!(changed["signing_secret"], own);
    let stored = bot::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a bot");
    let sealed = stored.secret.expect("a secret");
    for plain in [secret.as_str(), own] {
        assert!(!sealed.windows(plain.len()).any(|part| part == plain.as_bytes()));
    }
    let entries = entity::audit_entry::Entity::find().all(app.app.db.reader()).await.expect("entries");
    let kept: Vec<String> = entries.into_iter().filter_map(|entry| entry.after).collect();
    assert!(!kept.iter().any(|entry| entry.contains("whsec_")), "{kept:?}");
}

#[tokio::test]
async fn a_channel_has_one_bot_at_a_time() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let token = stage.sender.token.token();
    let path = format!("/channels/ch_{}/agent", stage.channel);
    let none = linktor(&app, token, Method::GET, &path, json!(null)).await.expect(200);
    assert_eq!(none["data"]["attributes"], json!({ "defaultBot": null }));
    let first = stage.http_bot().await;
    let second = stage.http_bot().await;
    let found = linktor(&app, token, Method::GET, &path, json!(null)).await.expect(200);
    let id = format!("bot_{}", second["id"].as_str().expect("an id"));
    assert_eq!(found["data"]["attributes"]["defaultBot"], json!({ "id": id, "name": "Support" }));
    let account = format!("/channels/{}@s.whatsapp.net/agent", crate::support::sender::PHONE.trim_start_matches('+'));
    assert_eq!(linktor(&app, token, Method::GET, &account, json!(null)).await.expect(200), found);
    let of_first =
        stage.call(Method::GET, &format!("/agents/{}", first["id"].as_str().expect("an id")), json!(null)).await;
    assert_eq!(of_first.expect(200)["channel_ids"], json!([]));
    let off = linktor(&app, token, Method::PUT, &path, json!({ "defaultBotId": null })).await.expect(200);
    assert_eq!(off, none);
    linktor(&app, token, Method::PUT, &path, json!({ "defaultBotId": id })).await.expect(200);
    let off = stage.call(Method::DELETE, &path, json!(null)).await.expect(200);
    assert_eq!(off, json!({ "id": stage.channel, "agent_id": null }));
    linktor(&app, token, Method::PUT, &path, json!({ "defaultBotId": id })).await.expect(200);
    linktor(&app, token, Method::DELETE, &format!("/agents/{id}"), json!(null)).await;
    assert_eq!(linktor(&app, token, Method::GET, &path, json!(null)).await.expect(200), none);
    let unknown = linktor(&app, token, Method::GET, "/channels/ch_x/agent", json!(null)).await.expect(404);
    assert_eq!(unknown["error"]["code"], "CHANNEL_NOT_FOUND");
}

#[tokio::test]
async fn a_workspace_has_no_more_bots_than_the_limit() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let body = || json!({ "name": "x", "kind": "http", "endpoint": "https://1.1.1.1/" });
    for _ in 0..quartermaster::bot::MOST {
        stage.call(Method::POST, "/agents", body()).await.expect(201);
    }
    assert_eq!(stage.call(Method::POST, "/agents", body()).await.expect(409)["error"]["code"], "CONFLICT");
}

#[tokio::test]
async fn a_token_needs_the_scopes_of_agents() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let reader = crate::cli::token_with(&app, &stage.sender.workspace, "agents:read").await;
    call(&app, &reader, Method::GET, "/agents", json!(null)).await.expect(200);
    let body = json!({ "name": "x", "kind": "http", "endpoint": "https://1.1.1.1/" });
    let refused = call(&app, &reader, Method::POST, "/agents", body).await.expect(403);
    assert_eq!(refused["error"]["code"], "FORBIDDEN");
}
