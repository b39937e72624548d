//! What chats are called that come by themselves.

use entity::chat;
use quartermaster::db;
use sea_orm::{ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Set};
use serde_json::{Value, json};

use crate::support::{
    START, Setup, TestApp,
    channels::Shop,
    conversation::Conversations,
    database::step_again,
    receiver::{Received, Receiver},
};

const TEAM: &str = "120363000000000001@g.us";

/// The chat with this id on the network.
async fn chat(bakery: &Conversations<'_>, jid: &str) -> Value {
    let listed = bakery.token.get("/chats").await.expect(200);
    let mut chats = listed["data"]["chats"].as_array().expect("chats").iter();
    chats.find(|chat| chat["jid"] == jid).expect("the chat").clone()
}

/// Somebody writes; the uid of it.
async fn write(bakery: &Conversations<'_>, change: Value) -> Value {
    let mut body = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
    body.as_object_mut().expect("a body").extend(change.as_object().expect("changes").clone());
    bakery.partner.post("/sandbox/inbound", body).await.expect(200)["message_uids"][0].clone()
}

/// The chat that a message to this name goes to.
async fn sent_to(app: &TestApp, bakery: &Conversations<'_>, name: &str) -> Value {
    let body = json!({ "chat_name": name, "text": "Hello" });
    let sent = bakery.token.post("/messages/to_chat_name", body).await.expect(200)["data"]["message_uid"].clone();
    let uid = sent.as_str().expect("a uid").parse().expect("a uuid");
    json!(app.message(uid).await.chat_id)
}

#[tokio::test]
async fn a_chat_is_called_as_who_writes_calls_themselves() {
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
    // One that was written to first, too.
    bakery.token.send("+15557770001", "Hello").await.expect(200);
    let bob = "15557770001@s.whatsapp.net";
    assert_eq!(chat(&bakery, bob).await["name"], "+15557770001");
    write(&bakery, json!({ "from": "+15557770001" })).await;
    assert_eq!(chat(&bakery, bob).await["name"], "+15557770001");
    app.advance(60).await;
    for name in ["+15557770000", "+1 555 777 0001"] {
        write(&bakery, json!({ "from": "+15557770001", "from_name": name })).await;
        assert_eq!(chat(&bakery, bob).await["name"], "+15557770001", "{name} is no name");
    }
    for name in ["Bob", "Änn Leer", "Bobby"] {
        write(&bakery, json!({ "from": "+15557770001", "from_name": name })).await;
        assert_eq!(chat(&bakery, bob).await["name"], name);
    }
    let found = async |query: &str| {
        let listed = bakery.token.get(&format!("/chats?{query}")).await.expect(200);
        listed["data"]["chats"].as_array().map(Vec::len)
    };
    assert_eq!((found("name=%C3%A4nn").await, found("name=bob").await), (Some(1), Some(1)));
    let before = bakery.token.credits().await.0;
    assert_eq!(sent_to(&app, &bakery, "änn lee").await, chat(&bakery, ann).await["id"]);
    assert_eq!(bakery.token.credits().await.0, before + 1);
}

