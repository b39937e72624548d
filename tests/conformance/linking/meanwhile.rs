//! What happens to a session while its provider is making it, or is asked for it.

use std::{sync::Arc, time::Duration};

use entity::{
    attempt::Failure,
    channel::{self, ConnectorKind, Network},
    connector_session,
    id::{AttemptId, PartnerId},
};
use poem::http::Method as Asked;
use quartermaster::{
    caller::Origin,
    connector::{
        Observation,
        registry::{self, SetDefault},
    },
};
use reqwest::Method;
use sea_orm::{ActiveModelTrait, EntityTrait, Set, Unchanged};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    conformance::{Provider, Remote, RemoteState, Scene},
    support::{
        Answer, Setup,
        provider::{Fake, Played, Trouble},
        receiver::Receiver,
        unipile::{CODE, PASSWORD, Unipile},
        waha::Waha,
    },
};

/// Longer than anything is held up here.
const PATIENT: Duration = Duration::from_secs(30);

/// A customer's system that may have several calls under way.
struct Client<P>(Arc<Scene<P>>);

impl<P: Remote + Send + Sync + 'static> Client<P> {
    async fn new() -> Self {
        Self::of(Scene::<P>::new().await)
    }

    fn of(scene: Scene<P>) -> Self {
        scene.app.app.connectors.limit_to(PATIENT);
        Self(Arc::new(scene))
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        called(&self.0, method, path, body).await
    }

    /// Makes a WhatsApp channel; its path.
    async fn channel(&self) -> String {
        let made = self.call(Method::POST, "/v1/channels", json!({ "name": "Support", "type": "whatsapp" })).await;
        format!("/v1/channels/{}", made.expect(201)["id"].as_str().expect("an id"))
    }

    /// Calls without waiting for the answer.
    fn begin(&self, path: &str, body: Value) -> JoinHandle<Answer> {
        let (scene, path) = (Arc::clone(&self.0), path.to_owned());
        tokio::spawn(async move { called(&scene, Method::POST, &path, body).await })
    }
}

async fn called<P: Remote>(scene: &Scene<P>, method: Method, path: &str, body: Value) -> Answer {
    let request = scene.app.http.request(method, format!("{}{path}", scene.app.base));
    let request = request.header("x-api-key", scene.token().await.token());
    Answer::of(if body.is_null() { request } else { request.json(&body) }).await
}

/// A customer who connects a channel whose session the provider is making; where it is, and the answer to come.
async fn connecting<P: Played>() -> (Client<Fake<P>>, String, JoinHandle<Answer>)
where
    Fake<P>: Remote,
{
    let client = Client::<Fake<P>>::new().await;
    let path = client.channel().await;
    client.0.provider.gate.close(Asked::POST, P::CREATES);
    let connecting = client.begin(&format!("{path}/connect"), json!({}));
    client.0.provider.gate.until_reached().await;
    (client, path, connecting)
}

/// Whoever looks meanwhile sees one that is on its way.
async fn a_session_may_take_its_time<P: Played>()
where
    Fake<P>: Remote,
{
    let (client, path, connecting) = connecting::<P>().await;
    let gate = &client.0.provider.gate;
    client.0.app.app.connectors.wait_for_codes(Duration::ZERO);
    for seconds in [0, 11, 11] {
        client.0.app.advance(seconds).await;
        let code = client.call(Method::GET, &format!("{path}/qr-code"), json!(null)).await.expect(409);
        assert_eq!(code["error"]["code"], "QR_CODE_NOT_AVAILABLE");
        let shown = client.call(Method::GET, &path, json!(null)).await.expect(200);
        assert_eq!(shown["status"], "disconnected", "not an error: {shown}");
    }
    gate.open();
    connecting.await.expect("an answer").expect(200);
    let code = client.0.provider.next_code(&client.0.app).await;
    let shown = client.call(Method::GET, &format!("{path}/qr-code"), json!(null)).await.expect(200);
    assert_eq!(shown["qr"], code);
    client.0.provider.link(&client.0.app, &code).await;
    client.0.app.run_jobs().await;
    assert_eq!(client.call(Method::GET, &path, json!(null)).await.expect(200)["status"], "connected");
}

