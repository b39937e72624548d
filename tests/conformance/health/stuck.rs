//! What becomes of accounts whose session does not come up, or says that it works and takes no message.

use entity::{
    channel::{DisconnectReason, State},
    message::{self, Status},
};
use sea_orm::{EntityTrait, QueryOrder};

use crate::{
    conformance::{Provider, Remote, RemoteState, Scene, THEIRS},
    support::{
        evolution::Evolution,
        provider::{Fake, Played, Trouble},
        unipile::Unipile,
        waha::Waha,
    },
};

/// A provider that may take no message.
trait Refusing: Remote {
    /// How it says that the session is not ready.
    const NOT_READY: (u16, &'static str);

    /// It takes messages again.
    fn recover(&self);
}

fn forget<P: Played>(fake: &Fake<P>) {
    while fake.sending.next().is_some() {}
}

impl Refusing for Waha {
    const NOT_READY: (u16, &'static str) = (422, r#"{"statusCode":422,"message":"Session is not ready"}"#);

    fn recover(&self) {
        forget(self);
    }
}

impl Refusing for Evolution {
    const NOT_READY: (u16, &'static str) =
        (500, r#"{"status":500,"error":"Internal Server Error","response":{"message":"Connection Closed"}}"#);

    fn recover(&self) {
        forget(self);
    }
}

impl Refusing for Unipile {
    const NOT_READY: (u16, &'static str) = (401, r#"{"status":401,"type":"errors/disconnected_account"}"#);

    fn recover(&self) {
        forget(self);
    }
}

fn refuse<P: Refusing>(scene: &Scene<P>, times: usize) {
    for _ in 0..times {
        scene.provider.trouble(Trouble::Says(P::NOT_READY.0, P::NOT_READY.1));
    }
}

async fn a_session_that_starts_for_too_long_is_restarted<P: Provider + Remote>() {
    let scene = Scene::<P>::linked().await;
    let before = scene.channel().await;
    scene.provider.change(RemoteState::Starting, false).await;
    scene.app.run_jobs().await;
    assert_eq!((scene.account().await["connected"].clone(), scene.health().await), (true.into(), "degraded".into()));
    scene.app.advance(60).await;
    scene.provider.change(RemoteState::Working, false).await;
    scene.app.advance(61).await;
    assert_eq!((scene.provider.restarts(), scene.health().await), (0, "healthy".to_owned()));
    // Nobody is told that it hangs, so it is found when it is looked at.
    scene.provider.change(RemoteState::Starting, true).await;
    scene.probe().await;
    for (seconds, restarts) in [(119, 0), (1, 1), (30, 2), (60, 3), (119, 3)] {
        scene.app.advance(seconds).await;
        assert_eq!(
            (scene.provider.restarts(), scene.account().await["connected"].clone(), scene.health().await),
            (restarts, true.into(), "degraded".to_owned())
        );
    }
    scene.app.advance(1).await;
    let channel = scene.channel().await;
    assert_eq!((channel.state, channel.disconnect_reason), (State::Disconnected, Some(DisconnectReason::Stopped)));
    scene.probe().await;
    assert_eq!(scene.provider.restarts(), 3);
    assert!(!scene.provider.is_gone(&scene.app, before.session).await, "it may come back");
    scene.provider.change(RemoteState::Working, true).await;
    scene.probe().await;
    let after = scene.channel().await;
    assert_eq!((after.state, after.session), (State::Connected, before.session));
}

async fn a_session_that_takes_no_message_is_restarted<P: Refusing>() {
    let scene = Scene::<P>::linked().await;
    let before = scene.channel().await;
    refuse(&scene, 50);
    let id = scene.send(THEIRS, "Hello").await;
    let mut restarted = Vec::new();
    // Between two steps the message is tried again.
    for seconds in [2, 5, 15, 7, 1, 22, 8, 52, 8, 112, 7] {
        assert_eq!(
            (scene.account().await["connected"].clone(), scene.health().await),
            (true.into(), "degraded".to_owned())
        );
        scene.app.advance(seconds).await;
        restarted.push(scene.provider.restarts());
    }
    assert_eq!(restarted, [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 3]);
    scene.app.advance(1).await;
    let channel = scene.channel().await;
    assert_eq!((channel.state, channel.disconnect_reason), (State::Disconnected, Some(DisconnectReason::Stopped)));
    // What it says of itself is not believed at once.
    scene.provider.recover();
    scene.probe().await;
    assert_eq!(scene.account().await["connected"], false);
    assert!(!scene.provider.is_gone(&scene.app, before.session).await, "it may come back");
    assert_eq!(scene.app.message(id).await.status, Status::Queued);
    scene.app.advance(3600).await;
    scene.probe().await;
    scene.app.advance(5).await;
    assert_eq!((scene.channel().await.state, scene.channel().await.session), (State::Connected, before.session));
    assert_eq!((scene.app.message(id).await.status, scene.health().await), (Status::Sent, "healthy".to_owned()));
    assert_eq!((scene.provider.restarts(), scene.provider.taken(&scene.app, "Hello").await), (3, 1));
}

async fn a_message_that_is_refused_once_costs_nothing<P: Refusing>() {
    let scene = Scene::<P>::linked().await;
    refuse(&scene, 2);
    let id = scene.send(THEIRS, "Hello").await;
    assert_eq!(scene.health().await, "degraded");
    for (seconds, status) in [(2, Status::Queued), (5, Status::Sent)] {
        scene.app.advance(seconds).await;
        assert_eq!(scene.app.message(id).await.status, status);
    }
    assert_eq!(scene.health().await, "healthy");
    scene.app.advance(240).await;
    assert_eq!((scene.provider.restarts(), scene.account().await["connected"].clone()), (0, true.into()));
}

/// It is known why, so it is believed once it is back.
async fn a_session_that_is_down_may_refuse_messages<P: Refusing>() {
    let scene = Scene::<P>::linked().await;
    refuse(&scene, 50);
    scene.provider.change(RemoteState::Down, false).await;
    let id = scene.send(THEIRS, "Hello").await;
    for seconds in [2, 5, 15, 8, 22, 8, 30, 22, 8, 90] {
        scene.app.advance(seconds).await;
    }
    assert_eq!((scene.provider.restarts(), scene.channel().await.state), (3, State::Disconnected));
    scene.provider.recover();
    scene.provider.change(RemoteState::Working, false).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.channel().await.state, State::Connected);
    scene.app.advance(30).await;
    assert_eq!(scene.app.message(id).await.status, Status::Sent);
    // Nor is it restarted when it is back before the pause is over.
    refuse(&scene, 3);
    scene.provider.change(RemoteState::Down, false).await;
    let id = scene.send(THEIRS, "Hello again").await;
    for seconds in [2, 5] {
        scene.app.advance(seconds).await;
    }
    scene.provider.change(RemoteState::Working, false).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.health().await, "healthy");
    scene.app.advance(60).await;
    assert_eq!((scene.app.message(id).await.status, scene.provider.restarts()), (Status::Sent, 4));
}

macro_rules! every_refusing {
    ($name:ident, $provider:ty) => {
        mod $name {
            #[tokio::test]
            async fn a_session_that_takes_no_message_is_restarted() {
                super::a_session_that_takes_no_message_is_restarted::<$provider>().await;
            }

            #[tokio::test]
            async fn a_session_that_is_down_may_refuse_messages() {
                super::a_session_that_is_down_may_refuse_messages::<$provider>().await;
            }

            #[tokio::test]
            async fn a_message_that_is_refused_once_costs_nothing() {
                super::a_message_that_is_refused_once_costs_nothing::<$provider>().await;
            }
        }
    };
}

every_refusing!(waha, crate::support::waha::Waha);
every_refusing!(evolution, crate::support::evolution::Evolution);
every_refusing!(unipile, crate::support::unipile::Unipile);

/// That of Evolution says `connecting`, as one does that looks for its way back.
#[tokio::test]
async fn a_session_that_starts_for_too_long_is_restarted_everywhere() {
    a_session_that_starts_for_too_long_is_restarted::<Waha>().await;
    a_session_that_starts_for_too_long_is_restarted::<Unipile>().await;
}

async fn a_session_that_starts_and_fails_is_restarted_at_once<P: Provider + Remote>() {
    let scene = Scene::<P>::linked().await;
    for state in [RemoteState::Starting, RemoteState::Down] {
        scene.provider.change(state, false).await;
        scene.app.run_jobs().await;
    }
    assert_eq!((scene.provider.restarts(), scene.health().await), (1, "degraded".to_owned()));
}

#[tokio::test]
async fn a_session_that_starts_and_fails_is_restarted_at_once_everywhere() {
    a_session_that_starts_and_fails_is_restarted_at_once::<Waha>().await;
    a_session_that_starts_and_fails_is_restarted_at_once::<Unipile>().await;
}

#[tokio::test]
async fn what_an_engine_of_waha_cannot_do_costs_the_message_alone() {
    let scene = Scene::<Waha>::linked().await;
    let plus = r#"{"statusCode":422,"message":"The feature is available only in Plus version for 'NOWEB' engine"}"#;
    let to = Provider::trouble(&scene.provider, Trouble::Says(422, plus));
    let id = scene.send(&to, "Hello").await;
    assert_eq!((scene.app.message(id).await.status, scene.used().await), (Status::Failed, 0));
    scene.app.advance(240).await;
    assert_eq!((scene.provider.restarts(), scene.account().await["connected"].clone()), (0, true.into()));
}

/// What came before it is known that the session is back does not keep that from being known.
#[tokio::test]
async fn what_comes_through_a_session_that_is_back_is_stored_in_its_order() {
    let scene = Scene::<Waha>::linked().await;
    Remote::change(&scene.provider, RemoteState::Down, false).await;
    scene.app.run_jobs().await;
    for seconds in [30, 60, 120] {
        scene.app.advance(seconds).await;
    }
    assert_eq!(scene.channel().await.state, State::Disconnected);
    Remote::change(&scene.provider, RemoteState::Working, true).await;
    for text in ["I am", "I am back"] {
        Provider::write(&scene.provider, &scene.app, THEIRS, text).await;
        scene.app.advance(1).await;
    }
    Remote::change(&scene.provider, RemoteState::Working, false).await;
    Provider::write(&scene.provider, &scene.app, THEIRS, "I am back again").await;
    for _ in 0..12 {
        scene.app.advance(1).await;
    }
    let stored = message::Entity::find().order_by_asc(message::Column::Id).all(scene.app.app.db.reader()).await;
    let texts: Vec<Option<String>> = stored.expect("messages").into_iter().map(|one| one.text).collect();
    assert_eq!(texts, ["I am", "I am back", "I am back again"].map(|text| Some(text.to_owned())));
    assert_eq!(scene.channel().await.state, State::Connected);
}
