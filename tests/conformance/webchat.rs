//! Web chats, which no phone links and no provider brings: what the suite asks of every connector about sending,
//! receiving, receipts and repetition, asked of a visitor.

use entity::{
    channel::ConnectorKind,
    id::{AttemptId, MessageId, PartnerId},
    message::Status,
};
use quartermaster::{
    connector::{Delivery, Observation, Outgoing},
    message::Jid,
};
use serde_json::json;

use crate::{
    ledger::audited,
    support::{TestApp, channels::Shop, visitor::Visitor},
};

#[tokio::test]
async fn from_visit_to_answer() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    visitor.write("Is my bread ready?").await;
    let held = shop.chats().await[0].clone();
    assert_eq!(held["read"], false);
    let id = shop.answer(&held, "Your bread is ready.").await;
    let message = app.message(id).await;
    assert_eq!((message.status, message.tries), (Status::Sent, 1));
    assert_eq!(visitor.window().await.len(), 2);
    visitor.tell(&app, 2, 0).await;
    visitor.tell(&app, 2, 2).await;
    let steps: Vec<Status> = app.history(id).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(steps, [Status::Sent, Status::Delivered, Status::Read]);
    let messages = shop.token.get(&format!("/chats/{}/messages", held["id"])).await.expect(200);
    assert_eq!(messages["data"]["messages"].as_array().map(Vec::len), Some(2), "{messages}");
    assert_eq!(shop.token.credits().await.0, 1);
    audited(&app).await;
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
    };
    for _ in 0..3 {
        let delivery = connector.send(&app.app, &outgoing(id, &visitor.id)).await;
        assert_eq!(delivery, Delivery::Accepted { provider_ref: format!("webchat-{id}") });
    }
    assert_eq!(visitor.window().await.len(), 2, "a message is in its window once");
    let nobody = connector.send(&app.app, &outgoing(id, "01930000-0000-7000-8000-000000000001")).await;
    assert_eq!(nobody, Delivery::Rejected { reason: "no_such_visitor".to_owned() });
    let acme = PartnerId::parse("acme").expect("an id");
    for _ in 0..2 {
        let started = connector.start(&app.app, channel.session, &acme).await.expect("a session");
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
