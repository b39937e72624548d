//! Bots: set up in both dialects, asked once for what comes, sent like anything else, and never in a loop.

use entity::{
    bot, bot_turn, chat,
    id::{ChatId, MessageId},
    message::{self, Kind},
};
use quartermaster::{bot::turn::guard::MOST_REPLIES, db};
use reqwest::Method;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set, Unchanged};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::support::{
    Answer, Setup, TestApp,
    receiver::{Received, Receiver, Reply},
    sender::Sender,
};

mod groups;
mod killed;
mod setup;
mod trouble;

const PERSON: &str = "+15557770000";

/// A workspace with a channel, and an endpoint for its bot.
struct Stage<'a> {
    app: &'a TestApp,
    sender: Sender,
    endpoint: Receiver,
    channel: String,
}

async fn start() -> TestApp {
    Setup::default().configured(|config| config.allow_private_targets = true).start().await
}

/// A request of Timely's dialect.
async fn call(app: &TestApp, token: &str, method: Method, path: &str, body: Value) -> Answer {
    let request = app.http.request(method, format!("{}/v1{path}", app.base)).header("x-api-key", token);
    Answer::of(if body.is_null() { request } else { request.json(&body) }).await
}

async fn channel_id(app: &TestApp, account_id: i64) -> String {
    let found = entity::channel::Entity::find_by_id(entity::id::AccountId(account_id)).one(app.app.db.reader()).await;
    found.expect("a look").expect("a channel").id.to_string()
}

impl<'a> Stage<'a> {
    async fn with_credits(app: &'a TestApp, credits: i64) -> Self {
        let sender = Sender::with_credits(app, credits).await;
        let channel = channel_id(app, sender.account_id).await;
        Self { app, sender, endpoint: Receiver::start().await, channel }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        call(self.app, self.sender.token.token(), method, path, body).await
    }

    /// A bot on the channel, with these settings; the answer that made it.
    async fn bot(&self, settings: Value) -> Value {
        let made = self.call(Method::POST, "/agents", settings).await.expect(201);
        let path = format!("/channels/{}/agent", self.channel);
        self.call(Method::PUT, &path, json!({ "agent_id": made["id"] })).await.expect(200);
        made
    }

    /// A bot on the channel that asks our endpoint.
    async fn http_bot(&self) -> Value {
        self.bot(json!({ "name": "Support", "kind": "http", "endpoint": self.endpoint.url(), "timeout_ms": 1000 }))
            .await
    }

    /// Somebody writes; the message's id.
    async fn hear(&self, text: &str) -> MessageId {
        let written = json!({ "phone": crate::support::sender::PHONE, "from": PERSON, "text": text });
        let arrived = self.sender.partner.post("/sandbox/inbound", written).await.expect(200);
        arrived["message_uids"][0].as_str().expect("a uid").parse().expect("a uuid")
    }

    async fn chat(&self) -> chat::Model {
        let found = chat::Entity::find().filter(chat::Column::Phone.eq(PERSON)).one(self.app.app.db.reader()).await;
        found.expect("a look").expect("a chat")
    }

    /// Somebody has written, and the chat is answered automatically from now on.
    async fn open_chat(&self) -> ChatId {
        self.hear("Good morning").await;
        self.app.advance(2).await;
        let id = self.chat().await.id;
        self.switch_on(id).await;
        id
    }

    async fn switch_on(&self, id: ChatId) {
        let on = json!({ "chatgpt_autoresponse_enabled": true });
        self.sender.token.patch(&format!("/chats/{id}"), on).await.expect(200);
    }

    /// Texts of what was sent in the chat, in order, and of the notes in it.
    async fn said(&self) -> (Vec<String>, Vec<String>) {
        let all = message::Entity::find()
            .filter(message::Column::Direction.eq(message::Direction::Sent))
            .order_by_asc(message::Column::Id)
            .all(self.app.app.db.reader())
            .await
            .expect("messages");
        let texts = |kind: Option<Kind>| {
            let of_kind = all.iter().filter(|message| message.kind == kind);
            of_kind.map(|message| message.text.clone().unwrap_or_default()).collect()
        };
        (texts(None), texts(Some(Kind::Note)))
    }

    /// The only turn.
    async fn turn(&self) -> bot_turn::Model {
        bot_turn::Entity::find().one(self.app.app.db.reader()).await.expect("a look").expect("a turn")
    }

    /// Events of this type go to the receiver.
    async fn subscribe(&self, receiver: &Receiver, event_type: &str) {
        let webhook = json!({ "event_type": event_type, "url": receiver.url() });
        self.sender.token.post("/webhooks", webhook).await.expect(200);
    }
}

fn reply(text: &str) -> Reply {
    Reply::Body(json!({ "reply": text }).to_string())
}

