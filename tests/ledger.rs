//! Balances that are always the sums of their entries, in the cases that people ask about. `histories.rs` plays the
//! others.

use std::time::Duration;

use entity::{credit_entry, credits::Credits, id::PartnerId, message, quota_period};
use futures_util::future::join_all;
use quartermaster::{
    caller::Origin,
    credit::{
        change::{self, ChangeBalance},
        verify,
    },
    db,
    error::Error,
    idempotency::Repeatable,
    message::status::{self, Receipt, ReceiptEvent},
    quota::close,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::json;

use crate::support::{Setup, TestApp, sender::Sender};

/// Checks that everything adds up; what was looked at.
pub(crate) async fn audited(app: &TestApp) -> verify::Report {
    let report = verify::verify(&app.app).await.expect("a report");
    assert!(report.drift.is_empty(), "{:#?}", report.drift);
    report
}

/// Changes the balance of a sender's workspace, as the operator does.
pub(crate) async fn change_balance(app: &TestApp, sender: &Sender, command: &ChangeBalance) -> Result<i64, Error> {
    let partner = PartnerId::parse(&sender.partner.id).expect("an id");
    let never = Repeatable::never();
    let changed = change::change(&app.app, &Origin::operator(), &partner, &sender.workspace, command, &never).await;
    changed.map(|changed| changed.balance.0)
}

pub(crate) fn grant(credits: i64) -> ChangeBalance {
    ChangeBalance::grant(credits, None).expect("a grant")
}

/// The provider says that a message that it was given will not arrive.
pub(crate) async fn fail(app: &TestApp, row: &message::Model) {
    let receipt = |event| Receipt { account_id: row.account_id, message_id: Some(row.id), provider_ref: None, event };
    let failed = ReceiptEvent::Failed { reason: "not on the network".to_owned() };
    status::received(&app.app, &receipt(failed)).await.expect("a receipt");
}

/// What is sent stays sent until a test says otherwise.
async fn without_receipts() -> TestApp {
    Setup::default().configured(|config| config.sandbox_receipt_ms = 0).start().await
}

async fn messages(app: &TestApp) -> Vec<message::Model> {
    let query = message::Entity::find().order_by_asc(message::Column::Id);
    query.all(app.app.db.reader()).await.expect("messages")
}

async fn balance(sender: &Sender) -> i64 {
    let quotas = sender.token.get("/workspace").await.expect(200)["data"].clone();
    quotas["non_recurring_quota"]["remaining_balance"].as_i64().expect("a balance")
}

#[tokio::test]
async fn recurring_credits_burn_first_and_refunds_go_back_where_they_came_from() {
    let app = without_receipts().await;
    let sender = Sender::with_credits(&app, 2).await;
    change_balance(&app, &sender, &grant(2)).await.expect("a balance");
    assert_eq!(sender.token.credits().await, (0, 4));
    for n in 0..3 {
        sender.token.send("+15550002222", &format!("message {n}")).await.expect(200);
    }
    assert_eq!((balance(&sender).await, sender.token.credits().await), (1, (3, 4)));
    audited(&app).await;
    for _ in 0..3 {
        app.advance(10).await;
    }
    let rows = messages(&app).await;
    for row in [&rows[1], &rows[2], &rows[2]] {
        fail(&app, row).await;
    }
    assert_eq!(
        (balance(&sender).await, sender.token.credits().await),
        (2, (1, 4)),
        "once each, whatever is said twice"
    );
    audited(&app).await;
}

#[tokio::test]
async fn an_adjustment_never_takes_more_than_there_is() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 2).await;
    let adjust = |credits| ChangeBalance::adjust(credits, Some("correction")).expect("an adjustment");
    assert_eq!(change_balance(&app, &sender, &adjust(5)).await.expect("a balance"), 5);
    let refused = change_balance(&app, &sender, &adjust(-6)).await.expect_err("too much");
    assert_eq!(refused.code().to_string(), "insufficient_credits");
    assert_eq!(change_balance(&app, &sender, &adjust(-5)).await.expect("a balance"), 0);
    audited(&app).await;
}

