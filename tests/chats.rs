//! Chats, one and in lists: what is shown of them, filters, order, pages.

use entity::{chat, id::ChatId, message::Status};
use quartermaster::{
    caller::Origin,
    token::{
        Scopes,
        admin::{self, CreateToken},
    },
};
use sea_orm::Set;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::{
    Answer, START, TestApp, TokenClient,
    conversation::{Conversations, escaped},
};

fn plain(row: chat::ActiveModel) -> chat::ActiveModel {
    row
}

/// Names of the chats of a page, in order.
async fn names(token: &TokenClient, query: &str) -> Vec<String> {
    let body = token.get(&format!("/chats?{query}")).await.expect(200);
    let chats = body["data"]["chats"].as_array().expect("chats");
    chats.iter().map(|chat| chat["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn a_chat_is_shown_with_everything_around_it() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    bakery.partner.patch("/workspaces/bakery", json!({ "time_zone": "Europe/Paris" })).await.expect(200);
    let user = bakery.user_id;
    let chat = bakery.chat("Ann Lee", |row| chat::ActiveModel { responsible_user_id: Set(Some(user)), ..row }).await;
    bakery.label(chat, "vip").await;
    bakery.label(chat, "new").await;
    let message = bakery.sent(chat, START.plus_seconds(60), Status::Read).await;
    let page = bakery.token.get("/chats").await.expect(200);
    let mut shown = page["data"]["chats"][0].clone();
    let photo = shown["photo"].take();
    let mut expected = json!({
        "id": chat.0, "name": "Ann Lee", "phone": "+493000000000", "jid": "493000000000@s.whatsapp.net",
        "is_group": false, "closed": false, "read": false, "unread_count": 0, "labels": ["new", "vip"],
        "chatgpt_autoresponse_enabled": false, "responsible": format!("{user}-bakery@partners.127.0.0.1"),
        "responsible_email": format!("{user}-bakery@partners.127.0.0.1"),
        "responsible_name": format!("Agent {user}"), "whatsapp_account_id": "15550001111@s.whatsapp.net",
        "chat_url": format!("{}/chat/{chat}/messages/", app.base),
        "created_timestamp": "2026-09-10 10:00:00 +0200", "last_message_uid": message.to_string(),
        "last_message_timestamp": "2026-09-10 10:01:00 +0200", "unattended": false, "photo": null,
        "is_allowed_to_message": true,
    });
    assert_eq!(shown, expected);
    assert_eq!(page["data"]["has_more_pages"], false);
    let picture = Answer::of(app.http.get(format!("{}{}", app.base, photo.as_str().expect("a path")))).await;
    assert_eq!((picture.status.as_u16(), picture.header("content-type")), (200, "image/svg+xml"));
    expected["photo"] = photo;
    let one = bakery.token.get(&format!("/chats/{chat}")).await.expect(200);
    assert_eq!(one, json!({ "status": "ok", "data": expected }));
}

#[tokio::test]
async fn the_newest_message_comes_when_it_is_asked_for() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    bakery.chat("Nobody", plain).await;
    let message = bakery.sent(chat, START, Status::Queued).await;
    for query in ["", "?with_msg=false"] {
        let page = bakery.token.get(&format!("/chats{query}")).await.expect(200);
        assert!(page["data"]["chats"][0].get("last_message").is_none(), "{page}");
    }
    let page = bakery.token.get("/chats?with_msg=true").await.expect(200);
    let mut full = bakery.token.get(&format!("/messages/{message}")).await.expect(200)["data"].clone();
    full.as_object_mut().expect("a message").remove("reactions").expect("reactions");
    assert_eq!(page["data"]["chats"][0]["last_message"], full);
    assert_eq!(full["created_by"], format!("Agent {}", bakery.user_id));
    let empty = &page["data"]["chats"][1];
    assert!(empty.get("last_message").is_none(), "{empty}");
    assert_eq!((&empty["last_message_uid"], &empty["last_message_timestamp"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn message_texts_need_their_own_scope() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let command = CreateToken {
        partner_id: entity::id::PartnerId::parse("acme").expect("an id"),
        workspace: bakery.slug.clone(),
        name: "chats only".to_owned(),
        scopes: Scopes::parse("chats:read").expect("scopes"),
        user_id: None,
    };
    let made = admin::create(&app.app, &Origin::operator(), &command).await.expect("a token");
    let token = app.token(made.token.expose_secret());
    let chat = bakery.chat("Ann", plain).await;
    token.get("/chats").await.expect(200);
    token.get(&format!("/chats/{chat}")).await.expect(200);
    for path in
        ["/chats?with_msg=true", &format!("/chats/{chat}/messages"), &format!("/messages/{}", uuid::Uuid::nil())]
    {
        assert_eq!(token.get(path).await.expect(403)["error_code"], "insufficient_scope", "{path}");
    }
}

#[tokio::test]
async fn groups_have_members_and_no_number() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let (group, direct) = (bakery.group("Team").await, bakery.chat("Ann", plain).await);
    let shown = bakery.token.get(&format!("/chats/{group}")).await.expect(200)["data"].clone();
    assert_eq!(
        (&shown["is_group"], &shown["phone"], &shown["group_members"]),
        (&json!(true), &Value::Null, &json!([]))
    );
    assert!(shown["jid"].as_str().expect("a jid").ends_with("@g.us"));
    assert_eq!(shown["is_allowed_to_message"], true);
    let shown = bakery.token.get(&format!("/chats/{direct}")).await.expect(200)["data"].clone();
    assert!(shown.get("group_members").is_none());
    assert_eq!(names(&bakery.token, "group=true").await, ["Team"]);
    assert_eq!(names(&bakery.token, "group=false").await, ["Ann"]);
}

#[tokio::test]
async fn messages_go_where_the_account_works_and_the_other_side_listens() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    let may_write = async |id: ChatId| {
        let shown = bakery.token.get(&format!("/chats/{id}")).await.expect(200);
        shown["data"]["is_allowed_to_message"].as_bool().expect("a switch")
    };
    for jid in ["status@broadcast", "120363000000000001@newsletter"] {
        let one_way = bakery.chat(jid, |row| chat::ActiveModel { jid: Set(jid.to_owned()), ..row }).await;
        assert!(!may_write(one_way).await, "{jid}");
    }
    assert!(may_write(chat).await);
    bakery.partner.patch("/workspaces/bakery", json!({ "seats_purchased": 1 })).await.expect(200);
    assert!(!may_write(chat).await, "the account is suspended");
    bakery.partner.patch("/workspaces/bakery", json!({ "seats_purchased": 3 })).await.expect(200);
    assert!(may_write(chat).await);
    bakery.partner.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    assert!(!may_write(chat).await, "the account is disconnected");
}

#[tokio::test]
async fn filters_narrow_one_another_down() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let other_user = bakery.partner.users(&bakery.slug, 1).await[0];
    let other_account = bakery.partner.connect(&bakery.slug, other_user, "+15550002222").await;
    let user = bakery.user_id;
    let ann = bakery.chat("Ann Lee", |row| chat::ActiveModel { closed: Set(true), ..row }).await;
    let bob = bakery.chat("Bob Lee", |row| chat::ActiveModel { responsible_user_id: Set(Some(user)), ..row }).await;
    let through_other =
        |row| chat::ActiveModel { account_id: Set(entity::id::AccountId(other_account)), read: Set(true), ..row };
    bakery.chat("Cleo", through_other).await;
    for (chat, label) in [(ann, "vip"), (ann, "new"), (bob, "new"), (bob, "vip too"), (bob, "late, urgent")] {
        bakery.label(chat, label).await;
    }
    let email = format!("{user}-bakery%40partners.127.0.0.1");
    let upper = email.to_uppercase();
    for (query, expected) in [
        (String::new(), vec!["Ann Lee", "Bob Lee", "Cleo"]),
        ("name=&phone=&label=&responsible=&created_after=".to_owned(), vec!["Ann Lee", "Bob Lee", "Cleo"]),
        ("name=lee".to_owned(), vec!["Ann Lee", "Bob Lee"]),
        ("name=LEE,cl".to_owned(), vec!["Ann Lee", "Bob Lee", "Cleo"]),
        ("name=n+lee".to_owned(), vec!["Ann Lee"]),
        ("name=lee+ann".to_owned(), vec![]),
        ("label=vip".to_owned(), vec!["Ann Lee"]),
        ("label=vip,new".to_owned(), vec!["Ann Lee", "Bob Lee"]),
        ("label=vip+too".to_owned(), vec!["Bob Lee"]),
        ("label=VIP".to_owned(), vec![]),
        ("label=late,+urgent".to_owned(), vec!["Bob Lee"]),
        ("label=vip,late".to_owned(), vec!["Ann Lee"]),
        ("closed=TRUE&read=False&group=0".to_owned(), vec!["Ann Lee"]),
        ("closed=0&read=1&with_msg=False".to_owned(), vec!["Cleo"]),
        (
            "closed=&read=&group=&with_msg=&chatgpt_autoresponse_enabled=&page=".to_owned(),
            vec!["Ann Lee", "Bob Lee", "Cleo"],
        ),
        ("closed=true".to_owned(), vec!["Ann Lee"]),
        ("closed=false".to_owned(), vec!["Bob Lee", "Cleo"]),
        ("read=true".to_owned(), vec!["Cleo"]),
        ("read=false".to_owned(), vec!["Ann Lee", "Bob Lee"]),
        ("chatgpt_autoresponse_enabled=true".to_owned(), vec![]),
        ("chatgpt_autoresponse_enabled=false&read=true".to_owned(), vec!["Cleo"]),
        ("whatsapp_account_id=15550002222%40s.whatsapp.net".to_owned(), vec!["Cleo"]),
        (
            "whatsapp_account_id=15550002222@s.whatsapp.net,15550001111@s.whatsapp.net".to_owned(),
            vec!["Ann Lee", "Bob Lee", "Cleo"],
        ),
        ("whatsapp_account_id=15550009999@s.whatsapp.net".to_owned(), vec![]),
        (format!("responsible={email}"), vec!["Bob Lee"]),
        (format!("responsible=nobody@example.com,{upper}"), vec!["Bob Lee"]),
        ("responsible=nobody@example.com".to_owned(), vec![]),
        (format!("responsible={email}&label=new&closed=false&name=bob&group=false"), vec!["Bob Lee"]),
        (format!("responsible={email}&label=vip"), vec![]),
        ("name=lee&closed=true&label=new,other&read=false".to_owned(), vec!["Ann Lee"]),
    ] {
        assert_eq!(names(&bakery.token, &query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn wildcards_mean_themselves_and_case_folds_alike() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    for name in ["100% Ökö", "under_score", "back\\slash", "1000 ÄPFEL", "plain", "ИВАН"] {
        bakery.chat(name, plain).await;
    }
    for (text, expected) in [
        ("%", vec!["100% Ökö"]),
        ("_", vec!["under_score"]),
        ("\\", vec!["back\\slash"]),
        ("100%", vec!["100% Ökö"]),
        ("r_s", vec!["under_score"]),
        ("ÖKÖ", vec!["100% Ökö"]),
        ("ökö", vec!["100% Ökö"]),
        ("äpfel", vec!["1000 ÄPFEL"]),
        ("иван", vec!["ИВАН"]),
        ("apfel", vec![]),
        ("%,_", vec!["100% Ökö", "under_score"]),
        ("'", vec![]),
    ] {
        assert_eq!(names(&bakery.token, &format!("name={}", escaped(text))).await, expected, "{text}");
    }
}

#[tokio::test]
async fn numbers_are_found_whole_or_in_part() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let with_phone = |phone: &'static str| move |row| chat::ActiveModel { phone: Set(Some(phone.to_owned())), ..row };
    bakery.chat("Ann", with_phone("+4930123456")).await;
    bakery.chat("Bob", with_phone("+49301234567")).await;
    let group_with_phone =
        |row| chat::ActiveModel { is_group: Set(true), phone: Set(Some("+4930123456".to_owned())), ..row };
    bakery.chat("Odd group", group_with_phone).await;
    bakery.group("Team").await;
    for (query, expected) in [
        ("phone=%2B4930123456", vec!["Ann"]),
        ("phone=+4930123456", vec!["Ann"]),
        ("phone=4930123456", vec!["Ann", "Bob"]),
        ("phone=004930123456", vec!["Ann", "Bob"]),
        ("phone=030123456", vec!["Ann", "Bob"]),
        ("phone=4567", vec!["Bob"]),
        ("phone=%2B493012345", vec![]),
        ("phone=999", vec![]),
        ("phone=4567&group=true", vec![]),
        ("whatsapp_phone=%2B4930123456", vec!["Ann"]),
        ("whatsapp_phone=04930123456,49301234567", vec!["Ann", "Bob"]),
        ("whatsapp_phone=4930123", vec![]),
    ] {
        assert_eq!(names(&bakery.token, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn the_newest_talk_comes_first_and_ties_go_by_name() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let late = START.plus_seconds(60);
    for (name, at) in [
        ("silent b", None),
        ("old", Some(START)),
        ("tie b", Some(late)),
        ("Silent A", None),
        ("tie Ä", Some(late)),
        ("Tie A", Some(late)),
        ("tie z", Some(late)),
    ] {
        let chat = bakery.chat(name, plain).await;
        if let Some(at) = at {
            bakery.message(chat, at, |row| row).await;
        }
    }
    let expected = ["Tie A", "tie b", "tie z", "tie Ä", "old", "Silent A", "silent b"];
    assert_eq!(names(&bakery.token, "").await, expected);
    let first = bakery.chat("twin", plain).await;
    let second = bakery.chat("TWIN", plain).await;
    let page = bakery.token.get("/chats?name=twin").await.expect(200);
    let ids: Vec<_> = page["data"]["chats"].as_array().expect("chats").iter().map(|chat| &chat["id"]).collect();
    assert_eq!(ids, [&json!(first.0), &json!(second.0)], "equal names go by id");
}

#[tokio::test]
async fn pages_hold_fifty_whatever_size_is_asked_for() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    for number in 0..51 {
        bakery.chat(&format!("Chat {number:02}"), plain).await;
    }
    let page = async |query: &str| {
        let body = bakery.token.get(&format!("/chats?{query}")).await.expect(200);
        (body["data"]["chats"].as_array().expect("chats").len(), body["data"]["has_more_pages"].clone())
    };
    assert_eq!(page("").await, (50, json!(true)));
    assert_eq!(page("page=1&limit=3&per_page=3&page_size=3&size=3&count=3&take=3&rows=3").await, (50, json!(true)));
    assert_eq!(page("page=2").await, (1, json!(false)));
    assert_eq!(names(&bakery.token, "page=2").await, ["Chat 50"]);
    assert_eq!(page("page=3").await, (0, json!(false)));
    assert_eq!(page("page=1000000").await, (0, json!(false)));
    assert_eq!(page("name=chat+0").await, (10, json!(false)));
    bakery.token.get("/chats?page=1&name=chat").await.expect(200);
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let many = format!("name={}", "x,".repeat(101));
    let long = format!("label={}", "x".repeat(257));
    for (query, field) in [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("page=1000001", "page"),
        ("page=9223372036854775807", "page"),
        ("page=9223372036854775808", "page"),
        ("closed=maybe", "closed"),
        ("read=2", "read"),
        ("group=nein", "group"),
        ("with_msg=yes", "with_msg"),
        ("chatgpt_autoresponse_enabled=x", "chatgpt_autoresponse_enabled"),
        ("phone=1-2", "phone"),
        ("phone=%2B", "phone"),
        ("phone=+", "phone"),
        ("phone=000", "phone"),
        ("phone=%00", "phone"),
        ("phone=12%25", "phone"),
        ("whatsapp_phone=4930123456,x", "whatsapp_phone"),
        ("name=a%00", "name"),
        ("label=%00", "label"),
        ("responsible=%00", "responsible"),
        ("whatsapp_account_id=%00", "whatsapp_account_id"),
        ("created_after=yesterday", "created_after"),
        ("created_after=%00", "created_after"),
        ("created_before=2026-02-30", "created_before"),
        (&many, "name"),
        (&long, "label"),
    ] {
        let body = bakery.token.get(&format!("/chats?{query}")).await.expect(400);
        assert_eq!(body["error_code"], "validation_error", "{query}");
        assert_eq!(body["errors"][0]["fields"], json!([field]), "{query}");
    }
}

#[tokio::test]
async fn times_without_an_offset_are_the_workspaces() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    bakery.partner.patch("/workspaces/bakery", json!({ "time_zone": "Europe/Paris" })).await.expect(200);
    // The clocks go back on 2026-10-25 at 01:00 UTC, from 03:00 to 02:00.
    let midnight = 1_792_879_200;
    for (name, seconds) in
        [("first", 0), ("summer", 9000), ("winter", 12_600), ("last", 25 * 3600 - 1), ("next", 90_000)]
    {
        let at = entity::timestamp::Timestamp((midnight + seconds) * 1_000_000 + 500_000);
        bakery.chat(name, |row| chat::ActiveModel { created_at: Set(at), ..row }).await;
    }
    let shown = bakery.token.get("/chats").await.expect(200);
    let shown: Vec<_> =
        shown["data"]["chats"].as_array().expect("chats").iter().map(|chat| &chat["created_timestamp"]).collect();
    let expected = [
        "2026-10-25 00:00:00 +0200",
        "2026-10-25 23:59:59 +0100",
        "2026-10-26 00:00:00 +0100",
        "2026-10-25 02:30:00 +0200",
        "2026-10-25 02:30:00 +0100",
    ];
    assert_eq!(shown, expected);
    for (query, expected) in [
        ("created_after=2026-10-25&created_before=2026-10-25", vec!["first", "last", "summer", "winter"]),
        ("created_after=2026-10-26", vec!["next"]),
        ("created_before=2026-10-24", vec![]),
        ("created_after=2026-10-25T02:30:00&created_before=2026-10-25T02:30:00", vec!["summer", "winter"]),
        ("created_after=2026-10-25T02:30:00%2B01:00&created_before=2026-10-25T12:00", vec!["winter"]),
        ("created_before=2026-10-25T00:30:00Z", vec!["first", "summer"]),
        ("created_before=2026-10-25+02:30:00++0200", vec!["first", "summer"]),
        ("created_before=2026-10-25T00:30:00.4Z", vec!["first"]),
        ("created_after=2026-10-25+23:59:59+%2B0100", vec!["last", "next"]),
        ("created_after=2026-10-26&created_before=2026-10-25", vec![]),
    ] {
        assert_eq!(names(&bakery.token, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn chats_of_others_do_not_exist() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let stranger = Conversations::start(&app, "stranger", "+15550003333").await;
    let chat = bakery.chat("Ann", plain).await;
    stranger.chat("Eve", plain).await;
    assert_eq!(names(&stranger.token, "").await, ["Eve"]);
    let filters = format!("whatsapp_account_id=15550001111@s.whatsapp.net&responsible={}-x", bakery.user_id);
    assert!(names(&stranger.token, &filters).await.is_empty());
    let foreign = chat.to_string();
    let error = quartermaster::chat::get(&app.app, stranger.workspace_id, &foreign).await.expect_err("no chat");
    assert_eq!(error.code().to_string(), "chat_not_found");
    for (path, id) in [
        (foreign.as_str(), foreign.as_str()),
        ("0", "0"),
        ("-1", "-1"),
        ("%2B1", "+1"),
        ("1.0", "1.0"),
        ("ann", "ann"),
        ("99999999999999999999", "99999999999999999999"),
        ("%00", "\0"),
        ("%22", "\""),
    ] {
        for suffix in ["", "/messages"] {
            let body = stranger.token.get(&format!("/chats/{path}{suffix}")).await.expect(404);
            assert_eq!(body["error_code"], "not_found", "{path}{suffix}");
            assert_eq!(body["message"], format!("Whatsapp chat_id \"{id}\" not found"), "{path}{suffix}");
        }
    }
}