#[tokio::test]
async fn an_endpoint_is_asked_with_a_signature_and_its_reply_is_sent_and_charged() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let bot = stage.http_bot().await;
    let chat_id = stage.open_chat().await;
    assert!(stage.endpoint.received().is_empty(), "it was not switched on when that came");
    stage.endpoint.usually(reply("We open at eight."));
    let asked = stage.hear("When do you open?").await;
    app.run_jobs().await;
    assert!(stage.endpoint.received().is_empty(), "more may come");
    app.advance(1).await;
    let question = stage.endpoint.only();
    check_signature(&question, bot["signing_secret"].as_str().expect("a secret"));
    assert_eq!(question.header("webhook-id"), asked.to_string());
    let body = question.json();
    assert_eq!((&body["agent"]["id"], &body["channel"]["id"]), (&bot["id"], &json!(stage.channel)));
    assert_eq!((&body["chat"]["id"], &body["contact"]["phone"]), (&json!(chat_id.0), &json!(PERSON)));
    assert_eq!((&body["message"]["text"], &body["message"]["from_me"]), (&json!("When do you open?"), &json!(false)));
    let texts: Vec<&Value> = body["messages"].as_array().expect("messages").iter().map(|one| &one["text"]).collect();
    assert_eq!(texts, ["Good morning", "When do you open?"]);
    assert_eq!(stage.said().await, (vec!["We open at eight.".to_owned()], vec![]));
    assert_eq!(stage.sender.token.credits().await.0, 1);
    let history = stage.sender.token.get(&format!("/chats/{chat_id}/messages")).await.expect(200);
    let newest = &history["data"]["messages"][0];
    assert_eq!(
        (&newest["origin"], &newest["created_by"], &newest["from_me"]),
        (&json!("Bot"), &json!(""), &json!(true))
    );
    let chat = stage.chat().await;
    assert_eq!((chat.read, chat.autoresponse_locked, chat.last_message_id.is_some()), (false, false, true));
    let id = newest["uid"].as_str().expect("a uid").parse().expect("a uuid");
    assert_eq!(app.fate(id).await.at_provider, (1, 1), "it went out through the channel's queue");
    // Its own reply does not stop it.
    stage.hear("And on Sundays?").await;
    app.advance(3).await;
    assert_eq!((stage.endpoint.received().len(), stage.said().await.0.len()), (2, 2));
    let again = stage.endpoint.received()[1].json();
    assert_eq!(again["messages"][2]["from_me"], true);
    assert_eq!(stage.turn().await.due_at, None, "nothing waits");
}

fn check_signature(question: &Received, secret: &str) {
    let webhook = Webhook::new(secret).expect("a secret");
    let seconds: i64 = question.header("webhook-timestamp").parse().expect("a time");
    let signature = webhook.sign(question.header("webhook-id"), seconds, question.body.as_bytes()).expect("signed");
    assert_eq!(signature, question.header("webhook-signature"));
}

#[tokio::test]
async fn a_model_is_told_its_prompt_and_the_conversation() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let settings = json!({
        "name": "Model", "kind": "openai", "base_url": stage.endpoint.url(), "model": "small", "api_key": "sk-secret",
        "system_prompt": "You sell bread.", "temperature": 0.5, "max_tokens": 100,
    });
    stage.bot(settings).await;
    stage.open_chat().await;
    let answer = json!({ "choices": [{ "message": { "role": "assistant", "content": "Rye." } }] });
    stage.endpoint.usually(Reply::Body(answer.to_string()));
    stage.hear("Which bread?").await;
    app.advance(3).await;
    let question = stage.endpoint.only();
    assert_eq!(
        (question.path.as_str(), question.header("authorization")),
        ("/hook/chat/completions", "Bearer sk-secret")
    );
    let expected = json!({
        "model": "small", "temperature": 0.5, "max_tokens": 100, "messages": [
            { "role": "system", "content": "You sell bread." }, { "role": "user", "content": "Good morning" },
            { "role": "user", "content": "Which bread?" },
        ],
    });
    assert_eq!(question.json(), expected);
    assert_eq!(stage.said().await, (vec!["Rye.".to_owned()], vec![]));
}

#[tokio::test]
async fn messages_in_quick_succession_get_one_answer() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    stage.http_bot().await;
    stage.open_chat().await;
    stage.endpoint.usually(reply("Yes."));
    for text in ["Do", "you", "deliver?"] {
        stage.hear(text).await;
        app.run_jobs().await;
    }
    app.advance(1).await;
    let body = stage.endpoint.only().json();
    assert_eq!(body["message"]["text"], "deliver?");
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(4));
    // Whoever never pauses is answered all the same.
    stage.endpoint.forget();
    for _ in 0..6 {
        stage.hear("hurry").await;
        app.clock.advance(std::time::Duration::from_millis(900));
        app.run_jobs().await;
    }
    assert_eq!(stage.endpoint.received().len(), 1);
}

