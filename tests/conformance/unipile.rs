//! Unipile, played by a server of our own, and what only it does: questions that a network asks, other networks than
//! WhatsApp, one address for all accounts of a key.

use std::sync::Arc;

use entity::{
    channel::{ConnectorKind, State},
    connector_session,
    id::{AttemptId, PartnerId},
    message::{self, Direction, Status},
};
use quartermaster::{
    caller::{Origin, WorkspaceCaller},
    channel::{
        answer::{self, Answer},
        link::Linked,
        named::Named,
    },
    connector::checkpoint::{Checkpoint, Kind},
    error::Error,
    token,
};
use reqwest::Method;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use crate::{
    conformance::{
        self, FileSent, OURS, Posted, Provider, Remote, RemoteState, Said, Scene, Signature, THEIRS, choose,
    },
    support::{
        Answer as Answered, TestApp,
        page::Page,
        provider::{IMPATIENT, Trouble},
        unipile::{CODE, KEY, PASSWORD, Unipile},
        upload::png,
    },
};

mod accounts;
mod addresses;
mod answers;

fn address(phone: &str) -> String {
    format!("{}@s.whatsapp.net", phone.trim_start_matches('+'))
}

fn attachments(file: Option<&(String, &str)>) -> Value {
    let file = file
        .map(|(name, content_type)| json!({ "id": name, "type": "img", "mimetype": content_type, "url": "att://x" }));
    file.into_iter().collect()
}

impl Unipile {
    pub(crate) fn message(&self, text: &str) -> Option<Value> {
        self.sent().into_iter().find(|message| message["text"] == text)
    }

    /// What stands in all events about a message.
    fn event(&self, event: &str, message_id: &str, after_seconds: u32) -> Value {
        json!({ "account_id": self.newest(), "account_type": "WHATSAPP", "event": event, "chat_id": "c",
            "account_info": { "type": "WHATSAPP", "user_id": address(OURS) }, "webhook_name": "quartermaster",
            "timestamp": format!("2026-09-10T08:00:{after_seconds:02}.000Z"), "message_id": message_id })
    }

    /// A message of the account's own.
    fn own_event(&self, id: &str, text: &str, after_seconds: u32) -> Value {
        let mut event = self.event("message_received", id, after_seconds);
        event["message"] = text.into();
        event["is_sender"] = true.into();
        event["sender"] = json!({ "attendee_provider_id": address(OURS) });
        event["attendees"] = json!([{ "attendee_provider_id": address(THEIRS) }]);
        event
    }

    async fn tell(&self, event: &Value) {
        self.post("messaging", &event.to_string(), None).await.expect(200);
    }
}

impl Provider for Unipile {
    const CODES: i32 = 1;
    const KEEPS_ACCOUNTS: bool = true;

    async fn set_up(app: &TestApp, partner: &PartnerId) -> Self {
        let unipile = Self::start().await;
        app.app.connectors.limit_to(IMPATIENT);
        choose(app, partner, ConnectorKind::Unipile, &unipile.url(), KEY).await;
        unipile
    }

    async fn show_code(&self, app: &TestApp, page: &Page) -> String {
        let code = self.next_code(app).await;
        assert_eq!(page.now().await.code(), code);
        code
    }

    async fn run_out(&self, app: &TestApp) {
        self.forget(&self.newest());
        app.advance(301).await;
    }

    async fn link(&self, _app: &TestApp, _code: &str) {
        Unipile::link(self, &self.newest(), OURS.trim_start_matches('+')).await;
    }

    fn trouble(&self, trouble: Trouble) -> String {
        self.sending.add(trouble);
        THEIRS.to_owned()
    }

    async fn taken(&self, _app: &TestApp, text: &str) -> usize {
        self.sent().iter().filter(|message| message["text"] == text).count()
    }

    async fn read(&self, app: &TestApp, text: &str) {
        let id = self.reference(text);
        for event in ["message_delivered", "message_read"] {
            self.tell(&self.event(event, &id, 1)).await;
            app.run_jobs().await;
        }
    }

