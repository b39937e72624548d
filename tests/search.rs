//! Search over names, numbers and words, alike on both databases.

use entity::{
    chat,
    id::{ChatId, MessageId, WorkspaceId},
    message::{self, Kind},
    timestamp::Timestamp,
};
use quartermaster::{clock::Clock, db, search::index};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Set, Unchanged};
use serde_json::{Value, json};

use crate::support::{
    START, TestApp, TokenClient,
    conversation::{Conversations, escaped},
    upload::png,
};

fn plain(row: chat::ActiveModel) -> chat::ActiveModel {
    row
}

fn text(text: &str) -> impl FnOnce(message::ActiveModel) -> message::ActiveModel {
    let text = text.to_owned();
    move |row| message::ActiveModel { text: Set(Some(text)), ..row }
}

async fn search(token: &TokenClient, q: &str, more: &str) -> Value {
    token.get(&format!("/chats/search?q={}{more}", escaped(q))).await.expect(200)["data"].clone()
}

/// Names of the chats that are found, each with the text of its message.
async fn found(token: &TokenClient, q: &str) -> Vec<(String, Option<String>)> {
    let chats = search(token, q, "").await["chats"].as_array().expect("chats").clone();
    let shown = |chat: &Value| {
        let text = chat["matched_message"]["text"].as_str().map(str::to_owned);
        (chat["name"].as_str().expect("a name").to_owned(), text)
    };
    chats.iter().map(shown).collect()
}

fn hits(hits: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    hits.iter().map(|(name, text)| ((*name).to_owned(), text.map(str::to_owned))).collect()
}

#[tokio::test]
async fn names_numbers_and_words_are_found() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let with_phone = |row| chat::ActiveModel { phone: Set(Some("+49301234567".to_owned())), ..row };
    let (ann, bob) = (bakery.chat("Ann Ökö", with_phone).await, bakery.chat("Bob", plain).await);
    let team = bakery.group("Team").await;
    let at = |seconds| START.plus_seconds(seconds);
    bakery.message(ann, at(1), text("The DELIVERY is late, isn't it?")).await;
    bakery.message(bob, at(2), text("delivery tomorrow for order 4711")).await;
    bakery.message(bob, at(3), text("Äpfel und Birnen")).await;
    bakery.message(team, at(4), text("東京へ delivery's here")).await;
    let note = |row| message::ActiveModel { kind: Set(Some(Kind::Note)), ..text("calls herself annabel")(row) };
    bakery.message(bob, at(5), note).await;
    app.run_jobs().await;
    let late = Some("The DELIVERY is late, isn't it?");
    let order = Some("delivery tomorrow for order 4711");
    let tokyo = Some("東京へ delivery's here");
    for (q, expected) in [
        ("delivery", hits(&[("Team", tokyo), ("Bob", order), ("Ann Ökö", late)])),
        ("Delivery LATE", hits(&[("Ann Ökö", late)])),
        ("late, delivery!", hits(&[("Ann Ökö", late)])),
        ("deliver", hits(&[])),
        ("deliver*", hits(&[("Team", tokyo), ("Bob", order), ("Ann Ökö", late)])),
        ("ord* tom*", hits(&[("Bob", order)])),
        ("äpfel", hits(&[("Bob", Some("Äpfel und Birnen"))])),
        ("apfel", hits(&[])),
        ("京", hits(&[("Team", tokyo)])),
        ("annabel", hits(&[("Bob", Some("calls herself annabel"))])),
        ("ökö", hits(&[("Ann Ökö", None)])),
        ("n ö", hits(&[("Ann Ökö", None)])),
        ("bob", hits(&[("Bob", None)])),
        ("4711", hits(&[("Bob", order)])),
        ("1234", hits(&[("Ann Ökö", None)])),
        ("+49 30 123", hits(&[("Ann Ökö", None)])),
        ("delivery birnen", hits(&[])),
        ("%", hits(&[])),
        ("' OR 1=1 --", hits(&[])),
        ("\" OR scope : 1", hits(&[])),
        ("@1", hits(&[])),
        ("it's", hits(&[])),
    ] {
        assert_eq!(found(&bakery.token, q).await, expected, "{q}");
    }
}

