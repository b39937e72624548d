//! Pages of networks whose accounts sign in with user name and password, without a browser: what is asked, and what is
//! answered.

use entity::{
    attempt,
    channel::{ConnectorKind, Network},
    id::PartnerId,
};
use futures_util::StreamExt;
use quartermaster::{
    caller::Origin,
    connector::registry::{self, SetDefault},
};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};

use crate::{
    conformance::choose,
    support::{
        Answer, PartnerClient, Setup, TestApp,
        page::Page,
        provider::{IMPATIENT, Trouble},
        receiver::Receiver,
        unipile::{CODE, KEY, PASSWORD, Unipile},
    },
};

struct Scene {
    app: TestApp,
    acme: PartnerClient,
    workspace: String,
    user: i64,
    page: Page,
}

async fn scene() -> Scene {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 4).await;
    let user = acme.users(&workspace, 1).await[0];
    let page = Page::open(&app.http, &acme.link_on(&workspace, user, "instagram").await);
    Scene { app, acme, workspace, user, page }
}

impl Scene {
    async fn renew(&mut self) {
        self.page = Page::open(&self.app.http, &self.acme.link_on(&self.workspace, self.user, "instagram").await);
    }

    /// The channels of the workspace, as the Channels API lists them.
    async fn channels(&self) -> Vec<Value> {
        let token = self.acme.get(&format!("/workspaces/{}/api-token", self.workspace)).await.expect(200);
        let request = self.app.http.get(format!("{}/v1/channels", self.app.base));
        let listed = Answer::of(request.bearer_auth(token["token"].as_str().expect("a token"))).await.expect(200);
        listed["data"].as_array().expect("channels").clone()
    }

    async fn newest_attempt(&self) -> attempt::Model {
        let newest = attempt::Entity::find().order_by_desc(attempt::Column::Id);
        newest.one(self.app.app.db.reader()).await.expect("a look").expect("an attempt")
    }
}

#[track_caller]
fn question(shown: &Value) -> (&str, i64, i64) {
    assert_eq!(shown["state"], "asking", "{shown}");
    let question = &shown["question"];
    assert!(question["expires_in_ms"].as_i64().is_some_and(|left| left > 0), "{shown}");
    let number = |name: &str| question[name].as_i64().expect("a number");
    (question["kind"].as_str().expect("a kind"), number("seq"), number("tries_left"))
}

#[tokio::test]
async fn an_account_signs_in_with_two_rounds_of_codes_and_a_wrong_one_first() {
    let scene = scene().await;
    let mut events = scene.page.events().await;
    assert_eq!(events.next().await.expect("a state").state(), "sign_in");
    let shown = scene.page.sign_in("bakery", "page-secret_2fa").await.expect(200);
    assert_eq!(question(&shown), ("2FA", 1, 5));
    let again = scene.page.sign_in("bakery", "another_401").await.expect(200);
    assert_eq!((question(&again), &again["attempts_left"]), (("2FA", 1, 5), &json!(4)), "two clicks sign in once");
    assert_eq!(scene.page.answer(1, "000000").await.expect(400)["code"], "challenge_wrong");
    let shown = scene.page.now().await.0;
    assert_eq!(question(&shown), ("2FA", 1, 4));
    assert_eq!(scene.page.answer(2, "123456").await.expect(409)["code"], "nothing_asked", "not asked yet");
    let shown = scene.page.answer(1, "123456").await.expect(200);
    assert_eq!(question(&shown), ("OTP", 2, 4));
    assert_eq!(scene.page.answer(1, "123456").await.expect(409)["code"], "nothing_asked", "answered already");
    assert_eq!(scene.page.ask_again().await.expect(429)["code"], "resend_too_soon");
    scene.app.advance(31).await;
    assert_eq!(question(&scene.page.ask_again().await.expect(200)), ("OTP", 2, 4));
    let shown = scene.page.answer(2, " 654321 ").await.expect(200);
    assert_eq!(shown["state"], "connected");

    let mut states = vec!["sign_in".to_owned()];
    while let Some(state) = events.next().await {
        if states.last().is_none_or(|last| last != state.state()) {
            states.push(state.state().to_owned());
        }
    }
    states.retain(|state| state != "connecting");
    assert_eq!(states, ["sign_in", "asking", "connected"]);
    let channels = scene.channels().await;
    assert_eq!(channels.len(), 1);
    assert_eq!(
        (&channels[0]["attributes"]["channelType"], &channels[0]["attributes"]["status"]),
        (&json!("instagram"), &json!("active"))
    );
    let overview = scene.acme.overview(&scene.workspace).await;
    assert_eq!((&overview["whatsapp_accounts"], &overview["qr_links"]), (&json!([]), &json!([])));
    assert_eq!(scene.page.sign_in("bakery", "page-secret").await.expect(410)["code"], "link_used");
    let attempt = scene.newest_attempt().await;
    assert_eq!((attempt.checkpoint, attempt.answering_until), (None, None));
}

