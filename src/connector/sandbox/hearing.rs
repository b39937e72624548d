//! What a simulated provider brings to a channel's own address: that somebody wrote.

use entity::channel;
use serde::Deserialize;

use crate::{
    app::App,
    error::{Error, Result},
    message::{
        Jid, Text,
        receive::{self, Incoming},
    },
    signal::Signal,
};

/// Longest id of a message, in characters.
const MAX_ID_CHARS: usize = 200;

/// Somebody wrote.
#[derive(Deserialize)]
struct Written {
    /// The provider's id of the message: one that comes again is known.
    id: String,
    /// Who wrote: a number, an address, or an id on the network.
    from: String,
    /// What they are called.
    #[serde(default)]
    from_name: Option<String>,
    /// What.
    text: String,
}

/// Stores what was written.
pub(super) async fn hear(app: &App, channel: &channel::Model, body: &[u8]) -> Result<()> {
    let wrong = |reason: &str| Error::InvalidBody { field: None, reason: reason.to_owned() };
    let written: Written = serde_json::from_slice(body).map_err(|_| wrong("the body must have id, from and text"))?;
    if written.id.is_empty() || written.id.chars().count() > MAX_ID_CHARS {
        return Err(Error::field("id", "must be 1 to 200 characters"));
    }
    let from = Jid::on(channel.network, &written.from).map_err(|error| match error {
        Error::InvalidField { reason, .. } => Error::field("from", reason),
        error => error,
    })?;
    let text = Text::from_outside(&written.text).ok_or_else(|| Error::field("text", "must not be empty"))?;
    let incoming = Incoming {
        session: channel.session,
        from,
        author: None,
        author_name: written.from_name,
        group_name: None,
        answers: Vec::new(),
        text: Some(text),
        file: None,
        provider_ref: format!("sandbox-{}", written.id),
        told_at: None,
    };
    receive::receive(app, &incoming).await?;
    app.signals.publish(Signal::Event);
    Ok(())
}
