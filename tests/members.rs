//! What is asked on behalf of one member, and sending to a chat by its name.

use entity::{
    chat, chat_member,
    id::{AccountId, ChatId, UserId},
};
use quartermaster::db;
use sea_orm::{ActiveModelTrait, EntityTrait, Set};
use serde_json::{Value, json};

use crate::support::{START, TestApp, TokenClient, conversation::Conversations, sender::Sender};

const SCOPES: &str = "chats:read messages:read messages:write accounts:read";

async fn names(token: &TokenClient, query: &str) -> Vec<String> {
    let body = token.get(&format!("/v2/chats?{query}")).await.expect(200);
    let chats = body["data"]["chats"].as_array().expect("chats");
    chats.iter().map(|chat| chat["name"].as_str().expect("a name").to_owned()).collect()
}

/// Two agents with an account each, chats of both, and one that the first is responsible for.
struct Scene<'a> {
    bakery: Conversations<'a>,
    first: TokenClient,
    second: TokenClient,
    of_second: ChatId,
    assigned: ChatId,
}

async fn scene(app: &TestApp) -> Scene<'_> {
    let bakery = Conversations::start(app, "acme", "+15550001111").await;
    let other = bakery.partner.users(&bakery.slug, 1).await[0];
    let account = AccountId(bakery.partner.connect(&bakery.slug, other, "+15550002222").await);
    let user = bakery.user_id;
    let of_other = |row| chat::ActiveModel { account_id: Set(account), ..row };
    bakery.chat("Ann", |row| row).await;
    let of_second = bakery.chat("Bob", of_other).await;
    let mine = |row| chat::ActiveModel { account_id: Set(account), responsible_user_id: Set(Some(user)), ..row };
    let assigned = bakery.chat("Carl", mine).await;
    let (first, second) = (bakery.token_of(user, SCOPES).await, bakery.token_of(UserId(other), SCOPES).await);
    app.run_jobs().await;
    Scene { bakery, first, second, of_second, assigned }
}

#[tokio::test]
async fn an_agent_sees_its_own_chats_and_those_in_charge_see_all() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    assert_eq!(names(&scene.bakery.token, "").await, ["Ann", "Bob", "Carl"]);
    assert_eq!(names(&scene.first, "").await, ["Ann", "Carl"]);
    assert_eq!(names(&scene.second, "").await, ["Bob", "Carl"]);
    assert_eq!(names(&scene.first, "name=b&read=false").await, [] as [&str; 0], "filters go with it");
    assert_eq!(names(&scene.second, "name=b").await, ["Bob"]);
    assert_eq!(names(&scene.first, "phone=1").await, ["Ann", "Carl"], "there is no such filter here");
    let one = |token: &TokenClient| {
        let token = token.clone();
        async move { token.get("/chats").await.expect(200)["data"]["chats"].as_array().map(Vec::len) }
    };
    assert_eq!(one(&scene.first).await, Some(3), "the first version shows the whole workspace");
    let admin = json!({ "email": format!("{}-bakery@partners.127.0.0.1", scene.bakery.user_id), "role": "Admin" });
    let changed = scene.bakery.token.post("/workspace/invitations", admin).await.expect(200);
    assert_eq!(changed["data"]["role"], "Admin");
    assert_eq!(names(&scene.first, "").await, ["Ann", "Bob", "Carl"], "an admin sees all, at once");
}

/// Somebody with whom there is this direct chat is in a group.
async fn join(app: &TestApp, group: ChatId, direct: ChatId) {
    let direct = chat::Entity::find_by_id(direct).one(app.app.db.reader()).await.expect("a look").expect("a chat");
    let row = chat_member::ActiveModel {
        chat_id: Set(group),
        phone: Set(direct.phone.expect("a number")),
        workspace_id: Set(direct.workspace_id),
    };
    db::write(&app.app.db, "test", async |tx| Ok(row.insert(tx).await?)).await.expect("a member");
}

