//! What the framework refuses comes out in the dialect of the surface that it was sent to.

use quartermaster::{caller::Origin, plan};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Setup, TestApp, conversation::Conversations, sender::unlimited};

#[tokio::test]
async fn the_partner_api_speaks_its_dialect() {
    let app = Setup::default().configured(|config| config.body_limit_bytes = 2048).start().await;
    let acme = app.partner("acme").await;
    acme.get("/nowhere").await.expect_error(404, "route_not_found");
    acme.get("/workspaces/").await.expect_error(404, "route_not_found");
    Answer::of(acme.request(Method::PUT, "/workspaces")).await.expect_error(405, "method_not_allowed");
    let post = || acme.request(Method::POST, "/workspaces");
    let json_type = |request: reqwest::RequestBuilder| request.header("Content-Type", "application/json");
    for body in ["{", "null", "[]", "7", "\"text\"", "{\"display_name\":\"x\"} x", "{\"display_name\":", "\u{0}"] {
        Answer::of(json_type(post()).body(body)).await.expect_error(400, "invalid_request");
    }
    Answer::of(json_type(post()).body(vec![b'{', 0xff, 0xfe])).await.expect_error(400, "invalid_request");
    let deep = "[".repeat(1000);
    Answer::of(json_type(post()).body(deep)).await.expect_error(400, "invalid_request");
    Answer::of(post().body("display_name=x")).await.expect_error(415, "invalid_request");
    Answer::of(post().header("Content-Type", "text/plain").body("{}")).await.expect_error(415, "invalid_request");
    let suffix = post().header("Content-Type", "application/vnd.x+json; charset=utf-8");
    Answer::of(suffix.body(r#"{"display_name":"Suffix"}"#)).await.expect(201);
    let large = json!({ "display_name": "x".repeat(3000) });
    acme.post("/workspaces", large).await.expect_error(413, "invalid_request");
}

#[tokio::test]
async fn a_body_without_a_length_is_limited_too() {
    let app = Setup::default().configured(|config| config.body_limit_bytes = 2048).start().await;
    let acme = app.partner("acme").await;
    let chunks = futures_util::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>("x".repeat(100))));
    let request = acme.request(Method::POST, "/workspaces").header("Content-Type", "application/json");
    Answer::of(request.body(reqwest::Body::wrap_stream(chunks))).await.expect_error(413, "invalid_request");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_ended() {
    let app = Setup::default().configured(|config| config.request_timeout_ms = 200).start().await;
    let acme = app.partner("acme").await;
    // The body never ends, so the request never does.
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>("{")]);
    let endless = futures_util::StreamExt::chain(first, futures_util::stream::pending());
    let request = acme.request(Method::POST, "/workspaces").header("Content-Type", "application/json");
    let answer = Answer::of(request.body(reqwest::Body::wrap_stream(endless))).await;
    answer.expect_error(503, "request_timeout");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn the_workspace_api_speaks_its_dialect() {
    let app = TestApp::start().await;
    let url = |path: &str| format!("{}/integrations/api{path}", app.base);
    let check = |answer: Answer, status: u16, word: &str| {
        let body = answer.expect(status);
        assert_eq!(body["status"], "error");
        assert_eq!(body["error_code"], word);
        assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()));
    };
    check(Answer::of(app.http.get(url("/workspace"))).await, 401, "missing_credentials");
    check(Answer::of(app.http.get(url("/workspace")).bearer_auth("qm_unknown")).await, 401, "invalid_token");
    check(Answer::of(app.http.get(url("/workspace")).bearer_auth("unknown")).await, 401, "invalid_token");
    check(Answer::of(app.http.get(url("/nowhere"))).await, 404, "not_found");
    check(Answer::of(app.http.get(url("/workspace/"))).await, 404, "not_found");
    check(Answer::of(app.http.delete(url("/workspace"))).await, 405, "not_supported");
}

