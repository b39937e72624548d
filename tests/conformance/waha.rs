//! WAHA, played by a server of our own.

use entity::{
    channel::{ConnectorKind, DisconnectReason},
    id::{AttemptId, PartnerId},
    message,
};
use quartermaster::connector::session;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    conformance::{
        FileSent, OURS, Posted, Provider, Remote, RemoteState, Said, Scene, Signature, THEIRS,
        answers::{Answering, GROUP, Wrote},
        choose,
    },
    support::{
        Answer, TestApp,
        page::Page,
        provider::{IMPATIENT, Trouble},
        waha::{KEY, Waha, sign},
    },
};

mod times;

fn digits(phone: &str) -> &str {
    phone.trim_start_matches('+')
}

fn theirs() -> String {
    format!("{}@c.us", digits(THEIRS))
}

/// It is restarted as one that is stopped is; where that does not help, its phone has let it go.
#[tokio::test]
async fn a_session_that_fails_is_removed_in_the_end() {
    let scene = Scene::<Waha>::linked().await;
    let channel = scene.channel().await;
    for (seconds, restarts) in [(0, 1), (30, 2), (60, 3)] {
        Waha::change(&scene.provider, &scene.provider.newest(), "FAILED").await;
        scene.app.advance(seconds).await;
        assert_eq!((scene.account().await["connected"].clone(), scene.provider.restarts()), (true.into(), restarts));
    }
    Waha::change(&scene.provider, &scene.provider.newest(), "FAILED").await;
    scene.app.advance(120).await;
    assert_eq!(scene.account().await["connected"], false);
    assert_eq!(scene.channel().await.disconnect_reason, Some(DisconnectReason::LoggedOut));
    assert!(scene.provider.is_gone(&scene.app, channel.session).await);
}

/// At another address of ours, or lost; what others have set stays, and what the server does not tell is left alone.
#[tokio::test]
async fn a_webhook_is_set_again_where_it_is_not_ours() {
    let scene = Scene::<Waha>::linked().await;
    let name = scene.provider.newest();
    let seen = || scene.provider.session(&name).expect("a session");
    let probe = async |app: &TestApp| {
        scene.app.clock.advance(std::time::Duration::from_secs(301));
        session::probe(&app.app).await.expect("a probe");
        app.run_jobs().await;
    };
    probe(&scene.app).await;
    assert_eq!(seen().updates, 0, "each restarts it");
    let before = scene.provider.hook(&name);
    let mut config = seen().config;
    let crm = json!({ "url": "https://crm.example/waha", "events": ["message"] });
    config["webhooks"].as_array_mut().expect("webhooks").insert(0, crm.clone());
    config["proxy"] = json!({ "server": "p" });
    scene.provider.configure(&name, config.clone());
    // We are elsewhere now.
    let moved = scene.app.replica().await;
    for _ in 0..2 {
        probe(&moved).await;
        let mut hook = before.clone();
        hook["url"] = format!("{}/callbacks/waha/{name}", moved.base).into();
        let mut expected = config.clone();
        expected["webhooks"] = json!([crm, hook]);
        assert_eq!((seen().config, seen().updates), (expected, 1));
    }
    Provider::write(&scene.provider, &moved, THEIRS, "Hi").await;
    let chats = scene.token().await.get("/chats").await.expect(200);
    assert_eq!(chats["data"]["chats"].as_array().map(Vec::len), Some(1), "{chats}");
    for (webhooks, updates) in [(json!([]), 2), (json!(null), 2)] {
        scene.provider.configure(&name, json!({ "webhooks": webhooks }));
        probe(&scene.app).await;
        assert_eq!(seen().updates, updates, "{webhooks}");
    }
    assert_eq!(scene.account().await["connected"], true);
}

/// One that is not linked yet is not helped by us; one that was is let go.
#[tokio::test]
async fn a_passkey_is_asked_for_in_vain() {
    for status in ["PASSKEY_REQUIRED", "PASSKEY_CONFIRMATION_REQUIRED"] {
        let scene = Scene::<Waha>::new().await;
        let page = scene.page().await;
        page.start().await;
        scene.provider.next_code(&scene.app).await;
        let name = scene.provider.newest();
        Waha::change(&scene.provider, &name, status).await;
        scene.app.run_jobs().await;
        let shown = page.now().await;
        assert_eq!((shown.state(), &shown.0["error"]["code"]), ("failed", &"passkey_required".into()), "{status}");
        assert_eq!(scene.provider.removed(), [name], "{status}");
        let session = scene.link().await.session;
        Waha::change(&scene.provider, &session.to_string(), status).await;
        scene.app.run_jobs().await;
        assert_eq!(scene.channel().await.disconnect_reason, Some(DisconnectReason::LoggedOut), "{status}");
        assert!(scene.provider.is_gone(&scene.app, session).await, "{status}");
    }
}

