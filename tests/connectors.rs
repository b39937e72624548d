//! Which connector serves whom, what opens it, and that nobody else learns of it.

use std::time::Duration;

use entity::{
    channel::{ConnectorKind, Network},
    connector_credential,
    id::PartnerId,
    message::Status,
};
use quartermaster::{
    caller::Origin,
    connector::registry::{self, ApiKey, BaseUrl, SetCredentials, SetDefault, Timeout},
};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    cli::{printed, refused, run},
    conformance::{Provider, Scene, choose},
    support::{
        Setup, TestApp,
        provider::Trouble,
        waha::{KEY, Waha},
    },
};

/// A file with a key.
fn key_file(key: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("{key}\n")).expect("a key");
    file
}

fn set_credentials<'a>(url: &'a str, file: &'a tempfile::NamedTempFile) -> Vec<&'a str> {
    let path = file.path().to_str().expect("a path");
    vec!["connector", "set-credentials", "--connector", "waha", "--base-url", url, "--api-key-file", path]
}

#[tokio::test]
async fn the_command_line_sets_lists_and_masks() {
    let app = Setup::real_time().start().await;
    app.partner_without_sandbox("acme").await;
    assert_eq!(printed(&run(&app, &["connector", "list"])), json!([]));
    let choose = ["connector", "set-default", "--connector", "waha"];
    refused(&run(&app, &choose), "invalid_request");
    let file = key_file("the-key-of-the-platform");
    let mut platform = set_credentials("http://10.0.0.5:3000/", &file);
    let listed = printed(&run(&app, &platform));
    assert_eq!((&listed[0]["base_url"], &listed[0]["api_key"]), (&json!("http://10.0.0.5:3000"), &json!("***form")));
    assert_eq!((&listed[0]["partner_id"], &listed[0]["timeout_ms"]), (&Value::Null, &Value::Null));
    assert_eq!(printed(&run(&app, &choose))[0]["default_for"], json!(["whatsapp"]));
    platform.extend(["--partner", "acme", "--timeout-ms", "20000"]);
    platform[5] = "https://waha.acme.example";
    let own = printed(&run(&app, &platform));
    assert_eq!((own.as_array().map(Vec::len), &own[0]["partner_id"]), (Some(1), &json!("acme")));
    assert_eq!(own[0]["timeout_ms"], 20_000);
    let sandbox = ["connector", "set-default", "--connector", "sandbox", "--partner", "acme"];
    printed(&run(&app, &sandbox));
    let all = printed(&run(&app, &["connector", "list"]));
    let row = |one: &Value| (one["partner_id"].clone(), one["connector"].clone(), one["default_for"].clone());
    let rows: Vec<_> = all.as_array().expect("rows").iter().map(row).collect();
    assert_eq!(
        rows,
        [
            (Value::Null, json!("waha"), json!(["whatsapp"])),
            (json!("acme"), json!("sandbox"), json!(["whatsapp"])),
            (json!("acme"), json!("waha"), json!([])),
        ]
    );
    printed(&run(&app, &["connector", "set-default", "--off", "--partner", "acme"]));
    assert_eq!(printed(&run(&app, &["connector", "list"])).as_array().map(Vec::len), Some(2));
    // Again in place of what was there.
    let other = key_file("another-key-of-the-platform");
    printed(&run(&app, &set_credentials("http://10.0.0.6:3000", &other)));
    assert_eq!(printed(&run(&app, &["connector", "list"])).as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let app = Setup::real_time().start().await;
    let file = key_file("key");
    let empty = key_file("");
    let mut nobody = set_credentials("http://a.b", &file);
    nobody.extend(["--partner", "nobody"]);
    refused(&run(&app, &nobody), "partner_not_found");
    refused(&run(&app, &set_credentials("waha", &file)), "invalid_request");
    for ms in ["0", "499", "30001"] {
        let mut impatient = set_credentials("http://a.b", &file);
        impatient.extend(["--timeout-ms", ms]);
        refused(&run(&app, &impatient), "invalid_request");
    }
    refused(&run(&app, &set_credentials("http://a.b", &empty)), "invalid_request");
    let mut sandbox = set_credentials("http://a.b", &file);
    sandbox[3] = "sandbox";
    refused(&run(&app, &sandbox), "invalid_request");
    sandbox[3] = "telegraph";
    refused(&run(&app, &sandbox), "invalid_request");
    refused(
        &run(&app, &["connector", "set-default", "--connector", "waha", "--network", "semaphore"]),
        "invalid_request",
    );
}

#[tokio::test]
async fn a_provider_is_waited_for_as_long_as_the_operator_says() {
    let scene = Scene::<Waha>::linked().await;
    scene.app.app.connectors.limit_to(Duration::from_secs(3600));
    let credentials = SetCredentials {
        partner_id: Some(PartnerId::parse(&scene.acme.id).expect("an id")),
        connector: ConnectorKind::Waha,
        base_url: BaseUrl::parse(&scene.provider.url()).expect("an address"),
        api_key: ApiKey::parse(&KEY.into()).expect("a key"),
        timeout: Some(Timeout::parse(500).expect("a time")),
    };
    registry::set_credentials(&scene.app.app, &Origin::operator(), &credentials).await.expect("credentials");
    let to = Provider::trouble(&scene.provider, Trouble::AnswerLost);
    let id = scene.send(&to, "Hello").await;
    assert_eq!(scene.app.message(id).await.status, Status::Unknown);
}

async fn choice(app: &TestApp, partner: Option<&str>, connector: Option<ConnectorKind>) {
    let partner_id = partner.map(|id| PartnerId::parse(id).expect("an id"));
    let command = SetDefault { partner_id, network: Network::Whatsapp, connector };
    registry::set_default(&app.app, &Origin::operator(), &command).await.expect("a choice");
}

#[tokio::test]
async fn the_partners_choice_comes_before_the_platforms_and_that_before_simulation() {
    let app = TestApp::start().await;
    app.partner("acme").await;
    app.partner_without_sandbox("plain").await;
    let chosen = async |id: &str| {
        let partner = entity::partner::Entity::find_by_id(PartnerId::parse(id).expect("an id"));
        let partner = partner.one(app.app.db.reader()).await.expect("a look").expect("a partner");
        app.app.connectors.choose(&app.app, app.app.db.reader(), &partner, Network::Whatsapp).await.expect("a choice")
    };
    use ConnectorKind::{Sandbox, Waha};
    assert_eq!((chosen("acme").await, chosen("plain").await), (Some(Sandbox), None));
    let acme = PartnerId::parse("acme").expect("an id");
    choose(&app, &acme, Waha, "http://127.0.0.1:1", KEY).await;
    assert_eq!((chosen("acme").await, chosen("plain").await), (Some(Waha), None));
    choice(&app, None, Some(Sandbox)).await;
    assert_eq!((chosen("acme").await, chosen("plain").await), (Some(Waha), Some(Sandbox)));
    choice(&app, Some("acme"), None).await;
    choice(&app, None, None).await;
    assert_eq!((chosen("acme").await, chosen("plain").await), (Some(Sandbox), None));
}

#[tokio::test]
async fn without_credentials_there_is_no_connector() {
    let scene = Scene::<Waha>::new().await;
    let rows = connector_credential::Entity::delete_many();
    quartermaster::db::write(&scene.app.app.db, "test", async |tx| Ok(rows.exec(tx).await?)).await.expect("gone");
    let shown = scene.page().await.start().await;
    assert_eq!((shown.state(), &shown.0["error"]["code"]), ("failed", &json!("no_connector")));
}

#[tokio::test]
async fn a_pairing_code_is_asked_for_once_and_shown_without_separator() {
    let scene = Scene::<Waha>::new().await;
    let page = scene.page().await;
    page.start().await;
    Provider::show_code(&scene.provider, &scene.app, &page).await;
    let shown = page.try_pair("+15550001111").await.expect(200);
    assert_eq!((&shown["pairing"]["code"], &shown["pairing"]["expires_in_ms"]), (&json!("ABCDEFGH"), &json!(120_000)));
    scene.provider.change_silently(&scene.provider.newest(), "STARTING");
    let refused = page.try_pair("+15550001111").await;
    assert_eq!(refused.expect(409)["code"], "pairing_refused");
}

#[tokio::test]
async fn people_without_a_number_have_a_chat_and_those_who_have_one_the_same_as_ever() {
    let scene = Scene::<Waha>::linked().await;
    scene.provider.know("111", "15557770000");
    for (id, from) in [("A", "15557770000@c.us"), ("B", "111@lid"), ("C", "222@lid")] {
        let payload = json!({ "id": format!("false_{from}_{id}"), "from": from, "fromMe": false, "body": "Hi" });
        scene.provider.tell(&scene.provider.newest(), "message.any", payload).await.expect(200);
    }
    let group = json!({ "id": "false_120363@g.us_D_15557770000@c.us", "from": "120363@g.us", "fromMe": false,
        "participant": "15557770000@c.us", "body": "Hi all" });
    scene.provider.tell(&scene.provider.newest(), "message.any", group).await.expect(200);
    scene.app.run_jobs().await;
    let chats = scene.token().await.get("/chats").await.expect(200)["data"]["chats"].clone();
    let mut shown: Vec<(String, Value)> = chats
        .as_array()
        .expect("chats")
        .iter()
        .map(|chat| (chat["jid"].as_str().expect("a jid").to_owned(), chat["phone"].clone()))
        .collect();
    shown.sort_by(|left, right| left.0.cmp(&right.0));
    let expected = [
        ("120363@g.us".to_owned(), json!("")),
        ("15557770000@s.whatsapp.net".to_owned(), json!("+15557770000")),
        ("222@lid".to_owned(), json!("")),
    ];
    assert_eq!(
        shown.iter().map(|(jid, _)| jid).collect::<Vec<_>>(),
        expected.iter().map(|(jid, _)| jid).collect::<Vec<_>>()
    );
    assert_eq!(shown[1].1, expected[1].1);
    let lid = chats.as_array().expect("chats").iter().find(|chat| chat["jid"] == "222@lid").expect("a chat");
    let path = format!("/chats/{}/messages", lid["id"]);
    scene.token().await.post(&path, json!({ "text": "Hello you" })).await.expect(200);
    scene.app.run_jobs().await;
    let sent = scene.provider.sent().pop().expect("a message");
    assert_eq!((&sent["chatId"], &sent["text"]), (&json!("222@lid"), &json!("Hello you")));
}

#[tokio::test]
async fn keys_and_secrets_are_sealed() {
    let scene = Scene::<Waha>::linked().await;
    let row =
        connector_credential::Entity::find().one(scene.app.app.db.reader()).await.expect("a look").expect("a row");
    let sealed = [row.api_key, row.callback_secret].concat();
    assert!(!sealed.windows(KEY.len()).any(|window| window == KEY.as_bytes()));
    let secret = scene.provider.hook(&scene.provider.newest())["hmac"]["key"].as_str().expect("a key").to_owned();
    assert!(secret.len() >= 40, "{secret}");
    let session = entity::connector_session::Entity::find().one(scene.app.app.db.reader()).await.expect("a look");
    let sealed = session.expect("a session").callback_secret;
    assert!(!sealed.windows(secret.len()).any(|window| window == secret.as_bytes()));
}
