//! Simulated phones: whose they are, and where they answer.

use serde_json::json;

use crate::support::{Answer, Setup, TestApp};

#[tokio::test]
async fn only_sandbox_partners_have_simulated_phones() {
    let app = TestApp::start().await;
    let acme = app.partner_without_sandbox("acme").await;
    for (path, body) in [
        ("/sandbox/scan", json!({ "qr": "x", "phone": "+15550001111" })),
        ("/sandbox/pair", json!({ "code": "x", "phone": "+15550001111" })),
        ("/sandbox/logout", json!({ "phone": "+15550001111" })),
    ] {
        acme.post(path, body).await.expect_error(403, "sandbox_only");
    }
}

#[tokio::test]
async fn codes_of_other_partners_do_not_exist() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let workspace = acme.workspace("Bakery", 1).await;
    let owner = acme.owner(&workspace).await;
    let page = acme.page(&workspace, owner).await;
    let code = page.start().await.code();
    let pairing = page.try_pair("+15550001111").await.expect(200)["pairing"]["code"].clone();
    other.scan(&code, "+15550001111").await.expect_error(404, "code_not_found");
    let typed = json!({ "code": pairing, "phone": "+15550001111" });
    other.post("/sandbox/pair", typed.clone()).await.expect_error(404, "code_not_found");
    acme.post("/sandbox/pair", typed).await.expect(200);
    let logout = json!({ "phone": "+15550001111" });
    other.post("/sandbox/logout", logout.clone()).await.expect_error(409, "phone_not_linked");
    acme.post("/sandbox/logout", logout).await.expect(200);
}

#[tokio::test]
async fn bad_input_is_named() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    for (path, body, field) in [
        ("/sandbox/scan", json!({ "phone": "+15550001111" }), "qr"),
        ("/sandbox/scan", json!({ "qr": "x" }), "phone"),
        ("/sandbox/scan", json!({ "qr": "x", "phone": "nobody" }), "phone"),
        ("/sandbox/pair", json!({ "phone": "+15550001111" }), "code"),
        ("/sandbox/logout", json!({}), "phone"),
    ] {
        let error = acme.post(path, body).await.expect_error(400, "invalid_request");
        assert!(error["description"].as_str().is_some_and(|text| text.contains(field)), "{error}");
    }
    acme.scan("never shown", "+15550001111").await.expect_error(404, "code_not_found");
    acme.scan("a\u{0}b", "+15550001111").await.expect_error(404, "code_not_found");
    let hostile = json!({ "code": "1\u{0}", "phone": "+15550001111" });
    acme.post("/sandbox/pair", hostile).await.expect_error(404, "code_not_found");
    let unknown = json!({ "code": "00000000", "phone": "+15550001111" });
    acme.post("/sandbox/pair", unknown).await.expect_error(404, "code_not_found");
}

#[tokio::test]
async fn a_repeated_scan_with_a_key_gives_the_first_answer() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let owner = acme.owner(&workspace).await;
    let page = acme.page(&workspace, owner).await;
    let body = json!({ "qr": page.start().await.code(), "phone": "+15550001111" });
    let first = acme.post_with_key("/sandbox/scan", "k", body.clone()).await.expect(200);
    assert_eq!(acme.post_with_key("/sandbox/scan", "k", body.clone()).await.expect(200), first);
    acme.post("/sandbox/scan", body).await.expect_error(409, "code_used");
}

#[tokio::test]
async fn with_sandbox_on_everybody_has_phones_and_loopback_needs_no_token() {
    let app = Setup::default().sandbox().start().await;
    let acme = app.partner_without_sandbox("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let owner = acme.owner(&workspace).await;
    let page = acme.page(&workspace, owner).await;
    let qr = page.start().await.code();
    let call = async |path: &str, body: serde_json::Value| {
        Answer::of(app.http.post(format!("{}/sandbox/{path}", app.base)).json(&body)).await
    };
    assert_eq!(call("scan", json!({ "qr": "x", "phone": "+1555" })).await.expect(400)["code"], "invalid_request");
    let scanned = call("scan", json!({ "qr": qr, "phone": "+15550001111" })).await.expect(200);
    assert_eq!(scanned, json!({ "phone": "+15550001111", "outcome": "linked" }));
    assert_eq!(acme.overview(&workspace).await["whatsapp_accounts"][0]["connected"], true);
    let proxied = app.http.post(format!("{}/sandbox/logout", app.base)).header("X-Forwarded-For", "203.0.113.7");
    let proxied = Answer::of(proxied.json(&json!({ "phone": "+15550001111" }))).await;
    assert_eq!(proxied.expect(404)["code"], "route_not_found", "a proxy's callers are not on this machine");
    let url = format!("{}/sandbox/logout", app.base);
    let site = app.http.post(&url).header("Origin", "https://evil.example");
    let site = Answer::of(site.json(&json!({ "phone": "+15550001111" }))).await;
    assert_eq!(site.expect(404)["code"], "route_not_found", "a visited web site is not on this machine");
    let form = app.http.post(&url).header("Content-Type", "text/plain").body(r#"{"phone":"+15550001111"}"#);
    assert_eq!(Answer::of(form).await.expect(415)["code"], "unsupported_media_type");
    call("logout", json!({ "phone": "+15550001111" })).await.expect(200);
    assert_eq!(
        call("pair", json!({ "code": "1", "phone": "+15550001111" })).await.expect(404)["code"],
        "code_not_found"
    );
}