/// The address that a channel shows does not change with its sessions, of which each is told another.
#[tokio::test]
async fn what_comes_to_the_address_that_is_shown_is_heard() {
    let scene = Scene::<Waha>::linked().await;
    let shown = scene.shown().await["attributes"]["webhookUrl"].as_str().expect("a URL").to_owned();
    let wrote = Said::Wrote { id: "3EB0SHOWN", text: "Hello", file: None };
    let posted = scene.provider.callback(&wrote, 1);
    let hook = scene.provider.hook(&posted.session);
    assert_ne!(hook["url"], shown);
    let key = hook["hmac"]["key"].as_str().expect("a key");
    let bring = async |signature: String| {
        let request = scene.app.http.post(&shown).header("X-Webhook-Request-Id", "1");
        let request = request.header("X-Webhook-Timestamp", "1789027200000").header("X-Webhook-Hmac", signature);
        let request = request.header("X-Webhook-Hmac-Algorithm", "sha512").body(posted.body.clone());
        Answer::of(request).await.status.as_u16()
    };
    assert_eq!(bring(sign("another key", &posted.body)).await, 401);
    assert_eq!(bring(sign(key, &posted.body)).await, 200);
    scene.app.run_jobs().await;
    let heard = message::Entity::find().all(scene.app.app.db.reader()).await.expect("messages");
    assert_eq!(heard.iter().map(|one| one.text.as_deref()).collect::<Vec<_>>(), [Some("Hello")]);
}

impl Waha {
    fn message(&self, text: &str) -> Option<Value> {
        self.sent().into_iter().find(|message| message["text"] == text || message["caption"] == text)
    }
}

impl Provider for Waha {
    async fn set_up(app: &TestApp, partner: &PartnerId) -> Self {
        let waha = Self::start().await;
        app.app.connectors.limit_to(IMPATIENT);
        choose(app, partner, ConnectorKind::Waha, &waha.url(), KEY).await;
        waha
    }

    async fn show_code(&self, app: &TestApp, page: &Page) -> String {
        let code = self.next_code(app).await;
        assert_eq!(page.now().await.code(), code);
        code
    }

    async fn run_out(&self, app: &TestApp) {
        self.change(&self.newest(), "FAILED").await;
        app.run_jobs().await;
    }

    async fn link(&self, _app: &TestApp, _code: &str) {
        Waha::link(self, &self.newest(), digits(OURS)).await;
    }

    fn trouble(&self, trouble: Trouble) -> String {
        Waha::trouble(self, trouble);
        THEIRS.to_owned()
    }

    async fn taken(&self, _app: &TestApp, text: &str) -> usize {
        self.sent().iter().filter(|message| message["text"] == text).count()
    }

    async fn read(&self, app: &TestApp, text: &str) {
        let message = self.message(text).expect("a message");
        let id = format!("true_{}_{}", theirs(), message["id"].as_str().expect("an id"));
        for (ack, name) in [(1, "SERVER"), (2, "DEVICE"), (3, "READ")] {
            let payload = json!({ "id": id, "from": theirs(), "fromMe": true, "ack": ack, "ackName": name });
            self.tell(&self.newest(), "message.ack", payload).await.expect(200);
            app.run_jobs().await;
        }
    }

    async fn write(&self, app: &TestApp, from: &str, text: &str) {
        let chat = format!("{}@c.us", digits(from));
        let payload = json!({ "id": format!("false_{chat}_IN{}", text.len()), "timestamp": 1_789_027_200, "from": chat,
            "fromMe": false, "source": "app", "to": "15550001111@c.us", "body": text, "hasMedia": false, "ack": 2 });
        self.tell(&self.newest(), "message.any", payload).await.expect(200);
        app.run_jobs().await;
    }

    async fn log_out(&self, app: &TestApp) {
        // It starts anew and asks for a phone.
        Waha::show_code(self, &self.newest()).await;
        app.run_jobs().await;
    }

    async fn is_gone(&self, _app: &TestApp, session: AttemptId) -> bool {
        self.session(&session.to_string()).is_none() && self.removed().contains(&session.to_string())
    }
}

impl Remote for Waha {
    async fn next_code(&self, app: &TestApp) -> String {
        let code = Waha::show_code(self, &self.newest()).await;
        app.run_jobs().await;
        code
    }

    fn refuse_key(&self, refuses: bool) {
        Waha::refuse_key(self, refuses);
    }

    fn trouble_asking(&self, trouble: Trouble) {
        self.asking.add(trouble);
    }

    async fn change(&self, state: RemoteState, is_silent: bool) {
        let status = match state {
            RemoteState::Working => "WORKING",
            RemoteState::Starting => "STARTING",
            RemoteState::Down => "STOPPED",
            RemoteState::AsksForCode => "SCAN_QR_CODE",
            RemoteState::Unheard => "ON_HOLIDAY",
        };
        match is_silent {
            true => self.change_silently(&self.newest(), status),
            false => Waha::change(self, &self.newest(), status).await,
        }
    }

