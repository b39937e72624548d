//! What answers something says what: messages that go out quote it as their provider wants it.

use serde_json::{Value, json};

use crate::{
    conformance::{Remote, Said, Scene, Signature, THEIRS},
    support::provider::Trouble,
};

/// A provider of messages that answer others.
pub(crate) trait Answering: Remote {
    /// Our form of the id of the message that the one with this text answers. Where the provider asks for more than an
    /// id, it is checked that the rest is that of a direct chat with [`THEIRS`].
    fn quoted(&self, text: &str, is_own: bool) -> Option<String>;
}

/// The uid of the message with this text in the only chat, and the path of that chat's messages.
async fn find<P: Remote>(scene: &Scene<P>, text: &str) -> (Value, String) {
    let token = scene.token().await;
    let chat = token.get("/chats").await.expect(200)["data"]["chats"][0]["id"].clone();
    let path = format!("/chats/{chat}/messages");
    let history = token.get(&path).await.expect(200)["data"]["messages"].clone();
    let found = history.as_array().expect("messages").iter().find(|message| message["text"] == text);
    (found.expect("the message")["uid"].clone(), path)
}

async fn answer<P: Remote>(scene: &Scene<P>, answered: &str, text: &str) {
    let (uid, path) = find(scene, answered).await;
    scene.token().await.post(&path, json!({ "text": text, "reply_to": uid })).await.expect(200);
    scene.app.advance(3).await;
}

pub(crate) async fn what_is_answered_is_quoted<P: Answering>() {
    let scene = Scene::<P>::linked().await;
    let wrote = scene.provider.callback(&Said::Wrote { id: "IN1", text: "Is it ready?", file: None }, 1);
    assert_eq!(scene.provider.post(&wrote, Signature::Genuine).await, 200);
    scene.app.run_jobs().await;
    answer(&scene, "Is it ready?", "Almost.").await;
    assert_eq!(scene.provider.quoted("Almost.", false).as_deref(), Some("IN1"));
    answer(&scene, "Almost.", "Now it is.").await;
    assert_eq!(scene.provider.quoted("Now it is.", true), Some(scene.provider.reference("Almost.")));
    scene.send(THEIRS, "Come!").await;
    scene.app.advance(3).await;
    assert_eq!(scene.provider.quoted("Come!", true), None, "what answers nothing quotes nothing");
    // What has no id at the provider cannot be quoted there; the answer goes without it.
    let to = scene.provider.trouble(Trouble::RequestLost);
    scene.send(&to, "Lost").await;
    answer(&scene, "Lost", "Never mind.").await;
    assert_eq!(scene.provider.taken(&scene.app, "Never mind.").await, 1);
    assert_eq!(scene.provider.quoted("Never mind.", true), None);
}

macro_rules! every_answering_connector {
    ($name:ident, $provider:ty) => {
        mod $name {
            use crate::conformance::answers;

            #[tokio::test]
            async fn what_is_answered_is_quoted() {
                answers::what_is_answered_is_quoted::<$provider>().await;
            }
        }
    };
}

every_answering_connector!(waha, crate::support::waha::Waha);
every_answering_connector!(evolution, crate::support::evolution::Evolution);
every_answering_connector!(unipile, crate::support::unipile::Unipile);
