//! The third part of the story: somebody writes to the workspace, a label says whose chat it becomes, a file goes out,
//! and a bot answers.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::demo::{
    client::{File, Who},
    receiver::Bot,
    story::{PHONE, PUBLIC, Story, expect},
};

const CUSTOMER: &str = "+15550004444";
const LABEL: &str = "support";
const BOT_PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The smallest picture there is: one transparent dot.
const PICTURE: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

const QUESTION: &str = "Are you open on Sunday?";

/// A teammate who looks after chats.
struct Teammate {
    email: String,
    name: String,
}

impl Story<'_> {
    /// What happens in one chat, from the first message on. Each part leaves the chat to the one after it.
    pub(super) async fn converse(&mut self, token: &str) -> Option<()> {
        let chat = self.somebody_writes(token).await?;
        self.route_by_label(token, &chat).await?;
        self.send_a_file(token, &chat).await?;
        self.a_bot_answers(token, &chat).await
    }

    /// A message from outside; the path of its chat.
    async fn somebody_writes(&mut self, token: &str) -> Option<String> {
        let message = json!({ "phone": PHONE, "from": CUSTOMER, "text": "My bread is burnt. Who can help?" });
        self.post("A customer writes", "/sandbox/inbound", &message, 200, |body| {
            let count = body["message_uids"].as_array().map(Vec::len);
            expect(&json!(count), &json!(1))
        })
        .await?;
        let unread = format!("{PUBLIC}/chats?read=false&with_msg=true");
        let shown = self.get("Its chat is there, unread", Who::Token(token), &unread, 200, |body| {
            expect(&body["data"]["chats"][0]["phone"], &json!(CUSTOMER))?;
            expect(&body["data"]["chats"][0]["last_message"]["text"], &message["text"])
        });
        let id = shown.await?["data"]["chats"][0]["id"].as_i64()?;
        Some(format!("{PUBLIC}/chats/{id}"))
    }

    /// The customer's own system reads the labels of the chat and gives it to whom they say.
    async fn route_by_label(&mut self, token: &str, chat: &str) -> Option<()> {
        let path = format!("{chat}/labels");
        let labels = json!({ "labels": [LABEL] });
        self.ask("It gets a label", Who::Token(token), Method::PUT, &path, Some(&labels), 200, |body| {
            expect(&body["data"], &labels)
        })
        .await?;
        let read =
            self.get("The customer's system reads its labels", Who::Token(token), &path, 200, |_| Ok(())).await?;
        let [front, support] = self.teammates(token).await?;
        let is_for_support = read["data"]["labels"].as_array()?.contains(&json!(LABEL));
        let chosen = if is_for_support { support } else { front };
        let change = json!({ "responsible": chosen.email });
        let title = "and gives it to whom they say";
        self.ask(title, Who::Token(token), Method::PATCH, chat, Some(&change), 200, |body| {
            expect(&body["data"]["responsible"], &json!(chosen.email))?;
            expect(&body["data"]["responsible_name"], &json!(chosen.name))
        })
        .await?;
        let own = format!("{PUBLIC}/chats?responsible={}&label={LABEL}", chosen.email);
        self.get("Who got it finds it", Who::Token(token), &own, 200, |body| {
            expect(&body["data"]["chats"][0]["phone"], &json!(CUSTOMER))
        })
        .await?;
        Some(())
    }

    /// Two teammates: whoever is usually asked, and whoever supports.
    async fn teammates(&mut self, token: &str) -> Option<[Teammate; 2]> {
        let path = format!("{PUBLIC}/workspace/teammates");
        let shown = self.get("It knows the teammates", Who::Token(token), &path, 200, |body| {
            expect(&json!(body["data"]["teammates"].as_array().map(Vec::len)), &json!(3))
        });
        let shown = shown.await?;
        let teammate = |number: usize| {
            let one = &shown["data"]["teammates"][number];
            Some(Teammate { email: one["email"].as_str()?.to_owned(), name: one["display_name"].as_str()?.to_owned() })
        };
        Some([teammate(0)?, teammate(1)?])
    }

    /// A picture with a text, which costs two credits.
    async fn send_a_file(&mut self, token: &str, chat: &str) -> Option<()> {
        let path = format!("{PUBLIC}/files_upload");
        let file = File { name: "new-bread.gif", content_type: "image/gif", content: PICTURE };
        let watch = self.report.stopwatch();
        let answer = self.client.upload(token, &path, &file).await;
        let asked = format!("POST {path} multipart/form-data {}, {} bytes", file.name, file.content.len());
        let uploaded = self.conclude("A picture is uploaded", &asked, answer, watch.elapsed(), 200, |body| {
            expect(&body["data"]["size"], &json!(PICTURE.len()))
        })?;
        let quotas = format!("{PUBLIC}/workspace/quotas");
        let used = |body: &Value| body["data"]["messaging_quota"]["used"].as_i64();
        let before = self.get("Credits used until now", Who::Token(token), &quotas, 200, |_| Ok(())).await?;
        let before = used(&before)?;
        let body = json!({ "text": "Here is a new one.", "file_uid": uploaded["data"]["uid"] });
        let path = format!("{chat}/messages");
        let title = "It is sent with a text";
        let sent = self.ask(title, Who::Token(token), Method::POST, &path, Some(&body), 200, |_| Ok(())).await?;
        let uid = sent["data"]["message_uid"].as_str()?.to_owned();
        self.get("Both together cost two", Who::Token(token), &quotas, 200, |body| {
            expect(&json!(used(body)), &json!(before + 2))
        })
        .await?;
        self.until("The customer has read it", token, &uid, "Read").await?;
        let path = format!("{PUBLIC}/messages/{uid}");
        self.get("The message shows its picture", Who::Token(token), &path, 200, |body| {
            expect(&body["data"]["attachment_filename"], &json!(file.name))?;
            expect(&json!(body["data"]["attachment_url"].is_string()), &json!(true))
        })
        .await?;
        Some(())
    }

    /// The customer's own bot is asked, and its reply goes out like any other message.
    async fn a_bot_answers(&mut self, token: &str, chat: &str) -> Option<()> {
        let bot = Bot::start(self.report.clock()).await.ok()?;
        let settings = json!({
            "name": "Night shift", "type": "http", "config": { "endpoint": bot.url, "signingSecret": bot.secret },
        });
        let title = "The customer sets a bot up";
        let made = self.ask(title, Who::Token(token), Method::POST, "/v1/agents", Some(&settings), 201, |_| Ok(()));
        let id = made.await?["data"]["id"].as_str()?.to_owned();
        let account = format!("{}@s.whatsapp.net", PHONE.trim_start_matches('+'));
        let path = format!("/v1/channels/{account}/agent");
        let attached = json!({ "defaultBotId": id });
        self.ask("and puts it on its channel", Who::Token(token), Method::PUT, &path, Some(&attached), 200, |_| Ok(()))
            .await?;
        let on = json!({ "chatgpt_autoresponse_enabled": true });
        self.ask(
            "The chat is answered automatically",
            Who::Token(token),
            Method::PATCH,
            chat,
            Some(&on),
            200,
            |body| expect(&body["data"]["chatgpt_autoresponse_enabled"], &json!(true)),
        )
        .await?;
        let message = json!({ "phone": PHONE, "from": CUSTOMER, "text": QUESTION });
        self.post("The customer asks something", "/sandbox/inbound", &message, 200, |_| Ok(())).await?;
        let uid = self.reply_of_the_bot(token, chat).await?;
        self.until("The customer has read the bot's reply", token, &uid, "Read").await
    }

    /// Waits for the reply to [`QUESTION`]; its uid.
    async fn reply_of_the_bot(&mut self, token: &str, chat: &str) -> Option<String> {
        let watch = self.report.stopwatch();
        let path = format!("{chat}/messages");
        let expected = format!("You wrote: {QUESTION}");
        let coming = async {
            loop {
                let answer = self.client.send(Who::Token(token), Method::GET, &path, None).await;
                let messages = answer.map_or(Value::Null, |answer| answer.body["data"]["messages"].clone());
                let messages = messages.as_array().cloned().unwrap_or_default();
                if let Some(reply) = messages.into_iter().find(|message| message["text"] == expected.as_str()) {
                    return reply;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let reply = tokio::time::timeout(BOT_PATIENCE, coming).await.map_err(|_| "the bot never answered".to_owned());
        let answered = reply.as_ref().map_or_else(Clone::clone, Value::to_string);
        let verdict = reply.as_ref().map_err(Clone::clone).and_then(|reply| expect(&reply["from_me"], &json!(true)));
        self.report.step("The bot answers", &format!("GET {path}"), &answered, watch.elapsed(), &verdict);
        verdict.ok()?;
        reply.ok()?["uid"].as_str().map(str::to_owned)
    }
}
