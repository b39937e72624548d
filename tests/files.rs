//! Files of a workspace: uploaded, listed, read through links, deleted, forgotten.

use entity::{blob, blob_stray, file, id::FileId, message};
use quartermaster::{db, file::purge};
use reqwest::Method;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, PaginatorTrait, Set};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::{
    Answer, TestApp,
    sender::Sender,
    upload::{self, Form, ogg, pdf, png},
};

const MIB: usize = 1024 * 1024;
const DAY: u64 = 24 * 3600;

/// Files, contents, objects that belong to nothing, and objects in the storage.
async fn traces(app: &TestApp) -> (u64, u64, u64, usize) {
    let db = app.app.db.reader();
    let files = file::Entity::find().count(db).await.expect("a count");
    let blobs = blob::Entity::find().count(db).await.expect("a count");
    let strays = blob_stray::Entity::find().count(db).await.expect("a count");
    (files, blobs, strays, app.stored_objects())
}

async fn sweep(app: &TestApp) -> u64 {
    purge::sweep(&app.app).await.expect("a sweep")
}

async fn read(app: &TestApp, url: &Value) -> Answer {
    Answer::of(app.http.get(url.as_str().expect("an address"))).await
}

#[tokio::test]
async fn a_file_is_stored_listed_read_and_deleted() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let content = png(3000, 1);
    let form = Form::new().file("Menü.png", "image/png", &content);
    let made = sender.token.form("/files_upload", form).await.expect(200)["data"].clone();
    let owner = &sender.partner.overview(&sender.workspace).await["users"][0]["email"];
    assert_eq!(
        (&made["filename"], &made["size"], &made["mimetype"]),
        (&json!("Menü.png"), &json!(3000), &json!("image/png"))
    );
    assert_eq!((&made["uploaded_by_email"], &made["uploaded_at"]), (owner, &json!("2026-09-10 08:00:00 +0000")));
    let uid = made["uid"].as_str().expect("a uid");
    let shown = sender.token.get(&format!("/files/{uid}")).await.expect(200)["data"].clone();
    assert_eq!(shown["uid"], made["uid"]);

    let link = shown["temporary_download_url"].as_str().expect("a link");
    let answer = app.http.get(link).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
    assert_eq!((header("content-type"), header("content-length")), ("image/png".to_owned(), "3000".to_owned()));
    let name = "attachment; filename=\"Men_.png\"; filename*=UTF-8''Men%C3%BC.png";
    assert_eq!(header("content-disposition"), name);
    assert_eq!(
        (header("x-content-type-options"), header("referrer-policy")),
        ("nosniff".to_owned(), "no-referrer".to_owned())
    );
    assert_eq!(header("cache-control"), "private, no-store");
    assert_eq!(answer.bytes().await.expect("a body"), content);

    sender.token.picture("Prices.PNG", &png(2000, 2)).await;
    let list = async |filter: &str| {
        let listed = sender.token.get(&format!("/files{filter}")).await.expect(200)["data"].clone();
        let names =
            listed.as_array().expect("files").iter().map(|file| file["filename"].as_str().expect("a name").to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(list("").await, ["Prices.PNG", "Menü.png"]);
    assert_eq!(list("?filename=prices").await, ["Prices.PNG"]);
    assert_eq!(list("?filename=MEN%C3%9C").await, ["Menü.png"]);
    assert_eq!(list("?filename=%25").await, [""; 0]);
    assert!(sender.token.get("/files").await.expect(200)["data"][0].get("temporary_download_url").is_none());

    assert_eq!(traces(&app).await, (2, 2, 0, 2));
    assert_eq!(sender.token.delete(&format!("/files/{uid}")).await.status.as_u16(), 200);
    assert_eq!(sender.token.delete(&format!("/files/{uid}")).await.expect(404)["error_code"], "not_found");
    sender.token.get(&format!("/files/{uid}")).await.expect(404);
    sender.token.get("/files/nonsense").await.expect(404);
    assert_eq!(app.http.get(link).send().await.expect("an answer").status().as_u16(), 404);
    assert_eq!((list("").await, traces(&app).await), (vec!["Prices.PNG".to_owned()], (1, 1, 0, 1)));
}

#[tokio::test]
async fn files_are_listed_in_pages_of_a_thousand() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let first = sender.token.picture("first.png", &png(100, 1)).await;
    let stored = file::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("the file");
    let more = (0..1000).map(|number| file::ActiveModel {
        id: Set(FileId(app.clock.uuid())),
        filename: Set(format!("{number}.png")),
        filename_folded: Set(format!("{number}.png")),
        ..stored.clone().into_active_model().reset_all()
    });
    let more: Vec<_> = more.collect();
    let inserted = db::write(&app.app.db, "test", async |tx| {
        for rows in more.chunks(100) {
            file::Entity::insert_many(rows.to_vec()).exec_without_returning(tx).await?;
        }
        Ok(())
    });
    inserted.await.expect("files");
    let list = async |query: &str| sender.token.get(&format!("/files{query}")).await.expect(200)["data"].clone();
    let newest = list("").await;
    assert_eq!((newest.as_array().map(Vec::len), &newest[0]["filename"]), (Some(1000), &json!("999.png")));
    assert_eq!(list("?page=1").await, newest);
    assert_eq!(list("?page=").await, newest);
    let last = list("?page=2").await;
    assert_eq!((last.as_array().map(Vec::len), &last[0]["filename"]), (Some(1), &json!("first.png")), "{first:?}");
    assert_eq!(list("?page=2&filename=PNG").await, last);
    assert_eq!(list("?filename=999").await.as_array().map(Vec::len), Some(1));
    assert_eq!((list("?page=3").await, list("?page=2&filename=9.png").await), (json!([]), json!([])));
    for bad in ["0", "x", "-1"] {
        let error = sender.token.get(&format!("/files?page={bad}")).await.expect(400);
        assert_eq!(error["errors"][0]["fields"], json!(["page"]), "{bad}");
    }
}