#[tokio::test]
async fn chats_of_a_name_come_first_and_each_comes_once() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let (ann, bob, carl) =
        (bakery.chat("Ann", plain).await, bakery.chat("Bob", plain).await, bakery.chat("Joanna", plain).await);
    let at = |seconds| START.plus_seconds(seconds);
    bakery.message(ann, at(1), text("I am Ann")).await;
    bakery.message(carl, at(2), text("no")).await;
    bakery.message(bob, at(3), text("ask Ann")).await;
    bakery.message(bob, at(4), text("Ann knows")).await;
    app.run_jobs().await;
    let expected = hits(&[("Joanna", None), ("Ann", Some("I am Ann")), ("Bob", Some("Ann knows"))]);
    assert_eq!(found(&bakery.token, "ann").await, expected);
    let mut shown = search(&bakery.token, "knows", "").await["chats"][0].clone();
    let matched = shown.as_object_mut().expect("a chat").remove("matched_message").expect("a message");
    assert_eq!(shown, bakery.token.get(&format!("/chats/{bob}")).await.expect(200)["data"]);
    let uid = matched["uid"].as_str().expect("a uid").to_owned();
    let mut one = bakery.token.get(&format!("/messages/{uid}")).await.expect(200)["data"].clone();
    one.as_object_mut().expect("a message").remove("reactions").expect("reactions");
    assert_eq!(matched, one);
}

#[tokio::test]
async fn a_message_that_is_found_shows_its_file_as_it_does_elsewhere() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let ann = bakery.chat("Ann", plain).await;
    let file = bakery.token.picture("menu.png", &png(1000, 1)).await.parse().expect("a uid");
    let with_file = |row| message::ActiveModel { file_id: Set(Some(file)), ..text("the prices")(row) };
    let uid = bakery.message(ann, START, with_file).await;
    app.run_jobs().await;
    let matched = search(&bakery.token, "prices", "").await["chats"][0]["matched_message"].clone();
    let mut shown = bakery.token.get(&format!("/messages/{uid}")).await.expect(200)["data"].clone();
    shown.as_object_mut().expect("a message").remove("reactions").expect("reactions");
    assert_eq!(matched, shown);
    assert_eq!((&matched["attachment_filename"], &matched["has_attachment"]), (&json!("menu.png"), &json!(true)));
    let link = matched["attachment_url"].as_str().expect("a link");
    assert_eq!(app.http.get(link).send().await.expect("an answer").status().as_u16(), 200);
}

#[tokio::test]
async fn pages_hold_fifty() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    for number in 0..60 {
        let name = if number < 30 { format!("Widget {number}") } else { format!("Chat {number}") };
        let chat = bakery.chat(&name, plain).await;
        if number >= 30 {
            bakery.message(chat, START.plus_seconds(number), text("a widget, please")).await;
        }
    }
    app.run_jobs().await;
    let page = async |number: i64| {
        let page = search(&bakery.token, "widget", &format!("&page={number}")).await;
        (page["chats"].as_array().expect("chats").len(), page["has_more_pages"].clone())
    };
    assert_eq!(page(1).await, (50, json!(true)));
    assert_eq!(page(2).await, (10, json!(false)));
    assert_eq!(page(3).await, (0, json!(false)));
    let second = search(&bakery.token, "widget", "&page=2").await;
    assert_eq!(second["chats"][9]["name"], "Chat 30", "the oldest comes last");
}