#[tokio::test]
async fn two_who_are_called_john_are_and_take_the_name_from_nobody() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let [first, second, third] = ["15557770000", "15557770001", "15557770002"].map(|to| format!("{to}@s.whatsapp.net"));
    for from in ["+15557770000", "+15557770001"] {
        write(&bakery, json!({ "from": from, "from_name": "John" })).await;
    }
    assert_eq!(
        (&chat(&bakery, &first).await["name"], &chat(&bakery, &second).await["name"]),
        (&json!("John"), &json!("John"))
    );
    let before = bakery.token.credits().await;
    let named = json!({ "chat_name": " JOHN ", "text": "Hello" });
    let refused = bakery.token.post("/messages/to_chat_name", named).await.expect(400);
    let says = "Several chats are called \"JOHN\"; send to the id of the one that is meant, or give it a name";
    assert_eq!((&refused["error_code"], &refused["message"]), (&json!("validation_error"), &json!(says)));
    assert_eq!(bakery.token.credits().await, before);
    // Whoever gives the name has it, and is meant.
    bakery.token.send("+15557770002", "Hello").await.expect(200);
    let id = chat(&bakery, &third).await["id"].clone();
    bakery.token.patch(&format!("/chats/{id}"), json!({ "name": "John" })).await.expect(200);
    assert_eq!(sent_to(&app, &bakery, "john").await, id);
    app.advance(5).await;
    let path = format!("/chats/{}", chat(&bakery, &first).await["id"]);
    let with_name = |name: &str| json!({ "phone": "+15557770000", "text": "Hello", "chat_name": name });
    for refused in [
        bakery.token.patch(&path, json!({ "name": "John" })).await,
        bakery.token.patch(&path, json!({ "name": "john" })).await,
        bakery.token.post("/messages", with_name("JOHN")).await,
    ] {
        let message = refused.expect(400)["message"].as_str().expect("a sentence").to_owned();
        assert!(message.ends_with(&format!("is taken by chat {id}")), "{message}");
    }
    // What it gives up is free, though the others are still called so.
    bakery.token.patch(&format!("/chats/{id}"), json!({ "name": "Jim" })).await.expect(200);
    bakery.token.post("/messages", with_name("JOHN")).await.expect(200);
    assert_eq!(sent_to(&app, &bakery, "john").await, chat(&bakery, &first).await["id"]);
    app.advance(5).await;
    for (from, jid, expected) in [("+15557770000", &first, "JOHN"), ("+15557770001", &second, "Johnny")] {
        write(&bakery, json!({ "from": from, "from_name": "Johnny" })).await;
        assert_eq!(chat(&bakery, jid).await["name"], expected);
    }
}

#[tokio::test]
async fn of_those_who_give_a_name_at_once_one_does_whatever_is_told_meanwhile() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let replica = app.replica().await;
    for round in 0..4 {
        let name = format!("John {round}");
        let phones = [0, 1, 2].map(|number| format!("+155577700{round}{number}"));
        let mut paths = Vec::new();
        for phone in &phones {
            write(&bakery, json!({ "from": phone, "from_name": name })).await;
            let jid = format!("{}@s.whatsapp.net", &phone[1..]);
            paths.push(format!("/chats/{}", chat(&bakery, &jid).await["id"]));
        }
        let there = bakery.token.at(&replica.base);
        let giving = futures_util::future::join3(
            bakery.token.patch(&paths[0], json!({ "name": name })),
            there.patch(&paths[1], json!({ "name": name })),
            there.post("/messages", json!({ "phone": phones[2], "text": "Hello", "chat_name": name })),
        );
        let telling = phones.iter().map(|phone| write(&bakery, json!({ "from": phone, "from_name": "Johnny" })));
        let (given, _) = futures_util::future::join(giving, futures_util::future::join_all(telling)).await;
        let mut statuses = [given.0, given.1, given.2].map(|answer| answer.status.as_u16());
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400, 400], "{name}");
        let called = chat::Entity::find().filter(chat::Column::NameFolded.eq(name.to_lowercase()));
        let called = called.all(app.app.db.reader()).await.expect("chats");
        assert_eq!(called.iter().map(|chat| chat.name_given).collect::<Vec<_>>(), [true], "{called:?}");
        app.advance(10).await;
    }
}

#[tokio::test]
async fn one_person_at_two_accounts_is_no_two_people() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let other = bakery.partner.users(&bakery.slug, 1).await[0];
    bakery.partner.connect(&bakery.slug, other, "+15550002222").await;
    for phone in ["+15550002222", "+15550001111"] {
        write(&bakery, json!({ "phone": phone, "from_name": "Ann" })).await;
        app.advance(1).await;
    }
    let newest = bakery.token.get("/chats").await.expect(200)["data"]["chats"][0].clone();
    assert_eq!(newest["whatsapp_account_id"], "15550001111@s.whatsapp.net");
    assert_eq!(sent_to(&app, &bakery, "Ann").await, newest["id"]);
}

