//! From link to account, on the page's own addresses. Rows of `notes/failure-modes.md` are named in the tests.

use futures_util::StreamExt;
use serde_json::json;

use crate::support::{PartnerClient, TestApp, page::Page};

struct Scene {
    app: TestApp,
    acme: PartnerClient,
    workspace: String,
    user: i64,
    page: Page,
}

async fn scene() -> Scene {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 4).await;
    let user = acme.users(&workspace, 1).await[0];
    let page = acme.page(&workspace, user).await;
    Scene { app, acme, workspace, user, page }
}

#[tokio::test]
async fn opening_a_link_starts_nothing() {
    let Scene { app: _app, page, .. } = scene().await;
    for _ in 0..3 {
        assert_eq!(page.html("").await.status.as_u16(), 200);
    }
    let shown = page.now().await;
    assert_eq!(shown.state(), "ready");
    assert_eq!(shown.0["attempts_left"], 5);
}

#[tokio::test]
async fn a_scan_connects_the_account_and_uses_the_link_up() {
    let Scene { app, acme, workspace, user, page } = scene().await;
    let mut events = page.events().await;
    assert_eq!(events.next().await.expect("a state").state(), "ready");
    let code = page.start().await.code();
    assert!(code.starts_with("2@"), "{code}");
    let mut waiting = events.next().await.expect("a state");
    while waiting.state() == "connecting" {
        waiting = events.next().await.expect("a state");
    }
    assert_eq!(waiting.code(), code);
    assert_eq!(
        acme.scan(&code, "+15550001111").await.expect(200),
        json!({ "phone": "+15550001111", "outcome": "linked" })
    );
    assert_eq!(events.next().await.expect("a state").state(), "connected");
    assert!(events.next().await.is_none(), "the stream ends with the final state");
    let overview = acme.overview(&workspace).await;
    assert_eq!(overview["whatsapp_accounts"][0]["user_id"], user);
    assert_eq!(overview["qr_links"], json!([]));
    // Single use: the link neither opens nor starts again.
    assert_eq!(page.html("").await.status.as_u16(), 410);
    assert_eq!(page.try_start().await.expect(410)["code"], "link_used");
    acme.scan(&code, "+15550002222").await.expect_error(409, "code_used");
    app.run_jobs().await;
    assert_eq!(acme.overview(&workspace).await["whatsapp_accounts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_code_is_replaced_every_twenty_seconds_and_a_dead_one_is_told() {
    let Scene { app, acme, page, .. } = scene().await;
    let first = page.start().await;
    assert_eq!((&first.0["qr"]["seq"], &first.0["qr"]["expires_in_ms"]), (&json!(1), &json!(20_000)));
    let mut codes = vec![first.code()];
    for seq in 2..=5 {
        app.advance(20).await;
        let shown = page.now().await;
        assert_eq!(shown.0["qr"]["seq"], seq);
        codes.push(shown.code());
        acme.scan(&codes[seq - 2], "+15550001111").await.expect_error(410, "code_expired");
    }
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 5);
}

#[tokio::test]
async fn qr_expiry_is_always_told() {
    let Scene { app, acme, page, .. } = scene().await;
    let mut events = page.events().await;
    let code = page.start().await.code();
    for _ in 0..5 {
        app.advance(20).await;
    }
    let expired = loop {
        let shown = events.next().await.expect("a state");
        if shown.state() == "expired" {
            break shown;
        }
    };
    assert_eq!(expired.0["error"]["code"], "qr_expired");
    assert_eq!((&expired.0["qr"], &expired.0["attempts_left"]), (&json!(null), &json!(4)));
    acme.scan(&code, "+15550001111").await.expect_error(409, "code_used");
    // Retrying is one call.
    let again = page.start().await;
    assert_ne!(again.code(), code);
    assert_eq!(acme.scan(&again.code(), "+15550001111").await.expect(200)["outcome"], "linked");
}

#[tokio::test]
async fn codes_do_not_go_on_without_end_and_attempts_are_five() {
    let Scene { app, page, .. } = scene().await;
    for left in (0..5).rev() {
        // The page's pace is limited; a person takes a while between two attempts.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let shown = page.start().await;
        assert_eq!(shown.0["attempts_left"], left);
        assert_eq!(page.start().await.code(), shown.code(), "starting again finds the attempt that is alive");
        for _ in 0..6 {
            app.advance(20).await;
        }
        assert_eq!(page.now().await.state(), "expired", "nothing rotates with nobody watching");
    }
    let mut refused = page.try_start().await;
    if refused.status.as_u16() == 429 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        refused = page.try_start().await;
    }
    assert_eq!(refused.expect(409)["code"], "attempts_spent");
}