/// Nothing is left of one that nobody wants any more when it is there.
async fn a_session_may_come_too_late<P: Played>()
where
    Fake<P>: Remote,
{
    let (client, path, connecting) = connecting::<P>().await;
    let gate = &client.0.provider.gate;
    let session = client.0.channel().await.session;
    client.call(Method::DELETE, &path, json!(null)).await;
    client.0.app.run_jobs().await;
    gate.open();
    let late = connecting.await.expect("an answer");
    assert!(!late.status.is_success(), "{}", late.text);
    assert!(!client.0.provider.newest().is_empty(), "it was made");
    client.0.app.run_jobs().await;
    assert!(client.0.provider.is_gone(&client.0.app, session).await);
}

/// A channel is told of what has become of an account that it has lost, also by whoever asks for it back.
async fn the_last_word_about_a_kept_session_is_told<P: Played>()
where
    Fake<P>: Remote,
{
    let client = Client::of(Scene::<Fake<P>>::linked().await);
    let Scene { app, provider, .. } = &*client.0;
    provider.change(RemoteState::Down, false).await;
    for seconds in [0, 30, 60, 120] {
        app.advance(seconds).await;
    }
    let before = client.0.channel().await;
    assert_eq!(before.disconnect_reason, Some(channel::DisconnectReason::Stopped));
    provider.change(RemoteState::AsksForCode, true).await;
    client.call(Method::POST, &format!("/v1/channels/{}/connect", before.id), json!({})).await;
    app.run_jobs().await;
    let after = client.0.channel().await;
    assert_eq!(after.disconnect_reason, Some(channel::DisconnectReason::LoggedOut));
    assert_eq!(provider.is_gone(app, before.session).await, !<Fake<P> as Provider>::KEEPS_ACCOUNTS);
}

macro_rules! every_fake {
    ($($name:ident: $fake:ty),*) => {$(
        mod $name {
            #[tokio::test]
            async fn a_session_may_take_its_time() {
                super::a_session_may_take_its_time::<$fake>().await;
            }

            #[tokio::test]
            async fn a_session_may_come_too_late() {
                super::a_session_may_come_too_late::<$fake>().await;
            }

            #[tokio::test]
            async fn the_last_word_about_a_kept_session_is_told() {
                super::the_last_word_about_a_kept_session_is_told::<$fake>().await;
            }
        }
    )*};
}

every_fake!(
    waha: crate::support::waha::Sessions,
    evolution: crate::support::evolution::Instances,
    unipile: crate::support::unipile::Accounts
);

fn login() -> Value {
    json!({ "username": "my_brand", "password": PASSWORD, "country": "SA" })
}

const INSTAGRAM: &str = "/api/v1/channels/instagram";
const SOLVE: &str = "/api/v1/channels/instagram/2fa";

/// A customer whose Instagram accounts Unipile links, which asks this first.
async fn instagram(questions: &[&str]) -> Client<Unipile> {
    let client = Client::<Unipile>::new().await;
    let partner_id = Some(PartnerId::parse("acme").expect("an id"));
    let choice = SetDefault { partner_id, network: Network::Instagram, connector: Some(ConnectorKind::Unipile) };
    registry::set_default(&client.0.app.app, &Origin::operator(), &choice).await.expect("a choice");
    client.0.provider.will_ask(questions);
    client
}

/// The same, who is asked for a code; and the right answer.
async fn asked() -> (Client<Unipile>, Value) {
    let client = instagram(&["2FA"]).await;
    let asked = client.call(Method::POST, &format!("{INSTAGRAM}/connect"), login()).await.expect(200);
    assert_eq!(asked["data"]["requires_2fa"], true);
    (client, json!({ "account_id": asked["data"]["account_id"], "code": CODE }))
}

#[tokio::test]
async fn an_account_that_signs_in_slowly_is_let_in() {
    let client = instagram(&[]).await;
    let provider = &client.0.provider;
    provider.gate.close(Asked::POST, "accounts");
    let connecting = client.begin(&format!("{INSTAGRAM}/connect"), login());
    provider.gate.until_reached().await;
    for _ in 0..2 {
        let status = client.call(Method::GET, &format!("{INSTAGRAM}/status"), json!(null)).await.expect(200);
        assert_eq!(status["data"]["is_connected"], false);
        client.0.app.advance(11).await;
    }
    provider.gate.open();
    assert_eq!(connecting.await.expect("an answer").expect(200)["data"]["is_connected"], true);
    client.0.app.run_jobs().await;
    assert_eq!((client.0.channel().await.state, provider.removed()), (channel::State::Connected, vec![]));
}