#[tokio::test]
async fn what_the_form_says_counts_more_than_its_part() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let word = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old office".as_slice();
    let form = Form::new()
        .field("unknown", "ignored")
        .file("blob", "application/octet-stream", word)
        .field("filename", "../Offer.doc")
        .field("content_type", "application/msword");
    let made = sender.token.form("/files_upload", form).await.expect(200)["data"].clone();
    assert_eq!((&made["filename"], &made["mimetype"]), (&json!("Offer.doc"), &json!("application/msword")));
    let form = Form::new().field("filename", "song").file("", "audio/mp3", b"ID3\x04 and so on");
    let made = sender.token.form("/files_upload", form).await.expect(200)["data"].clone();
    assert_eq!((&made["filename"], &made["mimetype"]), (&json!("song"), &json!("audio/mpeg")));
}

#[tokio::test]
async fn a_damaged_file_is_told_from_one_of_another_type() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    for (content_type, field, is_damaged) in [
        ("image/png", None, true),
        ("image/JPG; x=1", None, true),
        ("application/octet-stream", None, false),
        ("text/plain", None, false),
        ("text/plain", Some("image/png"), true),
    ] {
        let form = field.into_iter().fold(Form::new(), |form, said| form.field("content_type", said));
        let form = form.file("a.png", content_type, b"\x89PMG\r\n\x1a\n and so on");
        let refused = sender.token.form("/files_upload", form).await.expect(400);
        assert_eq!(refused["errors"][0]["fields"], json!(["content_type"]));
        let reason = refused["errors"][0]["msg"].as_str().expect("a reason");
        assert_eq!(
            (reason.contains("damaged"), reason.starts_with("files are jpg")),
            (is_damaged, !is_damaged),
            "{content_type} {field:?}: {reason}"
        );
    }
}