#[tokio::test]
async fn a_login_that_cannot_be_read_is_no_attempt() {
    let scene = scene().await;
    let refused = scene.page.try_start().await.expect(400);
    assert_eq!(refused["code"], "invalid_request", "it starts with a login only: {refused}");
    for (body, field) in [
        (json!({ "username": "bakery" }), "password"),
        (json!({ "password": "secret" }), "username"),
        (json!({ "username": " ", "password": "secret" }), "username"),
        (json!({ "username": "bakery", "password": "" }), "password"),
        (json!({ "username": "bakery", "password": "x".repeat(257) }), "password"),
    ] {
        let refused = Answer::of(scene.app.http.post(format!("{}/attempts", scene.page.url)).json(&body)).await;
        let refused = refused.expect(400);
        assert!(refused["detail"].as_str().is_some_and(|text| text.contains(field)), "{refused}");
    }
    assert_eq!(scene.page.now().await.0["attempts_left"], 5, "what cannot be read is no attempt");
}

#[tokio::test]
async fn what_goes_wrong_is_told_and_may_be_tried_again() {
    let mut scene = scene().await;
    let receiver = Receiver::start().await;
    let token = scene.acme.get(&format!("/workspaces/{}/api-token", scene.workspace)).await.expect(200);
    let hook = json!({ "url": receiver.url(), "events": ["channel.link_expired", "channel.credentials_required", "channel.error"] });
    let request = scene.app.http.post(format!("{}/v1/webhooks", scene.app.base));
    Answer::of(request.bearer_auth(token["token"].as_str().expect("a token")).json(&hook)).await.expect(201);
    for (password, code, told) in [
        ("page-secret_401", "login_refused", "channel.credentials_required"),
        ("page-secret_423", "banned", "channel.error"),
        ("page-secret_503", "provider_unavailable", "channel.error"),
        ("page-secret_captcha", "challenge_unsupported", "channel.error"),
    ] {
        let shown = scene.page.sign_in("bakery", password).await.expect(200);
        assert_eq!((&shown["state"], &shown["error"]["code"]), (&json!("failed"), &json!(code)), "{shown}");
        let message = shown["error"]["message"].as_str().expect("a sentence");
        assert!(!message.contains("WhatsApp") && !message.contains("number"), "{message}");
        scene.app.run_jobs().await;
        let heard = receiver.received().pop().expect("an event").json();
        assert_eq!((&heard["event"], &heard["data"]["reason"]), (&json!(told), &json!(code)), "{heard}");
        assert_eq!(heard["data"]["attemptId"], json!(scene.newest_attempt().await.id));
        receiver.forget();
    }
    // A code that comes too late, by the network's word and by the clock.
    let shown = scene.page.sign_in("bakery", "page-secret_410").await.expect(200);
    assert_eq!(question(&shown), ("OTP", 1, 5));
    let shown = scene.page.answer(1, "123456").await.expect(200);
    assert_eq!((&shown["error"]["code"], &shown["attempts_left"]), (&json!("challenge_expired"), &json!(0)));
    scene.app.run_jobs().await;
    assert_eq!(receiver.received().pop().expect("an event").json()["event"], "channel.link_expired");
    assert_eq!(scene.page.sign_in("bakery", "page-secret").await.expect(409)["code"], "attempts_spent");
    scene.renew().await;
    scene.page.sign_in("bakery", "page-secret_otp").await.expect(200);
    scene.app.advance(301).await;
    let shown = scene.page.now().await.0;
    assert_eq!((&shown["state"], &shown["error"]["code"]), (&json!("failed"), &json!("challenge_expired")));
    assert_eq!(scene.page.answer(1, "123456").await.expect(409)["code"], "nothing_asked");
    // Wrong too often.
    scene.page.sign_in("bakery", "page-secret_otp").await.expect(200);
    for left in [4, 3, 2, 1] {
        scene.page.answer(1, "000000").await.expect(400);
        assert_eq!(question(&scene.page.now().await.0), ("OTP", 1, left));
        scene.app.advance(1).await;
    }
    let shown = scene.page.answer(1, "000000").await.expect(200);
    assert_eq!((&shown["state"], &shown["error"]["code"]), (&json!("failed"), &json!("too_many_answers")));
    assert_eq!(scene.page.answer(1, "123456").await.expect(409)["code"], "nothing_asked");
    // An approval in the app, which nobody types.
    scene.renew().await;
    let shown = scene.page.sign_in("bakery", "page-secret_app").await.expect(200);
    assert_eq!(question(&shown), ("IN_APP_VALIDATION", 1, 5));
    assert_eq!(scene.page.answer(1, "123456").await.expect(409)["code"], "nothing_asked");
    assert_eq!(scene.page.ask_again().await.expect(409)["code"], "resend_not_offered");
    scene.app.advance(11).await;
    assert_eq!(scene.page.now().await.state(), "connected");
}

