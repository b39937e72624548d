//! Texts and files that a network does not take (`contracts/channels.md` 1.8) are refused before anything is charged,
//! whoever sends them.

use super::*;
use crate::support::{
    channels::simulated,
    receiver::{Receiver, Reply},
    upload::{Form, ogg, pdf, png},
};

/// A channel of this type with a chat; the channel's id and the chat's number.
async fn chat_on(shop: &Shop<'_>, network: &str, from: &str) -> (String, i64) {
    let config = simulated().into_iter().find(|(name, _)| *name == network).expect("settings").1;
    let id = shop.active(network, config).await;
    let written = json!({ "channel_id": id.trim_start_matches("ch_"), "from": from, "text": "Hello" });
    shop.partner.post("/sandbox/channel-inbound", written).await.expect(200);
    let chats = shop.token.get("/chats").await.expect(200)["data"]["chats"].clone();
    let is_there = |chat: &&Value| chat["jid"].as_str().is_some_and(|jid| jid.ends_with(&format!("@{network}")));
    let chat = chats.as_array().expect("chats").iter().find(is_there).expect("a chat");
    (id, chat["id"].as_i64().expect("a number"))
}

#[tokio::test]
async fn long_texts_cost_nothing_over_the_workspace_api() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    for (network, from, most) in [("sms", "+15557770000", 1600), ("instagram", "ann", 1000)] {
        let (id, chat) = chat_on(&shop, network, from).await;
        let path = format!("/chats/{chat}/messages");
        let refused = shop.token.post(&path, json!({ "text": "ä".repeat(most + 1) })).await;
        let body = refused.expect(400);
        assert_eq!(body["error_code"], "validation_error", "{network}: {body}");
        assert_eq!(body["errors"][0]["fields"], json!(["text"]), "{network}: {body}");
        assert!(refused.text.contains(&most.to_string()) && refused.text.contains(network), "{body}");
        assert_eq!(shop.token.credits().await.0, 0, "{network}");
        shop.token.post(&path, json!({ "text": "ä".repeat(most) })).await.expect(200);
        assert_eq!(shop.token.credits().await.0, 1, "{network}");
        shop.linktor(Method::DELETE, &format!("/channels/{id}?force=true"), json!(null)).await;
        app.run_jobs().await;
        assert_eq!(shop.token.credits().await.0, 0, "what waited has failed and is refunded");
    }
}

#[tokio::test]
async fn a_caption_may_be_shorter_than_a_text() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let (_, chat) = chat_on(&shop, "telegram", "ann").await;
    let file = shop.token.picture("picture.png", &png(100, 1)).await;
    let path = format!("/chats/{chat}/messages");
    let with_file = |chars: usize| json!({ "text": "x".repeat(chars), "file_uid": file });
    assert_eq!(shop.token.post(&path, with_file(1025)).await.expect(400)["error_code"], "validation_error");
    assert_eq!(shop.token.credits().await.0, 0);
    shop.token.post(&path, json!({ "text": "x".repeat(1025) })).await.expect(200);
    shop.token.post(&path, with_file(1024)).await.expect(200);
    assert_eq!(shop.token.credits().await.0, 3);
}

#[tokio::test]
async fn a_bots_long_reply_costs_nothing_and_is_given_up() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let shop = Shop::open(&app).await;
    let endpoint = Receiver::start().await;
    let bot = json!({ "name": "Bot", "type": "http", "config": { "endpoint": endpoint.url() } });
    let bot = shop.post("/agents", bot).await.expect(201)["data"]["id"].clone();
    let (id, chat) = chat_on(&shop, "instagram", "ann").await;
    shop.linktor(Method::PATCH, &format!("/channels/{id}"), json!({ "defaultBotId": bot })).await.expect(200);
    let on = json!({ "chatgpt_autoresponse_enabled": true });
    shop.token.patch(&format!("/chats/{chat}"), on).await.expect(200);
    endpoint.usually(Reply::Body(json!({ "reply": "x".repeat(1001) }).to_string()));
    let written = json!({ "channel_id": id.trim_start_matches("ch_"), "from": "ann", "text": "Again" });
    shop.partner.post("/sandbox/channel-inbound", written).await.expect(200);
    for _ in 0..10 {
        app.advance(2).await;
    }
    assert_eq!(endpoint.received().len(), 1, "it was asked once");
    assert_eq!(shop.token.credits().await.0, 0);
    let messages = entity::message::Entity::find().all(app.app.db.reader()).await.expect("messages");
    let notes: Vec<String> = messages.iter().filter_map(|message| message.text.clone()).collect();
    assert!(notes.iter().any(|text| text.contains("too long")), "{notes:?}");
}

/// Somebody to write to on each network, and the most bytes of a document there.
const MOST_BYTES: [(&str, &str, i64); 8] = [
    ("telegram", "ann", 52_428_800),
    ("sms", "+15557770000", 5_242_880),
    ("email", "ann@example.com", 26_214_400),
    ("webchat", "ann", 10_485_760),
    ("facebook", "ann", 26_214_400),
    ("instagram", "ann", 8_388_608),
    ("rcs", "+15557770000", 10_485_760),
    ("whatsapp", "+15557770000", 104_857_600),
];

