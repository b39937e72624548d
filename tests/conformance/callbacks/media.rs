//! Files: what exactly providers are asked to send, and what becomes of files that they do not give.

use entity::message::{self, Direction, Status};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

use crate::{
    conformance::{FileSent, Remote, Said, Scene, THEIRS, callbacks::told, uid},
    support::{
        evolution::Evolution,
        provider::{Fake, Played, Trouble},
        unipile::Unipile,
        upload::{Form, ogg, pdf, png},
        waha::Waha,
    },
};

/// A provider of which it is known what it was sent.
trait Sent: Remote {
    /// What it was sent last, as it came.
    fn last(&self) -> Value;

    /// What it is to be sent: a picture with words, something spoken, a document. Files are where the first says.
    fn expected(name: &str, url: &str) -> [Value; 3];
}

fn last_of<P: Played>(fake: &Fake<P>) -> Value {
    let mut last = fake.sent().pop().expect("a message");
    last.as_object_mut().expect("an object").remove("id");
    last
}

impl Sent for Waha {
    fn last(&self) -> Value {
        last_of(self)
    }

    fn expected(name: &str, url: &str) -> [Value; 3] {
        let to = "15557770000@c.us";
        let file = |mimetype: &str, filename: &str| json!({ "mimetype": mimetype, "filename": filename, "url": url });
        [
            json!({ "endpoint": "sendImage", "session": name, "chatId": to, "file": file("image/png", "cake.png"),
                "caption": "A cake" }),
            json!({ "endpoint": "sendVoice", "session": name, "chatId": to, "file": file("audio/ogg", "a.oga"),
                "convert": true }),
            json!({ "endpoint": "sendFile", "session": name, "chatId": to, "file": file("application/pdf", "menu.pdf") }),
        ]
    }
}

impl Sent for Evolution {
    fn last(&self) -> Value {
        last_of(self)
    }

    fn expected(_name: &str, url: &str) -> [Value; 3] {
        let to = "15557770000";
        [
            json!({ "endpoint": "sendMedia", "number": to, "mediatype": "image", "media": url, "mimetype": "image/png",
                "fileName": "cake.png", "caption": "A cake" }),
            json!({ "endpoint": "sendWhatsAppAudio", "number": to, "audio": url }),
            json!({ "endpoint": "sendMedia", "number": to, "mediatype": "document", "media": url,
                "mimetype": "application/pdf", "fileName": "menu.pdf" }),
        ]
    }
}

impl Sent for Unipile {
    fn last(&self) -> Value {
        last_of(self)["parts"].clone()
    }

    fn expected(_name: &str, _url: &str) -> [Value; 3] {
        let account = json!({ "name": "account_id" });
        let to = json!({ "name": "attendees_ids" });
        let file = |name: &str, filename: &str, content_type: &str| json!({ "name": name, "filename": filename, "type": content_type });
        [
            json!([account, to, { "name": "text" }, file("attachments", "cake.png", "image/png")]),
            json!([account, to, file("voice_message", "a.oga", "audio/ogg")]),
            json!([account, to, file("attachments", "menu.pdf", "application/pdf")]),
        ]
    }
}

/// The address of a file wherever it stands in a message.
fn address(sent: &Value) -> Option<&str> {
    [&sent["file"]["url"], &sent["media"], &sent["audio"]].into_iter().find_map(Value::as_str)
}

async fn files_are_sent_as_what_they_are<P: Sent>() {
    let scene = Scene::<P>::linked().await;
    let (token, name) = (scene.token().await, scene.channel().await.session.to_string());
    let contents = [png(1000, 1), ogg(), pdf(1000, 2)];
    let picture = token.picture("cake.png", &contents[0]).await;
    let document = Form::new().file("menu.pdf", "application/pdf", &contents[2]);
    let document = token.form("/files_upload", document).await.expect(200)["data"]["uid"].clone();
    let first = json!({ "phone": THEIRS, "text": "A cake", "file_uid": picture });
    for (index, content) in contents.iter().enumerate() {
        let sent = match index {
            0 => token.post("/messages", first.clone()).await,
            1 => {
                let chat = token.get("/chats").await.expect(200)["data"]["chats"][0]["id"].clone();
                let spoken = Form::new().file("a.oga", "audio/oga", content);
                token.form(&format!("/chats/{chat}/voice_message"), spoken).await
            }
            _ => token.post("/messages", json!({ "phone": THEIRS, "file_uid": document })).await,
        };
        let id = uid(&sent.expect(200));
        scene.app.advance(5).await;
        assert_eq!(scene.app.message(id).await.status, Status::Sent);
        let last = scene.provider.last();
        let url = address(&last).unwrap_or_default().to_owned();
        assert_eq!(last, P::expected(&name, &url)[index]);
        let brought = match scene.provider.file_sent() {
            Some(FileSent::Here(brought)) => brought,
            _ => scene.app.http.get(&url).send().await.expect("the file").bytes().await.expect("it").to_vec(),
        };
        assert!(brought == *content, "it arrives as it is: {index}");
    }
}