#[tokio::test]
async fn two_answers_at_once_are_one() {
    let scene = scene().await;
    scene.page.sign_in("bakery", "page-secret_2fa").await.expect(200);
    let answers = (0..4).map(|_| scene.page.answer(1, "123456"));
    let answers = futures_util::future::join_all(answers).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 409, 503].contains(status)), "{statuses:?}");
    assert_eq!(question(&scene.page.now().await.0), ("OTP", 2, 5), "the second question is still open");
}

#[tokio::test]
async fn a_link_that_is_taken_back_takes_no_answer() {
    let scene = scene().await;
    scene.page.sign_in("bakery", "page-secret_2fa").await.expect(200);
    let path = format!("/workspaces/{}/users/{}/qr", scene.workspace, scene.user);
    scene.acme.delete(&path).await.expect(200);
    assert_eq!(scene.page.answer(1, "123456").await.expect(410)["code"], "link_revoked");
    assert_eq!(scene.page.ask_again().await.expect(410)["code"], "link_revoked");
    assert_eq!(scene.page.now().await.state(), "revoked");
    scene.app.run_jobs().await;
    assert_eq!(scene.channels().await, Vec::<Value>::new());
    let refused = scene.acme.post(&path, json!({ "network": "sms" })).await;
    refused.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn a_telegram_account_is_linked_by_a_code() {
    let scene = scene().await;
    let page = Page::open(&scene.app.http, &scene.acme.link_on(&scene.workspace, scene.user, "telegram").await);
    let code = page.start().await.code();
    assert!(code.starts_with("tg://login?token="), "{code}");
    scene.acme.scan(&code, "+15550001111").await.expect(200);
    assert_eq!(page.now().await.state(), "connected");
    let channels = scene.channels().await;
    assert_eq!(
        (&channels[0]["attributes"]["channelType"], &channels[0]["attributes"]["status"]),
        (&json!("telegram"), &json!("active"))
    );
}

#[tokio::test]
async fn an_account_signs_in_through_unipile() {
    let app = TestApp::start().await;
    let acme = app.partner_without_sandbox("acme").await;
    let workspace = acme.workspace("Bakery", 3).await;
    let user = acme.users(&workspace, 1).await[0];
    let partner = PartnerId::parse("acme").expect("an id");
    let unipile = Unipile::start().await;
    app.app.connectors.limit_to(IMPATIENT);
    choose(&app, &partner, ConnectorKind::Unipile, &unipile.url(), KEY).await;
    for network in [Network::Instagram, Network::Telegram] {
        let choice = SetDefault { partner_id: Some(partner.clone()), network, connector: Some(ConnectorKind::Unipile) };
        registry::set_default(&app.app, &Origin::operator(), &choice).await.expect("a choice");
    }
    unipile.will_ask(&["2FA", "OTP"]);
    let page = Page::open(&app.http, &acme.link_on(&workspace, user, "instagram").await);
    let shown = page.sign_in("my_brand", "a-wrong-password").await.expect(200);
    assert_eq!(shown["error"]["code"], "login_refused");
    let shown = page.sign_in("my_brand", PASSWORD).await.expect(200);
    assert_eq!(question(&shown), ("2FA", 1, 5));
    assert_eq!(page.answer(1, "111111").await.expect(400)["code"], "challenge_wrong");
    unipile.is_patient(true);
    assert_eq!(page.ask_again().await.expect(429)["code"], "resend_too_soon");
    unipile.is_patient(false);
    assert_eq!(question(&page.ask_again().await.expect(200)), ("2FA", 1, 4));
    assert_eq!(unipile.resent(), 1);
    assert_eq!(question(&page.answer(1, CODE).await.expect(200)), ("OTP", 2, 4));
    app.advance(30).await;
    assert_eq!(question(&page.now().await.0), ("OTP", 2, 4), "a look is no news");
    assert_eq!(page.answer(2, CODE).await.expect(200)["state"], "connected");
    // What nobody answers for leaves the form, and no account.
    let page = Page::open(&app.http, &acme.link_on(&workspace, user, "instagram").await);
    unipile.asking.add(Trouble::Unavailable);
    let shown = page.sign_in("my_brand", PASSWORD).await.expect(200);
    assert_eq!((&shown["state"], &shown["error"]["code"]), (&json!("failed"), &json!("provider_unavailable")));
    // Telegram shows its one code, which runs out with its intent; a new attempt shows another.
    let page = Page::open(&app.http, &acme.link_on(&workspace, user, "telegram").await);
    let first = page.start().await.code();
    assert!(first.starts_with("tg://login?token="), "{first}");
    app.advance(299).await;
    assert_eq!(page.now().await.code(), first);
    unipile.forget(&unipile.newest());
    app.advance(2).await;
    let shown = page.now().await;
    assert_eq!((shown.state(), &shown.0["error"]["code"]), ("expired", &json!("qr_expired")));
    let second = page.start().await.code();
    assert_ne!(first, second);
    unipile.link(&unipile.newest(), "15550001111").await;
    app.run_jobs().await;
    assert_eq!(page.now().await.state(), "connected");
}
