//! What providers tell us, and whoever says that they are one.

use entity::{
    file::{self, Kind},
    message::{self, Direction, Status},
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::json;

use crate::{
    conformance::{FileSent, OURS, Posted, Remote, Said, Scene, Signature, THEIRS},
    support::{Answer, upload::png},
};

mod media;
mod several;

async fn received<P: Remote>(scene: &Scene<P>) -> Vec<message::Model> {
    message::Entity::find()
        .filter(message::Column::Direction.eq(Direction::Received))
        .order_by_asc(message::Column::Id)
        .all(scene.app.app.db.reader())
        .await
        .expect("messages")
}

pub(crate) async fn told<P: Remote>(scene: &Scene<P>, said: &Said, number: u32) {
    let posted = scene.provider.callback(said, number);
    assert_eq!(scene.provider.post(&posted, Signature::Genuine).await, 200, "{said:?}");
    scene.app.run_jobs().await;
}

pub(crate) async fn callbacks_of_others_are_refused<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    let said = Said::Wrote { id: "IN1", text: "Hello", file: None };
    let posted = scene.provider.callback(&said, 1);
    for signature in [Signature::Forged, Signature::Missing] {
        assert_eq!(scene.provider.post(&posted, signature).await, 401, "{signature:?}");
    }
    // No session, no connector, none that calls back, nothing that reads.
    let connector = scene.channel().await.connector;
    let session = scene.channel().await.session;
    let nobody = "01990000-0000-7000-8000-000000000001";
    for path in [
        format!("{connector}/{nobody}"),
        format!("{connector}/x"),
        format!("nobody/{session}"),
        format!("sandbox/{session}"),
    ] {
        let url = format!("{}/callbacks/{path}", scene.app.base);
        let answer = Answer::of(scene.app.http.post(&url).json(&json!({}))).await.expect(404);
        assert_eq!(answer["code"], "route_not_found", "{path}");
    }
    let url = format!("{}/callbacks/{connector}/{session}", scene.app.base);
    let bare = Answer::of(scene.app.http.post(&url).json(&json!({}))).await.expect(401);
    assert_eq!(bare["code"], "invalid_signature");
    assert_eq!(Answer::of(scene.app.http.get(&url)).await.status.as_u16(), 405);
    scene.app.run_jobs().await;
    assert_eq!(received(&scene).await, []);
    told(&scene, &said, 1).await;
    assert_eq!(received(&scene).await.len(), 1);
}

pub(crate) async fn callbacks_may_come_again_and_in_any_order<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    let id = scene.send(THEIRS, "Hello").await;
    let reference = scene.provider.reference("Hello");
    let wrote = Said::Wrote { id: "IN1", text: "Hi", file: None };
    for _ in 0..3 {
        told(&scene, &wrote, 1).await;
    }
    // The same message in another event, as after a restart.
    told(&scene, &wrote, 2).await;
    assert_eq!(received(&scene).await.len(), 1);
    told(&scene, &Said::Read { reference: reference.clone() }, 4).await;
    assert_eq!(scene.app.message(id).await.status, Status::Read);
    for number in [3, 3, 5] {
        told(&scene, &Said::Delivered { reference: reference.clone() }, number).await;
    }
    assert_eq!(scene.app.message(id).await.status, Status::Read);
    let steps: Vec<Status> = scene.app.history(id).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(steps, [Status::Sent, Status::Read]);
    // Of two reactions of one person the later counts, whichever comes first.
    told(&scene, &Said::Reacted { reference: reference.clone(), emoji: "❤️" }, 8).await;
    told(&scene, &Said::Reacted { reference: reference.clone(), emoji: "👍" }, 7).await;
    let shown = scene.token().await.get(&format!("/messages/{id}/reactions")).await.expect(200);
    assert_eq!(shown["data"]["reactions"], json!({ "❤️": 1 }));
}

pub(crate) async fn what_cannot_be_read_is_refused_and_what_is_unknown_is_not<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    told(&scene, &Said::Unheard, 1).await;
    let session = scene.channel().await.session.to_string();
    for body in ["", "{", "[]", "\"text\""] {
        let posted = Posted { session: session.clone(), body: body.to_owned() };
        assert_eq!(scene.provider.post(&posted, Signature::Genuine).await, 400, "{body}");
    }
    scene.app.run_jobs().await;
    assert_eq!(received(&scene).await, []);
    assert_eq!(scene.account().await["connected"], true);
    // What is too long for a message of ours is received all the same.
    told(&scene, &Said::Wrote { id: "IN1", text: Box::leak("ä\u{0}".repeat(3000).into_boxed_str()), file: None }, 2)
        .await;
    let text = received(&scene).await[0].text.clone().expect("a text");
    assert_eq!((text.chars().count(), text.contains('\0')), (3000, false));
}

