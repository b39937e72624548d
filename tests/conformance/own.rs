//! What the account's owner writes on the phone is stored as sent, and what is ours is not taken for it.

use entity::{
    chat,
    message::{self, Direction, Status},
};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set, Unchanged};
use serde_json::json;

use crate::{
    conformance::{OURS, Remote, Said, Scene, Signature, THEIRS, callbacks::told},
    ledger::audited,
    support::{Setup, receiver::Receiver, upload::png},
};

async fn sent<P: Remote>(scene: &Scene<P>) -> Vec<message::Model> {
    message::Entity::find()
        .filter(message::Column::Direction.eq(Direction::Sent))
        .order_by_asc(message::Column::Id)
        .all(scene.app.app.db.reader())
        .await
        .expect("messages")
}

async fn chats<P: Remote>(scene: &Scene<P>) -> Vec<chat::Model> {
    chat::Entity::find().all(scene.app.app.db.reader()).await.expect("chats")
}

fn typed(id: &'static str, text: &'static str) -> Said {
    Said::Typed { id, text, file: None }
}

pub(crate) async fn what_is_written_on_the_phone_is_stored_once<P: Remote>() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let scene = Scene::<P>::at(app).await;
    scene.link().await;
    let (token, receiver) = (scene.token().await, Receiver::start().await);
    for topic in ["message:new", "message:sent:new", "message:received:new", "chat:new", "chat:outgoing:new"] {
        token.post("/webhooks", json!({ "event_type": topic, "url": receiver.url() })).await.expect(200);
    }
    for number in [1, 1, 2] {
        told(&scene, &typed("OWN1", "Your bread is ready."), number).await;
    }
    scene.app.advance(3).await;
    let stored = sent(&scene).await;
    assert_eq!(stored.len(), 1);
    let first = &stored[0];
    assert_eq!((first.status, first.text.as_deref()), (Status::Sent, Some("Your bread is ready.")));
    assert_eq!((first.origin.as_str(), first.user_id, first.tries), ("synced from WhatsApp", None, 0));
    assert_eq!((scene.app.entries(first.id).await, scene.used().await), (vec![], 0));
    let chat = chats(&scene).await.pop().expect("a chat");
    assert_eq!((chat.read, chat.closed, chat.last_message_id), (true, false, Some(first.id)));
    assert_eq!((chat.phone.as_deref(), chat.last_message_at), (Some(THEIRS), Some(first.created_at)));
    let mut types = receiver.types();
    types.sort();
    assert_eq!(types, ["chat:new", "chat:outgoing:new", "message:new", "message:sent:new"]);
    let told_of =
        receiver.received().into_iter().map(|one| one.json()).find(|body| body["event_type"] == "message:new");
    let body = told_of.expect("an event")["message"].clone();
    assert_eq!((&body["direction"], &body["origin"]), (&json!("sent"), &json!("synced from WhatsApp")));
    assert_eq!((&body["sender"]["phone"], &body["recipient"]["phone"]), (&json!(OURS), &json!(THEIRS)));
    let shown = token.get(&format!("/messages/{}", first.id)).await.expect(200)["data"].clone();
    assert_eq!((&shown["from_me"], &shown["status"], &shown["created_by"]), (&json!(true), &json!("Sent"), &json!("")));
    for (said, status) in [
        (Said::Delivered { reference: "OWN1".to_owned() }, Status::Delivered),
        (Said::Read { reference: "OWN1".to_owned() }, Status::Read),
    ] {
        told(&scene, &said, if status == Status::Read { 4 } else { 3 }).await;
        assert_eq!(scene.app.message(first.id).await.status, status);
    }
    let steps: Vec<Status> = scene.app.history(first.id).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(steps, [Status::Sent, Status::Delivered, Status::Read]);
    after_the_customer::<P>(&scene).await;
    audited(&scene.app).await;
}

/// A chat that waits for an answer has it, also if it is a file; a receipt may be faster than its message.
async fn after_the_customer<P: Remote>(scene: &Scene<P>) {
    told(scene, &Said::Wrote { id: "IN1", text: "When?", file: None }, 5).await;
    assert!(!chats(scene).await[0].read);
    let file = scene.provider.keep("tart.png", "image/png", &png(2000, 2)).expect("kept");
    let early = scene.provider.callback(&Said::Delivered { reference: "OWN2".to_owned() }, 7);
    assert_eq!(scene.provider.post(&early, Signature::Genuine).await, 200);
    scene.app.run_jobs().await;
    told(scene, &Said::Typed { id: "OWN2", text: "This one", file: Some((file, "image/png")) }, 6).await;
    scene.app.advance(5).await;
    let stored = sent(scene).await;
    assert_eq!(stored.len(), 2);
    assert_eq!((stored[1].text.as_deref(), stored[1].file_id.is_some()), (Some("This one"), true));
    assert_eq!(stored[1].status, Status::Delivered);
    let chat = chats(scene).await.pop().expect("a chat");
    assert_eq!((chat.read, chat.last_message_id), (true, Some(stored[1].id)));
    assert_eq!(scene.used().await, 0);
}

/// As long as a message is being handed over, what is told of the account's own messages may be about it.
pub(crate) async fn what_is_ours_is_not_stored_again<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    let id = scene.send(THEIRS, "Hello").await;
    let answered = scene.app.message(id).await;
    let set = async |status: Status, provider_ref: Option<String>| {
        let row = message::ActiveModel {
            id: Unchanged(id),
            status: Set(status),
            provider_ref: Set(provider_ref),
            ..Default::default()
        };
        row.update(scene.app.app.db.reader()).await.expect("a message");
    };
    let texts = async || sent(&scene).await.into_iter().filter_map(|message| message.text).collect::<Vec<_>>();
    set(Status::Sending, None).await;
    scene.provider.tell_gone_out("Hello").await;
    told(&scene, &typed("OWN1", "Hello"), 1).await;
    scene.app.advance(2).await;
    assert_eq!(texts().await, ["Hello"], "either may be the one that is being handed over");
    set(Status::Sent, answered.provider_ref.clone()).await;
    scene.app.advance(5).await;
    assert_eq!(texts().await, ["Hello", "Hello"]);
    assert_eq!(scene.app.message(id).await.provider_ref, answered.provider_ref);
    // What has been begun since is another message.
    scene.app.advance(60).await;
    let posted = scene.provider.callback(&typed("OWN2", "Good night"), 2);
    assert_eq!(scene.provider.post(&posted, Signature::Genuine).await, 200);
    set(Status::Sending, None).await;
    let later = message::ActiveModel {
        id: Unchanged(id),
        updated_at: Set(scene.app.clock.now().plus_seconds(10)),
        ..Default::default()
    };
    later.update(scene.app.app.db.reader()).await.expect("a message");
    scene.app.run_jobs().await;
    assert_eq!(texts().await, ["Hello", "Hello", "Good night"]);
    set(Status::Sent, answered.provider_ref).await;
    assert_eq!(scene.used().await, 1);
    audited(&scene.app).await;
}