#[tokio::test]
async fn of_two_answers_at_once_one_is_given() {
    let (client, answer) = asked().await;
    let provider = &client.0.provider;
    provider.gate.close(Asked::POST, "accounts/checkpoint");
    let first = client.begin(SOLVE, answer.clone());
    provider.gate.until_reached().await;
    let second = client.call(Method::POST, SOLVE, answer).await;
    assert_eq!((second.status.as_u16(), second.header("retry-after")), (503, "1"), "{}", second.text);
    provider.gate.open();
    assert_eq!(first.await.expect("an answer").expect(200)["data"]["is_connected"], true);
    client.0.app.run_jobs().await;
    assert_eq!((client.0.channel().await.state, provider.removed()), (channel::State::Connected, vec![]));
}

/// The same code again is the right one.
#[tokio::test]
async fn an_answer_whose_outcome_was_lost_may_be_repeated() {
    let (client, answer) = asked().await;
    let provider = &client.0.provider;
    provider.asking.add(Trouble::CutOff);
    let lost = client.call(Method::POST, SOLVE, answer.clone()).await;
    assert_eq!(lost.status.as_u16(), 503, "{}", lost.text);
    // The account is there, and has no parts yet.
    provider.is_slow(true);
    let again = client.call(Method::POST, SOLVE, answer).await.expect(200);
    assert_eq!(
        (&again["data"]["is_connected"], &again["data"]["in_progress"]),
        (&json!(false), &json!(true)),
        "{again}"
    );
    provider.is_slow(false);
    client.0.app.advance(30).await;
    assert_eq!((client.0.channel().await.state, provider.removed()), (channel::State::Connected, vec![]));
}

/// Whoever is about to make it does so after it has ended.
#[tokio::test]
async fn a_session_is_ended_once_it_is_known() {
    let client = Client::<Waha>::new().await;
    let app = &client.0.app;
    let (id, connector) = (AttemptId(app.app.clock.uuid()), app.app.connectors.get(ConnectorKind::Waha));
    assert_eq!(connector.end(&app.app, id).await.expect_err("not yet").code().to_string(), "busy");
    app.clock.advance(Duration::from_secs(60));
    connector.end(&app.app, id).await.expect("there is none");
}

/// Unipile gives an account that signs in again the id that it had, while somebody looks at it.
#[tokio::test]
async fn an_account_is_connected_through_one_session() {
    let client = Client::<Unipile>::new().await;
    let Scene { app, provider, .. } = &*client.0;
    let path = client.channel().await;
    client.call(Method::POST, &format!("{path}/connect"), json!({})).await.expect(200);
    let id = provider.newest();
    provider.gate.close(Asked::GET, &format!("accounts/{id}"));
    let looking = tokio::spawn({
        let (scene, path) = (Arc::clone(&client.0), format!("{path}/qr-code"));
        async move { called(&scene, Method::GET, &path, json!(null)).await }
    });
    provider.gate.until_reached().await;
    provider.next_is(&id);
    let page = client.0.page().await;
    let scan = async {
        provider.gate.until_reached().await;
        Unipile::link(provider, &id, "15550001111").await;
        provider.gate.open();
    };
    tokio::join!(page.start(), scan);
    looking.await.expect("an answer");
    app.run_jobs().await;
    let shown = client.call(Method::GET, &path, json!(null)).await.expect(200);
    assert_eq!(shown["status"], "error", "{shown}");
    assert_eq!(page.now().await.state(), "connected");
    assert!(provider.removed().is_empty(), "{:?}", provider.removed());
}

