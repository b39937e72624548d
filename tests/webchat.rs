//! Web chats: who may call, who a visitor is, what goes to and fro.

mod access;
mod door;
mod identity;
mod messages;
mod streams;

use entity::workspace;
use quartermaster::db;
use sea_orm::{EntityTrait, sea_query::Expr};
use serde_json::{Value, json};

use crate::support::{
    TestApp,
    channels::{Shop, word},
    visitor::{Visitor, WEBSITE},
};

#[tokio::test]
async fn the_first_visitor_opens_the_channel_and_nobody_opens_what_was_switched_off() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let before = shop.attributes(&chat.id).await;
    assert_eq!((&before["status"], &before["widgetToken"]), (&json!("inactive"), &json!(chat.token)));
    let embed = before["embedCode"].as_str().expect("HTML");
    assert!(embed.contains(&format!("{}/widget/widget.js", app.base)) && embed.contains(&chat.token), "{embed}");
    assert_eq!(shop.row(&chat.id).await.connector, entity::channel::ConnectorKind::Webchat);
    let visitor = Visitor::come(&app, &chat.token).await;
    let opened = shop.attributes(&chat.id).await;
    assert_eq!((&opened["status"], &opened["health"]["status"]), (&json!("active"), &json!("healthy")));
    visitor.write("Hello").await;
    shop.post(&format!("/channels/{}/deactivate", chat.id), json!({})).await.expect(200);
    assert_eq!(visitor.get("/config").await.expect(200)["is_online"], false);
    let refused = visitor.post("/messages", json!({ "text": "Anybody there?" })).await.expect(409);
    assert_eq!(refused["code"], "widget_offline");
    Visitor::come(&app, &chat.token).await;
    assert_eq!(shop.attributes(&chat.id).await["status"], "inactive", "a visit opens nothing that was switched off");
    shop.post(&format!("/channels/{}/activate", chat.id), json!(null)).await.expect(200);
    visitor.write("And now?").await;
    shop.post(&format!("/channels/{}/disconnect", chat.id), json!(null)).await.expect(200);
    visitor.post("/messages", json!({ "text": "x" })).await.expect(409);
    shop.post(&format!("/channels/{}/activate", chat.id), json!(null)).await.expect(200);
    visitor.write("Again").await;
    assert_eq!(visitor.window().await.len(), 3, "the conversation goes on");
    assert_eq!(shop.chats().await.len(), 1);
}

#[tokio::test]
async fn suspended_workspaces_are_not_there_to_chat_with() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({ "theme": { "offlineMessage": "Back on Monday" } })).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    db::write(&app.app.db, "test", async |tx| {
        let change = Expr::value(workspace::Status::Suspended);
        workspace::Entity::update_many().col_expr(workspace::Column::Status, change).exec(tx).await?;
        Ok(())
    })
    .await
    .expect("a change");
    let config = visitor.get("/config").await.expect(200);
    assert_eq!((&config["is_online"], &config["offline_message"]), (&json!(false), &json!("Back on Monday")));
    assert_eq!(visitor.post("/messages", json!({ "text": "x" })).await.expect(409)["code"], "widget_offline");
}

#[tokio::test]
async fn a_test_looks_at_the_parts_of_a_web_chat() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let parts = async || -> Vec<(String, String)> {
        let tested = shop.post(&format!("/channels/{}/test", chat.id), json!(null)).await.expect(200);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let tests = tested["data"]["tests"].as_array().expect("tests").iter();
        tests.map(|test| (text(&test["name"]), text(&test["status"]))).collect()
    };
    let named = |verdicts: [&str; 3]| -> Vec<(String, String)> {
        let names = ["origins", "widget", "session"].into_iter().map(str::to_owned);
        names.zip(verdicts.into_iter().map(str::to_owned)).collect()
    };
    assert_eq!(parts().await, named(["passed", "passed", "skipped"]));
    Visitor::come(&app, &chat.token).await;
    assert_eq!(parts().await, named(["passed", "passed", "passed"]));
    shop.post(&format!("/channels/{}/deactivate", chat.id), json!({})).await.expect(200);
    assert_eq!(parts().await, named(["passed", "passed", "skipped"]));
    shop.post(&format!("/channels/{}/disconnect", chat.id), json!(null)).await.expect(200);
    assert_eq!(parts().await, named(["passed", "passed", "failed"]));
}