    async fn write(&self, app: &TestApp, from: &str, text: &str) {
        let mut event = self.event("message_received", "IN0", 0);
        event["message"] = text.into();
        event["sender"] = json!({ "attendee_id": "x", "attendee_provider_id": address(from) });
        self.tell(&event).await;
        app.run_jobs().await;
    }

    async fn log_out(&self, app: &TestApp) {
        self.change(&self.newest(), "CREDENTIALS", "CREDENTIALS").await;
        app.run_jobs().await;
    }

    async fn is_gone(&self, app: &TestApp, session: AttemptId) -> bool {
        let row = connector_session::Entity::find_by_id(session).one(app.app.db.reader()).await.expect("a look");
        let id = row.and_then(|row| row.external_id).expect("an account");
        self.account(&id).is_none() && self.removed().contains(&id)
    }
}

impl Remote for Unipile {
    const REACTS: bool = false;

    async fn next_code(&self, app: &TestApp) -> String {
        app.run_jobs().await;
        self.account(&self.newest()).expect("an account").code
    }

    fn refuse_key(&self, refuses: bool) {
        Unipile::refuse_key(self, refuses);
    }

    fn trouble_asking(&self, trouble: Trouble) {
        self.asking.add(trouble);
    }

    async fn change(&self, state: RemoteState, is_silent: bool) {
        let status = match state {
            RemoteState::Working => "OK",
            RemoteState::Starting => "CONNECTING",
            RemoteState::Down => "STOPPED",
            RemoteState::AsksForCode => "CREDENTIALS",
            RemoteState::Unheard => "ON_HOLIDAY",
        };
        match is_silent {
            true => self.change_silently(&self.newest(), status),
            false => Unipile::change(self, &self.newest(), status, status).await,
        }
    }

    fn restarts(&self) -> u32 {
        self.account(&self.newest()).map_or(0, |account| account.restarts)
    }

    async fn tell_gone_out(&self, text: &str) {
        self.tell(&self.own_event(&self.reference(text), text, 0)).await;
    }

    fn callback(&self, said: &Said, number: u32) -> Posted {
        let body = match said {
            Said::Wrote { id, text, file } => {
                let mut event = self.event("message_received", id, number);
                event["message"] = (*text).into();
                event["sender"] = json!({ "attendee_provider_id": address(THEIRS) });
                event["attachments"] = attachments(file.as_ref());
                event
            }
            Said::Typed { id, text, file } => {
                let mut event = self.own_event(id, text, number);
                event["attachments"] = attachments(file.as_ref());
                event
            }
            Said::Delivered { reference } => self.event("message_delivered", reference, number),
            Said::Read { reference } => self.event("message_read", reference, number),
            Said::Reacted { reference, emoji } => {
                let mut event = self.event("message_reaction", reference, number);
                event["reaction"] = (*emoji).into();
                event["reaction_sender"] = json!({ "attendee_provider_id": address(THEIRS) });
                event
            }
            Said::ReactedOn { reference, emoji } => {
                let mut event = self.event("message_reaction", reference, number);
                event["reaction"] = (*emoji).into();
                event["reaction_sender"] = json!({ "attendee_provider_id": address(OURS) });
                event
            }
            Said::Unheard => self.event("moon_risen", "m", number),
        };
        Posted { session: self.newest(), body: body.to_string() }
    }

    fn address_of_key(&self) -> Option<String> {
        let addresses: Vec<Value> = self.webhooks().iter().map(|webhook| webhook["request_url"].clone()).collect();
        let first = addresses.first()?.as_str()?.to_owned();
        assert!(addresses.iter().all(|address| *address == first), "{addresses:?}");
        Some(first)
    }

    async fn post(&self, posted: &Posted, signature: Signature) -> u16 {
        let proof = match signature {
            Signature::Genuine => None,
            Signature::Forged => Some("another secret"),
            Signature::Missing => Some(""),
        };
        Unipile::post(self, "messaging", &posted.body, proof).await.status.as_u16()
    }

