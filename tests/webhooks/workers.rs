//! Workers: how they share the work, what a bad endpoint does to the others, and what their death costs.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use entity::{audit_entry, delivery, event};
use futures_util::future::join_all;
use quartermaster::{job, webhook::deliver};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::{
    faults::server,
    support::{
        Setup, TestApp,
        conversation::Conversations,
        database::{Mode, redis_url},
        free_address,
        proxy::{Loses, Proxy},
        receiver::{Receiver, Reply},
        redis::OwnRedis,
    },
    webhooks::{ROTATED, lenient, log, partner_at, start, try_out},
};

const PATIENCE: Duration = Duration::from_secs(20);

async fn live() -> TestApp {
    Setup::live().configured(lenient).start().await
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what}");
}

async fn delivered(app: &TestApp) -> u64 {
    let query = delivery::Entity::find().filter(delivery::Column::State.eq(delivery::State::Delivered));
    query.count(app.app.db.reader()).await.expect("a count")
}

#[tokio::test]
async fn a_dead_endpoint_does_not_slow_another() {
    let app = live().await;
    let (dead, healthy) = (Receiver::start().await, Receiver::start().await);
    dead.usually(Reply::Hold);
    // It would take a minute to give up.
    app.app.outbound.limit_to(Duration::from_secs(60));
    let acme = partner_at(&app, "acme", &dead).await;
    let beta = partner_at(&app, "beta", &healthy).await;
    join_all((0..40).map(|_| try_out(&acme, ROTATED))).await;
    dead.until_received(8).await;
    for _ in 0..20 {
        try_out(&beta, ROTATED).await;
    }
    healthy.until_received(20).await;
    assert_eq!((dead.received().len(), dead.most_open()), (8, 8), "the others still wait for the dead one");
    dead.release();
    until("all are delivered in the end", async || delivered(&app).await == 60).await;
    assert!(dead.most_open() <= 8);
}

#[tokio::test]
async fn no_more_requests_are_open_than_the_limit() {
    let app = live().await;
    app.app.outbound.limit_to(Duration::from_secs(60));
    let receiver = Receiver::start().await;
    receiver.usually(Reply::Hold);
    let partners = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    for id in partners {
        let partner = partner_at(&app, id, &receiver).await;
        join_all((0..10).map(|_| try_out(&partner, ROTATED))).await;
    }
    receiver.until_received(64).await;
    // Whatever is too much would come by now: the worker looks at least every second.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!((receiver.open(), receiver.received().len()), (64, 64));
    receiver.release();
    until("all are delivered in the end", async || delivered(&app).await == 100).await;
    assert_eq!(receiver.most_open(), 64);
}

#[tokio::test]
async fn an_endpoint_that_fails_is_asked_one_at_a_time() {
    let app = live().await;
    app.app.outbound.limit_to(Duration::from_secs(60));
    let receiver = Receiver::start().await;
    receiver.next([Reply::Status(500)]);
    receiver.usually(Reply::Hold);
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, ROTATED).await;
    until("it fails", async || acme.get("/webhook").await.expect(200).get("failing_since").is_some()).await;
    join_all((0..10).map(|_| try_out(&acme, ROTATED))).await;
    receiver.until_received(2).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(receiver.received().len(), 2);
    receiver.release();
    until("all are delivered in the end", async || delivered(&app).await == 11).await;
}

#[tokio::test]
async fn a_worker_that_dies_after_sending_delivers_again_with_the_same_id() {
    let app = start().await;
    let receiver = Receiver::start().await;
    receiver.next([Reply::Hold]);
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, ROTATED).await;
    let victim = {
        let app = Arc::clone(&app.app);
        tokio::spawn(async move { job::drain(&app).await })
    };
    receiver.until_received(1).await;
    victim.abort();
    assert!(victim.await.expect_err("it was stopped").is_cancelled());
    app.advance(14).await;
    assert_eq!(receiver.received().len(), 1, "its lease may still be at work");
    app.advance(2).await;
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(log(&acme, "").await[0]["state"], "delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_try_whose_commit_was_not_answered_is_written_down_once() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = start().await;
    let receiver = Receiver::start().await;
    receiver.next([Reply::Status(500)]);
    let acme = Conversations::start(&app, "acme", "+15550001111").await;
    let body = json!({ "event_type": "message:received:new", "url": receiver.url() });
    let subscription = acme.token.post("/webhooks", body).await.expect(200)["data"]["id"].clone();
    let url = app.app.config.database_url.expose_secret();
    let wire = Proxy::to(url).await;
    let replica = app.replica_at_configured(&wire.url(url), None, lenient).await;
    let body = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "hello" });
    acme.partner.post("/sandbox/inbound", body).await.expect(200);
    wire.break_at(&["INSERT INTO \"delivery_attempts\"", "COMMIT"], Loses::Answer);
    assert_eq!(deliver::run_due(&replica.app).await.expect("a round"), 1);
    assert!(!wire.is_set(), "the commit was not answered");
    let path = format!("/webhooks/{subscription}");
    assert_eq!(acme.token.get(&path).await.expect(200)["data"]["errors_counter"], 1);
    let told = acme.token.get(&format!("{path}/deliveries")).await.expect(200)["data"]["deliveries"][0].clone();
    assert_eq!((&told["state"], told["attempts"].as_array().map(Vec::len)), (&json!("pending"), Some(1)));
}