pub(crate) async fn files_come_and_go<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    let token = scene.token().await;
    let picture = png(1000, 1);
    let uid = token.picture("cake.png", &picture).await;
    let sent = token.post("/messages", json!({ "phone": THEIRS, "text": "A cake", "file_uid": uid })).await.expect(200);
    scene.app.run_jobs().await;
    let id = crate::conformance::uid(&sent);
    assert_eq!((scene.app.message(id).await.status, scene.used().await), (Status::Sent, 2));
    let content = match scene.provider.file_sent().expect("a file") {
        FileSent::At(address) => {
            let fetched = scene.app.http.get(&address).send().await.expect("the file");
            assert_eq!(fetched.status().as_u16(), 200);
            fetched.bytes().await.expect("its content").to_vec()
        }
        FileSent::Here(content) => content,
    };
    assert!(content == picture, "the file arrives as it is");
    let Some(url) = scene.provider.keep("tart.png", "image/png", &png(2000, 2)) else { return };
    told(&scene, &Said::Wrote { id: "IN1", text: "A tart", file: Some((url.clone(), "image/png")) }, 1).await;
    let gone = url.replace("tart", "gone");
    told(&scene, &Said::Wrote { id: "IN2", text: "", file: Some((gone, "image/png")) }, 2).await;
    // Of whatever type it is, and of whatever type it is said to be.
    let kinds = [("IN3", "list.csv", "text/csv; charset=utf-8", "The list"), ("IN4", "secret.xyz", "image/png", "")];
    for (number, (id, name, content_type, text)) in (3..).zip(kinds) {
        let file = scene.provider.keep(name, content_type, b"name;price\ntart;3\n").expect("kept");
        told(&scene, &Said::Wrote { id, text, file: Some((file, content_type)) }, number).await;
    }
    let messages = received(&scene).await;
    let shown: Vec<(Option<&str>, bool)> =
        messages.iter().map(|message| (message.text.as_deref(), message.file_id.is_some())).collect();
    let stand_in = "(something that cannot be shown here)";
    assert_eq!(shown, [(Some("A tart"), true), (Some(stand_in), false), (Some("The list"), true), (None, true)]);
    let files =
        file::Entity::find().order_by_asc(file::Column::Id).all(scene.app.app.db.reader()).await.expect("files");
    let kept: Vec<(&str, Kind)> = files.iter().map(|file| (file.content_type.as_str(), file.kind)).collect();
    let own = ("image/png", Kind::Media);
    assert_eq!(kept, [own, own, ("text/csv", Kind::Document), ("application/octet-stream", Kind::Document)]);
    let list = token.get(&format!("/messages/{}", messages[2].id)).await.expect(200)["data"].clone();
    let link = list["attachment_url"].as_str().expect("a link");
    let answer = scene.app.http.get(link).send().await.expect("the file");
    let header = |name: &str| answer.headers()[name].to_str().expect("a text").to_owned();
    assert_eq!((header("content-type").as_str(), header("x-content-type-options").as_str()), ("text/csv", "nosniff"));
    assert!(header("content-disposition").starts_with("attachment"));
    assert_eq!(answer.bytes().await.expect("its content").as_ref(), b"name;price\ntart;3\n");
}

pub(crate) async fn reactions_come_and_go<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    let id = scene.send(THEIRS, "Hello").await;
    let token = scene.token().await;
    let path = format!("/messages/{id}/reactions");
    for emoji in ["👍", ""] {
        token.patch(&path, json!({ "reaction": emoji })).await.expect(200);
        scene.app.run_jobs().await;
    }
    let taken: &[&str] = if P::REACTS { &["👍", ""] } else { &[] };
    assert_eq!(scene.provider.reactions(), taken);
    let reference = scene.provider.reference("Hello");
    told(&scene, &Said::Reacted { reference: reference.clone(), emoji: "🎉" }, 1).await;
    assert_eq!(token.get(&path).await.expect(200)["data"]["reactions"], json!({ "🎉": 1 }));
    told(&scene, &Said::Reacted { reference, emoji: "" }, 2).await;
    assert_eq!(token.get(&path).await.expect(200)["data"]["reactions"], json!({}));
    // What the owner reacts with on the phone is the account's own, and is given to nobody again.
    let reference = scene.provider.reference("Hello");
    scene.app.advance(10).await;
    told(&scene, &Said::ReactedOn { reference: reference.clone(), emoji: "❤️" }, 10).await;
    let shown = token.get(&path).await.expect(200)["data"].clone();
    let own = &shown["users"][0];
    assert_eq!((&own["phone"], &own["reaction"], &own["current"]), (&json!(OURS), &json!("❤️"), &json!(true)));
    assert!(own["name"].as_str().is_some_and(|name| !name.is_empty()), "{own}");
    assert_eq!(shown["total"], 1);
    // One that is older than what was set here comes too late.
    scene.app.advance(10).await;
    token.patch(&path, json!({ "reaction": "🎉" })).await.expect(200);
    told(&scene, &Said::ReactedOn { reference: reference.clone(), emoji: "👍" }, 15).await;
    assert_eq!(token.get(&path).await.expect(200)["data"]["reactions"], json!({ "🎉": 1 }));
    told(&scene, &Said::ReactedOn { reference, emoji: "" }, 30).await;
    assert_eq!(token.get(&path).await.expect(200)["data"]["reactions"], json!({}));
    let taken: &[&str] = if P::REACTS { &["👍", "", "🎉"] } else { &[] };
    assert_eq!(scene.provider.reactions(), taken);
    // A reaction may be faster than what it is about, or about something that we do not have.
    told(&scene, &Said::Reacted { reference: "NOBODYS".to_owned(), emoji: "🎉" }, 31).await;
    scene.app.advance(600).await;
    let waiting = entity::job::Entity::find().count(scene.app.app.db.reader()).await.expect("a count");
    assert_eq!(waiting, 0);
}
