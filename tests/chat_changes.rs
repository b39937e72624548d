//! Changing chats: names, who looks after them, switches, labels, notes.

use entity::{chat, id::UserId, message::Status};
use reqwest::Method;
use sea_orm::Set;
use serde_json::{Value, json};

use crate::support::{
    Answer, START, TestApp,
    conversation::{Conversations, escaped},
    sender::Sender,
};

fn plain(row: chat::ActiveModel) -> chat::ActiveModel {
    row
}

#[tokio::test]
async fn every_field_of_a_chat_can_be_changed() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    let path = format!("/chats/{chat}");
    let email = format!("{}-bakery@partners.127.0.0.1", bakery.user_id);
    let before = bakery.token.get(&path).await.expect(200)["data"].clone();
    let mut expected = before.clone();
    for (body, changes) in [
        (json!({ "name": "  Ann Lee - VIP " }), json!({ "name": "Ann Lee - VIP" })),
        (
            json!({ "responsible": email.to_uppercase() }),
            json!({
                "responsible": email, "responsible_email": email,
                "responsible_name": format!("Agent {}", bakery.user_id),
            }),
        ),
        (json!({ "closed": true }), json!({ "closed": true })),
        (json!({ "read": true }), json!({ "read": true })),
        (json!({ "chatgpt_autoresponse_enabled": true }), json!({ "chatgpt_autoresponse_enabled": true })),
        (
            json!({
                "closed": false, "read": false, "chatgpt_autoresponse_enabled": false, "responsible": "",
                "labels": ["x"], "responsible_email": "x", "whatsapp_account_id": "x", "unknown": [{}],
            }),
            json!({
                "closed": false, "read": false, "chatgpt_autoresponse_enabled": false, "responsible": null,
                "responsible_email": null, "responsible_name": null,
            }),
        ),
    ] {
        expected.as_object_mut().expect("a chat").extend(changes.as_object().expect("changes").clone());
        let answer = bakery.token.patch(&path, body.clone()).await.expect(200);
        assert_eq!(answer, json!({ "status": "ok", "data": expected }), "{body}");
        assert_eq!(bakery.token.get(&path).await.expect(200)["data"], expected, "{body}");
    }
    assert_eq!(bakery.audited("chat.update").await, 6);
    let (_, actor) = bakery.audit().await.into_iter().find(|(action, _)| action == "chat.update").expect("an entry");
    assert!(actor.starts_with("token:"), "{actor}");
}

#[tokio::test]
async fn what_is_so_already_changes_nothing() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    let email = format!("{}-bakery@partners.127.0.0.1", bakery.user_id);
    let body = json!({
        "name": "Anna", "responsible": email, "closed": true, "read": true, "chatgpt_autoresponse_enabled": true,
    });
    let path = format!("/chats/{chat}");
    let first = bakery.token.patch(&path, body.clone()).await.expect(200);
    assert_eq!(bakery.token.patch(&path, body).await.expect(200), first);
    for nothing in [json!({}), json!({ "name": null, "responsible": null, "closed": null })] {
        assert_eq!(bakery.token.patch(&path, nothing).await.expect(200), first);
    }
    assert_eq!(bakery.audited("chat.update").await, 1, "only changes are written down");
}

#[tokio::test]
async fn names_are_unique_in_the_workspace() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let other = Conversations::start(&app, "other", "+15550003333").await;
    let (ann, bob) = (bakery.chat("Ann Lee", plain).await, bakery.chat("Bob", plain).await);
    other.chat("Carl", plain).await;
    for name in ["Ann Lee", "ANN LEE", " ann lee "] {
        let error = bakery.token.patch(&format!("/chats/{bob}"), json!({ "name": name })).await.expect(400);
        assert_eq!(error["error_code"], "validation_error");
        assert_eq!(error["message"], format!("Chat name \"{}\" is taken by chat {ann}", name.trim()));
        assert!(error.get("errors").is_none(), "a rule of ours, not of the schema");
    }
    bakery.token.patch(&format!("/chats/{ann}"), json!({ "name": "ANN LEE" })).await.expect(200);
    bakery.token.patch(&format!("/chats/{bob}"), json!({ "name": "Carl" })).await.expect(200);
    let renaming = (0..6).map(|number| {
        let id = if number % 2 == 0 { ann } else { bob };
        let token = bakery.token.clone();
        async move { token.patch(&format!("/chats/{id}"), json!({ "name": "The one" })).await.status.as_u16() }
    });
    let mut statuses = futures_util::future::join_all(renaming).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 400, 400, 400], "one of two at the same time gets the name");
}

