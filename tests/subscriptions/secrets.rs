//! Signatures and numbers: only where they are asked for, checked by the library that receivers use.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    subscriptions::{RECEIVED, conversations, delete, lenient, put, start, subscribe, subscribe_with, write},
    support::{
        Answer, Setup,
        receiver::{Received, Receiver},
        tools::python,
    },
};

/// What a receiver does with `webhook-signature`, with the library of Standard Webhooks.
const VERIFY: &str = "
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
told = json.loads(sys.argv[1])
try:
    Webhook(told['key']).verify(told['body'], told['headers'])
    print('verified')
except WebhookVerificationError:
    print('refused')
";

fn verdict(told: &Received, secret: &Value, body: &str) -> String {
    python(VERIFY, &[&json!({ "key": secret, "headers": told.headers, "body": body }).to_string()])
}

#[tokio::test]
async fn a_signed_webhook_is_verified_by_the_library() {
    let app = Setup::real_time().configured(lenient).start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    let made = subscribe_with(&acme.token, RECEIVED, &receiver.url(), json!({ "signed": true })).await;
    assert_eq!(made["signed"], true);
    let path = format!("/webhooks/{}", made["id"]);
    assert!(acme.token.get(&path).await.expect(200)["data"].get("secret").is_none(), "shown once");
    write(&acme, "hello").await;
    app.run_jobs().await;
    let told = receiver.only();
    assert_eq!(verdict(&told, &made["secret"], &told.body), "verified");
    assert_eq!(verdict(&told, &made["secret"], &told.body.replace("hello", "other")), "refused");
    assert_eq!(told.header("webhook-sequence"), "");
    let other = acme.token.post(&format!("{path}/secret"), json!({})).await.expect(200)["data"]["secret"].clone();
    assert_eq!(verdict(&told, &other, &told.body), "refused");
    receiver.forget();
    write(&acme, "hello").await;
    app.run_jobs().await;
    let told = receiver.only();
    for secret in [&made["secret"], &other] {
        assert_eq!(verdict(&told, secret, &told.body), "verified", "both, for a day");
    }
}

#[tokio::test]
async fn a_secret_is_replaced_with_an_overlap_and_taken_away() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    let made = subscribe(&acme.token, RECEIVED, &receiver.url()).await;
    let path = format!("/webhooks/{}", made["id"]);
    let signatures = async || {
        receiver.forget();
        write(&acme, "hello").await;
        app.run_jobs().await;
        receiver.only().header("webhook-signature").split(' ').filter(|part| !part.is_empty()).count()
    };
    assert_eq!(signatures().await, 0);
    let signed = put(&acme.token, &path, json!({ "signed": true })).await.expect(200)["data"].clone();
    assert!(signed["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{signed}");
    assert_eq!(signatures().await, 1);
    let same = put(&acme.token, &path, json!({ "signed": true })).await.expect(200)["data"].clone();
    assert_eq!((&same["signed"], same.get("secret")), (&json!(true), None), "it has one");
    let rotate = async |key: &str| {
        let request = acme.token.request(Method::POST, &format!("{path}/secret")).header("Idempotency-Key", key);
        Answer::of(request).await.expect(200)["data"]["secret"].clone()
    };
    let first = rotate("a").await;
    assert_eq!(rotate("a").await, first);
    assert_ne!(first, signed["secret"]);
    assert_eq!(signatures().await, 2);
    assert_ne!(rotate("b").await, first);
    assert_eq!(signatures().await, 2, "at most two sign");
    app.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(signatures().await, 1);
    put(&acme.token, &path, json!({ "signed": false })).await.expect(200);
    assert_eq!(signatures().await, 0);
    rotate("c").await;
    assert_eq!(signatures().await, 1, "a secret for one that had none");
    delete(&acme.token, &path).await.expect(200);
    let restored = subscribe(&acme.token, RECEIVED, &receiver.url()).await;
    assert_eq!(restored.get("signed"), None, "secrets go with a deleted webhook");
    assert_eq!(signatures().await, 0);
}

#[tokio::test]
async fn numbers_have_no_gaps_and_follow_the_order_of_things() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    let options = json!({ "numbered": true });
    let made = subscribe_with(&acme.token, "message:new", &receiver.url(), options.clone()).await;
    assert_eq!(made["numbered"], true);
    subscribe_with(&acme.token, "message:sent:new", &receiver.url(), options).await;
    let acme = &acme;
    join_all((0..20).map(|number| async move {
        if number % 2 == 0 {
            write(acme, "in").await;
        } else {
            acme.token.send("+15557770000", "out").await.expect(200);
        }
    }))
    .await;
    app.advance(1).await;
    let numbers = |event_type: &str| {
        let of_type = |one: &&Received| one.json()["event_type"] == event_type;
        let received = receiver.received();
        let number = |one: &Received| one.header("webhook-sequence").parse::<i64>().expect("a number");
        let mut numbers: Vec<i64> = received.iter().filter(of_type).map(number).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(numbers("message:new"), (1..=20).collect::<Vec<i64>>());
    assert_eq!(numbers("message:sent:new"), (1..=10).collect::<Vec<i64>>());
    receiver.forget();
    acme.token.send("+15557770000", "first").await.expect(200);
    acme.token.send("+15557770000", "second").await.expect(200);
    app.advance(1).await;
    let mut told: Vec<(String, String)> = receiver
        .received()
        .iter()
        .filter(|one| one.json()["event_type"] == "message:new")
        .map(|one| (one.header("webhook-sequence").to_owned(), one.json()["message"]["text"].to_string()))
        .collect();
    told.sort();
    assert_eq!(told, [("21".to_owned(), "\"first\"".to_owned()), ("22".to_owned(), "\"second\"".to_owned())]);
}
