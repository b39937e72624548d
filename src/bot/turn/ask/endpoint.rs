//! A customer's endpoint: gets the conversation as JSON, signed as Standard Webhooks has it, and answers with a reply.

use entity::{id::MessageId, message, message::Direction, timestamp::Timestamp};
use reqwest::{Method, RequestBuilder, header::CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use standardwebhooks::Webhook;

use crate::{
    app::App,
    bot::turn::{
        Failure,
        ask::spoken,
        scene::{History, Scene, Sender},
    },
    error::{Error, Result},
    file::link,
    zone::local_time,
};

/// What the endpoint is told.
#[derive(Serialize)]
struct Conversation<'a> {
    agent: Agent<'a>,
    channel: Channel<'a>,
    chat: Chat<'a>,
    contact: Contact<'a>,
    message: Said<'a>,
    messages: Vec<Said<'a>>,
}

#[derive(Serialize)]
struct Agent<'a> {
    id: String,
    name: &'a str,
}

#[derive(Serialize)]
struct Channel<'a> {
    id: String,
    whatsapp_account_id: &'a str,
    phone: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Chat<'a> {
    id: i64,
    name: &'a str,
    jid: &'a str,
    is_group: bool,
    labels: &'a [String],
}

#[derive(Serialize)]
struct Contact<'a> {
    name: &'a str,
    phone: Option<&'a str>,
}

#[derive(Serialize)]
struct Said<'a> {
    message_uid: String,
    from_me: bool,
    sender: Sender<'a>,
    origin: &'a str,
    text: Option<&'a str>,
    timestamp: String,
    received_timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<Attachment<'a>>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    filename: &'a str,
    mimetype: &'a str,
    size: i64,
    temporary_download_url: String,
}

/// What it answers.
#[derive(Deserialize)]
struct Answer {
    reply: Option<String>,
}

/// The question. Its `webhook-id` is the newest message's, so that an endpoint which is asked twice knows.
pub(super) fn request(
    app: &App,
    scene: &Scene,
    history: &History,
    newest: MessageId,
    secret: Option<&SecretString>,
) -> Result<RequestBuilder> {
    let body = body(app, scene, history, newest)?;
    let request = app.outbound.request(Method::POST, &scene.bot.url)?.header(CONTENT_TYPE, "application/json");
    let unsigned = |error: String| Error::Internal(format!("signing a question: {error}"));
    let secret = secret.ok_or_else(|| unsigned("the bot has no secret".to_owned()))?;
    let (id, seconds) = (newest.to_string(), app.clock.now().0.div_euclid(Timestamp::SECOND));
    let webhook = Webhook::new(secret.expose_secret()).map_err(|error| unsigned(error.to_string()))?;
    let signature = webhook.sign(&id, seconds, body.as_bytes()).map_err(|error| unsigned(error.to_string()))?;
    Ok(request
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds.to_string())
        .header("webhook-signature", signature)
        .body(body))
}

fn body(app: &App, scene: &Scene, history: &History, newest: MessageId) -> Result<String> {
    let newest = history.messages.iter().find(|message| message.id == newest);
    let newest = newest.ok_or_else(|| Error::Internal("a turn is about a message that is not there".to_owned()))?;
    let conversation = Conversation {
        agent: Agent { id: scene.bot.id.to_string(), name: &scene.bot.name },
        channel: Channel {
            id: scene.channel.id.to_string(),
            whatsapp_account_id: &scene.channel.external_id,
            phone: &scene.channel.phone,
            name: &scene.channel.account_name,
        },
        chat: Chat {
            id: scene.chat.id.0,
            name: &scene.chat.name,
            jid: &scene.chat.jid,
            is_group: scene.chat.is_group,
            labels: &history.labels,
        },
        contact: Contact { name: &scene.chat.name, phone: scene.chat.phone.as_deref() },
        message: said(app, scene, history, newest)?,
        messages: history.messages.iter().map(|one| said(app, scene, history, one)).collect::<Result<_>>()?,
    };
    serde_json::to_string(&conversation).map_err(|error| Error::Internal(format!("question: {error}")))
}

fn said<'a>(app: &App, scene: &'a Scene, history: &'a History, message: &'a message::Model) -> Result<Said<'a>> {
    let zone = scene.caller.workspace.time_zone.as_str();
    let file = message.file_id.and_then(|id| history.files.get(&id));
    let attachment = file.map(|file| {
        Ok::<_, Error>(Attachment {
            filename: &file.filename,
            mimetype: &file.content_type,
            size: file.size,
            temporary_download_url: link::to(app, file.id)?,
        })
    });
    Ok(Said {
        message_uid: message.id.to_string(),
        from_me: message.direction == Direction::Sent,
        sender: scene.sender(message),
        origin: &message.origin,
        text: message.text.as_deref(),
        timestamp: local_time(message.written_at(), zone),
        received_timestamp: local_time(message.created_at, zone),
        attachment: attachment.transpose()?,
    })
}

/// The reply in an answer: `{"reply": "…"}`; an empty answer, `{}`, null and an empty text are silence.
pub(super) fn read(body: &[u8]) -> Result<Option<String>, Failure> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| Failure::BadAnswer)?;
    Ok(spoken(answer.reply))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_and_silence_is_understood() {
        assert_eq!(read(br#"{"reply": " Hello ", "more": 1}"#), Ok(Some("Hello".to_owned())));
        for silent in ["", " \n", "{}", r#"{"reply": null}"#, r#"{"reply": " "}"#] {
            assert_eq!(read(silent.as_bytes()), Ok(None), "{silent}");
        }
        for bad in ["hello", "[]", r#""hello""#, r#"{"reply": 1}"#, "{", "\u{fffd}"] {
            assert_eq!(read(bad.as_bytes()), Err(Failure::BadAnswer), "{bad}");
        }
    }
}
