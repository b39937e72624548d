//! The fourth part of the story: a visitor of the customer's website writes in its chat and is answered.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::demo::{
    client::Who,
    story::{PUBLIC, Story, expect},
};

const WEBSITE: &str = "https://www.bakery.example";
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const QUESTION: &str = "Do you deliver?";
const ANSWER: &str = "Every morning before seven.";

/// A browser on the website.
const fn browser(token: &str) -> Who<'_> {
    Who::Visitor { website: WEBSITE, token }
}

impl Story<'_> {
    /// From the channel to the answer that the visitor has read.
    pub(super) async fn chat_on_a_website(&mut self, token: &str) -> Option<()> {
        let api = self.make_web_chat(token).await?;
        let elsewhere = Who::Visitor { website: "https://elsewhere.example", token: "" };
        self.get("Another website may not show it", elsewhere, &format!("{api}/config"), 403, |body| {
            expect(&body["code"], &json!("origin_not_allowed"))
        })
        .await?;
        let visitor = self.somebody_visits(&api).await?;
        let chat = format!("{PUBLIC}/chats?read=false&with_msg=true");
        let shown = self.get("Its chat is there, unread", Who::Token(token), &chat, 200, |body| {
            expect(&body["data"]["chats"][0]["last_message"]["text"], &json!(QUESTION))
        });
        let chat = shown.await?["data"]["chats"][0]["id"].as_i64()?;
        let path = format!("{PUBLIC}/chats/{chat}/messages");
        let answer = json!({ "text": ANSWER });
        let title = "The workspace answers";
        let sent = self.ask(title, Who::Token(token), Method::POST, &path, Some(&answer), 200, |_| Ok(())).await?;
        let uid = sent["data"]["message_uid"].as_str()?.to_owned();
        let number = self.answer_in_the_window(&api, &visitor).await?;
        let read = json!({ "delivered": number, "read": number });
        let path = format!("{api}/receipts");
        self.ask("and says that it was read", browser(&visitor), Method::POST, &path, Some(&read), 204, |_| Ok(()))
            .await?;
        self.until("The visitor has read it", token, &uid, "Read").await
    }

    /// A web chat; the address of its widget's API.
    async fn make_web_chat(&mut self, token: &str) -> Option<String> {
        let settings = json!({
            "name": "Website", "type": "webchat",
            "config": { "allowedOrigins": [WEBSITE], "theme": { "welcomeMessage": "Hi! How can we help?" } },
        });
        let title = "The customer makes a chat for its website";
        let made = self.ask(title, Who::Token(token), Method::POST, "/v1/channels", Some(&settings), 201, |body| {
            let code = body["data"]["attributes"]["embedCode"].as_str().unwrap_or_default();
            if code.starts_with("<script ") { Ok(()) } else { Err("there is nothing to embed".to_owned()) }
        });
        let widget = made.await?["data"]["attributes"]["widgetToken"].as_str()?.to_owned();
        Some(format!("/widget/api/{widget}"))
    }

    /// A visitor opens the chat and writes; what proves them.
    async fn somebody_visits(&mut self, api: &str) -> Option<String> {
        let path = format!("{api}/session");
        let title = "A visitor opens the chat";
        let begun = self.ask(title, browser(""), Method::POST, &path, Some(&json!({})), 200, |_| Ok(())).await?;
        let visitor = begun["visitor_token"].as_str()?.to_owned();
        let (path, message) = (format!("{api}/messages"), json!({ "text": QUESTION }));
        self.ask("and asks something", browser(&visitor), Method::POST, &path, Some(&message), 201, |body| {
            expect(&body["from"], &json!("visitor"))
        })
        .await?;
        Some(visitor)
    }

    /// Waits for the answer in the visitor's window; its place there.
    async fn answer_in_the_window(&mut self, api: &str, visitor: &str) -> Option<i64> {
        let watch = self.report.stopwatch();
        let path = format!("{api}/messages");
        let coming = async {
            loop {
                let answer = self.client.send(browser(visitor), Method::GET, &path, None).await;
                let messages = answer.map_or(Value::Null, |answer| answer.body["messages"].clone());
                let messages = messages.as_array().cloned().unwrap_or_default();
                if let Some(message) = messages.into_iter().find(|message| message["text"] == ANSWER) {
                    return message;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let message = tokio::time::timeout(PATIENCE, coming).await.map_err(|_| "no answer came".to_owned());
        let answered = message.as_ref().map_or_else(Clone::clone, Value::to_string);
        let verdict = message.as_ref().map_err(Clone::clone);
        let verdict = verdict.and_then(|message| expect(&message["from"], &json!("workspace")));
        self.report.step("The visitor sees the answer", &format!("GET {path}"), &answered, watch.elapsed(), &verdict);
        verdict.ok()?;
        message.ok()?["number"].as_i64()
    }
}
