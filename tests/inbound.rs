//! Texts from outside: stored once, in the right chat of the right account, for nothing.

use std::time::Duration;

use entity::{
    chat,
    id::{AttemptId, MessageId},
    message::{self, Direction, Status},
};
use futures_util::future::join_all;
use quartermaster::{
    db,
    message::{
        Jid, Text,
        receive::{self, Incoming},
    },
    phone::Phone,
};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryOrder, Set, Statement, Unchanged,
};
use serde_json::{Value, json};

use crate::support::{
    Answer, Setup, TestApp, conversation::Conversations, database::Mode, messages::Line, receiver::Receiver,
};

fn hello() -> Value {
    json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" })
}

fn uid(answer: &Value) -> MessageId {
    let uids = answer["message_uids"].as_array().expect("uids");
    assert_eq!(uids.len(), 1, "{answer}");
    uids[0].as_str().expect("a uid").parse().expect("a uuid")
}

async fn chats(app: &TestApp) -> Vec<chat::Model> {
    chat::Entity::find().order_by_asc(chat::Column::Id).all(app.app.db.reader()).await.expect("chats")
}

async fn messages(app: &TestApp) -> u64 {
    message::Entity::find().count(app.app.db.reader()).await.expect("a count")
}

fn incoming(session: AttemptId, provider_ref: &str) -> Incoming {
    Incoming {
        session,
        from: Jid::of(&Phone::parse("+15557770000").expect("a number")),
        author: None,
        author_name: None,
        group_name: None,
        answers: Vec::new(),
        text: Some(Text::parse("Hello".to_owned()).expect("a text")),
        file: None,
        provider_ref: provider_ref.to_owned(),
        told_at: None,
    }
}

#[tokio::test]
async fn a_text_from_outside_opens_its_chat_and_costs_nothing() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let answer = acme.post("/sandbox/inbound", hello()).await.expect(200);
    assert_eq!((&answer["phone"], &answer["from"]), (&json!("+15550001111"), &json!("+15557770000")));
    let stored = app.message(uid(&answer)).await;
    let chat = chats(&app).await.pop().expect("a chat");
    assert_eq!((chat.jid.as_str(), chat.phone.as_deref()), ("15557770000@s.whatsapp.net", Some("+15557770000")));
    assert_eq!((chat.name.as_str(), chat.account_id, chat.is_group), ("+15557770000", line.account, false));
    assert_eq!((chat.read, chat.closed, chat.last_message_id), (false, false, Some(stored.id)));
    assert_eq!(chat.last_message_at, Some(stored.created_at));
    assert_eq!((stored.direction, stored.status), (Direction::Received, Status::Received));
    assert_eq!((stored.chat_id, stored.text.as_deref()), (chat.id, Some("Hello")));
    assert_eq!((app.entries(stored.id).await, line.balances().await), (vec![], (0, 0)));
    assert_eq!(line.waiting().await, (0, None));

    let done = chat::ActiveModel { id: Unchanged(chat.id), read: Set(true), closed: Set(true), ..Default::default() };
    done.update(app.app.db.reader()).await.expect("a closed chat");
    app.advance(60).await;
    let second = uid(&acme.post("/sandbox/inbound", hello()).await.expect(200));
    assert_ne!(second, stored.id, "the same words again are another message");
    let again = chats(&app).await;
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].read, again[0].closed, again[0].last_message_id), (false, false, Some(second)));
    assert!(again[0].last_message_at > chat.last_message_at);
}

#[tokio::test]
async fn what_a_provider_brings_twice_is_stored_once() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let session = line.channel().await.session;
    let first = receive::receive(&app.app, &incoming(session, "a")).await.expect("received");
    assert!(first.is_new);
    let again = receive::receive(&app.app, &incoming(session, "a")).await.expect("received");
    assert_eq!((again.message_id, again.chat_id, again.is_new), (first.message_id, first.chat_id, false));
    let twice = incoming(session, "b");
    let answers = join_all((0..8).map(|_| receive::receive(&app.app, &twice))).await;
    let new = answers.iter().filter(|answer| answer.as_ref().expect("received").is_new).count();
    assert_eq!((new, messages(&app).await), (1, 2));
}