async fn received<P: Remote>(scene: &Scene<P>) -> Vec<message::Model> {
    let found = message::Entity::find().filter(message::Column::Direction.eq(Direction::Received));
    let found = found.order_by_asc(message::Column::Id).all(scene.app.app.db.reader());
    found.await.expect("messages")
}

async fn a_file_that_is_not_given_is_asked_for_again_or_not<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    scene.app.run_jobs().await;
    let file = scene.provider.keep("tart.png", "image/png", &png(2000, 2)).expect("kept");
    let said = |id: &'static str| Said::Wrote { id, text: "A tart", file: Some((file.clone(), "image/png")) };
    let for_now = [Trouble::Unavailable, Trouble::Broken, Trouble::Limited(None), Trouble::Says(504, "")];
    for (number, (id, trouble)) in (1..).zip(["A1", "A2", "A3", "A4"].into_iter().zip(for_now)) {
        let before = received(&scene).await.len();
        scene.provider.trouble_asking(trouble);
        told(&scene, &said(id), number).await;
        assert_eq!(received(&scene).await.len(), before, "it is waited for: {id}");
        scene.app.advance(1).await;
        let last = received(&scene).await.pop().expect("a message");
        assert_eq!((last.provider_ref.as_deref(), last.file_id.is_some()), (Some(id), true));
    }
    let for_ever = [Trouble::Refused, Trouble::Says(401, ""), Trouble::Says(403, ""), Trouble::Says(404, "")];
    for (number, (id, trouble)) in (5..).zip(["B1", "B2", "B3", "B4"].into_iter().zip(for_ever)) {
        scene.provider.trouble_asking(trouble);
        told(&scene, &said(id), number).await;
        let last = received(&scene).await.pop().expect("a message");
        assert_eq!(
            (last.provider_ref.as_deref(), last.text.as_deref(), last.file_id),
            (Some(id), Some("A tart"), None)
        );
    }
}

macro_rules! every_sent {
    ($name:ident, $provider:ty) => {
        mod $name {
            #[tokio::test]
            async fn files_are_sent_as_what_they_are() {
                super::files_are_sent_as_what_they_are::<$provider>().await;
            }

            #[tokio::test]
            async fn a_file_that_is_not_given_is_asked_for_again_or_not() {
                super::a_file_that_is_not_given_is_asked_for_again_or_not::<$provider>().await;
            }
        }
    };
}

every_sent!(waha, crate::support::waha::Waha);
every_sent!(evolution, crate::support::evolution::Evolution);
every_sent!(unipile, crate::support::unipile::Unipile);

/// It comes whole in base64, which is read up to a limit.
#[tokio::test]
async fn a_file_that_is_too_large_is_told() {
    let scene = Scene::<Evolution>::linked().await;
    let fits = png(18 * 1024 * 1024 - 1024, 1);
    let over = png(18 * 1024 * 1024 + 1, 2);
    for (number, (id, content, text)) in (1..).zip([("A", &fits, "A film"), ("B", &over, "A film"), ("C", &over, "")]) {
        let file = Remote::keep(&scene.provider, id, "image/png", content).expect("kept");
        told(&scene, &Said::Wrote { id, text, file: Some((file, "image/png")) }, number).await;
    }
    let shown: Vec<(Option<String>, bool)> =
        received(&scene).await.into_iter().map(|message| (message.text, message.file_id.is_some())).collect();
    let note = "(a file that is too large to be received)";
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(shown, [(text("A film"), true), (text(&format!("A film\n{note}")), false), (text(note), false)]);
}
