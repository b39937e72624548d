//! Sessions that were given up and may come back: not once their channel is deleted, or linked anew. And how all sessions
//! are looked at.

use std::time::Duration;

use entity::{channel::DisconnectReason, connector_session, id::AttemptId};
use quartermaster::{connector::session, db};
use reqwest::Method;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};
use serde_json::json;

use crate::{
    conformance::{Remote, RemoteState, Scene},
    support::waha::Waha,
};

/// With an account whose session was given up.
async fn given_up<P: Remote>() -> Scene<P> {
    let scene = Scene::<P>::linked().await;
    scene.provider.change(RemoteState::Down, false).await;
    for seconds in [0, 30, 60, 120] {
        scene.app.advance(seconds).await;
    }
    assert_eq!(scene.channel().await.disconnect_reason, Some(DisconnectReason::Stopped));
    scene
}

/// How many sessions are looked at when all are due.
async fn looked_at<P: Remote>(scene: &Scene<P>) -> u64 {
    scene.app.clock.advance(Duration::from_secs(301));
    let count = session::probe(&scene.app.app).await.expect("a probe");
    scene.app.run_jobs().await;
    count
}

async fn what_is_deleted_is_not_kept<P: Remote>() {
    let scene = given_up::<P>().await;
    let channel = scene.channel().await;
    assert_eq!(looked_at(&scene).await, 1);
    let path = format!("/channels/ch_{}?force=true", channel.id);
    let deleted = scene.linktor(Method::DELETE, &path, json!(null)).await;
    assert!(deleted.status.is_success(), "{}", deleted.text);
    scene.app.run_jobs().await;
    assert!(scene.provider.is_gone(&scene.app, channel.session).await);
    assert_eq!(looked_at(&scene).await, 0);
}

async fn what_is_linked_anew_is_not_kept<P: Remote>() {
    let scene = given_up::<P>().await;
    let before = scene.channel().await;
    let after = scene.link().await;
    scene.app.run_jobs().await;
    assert_eq!((before.account_id, before.session == after.session), (after.account_id, false));
    assert!(scene.provider.is_gone(&scene.app, before.session).await);
    assert_eq!(looked_at(&scene).await, 1);
}

macro_rules! every_kept {
    ($name:ident, $provider:ty) => {
        mod $name {
            #[tokio::test]
            async fn what_is_deleted_is_not_kept() {
                super::what_is_deleted_is_not_kept::<$provider>().await;
            }

            #[tokio::test]
            async fn what_is_linked_anew_is_not_kept() {
                super::what_is_linked_anew_is_not_kept::<$provider>().await;
            }
        }
    };
}

every_kept!(waha, crate::support::waha::Waha);
every_kept!(evolution, crate::support::evolution::Evolution);
every_kept!(unipile, crate::support::unipile::Unipile);

/// Copies of the session that there is, whose callbacks are signed with this.
async fn copies(scene: &Scene<Waha>, count: usize, secret: &[u8]) {
    let app = &scene.app.app;
    let known = connector_session::Entity::find().one(app.db.reader()).await.expect("a look").expect("a session");
    db::write(&app.db, "test", async |tx| {
        for _ in 0..count {
            let mut row = known.clone().into_active_model().reset_all();
            row.id = Set(AttemptId(app.clock.uuid()));
            row.callback_secret = Set(secret.to_vec());
            connector_session::Entity::insert(row).exec_without_returning(tx).await?;
        }
        Ok(())
    })
    .await
    .expect("sessions");
}

/// More than are asked for at once.
#[tokio::test]
async fn all_sessions_are_looked_at_in_one_go() {
    let scene = Scene::<Waha>::linked().await;
    copies(&scene, 450, b"unreadable").await;
    scene.app.clock.advance(Duration::from_secs(301));
    let probe = async || session::probe(&scene.app.app).await.expect("a probe");
    assert_eq!((probe().await, probe().await), (451, 0));
}

#[tokio::test]
async fn sessions_that_cannot_be_read_hold_up_no_other() {
    let scene = Scene::<Waha>::linked().await;
    copies(&scene, 3, b"unreadable").await;
    Remote::change(&scene.provider, RemoteState::Down, true).await;
    for _ in 0..2 {
        looked_at(&scene).await;
    }
    assert_eq!(scene.provider.restarts(), 2);
}