#[tokio::test]
async fn what_is_no_file_of_ours_is_refused_and_leaves_nothing() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let file = |name: &str, content_type: &str, content: &[u8]| Form::new().file(name, content_type, content);
    let long = "x".repeat(1025);
    let forms: Vec<(&str, &str, Form)> = vec![
        ("wrong type", "content_type", file("a.exe", "application/octet-stream", b"MZ\x90\0")),
        ("disguised", "content_type", file("a.png", "image/png", b"<html><script>alert(1)</script>")),
        ("one as another", "content_type", file("a.jpg", "image/jpeg", &png(100, 0))),
        ("one as another, long", "content_type", file("a.pdf", "application/pdf", &png(MIB, 0))),
        (
            "a zip",
            "content_type",
            file("a.docx", "application/zip", b"PK\x03\x04 whatever there may be in this archive"),
        ),
        (
            "claimed afterwards",
            "content_type",
            file("a.png", "image/png", &png(100, 0)).field("content_type", "video/mp4"),
        ),
        ("which of two", "content_type", file("table", "", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old office")),
        ("empty", "file", file("a.png", "image/png", b"")),
        ("missing", "file", Form::new().field("filename", "a.png")),
        ("two", "file", file("a.png", "image/png", &png(100, 0)).file("b.png", "image/png", &png(100, 1))),
        ("long name", "filename", file("a.png", "image/png", &png(100, 0)).field("filename", &long)),
        ("long type", "content_type", file("a.png", "image/png", &png(100, 0)).field("content_type", &long)),
        (
            "endless name",
            "filename",
            Form::new().field("filename", &"x".repeat(9000)).file("a", "image/png", &png(100, 0)),
        ),
    ];
    for (what, field, form) in forms {
        let answer = sender.token.form("/files_upload", form).await;
        let body = answer.expect(400);
        assert_eq!(
            (&body["error_code"], &body["errors"][0]["fields"][0]),
            (&json!("validation_error"), &json!(field)),
            "{what}: {body}"
        );
        assert_eq!(traces(&app).await, (0, 0, 0, 0), "{what}");
    }
    sender.token.post("/files_upload", json!({ "file": "x" })).await.expect(400);
    let cut = sender.token.request(Method::POST, "/files_upload").header("Content-Type", upload::content_type());
    let cut = cut.body(upload::file_head("a.png", "image/png"));
    assert_eq!(Answer::of(cut).await.expect(400)["error_code"], "validation_error");
    assert_eq!(traces(&app).await, (0, 0, 0, 0));
}

#[tokio::test]
async fn each_type_has_its_limit() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let form = Form::new().file("a.png", "image/png", &png(16 * MIB, 0));
    sender.token.form("/files_upload", form).await.expect(200);
    let form = Form::new().file("a.png", "image/png", &png(16 * MIB + 1, 0));
    assert_eq!(sender.token.form("/files_upload", form).await.expect(413)["error_code"], "validation_error");
    let form = Form::new().file("a.pdf", "application/pdf", &pdf(16 * MIB + 1, 0));
    sender.token.form("/files_upload", form).await.expect(200);
    assert_eq!(traces(&app).await, (2, 2, 0, 2));
    // Its length is declared: nothing is read.
    let address = app.base.strip_prefix("http://").expect("an address");
    let mut connection = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let head = format!(
        "POST /integrations/api/files_upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\n\
         Content-Length: {}\r\n\r\n",
        sender.token.token(),
        upload::content_type(),
        101 * MIB
    );
    connection.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut connection, &mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
    // Its length is not declared: it is read up to the limit.
    let head = upload::file_head("a.pdf", "application/pdf");
    let chunks = (0..101).map(|n| Ok::<_, std::io::Error>(if n == 0 { pdf(MIB, 0) } else { vec![0; MIB] }));
    let chunks = futures_util::stream::iter([Ok(head)].into_iter().chain(chunks));
    let endless = sender.token.request(Method::POST, "/files_upload").header("Content-Type", upload::content_type());
    Answer::of(endless.body(reqwest::Body::wrap_stream(chunks))).await.expect(413);
    assert_eq!(traces(&app).await, (2, 2, 0, 2));
}

#[tokio::test]
async fn equal_contents_are_stored_once_in_each_workspace() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let other = Sender::of(&app, app.partner("other").await, "Other", "+15550009999").await;
    let content = png(1000, 7);
    let first = sender.token.picture("one.png", &content).await;
    let second = sender.token.picture("two.png", &content).await;
    assert_ne!(first, second);
    assert_eq!(traces(&app).await, (2, 1, 0, 1));
    let third = other.token.picture("three.png", &content).await;
    assert_eq!(traces(&app).await, (3, 2, 0, 2));
    assert_eq!(sender.token.get(&format!("/files/{third}")).await.expect(404)["error_code"], "not_found");
    sender.token.delete(&format!("/files/{third}")).await.expect(404);
    sender.token.delete(&format!("/files/{first}")).await;
    assert_eq!(traces(&app).await, (2, 2, 0, 2));
    let shown = sender.token.get(&format!("/files/{second}")).await.expect(200);
    assert_eq!(read(&app, &shown["data"]["temporary_download_url"]).await.status.as_u16(), 200);
    sender.token.delete(&format!("/files/{second}")).await;
    assert_eq!(traces(&app).await, (1, 1, 0, 1));
    let again = sender.token.picture("again.png", &content).await;
    assert_eq!(traces(&app).await, (2, 2, 0, 2));
    sender.token.get(&format!("/files/{again}")).await.expect(200);
}

