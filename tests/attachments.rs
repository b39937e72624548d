//! Messages with files: what they cost, how they are sent, what is shown of them.

use entity::{
    file,
    id::MessageId,
    message::{self, Status},
    sandbox_message,
};
use quartermaster::file::purge;
use sea_orm::{EntityTrait, PaginatorTrait, QueryOrder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    ledger::audited,
    support::{
        Answer, TestApp,
        sender::{PHONE, Sender},
        upload::{Form, ogg, pdf, png},
    },
};

const TO: &str = "+15550002222";
/// Not on the network: what is sent there fails.
const NOBODY: &str = "+15550000404";

fn uid(answer: &Value) -> MessageId {
    answer["data"]["message_uid"].as_str().expect("a uid").parse().expect("a uuid")
}

/// A chat to send to; its number. Costs one credit.
async fn chat(sender: &Sender) -> i64 {
    sender.token.send(TO, "hello").await.expect(200);
    sender.token.get("/chats").await.expect(200)["data"]["chats"][0]["id"].as_i64().expect("a number")
}

async fn files(app: &TestApp) -> u64 {
    file::Entity::find().count(app.app.db.reader()).await.expect("a count")
}

/// What the phone of the recipient shows of a message.
async fn phone(app: &TestApp, id: MessageId) -> (Option<String>, Value) {
    let given =
        sandbox_message::Entity::find_by_id(id).one(app.app.db.reader()).await.expect("a look").expect("it came");
    let attachment = given.attachment.map_or(json!(null), |text| serde_json::from_str(&text).expect("JSON"));
    (given.text, attachment)
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_text_costs_one_a_file_costs_one_both_cost_two() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 20).await;
    let file = sender.token.picture("a.png", &png(1000, 1)).await;
    let mut used = 0;
    for (body, cost) in [
        (json!({ "text": "x" }), 1),
        (json!({ "file_uid": file }), 1),
        (json!({ "file_uid": file, "text": "" }), 1),
        (json!({ "file_uid": file, "text": " " }), 1),
        (json!({ "file_uid": file, "text": "x" }), 2),
    ] {
        for to in [TO, NOBODY] {
            let mut body = body.clone();
            body["phone"] = json!(to);
            let id = uid(&sender.token.post("/messages", body.clone()).await.expect(200));
            assert_eq!(sender.token.credits().await.0, used + cost, "{body}");
            app.run_jobs().await;
            while app.message(id).await.status == Status::Queued {
                app.advance(5).await;
            }
            let is_failed = app.message(id).await.status == Status::Failed;
            assert_eq!(is_failed, to == NOBODY, "{body}");
            if is_failed {
                assert_eq!(app.entries(id).await, [-cost, cost], "{body}");
            } else {
                used += cost;
            }
            assert_eq!(sender.token.credits().await.0, used, "{body}");
        }
    }
    audited(&app).await;
}

#[tokio::test]
async fn both_need_two_credits() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 3).await;
    let file = sender.token.picture("a.png", &png(1000, 1)).await;
    let both = json!({ "phone": TO, "file_uid": file, "text": "x" });
    sender.token.post("/messages", both.clone()).await.expect(200);
    assert_eq!(sender.token.post("/messages", both).await.expect(403)["error_code"], "quota_exceeded");
    sender.token.post("/messages", json!({ "phone": TO, "file_uid": file })).await.expect(200);
    assert_eq!(sender.token.credits().await, (3, 3));
    audited(&app).await;
}

#[tokio::test]
async fn only_files_of_the_workspace_can_be_sent() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let chat = chat(&sender).await;
    let other = Sender::of(&app, app.partner("other").await, "Other", "+15550009999").await;
    let foreign = other.token.picture("a.png", &png(1000, 1)).await;
    let deleted = sender.token.picture("a.png", &png(1000, 1)).await;
    sender.token.delete(&format!("/files/{deleted}")).await;
    let unknown = app.clock.uuid().to_string();
    for file in [foreign.as_str(), &deleted, &unknown, "nonsense"] {
        for (path, mut body) in [
            ("/messages".to_owned(), json!({ "phone": TO })),
            ("/messages/to_jid".to_owned(), json!({ "jid": "15550002222@s.whatsapp.net" })),
            (format!("/chats/{chat}/messages"), json!({ "text": "x" })),
        ] {
            body["file_uid"] = json!(file);
            let answer = sender.token.post(&path, body).await.expect(404);
            assert_eq!(answer["error_code"], "not_found");
            assert_eq!(answer["message"], format!("File uid \"{file}\" not found"));
        }
    }
    sender.token.post("/messages", json!({ "phone": TO, "file_uid": "" })).await.expect(400);
    assert_eq!(sender.token.credits().await.0, 1);
    audited(&app).await;
}

