//! Groups: a bot is told who wrote what, and when.

use super::*;
use crate::support::{START, sender::PHONE};

const TEAM: &str = "120363000000000001@g.us";
const OTHER: &str = "+15557771111";

impl Stage<'_> {
    /// Somebody writes in the group.
    async fn hear_in_group(&self, from: &str, name: Option<&str>, text: &str) -> MessageId {
        let mut written = json!({ "phone": PHONE, "from": from, "group": TEAM, "group_name": "Team", "text": text });
        if let Some(name) = name {
            written["from_name"] = json!(name);
        }
        let arrived = self.sender.partner.post("/sandbox/inbound", written).await.expect(200);
        arrived["message_uids"][0].as_str().expect("a uid").parse().expect("a uuid")
    }

    /// Ann has written an hour before it came, and the group is answered automatically from now on; then somebody asks,
    /// who has no name.
    async fn ask_in_group(&self) {
        let first = self.hear_in_group(PERSON, Some("Ann Lee"), "Good morning").await;
        let told_at = Set(Some(START.plus_seconds(-3600)));
        let change = message::ActiveModel { id: Unchanged(first), told_at, ..Default::default() };
        db::write(&self.app.app.db, "test", async |tx| Ok(change.update(tx).await?)).await.expect("a time");
        self.app.advance(2).await;
        self.switch_on(self.app.message(first).await.chat_id).await;
        self.hear_in_group(OTHER, None, "When do you open?").await;
        self.app.advance(3).await;
    }
}

#[tokio::test]
async fn an_endpoint_is_told_who_wrote_each_message_and_when() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    stage.http_bot().await;
    stage.endpoint.usually(reply("At eight."));
    stage.ask_in_group().await;
    let asked = stage.endpoint.only().json();
    let of = |message: &Value| {
        (message["sender"].clone(), message["timestamp"].clone(), message["received_timestamp"].clone())
    };
    let nameless = json!({ "name": OTHER, "phone": OTHER });
    let (early, start) = (json!("2026-09-10 07:00:00 +0000"), json!("2026-09-10 08:00:00 +0000"));
    let later = json!("2026-09-10 08:00:02 +0000");
    assert_eq!(of(&asked["messages"][0]), (json!({ "name": "Ann Lee", "phone": PERSON }), early, start));
    assert_eq!(of(&asked["messages"][1]), (nameless, later.clone(), later));
    assert_eq!(asked["message"], asked["messages"][1]);
    assert_eq!(asked["contact"], json!({ "name": "Team", "phone": null }));

    stage.hear_in_group(PERSON, Some("Ann Lee"), "Thanks!").await;
    app.advance(3).await;
    let again = stage.endpoint.received()[1].json();
    let owner = stage.sender.token.get("/workspace/teammates/me").await.expect(200)["data"]["display_name"].clone();
    assert_eq!(again["messages"][2]["sender"], json!({ "name": owner, "phone": PHONE }), "the bot's own");
}

#[tokio::test]
async fn of_a_direct_chat_an_endpoint_is_told_the_other_side() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    stage.http_bot().await;
    stage.open_chat().await;
    stage.endpoint.usually(reply("Yes."));
    stage.hear("Are you open?").await;
    app.advance(3).await;
    let asked = stage.endpoint.only().json();
    assert_eq!(
        (&asked["message"]["sender"], &asked["contact"]),
        (&asked["contact"], &json!({ "name": PERSON, "phone": PERSON }))
    );
}

#[tokio::test]
async fn a_model_is_told_who_wrote_each_message_and_when() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let settings = json!({ "name": "Model", "kind": "openai", "base_url": stage.endpoint.url(), "model": "small", "api_key": "sk-secret" });
    stage.bot(settings).await;
    let answer = json!({ "choices": [{ "message": { "role": "assistant", "content": "At eight." } }] });
    stage.endpoint.usually(Reply::Body(answer.to_string()));
    stage.ask_in_group().await;
    stage.hear_in_group(PERSON, Some("Ann Lee"), "Thanks!").await;
    app.advance(3).await;
    let asked = stage.endpoint.received()[1].json();
    let expected = json!([
        { "role": "user", "content": "[2026-09-10 07:00:00 +0000] Ann Lee (+15557770000): Good morning" },
        { "role": "user", "content": "[2026-09-10 08:00:02 +0000] +15557771111: When do you open?" },
        { "role": "assistant", "content": "At eight." },
        { "role": "user", "content": "[2026-09-10 08:00:05 +0000] Ann Lee (+15557770000): Thanks!" },
    ]);
    assert_eq!(asked["messages"], expected);
}
