//! What a WAHA server is asked to send.

use entity::file::Kind;
use serde_json::{Value, json};

use crate::{
    app::App,
    connector::{
        Outgoing, OutgoingReaction,
        refusal::{Class, Refusal},
        session::Session,
    },
    file::{Attachment, link},
};

/// Where a message goes on the server, and with what.
pub(super) fn request(app: &App, session: &Session, outgoing: &Outgoing) -> Result<(&'static str, Value), Refusal> {
    let mut body = json!({ "session": session.id(), "chatId": chat(outgoing.recipient.as_str()) });
    if let Some(answered) = &outgoing.answered {
        body["reply_to"] = id(answered.is_own, answered.chat.as_str(), &answered.provider_ref).into();
    }
    let Some(attachment) = &outgoing.attachment else {
        body["text"] = outgoing.text.as_str().into();
        return Ok(("sendText", body));
    };
    let file = &attachment.file;
    // Nothing has left if we cannot sign.
    let url = link::to(app, file.id).map_err(|_| Refusal::of(Class::ProviderUnavailable))?;
    body["file"] = json!({ "mimetype": file.content_type, "filename": file.filename, "url": url });
    if !outgoing.text.is_empty() {
        body["caption"] = outgoing.text.as_str().into();
    }
    let path = path(attachment);
    if matches!(path, "sendVoice" | "sendVideo") {
        body["convert"] = true.into();
    }
    Ok((path, body))
}

fn path(attachment: &Attachment) -> &'static str {
    let family = attachment.file.content_type.split('/').next().unwrap_or_default();
    match (attachment.kind(), family) {
        (Kind::Voice, _) => "sendVoice",
        (Kind::Media, "image") => "sendImage",
        (Kind::Media, "video") => "sendVideo",
        (Kind::Media | Kind::Document, _) => "sendFile",
    }
}

/// A reaction as the server takes it; `None` if the provider's id of the message is not known.
pub(super) fn reaction(session: &Session, outgoing: &OutgoingReaction) -> Option<Value> {
    let provider_ref = outgoing.provider_ref.as_ref()?;
    Some(json!({
        "session": session.id(),
        "messageId": id(outgoing.is_to_own_message, &outgoing.chat, provider_ref),
        "reaction": outgoing.emoji.as_deref().unwrap_or_default(),
    }))
}

/// The server's id of a message, from ours.
fn id(is_own: bool, jid: &str, provider_ref: &str) -> String {
    format!("{is_own}_{}_{provider_ref}", chat(jid))
}

/// The server's address of a chat.
fn chat(jid: &str) -> String {
    match jid.strip_suffix("@s.whatsapp.net") {
        Some(digits) => format!("{digits}@c.us"),
        None => jid.to_owned(),
    }
}