#[tokio::test]
async fn nobody_finds_what_belongs_to_another() {
    let app = TestApp::start().await;
    let (bakery, butcher) = (
        Conversations::start(&app, "acme", "+15550001111").await,
        Conversations::start(&app, "other", "+15550003333").await,
    );
    let (ann, eve) = (bakery.chat("Ann", plain).await, butcher.chat("Eve", plain).await);
    bakery.message(ann, START, text("secret delivery")).await;
    butcher.message(eve, START.plus_seconds(1), text("our delivery")).await;
    app.run_jobs().await;
    assert_eq!(found(&butcher.token, "delivery").await, hits(&[("Eve", Some("our delivery"))]));
    assert_eq!(found(&bakery.token, "delivery").await, hits(&[("Ann", Some("secret delivery"))]));
    for q in ["secret", "ann", "sec*"] {
        assert_eq!(found(&butcher.token, q).await, hits(&[]), "{q}");
    }
}

#[tokio::test]
async fn what_was_sent_and_received_is_found_after_its_commit() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    bakery.token.send("+15557770000", "your parcel has left").await.expect(200);
    let inbound = json!({ "phone": "+15550001111", "from": "+15557771111", "text": "where is my parcel" });
    bakery.partner.post("/sandbox/inbound", inbound).await.expect(200);
    assert_eq!(found(&bakery.token, "parcel").await, hits(&[]), "the index follows");
    app.run_jobs().await;
    let mut texts: Vec<_> = found(&bakery.token, "parcel").await.into_iter().filter_map(|(_, text)| text).collect();
    texts.sort();
    assert_eq!(texts, ["where is my parcel", "your parcel has left"]);
    assert_eq!(index::index_due(&app.app).await.expect("a look"), 0, "nothing is left");
}

/// Ids are made before the commit that shows them.
#[tokio::test]
async fn a_message_that_shows_up_late_is_found_in_the_end_and_indexed_once() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    let early = MessageId(Clock::manual(START).uuid());
    bakery.message(chat, START.plus_seconds(5), text("prompt parcel")).await;
    app.advance(10).await;
    let late = |row| message::ActiveModel { id: Set(early), ..text("late parcel")(row) };
    bakery.message(chat, Timestamp(START.0 + 1), late).await;
    app.run_jobs().await;
    assert_eq!(found(&bakery.token, "late parcel").await, hits(&[]));
    app.advance(700).await;
    assert_eq!(found(&bakery.token, "late parcel").await, hits(&[("Ann", Some("late parcel"))]));
    let documents = "SELECT COUNT(*) AS n FROM search_documents";
    let db = app.app.db.reader();
    let row = db.query_one_raw(sea_orm::Statement::from_string(db.get_database_backend(), documents)).await;
    let count: i64 = row.expect("a look").expect("a row").try_get("", "n").expect("a number");
    assert_eq!(count, 2);
    assert_eq!(found(&bakery.token, "prompt parcel").await, hits(&[("Ann", Some("prompt parcel"))]));
}

#[tokio::test]
async fn bad_questions_are_named() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let (long, repeated) = (format!("q={}", "x".repeat(257)), format!("q={}", "a+b+c+".repeat(6)));
    for (query, field) in [
        ("", "q"),
        ("q=", "q"),
        ("q=+", "q"),
        ("q=%00", "q"),
        ("q=ab*", "q"),
        (long.as_str(), "q"),
        ("q=x&page=0", "page"),
    ] {
        let error = bakery.token.get(&format!("/chats/search?{query}")).await.expect(400);
        assert_eq!(error["errors"][0]["fields"], json!([field]), "{query}");
    }
    let missing = bakery.token.get("/chats/search").await.expect(400);
    assert_eq!(missing["errors"], json!([{ "fields": ["q"], "msg": "is required" }]));
    bakery.token.get(&format!("/chats/search?{repeated}")).await.expect(200);
    let words: Vec<String> = (0..17).map(|number| format!("w{number}")).collect();
    bakery.token.get(&format!("/chats/search?q={}", words.join("+"))).await.expect(400);
    let reader = bakery.token_of(bakery.user_id, "chats:read").await;
    let error = reader.get("/chats/search?q=x").await.expect(403);
    assert_eq!(error["error_code"], "insufficient_scope", "texts of messages need their own right");
}