#[tokio::test]
async fn names_that_look_alike_are_one() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let (rene, bob) = (bakery.chat("Ann", plain).await, bakery.chat("Bob", plain).await);
    let (composed, decomposed) = ("Ren\u{e9}", "Rene\u{301}");
    let named = bakery.token.patch(&format!("/chats/{rene}"), json!({ "name": decomposed })).await.expect(200);
    assert_eq!(named["data"]["name"], composed);
    for name in [composed, decomposed] {
        let taken = bakery.token.patch(&format!("/chats/{bob}"), json!({ "name": name })).await.expect(400);
        assert_eq!(taken["message"], format!("Chat name \"{composed}\" is taken by chat {rene}"));
        let sending = json!({ "phone": "+15557770000", "text": "Hello", "chat_name": name });
        bakery.token.post("/messages", sending).await.expect(400);
        app.advance(5).await;
        let sending = json!({ "chat_name": name, "text": "Hello" });
        let uid = bakery.token.post("/messages/to_chat_name", sending).await.expect(200)["data"]["message_uid"].clone();
        assert_eq!(app.message(uid.as_str().expect("a uid").parse().expect("a uuid")).await.chat_id, rene);
        let listed = bakery.token.get(&format!("/chats?name={}", escaped(name))).await.expect(200);
        assert_eq!(listed["data"]["chats"][0]["id"], rene.0);
        app.advance(5).await;
    }
}

#[tokio::test]
async fn names_and_labels_have_one_rule_however_they_are_given() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    let long = "x".repeat(257);
    for name in ["a\nb", "a\u{2028}b", "a\u{0}", "\u{200b}\u{200b}", long.as_str()] {
        let error = bakery.token.patch(&format!("/chats/{chat}"), json!({ "name": name })).await.expect(400);
        let (fields, reason) = (&error["errors"][0]["fields"], error["errors"][0]["msg"].clone());
        assert_eq!((fields, reason.is_string()), (&json!(["name"]), true), "{name:?}");
        for (path, mut body) in [
            ("/messages".to_owned(), json!({ "phone": "+15557770000" })),
            ("/messages/to_jid".to_owned(), json!({ "jid": "15557770000@s.whatsapp.net" })),
            ("/messages/to_chat_name".to_owned(), json!({})),
            (format!("/chats/{chat}/messages"), json!({})),
        ] {
            body["text"] = json!("Hello");
            body["chat_name"] = json!(name);
            let error = bakery.token.post(&path, body).await.expect(400);
            assert_eq!(error["errors"], json!([{ "fields": ["chat_name"], "msg": reason }]), "{path}");
            app.advance(1).await;
        }
    }
    for label in ["a\nb", "a\u{2028}b", "a\u{0}"] {
        let body = json!({ "text": "Hello", "label": label });
        let error = bakery.token.post(&format!("/chats/{chat}/messages"), body).await.expect(400);
        assert_eq!(error["errors"][0]["fields"], json!(["label"]), "{label:?}");
    }
}

#[tokio::test]
async fn bad_fields_are_named_and_strangers_refused() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let other = Conversations::start(&app, "other", "+15550003333").await;
    let chat = bakery.chat("Ann", plain).await;
    let path = format!("/chats/{chat}");
    for (body, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "x".repeat(257) }), "name"),
        (json!({ "name": "a\u{0}" }), "name"),
        (json!({ "name": 7 }), "name"),
        (json!({ "closed": "yes" }), "closed"),
        (json!({ "read": 1 }), "read"),
        (json!({ "responsible": ["x"] }), "responsible"),
    ] {
        let error = bakery.token.patch(&path, body.clone()).await.expect(400);
        assert_eq!(
            (&error["error_code"], &error["errors"][0]["fields"]),
            (&json!("validation_error"), &json!([field])),
            "{body}"
        );
    }
    let foreign = format!("{}-bakery@partners.127.0.0.1", other.user_id);
    for email in ["nobody@example.com", foreign.as_str(), "%"] {
        let error = bakery.token.patch(&path, json!({ "responsible": email, "closed": true })).await.expect(404);
        assert_eq!(error["error_code"], "not_found");
        assert_eq!(error["message"], format!("There is no teammate with the e-mail address \"{email}\""));
    }
    let agent = bakery.partner.users(&bakery.slug, 1).await[0];
    let agent = format!("{agent}-bakery@partners.127.0.0.1");
    bakery.partner.patch("/workspaces/bakery", json!({ "seats_purchased": 2 })).await.expect(200);
    bakery.token.patch(&path, json!({ "responsible": agent })).await.expect(409);
    assert_eq!(bakery.token.get(&path).await.expect(200)["data"]["closed"], false, "all or nothing");
    for id in ["0", "x", "99999999999999999999"] {
        bakery.token.patch(&format!("/chats/{id}"), json!({ "closed": true })).await.expect(404);
    }
    assert_eq!(bakery.audited("chat.update").await, 0);
}

