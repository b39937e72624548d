//! When a channel was last changed.

use super::*;

/// A channel that is looked at a second later each time.
struct Watched<'a> {
    shop: &'a Shop<'a>,
    id: String,
}

impl Watched<'_> {
    /// Whether what is done changes when the channel was last changed: then to the second in which it is done.
    async fn moves(&self, doing: impl Future<Output = Answer>) -> bool {
        let before = self.shop.attributes(&self.id).await["updatedAt"].clone();
        self.shop.app.clock.advance(std::time::Duration::from_secs(1));
        doing.await.expect(200);
        let now = self.shop.app.clock.now().0 / 1_000_000 % 60;
        let after = self.shop.attributes(&self.id).await["updatedAt"].clone();
        let has_moved = after != before;
        let is_now = after.as_str().is_some_and(|text| text.ends_with(&format!(":{now:02}Z")));
        assert!(!has_moved || is_now, "{before} {after}");
        has_moved
    }
}

#[tokio::test]
async fn what_a_client_can_see_says_when_it_changed() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.active("telegram", json!({ "botToken": "1:a" })).await;
    let path = format!("/channels/{id}");
    let agent = json!({ "name": "Bot", "type": "http", "config": { "endpoint": "https://1.1.1.1/" } });
    let agent = shop.post("/agents", agent).await.expect(201)["data"]["id"].as_str().expect("an id").to_owned();
    let channel = Watched { shop: &shop, id: id.clone() };
    let post = async |action: &str, body: Value| shop.post(&format!("{path}/{action}"), body).await;
    let patch = async |body: Value| shop.linktor(Method::PATCH, &path, body).await;
    let put_agent =
        async |id: Value| shop.linktor(Method::PUT, &format!("{path}/agent"), json!({ "defaultBotId": id })).await;
    assert!(!channel.moves(post("activate", json!(null))).await, "it is on already");
    assert!(!channel.moves(post("test", json!(null))).await, "it works as before");
    assert!(channel.moves(post("deactivate", json!({ "reason": "Night" }))).await);
    assert!(!channel.moves(post("deactivate", json!({ "reason": "Night" }))).await);
    assert!(channel.moves(post("deactivate", json!({ "reason": "Holiday" }))).await, "the reason is shown");
    assert!(channel.moves(post("activate", json!(null))).await);
    assert!(channel.moves(patch(json!({ "name": "Other" }))).await);
    assert!(!channel.moves(patch(json!({ "name": "Other", "config": { "botToken": "1:a" } }))).await);
    assert!(channel.moves(put_agent(json!(agent))).await);
    assert!(!channel.moves(put_agent(json!(agent))).await);
    assert!(channel.moves(patch(json!({ "defaultBotId": null }))).await);
    put_agent(json!(agent)).await.expect(200);
    app.clock.advance(std::time::Duration::from_secs(1));
    let before = shop.attributes(&id).await["updatedAt"].clone();
    shop.linktor(Method::DELETE, &format!("/agents/{agent}"), json!(null)).await;
    let after = shop.attributes(&id).await;
    assert_eq!(after["defaultBot"], json!(null));
    assert_ne!(after["updatedAt"], before, "it has no bot any more");
    assert!(channel.moves(post("disconnect", json!(null))).await);
    assert!(!channel.moves(post("disconnect", json!(null))).await);
}

#[tokio::test]
async fn what_is_found_of_a_channel_changes_it_once() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.channel("telegram", json!({ "botToken": "1:a_401" })).await;
    let channel = Watched { shop: &shop, id: id.clone() };
    let test = async || shop.post(&format!("/channels/{id}/test"), json!(null)).await;
    assert!(channel.moves(test()).await, "it is unhealthy");
    assert!(!channel.moves(test()).await, "as before");
    let failing = async || {
        let refused = shop.post(&format!("/channels/{id}/activate"), json!(null)).await;
        assert_eq!(word(&refused, 422), "CHANNEL_ERROR");
        shop.get(&format!("/channels/{id}")).await
    };
    assert!(channel.moves(failing()).await, "its status is an error");
    let right = json!({ "config": { "botToken": "1:a" } });
    assert!(channel.moves(shop.linktor(Method::PATCH, &format!("/channels/{id}"), right)).await);
    assert!(channel.moves(test()).await, "it is healthy");
}
