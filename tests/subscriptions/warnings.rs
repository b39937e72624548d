//! Addresses that fail for long: people are told by mail. Logs have an end. Customers who wait are told of.

use entity::{delivery, delivery_attempt, event, id::DeliveryId};
use quartermaster::{db, webhook::subscription::retention};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, Set};
use serde_json::json;

use crate::{
    subscriptions::{
        RECEIVED, conversations,
        events::{hear, told},
        hook, log, start, write,
    },
    support::{
        Answer, TestApp,
        conversation::Conversations,
        mail::{mail_server, mailing, unfolded},
        receiver::{Receiver, Reply},
    },
};

/// Somebody who accepts an invitation.
async fn member(app: &TestApp, bakery: &Conversations<'_>, email: &str, role: &str) {
    let body = json!({ "email": email, "role": role, "first_name": "Ann" });
    let invited = bakery.token.post("/workspace/invitations", body).await.expect(200);
    let link = invited["data"]["invitation_link"].as_str().expect("a link");
    assert_eq!(Answer::of(app.http.post(link)).await.status.as_u16(), 200);
}

/// Something happens, and all tries of telling it are made.
async fn happen(app: &TestApp, bakery: &Conversations<'_>) {
    write(bakery, "hello").await;
    app.run_jobs().await;
    for wait in [40, 400, 70] {
        app.advance(wait).await;
    }
}

#[tokio::test]
async fn who_is_in_charge_is_told_once_that_a_webhook_fails() {
    let first = start().await;
    let bakery = conversations(&first).await;
    bakery.partner.patch("/workspaces/bakery", json!({ "seats_purchased": 9 })).await.expect(200);
    for (email, role) in [("boss@example.com", "admin"), ("agent@example.com", "agent")] {
        member(&first, &bakery, email, role).await;
    }
    let receiver = Receiver::start().await;
    let path = hook(&bakery.token, RECEIVED, &receiver).await;
    receiver.usually(Reply::Status(500));
    // From here on by a process that mails.
    let mails = mail_server().await;
    let app = first.replica_configured(mailing).await;
    let warned =
        || unfolded(&mails.lock().expect("mails").join("\n")).matches("A webhook of Bakery does not work").count();
    for (event, mails) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 1)] {
        happen(&app, &bakery).await;
        let counted = bakery.token.get(&path).await.expect(200)["data"]["errors_counter"].clone();
        assert_eq!((warned(), counted), (mails, json!(3 * event)), "event {event}");
    }
    let mail = unfolded(&mails.lock().expect("mails").join("\n"));
    let host = "127.0.0.1";
    for part in ["To: boss@example.com", "Hello Ann,", "Partner acme", RECEIVED, host, "9 times in a row"] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    let secret = receiver.url();
    for part in ["agent@example.com", "@partners.", secret.as_str()] {
        assert!(!mail.contains(part), "{part}: {mail}");
    }
    assert_eq!(bakery.token.get(&path).await.expect(200)["data"]["enabled"], true, "it is not switched off");
    receiver.usually(Reply::Status(200));
    happen(&app, &bakery).await;
    assert_eq!((warned(), bakery.token.get(&path).await.expect(200)["data"]["errors_counter"].clone()), (1, json!(0)));
    receiver.usually(Reply::Status(500));
    for mails in [1, 1, 2] {
        happen(&app, &bakery).await;
        assert_eq!(warned(), mails, "after it has worked once it is told of again");
    }
}

#[tokio::test]
async fn without_mail_nobody_is_told_and_nothing_is_kept_for_it() {
    let app = start().await;
    let bakery = conversations(&app).await;
    bakery.partner.patch("/workspaces/bakery", json!({ "seats_purchased": 9 })).await.expect(200);
    member(&app, &bakery, "boss@example.com", "admin").await;
    let receiver = Receiver::start().await;
    let path = hook(&bakery.token, RECEIVED, &receiver).await;
    receiver.usually(Reply::Status(500));
    for _ in 0..4 {
        happen(&app, &bakery).await;
    }
    assert_eq!(bakery.token.get(&path).await.expect(200)["data"]["errors_counter"], 12);
    assert_eq!(entity::job::Entity::find().count(app.app.db.reader()).await.expect("a count"), 0);
}

#[tokio::test]
async fn what_is_mailed_is_read_again_before_it_goes_out() {
    let first = start().await;
    let bakery = conversations(&first).await;
    bakery.partner.patch("/workspaces/bakery", json!({ "seats_purchased": 9 })).await.expect(200);
    member(&first, &bakery, "boss@example.com", "admin").await;
    let receiver = Receiver::start().await;
    let path = hook(&bakery.token, RECEIVED, &receiver).await;
    receiver.usually(Reply::Status(500));
    let mails = mail_server().await;
    let app = first.replica_configured(mailing).await;
    for _ in 0..2 {
        happen(&app, &bakery).await;
    }
    write(&bakery, "the third").await;
    app.run_jobs().await;
    app.advance(40).await;
    // The third try of the third event, whose mail the server puts off at first; meanwhile the webhook is deleted.
    app.advance(400).await;
    assert_eq!(entity::job::Entity::find().count(app.app.db.reader()).await.expect("a count"), 1);
    bakery.token.delete(&path).await.expect(200);
    app.advance(70).await;
    assert!(mails.lock().expect("mails").is_empty(), "there is nothing to tell any more");
    assert_eq!(entity::job::Entity::find().count(app.app.db.reader()).await.expect("a count"), 0);
}

