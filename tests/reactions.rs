//! Reactions: our own, stored and given to the provider, and those of others.

use entity::{
    channel, chat,
    id::{AccountId, MessageId},
    message::{self, Status},
    sandbox_reaction,
};
use quartermaster::{
    db,
    message::{
        Jid,
        reaction::{self, Emoji, Incoming},
    },
    phone::Phone,
};
use sea_orm::{ActiveModelTrait, EntityTrait, Set, Unchanged};
use serde_json::{Value, json};

use crate::support::{
    START, Setup, TestApp, conversation::Conversations, messages::Line, receiver::Receiver, sender::Sender,
};

async fn at_provider(app: &TestApp, id: MessageId) -> Option<(Option<String>, i32)> {
    let found = sandbox_reaction::Entity::find_by_id(id).one(app.app.db.reader()).await.expect("a look");
    found.map(|reaction| (reaction.emoji, reaction.changes))
}

fn none() -> Value {
    json!({ "users": [], "reactions": {}, "total": 0 })
}

#[tokio::test]
async fn our_own_reaction_is_stored_sent_changed_and_taken_back() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let uid = sender.token.send("+15557770000", "Hello").await.expect(200)["data"]["message_uid"].clone();
    let uid = uid.as_str().expect("a uid").to_owned();
    let id: MessageId = uid.parse().expect("a uuid");
    app.run_jobs().await;
    let credits = sender.token.credits().await;
    let path = format!("/messages/{uid}/reactions");
    assert_eq!(sender.token.get(&path).await.expect(200)["data"], none());
    let owner = sender.token.get("/workspace/teammates/me").await.expect(200)["data"]["display_name"].clone();
    for (given, emoji, changes) in [("👍", "👍", 1), ("👍", "👍", 1), ("\\u2764\\ufe0f", "❤️", 2)] {
        let answer = sender.token.patch(&path, json!({ "reaction": given })).await.expect(200);
        assert_eq!(answer, json!({ "status": "ok", "data": { "message_uid": uid } }));
        app.run_jobs().await;
        let shown = sender.token.get(&path).await.expect(200)["data"].clone();
        let user = json!({ "name": owner, "phone": "+15550001111", "reaction": emoji, "current": true });
        assert_eq!(shown, json!({ "users": [user], "reactions": { emoji: 1 }, "total": 1 }));
        assert_eq!(sender.token.get(&format!("/messages/{uid}")).await.expect(200)["data"]["reactions"], shown);
        assert_eq!(at_provider(&app, id).await, Some((Some(emoji.to_owned()), changes)), "the same again is no change");
    }
    for _ in 0..2 {
        sender.token.patch(&path, json!({ "reaction": "" })).await.expect(200);
        app.run_jobs().await;
        assert_eq!(sender.token.get(&path).await.expect(200)["data"], none());
        assert_eq!(at_provider(&app, id).await, Some((None, 3)));
    }
    assert_eq!(sender.token.credits().await, credits, "reactions cost nothing");
}

#[tokio::test]
async fn others_react_too_each_once() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let line = Line::open(&app, &acme, "Bakery", "+15550001111").await;
    let token = acme.get("/workspaces/bakery/api-token").await.expect(200);
    let token = app.token(token["token"].as_str().expect("a token"));
    let text = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
    let uid = acme.post("/sandbox/inbound", text).await.expect(200)["message_uids"][0].clone();
    let uid = uid.as_str().expect("a uid").to_owned();
    let message = app.message(uid.parse().expect("a uuid")).await;
    let from = |phone: &str, emoji: &str, name: Option<&str>| Incoming {
        session: entity::id::AttemptId(uuid::Uuid::nil()),
        provider_ref: message.provider_ref.clone().expect("an id"),
        from: Jid::of(&Phone::parse(phone).expect("a phone")),
        name: name.map(str::to_owned),
        emoji: Emoji::parse(emoji).expect("an emoji"),
        happened_at: None,
    };
    let session = line.channel().await.session;
    let bring = async |incoming: Incoming| {
        reaction::received(&app.app, &Incoming { session, ..incoming }).await.expect("received")
    };
    assert!(bring(from("+15557770000", "👍", None)).await);
    assert!(!bring(from("+15557770000", "👍", None)).await, "the same again");
    assert!(bring(from("+15557771111", "👍", Some("Bob"))).await);
    token.patch(&format!("/messages/{uid}/reactions"), json!({ "reaction": "🎉" })).await.expect(200);
    let shown = token.get(&format!("/messages/{uid}/reactions")).await.expect(200)["data"].clone();
    assert_eq!((&shown["reactions"], &shown["total"]), (&json!({ "👍": 2, "🎉": 1 }), &json!(3)));
    let users: Vec<Value> = shown["users"].as_array().expect("users").clone();
    let find = |phone: &str| users.iter().find(|user| user["phone"] == phone).cloned().expect("a user");
    assert_eq!(
        find("+15557771111"),
        json!({ "name": "Bob", "phone": "+15557771111", "reaction": "👍", "current": false })
    );
    assert_eq!(find("+15557770000")["name"], "+15557770000", "the other side of a chat is called as the chat is");
    assert_eq!(find("+15550001111")["current"], true);
    let page = token.get(&format!("/chats/{}/messages", message.chat_id)).await.expect(200);
    assert_eq!(page["data"]["messages"][0]["reactions"], shown);
    assert!(bring(from("+15557770000", "", None)).await);
    let shown = token.get(&format!("/messages/{uid}/reactions")).await.expect(200)["data"].clone();
    assert_eq!(shown["reactions"], json!({ "👍": 1, "🎉": 1 }));
    let unknown = Incoming { session, provider_ref: "other".to_owned(), ..from("+15557770000", "👍", None) };
    let error = reaction::received(&app.app, &unknown).await.expect_err("no message");
    assert_eq!(error.code().to_string(), "message_not_found");
    let stranger = reaction::received(&app.app, &from("+15557770000", "👍", None)).await.expect_err("no session");
    assert_eq!(stranger.code().to_string(), "channel_not_connected");
    app.run_jobs().await;
}

