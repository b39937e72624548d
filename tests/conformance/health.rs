//! How channels behind a server that keeps their sessions are looked at.

use quartermaster::connector::session;
use reqwest::Method;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    conformance::{Provider, Remote, RemoteState, Said, Scene, Signature},
    support::{Answer, Setup, receiver::Receiver},
};

mod gone;
mod kept;
mod stuck;

impl<P: Provider> Scene<P> {
    async fn linktor(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.app.http.request(method, format!("{}/v1{path}", self.app.base));
        let request = request.bearer_auth(self.token().await.token());
        Answer::of(if body.is_null() { request } else { request.json(&body) }).await
    }

    /// The channel that was made first, as it is shown.
    pub(crate) async fn shown(&self) -> Value {
        let all = self.linktor(Method::GET, "/channels", json!(null)).await.expect(200);
        let id = all["data"][0]["id"].as_str().expect("an id").to_owned();
        self.linktor(Method::GET, &format!("/channels/{id}"), json!(null)).await.expect(200)["data"].clone()
    }

    /// The parts of a test of the channel, with their verdicts.
    async fn tested(&self) -> Vec<(String, String)> {
        let id = self.shown().await["id"].as_str().expect("an id").to_owned();
        let tested = self.linktor(Method::POST, &format!("/channels/{id}/test"), json!(null)).await.expect(200);
        let parts = tested["data"]["tests"].as_array().expect("parts");
        let part = |part: &Value| {
            assert!(part["latencyMs"].is_u64() && part["message"].is_string(), "{part}");
            let text = |name: &str| part[name].as_str().expect("a text").to_owned();
            (text("name"), text("status"))
        };
        parts.iter().map(part).collect()
    }
}

pub(crate) async fn health_follows_the_session_and_is_told<P: Remote>() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let scene = Scene::<P>::at(app).await;
    scene.link().await;
    let receiver = Receiver::start().await;
    let events = ["channel.error", "channel.connected", "channel.disconnected", "channel.credentials_required"];
    let hook = json!({ "url": receiver.url(), "events": events });
    scene.linktor(Method::POST, "/webhooks", hook).await.expect(201);
    let told = async || -> Vec<(String, Value)> {
        scene.app.run_jobs().await;
        let received = receiver.received();
        receiver.forget();
        received
            .iter()
            .map(|one| (one.json()["event"].as_str().expect("a type").to_owned(), one.json()["data"].clone()))
            .collect()
    };
    let probe = async || {
        scene.app.clock.advance(std::time::Duration::from_secs(301));
        session::probe(&scene.app.app).await.expect("a probe");
        scene.app.run_jobs().await;
    };
    probe().await;
    let health = scene.shown().await["attributes"]["health"].clone();
    assert_eq!((&health["status"], &health["lastChecked"]), (&json!("healthy"), &json!("2026-09-10T08:05:01Z")));
    // The provider does not answer: nobody knows.
    scene.provider.refuse_key(true);
    probe().await;
    assert_eq!(scene.shown().await["attributes"]["health"]["status"], "degraded");
    probe().await;
    let news = told().await;
    assert_eq!(news.len(), 1, "one event for each change: {news:?}");
    assert_eq!((&news[0].0, &news[0].1["failed"]), (&"channel.error".to_owned(), &json!(["provider_unavailable"])));
    scene.provider.refuse_key(false);
    probe().await;
    let news = told().await;
    assert_eq!((news.len(), &news[0].1["recovered"]), (1, &json!(true)), "{news:?}");
    // The session is down and restarted.
    scene.provider.change(RemoteState::Down, false).await;
    let news = told().await;
    assert_eq!((news.len(), &news[0].1["failed"]), (1, &json!(["session_restarting"])), "{news:?}");
    let shown = scene.shown().await["attributes"].clone();
    assert_eq!((&shown["health"]["status"], &shown["status"]), (&json!("degraded"), &json!("error")), "not lost yet");
    scene.provider.change(RemoteState::Working, false).await;
    scene.app.advance(31).await;
    assert_eq!(scene.shown().await["attributes"]["health"]["status"], "healthy");
    assert_eq!(told().await.len(), 1);
    // The phone lets it go.
    scene.provider.log_out(&scene.app).await;
    let mut news: Vec<String> = told().await.into_iter().map(|one| one.0).collect();
    news.sort();
    assert_eq!(news, ["channel.credentials_required", "channel.disconnected"]);
    let shown = scene.shown().await["attributes"].clone();
    assert_eq!((&shown["health"]["status"], &shown["status"]), (&json!("unhealthy"), &json!("error")));
}