#[tokio::test]
async fn a_name_may_be_meant_of_one_account_only() {
    let (first, second) = ("+15550001111", "+15550002222");
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", first).await;
    let other = bakery.partner.users(&bakery.slug, 1).await[0];
    bakery.partner.connect(&bakery.slug, other, second).await;
    let [ann, john, jonathan] = ["+15557770000", "+15557770001", "+15557770002"];
    let asked = write(&bakery, json!({ "phone": first, "from": ann, "from_name": "Ann" })).await;
    for (phone, from, name) in
        [(second, ann, "Ann"), (first, john, "John"), (second, jonathan, "John"), (first, "+15557770003", "Bob")]
    {
        app.advance(1).await;
        write(&bakery, json!({ "phone": phone, "from": from, "from_name": name })).await;
    }
    let send = async |name: &str, account: &str, reply_to: &Value| {
        app.advance(5).await;
        let body =
            json!({ "chat_name": name, "text": "Hello", "whatsapp_account_phone": account, "reply_to": reply_to });
        bakery.token.post("/messages/to_chat_name", body).await
    };
    for (name, account, to, reply_to) in [
        ("Ann", first, ann, &asked),
        ("ann", second, ann, &json!("")),
        ("John", first, john, &Value::Null),
        ("John", second, jonathan, &Value::Null),
    ] {
        let sent = send(name, account, reply_to).await.expect(200)["data"]["message_uid"].clone();
        let path = format!("/messages/{}", sent.as_str().expect("a uid"));
        let shown = bakery.token.get(&path).await.expect(200)["data"].clone();
        assert_eq!((&shown["sender_phone"], &shown["recipient_phone"]), (&json!(account), &json!(to)), "{name}");
        assert_eq!(shown["reply_to_uid"].as_str(), reply_to.as_str().filter(|uid| !uid.is_empty()), "{name}");
    }
    send("John", "", &Value::Null).await.expect(400);
    send("Ann", second, &asked).await.expect(404);
    let elsewhere = send("Bob", second, &Value::Null).await.expect(404);
    assert_eq!(elsewhere["message"], "Chat name \"Bob\" not found");
    for (account, status) in [("+15559999999", 404), ("x", 400)] {
        let named = send("Ann", account, &Value::Null).await.expect(status);
        let plain = json!({ "phone": ann, "text": "Hello", "whatsapp_account_phone": account });
        assert_eq!(named, bakery.token.post("/messages", plain).await.expect(status), "{account}");
    }
    let keyed = async |account: &str| {
        let body = json!({ "chat_name": "Ann", "text": "Hello", "whatsapp_account_phone": account });
        bakery.token.post_with_key("/messages/to_chat_name", "k", body).await
    };
    app.advance(5).await;
    keyed(first).await.expect(200);
    assert_eq!(keyed(second).await.expect(409)["error_code"], "idempotency_key_reused");
}