#[tokio::test]
async fn a_group_names_only_direct_chats_that_are_seen() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    let db = app.app.db.reader();
    let bob = chat::Entity::find_by_id(scene.of_second).one(db).await.expect("a look").expect("a chat");
    let (account, user) = (bob.account_id, scene.bakery.user_id);
    let of_both = |row| chat::ActiveModel { account_id: Set(account), responsible_user_id: Set(Some(user)), ..row };
    let group = scene.bakery.group_with("Team", of_both).await;
    join(&app, group, scene.of_second).await;
    join(&app, group, scene.assigned).await;
    let members = async |token: &TokenClient, path: &str| {
        let listed = token.get(path).await.expect(200)["data"]["chats"][0]["group_members"].clone();
        let members = listed.as_array().expect("members").iter();
        members.map(|member| (member["name"].clone(), member["chat_id"].clone())).collect::<Vec<_>>()
    };
    let (named, carl) = ((json!("Bob"), json!(scene.of_second)), (json!("Carl"), json!(scene.assigned)));
    let all = vec![named, carl.clone()];
    assert_eq!(members(&scene.first, "/v2/chats?group=true").await, [(json!(bob.phone), Value::Null), carl]);
    assert_eq!(members(&scene.second, "/v2/chats?group=true").await, all);
    assert_eq!(members(&scene.bakery.token, "/v2/chats?group=true").await, all);
    assert_eq!(members(&scene.first, "/chats?group=true").await, all, "the first version shows the whole workspace");
}

#[tokio::test]
async fn messages_of_a_chat_that_is_not_seen_are_not_there() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    scene.bakery.message(scene.of_second, START, |row| row).await;
    scene.bakery.message(scene.assigned, START, |row| row).await;
    let path = |chat: ChatId| format!("/v2/chats/{chat}/messages");
    let history = scene.second.get(&path(scene.of_second)).await.expect(200);
    let usual = scene.second.get(&format!("/chats/{}/messages", scene.of_second)).await.expect(200);
    assert_eq!(history, usual);
    for (token, chat, status) in [
        (&scene.first, scene.of_second, 404),
        (&scene.first, scene.assigned, 200),
        (&scene.second, scene.assigned, 200),
        (&scene.bakery.token, scene.of_second, 200),
        (&scene.bakery.token, ChatId(0), 404),
    ] {
        token.get(&path(chat)).await.expect(status);
    }
    let before = scene.bakery.token.credits().await.0;
    let refused = scene.first.post(&path(scene.of_second), json!({ "text": "x" })).await.expect(404);
    assert_eq!(refused["message"], format!("Whatsapp chat_id \"{}\" not found", scene.of_second));
    assert_eq!(scene.bakery.token.credits().await.0, before);
    for (token, chat) in [(&scene.first, scene.assigned), (&scene.second, scene.of_second)] {
        let body = json!({ "text": "x", "reply_to": "unknown" });
        token.post(&path(chat), body).await.expect(200);
    }
    assert_eq!(scene.bakery.token.credits().await.0, before + 2);
    app.run_jobs().await;
}

#[tokio::test]
async fn a_name_is_taken_by_nobody_in_particular_where_its_chat_is_not_seen() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    let refused = async |token: &TokenClient| {
        let body = json!({ "phone": "+15557770000", "text": "x", "chat_name": "Bob" });
        token.post("/v2/messages", body).await.expect(400)["message"].as_str().expect("a sentence").to_owned()
    };
    assert_eq!(refused(&scene.first).await, "chat_name: is taken by another chat");
    for token in [&scene.second, &scene.bakery.token] {
        let message = refused(token).await;
        assert!(message.ends_with(&format!("is taken by chat {}", scene.of_second)), "{message}");
    }
}

#[tokio::test]
async fn an_agent_sends_from_its_own_account_only() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    let send = async |token: &TokenClient, account: Value, status: u16| {
        let body = json!({ "phone": "+15557770000", "text": "x", "whatsapp_account_phone": account });
        token.post("/v2/messages", body).await.expect(status)
    };
    let sender = async |sent: Value| {
        let uid = sent["data"]["message_uid"].as_str().expect("a uid").to_owned();
        scene.bakery.token.get(&format!("/messages/{uid}")).await.expect(200)["data"]["sender_phone"].clone()
    };
    assert_eq!(sender(send(&scene.first, Value::Null, 200).await).await, "+15550001111");
    assert_eq!(sender(send(&scene.second, Value::Null, 200).await).await, "+15550002222");
    assert_eq!(sender(send(&scene.bakery.token, Value::Null, 200).await).await, "+15550002222");
    assert_eq!(sender(send(&scene.bakery.token, json!("+15550001111"), 200).await).await, "+15550001111");
    assert_eq!(sender(send(&scene.first, json!("+15550001111"), 200).await).await, "+15550001111");
    assert_eq!(send(&scene.first, json!("+15550002222"), 404).await["error_code"], "not_found");
    scene.bakery.partner.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    app.run_jobs().await;
    assert_eq!(send(&scene.first, Value::Null, 409).await["error_code"], "account_inactive");
    let key = json!({ "phone": "+15557770000", "text": "once" });
    let once = scene.second.post_with_key("/v2/messages", "k", key.clone()).await.expect(200);
    assert_eq!(scene.second.post_with_key("/v2/messages", "k", key).await.expect(200), once);
    app.run_jobs().await;
}

