//! The linked devices of a simulated phone: each workspace that it is linked to has a message once, and the file that goes
//! with it as one of its own.

use std::collections::HashMap;

use bytes::Bytes;
use entity::{
    channel,
    id::{FileId, MessageId, WorkspaceId},
};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    channel as channels,
    connector::sandbox::{
        inbound::{self, Write},
        outbound::{self, WriteOnPhone},
        phones::Scope,
        store,
    },
    db,
    error::{Error, Result},
    file::{FileName, delete, keep, upload::Upload},
    idempotency::Repeatable,
    message::receive::{self, own},
    phone::Phone,
    workspace,
};

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

/// What the linked devices of the phone received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrived {
    /// The message, once in each workspace that the phone is linked to.
    pub messages: Vec<MessageId>,
}

/// What the devices hear.
#[derive(Clone, Copy)]
pub(super) enum Message<'a> {
    /// Somebody outside wrote to the phone.
    Inbound(&'a Write),
    /// Its owner wrote on it.
    Outbound(&'a WriteOnPhone),
}

impl Message<'_> {
    const fn phone(&self) -> &Phone {
        match self {
            Self::Inbound(command) => &command.phone,
            Self::Outbound(command) => &command.phone,
        }
    }

    const fn file(&self) -> Option<&SentFile> {
        match self {
            Self::Inbound(command) => command.file.as_ref(),
            Self::Outbound(command) => command.file.as_ref(),
        }
    }

    /// The provider's id of the message that it answers, if it answers one.
    async fn answers(&self, tx: &DatabaseTransaction, scope: &Scope) -> Result<Vec<String>> {
        match self {
            Self::Inbound(command) => inbound::answers(tx, scope, command).await,
            Self::Outbound(_) => Ok(Vec::new()),
        }
    }

    /// Stores it for an account; one that it has already is `None`. `ids` are the provider's: its own, and of what it
    /// answers.
    async fn store(
        &self,
        app: &App,
        tx: &DatabaseTransaction,
        channel: &channel::Model,
        file: Option<FileId>,
        ids: (&str, &[String]),
    ) -> Result<Option<MessageId>> {
        match self {
            Self::Inbound(command) => {
                let incoming = inbound::incoming(command, channel.session, file, ids);
                Ok(Some(receive::store_incoming(app, tx, &incoming).await?.message_id))
            }
            Self::Outbound(command) => {
                let own = outbound::own(command, channel, file, ids.0, app.clock.now());
                Ok(own::store_own(app, tx, &own).await?.map(|stored| stored.message_id))
            }
        }
    }
}

/// Lets all linked devices of its phone hear of a message.
///
/// # Errors
/// `phone_not_linked` if no account of the scope is connected to it; what is wrong with the file; what storing says.
pub(super) async fn hear(app: &App, scope: &Scope, message: Message<'_>, request: &Repeatable) -> Result<Arrived> {
    let files = match message.file() {
        Some(file) => keep_everywhere(app, scope, message.phone(), file).await?,
        None => HashMap::new(),
    };
    let arrived = db::retried(|| hear_once(app, scope, message, &files, request)).await;
    for (workspace_id, id) in &files {
        // A request that came before, or one that failed, has not used it.
        delete::discard_unless_carried(app, *workspace_id, *id).await;
    }
    arrived
}

/// Stores the file in every workspace that the phone is linked to.
async fn keep_everywhere(
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

async fn hear_once(
    app: &App,
    scope: &Scope,
    message: Message<'_>,
    files: &HashMap<WorkspaceId, FileId>,
    request: &Repeatable,
) -> Result<Arrived> {
    db::write(&app.db, "sandbox.message", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let answers = message.answers(tx, scope).await?;
        let provider_ref = format!("sandbox-{}", app.clock.uuid());
        let mut messages = Vec::new();
        for session in store::whatsapp_of(tx, scope, message.phone()).await? {
            // The phone knows the device; the account is another's, or not connected any more.
            let Some(channel) = channels::open_by_session(tx, session.id).await? else { continue };
            let file = files.get(&channel.workspace_id).copied();
            if message.file().is_some() && file.is_none() {
                // It was linked a moment after the file was stored; who comes again finds it.
                return Err(Error::Contention);
            }
            messages.extend(message.store(app, tx, &channel, file, (&provider_ref, &answers)).await?);
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