#[tokio::test]
async fn what_is_sent_arrives_and_is_shown_everywhere() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let content = png(100_000, 3);
    let file = sender.token.picture("Menü.png", &content).await;
    let id = uid(&sender
        .token
        .post("/messages", json!({ "phone": TO, "file_uid": file, "text": "look" }))
        .await
        .expect(200));
    app.run_jobs().await;
    let shown = json!({
        "filename": "Menü.png", "content_type": "image/png", "kind": "media", "size": 100_000, "sha256": hex(&content),
    });
    assert_eq!(phone(&app, id).await, (Some("look".to_owned()), shown));
    let chat = app.message(id).await.chat_id;
    let one = sender.token.get(&format!("/messages/{id}")).await.expect(200)["data"].clone();
    let listed = sender.token.get(&format!("/chats/{chat}/messages")).await.expect(200)["data"]["messages"][0].clone();
    let last = sender.token.get("/chats?with_msg=true").await.expect(200)["data"]["chats"][0]["last_message"].clone();
    for view in [one, listed, last] {
        assert_eq!(
            (&view["has_attachment"], &view["attachment_filename"], &view["text"]),
            (&json!(true), &json!("Menü.png"), &json!("look"))
        );
        let link = view["attachment_url"].as_str().expect("a link");
        let read = app.http.get(link).send().await.expect("an answer").bytes().await.expect("a body");
        assert_eq!(read, content);
    }
    let plain = uid(&sender.token.send(TO, "plain").await.expect(200));
    let plain = sender.token.get(&format!("/messages/{plain}")).await.expect(200)["data"].clone();
    let nothing = (&json!(false), &json!(null), &json!(null));
    assert_eq!((&plain["has_attachment"], &plain["attachment_url"], &plain["attachment_filename"]), nothing);
    let alone = uid(&sender.token.post("/messages", json!({ "phone": TO, "file_uid": file })).await.expect(200));
    assert_eq!(sender.token.get(&format!("/messages/{alone}")).await.expect(200)["data"]["text"], json!(null));
}

#[tokio::test]
async fn a_deleted_file_stays_with_its_messages() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let file = sender.token.picture("a.png", &png(1000, 1)).await;
    let body = json!({ "phone": TO, "file_uid": file });
    let id = uid(&sender.token.post("/messages", body.clone()).await.expect(200));
    assert_eq!(sender.token.delete(&format!("/files/{file}")).await.status.as_u16(), 200);
    sender.token.delete(&format!("/files/{file}")).await.expect(404);
    sender.token.get(&format!("/files/{file}")).await.expect(404);
    assert_eq!(sender.token.get("/files").await.expect(200)["data"], json!([]));
    sender.token.post("/messages", body).await.expect(404);
    app.run_jobs().await;
    assert_eq!(app.message(id).await.status, Status::Sent);
    assert_eq!(phone(&app, id).await.1["filename"], "a.png");
    let view = sender.token.get(&format!("/messages/{id}")).await.expect(200)["data"].clone();
    let link = view["attachment_url"].as_str().expect("a link");
    assert_eq!(app.http.get(link).send().await.expect("an answer").status().as_u16(), 200);
    app.clock.advance(std::time::Duration::from_secs(91 * 24 * 3600));
    assert_eq!(purge::sweep(&app.app).await.expect("a sweep"), 1);
    assert_eq!((files(&app).await, app.stored_objects()), (0, 0));
}

#[tokio::test]
async fn a_file_can_come_with_its_message() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let chat = chat(&sender).await;
    let path = format!("/chats/{chat}/file_message");
    let picture = png(5000, 1);
    let form = Form::new().field("caption", "the menu").file("menu.png", "image/png", &picture);
    let id = uid(&sender.token.form(&path, form).await.expect(200));
    assert_eq!(sender.token.credits().await.0, 3, "two with a caption");
    let alone = Form::new()
        .file("x", "", &pdf(5000, 1))
        .field("filename", "terms.pdf")
        .field("content_type", "application/pdf");
    let second = uid(&sender.token.form(&path, alone).await.expect(200));
    assert_eq!(sender.token.credits().await.0, 4, "one without");
    app.run_jobs().await;
    while app.message(second).await.status == Status::Queued {
        app.advance(5).await;
    }
    let shown = json!({
        "filename": "menu.png", "content_type": "image/png", "kind": "document", "size": 5000, "sha256": hex(&picture),
    });
    assert_eq!(phone(&app, id).await, (Some("the menu".to_owned()), shown));
    let (text, shown) = phone(&app, second).await;
    assert_eq!((text, &shown["filename"], &shown["kind"]), (None, &json!("terms.pdf"), &json!("document")));
    // They are files of the workspace like others, and stay.
    app.advance(3 * 3600).await;
    purge::sweep(&app.app).await.expect("a sweep");
    assert_eq!(sender.token.get("/files").await.expect(200)["data"].as_array().map(Vec::len), Some(2));
    audited(&app).await;
}