#[tokio::test]
async fn accounts_say_whether_they_are_seen() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    let seen = async |token: &TokenClient| {
        let body = token.get("/v2/whatsapp_accounts").await.expect(200);
        let accounts = body["data"]["whatsapp_accounts"].as_array().expect("accounts").clone();
        accounts.iter().map(|one| one["is_visible"].as_bool().expect("a switch")).collect::<Vec<_>>()
    };
    assert_eq!(seen(&scene.first).await, [true, false]);
    assert_eq!(seen(&scene.second).await, [false, true]);
    assert_eq!(seen(&scene.bakery.token).await, [true, true]);
    let plain = scene.first.get("/whatsapp_accounts").await.expect(200)["data"]["whatsapp_accounts"][0].clone();
    let mut shown = scene.first.get("/v2/whatsapp_accounts").await.expect(200)["data"]["whatsapp_accounts"][0].clone();
    shown.as_object_mut().expect("an account").remove("is_visible").expect("a switch");
    assert_eq!(shown, plain);
}

#[tokio::test]
async fn a_message_finds_its_chat_by_name() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    sender.token.send("+15557770000", "Hello").await.expect(200);
    sender.token.send("+15557771111", "Hello").await.expect(200);
    let chats = sender.token.get("/chats").await.expect(200)["data"]["chats"].clone();
    for (index, name) in ["Ann Lee", "Bob"].into_iter().enumerate() {
        sender.token.patch(&format!("/chats/{}", chats[index]["id"]), json!({ "name": name })).await.expect(200);
    }
    let used = sender.token.credits().await.0;
    let body = json!({ "chat_name": " ann LEE ", "text": "Hi", "label": "vip" });
    let sent = sender.token.post_with_key("/messages/to_chat_name", "k", body.clone()).await.expect(200);
    assert_eq!(sender.token.post_with_key("/messages/to_chat_name", "k", body).await.expect(200), sent);
    let uid = sent["data"]["message_uid"].as_str().expect("a uid");
    let message = sender.token.get(&format!("/messages/{uid}")).await.expect(200)["data"].clone();
    assert_eq!((&message["chat_id"], &message["text"]), (&chats[0]["id"], &json!("Hi")));
    let chat = sender.token.get(&format!("/chats/{}", chats[0]["id"])).await.expect(200)["data"].clone();
    assert_eq!((&chat["name"], &chat["labels"]), (&json!("Ann Lee"), &json!(["vip"])), "the chat keeps its name");
    assert_eq!(sender.token.credits().await.0, used + 1);
    let refused = sender.token.post("/messages/to_chat_name", json!({ "chat_name": "Nobody", "text": "x" })).await;
    let refused = refused.expect(404);
    assert_eq!(
        (&refused["error_code"], &refused["message"]),
        (&json!("not_found"), &json!("Chat name \"Nobody\" not found"))
    );
    for (body, field) in [
        (json!({ "chat_name": "", "text": "x" }), "chat_name"),
        (json!({ "chat_name": "x".repeat(257), "text": "x" }), "chat_name"),
        (json!({ "chat_name": "Bob" }), "text"),
    ] {
        let error = sender.token.post("/messages/to_chat_name", body).await.expect(400);
        assert_eq!(error["errors"][0]["fields"], json!([field]));
    }
    assert_eq!(sender.token.credits().await.0, used + 1, "what is refused costs nothing");
    app.run_jobs().await;
}

#[tokio::test]
async fn of_several_chats_of_a_name_the_busiest_is_meant_and_refusals_hold_nothing() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let (old, new) = (bakery.chat("Twin", |row| row).await, bakery.chat("twin", |row| row).await);
    bakery.message(old, START, |row| row).await;
    bakery.message(new, START.plus_seconds(1), |row| row).await;
    for _ in 0..40 {
        bakery.token.post("/messages/to_chat_name", json!({ "chat_name": "None", "text": "x" })).await;
    }
    app.advance(5).await;
    let sent = bakery.token.post("/messages/to_chat_name", json!({ "chat_name": "TWIN", "text": "x" })).await;
    let uid = sent.expect(200)["data"]["message_uid"].as_str().expect("a uid").to_owned();
    let message = bakery.token.get(&format!("/messages/{uid}")).await.expect(200)["data"].clone();
    assert_eq!(message["chat_id"], new.0);
    app.run_jobs().await;
}