#[tokio::test]
async fn the_pairing_code_does_not_rotate_with_the_qr_code() {
    let Scene { app, acme, workspace, page, .. } = scene().await;
    page.start().await;
    let shown = page.try_pair("+15550001111").await.expect(200);
    let code = shown["pairing"]["code"].as_str().expect("a code").to_owned();
    assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    assert_eq!(shown["pairing_codes_left"], 2);
    for _ in 0..5 {
        app.advance(20).await;
        assert_eq!(page.now().await.0["pairing"]["code"], json!(code));
    }
    let late = page.now().await;
    assert_eq!((late.state(), &late.0["qr"]), ("awaiting_scan", &json!(null)), "it outlives the QR codes");
    let wrong = json!({ "code": code, "phone": "+15550002222" });
    acme.post("/sandbox/pair", wrong).await.expect_error(409, "code_for_another_phone");
    let paired = acme.post("/sandbox/pair", json!({ "code": code, "phone": "+15550001111" })).await.expect(200);
    assert_eq!(paired["outcome"], "linked");
    assert_eq!(page.now().await.state(), "connected");
    assert_eq!(acme.overview(&workspace).await["whatsapp_accounts"][0]["connected"], true);
}

#[tokio::test]
async fn a_pairing_code_runs_out_and_its_attempt_with_it() {
    let Scene { app, acme, page, .. } = scene().await;
    page.start().await;
    let code = page.try_pair("+15550001111").await.expect(200)["pairing"]["code"].clone();
    for _ in 0..9 {
        app.advance(20).await;
    }
    assert_eq!(page.now().await.state(), "expired");
    let typed = json!({ "code": code, "phone": "+15550001111" });
    acme.post("/sandbox/pair", typed).await.expect_error(409, "code_used");
}

#[tokio::test]
async fn a_late_pairing_code_keeps_its_attempt_alive_until_its_own_end() {
    let Scene { app, acme, page, .. } = scene().await;
    page.start().await;
    app.advance(88).await;
    page.try_pair("+15550001111").await.expect(200);
    app.advance(160).await;
    let shown = page.try_pair("+15550001111").await.expect(200);
    assert_eq!(shown["pairing"]["expires_in_ms"], 180_000);
    app.advance(170).await;
    let still = page.now().await;
    assert_eq!((still.state(), &still.0["pairing"]["code"]), ("awaiting_scan", &shown["pairing"]["code"]));
    let typed = json!({ "code": shown["pairing"]["code"], "phone": "+15550001111" });
    acme.post("/sandbox/pair", typed).await.expect(200);
    assert_eq!(page.now().await.state(), "connected");
}

#[tokio::test]
async fn an_attempt_whose_provider_does_not_answer_ends_and_says_so() {
    use sea_orm::ConnectionTrait;
    let Scene { app, page, .. } = scene().await;
    page.start().await;
    // A session that is linked to no phone is nonsense, and nonsense is no answer.
    quartermaster::db::write(&app.app.db, "test", async |tx| {
        Ok(tx.execute_unprepared("UPDATE sandbox_sessions SET state = 'linked', phone = NULL").await?)
    })
    .await
    .expect("a broken provider");
    app.advance(30).await;
    assert_eq!(page.now().await.state(), "awaiting_scan", "it is given time");
    for _ in 0..30 {
        app.advance(10).await;
    }
    let shown = page.now().await;
    assert_eq!((shown.state(), &shown.0["error"]["code"]), ("failed", &json!("provider_unavailable")));
    assert_eq!(page.start().await.state(), "awaiting_scan");
}

#[tokio::test]
async fn a_phone_that_links_for_a_disabled_partner_is_told_why_not() {
    let Scene { app, acme, page, .. } = scene().await;
    let code = page.start().await.code();
    let id = entity::id::PartnerId::parse("acme").expect("an id");
    let origin = quartermaster::caller::Origin::operator();
    let scope = quartermaster::connector::sandbox::phones::Scope::Partner(id.clone());
    let phone = quartermaster::phone::Phone::parse("+15550001111").expect("a phone");
    let never = quartermaster::idempotency::Repeatable::never();
    quartermaster::connector::sandbox::phones::scan(&app.app, &scope, &code, &phone, &never).await.expect("a scan");
    let disabled = entity::partner::Status::Disabled;
    quartermaster::partner::admin::set_status(&app.app, &origin, &id, disabled).await.expect("disabled");
    app.run_jobs().await;
    let shown = page.now().await;
    assert_eq!((shown.state(), &shown.0["error"]["code"]), ("failed", &json!("not_active")));
    drop(acme);
}

