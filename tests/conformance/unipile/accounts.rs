//! What becomes of an account in each state that Unipile tells of, as the Connect API and webhooks tell it.

use std::time::Duration;

use entity::{
    channel::{ConnectorKind, Network, State},
    id::PartnerId,
};
use quartermaster::{
    caller::Origin,
    connector::{
        registry::{self, SetDefault},
        session,
    },
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    conformance::Scene,
    support::{
        Answer, Setup,
        page::Page,
        receiver::Receiver,
        unipile::{PASSWORD, Unipile},
    },
};

/// A linked account, and who is told what happens to it.
struct Portal {
    scene: Scene<Unipile>,
    receiver: Receiver,
}

impl Portal {
    async fn open() -> Self {
        let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
        let scene = Scene::<Unipile>::at(app).await;
        let receiver = Receiver::start().await;
        let token = scene.token().await;
        let events = ["channel.error", "channel.connected", "channel.disconnected", "channel.credentials_required"];
        let hook = scene.app.http.post(format!("{}/v1/webhooks", scene.app.base)).bearer_auth(token.token());
        Answer::of(hook.json(&json!({ "url": receiver.url(), "events": events }))).await.expect(201);
        let portal = Self { scene, receiver };
        portal.connect().await;
        assert_eq!(portal.shown(Method::POST, "refresh").await, ("OK".to_owned(), true));
        portal
    }

    /// A phone scans what the Connect API shows.
    async fn connect(&self) {
        self.call(Method::POST, "connect").await.expect(200);
        self.scene.provider.link(&self.id(), "15550001111").await;
        self.scene.app.run_jobs().await;
        assert!(self.told().await.contains(&"channel.connected".to_owned()));
    }

    fn id(&self) -> String {
        self.scene.provider.newest()
    }

    async fn call(&self, method: Method, path: &str) -> Answer {
        let request =
            self.scene.app.http.request(method, format!("{}/api/v1/channels/whatsapp/{path}", self.scene.app.base));
        Answer::of(request.header("X-Api-Key", self.scene.token().await.token())).await
    }

    async fn data(&self, method: Method, path: &str) -> Value {
        self.call(method, path).await.expect(200)["data"].clone()
    }

    /// How it stands, and whether it is said to be connected.
    async fn shown(&self, method: Method, path: &str) -> (String, bool) {
        let data = self.data(method, path).await;
        let sync = data["sync_status"].as_str().expect("a status").to_owned();
        (sync, data["is_connected"].as_bool().expect("a flag"))
    }

    /// What has been told since it was last asked, sorted.
    async fn told(&self) -> Vec<String> {
        self.scene.app.run_jobs().await;
        let mut told: Vec<String> = self
            .receiver
            .received()
            .iter()
            .map(|one| one.json()["event"].as_str().expect("a type").to_owned())
            .collect();
        self.receiver.forget();
        told.sort();
        told
    }

    /// Unipile changes the account's state, and says so or not.
    async fn change(&self, status: &str, is_told: bool) {
        // The same word at the same instant would be the same event.
        self.scene.app.clock.advance(Duration::from_secs(1));
        match is_told {
            true => self.scene.provider.change(&self.id(), status, status).await,
            false => self.scene.provider.change_silently(&self.id(), status),
        }
        self.scene.app.run_jobs().await;
    }

    async fn probe(&self) {
        self.scene.app.clock.advance(Duration::from_secs(301));
        session::probe(&self.scene.app.app).await.expect("a probe");
        self.scene.app.run_jobs().await;
    }

    /// Nothing was deleted at Unipile, or begun anew.
    fn is_kept(&self) -> bool {
        self.scene.provider.account(&self.id()).is_some() && self.scene.provider.removed().is_empty()
    }
}

fn of(sync: &str, is_connected: bool) -> (String, bool) {
    (sync.to_owned(), is_connected)
}

