//! What becomes of deliveries: tests, tries, the log, and sending again.

use super::*;
use crate::support::mail::{mail_server, mailing, unfolded};

async fn log(shop: &Shop<'_>, id: &str, query: &str) -> Vec<Value> {
    let page = shop.get(&format!("/webhooks/{id}/deliveries{query}")).await.expect(200);
    page["data"].as_array().expect("a log").clone()
}

#[tokio::test]
async fn a_test_says_at_once_what_came_of_it() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    let (id, _) = hook(&shop, &receiver, json!(["channel.created"])).await;
    let path = format!("/webhooks/{id}/test");
    let tried = shop.post(&path, json!(null)).await.expect(200)["data"].clone();
    assert_eq!((&tried["status"], &tried["statusCode"]), (&json!("succeeded"), &json!(200)), "{tried}");
    assert!(tried["latency"].is_u64() && tried["deliveryId"].is_string(), "{tried}");
    let told = receiver.only();
    assert_eq!((&told.json()["event"], &told.json()["data"]), (&json!("test.ping"), &json!({ "test": true })));
    receiver.forget();
    shop.post(&path, json!({ "event": "channel.deleted" })).await.expect(200);
    assert_eq!(receiver.only().json()["event"], "channel.deleted", "whatever it hears of");
    let unknown = shop.post(&path, json!({ "event": "message.received" })).await;
    assert_eq!(word(&unknown, 400), "VALIDATION_ERROR");
    assert_eq!(unknown.json()["error"]["details"][0]["field"], "event");
    receiver.next([Reply::Status(503)]);
    let failed = shop.post(&path, json!(null)).await.expect(200)["data"].clone();
    assert_eq!((&failed["status"], &failed["statusCode"]), (&json!("pending"), &json!(503)), "{failed}");
    receiver.forget();
    app.advance(7).await;
    assert_eq!(receiver.received().len(), 1, "a try that failed is repeated");
    let all = log(&shop, &id, "").await;
    assert_eq!(
        (&all[0]["id"], &all[0]["status"], &all[0]["attempts"]),
        (&failed["deliveryId"], &json!("succeeded"), &json!(2))
    );
    let nobody = json!({ "url": "http://127.0.0.1:1/", "events": ["*"] });
    let nobody = shop.post("/webhooks", nobody).await.expect(201)["data"]["id"].clone();
    let nobody = format!("/webhooks/{}/test", nobody.as_str().expect("an id"));
    let failed = shop.post(&nobody, json!(null)).await.expect(200)["data"].clone();
    assert_eq!((&failed["status"], &failed["statusCode"]), (&json!("pending"), &json!(null)), "{failed}");
}

#[tokio::test]
async fn tries_follow_the_table_and_the_webhooks_own_patience() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let (patient, hasty) = (Receiver::start().await, Receiver::start().await);
    let (first, _) = hook(&shop, &patient, json!(["channel.created"])).await;
    let (second, _) = hook(&shop, &hasty, json!(["channel.created"])).await;
    let once = json!({ "config": { "maxRetries": 1 } });
    shop.linktor(Method::PATCH, &format!("/webhooks/{second}"), once).await.expect(200);
    for receiver in [&patient, &hasty] {
        receiver.usually(Reply::Status(500));
    }
    shop.channel("telegram", json!({ "botToken": "1:a" })).await;
    app.run_jobs().await;
    for (seconds, tries) in [(0, 1), (6, 2), (72, 3), (360, 4), (2160, 5), (8640, 6), (86_400, 6)] {
        app.advance(seconds).await;
        assert_eq!(patient.received().len(), tries, "{seconds}");
        assert_eq!(hasty.received().len(), tries.min(2), "{seconds}");
    }
    for id in [&first, &second] {
        let all = log(&shop, id, "?status=failed").await;
        assert_eq!((all.len(), &all[0]["nextRetryAt"]), (1, &json!(null)));
    }
    let shown = shop.get(&format!("/webhooks/{first}")).await.expect(200)["data"]["attributes"].clone();
    assert_eq!((&shown["failures"], &shown["active"]), (&json!(6), &json!(true)), "nothing is switched off by itself");
}

