//! A visitor writes.

use entity::id::{FileId, VisitorId};

use crate::{
    app::App,
    channel::widget::Widget,
    connector::webchat::{
        MAX_TEXT_CHARS,
        history::{self, Entry},
        store, visitor,
    },
    db,
    error::{Error, Result},
    message::{
        Text,
        receive::{self, Incoming},
    },
    signal::Signal,
};

const MAX_KEY_CHARS: usize = 64;

/// What a visitor writes.
#[derive(Clone, Debug)]
pub struct Write {
    text: Option<Text>,
    file: Option<FileId>,
    key: Option<String>,
    answers: Option<i64>,
}

impl Write {
    /// Reads a text of 1 to 4096 characters, and the key under which a browser may send it again.
    ///
    /// # Errors
    /// `invalid_request` naming `text` or `client_id`.
    pub fn parse(text: &str, key: Option<&str>) -> Result<Self> {
        if text.chars().count() > MAX_TEXT_CHARS {
            return Err(Error::field("text", format!("must be at most {MAX_TEXT_CHARS} characters")));
        }
        let text = Text::from_outside(text).ok_or_else(|| Error::field("text", "must not be empty"))?;
        Ok(Self { text: Some(text), file: None, key: check_key(key)?, answers: None })
    }

    /// The same in answer to the message with this number in the visitor's window.
    #[must_use]
    pub fn answering(self, number: Option<i64>) -> Self {
        Self { answers: number, ..self }
    }

    /// A file without a text.
    ///
    /// # Errors
    /// `invalid_request` naming `client_id`.
    pub(super) fn of_file(file: FileId, key: Option<&str>) -> Result<Self> {
        Ok(Self { text: None, file: Some(file), key: check_key(key)?, answers: None })
    }
}

fn check_key(key: Option<&str>) -> Result<Option<String>> {
    let fits = |key: &str| {
        (1..=MAX_KEY_CHARS).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    match key {
        Some(key) if !fits(key) => Err(Error::field("client_id", "must be 1 to 64 letters, digits, '-' and '_'")),
        key => Ok(key.map(str::to_owned)),
    }
}

/// Stores what a visitor writes, once for each key.
///
/// # Errors
/// `widget_offline` while the channel is switched off; `invalid_request` naming `email` or `identity` where the channel
/// requires one and the visitor has told none, or `reply_to` where their window has no such message.
pub async fn write(app: &App, widget: &Widget, id: VisitorId, command: &Write) -> Result<Entry> {
    if !widget.is_open {
        return Err(Error::WidgetOffline);
    }
    let answers = match command.answers {
        Some(number) => history::provider_ref(app, widget, id, number).await?.into_iter().collect(),
        None => Vec::new(),
    };
    let key = command.key.clone().unwrap_or_else(|| app.clock.uuid().to_string());
    let incoming = Incoming {
        session: widget.channel.session,
        from: visitor::jid(id)?,
        author: None,
        // What they are called is read with them.
        author_name: None,
        group_name: None,
        answers,
        text: command.text.clone(),
        file: command.file,
        provider_ref: format!("visitor-{id}-{key}"),
        told_at: None,
    };
    let received = db::retried(|| write_once(app, widget, id, &incoming)).await;
    let received = received.map_err(|error| match error {
        // It was switched off a moment ago.
        Error::ChannelNotConnected => Error::WidgetOffline,
        error => error,
    })?;
    app.signals.publish(Signal::Visitor(id));
    app.signals.publish(Signal::Work);
    history::of_message(app, widget, id, received.message_id).await
}

async fn write_once(app: &App, widget: &Widget, id: VisitorId, incoming: &Incoming) -> Result<receive::Received> {
    db::write(&app.db, "webchat.receive", async |tx| {
        // The visitor before their chat, here as everywhere.
        let visitor = store::find_or_insert(app, tx, widget, id).await?;
        require_told(widget, &visitor)?;
        let named = Incoming { author_name: visitor::label(&visitor).map(str::to_owned), ..incoming.clone() };
        let received = receive::store_incoming(app, tx, &named).await?;
        if received.is_new {
            store::push(app, tx, id, received.message_id).await?;
        }
        Ok(received)
    })
    .await
}

fn require_told(widget: &Widget, visitor: &entity::webchat_visitor::Model) -> Result<()> {
    if widget.flag("requireEmail") == Some(true) && visitor.email.is_none() {
        return Err(Error::field("email", "is required before the first message; tell it with the session"));
    }
    if widget.flag("requireIdentity") == Some(true) && visitor.external_id.is_none() {
        return Err(Error::field("identity", "is required before the first message; tell it with the session"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_keys_have_their_limits() {
        assert!(Write::parse(&"ä".repeat(MAX_TEXT_CHARS), Some("a-B_9")).is_ok());
        for text in ["", " \n", &"x".repeat(MAX_TEXT_CHARS + 1)] {
            assert!(Write::parse(text, None).is_err());
        }
        for key in ["", "a b", "a/b", &"x".repeat(MAX_KEY_CHARS + 1)] {
            assert!(Write::parse("x", Some(key)).is_err(), "{key}");
        }
    }
}
