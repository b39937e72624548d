//! Texts that a network does not take (`contracts/channels.md` 1.8) are refused before anything is charged, whoever
//! writes them.

use super::*;
use crate::support::{
    receiver::{Receiver, Reply},
    upload::png,
};

/// A channel of this type with a chat; the channel's id and the chat's number.
async fn chat_on(shop: &Shop<'_>, network: &str, from: &str) -> (String, i64) {
    let config = settings().into_iter().find(|(name, _)| *name == network).expect("settings").1;
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
