//! What follows from answers: retries by the table, endings, and what the endpoint's owner sees of it.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use quartermaster::{
    caller::Origin,
    webhook::{admin, retry::PAUSES_SECONDS},
};
use serde_json::{Value, json};

use crate::{
    support::{
        TestApp,
        receiver::{Received, Receiver, Reply},
    },
    webhooks::{ROTATED, log, partner_at, set, start, try_out},
};

fn claims(told: &Received) -> Value {
    let payload = told.header("x-tl-signature").split('.').nth(1).expect("a payload").to_owned();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("claims")
}

fn now(app: &TestApp) -> i64 {
    app.clock.now().0 / 1_000_000
}

async fn advance(app: &TestApp, millis: i64) {
    app.clock.advance(Duration::from_millis(u64::try_from(millis).expect("forward")));
    app.run_jobs().await;
}

#[tokio::test]
async fn tries_follow_the_table_signed_anew_and_end_after_three_days() {
    let app = start().await;
    let receiver = Receiver::start().await;
    receiver.usually(Reply::Status(503));
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, ROTATED).await;
    app.run_jobs().await;
    for (tried, seconds) in PAUSES_SECONDS.into_iter().enumerate() {
        assert_eq!(receiver.received().len(), tried + 1);
        advance(&app, seconds * 800 - 1).await;
        assert_eq!(receiver.received().len(), tried + 1, "sooner than the table allows");
        advance(&app, seconds * 400 + 1).await;
        let received = receiver.received();
        assert_eq!(received.len(), tried + 2, "later than the table allows");
        let (first, last) = (&received[0], &received[tried + 1]);
        assert_eq!((first.header("webhook-id"), &first.body), (last.header("webhook-id"), &last.body));
        assert_eq!(last.header("webhook-timestamp"), now(&app).to_string());
        assert_eq!((&claims(last)["nbf"], &claims(last)["exp"]), (&json!(now(&app) - 180), &json!(now(&app) + 180)));
        assert_ne!(first.header("webhook-signature"), last.header("webhook-signature"));
    }
    let ended = &log(&acme, "").await[0];
    assert_eq!((&ended["state"], ended.get("next_attempt_at")), (&json!("dead"), None));
    let attempts = ended["attempts"].as_array().expect("tries");
    assert_eq!(attempts.len(), 12);
    assert!(attempts.iter().all(|attempt| attempt["status"] == 503));
    advance(&app, 30 * 24 * 3_600_000).await;
    assert_eq!(receiver.received().len(), 12);
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    for asked in ["600", "Thu, 10 Sep 2026 08:10:00 GMT"] {
        let app = start().await;
        let receiver = Receiver::start().await;
        receiver.next([Reply::With(429, "Retry-After", asked.to_owned())]);
        let acme = partner_at(&app, "acme", &receiver).await;
        try_out(&acme, ROTATED).await;
        app.run_jobs().await;
        app.advance(599).await;
        assert_eq!(receiver.received().len(), 1, "{asked}");
        app.advance(1).await;
        assert_eq!(receiver.received().len(), 2, "{asked}");
        assert_eq!(log(&acme, "").await[0]["state"], "delivered");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_says_why() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    receiver.next([Reply::Status(500), Reply::Status(410)]);
    let waiting = try_out(&acme, ROTATED).await["delivery_id"].clone();
    app.run_jobs().await;
    let gone = try_out(&acme, "workspace:seats_full").await["delivery_id"].clone();
    app.run_jobs().await;
    let webhook = acme.get("/webhook").await.expect(200);
    assert_eq!(
        (&webhook["enabled"], &webhook["disabled_reason"]),
        (&json!(false), &json!("the endpoint answered 410 Gone"))
    );
    app.advance(10).await;
    assert_eq!(receiver.received().len(), 2, "nothing more is sent there");
    let ended = log(&acme, "?state=dead").await;
    assert_eq!((&ended[0]["delivery_id"], &ended[0]["attempts"][0]["status"]), (&gone, &json!(410)));
    assert_eq!(ended[1]["delivery_id"], waiting);
    assert_eq!(ended[1]["attempts"][1]["error"], "the webhook is disabled: the endpoint answered 410 Gone");
    let workspace = acme.workspace("Bakery", 1).await;
    acme.post_empty(&format!("/workspaces/{workspace}/api-token")).await.expect(201);
    app.run_jobs().await;
    assert_eq!(log(&acme, "?state=pending").await.len(), 0, "what happens meanwhile is not queued");
    let meanwhile = log(&acme, &format!("?event_type={ROTATED}&state=dead")).await[0].clone();
    let why = json!("the webhook is disabled: the endpoint answered 410 Gone");
    assert_eq!((&meanwhile["attempts"][0]["error"], &meanwhile["attempts"][0].get("status")), (&why, &None));
    assert!(meanwhile["finished_at"].is_string() && meanwhile.get("next_attempt_at").is_none());
    let again = format!("/webhook/deliveries/{}/resend", meanwhile["delivery_id"].as_str().expect("an id"));
    acme.post_empty(&again).await.expect_error(409, "webhook_disabled");
    let webhook = set(&acme, &receiver.url()).await;
    assert_eq!((&webhook["enabled"], webhook.get("disabled_reason")), (&json!(true), None));
    acme.post_empty(&again).await.expect(201);
    app.run_jobs().await;
    assert_eq!(receiver.received().len(), 3);
    let told = receiver.received().remove(2);
    assert_eq!(
        json!(told.header("webhook-id")),
        meanwhile["event_id"],
        "what happened meanwhile is sent once it is asked for"
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let app = start().await;
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    receiver.next([Reply::With(307, "Location", elsewhere.url())]);
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, ROTATED).await;
    app.run_jobs().await;
    assert!(elsewhere.received().is_empty());
    let tried = log(&acme, "").await[0].clone();
    assert_eq!(tried["state"], "pending");
    assert_eq!(tried["attempts"][0]["error"], "redirects are not followed");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_or_never_comes_is_a_failure() {
    let app = start().await;
    let receiver = Receiver::start().await;
    receiver.next([Reply::Hold]);
    app.app.outbound.limit_to(Duration::from_millis(100));
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, ROTATED).await;
    app.run_jobs().await;
    let tried = log(&acme, "").await[0].clone();
    assert_eq!((&tried["state"], tried["attempts"][0].get("status")), (&json!("pending"), None));
    assert_eq!(tried["attempts"][0]["error"], "no answer within 100 ms");
    app.app.outbound.limit_to(Duration::from_secs(5));
    set(&acme, &format!("http://{}/", crate::support::free_address())).await;
    app.advance(10).await;
    let error = log(&acme, "").await[0]["attempts"][1]["error"].clone();
    assert!(error.as_str().is_some_and(|error| error.starts_with("no connection: ")), "{error}");
    set(&acme, &receiver.url()).await;
    app.advance(60).await;
    assert_eq!(log(&acme, "").await[0]["state"], "delivered", "a new address gets what is still to be made");
}