#[tokio::test]
async fn who_reacts_in_a_group_is_called_as_elsewhere() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let receiver = Receiver::start().await;
    let write = async |change: Value| {
        let mut body = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
        body.as_object_mut().expect("a body").extend(change.as_object().expect("changes").clone());
        sender.partner.post("/sandbox/inbound", body).await.expect(200)["message_uids"][0].clone()
    };
    write(json!({ "from": "+15557771111", "from_name": "Ann Lee" })).await;
    let uid = write(json!({ "group": "120363000000000001@g.us", "group_name": "Team" })).await;
    app.run_jobs().await;
    let webhook = json!({ "event_type": "message:reaction", "url": receiver.url() });
    sender.token.post("/webhooks", webhook).await.expect(200);
    let path = format!("/messages/{}/reactions", uid.as_str().expect("a uid"));
    for (from, from_name, expected) in [
        ("+15557771111", None, "Ann Lee"),
        ("+15557772222", None, "+15557772222"),
        ("+15557773333", Some("Bob"), "Bob"),
    ] {
        receiver.forget();
        let mut body = json!({ "phone": "+15550001111", "from": from, "message_uid": uid, "reaction": "👍" });
        if let Some(name) = from_name {
            body["from_name"] = json!(name);
        }
        sender.partner.post("/sandbox/reaction", body).await.expect(200);
        app.run_jobs().await;
        let users = sender.token.get(&path).await.expect(200)["data"]["users"].clone();
        let user = users.as_array().expect("users").iter().find(|user| user["phone"] == from).expect("the user");
        assert_eq!(user["name"], expected);
        let told = receiver.received()[0].json();
        assert_eq!(told["reaction"]["reactor"], json!({ "full_name": expected, "phone": from }));
    }
}

#[tokio::test]
async fn what_cannot_be_reacted_to_says_so() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", |row: chat::ActiveModel| row).await;
    let message = bakery.message(chat, START, |row| row).await;
    let path = format!("/messages/{message}/reactions");
    for reaction in ["ok", "👍👎", &"👍".repeat(51), "\\ud83d", "\u{0}"] {
        let error = bakery.token.patch(&path, json!({ "reaction": reaction })).await.expect(400);
        assert_eq!(error["errors"][0]["fields"], json!(["reaction"]), "{reaction}");
    }
    bakery.token.patch(&path, json!({})).await.expect(400);
    let failed = bakery.sent(chat, START.plus_seconds(1), Status::Failed).await;
    let note = |row| message::ActiveModel { kind: Set(Some(message::Kind::Note)), ..row };
    let note = bakery.message(chat, START.plus_seconds(2), note).await;
    let call = |row| message::ActiveModel { kind: Set(Some(message::Kind::Call)), ..row };
    let call = bakery.message(chat, START.plus_seconds(3), call).await;
    for refused in [failed, note, call] {
        let error = bakery.token.patch(&format!("/messages/{refused}/reactions"), json!({ "reaction": "👍" })).await;
        assert_eq!(error.expect(409)["message"], "notes, calls and messages that failed take no reactions");
    }
    for uid in ["x", "00000000-0000-0000-0000-000000000000"] {
        let path = format!("/messages/{uid}/reactions");
        assert_eq!(bakery.token.get(&path).await.expect(404)["error_code"], "not_found");
        bakery.token.patch(&path, json!({ "reaction": "👍" })).await.expect(404);
    }
    bakery.partner.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    app.run_jobs().await;
    let error = bakery.token.patch(&path, json!({ "reaction": "👍" })).await.expect(409);
    assert_eq!(error["error_code"], "account_inactive");
    assert_eq!(bakery.token.get(&path).await.expect(200)["data"], none());
}

