//! The page of each network that it links accounts of, up to the account that is connected.

use serde_json::{Value, json};

use super::Scene;

impl Scene {
    /// Takes a new link, for an account of this network.
    pub(super) async fn renew_on(&mut self, network: &str) {
        self.url = self.acme.link_on(&self.workspace, self.user, network).await;
    }

    /// Types into a field and presses Enter.
    pub(super) async fn type_into(&self, field: &str, text: &str) {
        self.browser.click(field).await;
        self.browser.run_with("document.querySelector(arguments[0]).select()", &[json!(field)]).await;
        self.browser.press(text).await;
    }

    pub(super) async fn sign_in(&self, username: &str, password: &str) {
        self.type_into("#username", username).await;
        self.type_into("#password", password).await;
        self.browser.press("\u{E007}").await;
    }

    pub(super) async fn reply(&self, code: &str) {
        self.type_into("#answer", code).await;
        self.browser.press("\u{E007}").await;
    }

    /// Waits until the page asks this.
    pub(super) async fn until_asked(&self, title: &str) {
        let is_asked = format!("document.getElementById('question-title').textContent === '{title}'");
        self.until("asking").await;
        self.browser.until(&is_asked).await;
    }

    /// The networks of the accounts that are connected.
    async fn connected(&self) -> Vec<Value> {
        use sea_orm::EntityTrait;
        let channels = entity::channel::Entity::find().all(self.app.app.db.reader()).await.expect("channels");
        let connected = channels.into_iter().filter(|channel| channel.state == entity::channel::State::Connected);
        connected.map(|channel| json!(channel.network)).collect()
    }
}

#[tokio::test]
async fn a_whatsapp_and_a_telegram_are_linked_by_the_codes_on_the_screen() {
    for (network, name, begin, place) in [
        ("whatsapp", "WhatsApp", "2@", "Linked devices"),
        ("telegram", "Telegram", "tg://login?token=", "Link Desktop Device"),
    ] {
        let mut scene = Scene::live().await;
        scene.renew_on(network).await;
        scene.browser.open(&scene.url).await;
        scene.until("awaiting_scan").await;
        let text = scene.text().await;
        assert!(text.contains(&format!("Connect {name}")) && text.contains(place), "{text}");
        assert_eq!(text.contains("phone number"), network == "whatsapp", "{text}");
        let code = scene.code_on_screen().await;
        assert!(code.starts_with(begin), "{code}");
        scene.scan(&code, "+15550001111").await;
        scene.until("connected").await;
        assert!(scene.text().await.contains(&format!("{name} is linked")));
        assert_eq!(scene.announcement().await, format!("{name} is connected."));
        assert_eq!(scene.connected().await, [json!(network)]);
        scene.expect_quiet_console().await;
    }
}

#[tokio::test]
async fn an_instagram_is_linked_with_a_wrong_code_and_then_the_right_ones() {
    let mut scene = Scene::live().await;
    scene.renew_on("instagram").await;
    scene.browser.open(&scene.url).await;
    scene.until("sign_in").await;
    assert!(scene.text().await.contains("Connect Instagram"));
    // Nothing typed, then a wrong password.
    scene.browser.click("#login-form button").await;
    scene.browser.until("document.getElementById('login-error').checkVisibility()").await;
    scene.sign_in("my_brand", "wrong_401").await;
    let refused = "document.getElementById('login-error').textContent.includes('is wrong')";
    scene.browser.until(refused).await;
    scene.until("sign_in").await;
    let left = "return [username.value, password.value, document.activeElement.id, username.ariaInvalid]";
    assert_eq!(scene.browser.run(left).await, json!(["my_brand", "", "password", "true"]));
    scene.sign_in("my_brand", "right_2fa").await;
    scene.until_asked("Two-factor code").await;
    assert_eq!(scene.browser.run("return document.activeElement.id").await, "answer");
    assert_eq!(scene.browser.run("return document.getElementById('password').value").await, "");
    scene.reply("000000").await;
    scene.browser.until("document.getElementById('answer-error').textContent.includes('not the right code')").await;
    assert_eq!(
        scene.browser.run("return [answer.ariaInvalid, document.activeElement.id]").await,
        json!(["true", "answer"])
    );
    scene.browser.click("#resend").await;
    scene.browser.until("document.getElementById('answer-error').textContent.includes('half a minute')").await;
    scene.reply("123456").await;
    scene.until_asked("Check your messages").await;
    assert!(scene.announcement().await.as_str().is_some_and(|text| text.contains("has sent you")));
    assert_eq!(scene.browser.run("return [answer.value, answer.ariaInvalid]").await, json!(["", "false"]));
    scene.reply("654321").await;
    scene.until("connected").await;
    assert!(scene.text().await.contains("Instagram is linked"));
    assert_eq!(scene.connected().await, [json!("instagram")]);
    // What was typed is in no address, no storage and no field.
    let kept = scene.browser.run(
        "return [location.href, JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie,
            ...[...document.querySelectorAll('input')].map((input) => input.value),
            ...performance.getEntriesByType('resource').map((entry) => entry.name)].join('\\n')",
    );
    let kept = kept.await.as_str().expect("a text").to_owned();
    for secret in ["right_2fa", "wrong_401", "123456", "654321", "000000"] {
        assert!(!kept.contains(secret), "{secret}: {kept}");
    }
    scene.expect_quiet_console().await;
}

#[tokio::test]
async fn what_ended_a_sign_in_is_told_and_the_form_comes_again() {
    let mut scene = Scene::set().await;
    scene.renew_on("instagram").await;
    scene.browser.open(&scene.url).await;
    scene.until("sign_in").await;
    scene.sign_in("my_brand", "right_otp").await;
    scene.until_asked("Check your messages").await;
    for _ in 0..4 {
        scene.reply("000000").await;
        scene.browser.until("document.getElementById('answer-error').checkVisibility()").await;
    }
    scene.app.advance(301).await;
    scene.until("failed").await;
    let text = scene.text().await;
    assert!(text.contains("stopped waiting") && text.contains("Sign in again"), "{text}");
    scene.browser.click("#retry").await;
    scene.until("sign_in").await;
    assert_eq!(scene.browser.run("return [username.value, password.value]").await, json!(["my_brand", ""]));
    scene.sign_in("my_brand", "right_captcha").await;
    scene.until("failed").await;
    assert!(scene.text().await.contains("cannot be given here"));
    scene.browser.click("#retry").await;
    scene.until("sign_in").await;
    // An approval is given elsewhere: the page goes on by itself, and two clicks sign in once.
    scene.type_into("#username", "my_brand").await;
    scene.type_into("#password", "right_app").await;
    let twice = "const form = document.getElementById('login-form'); form.requestSubmit(); form.requestSubmit();";
    scene.browser.run(twice).await;
    scene.until_asked("Approve the sign-in").await;
    assert_eq!(scene.browser.run("return document.getElementById('answer-form').checkVisibility()").await, false);
    scene.app.advance(11).await;
    scene.until("connected").await;
    scene.expect_quiet_console().await;
}
