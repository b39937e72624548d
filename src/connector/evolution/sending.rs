//! What an Evolution server is asked to send.

use entity::file::Kind;
use serde_json::{Value, json};

use crate::{
    app::App,
    connector::{
        Outgoing, OutgoingReaction,
        refusal::{Class, Refusal},
    },
    file::link,
};

/// Where a message goes on the server, and with what.
pub(super) fn request(app: &App, outgoing: &Outgoing) -> Result<(&'static str, Value), Refusal> {
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
    let (id, author) = match outgoing.provider_ref.as_ref()?.split_once('_') {
        Some((id, author)) => (id, Some(author)),
        None => (outgoing.provider_ref.as_deref()?, None),
    };
    let mut key = json!({ "remoteJid": outgoing.chat, "fromMe": outgoing.is_to_own_message, "id": id });
    if let Some(author) = author {
        key["participant"] = author.into();
    }
    Some(json!({ "key": key, "reaction": outgoing.emoji.as_deref().unwrap_or_default() }))
}

/// Numbers are written in digits, everything else as it is.
fn number(jid: &str) -> &str {
    jid.strip_suffix("@s.whatsapp.net").unwrap_or(jid)
}
