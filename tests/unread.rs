//! How many messages of a chat nobody has read.

use entity::chat;
use sea_orm::{EntityTrait, sea_query::Expr};
use serde_json::json;

use crate::support::{TestApp, sender::Sender};

#[tokio::test]
async fn what_has_come_since_a_chat_was_read_is_counted() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let text = json!({ "phone": "+15550001111", "from": "+15557770000", "text": "Hello" });
    let come = async || sender.partner.post("/sandbox/inbound", text.clone()).await.expect(200);
    let only = async || sender.token.get("/chats").await.expect(200)["data"]["chats"][0].clone();
    let standing = async || {
        let chat = only().await;
        (chat["read"].as_bool().expect("a switch"), chat["unread_count"].as_i64().expect("a count"))
    };
    come().await;
    let path = format!("/chats/{}", only().await["id"]);
    let call = json!({ "phone": "+15550001111", "with": "+15557770000", "direction": "incoming", "status": "Missed" });
    assert_eq!(standing().await, (false, 1));
    come().await;
    sender.partner.post("/sandbox/call", call).await.expect(200);
    assert_eq!(standing().await, (false, 3));
    sender.token.post(&format!("{path}/notes"), json!({ "text": "Ours" })).await.expect(200);
    assert_eq!(standing().await, (false, 3), "a note is not for them");
    sender.token.patch(&path, json!({ "read": true })).await.expect(200);
    assert_eq!(standing().await, (true, 0));
    sender.token.patch(&path, json!({ "read": false })).await.expect(200);
    assert_eq!(standing().await, (false, 0), "marked by hand, with nothing new in it");
    for texts in [json!({ "text": "Hi" }), json!({ "text": "Hi", "label": "new" })] {
        come().await;
        assert_eq!(standing().await, (false, 1));
        sender.token.post(&format!("{path}/messages"), texts).await.expect(200);
        assert_eq!(standing().await, (true, 0), "the short way and the long one");
    }
    // A process of the release before has read it, and has not counted.
    let read_only = chat::Entity::update_many().col_expr(chat::Column::Read, Expr::value(true));
    come().await;
    come().await;
    quartermaster::db::write(&app.app.db, "test", async |tx| Ok(read_only.clone().exec(tx).await?))
        .await
        .expect("read");
    assert_eq!(standing().await, (true, 0));
    come().await;
    assert_eq!(standing().await, (false, 1));
    app.run_jobs().await;
}
