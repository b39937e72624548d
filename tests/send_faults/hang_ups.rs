//! Clients that hang up before they are answered: each message is whole or was never there.

use std::{collections::BTreeSet, time::Duration};

use entity::sandbox_message;
use futures_util::future::join_all;
use quartermaster::plan::SetPlan;
use sea_orm::EntityTrait;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    ledger::audited,
    send_faults::{TO, no_hold_outlives_its_end, texts},
    support::{
        TestApp,
        meter::until_nothing_is_held,
        sender::{Sender, unlimited},
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_clients_that_hang_up_leave_whole_messages_or_none() {
    let app = TestApp::start().await;
    let plan = SetPlan { credits_per_seat: Some(entity::credits::Credits(5000)), pacing_ms: Some(0), ..unlimited() };
    let sender = Sender::on_plan(&app, &plan).await;
    let address = app.base.strip_prefix("http://").expect("an address").to_owned();
    for chunk in 0..40u64 {
        join_all((0..50u64).map(|n| hang_up(&address, sender.token.token(), chunk * 50 + n))).await;
    }
    // The last requests may still be under way; whoever has a key finds out.
    let retry = |number: u64| {
        let body = json!({ "phone": TO, "text": format!("hung up {number}") });
        let token = &sender.token;
        async move { token.post_with_key("/messages", &format!("key-{number}"), body).await }
    };
    let mut retried = Vec::new();
    for chunk in 0..20u64 {
        retried.extend(join_all((0..50u64).map(|n| retry((chunk * 50 + n) * 2))).await);
    }
    let uids: BTreeSet<String> = retried.iter().map(|answer| answer.expect(200)["data"].to_string()).collect();
    assert_eq!(uids.len(), 1000, "a retry gets the first answer");
    let stored = texts(&app).await;
    assert!(stored.values().all(|count| *count == 1));
    for number in (0..2000).step_by(2) {
        assert!(stored.contains_key(&format!("hung up {number}")));
    }
    assert!(stored.len() > 1000, "some without a key were accepted too");
    audited(&app).await;
    // The clock stands still, so that no hold has ended by itself. Where a busy machine keeps Redis from answering,
    // fifty of three thousand requests are under way.
    until_nothing_is_held(&app, &sender, 200).await;
    no_hold_outlives_its_end(&app, &sender).await;
    app.run_jobs().await;
    let arrived = sandbox_message::Entity::find().all(app.app.db.reader()).await.expect("messages");
    assert_eq!(arrived.len(), stored.len(), "each goes out");
    assert!(arrived.iter().all(|row| row.arrivals == 1), "and once");
    audited(&app).await;
}

/// Sends a request over a socket of its own and closes that 0.2 to 4 ms later. Even ones have a key.
async fn hang_up(address: &str, token: &str, number: u64) {
    let body = json!({ "phone": TO, "text": format!("hung up {number}") }).to_string();
    let key = if number.is_multiple_of(2) { format!("Idempotency-Key: key-{number}\r\n") } else { String::new() };
    let request = format!(
        "POST /integrations/api/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{key}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    socket.write_all(request.as_bytes()).await.expect("a request");
    let socket = socket.into_std().expect("a socket");
    // On a thread, because the runtime's timer knows whole milliseconds only and its workers have other work.
    let hanging_up = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_micros(200 + number * 37 % 3800));
        drop(socket);
    });
    hanging_up.await.expect("an end");
}
