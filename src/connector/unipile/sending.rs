//! What Unipile is asked to send: a form, with the file in it.

use entity::file::Kind;
use futures_util::StreamExt;
use reqwest::multipart::{Form, Part};

use crate::{
    app::App,
    connector::{
        Outgoing,
        refusal::{Class, Refusal},
        unipile::MOST_FILE_BYTES,
    },
    file::{Attachment, read},
    message::Jid,
};

/// The form that begins a chat with its recipient, or goes on with it.
pub(super) async fn form(app: &App, account_id: &str, outgoing: &Outgoing) -> Result<Form, Refusal> {
    let attendee = attendee(&outgoing.recipient).ok_or(Refusal::of(Class::RecipientUnreachable))?;
    let form = Form::new().text("account_id", account_id.to_owned()).text("attendees_ids", attendee.to_owned());
    content(app, form, outgoing).await
}

/// The form that answers this message, in the chat that it is in.
pub(super) async fn answer(app: &App, answered: &str, outgoing: &Outgoing) -> Result<Form, Refusal> {
    content(app, Form::new().text("quote_id", answered.to_owned()), outgoing).await
}

async fn content(app: &App, mut form: Form, outgoing: &Outgoing) -> Result<Form, Refusal> {
    if !outgoing.text.is_empty() {
        form = form.text("text", outgoing.text.clone());
    }
    if let Some(attachment) = &outgoing.attachment {
        let name = if attachment.kind() == Kind::Voice { "voice_message" } else { "attachments" };
        form = form.part(name, part(app, attachment).await?);
    }
    Ok(form)
}

/// Unipile's id of a recipient: as it is on WhatsApp, without the network's name elsewhere; none for a group.
fn attendee(recipient: &Jid) -> Option<&str> {
    let text = recipient.as_str();
    match text.rsplit_once('@') {
        Some((_, "g.us")) => None,
        Some((id, "telegram" | "instagram")) => Some(id),
        _ => Some(text),
    }
}

async fn part(app: &App, attachment: &Attachment) -> Result<Part, Refusal> {
    let file = &attachment.file;
    if file.size > MOST_FILE_BYTES {
        return Err(Refusal::of(Class::ContentRejected));
    }
    // Nothing has left if we cannot read.
    let unread = || Refusal::of(Class::ProviderUnavailable);
    let mut content = read::open(app, file, None).await.map_err(|_| unread())?;
    let mut bytes = Vec::new();
    while let Some(chunk) = content.next().await {
        bytes.extend_from_slice(&chunk.map_err(|_| unread())?);
    }
    let part = Part::bytes(bytes).file_name(file.filename.clone());
    part.mime_str(&file.content_type).map_err(|_| Refusal::of(Class::ContentRejected))
}

#[cfg(test)]
mod tests {
    use entity::channel::Network;

    use super::*;

    #[test]
    fn recipients_are_named_as_their_network_names_them() {
        let of = |jid: &Jid| attendee(jid).map(str::to_owned);
        let jid = |text: &str| Jid::parse(text).expect("an id");
        assert_eq!(of(&jid("15550001111@s.whatsapp.net")).as_deref(), Some("15550001111@s.whatsapp.net"));
        assert_eq!(of(&jid("1203630@g.us")), None);
        let on = |network, id| Jid::on(network, id).expect("an id");
        assert_eq!(of(&on(Network::Telegram, "4711")).as_deref(), Some("4711"));
        assert_eq!(of(&on(Network::Instagram, "4711")).as_deref(), Some("4711"));
    }
}
