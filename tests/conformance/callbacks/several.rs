//! Messages that come with several files, and events that tell of several messages: all are stored, once and in order.

use entity::{
    file,
    message::{self, Direction},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

use crate::{
    conformance::{Posted, Remote, Said, Scene, Signature},
    support::{evolution::Evolution, provider::Trouble, unipile::Unipile, upload::png},
};

async fn stored<P: Remote>(scene: &Scene<P>, direction: Direction) -> Vec<message::Model> {
    let found = message::Entity::find().filter(message::Column::Direction.eq(direction));
    let found = found.order_by_asc(message::Column::Id).all(scene.app.app.db.reader());
    found.await.expect("messages")
}

/// What messages say, with the sizes of their files and their ids.
async fn shown<P: Remote>(scene: &Scene<P>, direction: Direction) -> Vec<(Option<String>, i64, String)> {
    let mut shown = Vec::new();
    for message in stored(scene, direction).await {
        let id = message.file_id.expect("a file");
        let file = file::Entity::find_by_id(id).one(scene.app.app.db.reader()).await.expect("a look").expect("a file");
        shown.push((message.text, file.size, message.provider_ref.expect("an id")));
    }
    shown
}

fn size(content: &[u8]) -> i64 {
    i64::try_from(content.len()).expect("a size")
}

async fn post<P: Remote>(scene: &Scene<P>, posted: &Posted) {
    assert_eq!(scene.provider.post(posted, Signature::Genuine).await, 200);
    scene.app.run_jobs().await;
}

#[tokio::test]
async fn each_file_of_a_message_is_a_message() {
    let scene = Scene::<Unipile>::linked().await;
    scene.app.run_jobs().await;
    let contents = [png(1000, 1), png(2000, 2), png(3000, 3)];
    let mut files = Vec::new();
    for (content, name) in contents.iter().zip(["one", "two", "three"]) {
        Remote::keep(&scene.provider, name, "image/png", content).expect("kept");
        files.push(json!({ "id": name, "type": "img", "mimetype": "image/png", "url": "att://x" }));
    }
    let with_files = |said: &Said, number: u32| {
        let posted = scene.provider.callback(said, number);
        let mut body: Value = serde_json::from_str(&posted.body).expect("JSON");
        body["attachments"] = files.clone().into();
        Posted { body: body.to_string(), ..posted }
    };
    let expected = |id: &str| {
        let text = |text: &str| Some(text.to_owned());
        vec![
            (text("The menu"), size(&contents[0]), id.to_owned()),
            (None, size(&contents[1]), format!("{id}/2")),
            (None, size(&contents[2]), format!("{id}/3")),
        ]
    };
    let wrote = Said::Wrote { id: "IN1", text: "The menu", file: None };
    // Those after the first wait for it.
    scene.provider.asking.add(Trouble::Unavailable);
    post(&scene, &with_files(&wrote, 1)).await;
    assert_eq!(stored(&scene, Direction::Received).await, []);
    scene.app.advance(1).await;
    scene.app.advance(2).await;
    assert_eq!(shown(&scene, Direction::Received).await, expected("IN1"));
    // The same again, and the same in another event.
    for number in [1, 2] {
        post(&scene, &with_files(&wrote, number)).await;
    }
    assert_eq!(shown(&scene, Direction::Received).await, expected("IN1"));
    let typed = Said::Typed { id: "OWN1", text: "The menu", file: None };
    for number in [3, 3, 4] {
        post(&scene, &with_files(&typed, number)).await;
    }
    assert_eq!(shown(&scene, Direction::Sent).await, expected("OWN1"));
    // One of them is answered where Unipile has the whole.
    let token = scene.token().await;
    let third = stored(&scene, Direction::Received).await[2].id;
    let chat = token.get("/chats").await.expect(200)["data"]["chats"][0]["id"].clone();
    let answer = json!({ "text": "Thanks", "reply_to": third });
    token.post(&format!("/chats/{chat}/messages"), answer).await.expect(200);
    scene.app.advance(5).await;
    assert_eq!(scene.provider.message("Thanks").expect("a message")["quote_id"], "IN1");
}

#[tokio::test]
async fn each_message_of_an_event_is_stored() {
    let scene = Scene::<Evolution>::linked().await;
    scene.app.run_jobs().await;
    let contents = [png(1000, 1), png(2000, 2)];
    let mut all = Vec::new();
    for (content, id) in contents.iter().zip(["IN1", "IN2"]) {
        Remote::keep(&scene.provider, id, "image/png", content).expect("kept");
        let said = Said::Wrote { id, text: "A tart", file: Some((id.to_owned(), "image/png")) };
        all.push(scene.provider.callback(&said, 1));
    }
    let data = |posted: &Posted| serde_json::from_str::<Value>(&posted.body).expect("JSON")["data"].clone();
    let mut body: Value = serde_json::from_str(&all[0].body).expect("JSON");
    body["data"] = all.iter().map(data).collect();
    let posted = Posted { body: body.to_string(), session: all[0].session.clone() };
    for _ in 0..2 {
        post(&scene, &posted).await;
        let text = Some("A tart".to_owned());
        let expected =
            [(text.clone(), size(&contents[0]), "IN1".to_owned()), (text, size(&contents[1]), "IN2".to_owned())];
        assert_eq!(shown(&scene, Direction::Received).await, expected);
    }
}
