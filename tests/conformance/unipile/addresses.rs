//! Where Unipile calls back: at one address for all accounts of a key.

use std::time::Duration;

use entity::{channel::ConnectorKind, id::PartnerId};
use quartermaster::connector::session;
use serde_json::{Value, json};

use crate::{
    conformance::{Provider, Scene, choose},
    support::{
        Answer as Answered, TestApp,
        provider::Trouble,
        unipile::{KEY, Unipile},
    },
};

#[tokio::test]
async fn one_address_is_for_all_accounts_of_a_key() {
    let scene = Scene::<Unipile>::linked().await;
    scene.link_another().await;
    let webhooks = scene.provider.webhooks();
    let sources: Vec<&Value> = webhooks.iter().map(|webhook| &webhook["source"]).collect();
    assert_eq!(sources, ["messaging", "account_status"], "registered once");
    // What is about an account that is not ours is left alone.
    scene.provider.tell_status("somebody-elses", "OK").await.expect(200);
    let url = webhooks[0]["request_url"].as_str().expect("an address").to_owned();
    let credential = url.rsplit_once('/').expect("an id").1;
    for path in [format!("waha/{credential}"), "unipile/x".to_owned(), format!("nobody/{credential}")] {
        let url = format!("{}/callbacks/app/{path}", scene.app.base);
        let answer = Answered::of(scene.app.http.post(&url).json(&json!({}))).await.expect(404);
        assert_eq!(answer["code"], "route_not_found", "{path}");
    }
    // Credentials that are set anew are registered anew, but never twice.
    choose(&scene.app, &PartnerId::parse("acme").expect("an id"), ConnectorKind::Unipile, &scene.provider.url(), KEY)
        .await;
    scene.link_another().await;
    assert_eq!(scene.provider.webhooks().len(), 2);
    scene.provider.forget_webhooks();
    choose(&scene.app, &PartnerId::parse("acme").expect("an id"), ConnectorKind::Unipile, &scene.provider.url(), KEY)
        .await;
    scene.link_another().await;
    assert_eq!(scene.provider.webhooks().len(), 2);
}

/// When an account is begun, and while accounts work.
#[tokio::test]
async fn what_was_forgotten_is_registered_again() {
    let scene = Scene::<Unipile>::linked().await;
    let probe = async |app: &TestApp| {
        scene.app.clock.advance(Duration::from_secs(301));
        session::probe(&app.app).await.expect("a probe");
        app.run_jobs().await;
    };
    let places = || -> Vec<String> {
        let all = scene.provider.webhooks().into_iter();
        all.map(|webhook| webhook["request_url"].as_str().expect("an address").to_owned()).collect()
    };
    let before = places();
    for _ in 0..2 {
        scene.provider.forget_webhooks();
        probe(&scene.app).await;
        assert_eq!(places(), before);
        probe(&scene.app).await;
        assert_eq!(places(), before, "never twice");
    }
    // We are elsewhere now.
    let moved = scene.app.replica().await;
    for _ in 0..2 {
        probe(&moved).await;
        let places = places();
        assert!(places.len() == 4 && places[2..].iter().all(|place| place.starts_with(&moved.base)), "{places:?}");
    }
    assert_eq!(scene.account().await["connected"], true);
    scene.provider.forget_webhooks();
    scene.link_another().await;
    assert_eq!(places(), before);
}

impl Scene<Unipile> {
    /// A link whose account is begun at the provider.
    async fn link_another(&self) {
        let page = self.page().await;
        page.start().await;
        self.provider.show_code(&self.app, &page).await;
    }
}

/// Two that told it to at once, and one that is switched off.
#[tokio::test]
async fn of_webhooks_at_one_address_one_that_works_is_left() {
    let scene = Scene::<Unipile>::linked().await;
    let [messaging, status] = <[Value; 2]>::try_from(scene.provider.webhooks()).expect("two");
    let with = |webhook: &Value, id: &str, enabled: bool| {
        let mut webhook = webhook.clone();
        (webhook["id"], webhook["enabled"]) = (id.into(), enabled.into());
        webhook
    };
    let mut theirs = with(&messaging, "b", true);
    theirs["request_url"] = "https://crm.example/unipile".into();
    let known = [with(&messaging, "c", true), with(&messaging, "a", true), with(&status, "d", false), theirs.clone()];
    scene.provider.set_webhooks(known.into());
    scene.app.clock.advance(Duration::from_secs(301));
    session::probe(&scene.app.app).await.expect("a probe");
    scene.app.run_jobs().await;
    let left = scene.provider.webhooks();
    let [kept, other, made] = left.as_slice() else { panic!("{left:?}") };
    assert_eq!((kept, other), (&with(&messaging, "a", true), &theirs));
    assert_eq!((&made["source"], &made["enabled"]), (&json!("account_status"), &json!(true)));
}

/// The last account takes with it what was registered for its key, from wherever; what others have set stays.
#[tokio::test]
async fn what_was_registered_goes_with_the_last_account() {
    let scene = Scene::<Unipile>::linked().await;
    let second = scene.acme.users(&scene.workspace, 1).await[0];
    let page = scene.acme.page(&scene.workspace, second).await;
    page.start().await;
    scene.provider.link(&scene.provider.newest(), "15550002222").await;
    scene.app.run_jobs().await;
    let [messaging, status] = <[Value; 2]>::try_from(scene.provider.webhooks()).expect("two");
    let with = |id: &str, url: &str| {
        let mut webhook = messaging.clone();
        (webhook["id"], webhook["request_url"]) = (id.into(), url.into());
        webhook
    };
    let theirs = with("theirs", "https://crm.example/unipile");
    let url = messaging["request_url"].as_str().expect("an address");
    let former = with("former", &url.replace(&scene.app.base, "https://former.example"));
    assert_ne!(former["request_url"], messaging["request_url"]);
    scene.provider.set_webhooks(vec![messaging.clone(), theirs.clone(), status, former]);
    let disconnect = async |user: i64| {
        let path = format!("/workspaces/{}/users/{user}/whatsapp/disconnect", scene.workspace);
        scene.acme.post_empty(&path).await.expect(200);
        scene.app.run_jobs().await;
    };
    disconnect(scene.user).await;
    assert_eq!((scene.provider.removed().len(), scene.provider.webhooks().len()), (1, 4));
    // What is not done at once is done later.
    scene.provider.asking.add(Trouble::Unavailable);
    disconnect(second).await;
    for _ in 0..3 {
        scene.app.advance(2).await;
    }
    assert_eq!((scene.provider.removed().len(), scene.provider.webhooks()), (2, vec![theirs.clone()]));
    scene.link_another().await;
    let addresses: Vec<Value> =
        scene.provider.webhooks().iter().map(|webhook| webhook["request_url"].clone()).collect();
    assert_eq!(addresses, [&theirs["request_url"], &json!(url), &json!(url)].map(Clone::clone));
}