#[tokio::test]
async fn what_comes_while_the_bot_is_asked_gets_an_answer_of_its_own() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    stage.http_bot().await;
    stage.open_chat().await;
    stage.endpoint.next([Reply::Hold]);
    stage.endpoint.usually(reply("Later."));
    stage.hear("first").await;
    app.clock.advance(std::time::Duration::from_secs(1));
    let (_, ()) = tokio::join!(app.run_jobs(), async {
        stage.endpoint.until_received(1).await;
        stage.hear("second").await;
        assert_eq!(quartermaster::bot::turn::run_due(&app.app).await.expect("a look"), 0, "one question at a time");
        stage.endpoint.release();
    });
    app.advance(1).await;
    let asked: Vec<Value> = stage.endpoint.received().iter().map(|one| one.json()["message"]["text"].clone()).collect();
    assert_eq!(asked, ["first", "second"]);
    assert_eq!(stage.said().await.0, ["Later."]);
}

/// The bot's second answer, while which somebody writes.
async fn interrupted<T>(app: &TestApp, stage: &Stage<'_>, writing: impl Future<Output = T>) -> T {
    stage.endpoint.next([Reply::HoldBody(json!({ "reply": "Too late." }).to_string())]);
    stage.hear("Think.").await;
    app.clock.advance(std::time::Duration::from_secs(1));
    let (_, written) = tokio::join!(app.run_jobs(), async {
        stage.endpoint.until_received(2).await;
        let written = writing.await;
        stage.endpoint.release();
        written
    });
    app.advance(5).await;
    written
}

#[tokio::test]
async fn somebodys_own_message_stops_the_bot_until_it_is_switched_on_again() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    stage.http_bot().await;
    let chat_id = stage.open_chat().await;
    stage.endpoint.usually(reply("I am a bot."));
    let path = format!("/chats/{chat_id}/messages");
    stage.sender.token.post(&path, json!({ "text": "I am a person." })).await.expect(200);
    stage.hear("Who are you?").await;
    app.advance(5).await;
    assert!(stage.endpoint.received().is_empty());
    assert!(stage.chat().await.autoresponse_locked);
    stage.switch_on(chat_id).await;
    stage.hear("Hello?").await;
    app.advance(5).await;
    assert_eq!(stage.said().await.0, ["I am a person.", "I am a bot."]);
    // Also while the bot is thinking.
    interrupted(&app, &stage, stage.sender.token.post(&path, json!({ "text": "Me again." }))).await.expect(200);
    assert_eq!(
        stage.said().await,
        (["I am a person.", "I am a bot.", "Me again."].map(str::to_owned).to_vec(), vec![])
    );
}

#[tokio::test]
async fn what_is_written_on_the_phone_stops_the_bot_too() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    stage.http_bot().await;
    let chat_id = stage.open_chat().await;
    stage.endpoint.usually(reply("I am a bot."));
    let written = json!({ "phone": crate::support::sender::PHONE, "to": PERSON, "text": "I am a person." });
    let write = async || stage.sender.partner.post("/sandbox/outbound", written.clone()).await.expect(200);
    write().await;
    stage.hear("Who are you?").await;
    app.advance(5).await;
    assert!(stage.endpoint.received().is_empty());
    assert!(stage.chat().await.autoresponse_locked);
    stage.switch_on(chat_id).await;
    stage.hear("Hello?").await;
    app.advance(5).await;
    assert_eq!(stage.said().await.0, ["I am a person.", "I am a bot."]);
    assert!(!stage.chat().await.autoresponse_locked, "its own reply stops nothing");
    // Also while the bot is thinking.
    interrupted(&app, &stage, write()).await;
    let said = ["I am a person.", "I am a bot.", "I am a person."].map(str::to_owned).to_vec();
    assert_eq!(stage.said().await, (said, vec![]));
    assert_eq!(stage.sender.token.credits().await.0, 1, "the bot's reply only");
}

#[tokio::test]
async fn a_reply_that_was_kept_is_sent_once_whoever_dies() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    stage.http_bot().await;
    stage.open_chat().await;
    stage.endpoint.usually(reply("Once."));
    let asked = stage.hear("How often?").await;
    let turn = stage.turn().await;
    let as_after_the_question = bot_turn::ActiveModel {
        chat_id: Unchanged(turn.chat_id),
        lease: Set(Some(entity::id::LeaseId(app.clock.uuid()))),
        due_at: Set(Some(app.clock.now().plus_seconds(90))),
        answered_id: Set(Some(asked)),
        reply: Set(Some("Once.".to_owned())),
        ..Default::default()
    };
    as_after_the_question.clone().update(app.app.db.reader()).await.expect("a worker that died after it had asked");
    app.advance(10).await;
    assert!(stage.said().await.0.is_empty(), "it is another's until the lease ends");
    app.advance(81).await;
    assert_eq!(stage.said().await.0, ["Once."]);
    let as_before_settling = bot_turn::ActiveModel {
        message_id: Set(Some(asked)),
        waiting_since: Set(Some(app.clock.now())),
        due_at: Set(Some(app.clock.now())),
        ..as_after_the_question
    };
    as_before_settling.update(app.app.db.reader()).await.expect("a worker that died after it had sent");
    app.run_jobs().await;
    assert_eq!(stage.said().await.0, ["Once."]);
    assert!(stage.endpoint.received().is_empty(), "nothing was asked again");
    assert_eq!(stage.sender.token.credits().await.0, 1);
}