#[tokio::test]
async fn large_files_cost_nothing_on_any_network() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let file = shop.token.picture("picture.png", &png(100, 1)).await;
    let uploaded = shop.token.form("/files_upload", Form::new().file("a.pdf", "application/pdf", &pdf(100, 1))).await;
    let document = uploaded.expect(200)["data"]["uid"].as_str().expect("a uid").to_owned();
    for (used, (network, from, most)) in (0..).zip(MOST_BYTES) {
        let is_number = network == "whatsapp";
        let chat = if is_number { 0 } else { chat_on(&shop, network, from).await.1 };
        if is_number {
            let owner = shop.partner.owner(&shop.workspace).await;
            shop.partner.connect(&shop.workspace, owner, "+15550001111").await;
        }
        let send = async || match is_number {
            true => shop.token.post("/messages", json!({ "phone": from, "file_uid": document })).await,
            false => shop.token.post(&format!("/chats/{chat}/messages"), json!({ "file_uid": document })).await,
        };
        app.resize_files(most + 1).await;
        let refused = send().await;
        let body = refused.expect(400);
        assert_eq!(body["error_code"], "validation_error", "{network}: {body}");
        assert_eq!(body["errors"][0]["fields"], json!(["file_uid"]), "{network}: {body}");
        assert!(refused.text.contains(&most.to_string()) && refused.text.contains(network), "{body}");
        assert_eq!(shop.token.credits().await.0, used, "{network}");
        app.resize_files(most).await;
        send().await.expect(200);
        assert_eq!(shop.token.credits().await.0, used + 1, "{network}");
    }
    let list = shop.token.get("/chats").await.expect(200);
    let chats = list["data"]["chats"].as_array().expect("chats");
    let on = |network: &str| {
        let is_there = |chat: &&Value| chat["jid"].as_str().is_some_and(|jid| jid.ends_with(network));
        chats.iter().find(is_there).expect("a chat")["id"].as_i64().expect("a number")
    };
    let (instagram, used) = (on("@instagram"), shop.token.credits().await.0);
    let both = json!({ "text": "x", "file_uid": file });
    app.resize_files(9_000_000).await;
    shop.token.post(&format!("/chats/{instagram}/messages"), both.clone()).await.expect(400);
    assert_eq!(shop.token.credits().await.0, used, "with a text neither is charged");
    app.resize_files(8_000_000).await;
    shop.token.post(&format!("/chats/{instagram}/messages"), both).await.expect(200);
    assert_eq!(shop.token.credits().await.0, used + 2);
}

#[tokio::test]
async fn a_large_picture_costs_nothing_and_leaves_no_hold() {
    use quartermaster::plan::SetPlan;
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let one_credit = SetPlan { credits_per_seat: Some(entity::credits::Credits(1)), ..unlimited() };
    plan::set(&app.app, &Origin::operator(), &one_credit).await.expect("a plan");
    let shop = Shop::of(&app, shop.partner.clone(), "Other", 1).await;
    let (_, chat) = chat_on(&shop, "instagram", "ann").await;
    let picture = png(9 * 1024 * 1024, 1);
    let uid = shop.token.picture("a.png", &picture).await;
    let path = format!("/chats/{chat}/messages");
    for _ in 0..3 {
        let body = shop.token.post(&path, json!({ "file_uid": uid })).await.expect(400);
        assert_eq!(body["errors"][0]["fields"], json!(["file_uid"]), "{body}");
        let form = Form::new().file("a.png", "image/png", &picture);
        let body = shop.token.form(&format!("/chats/{chat}/file_message"), form).await.expect(400);
        assert_eq!(body["errors"][0]["fields"], json!(["file"]), "{body}");
    }
    assert_eq!(entity::file::Entity::find().count(app.app.db.reader()).await.expect("a count"), 1);
    assert_eq!(shop.token.credits().await, (0, 1));
    shop.token.post(&path, json!({ "text": "small" })).await.expect(200);
    assert_eq!(shop.token.credits().await, (1, 1));
}

#[tokio::test]
async fn a_telephone_takes_sounds_and_nothing_else() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let (_, chat) = chat_on(&shop, "voice", "+15557770000").await;
    let picture = shop.token.picture("a.png", &png(100, 1)).await;
    let refused = shop.token.post(&format!("/chats/{chat}/messages"), json!({ "file_uid": picture })).await;
    let body = refused.expect(409);
    assert_eq!(body["error_code"], "validation_error", "{body}");
    assert!(refused.text.contains("voice") && refused.text.contains("image"), "{body}");
    assert_eq!(shop.token.credits().await.0, 0);
    let spoken = Form::new().file("a.ogg", "audio/ogg", &ogg());
    shop.token.form(&format!("/chats/{chat}/voice_message"), spoken).await.expect(200);
    assert_eq!(shop.token.credits().await.0, 1);
}
