//! Whoever holds a linked simulated phone writes on it.

use entity::{channel, id::FileId, timestamp::Timestamp};

use crate::{
    app::App,
    connector::sandbox::{
        devices::{self, Arrived, Message, SentFile},
        phones::Scope,
    },
    error::Result,
    idempotency::Repeatable,
    message::{Jid, Text, receive::own::Own, status::GoneOut},
    phone::Phone,
};

/// A message that is written on a phone.
#[derive(Clone, Debug)]
pub struct WriteOnPhone {
    /// The linked phone.
    pub phone: Phone,
    /// Whom it is for: somebody, or a group.
    pub to: Jid,
    /// What; absent only where there is a file.
    pub text: Option<Text>,
    /// The file that goes with it.
    pub file: Option<SentFile>,
}

/// Writes on a phone. All its linked devices hear of the message, as those of a real one do, and each workspace gets
/// the file as one of its own.
///
/// # Errors
/// `phone_not_linked` if no account of the scope is connected to it; `invalid_request` naming `file` if there is nothing
/// in it; `file_too_large`; `busy` while one of its accounts hands a message over.
pub async fn write(app: &App, scope: &Scope, command: &WriteOnPhone, request: &Repeatable) -> Result<Arrived> {
    devices::hear(app, scope, Message::Outbound(command), request).await
}

/// What a linked device of this account has of it.
pub(super) fn own<'a>(
    command: &'a WriteOnPhone,
    channel: &channel::Model,
    file: Option<FileId>,
    provider_ref: &'a str,
    heard_at: Timestamp,
) -> Own<'a> {
    let gone = GoneOut {
        account_id: channel.account_id,
        jid: command.to.as_str(),
        text: command.text.as_ref().map_or("", Text::as_str),
        has_file: file.is_some(),
        provider_ref,
        is_typed: true,
        heard_at,
    };
    let text = command.text.clone();
    Own { session: channel.session, gone, to: &command.to, text, file, answers: &[], told_at: None, since: None }
}