#[tokio::test]
async fn something_spoken_is_a_voice_message() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let chat = chat(&sender).await;
    let path = format!("/chats/{chat}/voice_message");
    let id = uid(&sender.token.form(&path, Form::new().file("a.oga", "audio/oga", &ogg())).await.expect(200));
    let mp3 = Form::new().file("a.mp3", "audio/mpeg", b"ID3\x04 spoken").field("caption", "not shown");
    let second = uid(&sender.token.form(&path, mp3).await.expect(200));
    assert_eq!(sender.token.credits().await.0, 3);
    app.run_jobs().await;
    while app.message(second).await.status == Status::Queued {
        app.advance(5).await;
    }
    assert_eq!(phone(&app, id).await.1["kind"], "voice");
    assert_eq!(
        (phone(&app, second).await.0, &phone(&app, second).await.1["content_type"]),
        (None, &json!("audio/mpeg"))
    );
    let aac = Form::new().file("a.aac", "audio/aac", b"\xff\xf1\x50\x80 spoken");
    let refused = sender.token.form(&path, aac).await.expect(400);
    assert_eq!(refused["errors"][0]["fields"][0], "file");
    assert_eq!((files(&app).await, app.stored_objects()), (2, 2));
}

#[tokio::test]
async fn the_same_file_message_with_a_key_is_one_message() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let chat = chat(&sender).await;
    let path = format!("/chats/{chat}/file_message");
    let form = |salt| Form::new().field("caption", "hello").file("a.png", "image/png", &png(1000, salt));
    let first = sender.token.form_with_key(&path, "k", form(1)).await.expect(200);
    let again = sender.token.form_with_key(&path, "k", form(1)).await.expect(200);
    assert_eq!(uid(&first), uid(&again));
    assert_eq!(sender.token.form_with_key(&path, "k", form(2)).await.status.as_u16(), 409);
    assert_eq!((files(&app).await, app.stored_objects(), sender.token.credits().await.0), (1, 1, 3));
}

#[tokio::test]
async fn a_refused_file_message_leaves_nothing() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 2).await;
    let chat = chat(&sender).await;
    let other = Sender::of(&app, app.partner("other").await, "Other", "+15550009999").await;
    let form = || Form::new().field("caption", "hello").file("a.png", "image/png", &png(1000, 1));
    let path = format!("/chats/{chat}/file_message");
    assert_eq!(other.token.form(&path, form()).await.expect(404)["error_code"], "not_found");
    sender.token.form("/chats/x/file_message", form()).await.expect(404);
    assert_eq!(sender.token.form(&path, form()).await.expect(403)["error_code"], "quota_exceeded");
    let long = Form::new().field("caption", &"x".repeat(2001)).file("a.png", "image/png", &png(1000, 1));
    assert_eq!(sender.token.form(&path, long).await.expect(400)["errors"][0]["fields"][0], "caption");
    let large = Form::new().file("a.png", "image/png", &png(16 * 1024 * 1024 + 1, 1));
    sender.token.form(&path, large).await.expect(413);
    sender.partner.post("/sandbox/logout", json!({ "phone": PHONE })).await.expect(200);
    let alone = Form::new().file("a.png", "image/png", &png(1000, 1));
    assert_eq!(sender.token.form(&path, alone).await.expect(409)["error_code"], "account_inactive");
    assert_eq!((files(&app).await, app.stored_objects(), sender.token.credits().await.0), (0, 0, 1));
    audited(&app).await;
}

#[tokio::test]
async fn each_call_with_a_file_counts_once() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let chat = chat(&sender).await;
    let calls = async || {
        let quotas = sender.token.get("/workspace/quotas").await.expect(200);
        quotas["data"]["api_calls_quota"]["used"].as_i64().expect("a count")
    };
    let before = calls().await;
    let form = || Form::new().file("a.png", "image/png", &png(1000, 1));
    sender.token.form("/files_upload", form()).await.expect(200);
    assert_eq!(calls().await, before + 2);
    sender.token.form(&format!("/chats/{chat}/file_message"), form()).await.expect(200);
    assert_eq!(calls().await, before + 4);
    sender.token.form(&format!("/chats/{chat}/voice_message"), form()).await.expect(400);
    assert_eq!(calls().await, before + 6);
    sender.token.form("/chats/99/voice_message", form()).await.expect(404);
    assert_eq!(calls().await, before + 8);
}