#[tokio::test]
async fn texts_at_the_same_time_share_one_chat() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    Line::open(&app, &acme, "Bakery", "+15550001111").await;
    for answer in join_all((0..8).map(|_| acme.post("/sandbox/inbound", hello()))).await {
        answer.expect(200);
    }
    assert_eq!((chats(&app).await.len(), messages(&app).await), (1, 8));
}

/// It gets its id when the chat is its own, so that none that is older becomes the newest after it.
#[tokio::test]
async fn who_stores_a_message_waits_for_its_chat_first() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let session = line.channel().await.session;
    receive::receive(&app.app, &incoming(session, "a")).await.expect("received");
    let (hold, held) = tokio::sync::oneshot::channel();
    let holding = db::write(&app.app.db, "test", async |tx| {
        tx.execute_unprepared("UPDATE chats SET updated_at = updated_at").await?;
        hold.send(()).expect("somebody waits");
        until_somebody_waits(&app).await;
        Ok(MessageId(app.app.clock.uuid()))
    });
    let second = incoming(session, "b");
    let receiving = async {
        held.await.expect("it is held");
        receive::receive(&app.app, &second).await
    };
    let (drawn, received) = tokio::join!(holding, receiving);
    let id = received.expect("received").message_id;
    assert!(id > drawn.expect("an id"));
    assert_eq!(chats(&app).await[0].last_message_id, Some(id));
}

/// On SQLite whoever writes has the whole database.
async fn until_somebody_waits(app: &TestApp) {
    let sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let db = app.app.db.reader();
    while Mode::current() == Mode::Clustered
        && db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.expect("a look").is_none()
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_repeated_request_with_a_key_is_one_message() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let first = acme.post_with_key("/sandbox/inbound", "k", hello()).await.expect(200);
    assert_eq!(acme.post_with_key("/sandbox/inbound", "k", hello()).await.expect(200), first);
    assert_eq!(messages(&app).await, 1);
    let mut other = hello();
    other["text"] = json!("Bye");
    acme.post_with_key("/sandbox/inbound", "k", other).await.expect_error(409, "idempotency_key_reused");
}

#[tokio::test]
async fn phones_of_others_and_phones_without_account_are_not_linked() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    other.post("/sandbox/inbound", hello()).await.expect_error(409, "phone_not_linked");
    let session = line.channel().await.session;
    acme.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    acme.post("/sandbox/inbound", hello()).await.expect_error(409, "phone_not_linked");
    let error = receive::receive(&app.app, &incoming(session, "a")).await.expect_err("no account");
    assert_eq!(error.code().to_string(), "channel_not_connected");
    assert_eq!((chats(&app).await.len(), messages(&app).await), (0, 0));
    let plain = app.partner_without_sandbox("plain").await;
    plain.post("/sandbox/inbound", hello()).await.expect_error(403, "sandbox_only");
}

#[tokio::test]
async fn a_phone_of_two_workspaces_receives_in_both() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let lines = [
        Line::open(&app, &acme, "Bakery", "+15550001111").await,
        Line::open(&app, &acme, "Butcher", "+15550001111").await,
    ];
    let answer = acme.post("/sandbox/inbound", hello()).await.expect(200);
    assert_eq!(answer["message_uids"].as_array().map(Vec::len), Some(2));
    let accounts: Vec<_> = chats(&app).await.into_iter().map(|chat| chat.account_id).collect();
    assert_eq!(accounts, lines.map(|line| line.account));
}