/// Adds ended deliveries of the newest one's event, each with a try.
async fn grow(app: &TestApp, of: &delivery::Model, count: usize) -> Vec<DeliveryId> {
    let ids: Vec<DeliveryId> = (0..count).map(|_| DeliveryId(app.clock.uuid())).collect();
    let row = |id: &DeliveryId| delivery::ActiveModel { id: Set(*id), ..of.clone().into_active_model().reset_all() };
    let tried = |id: &DeliveryId| delivery_attempt::ActiveModel {
        delivery_id: Set(*id),
        at: Set(app.clock.now()),
        duration_ms: Set(1),
        status: Set(Some(200)),
        error: Set(None),
        ..Default::default()
    };
    let written = db::write(&app.app.db, "test", async |tx| {
        for some in ids.chunks(500) {
            delivery::Entity::insert_many(some.iter().map(row)).exec_without_returning(tx).await?;
            delivery_attempt::Entity::insert_many(some.iter().map(tried)).exec_without_returning(tx).await?;
        }
        Ok(())
    });
    written.await.expect("deliveries");
    ids
}

#[tokio::test]
async fn a_log_holds_the_newest_thousand() {
    let app = start().await;
    let bakery = conversations(&app).await;
    let receiver = Receiver::start().await;
    let path = hook(&bakery.token, RECEIVED, &receiver).await;
    let other = hook(&bakery.token, "message:new", &receiver).await;
    write(&bakery, "the first").await;
    app.run_jobs().await;
    let db = app.app.db.reader();
    let id = |path: &str| path.rsplit('/').next().and_then(|id| id.parse::<i64>().ok()).expect("a number");
    let of = |path: &str| {
        delivery::Entity::find().filter(delivery::Column::SubscriptionId.eq(entity::id::SubscriptionId(id(path))))
    };
    let first = of(&path).one(db).await.expect("a look").expect("a delivery");
    let added = grow(&app, &first, 1203).await;
    assert_eq!(retention::forget_old(&app.app).await.expect("a sweep"), 204);
    assert_eq!((of(&path).count(db).await, of(&other).count(db).await), (Ok(1000), Ok(1)));
    let is_there = async |id: DeliveryId| delivery::Entity::find_by_id(id).one(db).await.expect("a look").is_some();
    assert_eq!(
        (is_there(added[202]).await, is_there(added[203]).await, is_there(first.id).await),
        (false, true, false)
    );
    assert_eq!(delivery_attempt::Entity::find().count(db).await, Ok(1001), "tries go with their deliveries");
    assert_eq!(retention::forget_old(&app.app).await.expect("a sweep"), 0);
    // What is still to be sent stays, however old it is in a full log.
    receiver.usually(Reply::Status(500));
    write(&bakery, "still waiting").await;
    app.run_jobs().await;
    let waiting = log(&bakery.token, &path).await[0].clone();
    assert_eq!(waiting["state"], "pending");
    grow(&app, &first, 1000).await;
    assert_eq!(retention::forget_old(&app.app).await.expect("a sweep"), 1000);
    assert_eq!(of(&path).count(db).await, Ok(1001));
    let pending: DeliveryId = waiting["delivery_id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    assert!(is_there(pending).await);
    let events = event::Entity::find().filter(event::Column::Kind.eq(RECEIVED)).count(db).await;
    assert_eq!(events, Ok(2), "an event stays as long as a delivery of it does");
}

#[tokio::test]
async fn an_event_of_a_chat_tells_that_somebody_waits_for_an_automatic_answer() {
    let app = start().await;
    let acme = conversations(&app).await;
    let receiver = Receiver::start().await;
    hear(&acme.token, &receiver, &["chat:new", "chat:responsible:assigned", "chat:responsible:unassigned"]).await;
    write(&acme, "hello").await;
    app.run_jobs().await;
    let fresh = told(&receiver)["chat:new"]["chat"].clone();
    assert_eq!(fresh["unattended_customer"], false);
    let path = format!("/chats/{}", fresh["id"]);
    acme.token.patch(&path, json!({ "chatgpt_autoresponse_enabled": true })).await.expect(200);
    let email = format!("{}-{}@partners.127.0.0.1", acme.user_id, acme.slug);
    for (wait, responsible, topic, expected) in
        [(0, email.as_str(), "chat:responsible:assigned", false), (60, "", "chat:responsible:unassigned", true)]
    {
        app.advance(wait).await;
        acme.token.patch(&path, json!({ "responsible": responsible })).await.expect(200);
        app.run_jobs().await;
        let chat = told(&receiver)[topic]["chat"].clone();
        assert_eq!(
            (&chat["chatgpt_autoresponse_enabled"], &chat["unattended_customer"]),
            (&json!(true), &json!(expected))
        );
    }
}