#[tokio::test]
async fn a_new_period_grants_anew_and_the_old_one_expires() {
    let app = without_receipts().await;
    let sender = Sender::with_credits(&app, 3).await;
    change_balance(&app, &sender, &grant(1)).await.expect("a balance");
    sender.token.send("+15550002222", "in September").await.expect(200);
    app.run_jobs().await;
    app.clock.advance(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(sender.token.credits().await, (0, 4));
    sender.token.send("+15550002222", "in October").await.expect(200);
    assert_eq!(close::close_ended(&app.app).await.expect("closed"), 1);
    assert_eq!(close::close_ended(&app.app).await.expect("closed"), 0);
    audited(&app).await;
    // A refund for September changes September only: what comes back has expired already.
    fail(&app, &messages(&app).await[0]).await;
    assert_eq!(sender.token.credits().await, (1, 4));
    audited(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_period_that_two_replicas_open_at_once_is_granted_once() {
    const MONTHS: usize = 12;
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 100).await;
    let other = app.replica().await;
    let tokens = [sender.token.clone(), sender.token.at(&other.base)];
    for _ in 0..MONTHS {
        app.clock.advance(Duration::from_secs(31 * 24 * 3600));
        let sending = (0..8).map(|n| tokens[n % 2].send("+15550002222", "at once"));
        let one = grant(1);
        let granting = [&app, &other].map(|replica| change_balance(replica, &sender, &one));
        let (sent, granted) = tokio::join!(join_all(sending), join_all(granting));
        assert!(granted.iter().all(Result::is_ok), "{granted:?}");
        sent.iter().for_each(|answer| drop(answer.expect(200)));
    }
    let db = app.app.db.reader();
    let seats = credit_entry::Entity::find().filter(credit_entry::Column::Note.eq("seats"));
    assert_eq!(seats.all(db).await.expect("entries").len(), MONTHS + 1);
    let periods = quota_period::Entity::find().filter(quota_period::Column::RecurringUsed.gt(0)).all(db).await;
    let periods = periods.expect("periods");
    assert_eq!(periods.len(), MONTHS);
    assert!(periods.iter().all(|one| (one.recurring_granted, one.recurring_used) == (Credits(100), Credits(8))));
    audited(&app).await;
}

#[tokio::test]
async fn lowering_and_raising_seats_mints_nothing() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let path = format!("/workspaces/{}", sender.workspace);
    for (seats, total) in [(3, 30), (1, 30), (3, 30), (2, 30), (4, 40), (1, 40)] {
        sender.partner.patch(&path, json!({ "seats_purchased": seats })).await.expect(200);
        assert_eq!(sender.token.credits().await, (0, total), "{seats} seats");
    }
    audited(&app).await;
    app.clock.advance(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(sender.token.credits().await, (0, 10), "lowering acts from the next period");
}

/// A message that was charged to one kind of credits gives them back to the other.
const REFUND_WITHOUT_CHARGE: &str = "INSERT INTO credit_entries \
    (workspace_id, period_start, bucket, kind, amount, message_id, created_at) \
    SELECT workspace_id, period_start, 'non_recurring', 'refund', 1, message_id, created_at FROM credit_entries \
    WHERE bucket = 'recurring' AND kind = 'charge'";

#[tokio::test]
async fn the_audit_finds_what_does_not_add_up() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    change_balance(&app, &sender, &grant(5)).await.expect("a balance");
    sender.token.send("+15550002222", "hello").await.expect(200);
    let report = audited(&app).await;
    assert_eq!((report.periods, report.messages), (1, 1));
    for (tampering, check) in [
        ("UPDATE quota_periods SET recurring_granted = recurring_granted + 1", "recurring granted"),
        ("UPDATE quota_periods SET recurring_used = 0", "recurring used"),
        ("UPDATE quota_periods SET recurring_expired = 1", "recurring expired"),
        ("UPDATE quota_periods SET non_recurring_used = 1", "non-recurring used"),
        ("UPDATE quota_periods SET closed_at = 1", "closed period"),
        ("UPDATE wallets SET balance = 6", "balance"),
        ("UPDATE messages SET status = 'failed'", "charge of a message"),
        ("DELETE FROM messages", "entry without its message"),
        ("UPDATE send_queues SET queued = 2", "queue"),
        ("DELETE FROM credit_entries WHERE kind = 'charge'", "charge of a message"),
        ("DELETE FROM quota_periods", "recurring granted"),
        ("DELETE FROM wallets", "balance"),
        ("DELETE FROM send_queues", "queue"),
        (REFUND_WITHOUT_CHARGE, "refund"),
    ] {
        let undone = db::write(&app.app.db, "test", async |tx| {
            tx.execute_unprepared(tampering).await.unwrap_or_else(|error| panic!("{tampering}: {error}"));
            let found = verify::verify_in(tx).await?;
            assert!(found.drift.iter().any(|drift| drift.check == check), "{tampering}: {:?}", found.drift);
            Err::<(), _>(Error::Contention)
        })
        .await;
        assert!(undone.is_err());
    }
    audited(&app).await;
}

/// Balances, entries and the message agree; only where the credits came from and where they went do not.
#[tokio::test]
async fn the_audit_finds_a_refund_that_went_elsewhere() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 1).await;
    change_balance(&app, &sender, &grant(1)).await.expect("a balance");
    for text in ["charged to the recurring one", "charged to the other"] {
        sender.token.send("+15550002222", text).await.expect(200);
    }
    audited(&app).await;
    let elsewhere = [
        REFUND_WITHOUT_CHARGE,
        "UPDATE quota_periods SET non_recurring_used = 0",
        "UPDATE wallets SET balance = 1",
        "UPDATE messages SET status = 'failed' WHERE text = 'charged to the recurring one'",
        "UPDATE send_queues SET queued = 1",
    ];
    let undone = db::write(&app.app.db, "test", async |tx| {
        for step in elsewhere {
            tx.execute_unprepared(step).await.unwrap_or_else(|error| panic!("{step}: {error}"));
        }
        let found = verify::verify_in(tx).await?.drift;
        let figures: Vec<_> = found.iter().map(|drift| (drift.check, drift.found, drift.expected)).collect();
        assert_eq!(figures, [("refund", 1, 0)], "{found:?}");
        Err::<(), _>(Error::Contention)
    })
    .await;
    assert!(undone.is_err());
    audited(&app).await;
}

#[tokio::test]
async fn the_database_itself_guards_the_balances() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    sender.token.send("+15550002222", "hello").await.expect(200);
    for (change, guard) in [
        ("UPDATE quota_periods SET recurring_used = 11", "quota_periods_recurring_used_check"),
        ("UPDATE quota_periods SET recurring_used = -1", "quota_periods_recurring_used_check"),
        ("UPDATE wallets SET balance = -1", "wallets_balance_check"),
        ("UPDATE credit_entries SET amount = 1 WHERE kind = 'charge'", "credit_entries_amount_check"),
        ("UPDATE send_queues SET queued = -1, due_at = NULL", "send_queues_queued_check"),
    ] {
        let broken = db::write(&app.app.db, "test", async |tx| {
            let error = tx.execute_unprepared(change).await.expect_err("the guard refuses");
            assert_eq!(db::constraint_of(&error).as_deref(), Some(guard), "{error}");
            Err::<(), _>(Error::Contention)
        })
        .await;
        assert!(broken.is_err());
    }
}