#[tokio::test]
async fn an_account_that_is_impaired_stays_connected() {
    let portal = Portal::open().await;
    for status in ["ERROR", "PERMISSIONS"] {
        let worked_at = portal.data(Method::GET, "status").await["last_synced_at"].clone();
        portal.change(status, true).await;
        assert_eq!(portal.told().await, ["channel.error"], "{status}");
        for _ in 0..3 {
            portal.probe().await;
        }
        assert_eq!(portal.shown(Method::GET, "status").await, of("ERROR", true), "{status}");
        assert_eq!(portal.shown(Method::POST, "refresh").await, of("ERROR", true), "{status}");
        assert_eq!(portal.data(Method::GET, "status").await["last_synced_at"], worked_at, "it has not worked since");
        let account = portal.scene.provider.account(&portal.id()).expect("an account");
        assert_eq!((account.restarts, portal.is_kept(), portal.told().await), (0, true, vec![]), "{status}");
        portal.change("OK", false).await;
        assert_eq!(portal.shown(Method::POST, "refresh").await, of("OK", true), "{status}");
        assert_ne!(portal.data(Method::GET, "status").await["last_synced_at"], worked_at);
        assert_eq!(portal.told().await, ["channel.connected"], "{status}");
    }
}

#[tokio::test]
async fn an_account_that_is_stopped_is_kept() {
    let portal = Portal::open().await;
    portal.change("STOPPED", true).await;
    for seconds in [30, 60, 120] {
        assert_eq!(portal.shown(Method::GET, "status").await, of("ERROR", true), "it is being restarted");
        portal.scene.app.advance(seconds).await;
    }
    assert_eq!(portal.shown(Method::GET, "status").await, of("STOPPED", false));
    assert_eq!(portal.told().await, ["channel.disconnected", "channel.error"]);
    portal.probe().await;
    assert_eq!(portal.shown(Method::POST, "refresh").await, of("STOPPED", false));
    assert!(portal.is_kept());
    portal.change("OK", false).await;
    assert_eq!(portal.shown(Method::GET, "status").await, of("STOPPED", false), "nobody has looked");
    assert_eq!(portal.shown(Method::POST, "refresh").await, of("OK", true));
    assert_eq!(portal.told().await, ["channel.connected"]);
    assert!(portal.is_kept());
}

#[tokio::test]
async fn an_account_whose_credentials_are_asked_for_is_kept_until_it_is_let_go() {
    let portal = Portal::open().await;
    let channel = portal.scene.channel().await;
    for way in ["refresh", "callback", "probe"] {
        portal.change("CREDENTIALS", true).await;
        assert_eq!(portal.told().await, ["channel.credentials_required", "channel.disconnected"], "{way}");
        assert_eq!(portal.shown(Method::GET, "status").await, of("CREDENTIALS", false), "{way}");
        assert_eq!(portal.shown(Method::POST, "refresh").await, of("CREDENTIALS", false), "{way}");
        assert!(portal.is_kept(), "{way}");
        match way {
            "refresh" => {
                portal.change("OK", false).await;
                let refreshed = portal.data(Method::POST, "refresh").await;
                assert_eq!((&refreshed["sync_status"], &refreshed["is_connected"]), (&json!("OK"), &json!(true)));
            }
            "callback" => portal.change("OK", true).await,
            _ => {
                portal.change("OK", false).await;
                portal.probe().await;
            }
        }
        assert_eq!(portal.shown(Method::GET, "status").await, of("OK", true), "{way}");
        assert_eq!(portal.told().await, ["channel.connected"], "{way}");
        assert_eq!(portal.scene.channel().await.session, channel.session, "{way}");
    }
    // What is disconnected does not come back, and nothing is left of it.
    portal.change("CREDENTIALS", true).await;
    let gone = portal.call(Method::POST, "disconnect").await;
    assert_eq!(gone.status.as_u16(), 204, "{}", gone.text);
    portal.scene.app.run_jobs().await;
    assert_eq!(portal.scene.provider.removed(), [portal.id()]);
    portal.probe().await;
    assert_eq!(portal.call(Method::GET, "status").await.status.as_u16(), 404);
}

/// Unipile may give an account that signs in again the id that it had.
#[tokio::test]
async fn an_account_that_is_begun_anew_under_its_id_stays() {
    let portal = Portal::open().await;
    let before = portal.scene.channel().await;
    portal.change("CREDENTIALS", true).await;
    portal.scene.provider.next_is(&portal.id());
    portal.connect().await;
    let after = portal.scene.channel().await;
    assert_eq!((after.account_id, after.session == before.session), (before.account_id, false));
    portal.scene.app.advance(60).await;
    portal.probe().await;
    assert_eq!(portal.shown(Method::POST, "refresh").await, of("OK", true));
}

