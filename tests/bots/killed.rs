//! A process that is killed while a bot answers: the question is answered all the same, once.

use std::time::Duration;

use entity::sandbox_message;
use quartermaster::db;
use sea_orm::ConnectionTrait;

use super::*;
use crate::{
    faults::{serve, until_ready},
    ledger::audited,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a process with all roles until `end` says so, and kills it then.
async fn killed_after(app: &TestApp, end: impl Future<Output = ()>) {
    let listen = crate::support::free_address().to_string();
    let mut server = serve(app, &listen);
    until_ready(&app.http, &format!("http://{listen}")).await;
    let ended = tokio::time::timeout(PATIENCE, end).await;
    server.kill().expect("a kill");
    server.wait().expect("an end");
    ended.expect("it came to what was waited for");
}

impl Stage<'_> {
    async fn until_nothing_waits(&self) {
        while self.turn().await.message_id.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the killed process had in hand is free again, as it is when its leases have ended.
    async fn free(&self) {
        let freed = db::write(&self.app.app.db, "test", async |tx| {
            for table in ["bot_turns", "send_queues"] {
                tx.execute_unprepared(&format!("UPDATE {table} SET due_at = 0 WHERE due_at IS NOT NULL")).await?;
            }
            Ok(())
        });
        freed.await.expect("a commit");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_moment_a_process_is_killed_at_each_question_is_answered_and_charged_once() {
    let app = Setup::real_time().configured(|config| config.allow_private_targets = true).start().await;
    let stage = Stage::with_credits(&app, 20).await;
    let endpoint = stage.endpoint.url();
    stage.bot(json!({ "name": "Support", "kind": "http", "endpoint": endpoint, "timeout_ms": 20_000 })).await;
    stage.hear("Good morning").await;
    stage.switch_on(stage.chat().await.id).await;
    // While the bot thinks; then so long after it has answered.
    let moments = [None, Some(0), Some(3), Some(10), Some(40)];
    for (round, moment) in moments.into_iter().enumerate() {
        let said = json!({ "reply": format!("answer {round}") }).to_string();
        stage.endpoint.forget();
        if moment.is_none() {
            stage.endpoint.next([Reply::HoldBody(said.clone())]);
        }
        stage.endpoint.usually(Reply::Body(said));
        killed_after(&app, async {
            stage.hear(&format!("question {round}")).await;
            stage.endpoint.until_received(1).await;
            tokio::time::sleep(Duration::from_millis(moment.unwrap_or(100))).await;
        })
        .await;
        if moment.is_none() {
            assert!(stage.turn().await.lease.is_some(), "it was being answered");
        }
        stage.free().await;
        killed_after(&app, stage.until_nothing_waits()).await;
        let answers: Vec<String> = (0..=round).map(|round| format!("answer {round}")).collect();
        assert_eq!(stage.said().await, (answers, Vec::new()), "killed at {moment:?}");
        let asked = stage.endpoint.received();
        let ids: Vec<&str> = asked.iter().map(|asked| asked.header("webhook-id")).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "it is one question, however often it is asked: {ids:?}");
        assert!(moment.is_some() || ids.len() == 2, "{ids:?}");
    }
    let used = i64::try_from(moments.len()).expect("a count");
    assert_eq!(stage.sender.token.credits().await, (used, 20));
    audited(&app).await;
    stage.free().await;
    app.run_jobs().await;
    let arrived = sandbox_message::Entity::find().all(app.app.db.reader()).await.expect("messages");
    assert!(arrived.iter().all(|row| row.arrivals <= 1), "none went out twice");
    audited(&app).await;
}