#[tokio::test]
async fn deliveries_are_logged_and_sent_again() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    let (id, _) = hook(&shop, &receiver, json!(["channel.created"])).await;
    shop.linktor(Method::PATCH, &format!("/webhooks/{id}"), json!({ "config": { "maxRetries": 0 } })).await.expect(200);
    shop.post(&format!("/webhooks/{id}/test"), json!(null)).await.expect(200);
    receiver.next([Reply::Status(500)]);
    shop.channel("telegram", json!({ "botToken": "1:a" })).await;
    app.run_jobs().await;
    let all = log(&shop, &id, "").await;
    assert_eq!(all.len(), 2);
    let failed = &all[0];
    assert_eq!((&failed["event"], &failed["status"]), (&json!("channel.created"), &json!("failed")));
    assert_eq!((&failed["statusCode"], &failed["attempts"]), (&json!(500), &json!(1)));
    assert_eq!((log(&shop, &id, "?status=failed").await.len(), log(&shop, &id, "?status=pending").await.len()), (1, 0));
    assert_eq!(
        (log(&shop, &id, "?event=test.ping").await.len(), log(&shop, &id, "?event=channel.deleted").await.len()),
        (1, 0)
    );
    let first = shop.get(&format!("/webhooks/{id}/deliveries?limit=1")).await.expect(200);
    let cursor = first["meta"]["nextCursor"].as_str().expect("a cursor");
    assert_eq!(log(&shop, &id, &format!("?limit=1&cursor={cursor}")).await[0]["id"], all[1]["id"]);
    assert_eq!(log(&shop, &id, "?status=&event=&cursor=&limit=").await, all, "what is empty is not given");
    for (bad, field) in [
        ("status=lost", "status"),
        ("event=x", "event"),
        ("cursor=x", "cursor"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
    ] {
        let refused = shop.get(&format!("/webhooks/{id}/deliveries?{bad}")).await;
        assert_eq!(word(&refused, 400), "VALIDATION_ERROR", "{bad}");
        assert_ne!(refused.header("ratelimit"), "", "a call that is refused is a call: {bad}");
        assert_eq!(refused.json()["error"]["details"][0]["field"], field);
    }
    let again = format!("/webhooks/{id}/deliveries/{}/retry", failed["id"].as_str().expect("an id"));
    let retry = async || {
        let request = app.http.post(format!("{}/v1{again}", app.base)).bearer_auth(shop.token.token());
        Answer::of(request.header("Idempotency-Key", "again")).await.expect(200)["data"].clone()
    };
    let retried = retry().await;
    assert_eq!((&retried["status"], &retried["payload"]), (&json!("pending"), &failed["payload"]));
    assert_eq!(retry().await, retried, "the same key sends it once more and not twice");
    app.run_jobs().await;
    let told = receiver.received();
    assert_eq!((told.len(), &told[1].body), (3, &told[2].body), "the same bytes");
    assert_eq!(told[1].header("webhook-id"), told[2].header("webhook-id"), "and the same id");
    let nobody = format!("/webhooks/{id}/deliveries/x/retry");
    assert_eq!(word(&shop.post(&nobody, json!(null)).await, 404), "RESOURCE_NOT_FOUND");
    let (other, _) = hook(&shop, &Receiver::start().await, json!(["*"])).await;
    let crossed = again.replace(&id, &other);
    assert_eq!(word(&shop.post(&crossed, json!(null)).await, 404), "RESOURCE_NOT_FOUND", "another webhook's delivery");
    shop.linktor(Method::PATCH, &format!("/webhooks/{id}"), json!({ "active": false })).await.expect(200);
    assert_eq!(word(&shop.post(&again, json!(null)).await, 409), "CONFLICT");
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    let app = start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    hook(&shop, &receiver, json!(["*"])).await;
    shop.channel("telegram", json!({ "botToken": "1:a" })).await;
    heard(&shop, &receiver).await;
    let again = json!({ "name": "x", "type": "telegram", "config": { "botToken": "1:b" } });
    assert_eq!(word(&shop.post("/channels", again).await, 409), "CHANNEL_ALREADY_EXISTS");
    let bot = json!({ "defaultBotId": "bot_00000000-0000-7000-8000-000000000000", "name": "Other" });
    let channel = shop.get("/channels").await.expect(200)["data"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        word(&shop.linktor(Method::PATCH, &format!("/channels/{channel}"), bot).await, 404),
        "RESOURCE_NOT_FOUND"
    );
    assert!(heard(&shop, &receiver).await.is_empty());
}

#[tokio::test]
async fn who_is_in_charge_is_told_that_a_webhook_fails() {
    let first = start().await;
    let shop = Shop::open(&first).await;
    let invited = json!({ "email": "boss@example.com", "role": "admin", "first_name": "Ann" });
    let invited = shop.token.post("/workspace/invitations", invited).await.expect(200);
    let link = invited["data"]["invitation_link"].as_str().expect("a link");
    assert_eq!(Answer::of(first.http.post(link)).await.status.as_u16(), 200);
    let receiver = Receiver::start().await;
    hook(&shop, &receiver, json!(["channel.created"])).await;
    receiver.usually(Reply::Status(500));
    let mails = mail_server().await;
    let app = first.replica_configured(mailing).await;
    for token in ["1:a", "2:b", "3:c"] {
        shop.channel("telegram", json!({ "botToken": token })).await;
        app.run_jobs().await;
        for wait in [6, 72, 360, 2160, 8640, 70] {
            app.advance(wait).await;
        }
    }
    let mail = unfolded(&mails.lock().expect("mails").join("\n"));
    assert_eq!(mail.matches("A webhook of Bakery does not work").count(), 1, "{mail}");
    assert!(mail.contains("To: boss@example.com") && mail.contains("channel.created"), "{mail}");
    assert!(!mail.contains(&receiver.url()), "paths of addresses are often secrets: {mail}");
}
