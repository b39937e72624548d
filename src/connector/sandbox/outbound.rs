//! Whoever holds a linked simulated phone writes on it.

use std::collections::HashMap;

use entity::{
    channel,
    id::{FileId, WorkspaceId},
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    channel as channels,
    connector::sandbox::{
        inbound::{Arrived, SentFile, keep_everywhere},
        phones::Scope,
        store,
    },
    db,
    error::{Error, Result},
    file::delete,
    idempotency::Repeatable,
    message::{
        Jid, Text,
        receive::own::{self, Own},
        status::GoneOut,
    },
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
    let files = match &command.file {
        Some(file) => keep_everywhere(app, scope, &command.phone, file).await?,
        None => HashMap::new(),
    };
    let written = db::retried(|| write_once(app, scope, command, &files, request)).await;
    for (workspace_id, id) in &files {
        // A request that came before, or one that failed, has not used it.
        delete::discard_unless_carried(app, *workspace_id, *id).await;
    }
    written
}

async fn write_once(
    app: &App,
    scope: &Scope,
    command: &WriteOnPhone,
    files: &HashMap<WorkspaceId, FileId>,
    request: &Repeatable,
) -> Result<Arrived> {
    db::write(&app.db, "sandbox.outbound", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let provider_ref = format!("sandbox-{}", app.clock.uuid());
        let mut arrived = Arrived { messages: Vec::new() };
        for session in store::whatsapp_of(tx, scope, &command.phone).await? {
            // The phone knows the device; the account is another's, or not connected any more.
            let Some(channel) = channels::open_by_session(tx, session.id).await? else { continue };
            let file = files.get(&channel.workspace_id).copied();
            if command.file.is_some() && file.is_none() {
                // It was linked a moment after the file was stored; who comes again finds it.
                return Err(Error::Contention);
            }
            let stored = hear(app, tx, &channel, command, file, &provider_ref).await?;
            arrived.messages.extend(stored.map(|stored| stored.message_id));
        }
        if arrived.messages.is_empty() {
            return Err(Error::PhoneNotLinked);
        }
        request.finish(app, tx, &arrived).await?;
        Ok(arrived)
    })
    .await
}

/// A linked device hears of it.
async fn hear(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &channel::Model,
    command: &WriteOnPhone,
    file: Option<FileId>,
    provider_ref: &str,
) -> Result<Option<crate::message::receive::Received>> {
    let gone = GoneOut {
        account_id: channel.account_id,
        jid: command.to.as_str(),
        text: command.text.as_ref().map_or("", Text::as_str),
        has_file: file.is_some(),
        provider_ref,
        is_typed: true,
        heard_at: app.clock.now(),
    };
    let text = command.text.clone();
    let own = Own { session: channel.session, gone, to: &command.to, text, file, since: None };
    own::store_own(app, tx, &own).await
}
