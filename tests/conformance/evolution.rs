//! Evolution API, played by a server of our own.

use entity::{
    channel::ConnectorKind,
    id::{AttemptId, PartnerId},
};
use serde_json::{Value, json};

use crate::{
    conformance::{FileSent, OURS, Posted, Provider, Remote, RemoteState, Said, Signature, THEIRS, choose},
    support::{
        TestApp,
        evolution::{Evolution, KEY, event_of, token},
        page::Page,
        provider::{IMPATIENT, Trouble},
    },
};

fn digits(phone: &str) -> &str {
    phone.trim_start_matches('+')
}

fn theirs() -> String {
    format!("{}@s.whatsapp.net", digits(THEIRS))
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
