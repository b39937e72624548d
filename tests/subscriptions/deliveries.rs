//! Delivering: three tries, what they count, the log, sending again, and what ends it.

use entity::{delivery, delivery_attempt, event};
use reqwest::Method;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use crate::{
    subscriptions::{RECEIVED, conversations, delete, hook, log, put, refused, start, subscribe, write},
    support::{
        Answer, TokenClient,
        conversation::Conversations,
        receiver::{Receiver, Reply},
    },
};

async fn errors(token: &TokenClient, path: &str) -> Value {
    token.get(path).await.expect(200)["data"]["errors_counter"].clone()
}

#[tokio::test]
async fn an_event_is_tried_three_times_and_failures_are_counted_until_one_succeeds() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    let path = hook(&acme.token, RECEIVED, &receiver).await;
    receiver.usually(Reply::Status(500));
    write(&acme, "hello").await;
    app.run_jobs().await;
    for (wait, tries) in [(23, 1), (14, 2), (239, 2), (122, 3), (100_000, 3)] {
        app.advance(wait).await;
        assert_eq!((receiver.received().len(), errors(&acme.token, &path).await), (tries, json!(tries)), "{wait}");
    }
    let dead = log(&acme.token, &path).await.pop().expect("a delivery");
    assert_eq!(dead["state"], "dead");
    let statuses: Vec<&Value> = dead["attempts"].as_array().expect("tries").iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, [&json!(500); 3]);
    assert!(acme.token.get(&path).await.expect(200)["data"]["enabled"] == true, "never switched off");
    receiver.next([Reply::Status(410), Reply::Status(302)]);
    receiver.usually(Reply::Status(204));
    write(&acme, "again").await;
    app.run_jobs().await;
    assert_eq!(errors(&acme.token, &path).await, 4, "410 is a failure like others here");
    app.advance(37).await;
    assert_eq!(errors(&acme.token, &path).await, 5);
    app.advance(361).await;
    assert_eq!(errors(&acme.token, &path).await, 0, "the third try succeeded");
    let newest = log(&acme.token, &path).await[0].clone();
    assert_eq!((&newest["state"], newest["attempts"].as_array().map(Vec::len)), (&json!("delivered"), Some(3)));
    assert_eq!(newest["attempts"][1]["error"], "redirects are not followed");
    let bodies: Vec<String> = receiver.received()[3..].iter().map(|one| one.body.clone()).collect();
    assert!(bodies.iter().all(|body| *body == newest["body"]), "byte by byte");
}

#[tokio::test]
async fn a_receiver_that_did_not_ask_gets_no_headers_of_ours() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    hook(&acme.token, RECEIVED, &receiver).await;
    write(&acme, "hello").await;
    app.run_jobs().await;
    let received = receiver.only();
    assert_eq!(received.header("content-type"), "application/json");
    let ours = |name: &&String| name.starts_with("webhook-") || name.starts_with("x-tl");
    assert_eq!(received.headers.keys().filter(ours).count(), 0, "{received:?}");
}

#[tokio::test]
async fn another_address_begins_counting_anew() {
    let app = start().await;
    let acme = conversations(&app).await;
    let (dead, healthy) = (Receiver::start().await, Receiver::start().await);
    dead.usually(Reply::Status(500));
    let path = hook(&acme.token, RECEIVED, &dead).await;
    write(&acme, "hello").await;
    app.run_jobs().await;
    assert_eq!(errors(&acme.token, &path).await, 1);
    put(&acme.token, &path, json!({ "url": healthy.url() })).await.expect(200);
    assert_eq!(errors(&acme.token, &path).await, 0);
    app.advance(37).await;
    assert_eq!((dead.received().len(), healthy.received().len()), (1, 1), "the second try goes there");
}

#[tokio::test]
async fn what_waits_when_a_webhook_is_switched_off_ends_and_says_why() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    receiver.usually(Reply::Status(500));
    let path = hook(&acme.token, RECEIVED, &receiver).await;
    write(&acme, "hello").await;
    app.run_jobs().await;
    put(&acme.token, &path, json!({ "enabled": false })).await.expect(200);
    app.advance(37).await;
    assert_eq!(receiver.received().len(), 1);
    let ended = log(&acme.token, &path).await[0].clone();
    assert_eq!((&ended["state"], &ended["attempts"][1]["error"]), (&json!("dead"), &json!("the webhook is disabled")));
    assert_eq!(errors(&acme.token, &path).await, 1, "that was no failure of the receiver");
    write(&acme, "unheard").await;
    assert_eq!(log(&acme.token, &path).await.len(), 1, "nothing is stored for nobody");
    let resend = format!("{path}/deliveries/{}/resend", ended["delivery_id"].as_str().expect("an id"));
    let body = refused(&acme.token.post(&resend, json!({})).await, 409, "validation_error");
    assert_eq!(body["message"], "the webhook is disabled: it was switched off");
}

