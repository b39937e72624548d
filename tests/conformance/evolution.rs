//! Evolution API, played by a server of our own.

use entity::{
    channel::{ConnectorKind, DisconnectReason},
    id::{AttemptId, PartnerId},
    message::Status,
};
use quartermaster::connector::session;
use serde_json::{Value, json};

use crate::{
    conformance::{
        FileSent, OURS, Posted, Provider, Remote, RemoteState, Said, Scene, Signature, THEIRS,
        answers::{Answering, GROUP, Wrote},
        choose,
    },
    support::{
        Answer, Setup, TestApp,
        evolution::{Evolution, KEY, event_of, token},
        page::Page,
        provider::{IMPATIENT, Trouble},
        receiver::Receiver,
    },
};

fn digits(phone: &str) -> &str {
    phone.trim_start_matches('+')
}

fn theirs() -> String {
    format!("{}@s.whatsapp.net", digits(THEIRS))
}

/// The events of the Channels API that a receiver got since it was last asked, sorted.
async fn told(scene: &Scene<Evolution>, receiver: &Receiver) -> Vec<String> {
    scene.app.run_jobs().await;
    let event = |body: &Value| body["event"].as_str().expect("a type").to_owned();
    let mut told: Vec<String> = receiver.received().iter().map(|one| event(&one.json())).collect();
    receiver.forget();
    told.sort();
    told
}

async fn heard(scene: &Scene<Evolution>) -> Receiver {
    let receiver = Receiver::start().await;
    let hook = scene.app.http.post(format!("{}/v1/webhooks", scene.app.base));
    let body = json!({ "url": receiver.url(), "events": ["channel.error", "channel.disconnected", "channel.credentials_required"] });
    Answer::of(hook.bearer_auth(scene.token().await.token()).json(&body)).await.expect(201);
    receiver
}

async fn linked() -> Scene<Evolution> {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let scene = Scene::<Evolution>::at(app).await;
    scene.link().await;
    scene
}

#[tokio::test]
async fn an_instance_that_never_has_a_code_is_given_up_soon() {
    let scene = Scene::<Evolution>::new().await;
    let page = scene.page().await;
    page.start().await;
    let session = scene.provider.newest();
    for _ in 0..7 {
        scene.app.advance(2).await;
        assert_eq!(page.now().await.state(), "connecting");
    }
    scene.app.advance(4).await;
    let shown = page.now().await;
    assert_eq!((shown.state(), &shown.0["error"]["code"]), ("failed", &"qr_unavailable".into()));
    assert!(scene.provider.removed().contains(&session), "nothing is left at the provider");
    // One call begins anew.
    page.start().await;
    let code = Provider::show_code(&scene.provider, &scene.app, &page).await;
    Provider::link(&scene.provider, &scene.app, &code).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.account().await["connected"], true);
}

/// It says `connecting`, and either finds its way back or has a code to scan.
#[tokio::test]
async fn a_linked_instance_does_not_connect_for_ever() {
    let scene = linked().await;
    let name = scene.provider.newest();
    let receiver = heard(&scene).await;
    Evolution::change(&scene.provider, &name, "connecting", None).await;
    scene.app.run_jobs().await;
    scene.app.advance(20).await;
    assert_eq!((scene.account().await["connected"].clone(), scene.provider.restarts()), (true.into(), 0));
    Evolution::change(&scene.provider, &name, "open", None).await;
    scene.app.advance(60).await;
    assert_eq!((scene.account().await["connected"].clone(), scene.provider.restarts()), (true.into(), 0));
    // Nor does it after it was closed for a moment, and restarted: it remembers the code that it was linked with.
    Evolution::change(&scene.provider, &name, "close", Some(428)).await;
    scene.app.run_jobs().await;
    Evolution::change(&scene.provider, &name, "connecting", None).await;
    scene.app.run_jobs().await;
    scene.app.advance(31).await;
    assert_eq!((scene.account().await["connected"].clone(), scene.provider.restarts()), (true.into(), 2));
    Evolution::change(&scene.provider, &name, "open", None).await;
    scene.app.advance(60).await;
    assert_eq!(scene.account().await["connected"], true);
    told(&scene, &receiver).await;
    // It hangs, and is restarted until that is given up.
    Evolution::change(&scene.provider, &name, "connecting", None).await;
    scene.app.run_jobs().await;
    for seconds in [30, 30, 60] {
        scene.app.advance(seconds).await;
        assert_eq!(scene.account().await["connected"], true);
    }
    scene.app.advance(120).await;
    assert_eq!((scene.account().await["connected"].clone(), scene.provider.restarts()), (false.into(), 5));
    assert_eq!(told(&scene, &receiver).await, ["channel.disconnected", "channel.error"]);
    assert!(scene.provider.removed().is_empty());
    // It is back, and then the phone lets it go.
    Evolution::change(&scene.provider, &name, "open", None).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.account().await["connected"], true);
    told(&scene, &receiver).await;
    Evolution::show_code(&scene.provider, &name).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.account().await["connected"], true, "it may find its way back");
    Evolution::show_code(&scene.provider, &name).await;
    scene.app.advance(31).await;
    assert_eq!(scene.account().await["connected"], false);
    let events = told(&scene, &receiver).await;
    assert_eq!(events, ["channel.credentials_required", "channel.disconnected", "channel.error"]);
    assert_eq!(scene.provider.removed(), [name]);
}