#[tokio::test]
async fn what_was_committed_before_a_death_is_delivered_by_whoever_comes_next() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    let workspace = acme.workspace("Bakery", 2).await;
    acme.post_empty(&format!("/workspaces/{workspace}/api-token")).await.expect(201);
    let next = app.replica_configured(lenient).await;
    drop(app);
    next.run_jobs().await;
    assert_eq!(receiver.types(), [ROTATED]);
}

#[tokio::test]
async fn two_replicas_deliver_each_event_once() {
    let first = live().await;
    let second = first.replica_configured(lenient).await;
    let working = tokio::spawn(job::work(Arc::clone(&second.app), second.app.stop.subscribe()));
    let receiver = Receiver::start().await;
    let acme = partner_at(&first, "acme", &receiver).await;
    let beta = partner_at(&first, "beta", &receiver).await;
    for _ in 0..10 {
        join_all((0..10).flat_map(|_| [try_out(&acme, ROTATED), try_out(&beta, ROTATED)])).await;
    }
    until("all are delivered", async || delivered(&first).await == 200).await;
    let ids: BTreeSet<String> = receiver.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!((ids.len(), receiver.received().len()), (200, 200));
    second.app.stop.send_replace(true);
    working.await.expect("it stops");
}

#[tokio::test]
async fn a_worker_that_stops_ends_what_is_open_and_gives_back_the_rest_untried() {
    let app = Setup::real_time().configured(lenient).start().await;
    app.app.outbound.limit_to(Duration::from_secs(60));
    let receiver = Receiver::start().await;
    receiver.usually(Reply::Hold);
    // Each gets its eight at once, but for the last one, whose eight wait for the others.
    for id in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
        let partner = partner_at(&app, id, &receiver).await;
        join_all((0..8).map(|_| try_out(&partner, ROTATED))).await;
    }
    let stop = tokio::sync::watch::Sender::new(false);
    let worker = tokio::spawn(deliver::run(Arc::clone(&app.app), stop.subscribe()));
    receiver.until_received(64).await;
    let db = app.app.db.reader();
    let leased = async || {
        let leased = delivery::Entity::find().filter(delivery::Column::Lease.is_not_null());
        leased.count(db).await.expect("a count")
    };
    assert_eq!(leased().await, 72);
    stop.send_replace(true);
    until("what waits is given back", async || leased().await == 64).await;
    let untried = delivery::Entity::find().filter(delivery::Column::Lease.is_null()).all(db).await.expect("deliveries");
    let now = app.clock.now();
    assert!(untried.iter().all(|one| one.tries == 0 && one.due_at.is_some_and(|due_at| due_at <= now)));
    receiver.release();
    worker.await.expect("it stops");
    assert_eq!((receiver.received().len(), delivered(&app).await, leased().await), (64, 64, 0));
}

#[tokio::test]
async fn no_transaction_is_open_while_an_endpoint_answers() {
    let app = start().await;
    let receiver = Receiver::start().await;
    receiver.usually(Reply::Hold);
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, ROTATED).await;
    let delivering = async {
        app.run_jobs().await;
    };
    let writing = async {
        receiver.until_received(1).await;
        // Would wait for the writer of the embedded store, or show in the list of the other.
        acme.workspace("Bakery", 2).await;
        if Mode::current() == Mode::Clustered {
            let idle = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
            let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, idle);
            let open = sea_orm::ConnectionTrait::query_all_raw(app.app.db.reader(), statement).await.expect("a list");
            assert_eq!(open.len(), 0);
        }
        assert_eq!(receiver.open(), 1);
        receiver.release();
    };
    tokio::join!(delivering, writing);
    assert_eq!(delivered(&app).await, 1);
}

#[tokio::test]
async fn deliveries_go_on_without_redis() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = Setup::real_time().configured(lenient).start().await;
    let wire = Proxy::to(&redis_url()).await;
    let url = app.app.config.database_url.expose_secret().to_owned();
    let deaf = app.replica_at_configured(&url, Some(&wire.url(&redis_url())), lenient).await;
    tokio::spawn(job::work(Arc::clone(&deaf.app), deaf.app.stop.subscribe()));
    wire.cut();
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, ROTATED).await;
    receiver.until_received(1).await;
    wire.mend();
    try_out(&acme, ROTATED).await;
    receiver.until_received(2).await;
}