/// What no client sends on purpose, with the field that the refusal names.
#[tokio::test]
async fn whatever_is_sent_to_the_workspace_api_is_refused_by_name() {
    let app = TestApp::start().await;
    plan::set(&app.app, &Origin::operator(), &unlimited()).await.expect("a plan");
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann Lee", |row| row).await;
    let refused = |answer: Answer, status: u16, field: Option<&str>, what: &str| {
        let body = answer.expect(status);
        assert_eq!((&body["status"], &body["error_code"]), (&json!("error"), &json!("validation_error")), "{what}");
        let fields = field.map_or(Value::Null, |field| json!([field]));
        assert_eq!(body["errors"][0]["fields"], fields, "{what}: {body}");
        assert!(!answer.text.contains("struct") && !answer.text.contains("Request"), "{what}: {body}");
    };
    for page in ["0", "-1", "1000001", "9223372036854775807", "99999999999999999999", "1.5", "%00", "%ff"] {
        for path in ["/chats", &format!("/chats/{chat}/messages"), "/v2/chats", "/chats/search?q=x"] {
            let query = format!("{path}{}page={page}", if path.contains('?') { '&' } else { '?' });
            refused(bakery.token.get(&query).await, 400, Some("page"), &query);
        }
    }
    for name in ["label", "name", "responsible", "whatsapp_account_id", "created_after", "group", "with_msg"] {
        refused(bakery.token.get(&format!("/chats?{name}=%00")).await, 400, Some(name), name);
    }
    let deep = format!("{{\"name\":{}", "[".repeat(100_000));
    let ask = async |path: &str, kind: &str, body: Vec<u8>| {
        let method = if path.ends_with("labels") { Method::PUT } else { Method::PATCH };
        let method = if path.ends_with("notes") || path == "/messages" { Method::POST } else { method };
        Answer::of(bakery.token.request(method, path).header("Content-Type", kind).body(body)).await
    };
    let of_chat = format!("/chats/{chat}");
    let (labels, notes) = (format!("{of_chat}/labels"), format!("{of_chat}/notes"));
    for (path, body, field) in [
        (&of_chat, "{", None),
        (&of_chat, "null", None),
        (&of_chat, r#"["Taken in its order", null, null, null, null]"#, None),
        (&of_chat, r#"{"name":"\u0000"}"#, Some("name")),
        (&of_chat, r#"{"name":"\ud800"}"#, None),
        (&of_chat, r#"{"name":7}"#, Some("name")),
        (&of_chat, r#"{"closed":"true"}"#, Some("closed")),
        (&of_chat, deep.as_str(), Some("name")),
        (&labels, "{}", Some("labels")),
        (&labels, r#"{"labels":[1]}"#, Some("labels[0]")),
        (&labels, r#"{"labels":["\u0000"]}"#, Some("labels")),
        (&notes, r#"{"text":"a\u0000"}"#, Some("text")),
        (&"/messages".to_owned(), r#"{"text":"x"}"#, Some("phone")),
        (&"/messages".to_owned(), r#"["+15550002222", null, "x"]"#, None),
        (&"/messages".to_owned(), r#"{"phone":"+15550002222","text":"a\u0000"}"#, Some("text")),
    ] {
        let what = body.get(..40).unwrap_or(body);
        refused(ask(path, "application/json", body.into()).await, 400, field, what);
    }
    // What is looked for and cannot be there, on either database.
    for (answer, status) in [
        (bakery.token.patch(&of_chat, json!({ "responsible": "a\u{0}@example.com" })).await, 404),
        (bakery.token.post("/messages/to_chat_name", json!({ "chat_name": "\u{0}", "text": "x" })).await, 400),
        (bakery.token.post("/messages/to_jid", json!({ "jid": "\u{0}@g.us", "text": "x" })).await, 400),
        (bakery.token.post("/workspace/invitations", json!({ "email": "a\u{0}@example.com" })).await, 400),
        (bakery.token.post("/templates", json!({ "name": "a", "text": "b", "team_title": "\u{0}" })).await, 404),
        (bakery.token.post("/webhooks", json!({ "event_type": "message:new", "url": "https://a.b/\u{0}" })).await, 400),
        (bakery.token.post("/files", json!({ "download_url": "https://a.b/\u{0}" })).await, 400),
    ] {
        answer.expect(status);
    }
    assert_eq!(bakery.token.get("/files?filename=%00").await.expect(200)["data"], json!([]));
    refused(ask(&of_chat, "application/json", b"{\"name\":\"\xff\"}".to_vec()).await, 400, None, "no UTF-8");
    refused(ask(&notes, "text/plain", vec![0xff, 0xfe]).await, 400, None, "no UTF-8");
    for kind in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"] {
        refused(ask(&of_chat, kind, b"{\"closed\":true}".to_vec()).await, 400, None, kind);
    }
    let shown = bakery.token.get(&of_chat).await.expect(200)["data"].clone();
    assert_eq!((&shown["name"], &shown["closed"], &shown["labels"]), (&json!("Ann Lee"), &json!(false), &json!([])));
    assert_eq!(bakery.token.get(&format!("{of_chat}/messages")).await.expect(200)["data"]["messages"], json!([]));
}

#[tokio::test]
async fn everything_else_is_a_problem() {
    let app = TestApp::start().await;
    for (method, path, status, code) in [
        (Method::GET, "/", 404, "route_not_found"),
        (Method::GET, "/partner", 404, "route_not_found"),
        (Method::POST, "/qr/unknown/attempts", 404, "link_not_found"),
        (Method::GET, "/qr/unknown/events", 404, "link_not_found"),
        (Method::DELETE, "/qr/unknown/attempts", 405, "method_not_allowed"),
        (Method::POST, "/sandbox/scan", 404, "route_not_found"),
    ] {
        let answer = Answer::of(app.http.request(method, format!("{}{path}", app.base))).await;
        let body = answer.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert_eq!((&body["code"], &body["status"]), (&json!(code), &json!(status)), "{path}");
        let (docs, anchor) = body["type"].as_str().expect("a type").split_once('#').expect("an anchor");
        assert_eq!(anchor, code);
        let text = Answer::of(app.http.get(format!("{}{docs}", app.base))).await.text;
        assert!(text.contains(&format!("id=\"{code}\"")), "the type leads to an explanation");
    }
}

#[tokio::test]
async fn a_path_that_does_not_decode_keeps_its_dialect() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    acme.get("/workspaces/%ff").await.expect_error(400, "invalid_request");
    let get = async |path: &str| Answer::of(app.http.get(format!("{}{path}", app.base))).await;
    assert_eq!(get("/integrations/api/%ff").await.expect(400)["error_code"], "validation_error");
    let page = get("/qr/%ff").await;
    assert_eq!(page.expect(400)["code"], "invalid_parameter");
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "no-referrer"));
    assert_eq!(get("/%ff").await.expect(404)["code"], "route_not_found");
}

#[tokio::test]
async fn request_ids_go_in_and_out() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let given = acme.request(Method::GET, "/workspaces").header("X-Request-Id", "abc-123");
    assert_eq!(Answer::of(given).await.header("x-request-id"), "abc-123");
    for unfit in ["", "with space", &"x".repeat(65)] {
        let answer = Answer::of(acme.request(Method::GET, "/workspaces").header("X-Request-Id", unfit)).await;
        assert_eq!(answer.header("x-request-id").len(), 36, "{unfit:?} is replaced");
    }
}

/// Several dialects may share an address, which then answers the methods of all.
#[tokio::test]
async fn an_address_says_which_methods_it_answers() {
    let app = TestApp::start().await;
    for (path, allowed) in [
        ("/partner/api/v1/workspaces", "GET, HEAD, POST"),
        ("/integrations/api/chats/7", "GET, HEAD, PATCH"),
        ("/integrations/api/chats/7/labels", "GET, HEAD, POST, PUT"),
        ("/v1/channels/ch_7", "DELETE, GET, HEAD, PATCH, PUT"),
        ("/api/v1/channels/whatsapp/connect", "POST"),
    ] {
        let request = app.http.request(Method::OPTIONS, format!("{}{path}", app.base));
        let answer = Answer::of(request).await;
        answer.expect(405);
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
    let workspace = format!("{}/integrations/api/workspace", app.base);
    assert_eq!(Answer::of(app.http.head(&workspace)).await.status, 401);
    let answer = Answer::of(app.http.get(&workspace)).await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (401, ""));
}