#[tokio::test]
async fn a_reaction_to_what_waits_follows_it() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let uid = sender.token.send("+15557770000", "Hello").await.expect(200)["data"]["message_uid"].clone();
    let uid = uid.as_str().expect("a uid").to_owned();
    sender.token.patch(&format!("/messages/{uid}/reactions"), json!({ "reaction": "👍" })).await.expect(200);
    app.run_jobs().await;
    app.advance(60).await;
    let id: MessageId = uid.parse().expect("a uuid");
    assert_eq!(at_provider(&app, id).await, Some((Some("👍".to_owned()), 1)));
    assert_eq!(app.fate(id).await.at_provider, (1, 1));
}

#[tokio::test]
async fn a_reaction_waits_while_nothing_is_sent_through_its_account() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let text = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
    let account_id = Unchanged(AccountId(sender.account_id));
    let set = async |change: channel::ActiveModel| {
        let change = channel::ActiveModel { account_id: account_id.clone(), ..change };
        db::write(&app.app.db, "test", async |tx| Ok(change.update(tx).await?)).await.expect("a channel");
    };
    let switched_off = |is_off| channel::ActiveModel { deactivated: Set(is_off), ..Default::default() };
    let suspended = |is_off| channel::ActiveModel { suspended: Set(is_off), ..Default::default() };
    let changes: [&dyn Fn(bool) -> channel::ActiveModel; 2] = [&switched_off, &suspended];
    for change in changes {
        let uid = sender.partner.post("/sandbox/inbound", text.clone()).await.expect(200)["message_uids"][0].clone();
        let uid = uid.as_str().expect("a uid").to_owned();
        let id: MessageId = uid.parse().expect("a uuid");
        let path = format!("/messages/{uid}/reactions");
        sender.token.patch(&path, json!({ "reaction": "👍" })).await.expect(200);
        set(change(true)).await;
        app.run_jobs().await;
        app.advance(3600).await;
        assert_eq!(at_provider(&app, id).await, None);
        let refused = sender.token.patch(&path, json!({ "reaction": "🎉" })).await.expect(409);
        let sent = sender.token.send("+15557770000", "Hello").await.expect(409);
        assert_eq!((&refused["error_code"], &refused), (&json!("account_inactive"), &sent), "as a message is");
        set(change(false)).await;
        app.advance(300).await;
        assert_eq!(at_provider(&app, id).await, Some((Some("👍".to_owned()), 1)));
    }
}

#[tokio::test]
async fn a_reaction_is_of_when_its_network_says() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let receiver = Receiver::start().await;
    let webhook = json!({ "event_type": "message:reaction", "url": receiver.url() });
    sender.token.post("/webhooks", webhook).await.expect(200);
    let text = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
    let uid = sender.partner.post("/sandbox/inbound", text).await.expect(200)["message_uids"][0].clone();
    let message = app.message(uid.as_str().expect("a uid").parse().expect("a uuid")).await;
    let account = channel::Entity::find_by_id(message.account_id).one(app.app.db.reader()).await.expect("a look");
    let account = account.expect("an account");
    let now = app.clock.now();
    let (ann, owner) = (Jid::of(&Phone::parse("+15557770000").expect("a phone")), Jid::parse(&account.external_id));
    for (from, emoji, happened_at, expected) in [
        (&ann, "👍", Some(now.plus_seconds(-60)), "2026-09-10 07:59:00 +0000"),
        (&ann, "", Some(now.plus_seconds(-30)), "2026-09-10 07:59:30 +0000"),
        (&ann, "🎉", Some(now.plus_seconds(60)), "2026-09-10 08:00:00 +0000"),
        (&ann, "👍", None, "2026-09-10 08:00:00 +0000"),
        (&owner.expect("an id"), "👍", Some(now.plus_seconds(-60)), "2026-09-10 07:59:00 +0000"),
    ] {
        receiver.forget();
        let incoming = Incoming {
            session: account.session,
            provider_ref: message.provider_ref.clone().expect("an id"),
            from: from.clone(),
            name: None,
            emoji: Emoji::parse(emoji).expect("an emoji"),
            happened_at,
        };
        assert!(reaction::received(&app.app, &incoming).await.expect("received"));
        app.run_jobs().await;
        let told = receiver.received()[0].json();
        assert_eq!(told["reaction"]["timestamp"], expected, "{emoji} {happened_at:?}");
    }
    let stored = entity::reaction::Entity::find_by_id((message.id, account.external_id)).one(app.app.db.reader()).await;
    assert_eq!(stored.expect("a look").expect("a reaction").reacted_at, now.plus_seconds(-60));
}