#[tokio::test]
async fn a_ban_is_no_log_out() {
    for reason in [402, 403, 406] {
        let scene = linked().await;
        let receiver = heard(&scene).await;
        let name = scene.provider.newest();
        Evolution::change(&scene.provider, &name, "close", Some(reason)).await;
        assert_eq!(told(&scene, &receiver).await, ["channel.disconnected", "channel.error"], "{reason}");
        let channel = scene.channel().await;
        assert_eq!(channel.disconnect_reason, Some(DisconnectReason::Banned));
        assert_eq!((scene.provider.restarts(), scene.provider.removed()), (0, vec![name]), "{reason}");
        let path = format!("api/v1/channels/whatsapp/status?account_id=wa_{}", channel.id);
        let status = scene.app.http.get(format!("{}/{path}", scene.app.base));
        let status = Answer::of(status.header("X-Api-Key", scene.token().await.token())).await.expect(200);
        assert_eq!((&status["data"]["sync_status"], &status["data"]["is_connected"]), (&json!("ERROR"), &json!(false)));
    }
}

#[tokio::test]
async fn a_webhook_that_was_lost_is_set_again() {
    let scene = linked().await;
    let name = scene.provider.newest();
    let before = scene.provider.hook(&name);
    scene.provider.forget_hook(&name);
    scene.app.clock.advance(std::time::Duration::from_secs(301));
    session::probe(&scene.app.app).await.expect("a probe");
    scene.app.run_jobs().await;
    assert_eq!(scene.provider.hook(&name), before);
    Provider::write(&scene.provider, &scene.app, THEIRS, "Hi").await;
    let chats = scene.token().await.get("/chats").await.expect(200);
    assert_eq!(chats["data"]["chats"].as_array().map(Vec::len), Some(1), "{chats}");
}