#[tokio::test]
async fn what_was_sent_to_a_name_is_answered_again_whoever_is_called_so_by_now() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    write(&bakery, json!({ "from_name": "Ann" })).await;
    let send = async |text: &str| {
        let body = json!({ "chat_name": "Ann", "text": text });
        bakery.token.post_with_key("/messages/to_chat_name", "k", body).await
    };
    let sent = send("Hello").await.expect(200);
    let used = bakery.token.credits().await.0;
    for (from, name) in [("+15557770001", "Ann"), ("+15557770001", "Annie"), ("+15557770000", "Annie")] {
        write(&bakery, json!({ "from": from, "from_name": name })).await;
        assert_eq!(send("Hello").await.expect(200), sent, "{from} is called {name}");
    }
    assert_eq!(send("Bye").await.expect(409)["error_code"], "idempotency_key_reused");
    assert_eq!(bakery.token.credits().await.0, used);
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
    // Also one that is the number, and one that the network has told before.
    for (change, told, expected) in [
        (json!({ "name": "+15557770000" }), "Ann", "+15557770000"),
        (json!({ "name": "Ann" }), "Ann", "Ann"),
        (json!({ "name": "Ann" }), "Annie", "Ann"),
    ] {
        bakery.token.patch(&path, change).await.expect(200);
        write(&bakery, json!({ "from_name": told })).await;
        assert_eq!(chat(&bakery, ann).await["name"], expected);
    }
    write(&bakery, json!({ "from": "+15557770004" })).await;
    let nameless = "15557770004@s.whatsapp.net";
    let its_path = format!("/chats/{}", chat(&bakery, nameless).await["id"]);
    bakery.token.patch(&its_path, json!({ "name": "+15557770004" })).await.expect(200);
    write(&bakery, json!({ "from": "+15557770004", "from_name": "Dora" })).await;
    assert_eq!(chat(&bakery, nameless).await["name"], "+15557770004", "its number was given to it");
    for (phone, name) in [("+15557770002", "Bob"), ("+15557770003", "Carl")] {
        write(&bakery, json!({ "from": phone, "from_name": name })).await;
    }
    let [bob, carl] = ["15557770002", "15557770003"].map(|to| format!("{to}@s.whatsapp.net"));
    let path = format!("/chats/{}", chat(&bakery, &bob).await["id"]);
    let audited = bakery.audited("chat.update").await;
    for _ in 0..2 {
        bakery.token.patch(&path, json!({ "name": "Bob" })).await.expect(200);
    }
    assert_eq!(bakery.audited("chat.update").await, audited + 1, "given once");
    let named = json!({ "phone": "+15557770003", "text": "Hello", "chat_name": "Carl" });
    bakery.token.post("/messages", named).await.expect(200);
    for (phone, jid, name) in [("+15557770002", &bob, "Bob"), ("+15557770003", &carl, "Carl")] {
        write(&bakery, json!({ "from": phone, "from_name": "Another" })).await;
        assert_eq!(chat(&bakery, jid).await["name"], name);
    }
}

#[tokio::test]
async fn names_of_the_release_before_count_as_given_unless_they_are_numbers() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let called = |row: chat::ActiveModel, name: Option<String>| {
        let name = name.expect("a name");
        chat::ActiveModel { name_folded: Set(name.clone()), name: Set(name), name_given: Set(false), ..row }
    };
    let phone = |row: chat::ActiveModel| {
        let phone = row.phone.clone().unwrap();
        called(row, phone)
    };
    let jid = |row: chat::ActiveModel| {
        let jid = row.jid.clone().unwrap();
        called(row, Some(jid))
    };
    let ann = |row: chat::ActiveModel| called(row, Some("Ann".to_owned()));
    let chats = [bakery.chat("x", ann).await, bakery.chat("x", phone).await, bakery.group_with("x", jid).await];
    step_again(&app.app.db, "m0053_names_given").await;
    let mut given = Vec::new();
    for id in chats {
        let found = chat::Entity::find_by_id(id).one(app.app.db.reader()).await.expect("a look");
        given.push(found.expect("the chat").name_given);
    }
    assert_eq!(given, [true, false, false]);
}

/// A chat that was given this name.
fn given(name: &'static str) -> impl Fn(chat::ActiveModel) -> chat::ActiveModel {
    move |row| chat::ActiveModel {
        name: Set(name.to_owned()),
        name_folded: Set(name.to_lowercase()),
        name_given: Set(true),
        ..row
    }
}

