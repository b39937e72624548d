//! A tour through everything that the page can show.

use serde_json::json;

use super::{Scene, portal::Portal};

/// Scripts of the page that ask for something wait for ever.
const STALL: &str = "window.fetch = () => new Promise(() => {})";

/// Brings the page to each place and calls `visit` with its name.
pub(super) async fn tour(scene: &mut Scene, visit: impl AsyncFn(&Scene, &'static str)) {
    let stalled = json!({ "source": STALL });
    let stalled = scene.browser.devtools("Page.addScriptToEvaluateOnNewDocument", stalled).await;
    scene.browser.open(&scene.url).await;
    scene.browser.until("document.body.innerText.includes('Getting a code')").await;
    visit(scene, "connecting").await;
    scene.browser.devtools("Page.removeScriptToEvaluateOnNewDocument", stalled).await;

    scene.show_code().await;
    visit(scene, "awaiting_scan").await;
    scene.ask_for_pairing("12").await;
    scene.browser.until("document.getElementById('phone-error').checkVisibility()").await;
    visit(scene, "invalid_number").await;
    scene.ask_for_pairing("+1 (555) 000-1111").await;
    scene.browser.until("document.getElementById('code').textContent").await;
    visit(scene, "pairing_code").await;
    scene.run_out().await;
    scene.browser.until("document.getElementById('scan-over').checkVisibility()").await;
    visit(scene, "pairing_code_only").await;

    scene.replace_link().await;
    scene.show_code().await;
    scene.run_out().await;
    scene.until("expired").await;
    visit(scene, "expired").await;
    for _ in 0..4 {
        scene.browser.click("#retry").await;
        scene.until("awaiting_scan").await;
        scene.run_out().await;
        scene.until("expired").await;
    }
    visit(scene, "attempts_spent").await;

    scene.replace_link().await;
    let code = scene.show_code().await;
    scene.scan(&code, "+15550000403").await;
    scene.until("failed").await;
    visit(scene, "failed").await;

    scene.replace_link().await;
    let code = scene.show_code().await;
    scene.scan(&code, "+15550001111").await;
    scene.until("connected").await;
    visit(scene, "connected").await;
    scene.browser.open(&scene.url).await;
    visit(scene, "used").await;

    scene.replace_link().await;
    scene.show_code().await;
    scene.revoke().await;
    scene.until("revoked").await;
    visit(scene, "revoked").await;

    scene.browser.open(&format!("{}/qr/unknown", scene.app.base)).await;
    visit(scene, "unknown").await;

    embedded(scene, &visit).await;

    scene.replace_link().await;
    scene.show_code().await;
    scene.app.advance(24 * 60 * 60).await;
    scene.until("link_expired").await;
    visit(scene, "link_expired").await;

    networks(scene, &visit).await;

    scene.replace_link().await;
    scene.show_code().await;
    scene.app.app.stop.send_replace(true);
    scene.browser.until("document.getElementById('offline').checkVisibility()").await;
    visit(scene, "offline").await;
}

async fn networks(scene: &mut Scene, visit: &impl AsyncFn(&Scene, &'static str)) {
    scene.renew_on("telegram").await;
    scene.show_code().await;
    visit(scene, "telegram").await;
    scene.renew_on("instagram").await;
    scene.browser.open(&scene.url).await;
    scene.until("sign_in").await;
    visit(scene, "sign_in").await;
    scene.sign_in("my_brand", "wrong_401").await;
    scene.browser.until("document.getElementById('login-error').checkVisibility()").await;
    visit(scene, "sign_in_refused").await;
    scene.sign_in("my_brand", "right_2fa").await;
    scene.until_asked("Two-factor code").await;
    visit(scene, "asking").await;
    scene.reply("000000").await;
    scene.browser.until("document.getElementById('answer-error').checkVisibility()").await;
    visit(scene, "wrong_code").await;
    scene.app.advance(301).await;
    scene.until("failed").await;
    visit(scene, "sign_in_over").await;
    scene.browser.click("#retry").await;
    scene.until("sign_in").await;
    scene.sign_in("my_brand", "right_app").await;
    scene.until_asked("Approve the sign-in").await;
    visit(scene, "approval").await;
}

async fn embedded(scene: &mut Scene, visit: &impl AsyncFn(&Scene, &'static str)) {
    let portal = Portal::start().await;
    scene.register(&portal).await;
    scene.replace_link().await;
    scene.browser.open(&portal.framing(&scene.embedded_url())).await;
    scene.browser.enter_frame().await;
    scene.until("awaiting_scan").await;
    visit(scene, "embedded").await;
    scene.browser.leave_frame().await;
}

impl Scene {
    async fn replace_link(&mut self) {
        self.url = self.acme.link(&self.workspace, self.user).await;
    }

    /// Fills the form for a pairing code and sends it.
    async fn ask_for_pairing(&self, phone: &str) {
        let fill = "document.getElementById('pairing').open = true;
            document.getElementById('phone').value = arguments[0];
            document.getElementById('pairing-form').requestSubmit()";
        self.browser.run_with(fill, &[json!(phone)]).await;
    }
}