#[tokio::test]
async fn messages_drive_what_is_read_and_own_replies_stop_automatic_answers() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let text = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
    sender.partner.post("/sandbox/inbound", text.clone()).await.expect(200);
    let only = async || sender.token.get("/chats").await.expect(200)["data"]["chats"][0].clone();
    let chat = only().await;
    let path = format!("/chats/{}", chat["id"]);
    assert_eq!((&chat["read"], &chat["chatgpt_autoresponse_enabled"]), (&json!(false), &json!(false)));
    let count = async |query: &str| {
        sender.token.get(&format!("/chats?{query}")).await.expect(200)["data"]["chats"].as_array().expect("chats").len()
    };
    let on = json!({ "chatgpt_autoresponse_enabled": true });
    sender.token.patch(&path, on.clone()).await.expect(200);
    assert_eq!(count("chatgpt_autoresponse_enabled=true").await, 1);
    assert_eq!(count("chatgpt_autoresponse_enabled=false").await, 0);
    sender.token.post(&format!("{path}/messages"), json!({ "text": "Hi" })).await.expect(200);
    let chat = only().await;
    assert_eq!((&chat["read"], &chat["chatgpt_autoresponse_enabled"]), (&json!(true), &json!(false)));
    assert_eq!(count("chatgpt_autoresponse_enabled=true").await, 0);
    assert_eq!(count("chatgpt_autoresponse_enabled=false").await, 1);
    let chat = sender.token.patch(&path, on).await.expect(200)["data"].clone();
    assert_eq!(chat["chatgpt_autoresponse_enabled"], true, "switching on ends the lock");
    sender.partner.post("/sandbox/inbound", text).await.expect(200);
    let chat = only().await;
    assert_eq!((&chat["read"], &chat["chatgpt_autoresponse_enabled"]), (&json!(false), &json!(true)));
    app.run_jobs().await;
}

#[tokio::test]
async fn labels_are_replaced_and_added_to() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    bakery.label(bakery.chat("Bob", plain).await, "other").await;
    let path = format!("/chats/{chat}/labels");
    let labels = |labels: &[&str]| json!({ "status": "ok", "data": { "labels": labels } });
    assert_eq!(bakery.token.get(&path).await.expect(200), labels(&[]));
    for (method, given, expected) in [
        (Method::PUT, json!(["follow-up", "VIP", "follow-up"]), labels(&["VIP", "follow-up"])),
        (Method::PUT, json!(["vip", " follow-up "]), labels(&["VIP", "follow-up", "vip"])),
        (Method::PUT, json!([]), labels(&["VIP", "follow-up", "vip"])),
        (Method::POST, json!(["vip", "enterprise"]), labels(&["enterprise", "vip"])),
        (Method::POST, json!(["vip", "enterprise"]), labels(&["enterprise", "vip"])),
        (Method::POST, json!([]), labels(&[])),
        (Method::POST, json!(["x".repeat(64)]), labels(&[&"x".repeat(64)])),
    ] {
        let answer = Answer::of(bakery.token.request(method, &path).json(&json!({ "labels": given }))).await;
        assert_eq!(answer.expect(200), expected, "{given}");
        assert_eq!(bakery.token.get(&path).await.expect(200), expected, "{given}");
    }
    assert_eq!(bakery.audited("chat.label").await, 5, "only changes are written down");
    assert_eq!(bakery.token.get("/chats?label=other").await.expect(200)["data"]["chats"][0]["name"], "Bob");
}

#[tokio::test]
async fn labels_are_bounded() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    let path = format!("/chats/{chat}/labels");
    let many: Vec<String> = (0..100).map(|number| format!("label {number}")).collect();
    bakery.token.post(&path, json!({ "labels": many })).await.expect(200);
    for (body, field) in [
        (json!({ "labels": ["one more"] }), "labels"),
        (json!({ "labels": ["x".repeat(65)] }), "labels"),
        (json!({ "labels": [" "] }), "labels"),
        (json!({ "labels": ["a\u{0}"] }), "labels"),
        (json!({ "labels": ["a\nb"] }), "labels"),
        (json!({ "labels": vec!["x"; 101] }), "labels"),
        (json!({ "labels": "x" }), "labels"),
        (json!({ "labels": [7] }), "labels[0]"),
    ] {
        let error = bakery.token.put(&path, body.clone()).await.expect(400);
        assert_eq!(error["errors"][0]["fields"], json!([field]), "{body}");
    }
    bakery.token.put(&path, json!({ "label": "x" })).await.expect(400);
    assert_eq!(bakery.token.get(&path).await.expect(200)["data"]["labels"].as_array().map(Vec::len), Some(100));
    bakery.token.post("/chats/0/labels", json!({ "labels": [] })).await.expect(404);
    bakery.token.get("/chats/x/labels").await.expect(404);
}