#[tokio::test]
async fn one_link_cannot_take_all_streams() {
    let Scene { app: _app, acme, workspace, page, .. } = scene().await;
    let mut open = Vec::new();
    for _ in 0..12 {
        let mut events = page.events().await;
        assert_eq!(events.next().await.expect("a state").state(), "ready");
        open.push(events);
    }
    for oldest in &mut open[..4] {
        let end = tokio::time::timeout(std::time::Duration::from_secs(5), oldest.next()).await;
        assert!(end.expect("the oldest streams end").is_none());
    }
    page.start().await;
    for newest in &mut open[4..] {
        let told = tokio::time::timeout(std::time::Duration::from_secs(5), newest.next()).await;
        assert!(told.expect("the newest go on").is_some());
    }
    let second = acme.users(&workspace, 1).await[0];
    let other = acme.page(&workspace, second).await;
    assert_eq!(other.now().await.state(), "ready", "other links are not concerned");
}

#[tokio::test]
async fn pairing_codes_are_three_and_refusals_are_told() {
    let Scene { app: _app, page, .. } = scene().await;
    assert_eq!(page.try_pair("+15550001111").await.expect(409)["code"], "no_live_attempt");
    page.start().await;
    for bad in ["", "abc", "123", "+1 555 000 1111", "+00000000"] {
        assert_eq!(page.try_pair(bad).await.expect(400)["code"], "invalid_request", "{bad}");
    }
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(page.try_pair("+15550000429").await.expect(409)["code"], "pairing_refused");
    page.try_pair("+15550001111").await.expect(200);
    page.try_pair("+15550001111").await.expect(200);
    let mut spent = page.try_pair("+15550001111").await;
    if spent.status.as_u16() == 429 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        spent = page.try_pair("+15550001111").await;
    }
    assert_eq!(spent.expect(409)["code"], "pairing_codes_spent");
}

#[tokio::test]
async fn a_hammered_link_is_slowed_down() {
    let Scene { app: _app, page, .. } = scene().await;
    let answers = futures_util::future::join_all((0..30).map(|_| page.try_start())).await;
    let slowed: Vec<_> = answers.iter().filter(|answer| answer.status.as_u16() == 429).collect();
    assert!(!slowed.is_empty());
    assert!(slowed.iter().all(|answer| answer.header("retry-after") == "1"));
    assert_eq!(slowed[0].json()["code"], "too_many_requests");
    assert!(answers.iter().all(|answer| [200, 429].contains(&answer.status.as_u16())));
    let shown = page.now().await;
    assert_eq!(shown.0["attempts_left"], 4, "all found the one attempt");
}

#[tokio::test]
async fn numbers_that_fail_fail_as_documented() {
    for (phone, outcome, state, error) in [
        ("+15550000402", "payment_required", "failed", "payment_required"),
        ("+15550000403", "banned", "failed", "banned"),
        ("+15550000408", "hanging", "awaiting_scan", ""),
    ] {
        let Scene { app, acme, workspace, page, .. } = scene().await;
        let code = page.start().await.code();
        assert_eq!(acme.scan(&code, phone).await.expect(200)["outcome"], outcome);
        let shown = page.now().await;
        assert_eq!(shown.state(), state);
        assert_eq!(shown.0["error"]["code"].as_str().unwrap_or_default(), error);
        assert_eq!(acme.overview(&workspace).await["whatsapp_accounts"], json!([]));
        for _ in 0..5 {
            app.advance(20).await;
        }
        let end = if state == "failed" { "failed" } else { "expired" };
        assert_eq!(page.now().await.state(), end, "an attempt always ends");
    }
}

#[tokio::test]
async fn two_channels_of_one_workspace_are_never_bound_to_the_same_number() {
    let Scene { app, acme, workspace, user, page } = scene().await;
    let second = acme.users(&workspace, 1).await[0];
    let other_page = acme.page(&workspace, second).await;
    let code = page.start().await.code();
    acme.scan(&code, "+15550001111").await.expect(200);
    let code = other_page.start().await.code();
    acme.scan(&code, "+15550001111").await.expect(200);
    let shown = other_page.now().await;
    assert_eq!((shown.state(), &shown.0["error"]["code"]), ("failed", &json!("duplicate_account")));
    let accounts = acme.overview(&workspace).await["whatsapp_accounts"].clone();
    assert_eq!(accounts.as_array().map(Vec::len), Some(1));
    assert_eq!(accounts[0]["user_id"], user);
    // The failed link is not used up, and its session is ended at the provider.
    app.run_jobs().await;
    let code = other_page.start().await.code();
    acme.scan(&code, "+15550002222").await.expect(200);
    assert_eq!(other_page.now().await.state(), "connected");
}

#[tokio::test]
async fn a_phone_that_logs_out_is_not_called_connected() {
    let Scene { app: _app, acme, workspace, page, .. } = scene().await;
    let code = page.start().await.code();
    acme.scan(&code, "+15550001111").await.expect(200);
    let logout = json!({ "phone": "+15550001111" });
    assert_eq!(acme.post("/sandbox/logout", logout.clone()).await.expect(200)["outcome"], "logged_out");
    let account = acme.overview(&workspace).await["whatsapp_accounts"][0].clone();
    assert_eq!((&account["connected"], &account["connection_status"]), (&json!(false), &json!("disconnected")));
    acme.post("/sandbox/logout", logout).await.expect_error(409, "phone_not_linked");
}

