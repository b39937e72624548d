//! The page of an invitation, as who is invited sees it: readable, narrow enough, and usable by keyboard.

use std::path::PathBuf;

use serde_json::json;

use super::access::{ENTER, FOCUS, LEAST_CONTRAST, TAB};
use crate::support::{
    TestApp,
    browser::{Browser, Look},
    conversation::Conversations,
};

const STATE: &str = "document.querySelector('main').dataset.state";

/// What a reader and a narrow screen need, in both schemes; leaves pictures beside those of the onboarding page.
async fn check(browser: &Browser, place: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (size, width, height) in [("narrow", 320, 640), ("desktop", 1280, 900)] {
        for scheme in ["light", "dark"] {
            browser.look(Look { width, height, scheme }).await;
            browser.picture(&folder.join(format!("invitation-{place}-{size}-{scheme}.png"))).await;
            let least = browser.run(LEAST_CONTRAST).await;
            assert!(least["ratio"].as_f64().is_some_and(|ratio| ratio >= 4.5), "{place}, {scheme}: {least}");
            let document = "const root = document.documentElement;
                return [root.lang, root.scrollWidth <= innerWidth, document.querySelectorAll('h1').length,
                    document.title !== '', [...document.querySelectorAll('main *')].every((element) =>
                        element.getBoundingClientRect().right <= innerWidth)]";
            assert_eq!(browser.run(document).await, json!(["en", true, 1, true, true]), "{place}, {size}");
        }
    }
}

#[tokio::test]
async fn an_invitation_fits_every_screen_and_is_accepted_by_keyboard() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    // One word that is wider than a narrow screen.
    let long = "Bäckereiinnungsverbandsgeschäftsstellenleitung".repeat(2);
    bakery.partner.patch(&format!("/workspaces/{}", bakery.slug), json!({ "display_name": long })).await.expect(200);
    let body = json!({ "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee" });
    let invited = bakery.token.post("/workspace/invitations", body).await.expect(200)["data"].clone();
    let link = invited["invitation_link"].as_str().expect("a link").to_owned();
    let browser = Browser::start().await;
    browser.open(&format!("{link}x")).await;
    browser.until(&format!("{STATE} === 'unknown'")).await;
    check(&browser, "unknown").await;
    browser.open(&link).await;
    browser.until(&format!("{STATE} === 'open'")).await;
    check(&browser, "open").await;
    browser.press(TAB).await;
    assert_eq!(browser.run(FOCUS).await, json!({ "element": "button", "isMarked": true }));
    browser.press(ENTER).await;
    browser.until(&format!("{STATE} === 'accepted'")).await;
    check(&browser, "accepted").await;
    let unexpected: Vec<_> =
        browser.complaints().await.into_iter().filter(|entry| !entry.to_string().contains("404")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}