#[tokio::test]
async fn a_note_is_in_the_history_and_goes_nowhere() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    sender.token.send("+15557770000", "Hello").await.expect(200);
    app.run_jobs().await;
    let chat = sender.token.get("/chats").await.expect(200)["data"]["chats"][0].clone();
    let (path, credits) = (format!("/chats/{}/notes", chat["id"]), sender.token.credits().await);
    let note = json!({ "text": "Prefers e-mail", "unknown": 1 });
    let uid = sender.token.post(&path, note).await.expect(200)["data"]["message_uid"].clone();
    let open = json!({ "text": "For all", "is_private": false });
    sender.token.post(&path, open).await.expect(200);
    let plain = sender.token.request(Method::POST, &path).header("Content-Type", "text/plain; charset=utf-8");
    Answer::of(plain.body("Als Text: äöü")).await.expect(200);
    app.run_jobs().await;
    let history = sender.token.get(&format!("/chats/{}/messages?sorting_order=asc", chat["id"])).await.expect(200);
    let messages = history["data"]["messages"].as_array().expect("messages");
    let shown: Vec<Value> = messages
        .iter()
        .map(|one| json!([one["message_type"], one["text"], one["data"]["is_private"], one["recipient_phone"]]))
        .collect();
    let expected = [
        json!(["whatsapp", "Hello", null, "+15557770000"]),
        json!(["note", "Prefers e-mail", true, ""]),
        json!(["note", "For all", false, ""]),
        json!(["note", "Als Text: äöü", true, ""]),
    ];
    assert_eq!(shown, expected);
    assert_eq!((&messages[1]["uid"], &messages[1]["from_me"]), (&uid, &json!(true)));
    assert_eq!(messages[1]["created_by"], messages[1]["sender_name"]);
    let uid = uid.as_str().expect("a uid");
    let one = sender.token.get(&format!("/messages/{uid}")).await.expect(200);
    assert_eq!(one["data"], messages[1]);
    assert_eq!(sender.token.get(&format!("/messages/{uid}/status_history")).await.expect(200)["data"], json!([]));
    assert_eq!(sender.token.credits().await, credits, "notes cost nothing");
    let after = sender.token.get("/chats").await.expect(200)["data"]["chats"][0].clone();
    assert_eq!(after, chat, "a note is no news of the chat");
    assert_eq!(app.fate(uid.parse().expect("a uuid")).await.at_provider, (0, 0));
    let report = quartermaster::credit::verify::verify(&app.app).await.expect("a report");
    assert!(report.drift.is_empty(), "{:?}", report.drift);
    sender.token.get(&path).await.expect(405);
}

