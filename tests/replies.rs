//! Messages that answer others.

use entity::{id::MessageId, sandbox_message};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::support::{
    Setup, TestApp, channels::Shop, conversation::Conversations, receiver::Receiver, sender::Sender, visitor::Visitor,
};

/// The provider's id of what a message at the simulated provider answers.
async fn answered(app: &TestApp, uid: &Value) -> Option<String> {
    let id: MessageId = uid.as_str().expect("a uid").parse().expect("a uuid");
    let found = sandbox_message::Entity::find_by_id(id).one(app.app.db.reader()).await.expect("a look");
    found.expect("it was given").answered
}

#[tokio::test]
async fn the_provider_is_told_what_is_answered() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 20).await;
    let first = sender.token.send("+15557770000", "One").await.expect(200)["data"]["message_uid"].clone();
    let chat = sender.token.get("/chats").await.expect(200)["data"]["chats"][0]["id"].clone();
    let path = format!("/chats/{chat}/messages");
    let reply = async |path: &str, body: Value| {
        let sent = sender.token.post(path, body).await.expect(200);
        sent["data"]["message_uid"].clone()
    };
    app.run_jobs().await;
    let second = reply(&path, json!({ "text": "Two", "reply_to": first })).await;
    app.advance(3).await;
    let expected = format!("sandbox-{}", first.as_str().expect("a uid"));
    assert_eq!(answered(&app, &second).await, Some(expected.clone()));
    assert_eq!(answered(&app, &first).await, None);
    // Across chats of the account too; what is not known is not quoted, and does not hold the answer up.
    let other = json!({ "jid": "15557770001@s.whatsapp.net", "text": "Three", "reply_to": first });
    let third = reply("/messages/to_jid", other).await;
    app.advance(3).await;
    assert_eq!(answered(&app, &third).await, Some(expected));
    let lost = sender.token.send("+15550000505", "Lost").await.expect(200)["data"]["message_uid"].clone();
    app.advance(3).await;
    let fourth = reply(&path, json!({ "text": "Four", "reply_to": lost })).await;
    app.advance(3).await;
    assert_eq!(answered(&app, &fourth).await, None);
}

#[tokio::test]
async fn notes_and_calls_are_not_answered() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let inbound = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
    bakery.partner.post("/sandbox/inbound", inbound).await.expect(200);
    let call = json!({ "phone": "+15550001111", "with": "+15557770000", "direction": "incoming", "status": "Missed" });
    let called = bakery.partner.post("/sandbox/call", call).await.expect(200)["call_uids"][0].clone();
    let chat = bakery.token.get("/chats").await.expect(200)["data"]["chats"][0]["id"].clone();
    let note = json!({ "text": "A difficult one" });
    let noted = bakery.token.post(&format!("/chats/{chat}/notes"), note).await.expect(200);
    let before = bakery.token.credits().await;
    for uid in [&noted["data"]["message_uid"], &called] {
        let body = json!({ "text": "x", "reply_to": uid });
        let refused = bakery.token.post(&format!("/chats/{chat}/messages"), body).await.expect(400);
        assert_eq!(refused["error_code"], "validation_error", "{refused}");
        assert!(refused["message"].as_str().is_some_and(|text| text.contains("reply_to")), "{refused}");
    }
    assert_eq!(bakery.token.credits().await, before);
}

#[tokio::test]
async fn visitors_see_what_is_answered_in_their_own_window() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let (ann, bob) = (Visitor::come(&app, &chat.token).await, Visitor::come(&app, &chat.token).await);
    let asked = ann.write(&"Is it ready? ".repeat(20)).await;
    let of_ann = shop.chats().await[0]["id"].clone();
    bob.write("Hello").await;
    let chats = shop.chats().await;
    let of_bob = chats.iter().find(|chat| chat["id"] != of_ann).expect("another chat")["id"].clone();
    let last = async |visitor: &Visitor| {
        let page = visitor.get("/messages").await.expect(200);
        page["messages"].as_array().and_then(|messages| messages.last().cloned()).expect("a message")
    };
    let uid = asked["id"].clone();
    for chat in [&of_ann, &of_bob] {
        let body = json!({ "text": "Almost.", "reply_to": uid });
        shop.token.post(&format!("/chats/{chat}/messages"), body).await.expect(200);
        app.advance(3).await;
    }
    let shown = last(&ann).await["reply_to"].clone();
    let begin: String = "Is it ready? ".repeat(20).chars().take(200).collect();
    assert_eq!(shown, json!({ "number": 1, "from": "visitor", "text": begin }));
    let other = last(&bob).await;
    assert_eq!((&other["text"], &other["reply_to"]), (&json!("Almost."), &json!(null)), "it is in another's window");
    assert_eq!(asked["reply_to"], json!(null));
}

