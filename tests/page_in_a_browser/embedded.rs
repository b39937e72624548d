//! The page in a frame of the partner's website, and the messages between the two.

use std::cell::Cell;

use entity::id::PartnerId;
use quartermaster::{caller::Origin, partner::brand};
use serde_json::{Value, json};

use super::{Scene, portal::Portal};
use crate::support::page::{Page, read_qr};

/// The page in a frame on a registered origin.
pub(super) struct Framed {
    pub(super) scene: Scene,
    pub(super) portal: Portal,
    heard: Cell<usize>,
}

impl Framed {
    pub(super) async fn start() -> Self {
        let framed = Self { scene: Scene::set().await, portal: Portal::start().await, heard: Cell::new(0) };
        framed.scene.register(&framed.portal).await;
        framed.open(&framed.portal.framing(&framed.scene.embedded_url())).await;
        framed
    }

    async fn open(&self, url: &str) {
        self.heard.set(0);
        self.scene.browser.open(url).await;
        self.scene.browser.until("window.isLoaded").await;
    }

    /// The parent says something to the first frame.
    async fn say(&self, message: Value) {
        self.say_to(0, message).await;
    }

    async fn say_to(&self, frame: usize, message: Value) {
        self.scene
            .browser
            .run_with("frames[arguments[0]].postMessage(arguments[1], '*')", &[json!(frame), message])
            .await;
    }

    /// The next message that the parent hears, whatever it is.
    async fn hear(&self) -> Value {
        let next = self.heard.replace(self.heard.get() + 1);
        let message = self.scene.browser.until(&format!("window.heard[{next}]")).await;
        assert_eq!(message["origin"], json!(self.scene.app.base));
        message["data"].clone()
    }

    /// The next message, which is a code to scan; what it says.
    async fn hear_code(&self) -> String {
        let message = self.hear().await;
        assert_eq!(message["type"], "TIMELINES_QR_CODE_DATA", "{message}");
        read_qr(message["data"].as_str().expect("a picture"))
    }

    /// The next message that is no code is an error with this word.
    async fn hear_error(&self, word: &str) {
        let mut message = self.hear().await;
        while message["type"] == "TIMELINES_QR_CODE_DATA" {
            message = self.hear().await;
        }
        assert_eq!((&message["type"], &message["error"]), (&json!("TIMELINES_ERROR"), &json!(word)), "{message}");
        assert!(message["message"].as_str().is_some_and(|text| !text.is_empty()), "{message}");
    }

    async fn expect_connected(&self) {
        assert_eq!(self.hear().await, json!({ "type": "TIMELINES_QR_CONNECTED" }));
    }

    /// Waits until the framed page is in this state.
    async fn until(&self, state: &str) {
        self.scene.browser.enter_frame().await;
        self.scene.until(state).await;
        self.scene.browser.leave_frame().await;
    }

    /// What the framed page's code says.
    async fn code(&self) -> String {
        self.scene.browser.enter_frame().await;
        self.scene.until("awaiting_scan").await;
        let code = self.scene.code().await;
        self.scene.browser.leave_frame().await;
        code
    }
}

impl Scene {
    pub(super) fn embedded_url(&self) -> String {
        format!("{}?display_mode=embedding", self.url)
    }

    /// The partner registers a website, besides another.
    pub(super) async fn register(&self, portal: &Portal) {
        let id = PartnerId::parse("acme").expect("an id");
        let origins = [portal.origin.clone(), "https://portal.example.com".to_owned()];
        brand::set_embedding_origins(&self.app.app, &Origin::operator(), &id, &origins).await.expect("origins");
    }

    /// The browser has refused the frame, and nothing was started behind it.
    async fn expect_refused_frame(&self) {
        self.browser.enter_frame().await;
        assert_eq!(self.browser.run("return document.URL").await, "chrome-error://chromewebdata/");
        self.browser.leave_frame().await;
        let complaints = self.browser.complaints().await;
        assert!(complaints.iter().any(|entry| entry.to_string().contains("frame-ancestors")), "{complaints:?}");
        assert_eq!(self.browser.run("return window.heard").await, json!([]));
        assert_eq!(Page::open(&self.app.http, &self.url).now().await.state(), "ready");
    }
}

#[tokio::test]
async fn the_parent_is_given_each_code_and_told_of_success() {
    let framed = Framed::start().await;
    framed.say(json!({ "type": "TIMELINES_START_QR" })).await;
    let first = framed.hear_code().await;
    assert_eq!(first, framed.code().await);
    framed.scene.app.advance(20).await;
    let second = framed.hear_code().await;
    framed.scene.acme.scan(&first, "+15550001111").await.expect_error(410, "code_expired");
    framed.scene.scan(&second, "+15550001111").await;
    framed.expect_connected().await;
    framed.scene.expect_quiet_console().await;
}