#[tokio::test]
async fn deleting_ends_deliveries_at_once() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    receiver.next([Reply::Status(500)]);
    let path = hook(&acme.token, RECEIVED, &receiver).await;
    write(&acme, "hello").await;
    app.run_jobs().await;
    write(&acme, "untold").await;
    delete(&acme.token, &path).await.expect(200);
    app.advance(37).await;
    app.advance(400).await;
    assert_eq!(receiver.received().len(), 1);
    subscribe(&acme.token, RECEIVED, &receiver.url()).await;
    let states: Vec<Value> = log(&acme.token, &path).await.iter().map(|one| one["state"].clone()).collect();
    assert_eq!(states, [json!("dead"), json!("dead")], "what was given up stays so");
    write(&acme, "welcome back").await;
    app.run_jobs().await;
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn an_event_is_sent_again_with_its_number_and_its_bytes() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    let options = json!({ "numbered": true });
    let made = crate::subscriptions::subscribe_with(&acme.token, RECEIVED, &receiver.url(), options).await;
    let path = format!("/webhooks/{}", made["id"]);
    write(&acme, "one").await;
    write(&acme, "two").await;
    app.run_jobs().await;
    let list = log(&acme.token, &path).await;
    let numbers: Vec<&Value> = list.iter().map(|one| &one["sequence"]).collect();
    assert_eq!(numbers, [&json!(2), &json!(1)], "newest first");
    receiver.forget();
    let resend = format!("{path}/deliveries/{}/resend", list[1]["delivery_id"].as_str().expect("an id"));
    let again = acme.token.post_with_key(&resend, "k", json!({})).await.expect(200);
    assert_eq!(acme.token.post_with_key(&resend, "k", json!({})).await.expect(200), again);
    assert_eq!((&again["data"]["event_id"], &again["data"]["sequence"]), (&list[1]["event_id"], &json!(1)));
    app.run_jobs().await;
    let received = receiver.only();
    assert_eq!((received.header("webhook-sequence"), &json!(received.body)), ("1", &list[1]["body"]));
    assert_eq!(json!(received.header("webhook-id")), list[1]["event_id"]);
    for unknown in ["nonsense", "0198f000-0000-7000-8000-000000000001"] {
        let path = format!("{path}/deliveries/{unknown}/resend");
        refused(&acme.token.post(&path, json!({})).await, 404, "not_found");
    }
    let other = hook(&acme.token, "chat:new", &receiver).await;
    let of_other = resend.replace(&path, &other);
    refused(&acme.token.post(&of_other, json!({})).await, 404, "not_found");
}

#[tokio::test]
async fn the_log_pages_newest_first_and_filters_by_state() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    let path = hook(&acme.token, RECEIVED, &receiver).await;
    receiver.next([Reply::Status(500)]);
    for text in ["one", "two", "three"] {
        write(&acme, text).await;
        app.clock.advance(std::time::Duration::from_millis(10));
        app.run_jobs().await;
    }
    let all = log(&acme.token, &path).await;
    let texts: Vec<Value> = all
        .iter()
        .map(|one| {
            let body: Value = serde_json::from_str(one["body"].as_str().expect("a body")).expect("JSON");
            body["message"]["text"].clone()
        })
        .collect();
    assert_eq!(texts, [json!("three"), json!("two"), json!("one")]);
    let page = acme.token.get(&format!("{path}/deliveries?limit=2")).await.expect(200)["data"].clone();
    assert_eq!(page["deliveries"], json!(all[..2]));
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let rest = acme.token.get(&format!("{path}/deliveries?limit=2&cursor={cursor}")).await.expect(200)["data"].clone();
    assert_eq!((&rest["deliveries"], rest.get("next_cursor")), (&json!(all[2..]), None));
    let pending = acme.token.get(&format!("{path}/deliveries?state=pending")).await.expect(200);
    assert_eq!(pending["data"]["deliveries"], json!(all[2..]));
    for bad in ["?state=lost", "?cursor=x", "?limit=0", "?limit=201"] {
        refused(&acme.token.get(&format!("{path}/deliveries{bad}")).await, 400, "validation_error");
    }
}