#[tokio::test]
async fn a_note_with_a_key_is_written_once() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    let path = format!("/chats/{chat}/notes");
    let note = json!({ "text": "once" });
    let first = bakery.token.post_with_key(&path, "k", note.clone()).await.expect(200);
    assert_eq!(bakery.token.post_with_key(&path, "k", note).await.expect(200), first);
    bakery.token.post_with_key(&path, "k", json!({ "text": "other" })).await.expect(409);
    let history = bakery.token.get(&format!("/chats/{chat}/messages")).await.expect(200);
    assert_eq!(history["data"]["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(bakery.audited("chat.note").await, 1);
    for (body, field) in [
        (json!({ "text": "" }), "text"),
        (json!({ "text": "x".repeat(10_001) }), "text"),
        (json!({ "text": "a\u{0}" }), "text"),
        (json!({ "text": "x", "is_private": "no" }), "is_private"),
    ] {
        let error = bakery.token.post(&path, body).await.expect(400);
        assert_eq!(error["errors"][0]["fields"], json!([field]));
    }
    let broken = bakery.token.request(Method::POST, &path).header("Content-Type", "text/plain").body(vec![0x97]);
    Answer::of(broken).await.expect(400);
    for kind in ["text/html", "application/x-www-form-urlencoded"] {
        let other = bakery.token.request(Method::POST, &path).header("Content-Type", kind).body("{\"text\":\"x\"}");
        let error = Answer::of(other).await.expect(400);
        assert_eq!(error["error_code"], "validation_error", "{kind}");
        assert_eq!(error["message"], "send the body as JSON, with the header Content-Type: application/json", "{kind}");
    }
    bakery.token.post(&path, json!({ "text": "x".repeat(10_000) })).await.expect(200);
    bakery.token.post("/chats/0/notes", json!({ "text": "x" })).await.expect(404);
}

#[tokio::test]
async fn changes_need_the_right_to_change() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", plain).await;
    let reader = bakery.token_of(UserId(bakery.user_id.0), "chats:read messages:read").await;
    bakery.sent(chat, START, Status::Sent).await;
    reader.get(&format!("/chats/{chat}/labels")).await.expect(200);
    for (method, path, body) in [
        (Method::PATCH, format!("/chats/{chat}"), json!({ "closed": true })),
        (Method::POST, format!("/chats/{chat}/labels"), json!({ "labels": [] })),
        (Method::PUT, format!("/chats/{chat}/labels"), json!({ "labels": [] })),
        (Method::POST, format!("/chats/{chat}/notes"), json!({ "text": "x" })),
        (Method::POST, "/templates".to_owned(), json!({ "name": "x", "text": "x" })),
        (Method::POST, "/workspace/invitations".to_owned(), json!({ "email": "a@b.cd" })),
    ] {
        let answer = Answer::of(reader.request(method, &path).json(&body)).await;
        assert_eq!(answer.expect(403)["error_code"], "insufficient_scope", "{path}");
    }
}

#[tokio::test]
async fn whoever_waits_for_an_automatic_answer_too_long_is_unattended() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let text = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
    sender.partner.post("/sandbox/inbound", text.clone()).await.expect(200);
    let path = format!("/chats/{}", sender.token.get("/chats").await.expect(200)["data"]["chats"][0]["id"]);
    let unattended = async || {
        let one = sender.token.get(&path).await.expect(200)["data"]["unattended"].clone();
        for query in ["", "?with_msg=true"] {
            let list = sender.token.get(&format!("/chats{query}")).await.expect(200);
            assert_eq!(list["data"]["chats"][0]["unattended"], one, "{query}");
        }
        one == json!(true)
    };
    let on = json!({ "chatgpt_autoresponse_enabled": true });
    app.advance(600).await;
    assert!(!unattended().await, "nothing answers here automatically");
    sender.token.patch(&path, on.clone()).await.expect(200);
    assert!(unattended().await, "it has waited long before");
    sender.token.post(&format!("{path}/messages"), json!({ "text": "Hi" })).await.expect(200);
    sender.token.patch(&path, on).await.expect(200);
    app.advance(600).await;
    assert!(!unattended().await, "whoever was answered does not wait");
    sender.partner.post("/sandbox/inbound", text.clone()).await.expect(200);
    for (seconds, expected) in [(0, false), (59, false), (1, true), (600, true)] {
        app.advance(seconds).await;
        assert_eq!(unattended().await, expected, "{seconds} s later");
    }
    for (status, waits) in [("Missed", true), ("Answered", false), ("Rejected", false)] {
        let call =
            json!({ "phone": "+15550001111", "with": "+15557770000", "direction": "incoming", "status": status });
        sender.partner.post("/sandbox/call", call).await.expect(200);
        assert!(!unattended().await, "not yet");
        app.advance(60).await;
        assert_eq!(unattended().await, waits, "a call that was {status}");
    }
    sender.partner.post("/sandbox/inbound", text).await.expect(200);
    app.advance(60).await;
    assert!(unattended().await);
    sender.token.patch(&path, json!({ "chatgpt_autoresponse_enabled": false })).await.expect(200);
    assert!(!unattended().await);
}

#[tokio::test]
async fn automatic_answers_are_filtered_as_they_are_shown() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let switched =
        |on, locked| move |row| chat::ActiveModel { autoresponse: Set(on), autoresponse_locked: Set(locked), ..row };
    bakery.chat("off", switched(false, false)).await;
    bakery.chat("on", switched(true, false)).await;
    bakery.chat("stopped", switched(true, true)).await;
    let names = async |query: &str| {
        let page = bakery.token.get(&format!("/chats?{query}")).await.expect(200);
        let chats = page["data"]["chats"].as_array().expect("chats").clone();
        chats.iter().map(|chat| chat["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("chatgpt_autoresponse_enabled=true").await, ["on"]);
    assert_eq!(names("chatgpt_autoresponse_enabled=false").await, ["off", "stopped"]);
}