#[tokio::test]
async fn the_widget_shows_its_theme_and_says_when_it_has_not_changed() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let secret = "0123456789abcdef0123456789abcdef-secret";
    let theme = json!({ "primaryColor": "#0066cc", "headerText": "Bakery", "welcomeMessage": "Hi!", "position": "bottom-left" });
    let chat = shop.web_chat(json!({ "theme": theme, "requireEmail": true, "identitySecret": secret })).await;
    let visitor = Visitor::at(&app, &chat.token);
    let answer = visitor.get("/config").await;
    let expected = json!({
        "is_online": true, "title": "Bakery", "subtitle": null, "welcome_message": "Hi!",
        "offline_message": "Nobody is here at the moment. Please come back later.", "primary_color": "#0066cc",
        "text_color": null, "position": "bottom-left", "avatar_url": null, "show_branding": true,
        "require_email": true, "require_identity": false,
    });
    assert_eq!(answer.expect(200), expected);
    assert!(!answer.text.contains("-secret"));
    let tag = answer.header("etag").to_owned();
    let again = visitor.request(reqwest::Method::GET, "/config").header("If-None-Match", &tag);
    assert_eq!(crate::support::Answer::of(again).await.status.as_u16(), 304);
    let change = json!({ "config": { "theme": { "title": "Fish" } } });
    shop.linktor(reqwest::Method::PATCH, &format!("/channels/{}", chat.id), change).await.expect(200);
    let again = visitor.request(reqwest::Method::GET, "/config").header("If-None-Match", &tag);
    let changed = crate::support::Answer::of(again).await;
    assert_eq!((&changed.expect(200)["title"], changed.header("etag") != tag), (&json!("Fish"), true));
    let read = shop.attributes(&chat.id).await;
    assert_eq!(read["config"]["identitySecret"], "********");
}

#[tokio::test]
async fn another_token_ends_the_old_one_and_no_conversation() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    visitor.write("Hello").await;
    let path = format!("/channels/{}/widget-token", chat.id);
    let rotated = shop.post(&path, json!(null)).await.expect(200);
    let token = rotated["data"]["attributes"]["widgetToken"].as_str().expect("a token").to_owned();
    assert!(token.starts_with("wgt_") && token != chat.token);
    let gone = visitor.get("/messages").await;
    assert_eq!(gone.expect(404)["code"], "widget_not_found");
    assert_eq!(gone.header("access-control-allow-origin"), "", "nobody is allowed to read of a widget that is not");
    assert_eq!(visitor.with_widget(&token).window().await, [("visitor".to_owned(), "Hello".to_owned())]);
    let request = app.http.post(format!("{}/v1/channels/{}/widget/token", app.base, chat.id));
    let timely = crate::support::Answer::of(request.header("x-api-key", shop.token.token())).await.expect(200);
    assert!(timely["widget_token"].as_str().is_some_and(|next| next != token), "{timely}");
    let telegram = shop.channel("telegram", json!({ "botToken": "1:a" })).await;
    let refused = shop.post(&format!("/channels/{telegram}/widget-token"), json!(null)).await;
    assert_eq!(word(&refused, 409), "CHANNEL_ERROR");
    let simulated = json!({ "allowedOrigins": [WEBSITE], "connector": "sandbox" });
    let id = shop.channel("webchat", simulated).await;
    let simulated = shop.attributes(&id).await["widgetToken"].as_str().expect("a token").to_owned();
    Visitor::at(&app, &simulated).get("/config").await.expect(404);
}

#[tokio::test]
async fn a_deleted_channel_has_no_widget() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    visitor.write("Hello").await;
    let path = format!("/channels/{}?force=true", chat.id);
    assert_eq!(shop.linktor(reqwest::Method::DELETE, &path, json!(null)).await.status.as_u16(), 204);
    for path in ["/config", "/messages", "/events"] {
        visitor.get(path).await.expect(404);
    }
    visitor.session(json!({})).await.expect(404);
}