/// An id that is another channel's account stays with it.
#[tokio::test]
async fn an_account_that_is_connected_is_not_taken_over() {
    let portal = Portal::open().await;
    let (id, before) = (portal.id(), portal.scene.channel().await);
    portal.scene.provider.next_is(&id);
    let page = portal.scene.page().await;
    let shown = page.start().await;
    assert_eq!((shown.state(), &shown.0["error"]["code"]), ("failed", &json!("duplicate_account")));
    portal.scene.app.advance(10).await;
    assert!(portal.scene.provider.removed().is_empty());
    portal.scene.provider.link(&id, "15550001111").await;
    portal.probe().await;
    assert_eq!(portal.shown(Method::POST, "refresh").await, of("OK", true));
    assert_eq!(portal.scene.channel().await.session, before.session);
}

#[tokio::test]
async fn what_comes_after_the_loss_is_told() {
    let portal = Portal::open().await;
    portal.change("STOPPED", true).await;
    for seconds in [30, 60, 120] {
        portal.scene.app.advance(seconds).await;
    }
    let worked_at = portal.data(Method::GET, "status").await["last_synced_at"].clone();
    portal.told().await;
    portal.change("CREDENTIALS", true).await;
    assert_eq!(portal.shown(Method::GET, "status").await, of("CREDENTIALS", false));
    assert_eq!(portal.told().await, ["channel.credentials_required"]);
    portal.probe().await;
    assert!(portal.told().await.is_empty(), "once");
    assert_eq!(portal.data(Method::GET, "status").await["last_synced_at"], worked_at);
    // A provider that does not answer costs nobody an account that it has kept.
    portal.scene.provider.refuse_key(true);
    let refused = portal.call(Method::POST, "connect").await;
    assert_eq!(refused.status.as_u16(), 503, "{}", refused.text);
    portal.scene.provider.refuse_key(false);
    portal.scene.app.run_jobs().await;
    assert!(portal.is_kept());
    // What works with another number is not what was connected.
    portal.scene.provider.link(&portal.id(), "15550009999").await;
    portal.scene.app.run_jobs().await;
    assert_eq!(portal.shown(Method::POST, "refresh").await, of("CREDENTIALS", false));
    portal.scene.app.clock.advance(Duration::from_secs(1));
    portal.scene.provider.link(&portal.id(), "15550001111").await;
    portal.scene.app.run_jobs().await;
    assert_eq!(portal.shown(Method::GET, "status").await, of("OK", true));
}

/// Also by the partner, and by itself after thirty days.
#[tokio::test]
async fn what_was_kept_is_let_go() {
    for is_asked in [true, false] {
        let portal = Portal::open().await;
        portal.change("CREDENTIALS", true).await;
        if is_asked {
            let owner = portal.scene.account().await["user_id"].clone();
            let path = format!("/workspaces/{}/users/{owner}/whatsapp/disconnect", portal.scene.workspace);
            portal.scene.acme.post(&path, json!(null)).await.expect(200);
            portal.scene.app.run_jobs().await;
        } else {
            portal.scene.app.clock.advance(Duration::from_secs(29 * 24 * 3600));
            portal.probe().await;
            assert!(portal.is_kept());
            portal.scene.app.clock.advance(Duration::from_secs(24 * 3600));
            portal.probe().await;
        }
        assert_eq!(portal.scene.provider.removed(), [portal.id()], "asked: {is_asked}");
        assert_eq!(portal.shown(Method::POST, "refresh").await, of("STOPPED", false));
    }
}

/// Whoever disconnects a user's WhatsApp means nothing else of the user's.
#[tokio::test]
async fn an_account_on_another_network_stays() {
    let scene = Scene::<Unipile>::new().await;
    let partner_id = Some(PartnerId::parse("acme").expect("an id"));
    let choice = SetDefault { partner_id, network: Network::Telegram, connector: Some(ConnectorKind::Unipile) };
    registry::set_default(&scene.app.app, &Origin::operator(), &choice).await.expect("a choice");
    let url = scene.acme.link_on(&scene.workspace, scene.user, "telegram").await;
    Page::open(&scene.app.http, &url).start().await;
    scene.app.run_jobs().await;
    let id = scene.provider.newest();
    scene.provider.link(&id, "15550001111").await;
    scene.app.run_jobs().await;
    let path = format!("/workspaces/{}/users/{}/whatsapp/disconnect", scene.workspace, scene.user);
    for status in ["OK", "CREDENTIALS"] {
        scene.app.clock.advance(Duration::from_secs(1));
        scene.provider.change(&id, status, status).await;
        scene.app.run_jobs().await;
        let before = scene.channel().await;
        assert_eq!((before.network, before.state == State::Connected), (Network::Telegram, status == "OK"));
        let outcome = scene.acme.post_empty(&path).await.expect(200);
        assert_eq!(outcome["disconnected"], false, "{outcome}");
        scene.app.run_jobs().await;
        assert_eq!((scene.channel().await, scene.provider.removed()), (before, vec![]), "{status}");
    }
    scene.app.clock.advance(Duration::from_secs(1));
    scene.provider.change(&id, "OK", "OK").await;
    scene.app.run_jobs().await;
    assert_eq!(scene.channel().await.state, State::Connected);
    // A new link takes the place of all.
    scene.acme.link(&scene.workspace, scene.user).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.provider.removed(), [id]);
}