#[tokio::test]
async fn partner_and_workspace_hear_of_their_own_and_see_their_own_log() {
    let app = start().await;
    let acme = conversations(&app).await;
    let (of_partner, of_workspace) = (Receiver::start().await, Receiver::start().await);
    let set = acme.partner.request(Method::PUT, "/webhook").json(&json!({ "url": of_partner.url() }));
    Answer::of(set).await.expect(200);
    let path = hook(&acme.token, "whatsapp:account:disconnected", &of_workspace).await;
    hook(&acme.token, RECEIVED, &of_workspace).await;
    write(&acme, "hello").await;
    acme.partner.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    app.run_jobs().await;
    assert_eq!(of_partner.types(), ["whatsapp_account:disconnected"]);
    let mut types = of_workspace.types();
    types.sort();
    assert_eq!(types, [RECEIVED, "whatsapp:account:disconnected"]);
    assert_eq!(log(&acme.token, &path).await.len(), 1);
    let partners = acme.partner.get("/webhook/deliveries").await.expect(200);
    assert_eq!(partners["deliveries"].as_array().map(Vec::len), Some(1));
    let foreign = log(&acme.token, &path).await[0]["delivery_id"].as_str().expect("an id").to_owned();
    let resend = format!("/webhook/deliveries/{foreign}/resend");
    acme.partner.post_empty(&resend).await.expect_error(404, "delivery_not_found");
    let filtered = acme.partner.get("/webhook/deliveries?event_type=whatsapp_account:disconnected").await.expect(200);
    assert_eq!(filtered, partners);
    let none = acme.partner.get("/webhook/deliveries?event_type=api_token:rotated").await.expect(200);
    assert_eq!(none["deliveries"], json!([]));
}

#[tokio::test]
async fn an_address_that_leads_inside_is_not_dialled() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    let strict = app.replica().await;
    let made = subscribe(&acme.token, RECEIVED, &receiver.url_by_name()).await;
    let path = format!("/webhooks/{}", made["id"]);
    write(&acme, "hello").await;
    strict.run_jobs().await;
    assert!(receiver.received().is_empty());
    let tried = log(&acme.token, &path).await[0].clone();
    assert!(tried["attempts"][0]["error"].as_str().is_some_and(|error| error.contains("not public")), "{tried}");
    assert_eq!(errors(&acme.token, &path).await, 1);
}

#[tokio::test]
async fn what_ended_ten_days_ago_is_forgotten_and_nothing_else() {
    use quartermaster::webhook::subscription::retention;
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    let set = acme.partner.request(Method::PUT, "/webhook").json(&json!({ "url": receiver.url() }));
    Answer::of(set).await.expect(200);
    acme.partner.post("/webhook/test", json!({ "event_type": "api_token:rotated" })).await.expect(201);
    let path = hook(&acme.token, RECEIVED, &receiver).await;
    let other = Conversations::start(&app, "other", "+15550002222").await;
    let second = hook(&other.token, RECEIVED, &receiver).await;
    write(&acme, "old").await;
    app.run_jobs().await;
    let resend = log(&acme.token, &path).await[0]["delivery_id"].as_str().expect("an id").to_owned();
    app.advance(9 * 24 * 3600).await;
    acme.token.post(&format!("{path}/deliveries/{resend}/resend"), json!({})).await.expect(200);
    app.run_jobs().await;
    assert_eq!(retention::forget_old(&app.app).await.expect("a sweep"), 0);
    app.advance(24 * 3600 + 1).await;
    let body = json!({ "phone": "+15550002222", "from": "+15557770000", "text": "new" });
    other.partner.post("/sandbox/inbound", body).await.expect(200);
    assert_eq!(retention::forget_old(&app.app).await.expect("a sweep"), 1);
    assert_eq!(log(&acme.token, &path).await.len(), 1, "the event is there for the delivery that is left");
    app.advance(10 * 24 * 3600).await;
    assert_eq!(retention::forget_old(&app.app).await.expect("a sweep"), 1);
    assert_eq!((log(&acme.token, &path).await.len(), log(&other.token, &second).await.len()), (0, 1));
    let db = app.app.db.reader();
    let partners = acme.partner.get("/webhook/deliveries").await.expect(200);
    assert_eq!(partners["deliveries"].as_array().map(Vec::len), Some(1), "a partner's log stays");
    let of_messages = event::Entity::find().filter(event::Column::Kind.eq(RECEIVED));
    let counts = tokio::try_join!(of_messages.count(db), delivery::Entity::find().count(db));
    assert_eq!(counts.expect("counts"), (1, 2));
    assert_eq!(delivery_attempt::Entity::find().count(db).await.expect("a count"), 2);
}
