//! What becomes of accounts when their provider says that it does not find something, when something else says it in its
//! place, and when nobody answers at all.

use std::time::Duration;

use entity::{
    channel::{DisconnectReason, State},
    connector_session, job,
    message::Status,
};
use quartermaster::connector::session;
use sea_orm::EntityTrait;
use serde_json::json;

use crate::{
    conformance::{Provider, Remote, Scene, THEIRS},
    support::{
        evolution::Evolution,
        provider::{Fake, Played, Trouble},
        unipile::Unipile,
        waha::Waha,
    },
};

/// What others answer in a provider's place, and a provider at a path that it does not know.
const OTHERS: [(u16, &str); 6] = [
    (404, "404 page not found"),
    (410, ""),
    (404, r#"{"statusCode":404,"message":"Cannot GET /base/api/sessions/a","error":"Not Found"}"#),
    (404, r#"{"statusCode":404,"message":"Resource not found"}"#),
    (404, r#"{"status":404,"error":"Not Found","response":{"message":["Cannot GET /base/instance/a"]}}"#),
    (404, r#"{"status":404,"type":"errors/resource_not_found","title":"Resource not found."}"#),
];

/// A provider that may be away.
trait Replaced {
    /// Something else answers this to everything in its place, or nothing does any more.
    fn replace_by(&self, by: Option<(u16, &'static str)>);

    /// How many troubles are to come that are not about messages.
    fn troubles_left(&self) -> usize;
}

impl<P: Played> Replaced for Fake<P> {
    fn replace_by(&self, by: Option<(u16, &'static str)>) {
        self.replace(by);
    }

    fn troubles_left(&self) -> usize {
        self.asking.left()
    }
}

/// A provider that may lose a session, or be away.
trait Forgetful: Remote + Replaced {
    /// The session that was started last is removed without us, and nothing is said.
    fn lose(&self);
}

impl Forgetful for Waha {
    fn lose(&self) {
        self.forget(&self.newest());
    }
}

impl Forgetful for Evolution {
    fn lose(&self) {
        self.forget(&self.newest());
    }
}

impl Forgetful for Unipile {
    fn lose(&self) {
        self.forget(&self.newest());
    }
}

impl<P: Provider> Scene<P> {
    pub(super) async fn probe(&self) {
        self.app.clock.advance(Duration::from_secs(301));
        session::probe(&self.app.app).await.expect("a probe");
        self.app.run_jobs().await;
    }

    pub(super) async fn health(&self) -> String {
        self.shown().await["attributes"]["health"]["status"].as_str().expect("a health").to_owned()
    }

    /// How many looks at sessions are stored.
    async fn looks(&self) -> usize {
        self.stored("session_changed").await
    }

    /// How much work of a kind is stored.
    async fn stored(&self, kind: &str) -> usize {
        let stored = job::Entity::find().all(self.app.app.db.reader()).await.expect("jobs");
        stored.iter().filter(|job| job.work.contains(kind)).count()
    }
}

/// Nothing here waits for an answer that does not come.
async fn patient<P: Provider>() -> Scene<P> {
    let scene = Scene::<P>::new().await;
    scene.app.app.connectors.limit_to(Duration::from_secs(10));
    scene
}

async fn linked<P: Provider>() -> Scene<P> {
    let scene = patient::<P>().await;
    scene.link().await;
    scene
}

async fn what_is_not_the_providers_word_costs_no_account<P: Forgetful>() {
    let scene = linked::<P>().await;
    let before = scene.channel().await;
    for (index, by) in OTHERS.into_iter().enumerate() {
        scene.provider.replace_by(Some(by));
        for _ in 0..3 {
            scene.probe().await;
        }
        assert_eq!(
            (scene.account().await["connected"].clone(), scene.health().await),
            (true.into(), "degraded".into())
        );
        let text = format!("Hello {index}");
        let id = scene.send(THEIRS, &text).await;
        assert_eq!(scene.app.message(id).await.status, Status::Queued, "{by:?}");
        scene.provider.replace_by(None);
        scene.probe().await;
        assert_eq!(scene.health().await, "healthy", "{by:?}");
        scene.app.advance(10).await;
        assert_eq!(scene.app.message(id).await.status, Status::Sent, "{by:?}");
        assert_eq!((scene.channel().await.session, scene.provider.restarts()), (before.session, 0), "{by:?}");
    }
    // Nor is what is to be ended taken for ended.
    scene.provider.replace_by(Some(OTHERS[0]));
    let path = format!("/workspaces/{}/users/{}/whatsapp/disconnect", scene.workspace, scene.user);
    scene.acme.post_empty(&path).await.expect(200);
    scene.app.run_jobs().await;
    scene.provider.replace_by(None);
    assert!(!scene.provider.is_gone(&scene.app, before.session).await);
    scene.app.advance(10).await;
    assert!(scene.provider.is_gone(&scene.app, before.session).await);
}

async fn what_is_gone_is_over_after_several_looks<P: Forgetful>() {
    let scene = linked::<P>().await;
    let before = scene.channel().await;
    scene.provider.lose();
    scene.probe().await;
    for seconds in [30, 60, 119] {
        scene.app.advance(seconds).await;
        assert_eq!(
            (scene.account().await["connected"].clone(), scene.health().await),
            (true.into(), "degraded".into())
        );
    }
    scene.app.advance(1).await;
    let channel = scene.channel().await;
    assert_eq!((channel.state, channel.disconnect_reason), (State::Disconnected, Some(DisconnectReason::LoggedOut)));
    let row = connector_session::Entity::find_by_id(before.session).one(scene.app.app.db.reader()).await;
    let ended_at = row.expect("a look").expect("a session").ended_at;
    assert_eq!(ended_at.is_some(), !P::KEEPS_ACCOUNTS, "what is kept is looked at still");
    // It is linked again as any other.
    assert_eq!(scene.link().await.account_id, before.account_id);
}

async fn a_session_waits_for_one_look<P: Forgetful>() {
    let scene = linked::<P>().await;
    scene.app.run_jobs().await;
    scene.provider.replace_by(Some((503, "")));
    for _ in 0..5 {
        scene.probe().await;
        assert_eq!(scene.looks().await, 1);
    }
    scene.provider.replace_by(None);
    scene.app.advance(301).await;
    assert_eq!((scene.looks().await, scene.health().await), (0, "healthy".to_owned()));
    // However many look for those that have not been looked at.
    scene.app.clock.advance(Duration::from_secs(301));
    let probes = (0..8).map(|_| session::probe(&scene.app.app));
    let probed = futures_util::future::join_all(probes).await.into_iter().map(|count| count.expect("a probe"));
    assert_eq!((probed.sum::<u64>(), scene.looks().await), (1, 1));
    scene.app.run_jobs().await;
    assert_eq!(scene.looks().await, 0);
}

/// Who does not say for how long is left alone for five seconds while somebody waits, and tries again later otherwise.
async fn a_limit_without_a_time_is_waited_for<P: Forgetful>() {
    let scene = patient::<P>().await;
    let page = scene.page().await;
    for _ in 0..2 {
        scene.provider.trouble_asking(Trouble::Limited(None));
    }
    assert_eq!((page.start().await.state(), scene.provider.troubles_left()), ("connecting", 1));
    scene.app.advance(4).await;
    assert_eq!(scene.provider.troubles_left(), 1);
    scene.app.advance(1).await;
    assert_eq!((page.now().await.state(), scene.provider.troubles_left()), ("connecting", 0));
    scene.app.advance(5).await;
    let code = scene.provider.show_code(&scene.app, &page).await;
    scene.provider.link(&scene.app, &code).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.account().await["connected"], true);
    scene.provider.trouble_asking(Trouble::Limited(None));
    scene.probe().await;
    assert_eq!((scene.provider.troubles_left(), scene.looks().await), (0, 1));
    assert_eq!((scene.account().await["connected"].clone(), scene.health().await), (true.into(), "degraded".into()));
    scene.app.advance(1).await;
    assert_eq!((scene.looks().await, scene.health().await), (0, "healthy".to_owned()));
}

/// Whether its provider still has it or not, and whoever answers there.
async fn what_was_kept_for_thirty_days_is_let_go<P: Forgetful>() {
    for answers in [true, false] {
        let scene = linked::<P>().await;
        scene.provider.change(crate::conformance::RemoteState::Down, false).await;
        for seconds in [0, 30, 60, 120] {
            scene.app.advance(seconds).await;
        }
        let channel = scene.channel().await;
        assert_eq!((channel.state, channel.disconnect_reason), (State::Disconnected, Some(DisconnectReason::Stopped)));
        scene.app.clock.advance(Duration::from_secs(29 * 24 * 3600));
        scene.probe().await;
        assert!(!scene.provider.is_gone(&scene.app, channel.session).await, "answers: {answers}");
        if !answers {
            scene.provider.replace_by(Some((503, "")));
        }
        scene.app.clock.advance(Duration::from_secs(24 * 3600));
        scene.probe().await;
        assert_eq!(scene.channel().await.disconnect_reason, Some(DisconnectReason::Requested), "answers: {answers}");
        scene.provider.replace_by(None);
        scene.app.advance(10).await;
        assert!(scene.provider.is_gone(&scene.app, channel.session).await, "answers: {answers}");
        // What works now works for nobody.
        assert_eq!(scene.account().await["connected"], json!(false));
    }
}

macro_rules! every_forgetful {
    ($name:ident, $provider:ty) => {
        mod $name {
            #[tokio::test]
            async fn what_is_not_the_providers_word_costs_no_account() {
                super::what_is_not_the_providers_word_costs_no_account::<$provider>().await;
            }

            #[tokio::test]
            async fn what_is_gone_is_over_after_several_looks() {
                super::what_is_gone_is_over_after_several_looks::<$provider>().await;
            }

            #[tokio::test]
            async fn a_session_waits_for_one_look() {
                super::a_session_waits_for_one_look::<$provider>().await;
            }

            #[tokio::test]
            async fn a_limit_without_a_time_is_waited_for() {
                super::a_limit_without_a_time_is_waited_for::<$provider>().await;
            }

            #[tokio::test]
            async fn what_was_kept_for_thirty_days_is_let_go() {
                super::what_was_kept_for_thirty_days_is_let_go::<$provider>().await;
            }
        }
    };
}

every_forgetful!(waha, crate::support::waha::Waha);
every_forgetful!(evolution, crate::support::evolution::Evolution);
every_forgetful!(unipile, crate::support::unipile::Unipile);

/// What says so is the provider itself; anything else may have the message again tomorrow.
#[tokio::test]
async fn a_reaction_to_what_the_provider_does_not_have_is_left() {
    reaction_is_left::<Waha>(r#"{"statusCode":404,"message":"Message not found"}"#).await;
    reaction_is_left::<Evolution>(r#"{"status":404,"error":"Not Found","response":{"message":["Message not found"]}}"#)
        .await;
}

async fn reaction_is_left<P: Forgetful>(said: &'static str) {
    let scene = linked::<P>().await;
    let id = scene.send(THEIRS, "Hello").await;
    let token = scene.token().await;
    for (said, emoji, stored) in [(said, "❤️", 0), ("404 page not found", "🎉", 1)] {
        scene.provider.replace_by(Some((404, said)));
        token.patch(&format!("/messages/{id}/reactions"), json!({ "reaction": emoji })).await.expect(200);
        scene.app.run_jobs().await;
        assert_eq!(scene.stored("send_reaction").await, stored, "{said}");
    }
}
