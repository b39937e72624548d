//! The process as a machine sees it: alive, ready, stopping gently.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Answer, Setup, TestApp, database::Mode};

#[tokio::test]
async fn it_is_alive_and_ready() {
    let app = TestApp::start().await;
    let get = async |path: &str| Answer::of(app.http.get(format!("{}{path}", app.base))).await;
    assert_eq!(get("/healthz").await.expect(200), json!({ "status": "ok" }));
    let redis = if Mode::current() == Mode::Clustered { "ok" } else { "not configured" };
    let ready = json!({ "status": "ok", "database": "ok", "migrations": "ok", "redis": redis });
    assert_eq!(get("/readyz").await.expect(200), ready);
}

#[tokio::test]
async fn it_is_not_ready_without_redis_but_goes_on_serving() {
    let closed =
        Setup::default().configured(|config| config.redis_url = Some("redis://127.0.0.1:1/".to_owned().into()));
    let app = closed.start().await;
    let answer = Answer::of(app.http.get(format!("{}/readyz", app.base))).await.expect(503);
    assert_eq!((&answer["redis"], &answer["database"]), (&json!("failed"), &json!("ok")));
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let owner = acme.owner(&workspace).await;
    acme.connect(&workspace, owner, "+15550001111").await;
}

#[tokio::test]
async fn a_stop_ends_streams_and_finishes_requests() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let owner = acme.owner(&workspace).await;
    let page = acme.page(&workspace, owner).await;
    let mut events = page.events().await;
    events.next().await.expect("a state");
    app.app.stop.send_replace(true);
    let end = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
    assert!(end.expect("the stream ends").is_none());
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_half_done() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    for n in 0..60u64 {
        let request = acme.request(reqwest::Method::POST, "/workspaces");
        let body = json!({ "display_name": format!("Bakery {n}"), "seats_purchased": 2 });
        let hasty = request.json(&body).timeout(Duration::from_micros(200 + n * 60)).send();
        drop(hasty.await);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let list = acme.get("/workspaces?limit=200").await.expect(200);
    for workspace in list["workspaces"].as_array().expect("workspaces") {
        assert!(workspace["owner_user_id"].is_i64() && workspace["group_id"].is_i64(), "{workspace}");
        assert_eq!(workspace["seats_available"], 1);
        let id = workspace["workspace_id"].as_str().expect("an id");
        assert_eq!(acme.overview(id).await["messages_quota"]["total"], 1000);
    }
}

/// A connection to the server that has sent this.
async fn connected(app: &TestApp, sent: &str) -> TcpStream {
    let address = app.base.strip_prefix("http://").expect("plain HTTP");
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    socket.write_all(sent.as_bytes()).await.expect("sent");
    socket
}

/// All that comes until the server hangs up.
async fn until_hung_up(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut text)).await;
    reading.expect("the server hangs up").expect("readable");
    String::from_utf8(text).expect("text")
}

#[tokio::test]
async fn connections_without_requests_are_closed() {
    let app = Setup::default().configured(|config| config.idle_timeout_ms = 300).start().await;
    assert!(!until_hung_up(&mut connected(&app, "").await).await.contains(" 200 "), "nothing was asked");
    let half = until_hung_up(&mut connected(&app, "GET /healthz HTTP/1.1\r\nHost: a\r\n").await).await;
    assert!(!half.contains(" 200 "), "{half}");
    let whole = until_hung_up(&mut connected(&app, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await).await;
    assert!(whole.starts_with("HTTP/1.1 200 "), "{whole}");
}

#[tokio::test]
async fn answers_that_take_their_time_are_not_cut_off() {
    let app = Setup::default().configured(|config| config.idle_timeout_ms = 200).start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let owner = acme.owner(&workspace).await;
    let page = acme.page(&workspace, owner).await;
    let mut events = page.events().await;
    events.next().await.expect("a state");
    let rest = tokio::time::timeout(Duration::from_secs(1), events.next()).await;
    assert!(!matches!(rest, Ok(None)), "the stream goes on");
}

#[tokio::test]
async fn a_stop_cuts_off_what_does_not_end() {
    let app = Setup::default().configured(|config| config.shutdown_grace_ms = 300).start().await;
    let head = "POST /partner/api/v1/workspaces HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{";
    let mut socket = connected(&app, head).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    app.app.stop.send_replace(true);
    assert_eq!(until_hung_up(&mut socket).await, "");
}