    fn keep(&self, name: &str, _content_type: &str, content: &[u8]) -> Option<String> {
        // Its ids are words.
        let name = name.replace('.', "-");
        Unipile::keep(self, &name, content);
        Some(name)
    }

    fn file_sent(&self) -> Option<FileSent> {
        let last = self.sent().pop()?;
        self.kept_file(last["id"].as_str()?).map(FileSent::Here)
    }

    fn reactions(&self) -> Vec<String> {
        Vec::new()
    }

    fn reference(&self, text: &str) -> String {
        self.message(text).expect("a message")["id"].as_str().expect("an id").to_owned()
    }
}

/// A channel of the workspace, and what is done with it.
struct Shop {
    scene: Scene<Unipile>,
    caller: Arc<WorkspaceCaller>,
    path: String,
    named: Named,
}

impl Shop {
    async fn with(network: &str, config: Value) -> Self {
        let scene = Scene::<Unipile>::new().await;
        let token = scene.token().await;
        let caller = token::check::check(&scene.app.app, token.token()).await.expect("a caller");
        let body = json!({ "name": "Support", "type": network, "config": config });
        let made = call(&scene, Method::POST, "", body).await.expect(201);
        let id = made["data"]["id"].as_str().expect("an id").to_owned();
        let named = Named::parse(id.trim_start_matches("ch_"));
        Self { scene, caller, path: format!("/{id}"), named }
    }

    async fn instagram(kinds: &[&str], password: &str) -> Self {
        let config = json!({ "connector": "unipile", "username": "my_brand", "password": password, "country": "sa" });
        let shop = Self::with("instagram", config).await;
        shop.scene.provider.will_ask(kinds);
        shop
    }

    async fn activate(&self) -> Answered {
        call(&self.scene, Method::POST, &format!("{}/activate", self.path), json!(null)).await
    }

    async fn attributes(&self) -> Value {
        call(&self.scene, Method::GET, &self.path, json!(null)).await.expect(200)["data"]["attributes"].clone()
    }

    async fn answer(&self, code: &str) -> Result<Linked, Error> {
        let code = Answer::parse(code).expect("an answer");
        answer::answer(&self.scene.app.app, &self.caller, &Origin::provider(), &self.named, &code).await
    }

    async fn ask_again(&self) -> Result<(), Error> {
        answer::ask_again(&self.scene.app.app, &self.caller, &self.named).await
    }

    async fn state(&self) -> State {
        self.scene.app.run_jobs().await;
        self.scene.channel().await.state
    }
}

async fn call(scene: &Scene<Unipile>, method: Method, path: &str, body: Value) -> Answered {
    let request = scene.app.http.request(method, format!("{}/v1/channels{path}", scene.app.base));
    let request = request.bearer_auth(scene.token().await.token());
    Answered::of(if body.is_null() { request } else { request.json(&body) }).await
}

