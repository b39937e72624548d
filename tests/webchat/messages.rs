//! What goes to and fro between visitors and the workspace.

use entity::message::Status;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    ledger::audited,
    support::{
        Setup, TestApp,
        channels::{Shop, word},
        receiver::{Receiver, Reply},
        upload::png,
        visitor::Visitor,
    },
};

#[tokio::test]
async fn a_visitor_writes_and_is_answered() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    let written = visitor.write("Is there any bread left?").await;
    assert_eq!((&written["number"], &written["from"], &written["file"]), (&json!(1), &json!("visitor"), &json!(null)));
    assert_eq!(written["sent_at"], "2026-09-10T08:00:00Z");
    let chats = shop.chats().await;
    let held = &chats[0];
    assert_eq!((&held["jid"], &held["phone"]), (&json!(format!("{}@webchat", visitor.id)), &json!(null)));
    assert_eq!((&held["read"], &held["closed"]), (&json!(false), &json!(false)));
    let id = shop.answer(held, "Two loaves.").await;
    assert_eq!((app.message(id).await.status, app.message(id).await.tries), (Status::Sent, 1));
    let window = visitor.window().await;
    let expected = [("visitor", "Is there any bread left?"), ("workspace", "Two loaves.")];
    assert_eq!(window, expected.map(|(from, text)| (from.to_owned(), text.to_owned())));
    visitor.tell(&app, 2, 0).await;
    assert_eq!(app.message(id).await.status, Status::Delivered);
    visitor.tell(&app, 0, 2).await;
    assert_eq!(app.message(id).await.status, Status::Read);
    visitor.tell(&app, 2, 1).await;
    let steps: Vec<Status> = app.history(id).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(steps, [Status::Sent, Status::Delivered, Status::Read]);
    assert_eq!(shop.token.credits().await.0, 1, "answers are charged, what comes is not");
    audited(&app).await;
}

#[tokio::test]
async fn what_was_seen_at_once_was_delivered_too() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    visitor.write("Hello").await;
    let held = shop.chats().await[0].clone();
    let first = shop.answer(&held, "One").await;
    app.advance(3).await;
    let second = shop.answer(&held, "Two").await;
    // Beyond the end there is nothing.
    visitor.tell(&app, 0, 1_000_000).await;
    assert_eq!(app.statuses(&[first, second]).await, [Status::Read, Status::Read]);
    app.advance(3).await;
    let third = shop.answer(&held, "Three").await;
    assert_eq!(app.message(third).await.status, Status::Sent, "what was not there was not seen");
    visitor.tell(&app, -5, -5).await;
    assert_eq!(app.message(third).await.status, Status::Sent);
}

#[tokio::test]
async fn what_is_sent_again_is_one_message() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    let body = json!({ "text": "Hello", "client_id": "a-1" });
    let first = visitor.post("/messages", body.clone()).await.expect(201);
    assert_eq!(visitor.post("/messages", body.clone()).await.expect(201), first);
    let other = Visitor::come(&app, &chat.token).await;
    assert_ne!(other.post("/messages", body).await.expect(201)["id"], first["id"], "keys are each visitor's own");
    assert_eq!((visitor.window().await.len(), other.window().await.len()), (1, 1));
    let both = futures_util::future::join_all((0..4).map(|_| async {
        visitor.post("/messages", json!({ "text": "At once", "client_id": "a-2" })).await.expect(201)["number"].clone()
    }));
    assert_eq!(both.await, vec![json!(2); 4]);
}

#[tokio::test]
async fn a_conversation_is_begun_with_whoever_is_known_and_nobody_else() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    visitor.write("Hello").await;
    let begin = async |to: &str| {
        let url = format!("{}/v1/channels/{}/conversation", app.base, chat.id);
        let request = app.http.post(url).header("x-api-key", shop.token.token());
        crate::support::Answer::of(request.json(&json!({ "to": to, "message": "May I help?" }))).await
    };
    begin(&visitor.id).await.expect(201);
    app.run_jobs().await;
    assert_eq!(visitor.window().await.last().expect("a message").1, "May I help?");
    app.advance(3).await;
    let used = shop.token.credits().await.0;
    for nobody in ["01930000-0000-7000-8000-000000000001", "ann"] {
        let begun = begin(nobody).await.expect(201);
        app.run_jobs().await;
        let id = begun["message_id"].as_str().expect("a uid").parse().expect("a uuid");
        let message = app.message(id).await;
        assert_eq!((message.status, message.failure.as_deref()), (Status::Failed, Some("no_such_visitor")), "{nobody}");
        app.advance(3).await;
    }
    assert_eq!(shop.token.credits().await.0, used, "what cannot arrive is given back");
    let empty = word(&begin("").await, 400);
    assert_eq!(empty, "VALIDATION_ERROR");
    audited(&app).await;
}