#[tokio::test]
async fn an_account_without_a_seat_sends_nothing_and_still_receives() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let seats = async |count: i64| {
        bakery.partner.patch("/workspaces/bakery", json!({ "seats_purchased": count })).await.expect(200);
    };
    seats(1).await;
    let written = uid(&bakery.partner.post("/sandbox/inbound", hello()).await.expect(200));
    assert_eq!(app.message(written).await.status, Status::Received);
    let refused = bakery.token.send("+15557770000", "Hello").await.expect(409);
    assert_eq!(refused["error_code"], "account_inactive");
    let chat = bakery.token.get("/chats").await.expect(200)["data"]["chats"][0].clone();
    assert_eq!((&chat["is_allowed_to_message"], &chat["read"]), (&json!(false), &json!(false)));
    seats(3).await;
    bakery.token.send("+15557770000", "Hello").await.expect(200);
    app.run_jobs().await;
}

#[tokio::test]
async fn bad_texts_are_named() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    for (field, value) in
        [("phone", json!("nobody")), ("from", json!("nobody")), ("text", json!("")), ("text", json!("a\u{0}"))]
    {
        let mut body = hello();
        body[field] = value;
        let error = acme.post("/sandbox/inbound", body).await.expect_error(400, "invalid_request");
        assert!(error["description"].as_str().is_some_and(|text| text.contains(field)), "{error}");
    }
}

#[tokio::test]
async fn developers_on_the_machine_need_no_token() {
    let app = Setup::default().sandbox().start().await;
    let acme = app.partner("acme").await;
    Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let url = format!("{}/sandbox/inbound", app.base);
    let answer = Answer::of(app.http.post(&url).json(&hello())).await.expect(200);
    assert_eq!(app.message(uid(&answer)).await.text.as_deref(), Some("Hello"));
    let site = Answer::of(app.http.post(&url).header("Origin", "https://evil.example").json(&hello())).await;
    assert_eq!(site.expect(404)["code"], "route_not_found");
}

#[tokio::test]
async fn who_writes_in_a_group_is_known_to_be_in_it() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let other = Conversations::start(&app, "other", "+15550002222").await;
    let write = async |from: &str, group: Option<&str>| {
        let mut body = json!({ "phone": "+15550001111", "from": from, "text": "Hello" });
        if let Some(group) = group {
            body["group"] = json!(group);
        }
        bakery.partner.post("/sandbox/inbound", body).await
    };
    let (team, choir) = ("120363000000000001@g.us", "120363000000000002@g.us");
    for (from, group) in [
        ("+15557770001", Some(team)),
        ("+15557770000", Some(team)),
        ("+15557770000", Some(team)),
        ("+15557770000", Some(choir)),
        ("+15557770000", None),
        ("+15557770002", None),
    ] {
        write(from, group).await.expect(200);
        app.advance(60).await;
    }
    let theirs = json!({ "phone": "+15550002222", "from": "+15557770000", "text": "Hello", "group": team });
    other.partner.post("/sandbox/inbound", theirs).await.expect(200);
    let chat =
        async |query: &str| bakery.token.get(&format!("/chats?{query}")).await.expect(200)["data"]["chats"].clone();
    let direct = chat("phone=%2B15557770000").await[0].clone();
    bakery.token.patch(&format!("/chats/{}", direct["id"]), json!({ "name": "Ann Lee" })).await.expect(200);
    let groups = chat("group=true").await;
    let shown: Vec<(&Value, &Value)> =
        groups.as_array().expect("chats").iter().map(|group| (&group["jid"], &group["group_members"])).collect();
    let ann = json!({ "name": "Ann Lee", "phone": "+15557770000", "role": "member", "chat_id": direct["id"] });
    let bob = json!({ "name": "+15557770001", "phone": "+15557770001", "role": "member", "chat_id": null });
    assert_eq!(shown, [(&json!(choir), &json!([ann])), (&json!(team), &json!([ann, bob]))]);
    let one = bakery.token.get(&format!("/chats/{}", groups[1]["id"])).await.expect(200)["data"].clone();
    assert_eq!(one, groups[1]);
    let jids = async |query: &str| {
        let chats = chat(query).await;
        chats
            .as_array()
            .expect("chats")
            .iter()
            .map(|chat| chat["jid"].as_str().expect("a jid").to_owned())
            .collect::<Vec<_>>()
    };
    let person = |digits: &str| format!("{digits}@s.whatsapp.net");
    let (ann, dan) = (person("15557770000"), person("15557770002"));
    for (query, expected) in [
        ("whatsapp_phone=%2B15557770000", vec![ann.as_str(), choir, team]),
        ("whatsapp_phone=015557770000", vec![ann.as_str(), choir, team]),
        ("whatsapp_phone=15557770001", vec![team]),
        ("whatsapp_phone=15557770001,15557770002", vec![dan.as_str(), team]),
        ("whatsapp_phone=15557770000&group=true", vec![choir, team]),
        ("whatsapp_phone=15557770000&group=false", vec![ann.as_str()]),
        ("whatsapp_phone=15557770003", vec![]),
        ("phone=15557770000", vec![ann.as_str()]),
        ("phone=%2B15557770001", vec![]),
    ] {
        assert_eq!(jids(query).await, expected, "{query}");
    }
    for group in ["x", "15557770000@s.whatsapp.net", "@g.us", ""] {
        write("+15557770000", Some(group)).await.expect_error(400, "invalid_request");
    }
}

