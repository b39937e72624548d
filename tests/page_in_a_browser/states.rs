//! Every state of the page, and how it comes to be.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Scene;

#[tokio::test]
async fn a_phone_connects_with_the_code_that_a_stranger_reads_from_the_screen() {
    let scene = Scene::live().await;
    scene.browser.open(&scene.url).await;
    scene.until("awaiting_scan").await;
    let code = scene.code_on_screen().await;
    assert!(code.starts_with("2@"), "{code}");
    let scanned = scene.acme.scan(&code, "+15550001111").await.expect(200);
    #[expect(clippy::disallowed_methods, reason = "the promise is about a person's time")]
    let since = Instant::now();
    assert_eq!(scanned["outcome"], "linked");
    let overview = scene.acme.overview(&scene.workspace).await;
    assert_eq!(overview["whatsapp_accounts"][0]["phone_number_e164"], "+15550001111");
    assert_eq!(overview["whatsapp_accounts"][0]["connected"], true);
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    scene.until("connected").await;
    assert!(scene.text().await.contains("WhatsApp is linked"));
    assert_eq!(scene.announcement().await, "WhatsApp is connected.");
    scene.expect_quiet_console().await;
}

#[tokio::test]
async fn the_code_on_the_screen_is_replaced_and_the_old_one_is_dead() {
    let scene = Scene::set().await;
    let first = scene.show_code().await;
    assert_eq!(scene.code_on_screen().await, first);
    scene.app.advance(20).await;
    let second = scene.code_after(&first).await;
    assert_eq!(scene.code_on_screen().await, second);
    scene.acme.scan(&first, "+15550001111").await.expect_error(410, "code_expired");
    scene.scan(&second, "+15550001111").await;
    scene.until("connected").await;
    scene.expect_quiet_console().await;
}

#[tokio::test]
async fn what_ran_out_is_started_again_by_the_button() {
    let scene = Scene::set().await;
    let first = scene.show_code().await;
    scene.run_out().await;
    scene.until("expired").await;
    let text = scene.text().await;
    assert!(text.contains("The code has expired") && text.contains("not scanned in time"), "{text}");
    assert_eq!(scene.announcement().await, "The code was not scanned in time.");
    scene.browser.click("#retry").await;
    scene.until("awaiting_scan").await;
    let second = scene.code_after(&first).await;
    assert_eq!(scene.code_on_screen().await, second);
    scene.scan(&second, "+15550001111").await;
    scene.until("connected").await;
    scene.expect_quiet_console().await;
}

#[tokio::test]
async fn the_last_attempt_leaves_no_button() {
    let scene = Scene::set().await;
    scene.show_code().await;
    for attempt in 1..=5 {
        scene.run_out().await;
        scene.until("expired").await;
        if attempt < 5 {
            scene.browser.click("#retry").await;
            scene.until("awaiting_scan").await;
        }
    }
    let text = scene.text().await;
    assert!(text.contains("Please ask for a new link") && !text.contains("Get a new code"), "{text}");
}

#[tokio::test]
async fn a_link_that_is_taken_back_closes_the_open_page() {
    let scene = Scene::set().await;
    scene.show_code().await;
    scene.revoke().await;
    scene.until("revoked").await;
    assert!(scene.text().await.contains("This link was taken back"));
    assert_eq!(scene.announcement().await, "This link was taken back.");
    let images = "return [...document.images].filter((image) => image.checkVisibility()).length";
    assert_eq!(scene.browser.run(images).await, 0, "no code is left to scan");
    scene.browser.open(&scene.url).await;
    scene.until("revoked").await;
    scene.expect_quiet_console().await;
}

#[tokio::test]
async fn a_link_whose_time_is_over_closes_the_open_page() {
    let scene = Scene::set().await;
    scene.show_code().await;
    scene.app.advance(24 * 60 * 60).await;
    scene.until("link_expired").await;
    scene.browser.open(&scene.url).await;
    scene.until("link_expired").await;
    assert!(scene.text().await.contains("This link has expired"));
    scene.expect_quiet_console().await;
}

#[tokio::test]
async fn a_used_link_says_so_to_who_opens_it_again() {
    let scene = Scene::set().await;
    let code = scene.show_code().await;
    scene.scan(&code, "+15550001111").await;
    scene.until("connected").await;
    scene.browser.open(&scene.url).await;
    scene.until("used").await;
    assert!(scene.text().await.contains("This link has been used"));
    scene.expect_quiet_console().await;
}

#[tokio::test]
async fn an_unknown_link_is_no_link() {
    let scene = Scene::set().await;
    scene.browser.open(&format!("{}/qr/unknown", scene.app.base)).await;
    assert!(scene.text().await.contains("There is no such link"));
    scene.expect_quiet_console().await;
}

#[tokio::test]
async fn a_failure_is_told_with_its_reason() {
    for (phone, reason) in [
        ("+15550000403", "WhatsApp has banned this number."),
        ("+15550000402", "WhatsApp asks for a payment before this number can be linked."),
    ] {
        let scene = Scene::set().await;
        let code = scene.show_code().await;
        scene.scan(&code, phone).await;
        scene.until("failed").await;
        let text = scene.text().await;
        assert!(text.contains("That did not work") && text.contains(reason), "{text}");
        assert_eq!(scene.announcement().await, json!(reason));
        scene.browser.click("#retry").await;
        scene.until("awaiting_scan").await;
        scene.expect_quiet_console().await;
    }
}

#[tokio::test]
async fn a_lost_connection_is_told() {
    let scene = Scene::set().await;
    scene.show_code().await;
    scene.app.app.stop.send_replace(true);
    scene.browser.until("document.getElementById('offline').checkVisibility()").await;
}
