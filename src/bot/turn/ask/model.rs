//! A model behind an endpoint for chat completions, as OpenAI's and those that are made like it.
//!
//! The field `name` of a message takes few characters, and not every endpoint knows it, so who wrote in a group stands
//! before the text.

use std::borrow::Cow;

use entity::{message, message::Direction};
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    bot::turn::{
        Failure,
        ask::spoken,
        scene::{History, Scene, Sender},
    },
    error::Result,
    zone::local_time,
};

#[derive(Serialize)]
struct Completion<'a> {
    model: &'a str,
    messages: Vec<Line<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<i32>,
}

#[derive(Serialize)]
struct Line<'a> {
    role: &'static str,
    content: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Reply,
}

#[derive(Deserialize)]
struct Reply {
    content: Option<String>,
}

/// The question: what the model is told first, then the conversation.
pub(super) fn request(
    app: &App,
    scene: &Scene,
    history: &History,
    secret: Option<&SecretString>,
) -> Result<RequestBuilder> {
    let bot = &scene.bot;
    let mut messages = Vec::with_capacity(history.messages.len() + 1);
    if let Some(prompt) = bot.system_prompt.as_deref() {
        messages.push(Line { role: "system", content: prompt.into() });
    }
    messages.extend(history.messages.iter().map(|message| line(scene, history, message)));
    let question = Completion {
        model: bot.model.as_deref().unwrap_or_default(),
        messages,
        temperature: bot.temperature_percent.map(|percent| f64::from(percent) / 100.0),
        max_tokens: bot.max_tokens,
    };
    let url = format!("{}/chat/completions", bot.url.trim_end_matches('/'));
    let request = app.outbound.request(Method::POST, &url)?.json(&question);
    Ok(match secret {
        Some(key) => request.bearer_auth(key.expose_secret()),
        None => request,
    })
}

/// A message as the model sees it. Of a file it is told the name; in a group, when a message was written and by whom.
fn line<'a>(scene: &Scene, history: &'a History, message: &'a message::Model) -> Line<'a> {
    let role = match message.direction {
        Direction::Received => "user",
        Direction::Sent => "assistant",
    };
    let text = message.text.as_deref().unwrap_or_default();
    let said: Cow<'_, str> = match message.file_id {
        None => text.into(),
        Some(id) => {
            let name = history.files.get(&id).map_or("file", |file| file.filename.as_str());
            format!("[{name}] {text}").trim_end().to_owned().into()
        }
    };
    if message.direction == Direction::Sent || !scene.chat.is_group {
        return Line { role, content: said };
    }
    let at = local_time(message.written_at(), &scene.caller.workspace.time_zone);
    Line { role, content: format!("[{at}] {}: {said}", called(scene.sender(message))).into() }
}

/// What a group's member is called: several may have one name.
fn called(sender: Sender<'_>) -> String {
    match (sender.name, sender.phone) {
        (Some(name), Some(phone)) if name != phone => format!("{name} ({phone})"),
        (Some(known), _) | (None, Some(known)) => known.to_owned(),
        (None, None) => "unknown".to_owned(),
    }
}

/// The reply in an answer: the text of the first choice.
pub(super) fn read(body: &[u8]) -> Result<Option<String>, Failure> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| Failure::BadAnswer)?;
    let first = answer.choices.into_iter().next().ok_or(Failure::BadAnswer)?;
    Ok(spoken(first.message.content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_group_are_told_apart() {
        for (name, phone, expected) in [
            (Some("Ann"), Some("+15557770000"), "Ann (+15557770000)"),
            (Some("+15557770000"), Some("+15557770000"), "+15557770000"),
            (Some("Ann"), None, "Ann"),
            (None, Some("+15557770000"), "+15557770000"),
            (None, None, "unknown"),
        ] {
            assert_eq!(called(Sender { name, phone }), expected);
        }
    }

    #[test]
    fn the_first_choice_is_the_reply() {
        let answer = br#"{"id": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": " Hi "}}]}"#;
        assert_eq!(read(answer), Ok(Some("Hi".to_owned())));
        assert_eq!(read(br#"{"choices": [{"message": {"content": null}}]}"#), Ok(None));
        for bad in ["", "{}", r#"{"choices": []}"#, r#"{"error": {"message": "no"}}"#, "<html>"] {
            assert_eq!(read(bad.as_bytes()), Err(Failure::BadAnswer), "{bad}");
        }
    }
}
