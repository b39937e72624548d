//! What somebody writes is stored in the order in which it was written: whatever holds it up, and whoever does the work.

use std::{sync::Arc, time::Duration};

use entity::message::{self, Direction};
use poem::http::Method;
use quartermaster::{job, signal::Signal};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::json;

use crate::{
    conformance::{Posted, Remote, Said, Scene, Signature},
    support::{TestApp, provider::Trouble, upload::png, waha::Waha},
};

/// Longer than any provider is waited for here.
const FOREVER: Duration = Duration::from_secs(3600);

/// What has come, oldest first, and whether a file came with it.
async fn received(app: &TestApp) -> Vec<(String, bool)> {
    let received = message::Entity::find()
        .filter(message::Column::Direction.eq(Direction::Received))
        .order_by_asc(message::Column::Id)
        .all(app.app.db.reader())
        .await
        .expect("messages");
    received.into_iter().map(|one| (one.text.expect("a text"), one.file_id.is_some())).collect()
}

async fn post(scene: &Scene<Waha>, posted: &Posted) {
    assert_eq!(Remote::post(&scene.provider, posted, Signature::Genuine).await, 200);
}

/// A picture with a text, and a text after it.
async fn post_picture_and_text(scene: &Scene<Waha>) {
    let url = scene.provider.keep("tart.png", "image/png", &png(2000, 2));
    let picture = Said::Wrote { id: "IN1", text: "A tart", file: Some((url, "image/png")) };
    post(scene, &scene.provider.callback(&picture, 1)).await;
    let text = Said::Wrote { id: "IN2", text: "Is it ready?", file: None };
    post(scene, &scene.provider.callback(&text, 2)).await;
}

fn both(has_file: bool) -> [(String, bool); 2] {
    [("A tart".to_owned(), has_file), ("Is it ready?".to_owned(), false)]
}

#[tokio::test]
async fn what_is_written_after_a_file_waits_for_it() {
    let scene = Scene::<Waha>::linked().await;
    scene.app.app.connectors.limit_to(FOREVER);
    for _ in 0..2 {
        scene.provider.asking.add(Trouble::Unavailable);
    }
    post_picture_and_text(&scene).await;
    for seconds in [0, 1] {
        scene.app.advance(seconds).await;
        assert_eq!(received(&scene.app).await, [], "{seconds}");
    }
    scene.app.advance(2).await;
    assert_eq!(received(&scene.app).await, both(true));
}

#[tokio::test]
async fn a_file_that_does_not_come_is_waited_for_a_minute() {
    let scene = Scene::<Waha>::linked().await;
    scene.app.app.connectors.limit_to(FOREVER);
    post_picture_and_text(&scene).await;
    scene.provider.replace(Some((503, "{}")));
    for seconds in [0, 15, 15, 15] {
        scene.app.advance(seconds).await;
        assert_eq!(received(&scene.app).await, []);
    }
    scene.app.advance(15).await;
    assert_eq!(received(&scene.app).await, both(false));
}

/// Whoever writes under an id that hides their number is asked for at the server.
#[tokio::test]
async fn what_keeps_failing_is_set_aside_and_stored_when_it_can_be() {
    let scene = Scene::<Waha>::linked().await;
    scene.app.app.connectors.limit_to(FOREVER);
    scene.provider.know("77", "15557770001");
    let session = scene.provider.newest();
    let payload = json!({ "id": "false_77@lid_IN1", "from": "77@lid", "fromMe": false, "to": "15550001111@c.us",
        "body": "Who am I?", "hasMedia": false });
    post(&scene, &Posted { body: scene.provider.event(&session, "message.any", 1000, payload), session }).await;
    let text = Said::Wrote { id: "IN2", text: "Is it ready?", file: None };
    post(&scene, &scene.provider.callback(&text, 2)).await;
    scene.provider.replace(Some((503, "{}")));
    scene.app.run_jobs().await;
    for seconds in (15..=150).step_by(15) {
        scene.app.advance(15).await;
        assert_eq!(received(&scene.app).await, [], "{seconds}");
    }
    scene.app.advance(15).await;
    let second = ("Is it ready?".to_owned(), false);
    assert_eq!(received(&scene.app).await, std::slice::from_ref(&second));
    scene.provider.replace(None);
    scene.app.advance(300).await;
    assert_eq!(received(&scene.app).await, [second, ("Who am I?".to_owned(), false)]);
}

#[tokio::test]
async fn what_one_worker_has_begun_no_other_overtakes() {
    let scene = Scene::<Waha>::linked().await;
    scene.app.app.connectors.limit_to(FOREVER);
    let other = scene.app.replica().await;
    post_picture_and_text(&scene).await;
    scene.provider.gate.close(Method::GET, "files/tart.png");
    let overtaking = async {
        scene.provider.gate.until_reached().await;
        other.run_jobs().await;
        assert_eq!(received(&other).await, []);
        scene.provider.gate.open();
    };
    tokio::join!(scene.app.run_jobs(), overtaking);
    assert_eq!(received(&other).await, both(true));
}

#[tokio::test]
async fn two_workers_store_a_conversation_in_its_order() {
    const MESSAGES: u32 = 60;
    let scene = Scene::<Waha>::linked().await;
    let other = scene.app.replica().await;
    let mut expected = Vec::new();
    for number in 1..=MESSAGES {
        let text = number.to_string();
        let said = Said::Wrote { id: text.clone().leak(), text: text.clone().leak(), file: None };
        post(&scene, &scene.provider.callback(&said, number)).await;
        expected.push((text, false));
    }
    let workers = [&scene.app, &other].map(|app| {
        let app = Arc::clone(&app.app);
        tokio::spawn(async move { job::work(Arc::clone(&app), app.stop.subscribe()).await })
    });
    let all = async {
        let stored = async || message::Entity::find().count(other.app.db.reader()).await.expect("a count");
        while stored().await < u64::from(MESSAGES) {
            scene.app.app.signals.publish(Signal::Work);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("all is stored");
    for worker in workers {
        worker.abort();
    }
    assert_eq!(received(&other).await, expected);
}
