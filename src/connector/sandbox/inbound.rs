//! Somebody outside writes to a linked simulated phone, or to a channel that has signed in.

use std::collections::HashMap;

use bytes::Bytes;
use entity::id::{AttemptId, ChannelId, FileId, MessageId, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    channel as channels,
    chat::update::Name,
    connector::sandbox::{phones::Scope, store},
    db,
    error::{Error, Result},
    file::{FileName, delete, keep, upload::Upload},
    idempotency::Repeatable,
    message::{
        Jid, Text,
        receive::{self, Incoming},
    },
    phone::Phone,
    workspace,
};

/// A message from outside.
#[derive(Clone, Debug)]
pub struct Write {
    /// The linked phone.
    pub phone: Phone,
    /// Who writes.
    pub from: Phone,
    /// What they are called, where their phone tells it.
    pub from_name: Option<Name>,
    /// The group that it is written to; the phone itself where absent.
    pub group: Option<Jid>,
    /// What; absent only where there is a file.
    pub text: Option<Text>,
    /// The file that comes with it.
    pub file: Option<SentFile>,
}

/// A file that goes with a message.
#[derive(Clone, Debug)]
pub struct SentFile {
    /// Its name.
    pub filename: FileName,
    /// What it is said to be.
    pub content_type: Option<String>,
    /// What is in it.
    pub content: Bytes,
}

/// A text from outside to a channel on any network.
#[derive(Clone, Debug)]
pub struct WriteToChannel {
    /// The channel.
    pub channel_id: ChannelId,
    /// Who writes: a number, an address, or an id on the network.
    pub from: String,
    /// What.
    pub text: Text,
}

/// What the linked devices of the phone received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrived {
    /// The message, once in each workspace that the phone is linked to.
    pub messages: Vec<MessageId>,
}

/// Writes to a phone. All its linked devices get the message, as those of a real one do, and each workspace gets the
/// file as one of its own.
///
/// # Errors
/// `phone_not_linked` if no account of the scope is connected to it; `invalid_request` naming `file` if there is nothing
/// in it; `file_too_large`.
pub async fn write(app: &App, scope: &Scope, command: &Write, request: &Repeatable) -> Result<Arrived> {
    let files = match &command.file {
        Some(file) => keep_everywhere(app, scope, &command.phone, file).await?,
        None => HashMap::new(),
    };
    let arrived = db::retried(|| write_once(app, scope, command, &files, request)).await;
    for (workspace_id, id) in &files {
        // A request that came before, or one that failed, has not used it.
        delete::discard_unless_carried(app, *workspace_id, *id).await;
    }
    arrived
}

/// Writes to a channel.
///
/// # Errors
/// `phone_not_linked` if no channel of the scope that is connected and switched on has this id; `invalid_request` naming
/// `from`.
pub async fn write_to_channel(
    app: &App,
    scope: &Scope,
    command: &WriteToChannel,
    request: &Repeatable,
) -> Result<Arrived> {
    db::retried(|| write_to_channel_once(app, scope, command, request)).await
}

async fn write_to_channel_once(
    app: &App,
    scope: &Scope,
    command: &WriteToChannel,
    request: &Repeatable,
) -> Result<Arrived> {
    db::write(&app.db, "sandbox.inbound", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let channel = channels::open_by_id(tx, command.channel_id).await?.ok_or(Error::PhoneNotLinked)?;
        if store::in_scope(tx, scope, channel.session).await?.is_none() {
            return Err(Error::PhoneNotLinked);
        }
        let from = Jid::on(channel.network, &command.from).map_err(|error| match error {
            Error::InvalidField { reason, .. } => Error::field("from", reason),
            error => error,
        })?;
        let incoming = Incoming {
            session: channel.session,
            from,
            author: None,
            author_name: None,
            text: Some(command.text.clone()),
            file: None,
            provider_ref: format!("sandbox-{}", app.clock.uuid()),
        };
        let arrived = Arrived { messages: vec![receive::store_incoming(app, tx, &incoming).await?.message_id] };
        request.finish(app, tx, &arrived).await?;
        Ok(arrived)
    })
    .await
}

/// Stores the file in every workspace that the phone is linked to.
pub(super) async fn keep_everywhere(
    app: &App,
    scope: &Scope,
    phone: &Phone,
    file: &SentFile,
) -> Result<HashMap<WorkspaceId, FileId>> {
    let mut kept = HashMap::new();
    for session in store::whatsapp_of(app.db.reader(), scope, phone).await? {
        let Some(channel) = channels::open_by_session(app.db.reader(), session.id).await? else { continue };
        let Some(workspace) = workspace::by_id(app.db.reader(), channel.workspace_id).await? else { continue };
        if kept.contains_key(&workspace.id) {
            continue;
        }
        let mut upload = Upload::begin_brought(app, workspace.id).await?;
        if let Err(error) = upload.write(&file.content).await {
            upload.discard().await;
            return Err(error);
        }
        let stored = upload.finish().await?;
        let (filename, declared) = (Some(file.filename.clone()), file.content_type.as_deref());
        let id = keep::keep_anything(app, &workspace, stored, filename, declared).await?;
        kept.insert(workspace.id, id);
    }
    Ok(kept)
}

async fn write_once(
    app: &App,
    scope: &Scope,
    command: &Write,
    files: &HashMap<WorkspaceId, FileId>,
    request: &Repeatable,
) -> Result<Arrived> {
    db::write(&app.db, "sandbox.inbound", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let provider_ref = format!("sandbox-{}", app.clock.uuid());
        let mut messages = Vec::new();
        for session in store::whatsapp_of(tx, scope, &command.phone).await? {
            // The phone knows the device; the account is another's, or not connected any more.
            let Some(channel) = channels::open_by_session(tx, session.id).await? else { continue };
            let file = files.get(&channel.workspace_id).copied();
            if command.file.is_some() && file.is_none() {
                // It was linked a moment after the file was stored; who comes again finds it.
                return Err(Error::Contention);
            }
            let incoming = incoming(command, session.id, file, &provider_ref);
            messages.push(receive::store_incoming(app, tx, &incoming).await?.message_id);
        }
        if messages.is_empty() {
            return Err(Error::PhoneNotLinked);
        }
        let arrived = Arrived { messages };
        request.finish(app, tx, &arrived).await?;
        Ok(arrived)
    })
    .await
}

fn incoming(command: &Write, session: AttemptId, file: Option<FileId>, provider_ref: &str) -> Incoming {
    Incoming {
        session,
        from: command.group.clone().unwrap_or_else(|| Jid::of(&command.from)),
        author: command.group.is_some().then(|| command.from.clone()),
        author_name: command.from_name.as_ref().map(|name| name.as_str().to_owned()),
        text: command.text.clone(),
        file,
        provider_ref: provider_ref.to_owned(),
    }
}