pub(crate) async fn a_test_asks_the_provider_part_by_part<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    let verdicts = async || -> Vec<String> {
        let parts = scene.tested().await;
        let names: Vec<&str> = parts.iter().map(|part| part.0.as_str()).collect();
        assert_eq!(names, ["credentials", "session", "connection", "number"]);
        parts.into_iter().map(|part| part.1).collect()
    };
    assert_eq!(verdicts().await, ["passed"; 4]);
    assert_eq!(scene.shown().await["attributes"]["health"]["status"], "healthy");
    scene.provider.change(RemoteState::Down, true).await;
    assert_eq!(verdicts().await, ["passed", "passed", "failed", "skipped"]);
    assert_eq!(scene.shown().await["attributes"]["health"]["status"], "degraded");
    assert_eq!(scene.provider.restarts(), 0, "a test changes nothing");
    scene.provider.refuse_key(true);
    assert_eq!(verdicts().await, ["failed", "skipped", "skipped", "skipped"]);
    assert_eq!(scene.shown().await["attributes"]["health"]["status"], "unhealthy");
    scene.provider.refuse_key(false);
    scene.provider.change(RemoteState::Working, true).await;
    assert_eq!(verdicts().await, ["passed"; 4]);
    // One that nobody has connected yet is asked for too.
    let made = json!({ "name": "Second", "type": "whatsapp", "config": {} });
    let made = scene.linktor(Method::POST, "/channels", made).await.expect(201)["data"]["id"].clone();
    let path = format!("/channels/{}/test", made.as_str().expect("an id"));
    let tested = scene.linktor(Method::POST, &path, json!(null)).await.expect(200)["data"].clone();
    let parts = tested["tests"].as_array().expect("parts");
    let verdicts: Vec<&str> = parts.iter().map(|part| part["status"].as_str().expect("a verdict")).collect();
    assert_eq!(verdicts, ["passed", "failed", "skipped", "skipped"]);
}

pub(crate) async fn a_channel_shows_where_its_provider_calls_back<P: Remote>() {
    let scene = Scene::<P>::new().await;
    let made = json!({ "name": "Ours", "type": "whatsapp", "config": {} });
    scene.linktor(Method::POST, "/channels", made).await.expect(201);
    let url = async || scene.shown().await["attributes"]["webhookUrl"].as_str().expect("a URL").to_owned();
    let before = url().await;
    let anybody = Answer::of(scene.app.http.post(&before).body("{}")).await;
    assert_eq!(anybody.status.as_u16(), 401, "it is served before the session has begun: {}", anybody.text);
    let id = scene.shown().await["id"].as_str().expect("an id").to_owned();
    scene.linktor(Method::POST, &format!("/channels/{id}/activate"), json!(null)).await.expect(200);
    let shown = url().await;
    let own = format!("{}/callbacks/{id}", scene.app.base);
    let expected = scene.provider.address_of_key().unwrap_or_else(|| own.clone());
    assert_eq!((&shown, &before), (&expected, &expected), "it does not change with the session");
    for address in [shown, own] {
        let anybody = Answer::of(scene.app.http.post(&address).body("{}")).await;
        assert_eq!(anybody.status.as_u16(), 401, "{}", anybody.text);
    }
    let posted = scene.provider.callback(&Said::Unheard, 1);
    assert_eq!(scene.provider.post(&posted, Signature::Genuine).await, 200, "where the provider was told to call");
}

pub(crate) async fn a_connector_without_credentials_is_refused<P: Remote>() {
    let scene = Scene::<P>::new().await;
    let kind = {
        let made = json!({ "name": "Ours", "type": "whatsapp", "config": {} });
        scene.linktor(Method::POST, "/channels", made).await.expect(201);
        scene.channel().await.connector.to_string()
    };
    let rows = entity::connector_credential::Entity::delete_many();
    quartermaster::db::write(&scene.app.app.db, "test", async |tx| Ok(rows.exec(tx).await?)).await.expect("gone");
    let named = json!({ "name": "Named", "type": "whatsapp", "config": { "connector": kind } });
    let refused = scene.linktor(Method::POST, "/channels", named).await;
    let error = refused.expect(400)["error"].clone();
    assert_eq!(
        (&error["code"], &error["details"][0]["field"]),
        (&json!("VALIDATION_ERROR"), &json!("config.connector"))
    );
    assert!(error["message"].as_str().is_some_and(|text| text.contains("credentials")), "{error}");
    let all = entity::channel::Entity::find().all(scene.app.app.db.reader()).await.expect("channels");
    assert_eq!(all.len(), 1, "nothing was made");
}
