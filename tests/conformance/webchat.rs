//! Web chats, which no phone links and no provider brings, played by a visitor; and what the suite asks of other
//! connectors about repetition and receipts, asked of them.

use entity::{
    channel::{self, ConnectorKind, Network},
    id::{AttemptId, MessageId, PartnerId},
    message::Status,
};
use quartermaster::{
    connector::{Delivery, Observation, Outgoing, Start},
    message::Jid,
};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::{
    conformance::{Provider, Scene, uid},
    support::{
        Answer, TestApp,
        channels::Shop,
        page::Page,
        provider::Trouble,
        visitor::{Visitor, WEBSITE},
    },
};

/// Web chats, played by a visitor of the website.
pub(crate) struct WebChats {
    visitor: OnceCell<Visitor>,
}

impl WebChats {
    fn visitor(&self) -> &Visitor {
        self.visitor.get().expect("a visitor")
    }
}

impl Provider for WebChats {
    async fn set_up(_: &TestApp, _: &PartnerId) -> Self {
        Self { visitor: OnceCell::new() }
    }

    async fn connect(scene: &Scene<Self>) -> channel::Model {
        let token = scene.token().await;
        let body = json!({ "name": "Website", "type": "webchat", "config": { "allowedOrigins": [WEBSITE] } });
        let request = scene.app.http.post(format!("{}/v1/channels", scene.app.base));
        let made = Answer::of(request.bearer_auth(token.token()).json(&body)).await.expect(201);
        let widget = made["data"]["attributes"]["widgetToken"].as_str().expect("a token");
        let visitor = Visitor::come(&scene.app, widget).await;
        visitor.write("Is my bread ready?").await;
        scene.app.run_jobs().await;
        assert!(scene.provider.visitor.set(visitor).is_ok(), "it is linked once");
        scene.channel().await
    }

    async fn answer(scene: &Scene<Self>, text: &str) -> MessageId {
        let token = scene.token().await;
        let chat = token.get("/chats").await.expect(200)["data"]["chats"][0]["id"].clone();
        let sent = token.post(&format!("/chats/{chat}/messages"), json!({ "text": text })).await.expect(200);
        scene.app.run_jobs().await;
        uid(&sent)
    }

    async fn show_code(&self, _: &TestApp, _: &Page) -> String {
        unreachable!("no phone links a web chat")
    }

    async fn run_out(&self, _: &TestApp) {
        unreachable!("no phone links a web chat")
    }

    async fn link(&self, _: &TestApp, _: &str) {
        unreachable!("no phone links a web chat")
    }

    fn trouble(&self, _: Trouble) -> String {
        unreachable!("no provider stands between")
    }

    async fn taken(&self, _: &TestApp, text: &str) -> usize {
        self.visitor().window().await.iter().filter(|(_, found)| found == text).count()
    }

    async fn read(&self, app: &TestApp, _: &str) {
        let last = i64::try_from(self.visitor().window().await.len()).expect("a count");
        self.visitor().tell(app, last, 0).await;
        self.visitor().tell(app, last, last).await;
    }

    async fn write(&self, app: &TestApp, _: &str, text: &str) {
        self.visitor().write(text).await;
        app.run_jobs().await;
    }

    async fn log_out(&self, _: &TestApp) {
        unreachable!("no phone removes a web chat")
    }

    async fn is_gone(&self, _: &TestApp, _: AttemptId) -> bool {
        unreachable!("no provider keeps a session of it")
    }
}

#[tokio::test]
async fn what_is_repeated_after_a_crash_changes_nothing() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    visitor.write("Hello").await;
    let held = shop.chats().await[0].clone();
    let id = shop.answer(&held, "Hi!").await;
    let (channel, connector) = (shop.row(&chat.id).await, app.app.connectors.get(ConnectorKind::Webchat));
    let outgoing = |message_id: MessageId, visitor: &str| Outgoing {
        message_id,
        account_id: channel.account_id,
        session: channel.session,
        recipient: Jid::from_stored(&format!("{visitor}@webchat")).expect("an id"),
        text: "Hi!".to_owned(),
        attachment: None,
        answered: None,
    };
    for _ in 0..3 {
        let delivery = connector.send(&app.app, &outgoing(id, &visitor.id)).await;
        assert_eq!(delivery, Delivery::Accepted { provider_ref: format!("webchat-{id}") });
    }
    assert_eq!(visitor.window().await.len(), 2, "a message is in its window once");
    let nobody = connector.send(&app.app, &outgoing(id, "01930000-0000-7000-8000-000000000001")).await;
    assert_eq!(nobody, Delivery::Rejected { reason: "no_such_visitor".to_owned() });
    let acme = PartnerId::parse("acme").expect("an id");
    let start = Start { session: channel.session, partner_id: &acme, network: Network::Webchat, login: None };
    for _ in 0..2 {
        let started = connector.start(&app.app, &start).await.expect("a session");
        assert!(matches!(&started, Observation::Connected(account) if account.external_id == channel.id.to_string()));
        connector.end(&app.app, channel.session).await.expect("the end");
    }
    let unknown = connector.observe(&app.app, AttemptId(app.clock.uuid())).await.expect("a look");
    assert!(matches!(unknown, Observation::Ended(_)));
}

#[tokio::test]
async fn receipts_may_come_early_twice_and_in_any_order() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    visitor.write("Hello").await;
    let held = shop.chats().await[0].clone();
    let path = format!("/chats/{}/messages", held["id"]);
    let sent = shop.token.post(&path, json!({ "text": "Hi!" })).await.expect(200);
    let id: MessageId = sent["data"]["message_uid"].as_str().expect("a uid").parse().expect("a uuid");
    // The message is in its window before its worker has written that down.
    let channel = shop.row(&chat.id).await;
    let outgoing = Outgoing {
        message_id: id,
        account_id: channel.account_id,
        session: channel.session,
        recipient: Jid::from_stored(&format!("{}@webchat", visitor.id)).expect("an id"),
        text: "Hi!".to_owned(),
        attachment: None,
        answered: None,
    };
    app.app.connectors.get(ConnectorKind::Webchat).send(&app.app, &outgoing).await;
    let told = visitor.post("/receipts", json!({ "read": 2 })).await;
    assert_eq!(told.status.as_u16(), 204, "{}", told.text);
    app.run_jobs().await;
    app.advance(5).await;
    assert_eq!(app.message(id).await.status, Status::Read);
    for (delivered, read) in [(2, 0), (2, 2), (1, 1)] {
        visitor.tell(&app, delivered, read).await;
    }
    assert_eq!(app.message(id).await.status, Status::Read);
    assert_eq!(shop.token.credits().await.0, 1);
}