#[tokio::test]
async fn equal_contents_that_come_and_go_at_once_are_neither_lost_nor_left() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let token = &sender.token;
    let cycles = (0..6).map(|n| async move {
        for round in 0..4 {
            let uid = token.picture(&format!("{n}-{round}.png"), &png(1000, 7)).await;
            let shown = token.get(&format!("/files/{uid}")).await.expect(200);
            let link = shown["data"]["temporary_download_url"].as_str().expect("a link").to_owned();
            let answer = Answer::of(reqwest::Client::builder().no_proxy().build().expect("a client").get(link)).await;
            assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
            assert_eq!(token.delete(&format!("/files/{uid}")).await.status.as_u16(), 200);
        }
    });
    futures_util::future::join_all(cycles).await;
    sweep(&app).await;
    assert_eq!(traces(&app).await, (0, 0, 0, 0));
}

#[tokio::test]
async fn the_same_upload_with_a_key_is_one_file() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let form = |salt| Form::new().file("a.png", "image/png", &png(1000, salt));
    let first = sender.token.form_with_key("/files_upload", "k", form(1)).await.expect(200);
    let again = sender.token.form_with_key("/files_upload", "k", form(1)).await.expect(200);
    assert_eq!(first["data"]["uid"], again["data"]["uid"]);
    let other = sender.token.form_with_key("/files_upload", "k", form(2)).await;
    assert_eq!(other.status.as_u16(), 409, "{}", other.text);
    assert_eq!(traces(&app).await, (1, 1, 0, 1));
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let address = app.base.strip_prefix("http://").expect("an address");
    let mut connection = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let head = format!(
        "POST /integrations/api/files_upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\n\
         Content-Length: 1000000\r\n\r\n",
        sender.token.token(),
        upload::content_type()
    );
    connection.write_all(head.as_bytes()).await.expect("sent");
    connection.write_all(&upload::file_head("a.png", "image/png")).await.expect("sent");
    connection.write_all(&png(200_000, 1)).await.expect("sent");
    let until = async |objects: usize| {
        let waiting = async {
            while app.stored_objects() != objects || (objects == 0 && traces(&app).await.2 > 0) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await.expect("the storage follows");
    };
    until(1).await;
    assert_eq!(traces(&app).await, (0, 0, 1, 1));
    drop(connection);
    until(0).await;
    assert_eq!(traces(&app).await, (0, 0, 0, 0));
}

#[tokio::test]
async fn what_a_crash_has_left_is_swept() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    sender.token.picture("kept.png", &png(1000, 1)).await;
    let object = app.app.config.data_dir.join("files/1/half");
    std::fs::create_dir_all(object.parent().expect("a folder")).expect("a folder");
    std::fs::write(&object, "half of it").expect("an object");
    let due_at = app.clock.now().plus_seconds(2 * 3600);
    let stray =
        blob_stray::ActiveModel { object_key: Set("1/half".to_owned()), upload_id: Set(None), due_at: Set(due_at) };
    quartermaster::db::write(&app.app.db, "test", async |tx| Ok(stray.insert(tx).await?)).await.expect("a stray");
    sweep(&app).await;
    assert!(object.exists(), "it may be an upload that is under way");
    app.clock.advance(std::time::Duration::from_secs(2 * 3600));
    sweep(&app).await;
    assert!(!object.exists());
    assert_eq!(traces(&app).await, (1, 1, 0, 1));
}

#[tokio::test]
async fn links_run_out_and_cannot_be_changed() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let uid = sender.token.picture("a.png", &png(1000, 1)).await;
    let other = sender.token.picture("b.png", &png(1000, 2)).await;
    let shown = sender.token.get(&format!("/files/{uid}")).await.expect(200);
    let link = shown["data"]["temporary_download_url"].as_str().expect("a link").to_owned();
    let (start, ticket) = link.rsplit_once('/').expect("a ticket");
    let (expires, signature) = ticket.split_once('-').expect("a signature");
    let later: i64 = expires.parse::<i64>().expect("seconds") + 1;
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    for forged in [
        link.replace(&uid, &other),
        format!("{start}/{later}-{signature}"),
        format!("{start}/{expires}-{flipped}{}", &signature[1..]),
        format!("{start}/{expires}-"),
        format!("{start}/{expires}"),
        format!("{start}/x"),
        format!("{}/files/download/x/{ticket}", app.base),
    ] {
        let answer = read(&app, &json!(forged)).await;
        assert_eq!(answer.expect(404)["code"], "download_link_invalid", "{forged}");
    }
    app.clock.advance(std::time::Duration::from_secs(15 * 60));
    assert_eq!(read(&app, &json!(link)).await.status.as_u16(), 200);
    app.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(read(&app, &json!(link)).await.expect(410)["code"], "download_link_expired");
    let fresh = sender.token.get(&format!("/files/{uid}")).await.expect(200);
    assert_eq!(read(&app, &fresh["data"]["temporary_download_url"]).await.status.as_u16(), 200);
}