#[tokio::test]
async fn a_simulated_person_reacts_and_the_workspace_is_told() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let receiver = Receiver::start().await;
    let webhook = json!({ "event_type": "message:reaction", "url": receiver.url() });
    sender.token.post("/webhooks", webhook).await.expect(200);
    let sent = sender.token.send("+15557770000", "Hello").await.expect(200)["data"]["message_uid"].clone();
    let body = |uid: &Value, reaction: &str| json!({ "phone": "+15550001111", "from": "+15557770000", "message_uid": uid, "reaction": reaction });
    let react = async |body: Value| sender.partner.post("/sandbox/reaction", body).await;
    react(body(&sent, "👍")).await.expect_error(404, "message_not_found");
    app.advance(60).await;
    let text = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
    let got = sender.partner.post("/sandbox/inbound", text).await.expect(200)["message_uids"][0].clone();
    app.run_jobs().await;
    for uid in [&sent, &got] {
        let path = format!("/messages/{}/reactions", uid.as_str().expect("a uid"));
        for (reaction, action, emoji, reactions) in [
            ("👍", "set", "👍", json!({ "👍": 1 })),
            ("\\u2764\\ufe0f", "set", "❤️", json!({ "❤️": 1 })),
            ("", "clear", "❤️", json!({})),
        ] {
            receiver.forget();
            for _ in 0..2 {
                let answer = react(body(uid, reaction)).await.expect(200);
                let expected = json!({ "phone": "+15550001111", "from": "+15557770000", "message_uids": [uid] });
                assert_eq!(answer, expected);
            }
            app.run_jobs().await;
            let shown = sender.token.get(&path).await.expect(200)["data"].clone();
            assert_eq!(shown["reactions"], reactions);
            let told = receiver.received();
            assert_eq!(told.len(), 1, "the same again is no change");
            let told = told[0].json();
            let whole = &told["reaction"];
            assert_eq!((&told["event_type"], &whole["message_uid"]), (&json!("message:reaction"), uid));
            assert_eq!(
                (&whole["action"], &whole["emoji"], &whole["reactions"]),
                (&json!(action), &json!(emoji), &reactions)
            );
            assert_eq!(whole["reactor"], json!({ "full_name": "+15557770000", "phone": "+15557770000" }));
            assert_eq!((&told["chat"]["phone"], &told["chat"]["chat_type"]), (&json!("15557770000"), &json!("direct")));
        }
    }
    let named = json!({ "from_name": "Ann Lee" });
    let body = |change: Value| {
        let mut body = body(&got, "🎉");
        body.as_object_mut().expect("a body").extend(change.as_object().expect("changes").clone());
        body
    };
    let first = sender.partner.post_with_key("/sandbox/reaction", "k", body(named.clone())).await.expect(200);
    assert_eq!(sender.partner.post_with_key("/sandbox/reaction", "k", body(named)).await.expect(200), first);
    let path = format!("/messages/{}/reactions", got.as_str().expect("a uid"));
    let user = json!({ "name": "Ann Lee", "phone": "+15557770000", "reaction": "🎉", "current": false });
    assert_eq!(sender.token.get(&path).await.expect(200)["data"]["users"], json!([user]));
    for (change, field) in [
        (json!({ "phone": "x" }), "phone"),
        (json!({ "from": "x" }), "from"),
        (json!({ "from_name": "" }), "from_name"),
        (json!({ "reaction": "ok" }), "reaction"),
    ] {
        let error = react(body(change)).await.expect_error(400, "invalid_request");
        assert!(error["description"].as_str().is_some_and(|text| text.contains(field)), "{error}");
    }
    for uid in ["x", "00000000-0000-7000-8000-000000000000"] {
        react(body(json!({ "message_uid": uid }))).await.expect_error(404, "message_not_found");
    }
    react(body(json!({ "phone": "+15550009999" }))).await.expect_error(409, "phone_not_linked");
    app.run_jobs().await;
}