#[tokio::test]
async fn a_stored_change_of_a_session_is_drawn_from_even_if_nobody_asked() {
    use quartermaster::{
        connector::sandbox::phones::{self, Scope},
        idempotency::Repeatable,
        phone::Phone,
    };
    let Scene { app, acme, workspace, page, .. } = scene().await;
    let code = page.start().await.code();
    let phone = Phone::parse("+15550001111").expect("a phone");
    // The process dies between the phone's change and ours: only the worker is left.
    phones::scan(&app.app, &Scope::Everywhere, &code, &phone, &Repeatable::never()).await.expect("a scan");
    assert_eq!(page.now().await.state(), "awaiting_scan");
    app.run_jobs().await;
    assert_eq!(page.now().await.state(), "connected");
    phones::log_out(&app.app, &Scope::Everywhere, &phone, &Repeatable::never()).await.expect("a logout");
    app.run_jobs().await;
    assert_eq!(acme.overview(&workspace).await["whatsapp_accounts"][0]["connected"], false);
}

#[tokio::test]
async fn a_partner_without_connector_is_told() {
    let app = TestApp::start().await;
    let acme = app.partner_without_sandbox("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    let page = acme.page(&workspace, user).await;
    let shown = page.start().await;
    assert_eq!((shown.state(), &shown.0["error"]["code"]), ("failed", &json!("no_connector")));
}

#[tokio::test]
async fn a_disabled_partners_pages_start_nothing() {
    let Scene { app, page, .. } = scene().await;
    let id = entity::id::PartnerId::parse("acme").expect("an id");
    let origin = quartermaster::caller::Origin::operator();
    let disabled = entity::partner::Status::Disabled;
    quartermaster::partner::admin::set_status(&app.app, &origin, &id, disabled).await.expect("disabled");
    assert_eq!(page.try_start().await.expect(403)["code"], "workspace_suspended");
}

#[tokio::test]
async fn the_page_guards_its_secret_and_its_frame() {
    let Scene { app, acme, page, .. } = scene().await;
    let id = entity::id::PartnerId::parse("acme").expect("an id");
    let origins = ["https://portal.example.com".to_owned(), "http://127.0.0.1:9000".to_owned()];
    let origin = quartermaster::caller::Origin::operator();
    quartermaster::partner::brand::set_embedding_origins(&app.app, &origin, &id, &origins).await.expect("origins");
    let own = page.html("").await;
    let policy = own.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(own.header("referrer-policy"), "no-referrer");
    assert_eq!(own.header("cache-control"), "no-store");
    assert!(!own.text.contains("portal.example.com"));
    let embedded = page.html("?display_mode=embedding").await;
    let policy = embedded.header("content-security-policy");
    assert!(policy.ends_with("frame-ancestors http://127.0.0.1:9000 https://portal.example.com"), "{policy}");
    let other = app.partner("other").await;
    let workspace = other.workspace("Bakery", 1).await;
    let owner = other.owner(&workspace).await;
    let foreign = other.page(&workspace, owner).await;
    let policy = foreign.html("?display_mode=embedding").await;
    assert!(policy.header("content-security-policy").ends_with("frame-ancestors 'none'"), "no origins, no frame");
    drop(acme);
}

#[tokio::test]
async fn the_page_carries_the_brand_and_escapes_it() {
    let Scene { app, page, .. } = scene().await;
    let id = entity::id::PartnerId::parse("acme").expect("an id");
    let picture = b"\x89PNG\r\n\x1a\nnot really".to_vec();
    let brand = quartermaster::partner::brand::SetBrand {
        name: Some("<script>alert(1)</script>".to_owned()),
        color: Some("#ABCDEF".to_owned()),
        logo: Some(picture.clone()),
    };
    let origin = quartermaster::caller::Origin::operator();
    quartermaster::partner::brand::set(&app.app, &origin, &id, &brand).await.expect("a brand");
    let html = page.html("").await.text;
    assert!(!html.contains("<script>alert"), "{html}");
    assert!(html.contains("#abcdef"));
    let logo = app.http.get(format!("{}/logo", page.url)).send().await.expect("a logo");
    assert_eq!(logo.headers()["content-type"], "image/png");
    assert_eq!(logo.bytes().await.expect("bytes").to_vec(), picture);
    let unknown = Page::open(&app.http, &format!("{}/qr/unknown", app.base)).html("").await;
    assert_eq!(unknown.status.as_u16(), 404);
    assert!(unknown.text.contains("no such link"));
}
