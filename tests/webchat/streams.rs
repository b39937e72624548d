//! What a visitor hears as it comes.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};

use crate::support::{Setup, TestApp, channels::Shop, visitor::Visitor};

/// The next events, each with its number and text.
async fn hear(events: &mut (impl Stream<Item = (i64, Value)> + Unpin), count: usize) -> Vec<(i64, String)> {
    let text = |(number, message): (i64, Value)| (number, message["text"].as_str().expect("a text").to_owned());
    let next = events.map(text).take(count).collect();
    tokio::time::timeout(Duration::from_secs(10), next).await.expect("events come within 10 s")
}

fn told(expected: &[(i64, &str)]) -> Vec<(i64, String)> {
    expected.iter().map(|(number, text)| (*number, (*text).to_owned())).collect()
}

#[tokio::test]
async fn answers_are_heard_at_once_and_nothing_is_missed() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    let mut events = visitor.events(None).await;
    visitor.write("Hello").await;
    assert_eq!(hear(&mut events, 1).await, told(&[(1, "Hello")]), "other windows see it too");
    let held = shop.chats().await[0].clone();
    shop.answer(&held, "Hi!").await;
    assert_eq!(hear(&mut events, 1).await, told(&[(2, "Hi!")]));
    drop(events);
    app.advance(3).await;
    shop.answer(&held, "Still there?").await;
    visitor.write("Yes").await;
    let mut events = visitor.events(Some(1)).await;
    assert_eq!(hear(&mut events, 3).await, told(&[(2, "Hi!"), (3, "Still there?"), (4, "Yes")]));
    let mut late = visitor.events(None).await;
    visitor.write("Bye").await;
    assert_eq!(hear(&mut late, 1).await, told(&[(5, "Bye")]), "without a number they begin with what comes next");
}

#[tokio::test]
async fn an_answer_that_waited_comes_after_what_was_written_meanwhile() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    visitor.write("Hello").await;
    let held = shop.chats().await[0].clone();
    // The channel's pause holds the second back while the visitor writes on.
    let path = format!("/chats/{}/messages", held["id"]);
    shop.token.post(&path, json!({ "text": "One" })).await.expect(200);
    shop.token.post(&path, json!({ "text": "Two" })).await.expect(200);
    app.run_jobs().await;
    visitor.write("I am in a hurry").await;
    let mut events = visitor.events(Some(3)).await;
    app.advance(3).await;
    assert_eq!(hear(&mut events, 1).await, told(&[(4, "Two")]), "it is not behind what was heard already");
}

#[tokio::test]
async fn visitors_hear_nothing_of_each_other() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let (one, two) = (Visitor::come(&app, &chat.token).await, Visitor::come(&app, &chat.token).await);
    let mut events = two.events(None).await;
    one.write("A secret").await;
    two.write("Hello").await;
    assert_eq!(hear(&mut events, 1).await, told(&[(1, "Hello")]));
}

#[tokio::test]
async fn a_stream_on_another_replica_hears_what_is_sent_here() {
    let first = TestApp::start().await;
    let second = first.replica().await;
    let shop = Shop::open(&first).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&first, &chat.token).await;
    visitor.write("Hello").await;
    let mut events = visitor.over(&second).events(None).await;
    let held = shop.chats().await[0].clone();
    shop.answer(&held, "Hi!").await;
    assert_eq!(hear(&mut events, 1).await, told(&[(2, "Hi!")]));
    visitor.over(&second).write("Thanks").await;
    assert_eq!(hear(&mut events, 1).await, told(&[(3, "Thanks")]));
}

#[tokio::test]
async fn streams_end_with_their_token_and_the_oldest_makes_room() {
    let app = Setup::default().start().await;
    let shop = Shop::open(&app).await;
    let chat = shop.web_chat(json!({})).await;
    let visitor = Visitor::come(&app, &chat.token).await;
    let mut oldest = visitor.events(None).await;
    let mut others = Vec::new();
    for _ in 0..8 {
        others.push(visitor.events(None).await);
    }
    let ended = tokio::time::timeout(Duration::from_secs(5), oldest.next()).await.expect("the oldest ends");
    assert!(ended.is_none());
    shop.post(&format!("/channels/{}/widget-token", chat.id), json!(null)).await.expect(200);
    let newest = others.last_mut().expect("a stream");
    let ended = tokio::time::timeout(Duration::from_secs(10), newest.next()).await.expect("it ends with its token");
    assert!(ended.is_none());
}
