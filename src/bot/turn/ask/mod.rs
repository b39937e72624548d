//! Asking a bot: one request, whatever comes of it.

use std::time::Duration;

use entity::{bot::Kind, id::MessageId};
use reqwest::{RequestBuilder, Response};

use crate::{
    app::App,
    bot::{
        secret,
        turn::{
            Failure,
            scene::{History, Scene},
        },
    },
    error::{Error, Result},
    message::Text,
};

mod endpoint;
mod model;

/// Most bytes of an answer that are read.
pub const MOST_ANSWER_BYTES: usize = 64 * 1024;

/// What the bot says, nothing if it prefers to be silent, or why it said nothing.
type Said = Result<Option<String>, Failure>;

/// Asks the bot about what was said until this message.
///
/// # Errors
/// What is not the bot's fault; asking again may help then.
pub(super) async fn ask(app: &App, scene: &Scene, history: &History, newest: MessageId) -> Result<Said> {
    let secret = secret::open(app, &scene.bot)?;
    let request = match scene.bot.kind {
        Kind::Http => endpoint::request(app, scene, history, newest, secret.as_ref()),
        Kind::Openai => model::request(app, scene, history, secret.as_ref()),
    };
    let request = match request {
        Ok(request) => request,
        // The address is read again whenever it is dialled.
        Err(Error::InvalidField { .. }) => return Ok(Err(Failure::AddressRefused)),
        Err(error) => return Err(error),
    };
    let timeout = Duration::from_millis(u64::try_from(scene.bot.timeout_ms).unwrap_or(0));
    let said = match send(app, request.timeout(timeout)).await {
        Ok(body) => match scene.bot.kind {
            Kind::Http => endpoint::read(&body),
            Kind::Openai => model::read(&body),
        },
        Err(failure) => Err(failure),
    };
    Ok(said.and_then(|said| said.map(fitting).transpose()))
}

/// Sends the question; the body of an answer that is a success.
async fn send(app: &App, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
    let failed = |error: reqwest::Error| {
        if error.is_timeout() {
            Failure::TimedOut
        } else if app.outbound.has_refused(&error) {
            Failure::AddressRefused
        } else {
            Failure::Unreachable
        }
    };
    let mut response: Response = request.send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(Failure::BadStatus(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MOST_ANSWER_BYTES {
            return Err(Failure::AnswerTooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A reply that can be a message.
fn fitting(reply: String) -> Result<String, Failure> {
    if reply.contains('\0') {
        return Err(Failure::BadAnswer);
    }
    Text::parse(reply).map(|text| text.as_str().to_owned()).map_err(|_| Failure::ReplyTooLong)
}

/// A reply that says something.
fn spoken(reply: Option<String>) -> Option<String> {
    reply.map(|reply| reply.trim().to_owned()).filter(|reply| !reply.is_empty())
}