#[tokio::test]
async fn the_parent_asks_for_a_pairing_code_and_hears_of_no_other() {
    let framed = Framed::start().await;
    framed.say(json!({ "type": "TIMELINES_START_PHONE_LINKING", "phone": "+15550001111" })).await;
    let message = framed.hear().await;
    assert_eq!(message["type"], "TIMELINES_PAIRING_CODE", "{message}");
    let code = message["code"].as_str().expect("a code");
    assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    framed.scene.browser.enter_frame().await;
    let shown = format!("{}-{}", &code[..4], &code[4..]);
    framed.scene.browser.until(&format!("document.body.innerText.includes('{shown}')")).await;
    framed.scene.browser.leave_frame().await;
    // The QR code rotates meanwhile; neither is posted for it.
    framed.scene.app.advance(20).await;
    let typed = json!({ "code": code, "phone": "+15550001111" });
    assert_eq!(framed.scene.acme.post("/sandbox/pair", typed).await.expect(200)["outcome"], "linked");
    framed.expect_connected().await;
    framed.scene.expect_quiet_console().await;
}

#[tokio::test]
async fn the_parent_is_told_of_expiry_and_of_failures_by_word_and_may_start_again() {
    let framed = Framed::start().await;
    framed.say(json!({ "type": "TIMELINES_START_QR" })).await;
    let first = framed.hear_code().await;
    framed.scene.run_out().await;
    framed.hear_error("qr_expired").await;
    framed.say(json!({ "type": "TIMELINES_START_QR" })).await;
    let second = framed.hear_code().await;
    assert_ne!(first, second);
    framed.scene.scan(&second, "+15550000403").await;
    framed.hear_error("banned").await;
    framed.say(json!({ "type": "TIMELINES_START_PHONE_LINKING", "phone": "+15550000429" })).await;
    framed.hear_error("pairing_refused").await;
    framed.say(json!({ "type": "TIMELINES_START_PHONE_LINKING", "phone": "call me" })).await;
    framed.hear_error("invalid_request").await;
    framed.scene.revoke().await;
    framed.hear_error("link_revoked").await;
    framed.scene.expect_quiet_console().await;
}

#[tokio::test]
async fn a_parent_that_asks_again_is_answered_again() {
    let framed = Framed::start().await;
    framed.until("awaiting_scan").await;
    framed.scene.revoke().await;
    framed.hear_error("link_revoked").await;
    for _ in 0..2 {
        framed.say(json!({ "type": "TIMELINES_START_QR" })).await;
        framed.hear_error("link_revoked").await;
    }
}

#[tokio::test]
async fn what_is_not_said_by_the_parent_is_not_heard_and_codes_are_not_posted_unasked() {
    let framed = Framed::start().await;
    let stranger = Portal::start().await;
    let browser = &framed.scene.browser;
    framed.open(&framed.portal.framing_beside(&framed.scene.embedded_url(), &stranger)).await;
    let code = framed.code().await;
    browser.enter_frame().await;
    browser.run("window.origins = []; addEventListener('message', (event) => origins.push(event.origin))").await;
    browser.leave_frame().await;
    framed.say_to(1, json!({ "type": "TIMELINES_START_QR" })).await;
    framed.say_to(1, json!({ "type": "TIMELINES_START_PHONE_LINKING", "phone": "+15550001111" })).await;
    browser.enter_frame().await;
    // The page's own listener comes before ours: it has heard what ours has.
    browser.until("window.origins.length === 2").await;
    assert_eq!(browser.run("return window.origins").await, json!([stranger.origin, stranger.origin]));
    browser.leave_frame().await;
    framed.scene.scan(&code, "+15550001111").await;
    framed.expect_connected().await;
}

#[tokio::test]
async fn what_the_parent_says_amiss_is_passed_over() {
    let framed = Framed::start().await;
    framed.until("awaiting_scan").await;
    for nonsense in [
        json!(null),
        json!("TIMELINES_START_QR"),
        json!({}),
        json!({ "type": "TIMELINES_START_PHONE_LINKING" }),
        json!({ "type": "TIMELINES_START_PHONE_LINKING", "phone": 15_550_001_111_i64 }),
        json!({ "type": "timelines_start_qr" }),
    ] {
        framed.say(nonsense).await;
    }
    framed.say(json!({ "type": "TIMELINES_START_QR" })).await;
    framed.hear_code().await;
    framed.scene.expect_quiet_console().await;
}

#[tokio::test]
async fn a_foreign_website_cannot_frame_the_page() {
    let scene = Scene::set().await;
    let (ours, foreign) = (Portal::start().await, Portal::start().await);
    scene.register(&ours).await;
    scene.browser.open(&foreign.framing(&scene.embedded_url())).await;
    scene.browser.until("window.isLoaded").await;
    scene.expect_refused_frame().await;
}

#[tokio::test]
async fn the_page_itself_cannot_be_framed_even_by_the_partner() {
    let scene = Scene::set().await;
    let portal = Portal::start().await;
    scene.register(&portal).await;
    scene.browser.open(&portal.framing(&scene.url)).await;
    scene.browser.until("window.isLoaded").await;
    scene.expect_refused_frame().await;
}

#[tokio::test]
async fn a_framing_website_cannot_be_framed_by_a_foreign_one() {
    let scene = Scene::set().await;
    let (ours, foreign) = (Portal::start().await, Portal::start().await);
    scene.register(&ours).await;
    scene.browser.open(&foreign.framing(&ours.framing(&scene.embedded_url()))).await;
    scene.browser.until("window.isLoaded").await;
    scene.browser.enter_frame().await;
    scene.expect_refused_frame().await;
}
