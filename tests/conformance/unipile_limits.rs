//! What Unipile does not take: settings of other means than its own, and large files.

use entity::{
    channel::{ConnectorKind, Network},
    id::PartnerId,
};
use quartermaster::{
    caller::Origin,
    connector::registry::{self, SetDefault},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    conformance::{Scene, THEIRS, choose},
    support::{
        Answer,
        channels::{Shop, word},
        unipile::{KEY, Unipile},
        upload::png,
    },
};

/// A workspace whose partner is served by Unipile on all its networks.
async fn shop(scene: &Scene<Unipile>) -> Shop<'_> {
    for network in [Network::Telegram, Network::Instagram] {
        let partner_id = Some(PartnerId::parse("acme").expect("an id"));
        let choice = SetDefault { partner_id, network, connector: Some(ConnectorKind::Unipile) };
        registry::set_default(&scene.app.app, &Origin::operator(), &choice).await.expect("a choice");
    }
    Shop::of(&scene.app, scene.acme.clone(), "Toys", 5).await
}

/// The field that a request is refused for.
#[track_caller]
fn field(refused: &Answer) -> Value {
    refused.expect(400)["error"]["details"][0]["field"].clone()
}

#[tokio::test]
async fn settings_that_it_cannot_use_are_refused() {
    let scene = Scene::<Unipile>::new().await;
    let shop = shop(&scene).await;
    let make = async |network: &str, config: &Value| {
        shop.post("/channels", json!({ "name": "x", "type": network, "config": config })).await
    };
    for (network, mut config, useless) in [
        ("telegram", json!({ "botToken": "777:abc" }), "config.botToken"),
        ("instagram", json!({ "accountId": "1", "accessToken": "t" }), "config.accountId"),
        ("whatsapp", json!({ "phoneNumberId": "1", "accessToken": "t" }), "config.phoneNumberId"),
    ] {
        let refused = make(network, &config).await;
        assert_eq!(word(&refused, 409), "NO_CONNECTOR", "{network}");
        let says = format!("unipile speaks to {network} here, and it cannot use {useless}");
        assert_eq!(refused.json()["error"]["message"], says);
        config["connector"] = "unipile".into();
        assert_eq!(field(&make(network, &config).await), useless, "{network}");
    }
    let id = shop.channel("telegram", json!({ "connector": "unipile" })).await;
    let change = json!({ "config": { "botToken": "777:abc" } });
    let refused = shop.linktor(Method::PATCH, &format!("/channels/{id}"), change).await;
    assert_eq!(field(&refused), "config.botToken");
    assert_eq!(scene.provider.newest(), "", "nobody has begun to sign in");
    shop.channel("instagram", json!({ "connector": "unipile", "username": "a", "password": "b" })).await;
}

#[tokio::test]
async fn a_telegram_channel_without_a_token_is_linked_by_a_phone() {
    let scene = Scene::<Unipile>::new().await;
    let shop = shop(&scene).await;
    let timely = async |path: &str, body: Value| {
        let request = scene.app.http.post(format!("{}/v1/channels{path}", scene.app.base));
        Answer::of(request.header("x-api-key", shop.token.token()).json(&body)).await
    };
    let made = timely("", json!({ "name": "x", "type": "telegram" })).await.expect(201);
    let connect = format!("/{}/connect", made["id"].as_str().expect("an id"));
    let refused = timely(&connect, json!({ "token": "777:abc" })).await.expect(400);
    assert!(refused["error"]["message"].as_str().is_some_and(|text| text.contains("botToken")), "{refused}");
    assert_eq!(scene.provider.newest(), "");
    timely(&connect, json!({})).await.expect(200);
    let account = scene.provider.account(&scene.provider.newest()).expect("an account");
    assert!(account.code.starts_with("tg://login?token="), "{}", account.code);
}

#[tokio::test]
async fn simulation_does_not_open_it_to_other_settings() {
    let scene = Scene::<Unipile>::new().await;
    let toy = PartnerId::parse("toy").expect("an id");
    let partner = scene.app.partner("toy").await;
    choose(&scene.app, &toy, ConnectorKind::Unipile, &scene.provider.url(), KEY).await;
    let shop = Shop::of(&scene.app, partner, "Toys", 3).await;
    let make = async |config: Value| {
        shop.post("/channels", json!({ "name": "x", "type": "whatsapp", "config": config })).await
    };
    let mut config = json!({ "phoneNumberId": "1", "accessToken": "t" });
    assert_eq!(word(&make(config.clone()).await, 409), "NO_CONNECTOR");
    config["connector"] = "unipile".into();
    assert_eq!(field(&make(config.clone()).await), "config.phoneNumberId");
    config["connector"] = "sandbox".into();
    make(config).await.expect(201);
}

#[tokio::test]
async fn files_that_it_does_not_take_cost_nothing() {
    let scene = Scene::<Unipile>::linked().await;
    let token = scene.token().await;
    let uid = token.picture("a.png", &png(100, 1)).await;
    let body = json!({ "phone": THEIRS, "file_uid": uid });
    scene.app.resize_files(15_000_001).await;
    let refused = token.post("/messages", body.clone()).await.expect(400);
    assert_eq!(refused["errors"][0]["fields"], json!(["file_uid"]), "{refused}");
    let message = refused["message"].as_str().expect("a message");
    assert!(message.contains("15000000 bytes through unipile"), "{message}");
    scene.app.run_jobs().await;
    assert_eq!((scene.used().await, scene.provider.sent().len()), (0, 0));
    scene.app.resize_files(15_000_000).await;
    token.post("/messages", body).await.expect(200);
    assert_eq!(scene.used().await, 1);
}