/// By the name that their phone tells, else as the account's chat with them is called, else by their number.
#[tokio::test]
async fn a_groups_messages_say_who_wrote_them() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let receiver = Receiver::start().await;
    let webhook = json!({ "event_type": "message:received:new", "url": receiver.url() });
    bakery.token.post("/webhooks", webhook).await.expect(200);
    let team = "120363000000000001@g.us";
    let write = async |from: &str, change: Value| {
        let mut body = json!({ "phone": "+15550001111", "from": from, "text": "Hello", "group": team });
        body.as_object_mut().expect("a body").extend(change.as_object().expect("changes").clone());
        bakery.partner.post("/sandbox/inbound", body).await
    };
    write("+15557770000", json!({ "group": null })).await.expect(200);
    app.run_jobs().await;
    let chats = bakery.token.get("/chats").await.expect(200)["data"]["chats"].clone();
    let named = json!({ "name": "Ann Lee" });
    bakery.token.patch(&format!("/chats/{}", chats[0]["id"]), named).await.expect(200);
    for (from, from_name, expected) in [
        ("+15557770000", None, "Ann Lee"),
        ("+15557770000", Some("Annie"), "Annie"),
        ("+15557770001", None, "+15557770001"),
        ("+15557770001", Some(" Bob "), "Bob"),
    ] {
        app.run_jobs().await;
        receiver.forget();
        let given = from_name.map_or_else(|| json!({}), |name| json!({ "from_name": name }));
        let uid = write(from, given).await.expect(200)["message_uids"][0].clone();
        app.run_jobs().await;
        let message = bakery.token.get(&format!("/messages/{}", uid.as_str().expect("a uid"))).await.expect(200);
        let message = message["data"].clone();
        assert_eq!((&message["sender_name"], &message["sender_phone"]), (&json!(expected), &json!(from)));
        assert_eq!((&message["recipient_phone"], &message["from_me"]), (&json!("+15550001111"), &json!(false)));
        let history = bakery.token.get(&format!("/chats/{}/messages", message["chat_id"])).await.expect(200);
        let newest = history["data"]["messages"].as_array().expect("messages").iter().find(|one| one["uid"] == uid);
        assert_eq!(newest.expect("it is in the history")["sender_name"], expected);
        let told = receiver.received();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].json()["message"]["sender"], json!({ "full_name": expected, "phone": from }));
    }
    let direct = write("+15557770000", json!({ "group": null, "from_name": "Annie" })).await.expect(200);
    let direct = app.message(uid(&direct)).await;
    assert_eq!((direct.sender_name, direct.sender_phone), (None, None), "a direct chat is with whoever writes");
    for name in ["", " ", "a\u{7}b", "x".repeat(257).as_str()] {
        let error = write("+15557770000", json!({ "from_name": name })).await.expect_error(400, "invalid_request");
        assert!(error["description"].as_str().is_some_and(|text| text.contains("from_name")), "{error}");
    }
}
