//! Two processes on the same state: what one changes, the other knows.

use std::{collections::HashSet, time::Duration};

use entity::{id::PartnerId, partner::Status};
use futures_util::StreamExt;
use quartermaster::{caller::Origin, clock::Clock, partner::admin};
use serde_json::json;

use crate::support::{START, Setup, TestApp, database::Mode, sender::Sender};

#[tokio::test]
async fn a_page_on_another_replica_sees_the_events() {
    let first = TestApp::start().await;
    let second = first.replica().await;
    let acme = first.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let owner = acme.owner(&workspace).await;
    let page = acme.page(&workspace, owner).await;
    let mut events = page.at(&second.base).events().await;
    assert_eq!(events.next().await.expect("a state").state(), "ready");
    let code = page.start().await.code();
    let scanned = async {
        acme.scan(&code, "+15550001111").await.expect(200);
    };
    let seen = async {
        loop {
            let shown = events.next().await.expect("a state");
            if shown.state() == "connected" {
                return;
            }
        }
    };
    let both = async { tokio::join!(scanned, seen) };
    tokio::time::timeout(Duration::from_secs(10), both).await.expect("the other replica's page is told");
}

#[tokio::test]
async fn a_rotated_token_is_refused_at_once_and_soon_on_every_replica() {
    let first = Setup::real_time().start().await;
    let second = first.replica().await;
    let acme = first.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let path = format!("/workspaces/{workspace}/api-token");
    let mut current = acme.get(&path).await.expect(200)["token"].as_str().expect("a token").to_owned();
    // Without Redis the other replica looks once a second.
    let rounds = if Mode::current() == Mode::Embedded { 2 } else { 10 };
    for _ in 0..rounds {
        second.token(&current).get("/workspace").await.expect(200);
        let next = acme.post_empty(&path).await.expect(201)["token"].as_str().expect("a token").to_owned();
        first.token(&current).get("/workspace").await.expect(401);
        second.token(&current).until_refused().await;
        second.token(&next).get("/workspace").await.expect(200);
        current = next;
    }
}

#[tokio::test]
async fn who_is_kept_out_is_refused_elsewhere_by_the_signal_alone() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let first = TestApp::start().await;
    // By its clock whatever changes now is long known, so that looking at the database brings it no news.
    let second = first.replica_by(Clock::manual(START.plus_seconds(3600))).await;
    let acme = first.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let path = format!("/workspaces/{workspace}/api-token");
    let mut current = acme.get(&path).await.expect(200)["token"].as_str().expect("a token").to_owned();
    first.until_heard_by(&second).await;
    for _ in 0..3 {
        second.token(&current).get("/workspace").await.expect(200);
        let next = acme.post_empty(&path).await.expect(201)["token"].as_str().expect("a token").to_owned();
        second.token(&current).until_refused().await;
        current = next;
    }
    second.token(&current).get("/workspace").await.expect(200);
    let id = PartnerId::parse("acme").expect("an id");
    admin::set_status(&first.app, &Origin::operator(), &id, Status::Disabled).await.expect("a partner");
    second.token(&current).until_refused_with(403).await;
}

#[tokio::test]
async fn one_replica_goes_on_where_another_stopped() {
    let first = TestApp::start().await;
    let acme = first.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let owner = acme.owner(&workspace).await;
    let page = acme.page(&workspace, owner).await;
    let code = page.start().await.code();
    let second = first.replica().await;
    drop(first);
    let page = page.at(&second.base);
    assert_eq!(page.now().await.code(), code);
    second.advance(20).await;
    let next = page.now().await;
    assert_eq!(next.0["qr"]["seq"], 2);
    acme.at(&second.base).scan(&next.code(), "+15550001111").await.expect(200);
    assert_eq!(page.now().await.state(), "connected");
}

#[tokio::test]
async fn workers_of_two_replicas_do_not_get_in_each_others_way() {
    let first = TestApp::start().await;
    let second = first.replica().await;
    let acme = first.partner("acme").await;
    let workspace = acme.workspace("Bakery", 9).await;
    let mut pages = Vec::new();
    for user in acme.users(&workspace, 8).await {
        let page = acme.page(&workspace, user).await;
        page.start().await;
        pages.push(page);
    }
    first.clock.advance(Duration::from_secs(20));
    tokio::join!(first.run_jobs(), second.run_jobs());
    for page in pages {
        assert_eq!(page.now().await.0["qr"]["seq"], 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_at_once_on_two_replicas_sends_once() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 100).await;
    let other = app.replica().await;
    let tokens = [sender.token.clone(), sender.token.at(&other.base)];
    for key in ["one", "two", "three"] {
        let body = json!({ "phone": "+15550002222", "text": key });
        let sending = (0..20).map(|n| tokens[n % 2].post_with_key("/messages", key, body.clone()));
        let answers = futures_util::future::join_all(sending).await;
        let uids: HashSet<String> = answers.iter().map(|answer| answer.expect(200)["data"].to_string()).collect();
        assert_eq!(uids.len(), 1, "{key}");
    }
    assert_eq!(sender.token.credits().await, (3, 100));
}