/// Whatever the status: an instance that is not connected has sent nothing.
#[tokio::test]
async fn a_message_is_kept_while_the_connection_is_closed() {
    for said in [
        (400, r#"{"status":400,"error":"Bad Request","response":{"message":["Error: Connection Closed"]}}"#),
        (500, r#"{"status":500,"error":"Internal Server Error","response":{"message":["Connection Closed"]}}"#),
        (500, r#"{"status":500,"error":"Internal Server Error","response":{"message":"Connection Closed"}}"#),
    ] {
        let scene = linked().await;
        let name = scene.provider.newest();
        scene.provider.change_silently(&name, "close", Some(428));
        let to = scene.provider.trouble(Trouble::Says(said.0, said.1));
        let id = scene.send(&to, "Hello").await;
        let message = scene.app.message(id).await;
        assert_eq!((message.status, message.failure), (Status::Queued, None), "{said:?}");
        assert_eq!(scene.provider.restarts(), 1, "it was looked at: {said:?}");
        // The fake says it itself now.
        scene.app.advance(3).await;
        assert_eq!(scene.app.message(id).await.status, Status::Queued, "{said:?}");
        Evolution::change(&scene.provider, &name, "open", None).await;
        scene.app.advance(31).await;
        assert_eq!((scene.app.message(id).await.status, scene.used().await), (Status::Sent, 1), "{said:?}");
        assert_eq!(scene.provider.taken(&scene.app, "Hello").await, 1, "{said:?}");
    }
}

/// An instance that cannot log out is deleted all the same.
#[tokio::test]
async fn what_cannot_log_out_is_deleted() {
    const BROKEN: &str = r#"{"status":500,"error":"Internal Server Error","response":{"message":"Broken"}}"#;
    for is_deleted_at_once in [true, false] {
        let scene = linked().await;
        let session = scene.channel().await.session;
        scene.app.run_jobs().await;
        for _ in 0..if is_deleted_at_once { 1 } else { 2 } {
            scene.provider.asking.add(Trouble::Says(500, BROKEN));
        }
        let path = format!("/workspaces/{}/users/{}/whatsapp/disconnect", scene.workspace, scene.user);
        scene.acme.post_empty(&path).await.expect(200);
        scene.app.run_jobs().await;
        assert_eq!(scene.provider.is_gone(&scene.app, session).await, is_deleted_at_once);
        scene.app.advance(2).await;
        assert!(scene.provider.is_gone(&scene.app, session).await, "it is tried again");
    }
}

impl Evolution {
    fn message(&self, text: &str) -> Option<Value> {
        self.sent().into_iter().find(|message| message["text"] == text || message["caption"] == text)
    }
}

impl Provider for Evolution {
    async fn set_up(app: &TestApp, partner: &PartnerId) -> Self {
        let evolution = Self::start().await;
        app.app.connectors.limit_to(IMPATIENT);
        choose(app, partner, ConnectorKind::Evolution, &evolution.url(), KEY).await;
        evolution
    }

    async fn show_code(&self, app: &TestApp, page: &Page) -> String {
        let code = self.next_code(app).await;
        assert_eq!(page.now().await.code(), code);
        code
    }

    async fn run_out(&self, app: &TestApp) {
        self.change(&self.newest(), "close", Some(408)).await;
        app.run_jobs().await;
        app.advance(61).await;
    }

    async fn link(&self, _app: &TestApp, _code: &str) {
        Evolution::link(self, &self.newest(), digits(OURS)).await;
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
        for status in ["SERVER_ACK", "DELIVERY_ACK", "READ"] {
            let data = json!({ "keyId": id, "remoteJid": theirs(), "fromMe": true, "status": status });
            self.tell(&self.newest(), "messages.update", data).await.expect(200);
            app.run_jobs().await;
        }
    }

    async fn write(&self, app: &TestApp, from: &str, text: &str) {
        let key = json!({ "remoteJid": format!("{}@s.whatsapp.net", digits(from)), "fromMe": false, "id": "IN0" });
        let data = json!({ "key": key, "pushName": "Ann", "message": { "conversation": text },
            "messageType": "conversation", "messageTimestamp": 1_789_027_200, "source": "android" });
        self.tell(&self.newest(), "messages.upsert", data).await.expect(200);
        app.run_jobs().await;
    }

    async fn log_out(&self, app: &TestApp) {
        self.change(&self.newest(), "close", Some(401)).await;
        app.run_jobs().await;
    }

    async fn is_gone(&self, _app: &TestApp, session: AttemptId) -> bool {
        self.instance(&session.to_string()).is_none() && self.removed().contains(&session.to_string())
    }
}

impl Remote for Evolution {
    async fn next_code(&self, app: &TestApp) -> String {
        let code = Evolution::show_code(self, &self.newest()).await;
        app.run_jobs().await;
        code
    }

    fn refuse_key(&self, refuses: bool) {
        Evolution::refuse_key(self, refuses);
    }

    fn trouble_asking(&self, trouble: Trouble) {
        self.asking.add(trouble);
    }

    async fn change(&self, state: RemoteState, is_silent: bool) {
        let (to, reason) = match state {
            RemoteState::Working => ("open", None),
            RemoteState::Starting => ("connecting", None),
            RemoteState::Down => ("close", Some(428)),
            // It asks for nothing any more: it says why it is closed.
            RemoteState::AsksForCode => ("close", Some(401)),
            RemoteState::Unheard => ("on_holiday", None),
        };
        match is_silent {
            true => self.change_silently(&self.newest(), to, reason),
            false => Evolution::change(self, &self.newest(), to, reason).await,
        }
    }

    fn restarts(&self) -> u32 {
        self.instance(&self.newest()).map_or(0, |instance| instance.restarts)
    }

    async fn tell_gone_out(&self, text: &str) {
        let key = json!({ "remoteJid": theirs(), "fromMe": true, "id": self.reference(text) });
        let data = json!({ "key": key, "status": "PENDING", "message": { "conversation": text } });
        self.tell(&self.newest(), "send.message", data).await.expect(200);
    }

    fn callback(&self, said: &Said, number: u32) -> Posted {
        let session = self.newest();
        let update = |reference: &str, status: &str| json!({ "keyId": reference, "remoteJid": theirs(), "fromMe": true, "status": status, "messageId": "1" });
        let key = |id: &str| json!({ "remoteJid": theirs(), "fromMe": false, "id": id });
        let (event, mut data) = match said {
            Said::Wrote { id, text, file: None } => {
                ("messages.upsert", json!({ "key": key(id), "message": { "conversation": text } }))
            }
            Said::Wrote { id, text, file: Some((name, content_type)) } => {
                self.keep_as(name, id);
                let image = json!({ "imageMessage": { "caption": text, "mimetype": content_type } });
                ("messages.upsert", json!({ "key": key(id), "message": image }))
            }
            Said::Typed { id, text, file } => {
                let message = match file {
                    Some((name, content_type)) => {
                        self.keep_as(name, id);
                        json!({ "imageMessage": { "caption": text, "mimetype": content_type } })
                    }
                    None => json!({ "conversation": text }),
                };
                let key = json!({ "remoteJid": theirs(), "fromMe": true, "id": id });
                let data = json!({ "key": key, "message": message, "source": "android", "status": "SERVER_ACK" });
                ("messages.upsert", data)
            }
            Said::Delivered { reference } => ("messages.update", update(reference, "DELIVERY_ACK")),
            Said::Read { reference } => ("messages.update", update(reference, "READ")),
            Said::Reacted { reference, emoji } => {
                let about = json!({ "remoteJid": theirs(), "fromMe": true, "id": reference });
                let reaction = json!({ "reactionMessage": { "key": about, "text": emoji } });
                ("messages.upsert", json!({ "key": key(&format!("RE{number}")), "message": reaction }))
            }
            Said::ReactedOn { reference, emoji } => {
                let about = json!({ "remoteJid": theirs(), "fromMe": true, "id": reference });
                let reaction = json!({ "reactionMessage": { "key": about, "text": emoji } });
                let key = json!({ "remoteJid": theirs(), "fromMe": true, "id": format!("RE{number}") });
                ("messages.upsert", json!({ "key": key, "message": reaction, "source": "ios" }))
            }
            Said::Unheard => ("moon.rise", json!({ "phase": "full" })),
        };
        data["messageTimestamp"] = (1_789_027_200 + u64::from(number)).into();
        Posted { body: event_of(&session, event, &data), session }
    }

    async fn post(&self, posted: &Posted, signature: Signature) -> u16 {
        let answer = match signature {
            Signature::Genuine => Evolution::post(self, &posted.session, &posted.body).await,
            Signature::Forged => {
                let forged = format!("Bearer {}", token("another key"));
                self.post_with(&posted.session, &posted.body, &forged).await
            }
            Signature::Missing => self.post_with(&posted.session, &posted.body, "").await,
        };
        answer.status.as_u16()
    }

    fn keep(&self, name: &str, _content_type: &str, content: &[u8]) -> Option<String> {
        Evolution::keep(self, name, content);
        Some(name.to_owned())
    }

    fn file_sent(&self) -> Option<FileSent> {
        let last = self.sent().pop()?;
        last["media"].as_str().map(|url| FileSent::At(url.to_owned()))
    }

    fn reactions(&self) -> Vec<String> {
        let text = |reaction: &Value| reaction["reaction"].as_str().expect("a reaction").to_owned();
        Evolution::reactions(self).iter().map(text).collect()
    }

    fn reference(&self, text: &str) -> String {
        self.message(text).expect("a message")["id"].as_str().expect("an id").to_owned()
    }
}

impl Answering for Evolution {
    fn quoted(&self, text: &str, is_own: bool) -> Option<String> {
        let quoted = self.message(text).expect("a message").get("quoted")?.clone();
        let key = &quoted["key"];
        assert_eq!((&key["fromMe"], &key["remoteJid"]), (&json!(is_own), &json!(theirs())));
        assert!(quoted["message"]["conversation"].as_str().is_some_and(|text| !text.is_empty()), "{quoted}");
        key["id"].as_str().map(str::to_owned)
    }

    fn wrote(&self, wrote: &Wrote, number: u32) -> Posted {
        let mut posted = self.callback(&wrote.said(), number);
        let mut body: Value = serde_json::from_str(&posted.body).expect("JSON");
        let data = &mut body["data"];
        if wrote.is_to_group {
            data["key"]["remoteJid"] = GROUP.into();
            data["key"]["participant"] = theirs().into();
        }
        if let Some(name) = wrote.name {
            data["pushName"] = name.into();
        }
        if let Some((id, is_own)) = &wrote.answers {
            let author = if *is_own { format!("{}@s.whatsapp.net", digits(OURS)) } else { theirs() };
            let context =
                json!({ "stanzaId": id, "participant": author, "quotedMessage": { "conversation": "Hello" } });
            data["message"] = json!({ "extendedTextMessage": { "text": wrote.text, "contextInfo": context } });
        }
        posted.body = body.to_string();
        posted
    }
}