#[tokio::test]
async fn deliveries_go_on_after_redis_has_lost_everything() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let app = Setup::real_time().configured(lenient).start().await;
    let redis = OwnRedis::start().await;
    let url = app.app.config.database_url.expose_secret().to_owned();
    let replica = app.replica_at_configured(&url, Some(&redis.url()), lenient).await;
    tokio::spawn(job::work(Arc::clone(&replica.app), replica.app.stop.subscribe()));
    let receiver = Receiver::start().await;
    receiver.next([Reply::Hold, Reply::Hold]);
    let acme = partner_at(&replica, "acme", &receiver).await;
    for number in 0..40 {
        try_out(&acme, ROTATED).await;
        if number % 10 == 5 {
            for words in [&["FLUSHALL"][..], &["SCRIPT", "FLUSH"]] {
                redis.command(words).await.expect("an answer");
            }
        }
    }
    receiver.until_received(40).await;
    receiver.release();
    until("all are delivered", async || delivered(&app).await == 40).await;
    let ids: BTreeSet<String> = receiver.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!((ids.len(), receiver.received().len()), (40, 40));
}

#[tokio::test]
async fn an_endpoint_that_fails_repeats_nothing_at_another() {
    let app = start().await;
    let (failing, healthy) = (Receiver::start().await, Receiver::start().await);
    failing.usually(Reply::Status(500));
    let acme = Conversations::start(&app, "acme", "+15550001111").await;
    for receiver in [&failing, &healthy] {
        let body = json!({ "event_type": "message:received:new", "url": receiver.url() });
        acme.token.post("/webhooks", body).await.expect(200);
    }
    let body = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "hello" });
    acme.partner.post("/sandbox/inbound", body).await.expect(200);
    let stored = event::Entity::find().filter(event::Column::Kind.eq("message:received:new"));
    assert_eq!(stored.count(app.app.db.reader()).await.expect("a count"), 1, "one event for both");
    app.run_jobs().await;
    for _ in 0..12 {
        app.advance(3600).await;
    }
    let tries = failing.received();
    assert_eq!(tries.len(), 3);
    assert!(tries.iter().all(|one| one.body == healthy.only().body));
}

/// The address is dialled itself, whatever proxy the machine's own programs use.
#[tokio::test]
async fn no_proxy_of_the_environment_hears_of_an_event() {
    let app = Setup::real_time().configured(lenient).start().await;
    let (receiver, proxy) = (Receiver::start().await, Receiver::start().await);
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, ROTATED).await;
    let mut server = server(&app, &free_address().to_string());
    for variable in ["HTTP_PROXY", "ALL_PROXY"] {
        server.env(variable, proxy.url()).env(variable.to_lowercase(), proxy.url());
    }
    let mut server = server.env_remove("NO_PROXY").env_remove("no_proxy").spawn().expect("the binary");
    until("it is delivered", async || delivered(&app).await == 1).await;
    server.kill().expect("a kill");
    server.wait().expect("an end");
    assert_eq!((receiver.received().len(), proxy.received().len()), (1, 0));
}

#[tokio::test]
async fn a_caller_that_hangs_up_loses_no_event() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    let workspace = acme.workspace("Bakery", 2).await;
    let path = format!("/partner/api/v1/workspaces/{workspace}/api-token");
    for _ in 0..30 {
        let mut connection = tokio::net::TcpStream::connect(app.app.config.listen).await.expect("a connection");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nX-TL-Partner-Id: acme\r\nAuthorization: Bearer {}\r\n\
             Content-Length: 0\r\n\r\n",
            acme.jwt()
        );
        connection.write_all(head.as_bytes()).await.expect("sent");
    }
    acme.post_empty(&format!("/workspaces/{workspace}/api-token")).await.expect(201);
    let db = app.app.db.reader();
    let rotations = audit_entry::Entity::find().filter(audit_entry::Column::Action.eq("token.rotate"));
    let events = event::Entity::find().filter(event::Column::Kind.eq(ROTATED));
    until("each rotation has its event", async || {
        let counts = tokio::try_join!(
            rotations.clone().count(db),
            events.clone().count(db),
            delivery::Entity::find().count(db),
        );
        let (rotations, events, deliveries) = counts.expect("counts");
        rotations > 0 && rotations == events && events == deliveries
    })
    .await;
    app.run_jobs().await;
    let told = receiver.received().len();
    assert_eq!(u64::try_from(told).expect("a count"), events.count(db).await.expect("a count"));
}