#[tokio::test]
async fn files_go_when_they_have_been_kept_long_enough() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    sender.token.picture("unused.png", &png(1000, 1)).await;
    let used = sender.token.picture("used.png", &png(1000, 2)).await;
    let sent = json!({ "phone": "+15550002222", "file_uid": used });
    let uid = sender.token.post("/messages", sent).await.expect(200)["data"]["message_uid"].clone();
    app.advance(90 * DAY - 3).await;
    assert_eq!((sweep(&app).await, traces(&app).await), (0, (2, 2, 0, 2)));
    let again = json!({ "phone": "+15550002222", "file_uid": used });
    sender.token.post("/messages", again).await.expect(200);
    app.advance(10).await;
    assert_eq!((sweep(&app).await, traces(&app).await), (1, (1, 1, 0, 1)), "the other was sent just now");
    app.advance(90 * DAY).await;
    assert_eq!((sweep(&app).await, traces(&app).await), (1, (0, 0, 0, 0)));
    let shown =
        sender.token.get(&format!("/messages/{}", uid.as_str().expect("a uid"))).await.expect(200)["data"].clone();
    assert_eq!((&shown["has_attachment"], &shown["attachment_url"]), (&json!(true), &json!(null)));
}

#[tokio::test]
async fn no_file_goes_while_a_message_waits_with_it() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let uid = sender.token.picture("a.png", &png(1000, 1)).await;
    sender.token.post("/messages", json!({ "phone": "+15550002222", "file_uid": uid })).await.expect(200);
    app.clock.advance(std::time::Duration::from_secs(91 * DAY));
    assert_eq!((sweep(&app).await, traces(&app).await), (0, (1, 1, 0, 1)));
    let waiting = message::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a message");
    assert_eq!(waiting.status, message::Status::Queued);
}

#[tokio::test]
async fn files_can_be_kept_for_ever() {
    let app = crate::support::Setup::default().configured(|config| config.file_retention_days = 0).start().await;
    let sender = Sender::with_credits(&app, 10).await;
    sender.token.picture("a.png", &png(1000, 1)).await;
    app.clock.advance(std::time::Duration::from_secs(4000 * DAY));
    assert_eq!((sweep(&app).await, traces(&app).await), (0, (1, 1, 0, 1)));
}

#[tokio::test]
async fn tokens_need_a_scope_for_files() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let uid = sender.token.picture("a.png", &png(1000, 1)).await;
    let make = async |scopes: &str| {
        let command = quartermaster::token::admin::CreateToken {
            partner_id: entity::id::PartnerId::parse("acme").expect("an id"),
            workspace: sender.workspace.clone(),
            name: scopes.to_owned(),
            scopes: quartermaster::token::Scopes::parse(scopes).expect("scopes"),
            user_id: None,
        };
        let made =
            quartermaster::token::admin::create(&app.app, &quartermaster::caller::Origin::operator(), &command).await;
        app.token(secrecy::ExposeSecret::expose_secret(&made.expect("a token").token))
    };
    let reader = make("files:read").await;
    reader.get("/files").await.expect(200);
    reader.get(&format!("/files/{uid}")).await.expect(200);
    assert_eq!(reader.delete(&format!("/files/{uid}")).await.expect(403)["error_code"], "insufficient_scope");
    let form = Form::new().file("a.png", "image/png", &png(1000, 2));
    assert_eq!(reader.form("/files_upload", form).await.expect(403)["error_code"], "insufficient_scope");
    let stranger = make("messages:write").await;
    assert_eq!(stranger.get("/files").await.expect(403)["error_code"], "insufficient_scope");
    let voice = Form::new().file("a.ogg", "audio/ogg", &ogg());
    assert_eq!(reader.form("/chats/1/voice_message", voice).await.expect(403)["error_code"], "insufficient_scope");
}