#[tokio::test]
async fn what_comes_says_what_it_answers() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let receiver = Receiver::start().await;
    let webhook = json!({ "event_type": "message:received:new", "url": receiver.url() });
    bakery.token.post("/webhooks", webhook).await.expect(200);
    // The same phone in another workspace, which has what was received before, but not what was sent.
    let other = bakery.partner.workspace("Butcher", 3).await;
    let owner = bakery.partner.owner(&other).await;
    bakery.partner.connect(&other, owner, "+15550001111").await;
    let write = async |change: Value| {
        let mut body = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
        body.as_object_mut().expect("a body").extend(change.as_object().expect("changes").clone());
        bakery.partner.post("/sandbox/inbound", body).await
    };
    let uids = |answer: &Value| {
        let uids = answer["message_uids"].as_array().expect("uids").iter();
        uids.map(|uid| uid.as_str().expect("a uid").parse().expect("a uuid")).collect::<Vec<MessageId>>()
    };
    let sent = bakery.token.send("+15557770000", "Is all well?").await.expect(200)["data"]["message_uid"].clone();
    app.advance(3).await;
    let first = uids(&write(json!({ "reply_to": sent })).await.expect(200));
    let second = uids(&write(json!({ "reply_to": first[0] })).await.expect(200));
    let mut replies = Vec::new();
    for id in first.iter().chain(&second) {
        replies.push(app.message(*id).await.reply_to.map(|id| json!(id)));
    }
    assert_eq!(replies, [Some(sent.clone()), None, Some(json!(first[0])), Some(json!(first[1]))]);
    app.run_jobs().await;
    let told: Vec<Value> =
        receiver.received().iter().map(|one| one.json()["message"]["reply_to_uid"].clone()).collect();
    assert!(told.len() == 2 && told.contains(&sent) && told.contains(&json!(first[0])), "{told:?}");
    let history =
        bakery.token.get(&format!("/chats/{}/messages", app.message(first[0]).await.chat_id)).await.expect(200);
    let shown: Vec<&Value> =
        history["data"]["messages"].as_array().expect("messages").iter().map(|one| &one["reply_to_uid"]).collect();
    assert_eq!(shown, [&json!(first[0]), &sent, &json!(null)]);
    let nobodys = "0198f000-0000-7000-8000-000000000001";
    write(json!({ "reply_to": nobodys })).await.expect_error(404, "message_not_found");
    write(json!({ "reply_to": "x" })).await.expect_error(404, "message_not_found");
    let elsewhere = json!({ "from": "+15557770001", "reply_to": sent });
    let error = write(elsewhere).await.expect_error(400, "invalid_request");
    assert!(error["description"].as_str().is_some_and(|text| text.contains("reply_to")), "{error}");
    let stranger = app.partner("stranger").await;
    let theirs = Conversations::start(&app, "third", "+15550003333").await;
    let body = json!({ "phone": "+15550003333", "from": "+15557770000", "text": "Hello", "reply_to": sent });
    theirs.partner.post("/sandbox/inbound", body.clone()).await.expect_error(404, "message_not_found");
    stranger.post("/sandbox/inbound", body).await.expect_error(409, "phone_not_linked");
}

#[tokio::test]
async fn visitors_answer_what_is_in_their_window() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    visitor.write("Hello").await;
    let held = shop.chats().await[0].clone();
    let id = shop.answer(&held, "Which bread?").await;
    let body = json!({ "text": "The dark one", "reply_to": 2 });
    let written = visitor.post("/messages", body).await.expect(201);
    assert_eq!(written["reply_to"], json!({ "number": 2, "from": "workspace", "text": "Which bread?" }));
    let uid: MessageId = written["id"].as_str().expect("an id").parse().expect("a uuid");
    assert_eq!(app.message(uid).await.reply_to, Some(id));
    for number in [0, -1, 4, i64::MIN, i64::MAX] {
        let refused = visitor.post("/messages", json!({ "text": "x", "reply_to": number })).await.expect(400);
        assert_eq!(refused["code"], "invalid_request", "{number}");
    }
    assert_eq!(visitor.window().await.len(), 3);
}
