//! What answers something says what, in both directions, each provider in its own way; and so does who is called what.

use entity::{id::MessageId, message};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::{
    conformance::{Posted, Remote, Said, Scene, Signature, THEIRS},
    support::provider::Trouble,
};

/// A group that the account is in.
pub(crate) const GROUP: &str = "120363000000000001@g.us";
/// What that is called.
pub(crate) const SUBJECT: &str = "Team";

/// What [`THEIRS`] writes, or the account's owner on the phone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrote {
    pub(crate) id: &'static str,
    pub(crate) text: &'static str,
    pub(crate) is_typed: bool,
    /// What they call themselves.
    pub(crate) name: Option<&'static str>,
    /// Whether it is written to [`GROUP`].
    pub(crate) is_to_group: bool,
    /// The bare id of the message that it answers, and whether that is ours.
    pub(crate) answers: Option<(String, bool)>,
}

impl Wrote {
    pub(crate) fn said(&self) -> Said {
        let (id, text) = (self.id, self.text);
        if self.is_typed { Said::Typed { id, text, file: None } } else { Said::Wrote { id, text, file: None } }
    }
}

/// A provider of messages that answer others.
pub(crate) trait Answering: Remote {
    /// Our form of the id of the message that the one with this text answers. Where the provider asks for more than an
    /// id, it is checked that the rest is that of a direct chat with [`THEIRS`].
    fn quoted(&self, text: &str, is_own: bool) -> Option<String>;

    /// Whether its messages tell what groups are called.
    const TELLS_SUBJECTS: bool = false;

    /// A callback about what was written; `number` makes its id.
    fn wrote(&self, wrote: &Wrote, number: u32) -> Posted;
}

async fn hear<P: Answering>(scene: &Scene<P>, wrote: Wrote, number: u32) {
    let posted = scene.provider.wrote(&wrote, number);
    assert_eq!(scene.provider.post(&posted, Signature::Genuine).await, 200, "{wrote:?}");
    scene.app.run_jobs().await;
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
    // The channel rests after what was sent before.
    scene.app.advance(3).await;
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

pub(crate) async fn what_answers_a_message_says_so<P: Answering>() {
    let scene = Scene::<P>::linked().await;
    let sent = scene.send(THEIRS, "Hello").await;
    let stored = async |text: &str| {
        let found = message::Entity::find().filter(message::Column::Text.eq(text)).one(scene.app.app.db.reader());
        found.await.expect("a look").expect("a message")
    };
    let own = Some((scene.provider.reference("Hello"), true));
    let theirs = |id: &str| Some((id.to_owned(), false));
    let (direct, group) = (false, true);
    for (number, (id, text, is_to_group, answers, expected)) in (1..).zip([
        ("IN1", "Yes?", direct, own, Some("Hello")),
        ("IN2", "And?", direct, theirs("IN1"), Some("Yes?")),
        ("IN3", "Hi all", group, None, None),
        ("IN4", "Hi", group, theirs("IN3"), Some("Hi all")),
        // What is in another chat, or nowhere, is nothing that is answered here.
        ("IN5", "What?", direct, theirs("IN3"), None),
        ("IN6", "Who?", direct, theirs("NOBODYS"), None),
    ]) {
        hear(&scene, Wrote { id, text, is_to_group, answers, ..Wrote::default() }, number).await;
        let expected: Option<MessageId> = match expected {
            Some(text) => Some(stored(text).await.id),
            None => None,
        };
        assert_eq!(stored(text).await.reply_to, expected, "{text}");
    }
    let typed = Wrote { id: "OWN1", text: "Here.", is_typed: true, answers: theirs("IN2"), ..Wrote::default() };
    hear(&scene, typed, 7).await;
    scene.app.advance(3).await;
    assert_eq!(stored("Here.").await.reply_to, Some(stored("And?").await.id));
    let token = scene.token().await;
    let shown = token.get(&format!("/messages/{}", stored("Yes?").await.id)).await.expect(200);
    assert_eq!(shown["data"]["reply_to_uid"], json!(sent));
}

pub(crate) async fn people_are_called_as_they_call_themselves<P: Answering>() {
    let scene = Scene::<P>::linked().await;
    let token = scene.token().await;
    let chat = async |is_group: bool| {
        let listed = token.get(&format!("/chats?group={is_group}")).await.expect(200);
        listed["data"]["chats"][0].clone()
    };
    let direct = |id, text, name| Wrote { id, text, name, ..Wrote::default() };
    for (number, (id, text, name, expected)) in (1..).zip([
        ("IN1", "One", None, THEIRS),
        ("IN2", "Two", Some(" Ann\u{0} Lee\n"), "Ann Lee"),
        ("IN3", "Three", Some("Annie"), "Annie"),
        ("IN4", "Four", Some("Ann Lee"), "Ann Lee"),
    ]) {
        hear(&scene, direct(id, text, name), number).await;
        assert_eq!(chat(false).await["name"], expected, "{text}");
    }
    let found = token.get("/chats?name=ann%20l").await.expect(200);
    assert_eq!(found["data"]["chats"].as_array().map(Vec::len), Some(1));
    let body = json!({ "chat_name": "ann lee", "text": "Hello" });
    token.post("/messages/to_chat_name", body).await.expect(200);
    scene.app.advance(3).await;
    assert_eq!(scene.provider.taken(&scene.app, "Hello").await, 1);
    let path = format!("/chats/{}", chat(false).await["id"]);
    token.patch(&path, json!({ "name": "Customer 7" })).await.expect(200);
    hear(&scene, direct("IN5", "Five", Some("Annie")), 5).await;
    assert_eq!(chat(false).await["name"], "Customer 7");
    let to_group = Wrote { is_to_group: true, ..direct("IN6", "Six", Some("Bob")) };
    hear(&scene, to_group, 6).await;
    let group = chat(true).await;
    assert_eq!(group["name"], if P::TELLS_SUBJECTS { SUBJECT } else { GROUP });
    let history = token.get(&format!("/chats/{}/messages", group["id"])).await.expect(200);
    assert_eq!(history["data"]["messages"][0]["sender_name"], "Bob");
}

macro_rules! every_answering_connector {
    ($name:ident, $provider:ty) => {
        mod $name {
            use crate::conformance::answers;

            #[tokio::test]
            async fn what_is_answered_is_quoted() {
                answers::what_is_answered_is_quoted::<$provider>().await;
            }

            #[tokio::test]
            async fn what_answers_a_message_says_so() {
                answers::what_answers_a_message_says_so::<$provider>().await;
            }

            #[tokio::test]
            async fn people_are_called_as_they_call_themselves() {
                answers::people_are_called_as_they_call_themselves::<$provider>().await;
            }
        }
    };
}

every_answering_connector!(waha, crate::support::waha::Waha);
every_answering_connector!(evolution, crate::support::evolution::Evolution);
every_answering_connector!(unipile, crate::support::unipile::Unipile);