/// An account that was kept comes back to who signs in as before, and to nobody who signs in otherwise.
#[tokio::test]
async fn what_was_kept_signs_in_with_what_it_had() {
    let scene = Scene::<Unipile>::new().await;
    let partner_id = Some(PartnerId::parse("acme").expect("an id"));
    let choice = SetDefault { partner_id, network: Network::Instagram, connector: Some(ConnectorKind::Unipile) };
    registry::set_default(&scene.app.app, &Origin::operator(), &choice).await.expect("a choice");
    let token = scene.token().await;
    let connect = async |country: &str| {
        let body = json!({ "username": "my_brand", "password": PASSWORD, "country": country });
        let request = scene.app.http.post(format!("{}/api/v1/channels/instagram/connect", scene.app.base));
        let answer = Answer::of(request.header("X-Api-Key", token.token()).json(&body)).await.expect(200);
        assert_eq!(answer["data"]["is_connected"], true, "{answer}");
        scene.app.run_jobs().await;
        scene.channel().await.session
    };
    let first = connect("SA").await;
    let id = scene.provider.newest();
    for (country, is_same) in [("SA", true), ("AE", false)] {
        scene.app.clock.advance(Duration::from_secs(1));
        scene.provider.change(&id, "CREDENTIALS", "CREDENTIALS").await;
        scene.app.run_jobs().await;
        assert_eq!(scene.channel().await.state, State::Disconnected, "{country}");
        scene.provider.change_silently(&id, "OK");
        let session = connect(country).await;
        assert_eq!((session == first, scene.provider.newest() == id), (is_same, is_same), "{country}");
        assert_eq!(scene.provider.removed().contains(&id), !is_same, "{country}");
    }
}

/// Two at once: whoever asks for it, and the provider that has it back.
#[tokio::test]
async fn what_comes_back_does_so_once() {
    let portal = Portal::open().await;
    portal.change("CREDENTIALS", true).await;
    portal.told().await;
    portal.change("OK", false).await;
    let looks = (0..8).map(|_| portal.call(Method::POST, "refresh"));
    for seen in futures_util::future::join_all(looks).await {
        let seen = seen.expect(200);
        assert_eq!((&seen["data"]["sync_status"], &seen["data"]["is_connected"]), (&json!("OK"), &json!(true)));
    }
    assert_eq!(portal.told().await, ["channel.connected"]);
}

/// A user who has lost the seat meanwhile has no account that works, and gets it back with the seat.
#[tokio::test]
async fn what_comes_back_to_a_suspended_user_is_suspended() {
    let scene = Scene::<Unipile>::linked().await;
    let id = scene.provider.newest();
    scene.provider.change(&id, "CREDENTIALS", "CREDENTIALS").await;
    scene.app.run_jobs().await;
    assert_eq!(scene.account().await["connected"], false);
    let path = format!("/workspaces/{}", scene.workspace);
    scene.acme.patch(&path, json!({ "seats_purchased": 1 })).await.expect(200);
    scene.provider.change(&id, "OK", "RECONNECTED").await;
    scene.app.run_jobs().await;
    let channel = scene.channel().await;
    assert_eq!((channel.state.to_string().as_str(), channel.suspended), ("connected", true));
    scene.acme.patch(&path, json!({ "seats_purchased": 3 })).await.expect(200);
    assert!(!scene.channel().await.suspended);
    scene.send(crate::conformance::THEIRS, "Hello").await;
    scene.app.advance(5).await;
    assert_eq!(scene.provider.sent().len(), 1);
}
