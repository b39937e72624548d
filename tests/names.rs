//! What chats are called that come by themselves.

use serde_json::{Value, json};

use crate::support::{
    Setup, TestApp,
    channels::Shop,
    conversation::Conversations,
    receiver::{Received, Receiver},
};

const TEAM: &str = "120363000000000001@g.us";

/// The chat with this id on the network.
async fn chat(bakery: &Conversations<'_>, jid: &str) -> Value {
    let listed = bakery.token.get("/chats").await.expect(200);
    let mut chats = listed["data"]["chats"].as_array().expect("chats").iter();
    chats.find(|chat| chat["jid"] == jid).expect("the chat").clone()
}

async fn write(bakery: &Conversations<'_>, change: Value) {
    let mut body = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
    body.as_object_mut().expect("a body").extend(change.as_object().expect("changes").clone());
    bakery.partner.post("/sandbox/inbound", body).await.expect(200);
}

#[tokio::test]
async fn a_chat_takes_the_name_of_who_writes_until_it_has_one() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let receiver = Receiver::start().await;
    for event in ["chat:new", "message:received:new"] {
        let webhook = json!({ "event_type": event, "url": receiver.url() });
        bakery.token.post("/webhooks", webhook).await.expect(200);
    }
    let ann = "15557770000@s.whatsapp.net";
    write(&bakery, json!({ "from_name": " Änn Lee " })).await;
    assert_eq!(chat(&bakery, ann).await["name"], "Änn Lee");
    app.run_jobs().await;
    let told: Vec<Value> = receiver.received().iter().map(Received::json).collect();
    assert_eq!(told.len(), 2);
    for event in &told {
        let (of_chat, of_message) = (&event["chat"]["name"], &event["message"]["sender"]["full_name"]);
        assert!([of_chat, of_message].contains(&&json!("Änn Lee")), "{event}");
    }
    // One that was written to first, too; but neither is renamed.
    bakery.token.send("+15557770001", "Hello").await.expect(200);
    let bob = "15557770001@s.whatsapp.net";
    assert_eq!(chat(&bakery, bob).await["name"], "+15557770001");
    write(&bakery, json!({ "from": "+15557770001" })).await;
    assert_eq!(chat(&bakery, bob).await["name"], "+15557770001");
    app.advance(60).await;
    for name in ["Änn Lee", "änn lee", "+15557770000", "+1 555 777 0001"] {
        write(&bakery, json!({ "from": "+15557770001", "from_name": name })).await;
        assert_eq!(chat(&bakery, bob).await["name"], "+15557770001", "{name} is somebody else's, or no name");
    }
    for name in ["Änn Leer", "Bob"] {
        write(&bakery, json!({ "from": "+15557770001", "from_name": name })).await;
        assert_eq!(chat(&bakery, bob).await["name"], "Änn Leer");
    }
    let found = async |query: &str| {
        let listed = bakery.token.get(&format!("/chats?{query}")).await.expect(200);
        listed["data"]["chats"].as_array().map(Vec::len)
    };
    assert_eq!((found("name=%C3%A4nn").await, found("name=bob").await), (Some(2), Some(0)));
    let before = bakery.token.credits().await.0;
    let named = json!({ "chat_name": "änn lee", "text": "Hello" });
    let sent = bakery.token.post("/messages/to_chat_name", named).await.expect(200)["data"]["message_uid"].clone();
    let uid = sent.as_str().expect("a uid").parse().expect("a uuid");
    assert_eq!(json!(app.message(uid).await.chat_id), chat(&bakery, ann).await["id"], "nobody else can be called so");
    assert_eq!(bakery.token.credits().await.0, before + 1);
}

#[tokio::test]
async fn names_that_were_given_stay() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    write(&bakery, json!({})).await;
    let ann = "15557770000@s.whatsapp.net";
    let path = format!("/chats/{}", chat(&bakery, ann).await["id"]);
    bakery.token.patch(&path, json!({ "name": "Customer 7" })).await.expect(200);
    let named = json!({ "phone": "+15557770001", "text": "Hello", "chat_name": "Customer 8" });
    bakery.token.post("/messages", named).await.expect(200);
    for from in ["+15557770000", "+15557770001"] {
        write(&bakery, json!({ "from": from, "from_name": "Ann" })).await;
    }
    assert_eq!(chat(&bakery, ann).await["name"], "Customer 7");
    assert_eq!(chat(&bakery, "15557770001@s.whatsapp.net").await["name"], "Customer 8");
}

#[tokio::test]
async fn groups_are_called_by_their_subject_and_never_by_who_writes() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    for (change, expected) in [
        (json!({ "group": TEAM, "from_name": "Ann" }), TEAM),
        (json!({ "group": TEAM, "group_name": "Team" }), "Team"),
        (json!({ "group": TEAM, "group_name": "The team" }), "Team"),
    ] {
        write(&bakery, change).await;
        assert_eq!(chat(&bakery, TEAM).await["name"], expected);
    }
    let history = bakery.token.get(&format!("/chats/{}/messages", chat(&bakery, TEAM).await["id"])).await.expect(200);
    let names: Vec<&Value> =
        history["data"]["messages"].as_array().expect("messages").iter().map(|one| &one["sender_name"]).collect();
    assert_eq!(names, ["+15557770000", "+15557770000", "Ann"]);
}

#[tokio::test]
async fn chats_of_other_networks_are_named_too() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.active("telegram", json!({ "botToken": "12345:token" })).await;
    for (name, expected) in [(None, "4711@telegram"), (Some("Ann Lee"), "Ann Lee"), (Some("Annie"), "Ann Lee")] {
        let mut body = json!({ "channel_id": id, "from": "4711", "text": "Hello" });
        if let Some(name) = name {
            body["from_name"] = json!(name);
        }
        shop.partner.post("/sandbox/channel-inbound", body).await.expect(200);
        assert_eq!(shop.chats().await[0]["name"], expected);
    }
}