#[tokio::test]
async fn a_file_from_outside_becomes_one_of_the_workspace() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let content = png(5000, 9);
    let attachment =
        json!({ "filename": "order.png", "content_type": "image/png", "data": BASE64_STANDARD.encode(&content) });
    let body = json!({ "phone": PHONE, "from": TO, "attachment": attachment });
    let first = sender.partner.post_with_key("/sandbox/inbound", "k", body.clone()).await.expect(200);
    let again = sender.partner.post_with_key("/sandbox/inbound", "k", body).await.expect(200);
    assert_eq!(first, again);
    let uid = first["message_uids"][0].as_str().expect("a uid");
    let view = sender.token.get(&format!("/messages/{uid}")).await.expect(200)["data"].clone();
    assert_eq!(
        (&view["text"], &view["from_me"], &view["attachment_filename"]),
        (&json!(null), &json!(false), &json!("order.png"))
    );
    let link = view["attachment_url"].as_str().expect("a link");
    assert_eq!(Answer::of(app.http.get(link)).await.status.as_u16(), 200);
    let listed = sender.token.get("/files").await.expect(200)["data"].clone();
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!((&listed[0]["uploaded_by_email"], &listed[0]["size"]), (&json!("(removed)"), &json!(5000)));
    app.advance(3 * 3600).await;
    purge::sweep(&app.app).await.expect("a sweep");
    let both = json!({ "phone": PHONE, "from": TO, "text": "here", "attachment": attachment });
    sender.partner.post("/sandbox/inbound", both).await.expect(200);
    let messages =
        message::Entity::find().order_by_asc(message::Column::Id).all(app.app.db.reader()).await.expect("messages");
    assert_eq!(messages.iter().map(|message| message.text.as_deref()).collect::<Vec<_>>(), [None, Some("here")]);
    assert!(messages.iter().all(|message| message.file_id.is_some()));
    assert_eq!((files(&app).await, app.stored_objects()), (2, 1));
    for (attachment, field) in [
        (json!({ "filename": "a.png", "data": "%" }), "data"),
        (json!({ "filename": "", "data": "" }), "filename"),
        (json!({ "filename": "a.png", "data": "" }), "file"),
    ] {
        let body = json!({ "phone": PHONE, "from": TO, "attachment": attachment });
        let refused = sender.partner.post("/sandbox/inbound", body).await.expect_error(400, "invalid_request");
        assert!(refused["description"].as_str().is_some_and(|text| text.contains(field)), "{refused}");
    }
    let nothing = json!({ "phone": PHONE, "from": TO });
    sender.partner.post("/sandbox/inbound", nothing).await.expect_error(400, "invalid_request");
    assert_eq!((files(&app).await, app.stored_objects()), (2, 1));
    // Customers send what they like; a workspace uploads what is listed.
    for (number, (filename, content_type, text, expected)) in [
        ("prices.csv", Some("text/csv"), Some("Our prices"), "text/csv"),
        ("a.png", None, None, "application/octet-stream"),
        ("page.html", Some("text/html"), None, "text/html"),
    ]
    .into_iter()
    .enumerate()
    {
        let data = BASE64_STANDARD.encode(format!("MZ, a program {number}"));
        let attachment = json!({ "filename": filename, "content_type": content_type, "data": data });
        let body = json!({ "phone": PHONE, "from": TO, "text": text, "attachment": attachment });
        let uids = sender.partner.post("/sandbox/inbound", body).await.expect(200)["message_uids"].clone();
        let path = format!("/messages/{}", uids[0].as_str().expect("a uid"));
        let view = sender.token.get(&path).await.expect(200)["data"].clone();
        assert_eq!((&view["text"], &view["attachment_filename"]), (&json!(text), &json!(filename)));
        let link = app.http.get(view["attachment_url"].as_str().expect("a link")).send().await.expect("the file");
        let header = |name: &str| link.headers()[name].to_str().expect("a text").to_owned();
        assert_eq!((header("content-type").as_str(), header("x-content-type-options").as_str()), (expected, "nosniff"));
        assert!(header("content-disposition").starts_with("attachment"));
    }
    let form = Form::new().file("prices.csv", "text/csv", b"name;price\n");
    let refused = sender.token.form("/files_upload", form).await.expect(400);
    assert_eq!(refused["errors"][0]["fields"][0], "content_type", "{refused}");
}
