//! Files from addresses that customers give: fetched through the guard, within the limits of their types.

use entity::file;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::support::{
    Setup, TestApp,
    sender::Sender,
    upload::{Place, Shelf, pdf, png},
};

const MIB: usize = 1024 * 1024;

async fn lenient() -> TestApp {
    Setup::default().configured(|config| config.allow_private_targets = true).start().await
}

async fn files(app: &TestApp) -> (u64, usize) {
    (file::Entity::find().count(app.app.db.reader()).await.expect("a count"), app.stored_objects())
}

#[tokio::test]
async fn a_file_is_fetched_and_named() {
    let app = lenient().await;
    let (sender, shelf) = (Sender::with_credits(&app, 10).await, Shelf::start().await);
    let url = shelf.put("/pictures/Men%C3%BC.png", Place::of("image/png", png(200_000, 1)));
    let fetch = async |body: Value| sender.token.post("/files", body).await.expect(200)["data"].clone();
    let made = fetch(json!({ "download_url": format!("{url}?x=1") })).await;
    assert_eq!(
        (&made["filename"], &made["size"], &made["mimetype"]),
        (&json!("Menü.png"), &json!(200_000), &json!("image/png"))
    );
    let link = made["temporary_download_url"].as_str().expect("a link");
    let content = app.http.get(link).send().await.expect("an answer").bytes().await.expect("a body");
    assert_eq!(content, png(200_000, 1));

    let made = fetch(json!({ "download_url": url, "filename": "other.png", "content_type": "image/png" })).await;
    assert_eq!(made["filename"], "other.png");
    let vague = shelf.put("/download", Place::of("application/octet-stream", pdf(1000, 1)));
    let made = fetch(json!({ "download_url": vague })).await;
    assert_eq!((&made["filename"], &made["mimetype"]), (&json!("download"), &json!("application/pdf")));
    let bare = shelf.put("/", Place { is_declared: false, ..Place::of("application/pdf", pdf(1000, 2)) });
    assert_eq!(fetch(json!({ "download_url": bare })).await["filename"], "file.pdf");
    assert_eq!(files(&app).await, (4, 3));
}

#[tokio::test]
async fn the_same_fetch_with_a_key_is_one_file() {
    let app = lenient().await;
    let (sender, shelf) = (Sender::with_credits(&app, 10).await, Shelf::start().await);
    let url = shelf.put("/a.png", Place::of("image/png", png(1000, 1)));
    let body = json!({ "download_url": url });
    let first = sender.token.post_with_key("/files", "k", body.clone()).await.expect(200);
    shelf.put("/a.png", Place::of("image/png", png(1000, 2)));
    let again = sender.token.post_with_key("/files", "k", body).await.expect(200);
    assert_eq!(first["data"]["uid"], again["data"]["uid"]);
    let other = json!({ "download_url": url, "filename": "b.png" });
    assert_eq!(sender.token.post_with_key("/files", "k", other).await.status.as_u16(), 409);
    assert_eq!(files(&app).await, (1, 1));
}

#[tokio::test]
async fn what_cannot_be_fetched_says_why_and_leaves_nothing() {
    let app = lenient().await;
    let (sender, shelf) = (Sender::with_credits(&app, 10).await, Shelf::start().await);
    let whole = |content_type, content| Place::of(content_type, content);
    let moved = shelf.put("/moved", Place { status: 302, ..whole("image/png", png(100, 0)) });
    let broken = shelf.put("/broken", Place { status: 500, ..whole("image/png", png(100, 0)) });
    let page = shelf.put("/page.png", whole("image/png", b"<html>not a picture, whatever its name says".to_vec()));
    let other = shelf.put("/other.jpg", whole("image/jpeg", png(1000, 0)));
    let good = shelf.put("/good.png", whole("image/png", png(1000, 0)));
    let empty = shelf.put("/empty.png", whole("image/png", Vec::new()));
    let missing = format!("{good}.missing");
    let long = "x".repeat(1025);
    for (body, field) in [
        (json!({ "download_url": moved }), "download_url"),
        (json!({ "download_url": broken }), "download_url"),
        (json!({ "download_url": missing }), "download_url"),
        (json!({ "download_url": empty }), "download_url"),
        (json!({ "download_url": "http://127.0.0.1:1/a.png" }), "download_url"),
        (json!({ "download_url": "ftp://example.com/a.png" }), "download_url"),
        (json!({ "download_url": "nonsense" }), "download_url"),
        (json!({ "download_url": format!("{good}?{}", "x".repeat(5000)) }), "download_url"),
        (json!({ "url": good }), "download_url"),
        (json!({ "download_url": page }), "content_type"),
        (json!({ "download_url": other }), "content_type"),
        (json!({ "download_url": good, "content_type": "application/pdf" }), "content_type"),
        (json!({ "download_url": good, "filename": long }), "filename"),
        (json!({ "download_url": good, "content_type": long }), "content_type"),
    ] {
        let answer = sender.token.post("/files", body.clone()).await.expect(400);
        assert_eq!(answer["error_code"], "validation_error", "{body}");
        assert!(answer["message"].as_str().is_some_and(|text| text.contains(field)), "{body}: {answer}");
        assert_eq!(files(&app).await, (0, 0), "{body}");
    }
    let declared = shelf.put("/large.png", whole("image/png", png(16 * MIB + 1, 0)));
    let undeclared = shelf.put("/long.png", Place { is_declared: false, ..whole("image/png", png(17 * MIB, 0)) });
    let document =
        shelf.put("/large.pdf", Place { is_declared: false, ..whole("application/pdf", pdf(100 * MIB + 1, 0)) });
    for url in [declared, undeclared, document] {
        sender.token.post("/files", json!({ "download_url": url })).await.expect(413);
        assert_eq!(files(&app).await, (0, 0), "{url}");
    }
}

#[tokio::test]
async fn private_addresses_are_not_dialled() {
    let app = TestApp::start().await;
    let (sender, shelf) = (Sender::with_credits(&app, 10).await, Shelf::start().await);
    let url = shelf.put("/a.png", Place::of("image/png", png(1000, 1)));
    let by_name = url.replace("127.0.0.1", "localhost");
    for url in [url.as_str(), by_name.as_str(), "http://169.254.169.254/latest/meta-data", "http://[::1]/a.png"] {
        let answer = sender.token.post("/files", json!({ "download_url": url })).await.expect(400);
        assert!(answer["message"].as_str().is_some_and(|text| text.contains("not public")), "{answer}");
    }
    assert_eq!(files(&app).await, (0, 0));
}

#[tokio::test]
async fn a_place_that_does_not_answer_is_given_up() {
    let short = |config: &mut quartermaster::config::Config| {
        config.allow_private_targets = true;
        config.upload_timeout_ms = 1500;
    };
    let app = Setup::default().configured(short).start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/a.png", listener.local_addr().expect("an address"));
    let answer = sender.token.post("/files", json!({ "download_url": url })).await;
    assert!(matches!(answer.status.as_u16(), 400 | 503), "{}", answer.text);
    let gone = async {
        while files(&app).await != (0, 0) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), gone).await.expect("nothing is left");
}
