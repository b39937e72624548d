//! When a partner is told that credits run low, and that they have recovered: what sets the marks back, and what never
//! does. `metering.rs` shows the same of API calls, and what many sends at once are told.

use entity::{
    event,
    id::{EventId, PartnerId},
};
use quartermaster::{
    caller::Origin,
    partner::admin,
    plan::SetPlan,
    quota::{api_calls, threshold::Thresholds},
};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};

use crate::{
    ledger::{audited, change_balance, fail, grant},
    support::{
        Setup, TestApp,
        sender::{PHONE, Sender, unlimited},
    },
};

const NOTHING: [(String, i64); 0] = [];

/// Reads the events of a quota as they were written, each once.
struct Told<'a> {
    app: &'a TestApp,
    quota: &'static str,
    seen: Vec<EventId>,
}

impl<'a> Told<'a> {
    const fn of(app: &'a TestApp, quota: &'static str) -> Self {
        Self { app, quota, seen: Vec::new() }
    }

    /// What was written since the last look, in order: the step and the use in percent.
    async fn news(&mut self) -> Vec<(String, i64)> {
        let query = event::Entity::find().order_by_asc(event::Column::Id);
        let mut rows = query.all(self.app.app.db.reader()).await.expect("events");
        rows.retain(|row| row.kind.ends_with(&format!(":{}", self.quota)) && !self.seen.contains(&row.id));
        self.seen.extend(rows.iter().map(|row| row.id));
        let step = |row: &event::Model| {
            let body: Value = serde_json::from_str(&row.body).expect("JSON");
            let used = body["utilization_pct"].as_i64().expect("a percentage");
            (row.kind.split(':').nth(1).expect("a step").to_owned(), used)
        };
        rows.iter().map(step).collect()
    }
}

async fn send(sender: &Sender, count: usize) {
    for number in 0..count {
        sender.token.send("+15550002222", &format!("message {number}")).await.expect(200);
    }
}

fn near(used: i64) -> (String, i64) {
    ("quota_near_full".to_owned(), used)
}

fn full() -> (String, i64) {
    ("quota_full".to_owned(), 100)
}

fn recovered(used: i64) -> (String, i64) {
    ("quota_recovered".to_owned(), used)
}

#[tokio::test]
async fn a_refund_never_arms_a_threshold_anew() {
    let app = Setup::default().configured(|config| config.sandbox_receipt_ms = 0).start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let mut told = Told::of(&app, "messaging");
    send(&sender, 10).await;
    assert_eq!(told.news().await, [near(90), full()]);
    for _ in 0..10 {
        app.advance(10).await;
    }
    let rows = entity::message::Entity::find().all(app.app.db.reader()).await.expect("messages");
    for row in &rows[..3] {
        fail(&app, row).await;
    }
    assert_eq!(sender.token.credits().await, (7, 10));
    assert_eq!(told.news().await, NOTHING);
    send(&sender, 3).await;
    assert_eq!(sender.token.credits().await, (10, 10));
    assert_eq!(told.news().await, NOTHING, "both were told of before, and nobody has granted anything since");
    change_balance(&app, &sender, &grant(1)).await.expect("a balance");
    assert_eq!(told.news().await, [recovered(90)], "a grant does");
    audited(&app).await;
}

#[tokio::test]
async fn credits_that_recovered_and_run_low_again_are_told_again() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let mut told = Told::of(&app, "messaging");
    send(&sender, 8).await;
    assert_eq!(told.news().await, NOTHING);
    send(&sender, 1).await;
    assert_eq!(told.news().await, [near(90)]);
    send(&sender, 1).await;
    assert_eq!(told.news().await, [full()]);
    // 10 of 11: below the last threshold only.
    change_balance(&app, &sender, &grant(1)).await.expect("a balance");
    assert_eq!(told.news().await, [recovered(90)]);
    send(&sender, 1).await;
    assert_eq!(told.news().await, [full()]);
    // 11 of 20: below both.
    change_balance(&app, &sender, &grant(9)).await.expect("a balance");
    assert_eq!(told.news().await, [recovered(55)]);
    send(&sender, 7).await;
    assert_eq!(told.news().await, [near(90)]);
    send(&sender, 2).await;
    assert_eq!(told.news().await, [full()]);
    change_balance(&app, &sender, &grant(80)).await.expect("a balance");
    change_balance(&app, &sender, &grant(1)).await.expect("a balance");
    assert_eq!(told.news().await, [recovered(20)], "it has recovered already");
}

#[tokio::test]
async fn seats_that_are_raised_bring_credits_that_recover() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let mut told = Told::of(&app, "messaging");
    let path = format!("/workspaces/{}", sender.workspace);
    let seats = async |count: i64| {
        sender.partner.patch(&path, json!({ "seats_purchased": count })).await.expect(200);
    };
    send(&sender, 10).await;
    assert_eq!(told.news().await, [near(90), full()]);
    seats(2).await;
    assert_eq!(sender.token.credits().await, (10, 20));
    assert_eq!(told.news().await, [recovered(50)]);
    send(&sender, 8).await;
    assert_eq!(told.news().await, [near(90)]);
    for count in [1, 2] {
        seats(count).await;
        assert_eq!(told.news().await, NOTHING, "{count} seats grant nothing that was not granted before");
    }
    seats(3).await;
    assert_eq!(told.news().await, [recovered(60)]);
}

#[tokio::test]
async fn partners_are_told_at_their_own_thresholds() {
    let app = TestApp::start().await;
    let credits_per_seat = Some(entity::credits::Credits(10));
    let plan = SetPlan { credits_per_seat, api_calls_per_period: Some(40), ..unlimited() };
    let other = Sender::on_plan(&app, &plan).await;
    let partner = app.partner("beta").await;
    let id = PartnerId::parse("beta").expect("an id");
    let thresholds = Thresholds::new(vec![75, 25, 50]).expect("thresholds");
    admin::set_thresholds(&app.app, &Origin::operator(), &id, &thresholds).await.expect("thresholds");
    let sender = Sender::of(&app, partner, "Florist", &PHONE.replace("1111", "3333")).await;
    let (mut messaging, mut calls) = (Told::of(&app, "messaging"), Told::of(&app, "api_calls"));
    for (sent, expected) in [(2, vec![]), (1, vec![near(30)]), (2, vec![near(50)]), (5, vec![near(80)])] {
        send(&sender, sent).await;
        assert_eq!(messaging.news().await, expected, "after {sent} more");
    }
    api_calls::write(&app.app).await.expect("written");
    assert_eq!(calls.news().await, [near(25)], "ten calls of forty");
    // The last is near at 80 %, nothing is full at 100 %, and who has changed nothing hears of 90 % and 100 %.
    send(&other, 10).await;
    assert_eq!(messaging.news().await, [near(90), full()]);
}