/// What was seen before the account was disconnected is not told after it.
#[tokio::test]
async fn what_was_seen_before_is_not_told_after() {
    let setup = Setup::default().configured(|config| config.allow_private_targets = true);
    let client = Client::of(Scene::<Unipile>::at(setup.start().await).await);
    let Scene { app, provider, .. } = &*client.0;
    client.0.link().await;
    let receiver = Receiver::start().await;
    let hook = json!({ "url": receiver.url(), "events": ["channel.error", "channel.disconnected"] });
    let made = app.http.post(format!("{}/v1/webhooks", app.base)).bearer_auth(client.0.token().await.token());
    Answer::of(made.json(&hook)).await.expect(201);
    let id = provider.newest();
    provider.change_silently(&id, "ERROR");
    provider.gate.close(Asked::GET, &format!("accounts/{id}"));
    let refreshing = client.begin("/api/v1/channels/whatsapp/refresh", json!(null));
    provider.gate.until_reached().await;
    let path = format!("/workspaces/{}/users/{}/whatsapp/disconnect", client.0.workspace, client.0.user);
    client.0.acme.post(&path, json!(null)).await.expect(200);
    provider.gate.open();
    refreshing.await.expect("an answer");
    app.run_jobs().await;
    let told: Vec<Value> = receiver.received().iter().map(|one| one.json()["event"].clone()).collect();
    assert_eq!(told, ["channel.disconnected"]);
}

/// Whoever was told it before a phone scanned, or before it was over, shows it no more.
#[tokio::test]
async fn a_code_that_comes_too_late_is_not_shown() {
    for is_linked in [true, false] {
        let client = Client::<Waha>::new().await;
        let Scene { app, provider, .. } = &*client.0;
        let path = client.channel().await;
        client.call(Method::POST, &format!("{path}/connect"), json!({})).await.expect(200);
        provider.next_code(app).await;
        let (name, session) = (provider.newest(), client.0.channel().await.session);
        let kept = async || {
            let row = connector_session::Entity::find_by_id(session).one(app.app.db.reader()).await;
            row.expect("a look").expect("a session")
        };
        let look = || {
            let app = Arc::clone(&app.app);
            async move { app.connectors.get(ConnectorKind::Waha).observe(&app, session).await.expect("an answer") }
        };
        provider.gate.close(Asked::GET, &format!("{name}/auth/qr"));
        let looking = tokio::spawn(look());
        provider.gate.until_reached().await;
        if is_linked {
            Waha::link(provider, &name, "15550001111").await;
            assert!(matches!(look().await, Observation::Connected(_)));
        } else {
            let over = connector_session::ActiveModel {
                id: Unchanged(session),
                ended_at: Set(Some(app.app.clock.now())),
                ..Default::default()
            };
            over.update(app.app.db.reader()).await.expect("a session");
        }
        let before = kept().await;
        Waha::show_code(provider, &name).await;
        provider.gate.open();
        let seen = looking.await.expect("an answer");
        let is_as_expected = match seen {
            Observation::Starting { .. } => is_linked,
            Observation::Ended(failure) => !is_linked && failure == Failure::ProviderUnavailable,
            _ => false,
        };
        assert!(is_as_expected, "{seen:?}");
        let after = kept().await;
        assert_eq!((after.qr_payload, after.qr_seq), (before.qr_payload, before.qr_seq));
    }
}

/// Nobody waits for it longer than for the first code.
#[tokio::test]
async fn a_look_may_take_its_time() {
    let client = Client::<Waha>::new().await;
    let Scene { app, provider, .. } = &*client.0;
    provider.start_slowly(9, "SCAN_QR_CODE");
    app.app.connectors.wait_for_codes(Duration::ZERO);
    let path = client.channel().await;
    client.call(Method::POST, &format!("{path}/connect"), json!({})).await.expect(200);
    app.app.connectors.wait_for_codes(Duration::from_secs(3));
    let looked_at = format!("sessions/{}", provider.newest());
    provider.gate.close(Asked::GET, &looked_at);
    let looking = tokio::spawn({
        let (scene, path) = (Arc::clone(&client.0), format!("{path}/qr-code"));
        async move { called(&scene, Method::GET, &path, json!(null)).await }
    });
    provider.gate.until_reached().await;
    // The first look is answered, and the next one is not.
    provider.gate.open();
    provider.gate.close(Asked::GET, &looked_at);
    let late = tokio::time::timeout(Duration::from_secs(20), looking).await.expect("an answer in time");
    assert_eq!(late.expect("an answer").expect(409)["error"]["code"], "QR_CODE_NOT_AVAILABLE");
    provider.gate.open();
}