#[tokio::test]
async fn a_bot_answers_visitors_as_it_answers_anybody() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let shop = Shop::open(&app).await;
    let endpoint = Receiver::start().await;
    endpoint.usually(Reply::Body(json!({ "reply": "We open at eight." }).to_string()));
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    visitor.write("Hello").await;
    let config =
        json!({ "endpoint": endpoint.url(), "signingSecret": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" });
    let bot = json!({ "name": "Night shift", "type": "http", "config": config });
    let bot = shop.post("/agents", bot).await.expect(201)["data"]["id"].clone();
    let attached = json!({ "defaultBotId": bot });
    shop.linktor(Method::PUT, &format!("/channels/{}/agent", chat.id), attached).await.expect(200);
    let path = format!("/chats/{}", shop.chats().await[0]["id"]);
    shop.token.patch(&path, json!({ "chatgpt_autoresponse_enabled": true })).await.expect(200);
    visitor.write("When do you open?").await;
    for _ in 0..3 {
        app.advance(3).await;
    }
    let window = visitor.window().await;
    assert_eq!(window.last(), Some(&("workspace".to_owned(), "We open at eight.".to_owned())), "{window:?}");
}

#[tokio::test]
async fn visitors_send_files_too() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    let send = async |query: &str, content: Vec<u8>| {
        let request = visitor.request(Method::POST, &format!("/files?{query}")).body(content);
        crate::support::Answer::of(request.header("Content-Type", "application/octet-stream")).await
    };
    let picture = png(3000, 7);
    let sent = send("name=my%20bread.png&client_id=f-1", picture.clone()).await.expect(201);
    assert_eq!((&sent["text"], &sent["file"]["name"]), (&json!(null), &json!("my bread.png")));
    let again = send("name=my%20bread.png&client_id=f-1", picture.clone()).await.expect(201);
    assert_eq!((&again["id"], &again["number"]), (&sent["id"], &json!(1)));
    let content = app.http.get(sent["file"]["url"].as_str().expect("a link")).send().await.expect("an answer");
    assert_eq!(content.bytes().await.expect("a file"), picture);
    let held = shop.chats().await[0].clone();
    let messages = shop.token.get(&format!("/chats/{}/messages", held["id"])).await.expect(200);
    assert_eq!(messages["data"]["messages"][0]["attachment_filename"], "my bread.png", "{messages}");
    assert_eq!(app.stored_objects(), 1, "what came again is kept once");
    for (query, content, status, code) in [
        ("name=a.png", Vec::new(), 400, "invalid_request"),
        ("name=a.exe", b"MZ\x90\x00\x03\x00\x00\x00".repeat(100), 400, "invalid_request"),
        ("name=a.html", b"<html><script>alert(1)</script></html>".to_vec(), 400, "invalid_request"),
        ("name=&client_id=x", picture.clone(), 400, "invalid_request"),
        ("name=a.png&client_id=a%20b", picture.clone(), 400, "invalid_request"),
        ("name=a.png", png(10 * 1024 * 1024 + 1, 1), 413, "file_too_large"),
    ] {
        let refused = send(query, content).await;
        assert_eq!(refused.expect(status)["code"], code, "{query}");
    }
    assert_eq!((visitor.window().await.len(), app.stored_objects()), (1, 1), "nothing is left of what was refused");
}

#[tokio::test]
async fn visitors_of_another_channel_are_not_reached() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let (one, two) = (shop.web_chat(json!({})).await, shop.web_chat(json!({})).await);
    let visitor = Visitor::come(&app, &one.token).await;
    visitor.write("Hello").await;
    Visitor::come(&app, &two.token).await;
    let request = app.http.post(format!("{}/v1/channels/{}/conversation", app.base, two.id));
    let request = request.header("x-api-key", shop.token.token());
    let begun =
        crate::support::Answer::of(request.json(&json!({ "to": visitor.id, "message": "x" }))).await.expect(201);
    app.run_jobs().await;
    let id = begun["message_id"].as_str().expect("a uid").parse().expect("a uuid");
    assert_eq!(app.message(id).await.status, Status::Failed);
    assert_eq!(visitor.window().await.len(), 1);
}

#[tokio::test]
async fn windows_are_paged_backwards_and_hold_no_notes() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    for number in 1..=5 {
        visitor.write(&format!("{number}")).await;
    }
    let held = shop.chats().await[0].clone();
    let note = json!({ "text": "A difficult one" });
    shop.token.post(&format!("/chats/{}/notes", held["id"]), note).await.expect(200);
    let page = async |query: &str| -> (Vec<String>, bool) {
        let page = visitor.get(&format!("/messages{query}")).await.expect(200);
        let texts = page["messages"].as_array().expect("messages").iter();
        let text = |message: &Value| message["text"].as_str().expect("a text").to_owned();
        (texts.map(text).collect(), page["has_more"].as_bool().expect("yes or no"))
    };
    let texts = |numbers: &[i32]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(page("").await, (texts(&[1, 2, 3, 4, 5]), false));
    assert_eq!(page("?limit=2").await, (texts(&[4, 5]), true));
    assert_eq!(page("?limit=2&before=4").await, (texts(&[2, 3]), true));
    assert_eq!(page("?limit=2&before=2").await, (texts(&[1]), false));
}

#[tokio::test]
async fn files_come_as_links_and_what_looks_like_html_stays_text() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    let hostile = "<img src=x onerror=alert(1)> & \u{202e}\"'";
    assert_eq!(visitor.write(hostile).await["text"], hostile);
    let held = shop.chats().await[0].clone();
    let picture = png(2000, 1);
    let uploaded = shop.token.picture("menu.png", &picture).await;
    let path = format!("/chats/{}/messages", held["id"]);
    shop.token.post(&path, json!({ "text": "Our menu", "file_uid": uploaded })).await.expect(200);
    app.run_jobs().await;
    let page = visitor.get("/messages").await;
    assert_eq!(page.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let message = page.expect(200)["messages"][1].clone();
    let file = &message["file"];
    assert_eq!((&file["name"], &file["content_type"]), (&json!("menu.png"), &json!("image/png")));
    let content = app.http.get(file["url"].as_str().expect("a link")).send().await.expect("an answer");
    assert_eq!(content.bytes().await.expect("a file"), picture);
}