/// So many that the newest are not all: those of the last parts are found without the rest, rare ones wherever they are.
#[tokio::test]
async fn words_are_found_however_far_back_and_the_newest_first() {
    const MESSAGES: i64 = 20_000;
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let other = Conversations::start(&app, "other", "+15550003333").await;
    let (ann, eve) = (bakery.chat("Ann", plain).await, other.chat("Eve", plain).await);
    let mut chats = Vec::new();
    for name in ["Bob", "Carl", "Dan"] {
        chats.push(bakery.chat(name, plain).await);
    }
    many_messages(&app, &bakery, ann, MESSAGES).await;
    many_messages(&app, &other, eve, 10).await;
    // Numbers 7 and 8 are in the oldest part, the others far from one another.
    for (number, chat) in [(7, chats[0]), (8, chats[1]), (15_000, chats[0]), (19_999, chats[2])] {
        let id = message_id(bakery.workspace_id, number);
        let rare = message::ActiveModel {
            id: Unchanged(id),
            chat_id: Set(chat),
            text: Set(Some(format!("rare{number} word{number} everywhere"))),
            ..Default::default()
        };
        let changed = db::write(&app.app.db, "test", async |tx| Ok(rare.update(tx).await?)).await;
        changed.expect("a message");
    }
    while index::index_first(&app.app, 5_000).await.expect("a look") > 0 {}
    let text = |number: i64| Some(format!("rare{number} word{number} everywhere"));
    for (q, expected) in [
        ("everywhere", vec![("Dan", text(19_999)), ("Ann", Some("everywhere even 19998".to_owned()))]),
        ("rare7", vec![("Bob", text(7))]),
        ("rare*", vec![("Dan", text(19_999)), ("Bob", text(15_000)), ("Carl", text(8))]),
        ("rare15000 everywhere", vec![("Bob", text(15_000))]),
        ("everywhere rare8", vec![("Carl", text(8))]),
        ("word7 rare8", vec![]),
        ("odd even", vec![]),
        ("even", vec![("Ann", Some("everywhere even 19998".to_owned()))]),
        ("odd 4095", vec![("Ann", Some("everywhere odd 4095".to_owned()))]),
        ("even 4096", vec![("Ann", Some("everywhere even 4096".to_owned()))]),
        ("409* odd", vec![("Ann", Some("everywhere odd 4099".to_owned()))]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        assert_eq!(found(&bakery.token, q).await, expected, "{q}");
    }
    let eves = Some("everywhere odd 9".to_owned());
    assert_eq!(found(&other.token, "everywhere").await, [("Eve".to_owned(), eves)]);
    assert_eq!(found(&other.token, "rare*").await, []);
}

fn message_id(workspace_id: WorkspaceId, number: i64) -> MessageId {
    let number = u128::try_from(number).expect("a number");
    let workspace = u128::try_from(workspace_id.0).expect("a number");
    MessageId(uuid::Uuid::from_u128((0x0180_0000_0000_7000 << 64) | (number << 32) | workspace))
}

/// Messages 0 to `count` of a chat, each with its number, oldest first.
async fn many_messages(app: &TestApp, bakery: &Conversations<'_>, chat: ChatId, count: i64) {
    let row = |number: i64| {
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        message::ActiveModel {
            id: Set(message_id(bakery.workspace_id, number)),
            workspace_id: Set(bakery.workspace_id),
            account_id: Set(bakery.account_id),
            chat_id: Set(chat),
            direction: Set(message::Direction::Received),
            status: Set(message::Status::Received),
            text: Set(Some(format!("everywhere {parity} {number}"))),
            origin: Set(String::new()),
            tries: Set(0),
            created_at: Set(Timestamp(START.0 + number)),
            updated_at: Set(Timestamp(START.0 + number)),
            ..Default::default()
        }
    };
    let numbers: Vec<i64> = (0..count).collect();
    for some in numbers.chunks(1_000) {
        let rows: Vec<_> = some.iter().map(|number| row(*number)).collect();
        let written = db::write(&app.app.db, "test", async |tx| {
            message::Entity::insert_many(rows).exec_without_returning(tx).await?;
            Ok(())
        });
        written.await.expect("messages");
    }
}