#[tokio::test]
async fn failing_since_is_said_until_a_delivery_succeeds() {
    let app = start().await;
    let receiver = Receiver::start().await;
    receiver.next([Reply::Status(500), Reply::Status(500)]);
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, ROTATED).await;
    let failing = async || acme.get("/webhook").await.expect(200).get("failing_since").cloned();
    assert_eq!(failing().await, None);
    app.run_jobs().await;
    assert_eq!(failing().await, Some(json!("2026-09-10T08:00:00Z")));
    app.advance(10).await;
    assert_eq!(failing().await, Some(json!("2026-09-10T08:00:00Z")), "it is the first failure that counts");
    assert_eq!(set(&acme, &receiver.url()).await["failing_since"], "2026-09-10T08:00:00Z", "the same address");
    app.advance(60).await;
    assert_eq!(receiver.received().len(), 3);
    assert_eq!(failing().await, None);
}

#[tokio::test]
async fn deliveries_of_a_removed_endpoint_end_and_do_not_loop() {
    let app = start().await;
    let receiver = Receiver::start().await;
    receiver.next([Reply::Status(500)]);
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, ROTATED).await;
    app.run_jobs().await;
    let id = entity::id::PartnerId::parse("acme").expect("an id");
    admin::remove(&app.app, &Origin::operator(), &id).await.expect("a removal");
    app.advance(10).await;
    let ended = log(&acme, "").await[0].clone();
    assert_eq!((&ended["state"], ended["attempts"].as_array().map(Vec::len)), (&json!("dead"), Some(2)));
    assert_eq!(ended["attempts"][1]["error"], "no webhook is set");
    app.advance(30 * 24 * 3600).await;
    assert_eq!(log(&acme, "").await[0], ended);
    assert_eq!(receiver.received().len(), 1);
}