#[track_caller]
fn asked(linked: Result<Linked, Error>) -> Checkpoint {
    match linked {
        Ok(Linked::Asking(asked)) => asked.checkpoint,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn word<T: std::fmt::Debug>(refused: Result<T, Error>) -> String {
    refused.expect_err("a refusal").code().to_string()
}

#[tokio::test]
async fn instagram_asks_as_often_as_it_likes() {
    let shop = Shop::instagram(&["OTP", "2FA", "CAPTCHA", "RIDDLE"], PASSWORD).await;
    assert_eq!(word(shop.answer(CODE).await), "nothing_asked");
    shop.activate().await.expect(200);
    let account = shop.scene.provider.account(&shop.scene.provider.newest()).expect("an account");
    assert_eq!((account.provider.as_str(), &account.country), ("INSTAGRAM", &json!("SA")));
    assert_eq!(word(shop.answer("000000").await), "challenge_wrong");
    shop.ask_again().await.expect("another code");
    assert_eq!(shop.scene.provider.resent(), 1);
    shop.scene.provider.is_patient(true);
    assert_eq!(word(shop.ask_again().await), "resend_too_soon");
    assert_eq!(asked(shop.answer(CODE).await), Checkpoint::of(Kind::TwoFactor));
    let captcha = asked(shop.answer(CODE).await);
    assert_eq!((captcha.kind, captcha.data), (Kind::Captcha, Some(json!({ "public_key": "captcha-key" }))));
    assert_eq!(word(shop.ask_again().await), "resend_not_offered");
    assert_eq!(asked(shop.answer(CODE).await), Checkpoint::of(Kind::Other));
    assert_eq!(shop.answer(CODE).await.expect("it is let in"), Linked::Connected);
    let row = shop.scene.channel().await;
    assert_eq!((row.state, row.external_id.as_str()), (State::Connected, "178414"));
    assert_eq!(shop.attributes().await["status"], "active");
    assert_eq!(word(shop.answer(CODE).await), "nothing_asked");
    let shown = call(&shop.scene, Method::GET, &shop.path, json!(null)).await;
    assert!(!shown.text.contains(PASSWORD), "{}", shown.text);
}

#[tokio::test]
async fn instagram_that_trusts_a_password_asks_nothing() {
    let shop = Shop::instagram(&[], PASSWORD).await;
    let answer = shop.activate().await.expect(200);
    assert_eq!(answer["data"]["attributes"]["status"], "active", "{answer}");
    // It may take its time to be set up.
    let slow = Shop::instagram(&[], PASSWORD).await;
    slow.scene.provider.is_slow(true);
    slow.activate().await.expect(200);
    for _ in 0..10 {
        slow.scene.app.advance(5).await;
    }
    assert_eq!((slow.state().await, slow.scene.provider.removed()), (State::Disconnected, vec![]));
    slow.scene.provider.is_slow(false);
    slow.scene.app.advance(5).await;
    assert_eq!(slow.state().await, State::Connected);
    let wrong = Shop::instagram(&[], "another password").await;
    let refused = wrong.activate().await.expect(422);
    assert_eq!(refused["error"]["code"], "CHANNEL_ERROR");
    // A key that is not accepted is not the customer's mistake, and is told apart.
    wrong.scene.provider.refuse_key(true);
    let refused = wrong.activate().await.expect(422);
    assert_eq!(refused["error"]["code"], "CHANNEL_ERROR");
    assert!(refused["error"]["message"].as_str().is_some_and(|text| text.contains("the operator")), "{refused}");
}

#[tokio::test]
async fn an_approval_in_the_app_is_waited_for() {
    let shop = Shop::instagram(&["IN_APP_VALIDATION"], PASSWORD).await;
    shop.activate().await.expect(200);
    shop.scene.app.advance(10).await;
    assert_eq!(shop.state().await, State::Disconnected);
    let provider = &shop.scene.provider;
    provider.change_silently(&provider.newest(), "OK");
    shop.scene.app.advance(6).await;
    assert_eq!(shop.state().await, State::Connected);
}

#[tokio::test]
async fn questions_that_nobody_answers_end_the_attempt() {
    let shop = Shop::instagram(&["OTP"], PASSWORD).await;
    shop.activate().await.expect(200);
    let provider = &shop.scene.provider;
    // Unipile itself has waited too long.
    provider.is_late(true);
    assert_eq!(shop.answer(CODE).await.expect("an end").into_error().code().to_string(), "challenge_expired");
    provider.is_late(false);
    shop.activate().await.expect(200);
    provider.forget(&provider.newest());
    assert_eq!(shop.answer(CODE).await.expect("an end").into_error().code().to_string(), "challenge_expired");
    shop.activate().await.expect(200);
    shop.scene.app.advance(301).await;
    assert_eq!(word(shop.answer(CODE).await), "nothing_asked");
    assert_eq!(shop.state().await, State::Disconnected);
    let session = shop.scene.channel().await.session;
    assert!(provider.is_gone(&shop.scene.app, session).await);
}

#[tokio::test]
async fn telegram_links_by_a_code_and_carries_messages() {
    let shop = Shop::with("telegram", json!({ "connector": "unipile" })).await;
    shop.activate().await.expect(200);
    let provider = &shop.scene.provider;
    let shown = shop.scene.app.http.get(format!("{}/v1/channels{}/qr-code", shop.scene.app.base, shop.path));
    let shown = Answered::of(shown.header("x-api-key", shop.scene.token().await.token())).await.expect(200);
    assert!(shown["qr"].as_str().is_some_and(|code| code.starts_with("tg://login?token=")), "{shown}");
    Provider::link(provider, &shop.scene.app, "").await;
    assert_eq!(shop.state().await, State::Connected);
    let row = shop.scene.channel().await;
    assert_eq!((row.external_id.as_str(), row.phone.as_str()), ("4711", OURS));
    let mut event = provider.event("message_received", "IN1", 1);
    event["account_type"] = "TELEGRAM".into();
    event["account_info"] = json!({ "type": "TELEGRAM", "user_id": "4711" });
    event["message"] = "Hi".into();
    event["sender"] = json!({ "attendee_provider_id": "4712", "attendee_name": "Ada" });
    provider.tell(&event).await;
    shop.scene.app.run_jobs().await;
    let conversation = format!("{}/conversation", shop.path);
    let request = shop.scene.app.http.post(format!("{}/v1/channels{conversation}", shop.scene.app.base));
    let request = request.header("x-api-key", shop.scene.token().await.token());
    Answered::of(request.json(&json!({ "to": "4712", "message": "Hello" }))).await.expect(201);
    shop.scene.app.advance(5).await;
    assert_eq!(provider.message("Hello").expect("a message")["to"], "4712");
}

#[tokio::test]
async fn a_pairing_code_takes_the_place_of_the_code_that_was_shown() {
    let scene = Scene::<Unipile>::new().await;
    let page = scene.page().await;
    page.start().await;
    scene.provider.show_code(&scene.app, &page).await;
    let before = scene.provider.newest();
    let paired = page.try_pair(OURS).await.expect(200);
    assert_eq!(paired["pairing"]["code"], "WZYEH1YY", "{paired}");
    assert_ne!(scene.provider.newest(), before);
    assert!(scene.provider.account(&before).is_none(), "what was begun before is given up");
    Unipile::link(&scene.provider, &scene.provider.newest(), "15550001111").await;
    scene.app.run_jobs().await;
    assert_eq!(scene.account().await["connected"], true);
}

/// Nothing but its text says whose message an event is about.
#[tokio::test]
async fn a_file_whose_answer_was_lost_is_recognised_by_its_name() {
    let scene = Scene::<Unipile>::linked().await;
    let (token, provider) = (scene.token().await, &scene.provider);
    let to = provider.trouble(Trouble::AnswerLost);
    let file = token.picture("cake.png", &png(1000, 1)).await;
    let lost = token.post("/messages", json!({ "phone": to, "file_uid": file })).await.expect(200);
    let lost = conformance::uid(&lost);
    scene.app.run_jobs().await;
    assert_eq!(scene.app.message(lost).await.status, Status::Unknown);
    let reference = provider.sent().pop().expect("a message")["id"].as_str().expect("an id").to_owned();
    for (id, text) in [("OWN1", "Look at this"), (reference.as_str(), "cake.png")] {
        let mut event = provider.own_event(id, text, 1);
        event["attachments"] = attachments(Some(&("somewhere".to_owned(), "image/png")));
        provider.tell(&event).await;
        scene.app.advance(5).await;
        let message = scene.app.message(lost).await;
        let (status, known) = if id == "OWN1" { (Status::Unknown, None) } else { (Status::Sent, Some(id)) };
        assert_eq!((message.status, message.provider_ref.as_deref()), (status, known), "{text}");
    }
    let sent = message::Entity::find().filter(message::Column::Direction.eq(Direction::Sent));
    assert_eq!(sent.count(scene.app.app.db.reader()).await.expect("a count"), 2);
}