#[tokio::test]
async fn names_of_the_release_before_are_composed() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let [rene, zoe] = [bakery.chat("x", given("Rene\u{301}")).await, bakery.chat("x", given("Zo\u{eb}")).await];
    step_again(&app.app.db, "m0058_names_composed").await;
    for (sought, id, name) in
        [("rene\u{301}", rene, "Ren\u{e9}"), ("REN\u{c9}", rene, "Ren\u{e9}"), ("zoe\u{308}", zoe, "Zo\u{eb}")]
    {
        let body = json!({ "chat_name": sought, "text": "Hello" });
        let sent = bakery.token.post("/messages/to_chat_name", body).await;
        // Their accounts have no number of their own to send to; that they are found is what is asked.
        assert!(sent.status.is_success() || !sent.text.contains("chat_not_found"), "{sought}: {}", sent.text);
        let found = bakery.token.get(&format!("/chats?name={sought}")).await.expect(200)["data"]["chats"].clone();
        assert_eq!((&found[0]["id"], &found[0]["name"]), (&json!(id), &json!(name)), "{sought}");
    }
    let taken = bakery.token.patch(&format!("/chats/{zoe}"), json!({ "name": "Rene\u{301}" })).await.expect(400);
    assert!(taken["message"].as_str().is_some_and(|text| text.contains("is taken")), "{taken}");
}

#[tokio::test]
async fn however_many_names_are_composed_and_those_that_become_alike_are_kept() {
    const MANY: i64 = 2500;
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let names = ["Rene\u{301}", "Ren\u{e9}", "J\u{30c} Rene\u{301}"];
    let mut twins = Vec::new();
    for (seconds, name) in (0..).zip(names) {
        let id = bakery.chat("x", given(name)).await;
        bakery.message(id, START.plus_seconds(seconds), |row| row).await;
        twins.push(id);
    }
    let known = chat::Entity::find_by_id(twins[0]).one(app.app.db.reader()).await.expect("a look").expect("a chat");
    let rows = (0..MANY).map(|number| chat::ActiveModel {
        id: NotSet,
        jid: Set(format!("{number}@s.whatsapp.net")),
        name: Set(format!("Zoe\u{308} {number}")),
        name_folded: Set(format!("zoe\u{308} {number}")),
        ..known.clone().into_active_model().reset_all()
    });
    let rows: Vec<_> = rows.collect();
    let writing = db::write(&app.app.db, "test", async |tx| {
        for some in rows.chunks(500) {
            chat::Entity::insert_many(some.to_vec()).exec_without_returning(tx).await?;
        }
        Ok(())
    });
    writing.await.expect("chats");
    step_again(&app.app.db, "m0058_names_composed").await;
    let all = chat::Entity::find().all(app.app.db.reader()).await.expect("chats");
    for chat in &all {
        assert!(!chat.name.contains(['\u{301}', '\u{308}']), "{:?}", chat.name);
        assert_eq!(chat.name_folded, chat.name.to_lowercase());
    }
    let of = |name: &str| all.iter().filter(|chat| chat.name_given && chat.name == name).count();
    assert_eq!((of("Ren\u{e9}"), of("J\u{30c} Ren\u{e9}")), (2, 1));
    assert_eq!(sent_to(&app, &bakery, "REN\u{c9}").await, json!(twins[1]), "the newest is meant");
    let renamed = bakery.token.patch(&format!("/chats/{}", twins[2]), json!({ "name": "rene\u{301}" })).await;
    assert!(renamed.expect(400)["message"].as_str().is_some_and(|text| text.contains("is taken")));
}

#[tokio::test]
async fn groups_are_called_by_their_subject_and_never_by_who_writes() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    for (change, expected) in [
        (json!({ "group": TEAM, "from_name": "Ann" }), TEAM),
        (json!({ "group": TEAM, "group_name": "Team" }), "Team"),
        (json!({ "group": TEAM, "group_name": "The team" }), "The team"),
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
    for (name, expected) in [(None, "4711@telegram"), (Some("Ann Lee"), "Ann Lee"), (Some("Annie"), "Annie")] {
        let mut body = json!({ "channel_id": id, "from": "4711", "text": "Hello" });
        if let Some(name) = name {
            body["from_name"] = json!(name);
        }
        shop.partner.post("/sandbox/channel-inbound", body).await.expect(200);
        assert_eq!(shop.chats().await[0]["name"], expected);
    }
}
