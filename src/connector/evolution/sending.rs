//! What an Evolution server is asked to send.

use entity::file::Kind;
use serde_json::{Value, json};

use crate::{
    app::App,
    connector::{
        Answered, Outgoing, OutgoingReaction,
        refusal::{Class, Refusal},
    },
    file::link,
};

/// Where a message goes on the server, and with what.
pub(super) fn request(app: &App, outgoing: &Outgoing) -> Result<(&'static str, Value), Refusal> {
    let (path, mut body) = content(app, outgoing)?;
    if let Some(answered) = &outgoing.answered {
        body["quoted"] = quoted(answered);
    }
    Ok((path, body))
}

fn content(app: &App, outgoing: &Outgoing) -> Result<(&'static str, Value), Refusal> {
    let number = number(outgoing.recipient.as_str());
    let Some(attachment) = &outgoing.attachment else {
        return Ok(("sendText", json!({ "number": number, "text": outgoing.text })));
    };
    let file = &attachment.file;
    // Nothing has left if we cannot sign.
    let url = link::to(app, file.id).map_err(|_| Refusal::of(Class::ProviderUnavailable))?;
    let family = file.content_type.split('/').next().unwrap_or_default();
    let kind = match (attachment.kind(), family) {
        (Kind::Voice, _) => return Ok(("sendWhatsAppAudio", json!({ "number": number, "audio": url }))),
        (Kind::Media, family @ ("image" | "video" | "audio")) => family,
        (Kind::Media | Kind::Document, _) => "document",
    };
    let mut body = json!({
        "number": number,
        "mediatype": kind,
        "media": url,
        "mimetype": file.content_type,
        "fileName": file.filename,
    });
    if !outgoing.text.is_empty() {
        body["caption"] = outgoing.text.as_str().into();
    }
    Ok(("sendMedia", body))
}

/// A reaction as the server takes it; `None` if the provider's id of the message is not known.
pub(super) fn reaction(outgoing: &OutgoingReaction) -> Option<Value> {
    let key = key(&outgoing.chat, outgoing.is_to_own_message, outgoing.provider_ref.as_ref()?);
    Some(json!({ "key": key, "reaction": outgoing.emoji.as_deref().unwrap_or_default() }))
}

/// A message that is answered. Its text is shown with the answer; of one without text the server looks for what it has
/// under the key.
fn quoted(answered: &Answered) -> Value {
    let mut quoted = json!({ "key": key(answered.chat.as_str(), answered.is_own, &answered.provider_ref) });
    if !answered.text.is_empty() {
        quoted["message"] = json!({ "conversation": answered.text });
    }
    quoted
}

/// The key of a message, from our form of its id.
fn key(chat: &str, is_own: bool, provider_ref: &str) -> Value {
    let (id, author) = match provider_ref.split_once('_') {
        Some((id, author)) => (id, Some(author)),
        None => (provider_ref, None),
    };
    let mut key = json!({ "remoteJid": chat, "fromMe": is_own, "id": id });
    if let Some(author) = author {
        key["participant"] = author.into();
    }
    key
}

/// Numbers are written in digits, everything else as it is.
fn number(jid: &str) -> &str {
    jid.strip_suffix("@s.whatsapp.net").unwrap_or(jid)
}