    fn restarts(&self) -> u32 {
        self.session(&self.newest()).map_or(0, |session| session.restarts)
    }

    async fn tell_gone_out(&self, text: &str) {
        let message = self.message(text).expect("a message");
        let id = format!("true_{}_{}", theirs(), message["id"].as_str().expect("an id"));
        let payload = json!({ "id": id, "from": "15550001111@c.us", "to": theirs(), "fromMe": true, "source": "api", "body": text });
        self.tell(&self.newest(), "message.any", payload).await.expect(200);
    }

    fn callback(&self, said: &Said, number: u32) -> Posted {
        let session = self.newest();
        let own = |reference: &str| format!("true_{}_{reference}", theirs());
        let (event, payload) = match said {
            Said::Wrote { id, text, file } => {
                let media = file.as_ref().map(|(url, content_type)| json!({ "url": url, "mimetype": content_type }));
                let payload = json!({ "id": format!("false_{}_{id}", theirs()), "from": theirs(), "fromMe": false,
                    "to": "15550001111@c.us", "body": text, "hasMedia": media.is_some(), "media": media });
                ("message.any", payload)
            }
            Said::Typed { id, text, file } => {
                let media = file.as_ref().map(|(url, content_type)| json!({ "url": url, "mimetype": content_type }));
                let payload = json!({ "id": own(id), "from": "15550001111@c.us", "fromMe": true, "source": "app",
                    "to": theirs(), "body": text, "hasMedia": media.is_some(), "media": media, "ack": 1 });
                ("message.any", payload)
            }
            Said::Delivered { reference } => ("message.ack", json!({ "id": own(reference), "fromMe": true, "ack": 2 })),
            Said::Read { reference } => ("message.ack", json!({ "id": own(reference), "fromMe": true, "ack": 3 })),
            Said::Reacted { reference, emoji } => {
                let reaction = json!({ "text": emoji, "messageId": own(reference) });
                ("message.reaction", json!({ "from": theirs(), "fromMe": false, "reaction": reaction }))
            }
            Said::ReactedOn { reference, emoji } => {
                let reaction = json!({ "text": emoji, "messageId": own(reference) });
                let from = "15550001111@c.us";
                ("message.reaction", json!({ "from": from, "fromMe": true, "source": "app", "reaction": reaction }))
            }
            Said::Unheard => ("moon.rise", json!({ "phase": "full" })),
        };
        let body = self.event(&session, event, i64::from(number) * 1000, payload);
        let mut body: Value = serde_json::from_str(&body).expect("JSON");
        body["id"] = format!("evt_n{number}").into();
        Posted { session, body: body.to_string() }
    }

    async fn post(&self, posted: &Posted, signature: Signature) -> u16 {
        let answer = match signature {
            Signature::Genuine => Waha::post(self, &posted.session, &posted.body).await,
            Signature::Forged => {
                let forged = sign("another key", &posted.body);
                self.post_signed(&posted.session, &posted.body, &forged).await
            }
            Signature::Missing => self.post_signed(&posted.session, &posted.body, "").await,
        };
        answer.status.as_u16()
    }

    fn keep(&self, name: &str, content_type: &str, content: &[u8]) -> Option<String> {
        Some(Waha::keep(self, name, content_type, content))
    }

    fn file_sent(&self) -> Option<FileSent> {
        let last = self.sent().pop()?;
        last["file"]["url"].as_str().map(|url| FileSent::At(url.to_owned()))
    }

    fn reactions(&self) -> Vec<String> {
        let text = |reaction: &Value| reaction["reaction"].as_str().expect("a reaction").to_owned();
        Waha::reactions(self).iter().map(text).collect()
    }

    fn reference(&self, text: &str) -> String {
        self.message(text).expect("a message")["id"].as_str().expect("an id").to_owned()
    }
}

impl Answering for Waha {
    fn quoted(&self, text: &str, is_own: bool) -> Option<String> {
        let message = self.message(text).expect("a message");
        let id = message["reply_to"].as_str()?;
        Some(id.strip_prefix(&format!("{is_own}_{}_", theirs())).expect("its own form").to_owned())
    }

    fn wrote(&self, wrote: &Wrote, number: u32) -> Posted {
        let mut posted = self.callback(&wrote.said(), number);
        let mut body: Value = serde_json::from_str(&posted.body).expect("JSON");
        let payload = &mut body["payload"];
        if wrote.is_to_group {
            payload["id"] = format!("false_{GROUP}_{}_{}", wrote.id, theirs()).into();
            payload["from"] = GROUP.into();
            payload["participant"] = theirs().into();
        }
        if let Some(name) = wrote.name {
            payload["_data"] = json!({ "notifyName": name });
        }
        if let Some((id, is_own)) = &wrote.answers {
            let author = if *is_own { format!("{}@c.us", digits(OURS)) } else { theirs() };
            payload["replyTo"] = json!({ "id": id, "participant": author, "body": "Hello" });
        }
        posted.body = body.to_string();
        posted
    }
}
