//! A visitor sends a file.

use bytes::Bytes;
use entity::id::{FileId, VisitorId, WorkspaceId};
use futures_util::{Stream, StreamExt};

use crate::{
    app::App,
    channel::widget::Widget,
    connector::webchat::{
        history::Entry,
        inbound::{self, Write},
    },
    error::{Error, Result},
    file::{FileName, delete, keep, upload::Upload},
    workspace as workspaces,
};

/// Longest file that a visitor sends, in bytes (`contracts/channels.md` 1.8).
pub const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;

/// A file that a visitor sends.
#[derive(Clone, Debug)]
pub struct SendFile {
    /// Its name.
    pub name: FileName,
    /// The key under which a browser may send it again.
    pub key: Option<String>,
}

/// Stores a file that a visitor sends, as a message without text.
///
/// # Errors
/// As [`inbound::write`]; `invalid_request` naming `file` or `content_type`; `file_too_large`; `busy` if the storage
/// does not answer.
pub async fn send(
    app: &App,
    widget: &Widget,
    id: VisitorId,
    command: &SendFile,
    content: impl Stream<Item = std::io::Result<Bytes>> + Unpin,
) -> Result<Entry> {
    let write = |file| Write::of_file(file, command.key.as_deref());
    if !widget.is_open {
        return Err(Error::WidgetOffline);
    }
    let workspace_id = widget.channel.workspace_id;
    let file = keep(app, workspace_id, command, content).await?;
    let written = match write(file) {
        Ok(write) => inbound::write(app, widget, id, &write).await,
        Err(error) => Err(error),
    };
    // What came before, and what was refused, is carried by nothing.
    delete::discard_unless_carried(app, workspace_id, file).await;
    written
}

async fn keep(
    app: &App,
    workspace_id: WorkspaceId,
    command: &SendFile,
    mut content: impl Stream<Item = std::io::Result<Bytes>> + Unpin,
) -> Result<FileId> {
    let workspace = workspaces::by_id(app.db.reader(), workspace_id).await?.ok_or(Error::WidgetNotFound)?;
    let mut upload = Upload::begin(app, workspace_id).await?;
    if let Err(error) = take(&mut upload, &mut content).await {
        upload.discard().await;
        return Err(error);
    }
    let stored = upload.finish().await?;
    keep::keep_brought(app, &workspace, stored, command.name.clone(), None).await
}

async fn take(
    upload: &mut Upload<'_>,
    content: &mut (impl Stream<Item = std::io::Result<Bytes>> + Unpin),
) -> Result<()> {
    let mut bytes = 0;
    while let Some(chunk) = content.next().await {
        let broke_off = || Error::InvalidBody { field: None, reason: "the body broke off".to_owned() };
        let chunk = chunk.map_err(|_| broke_off())?;
        bytes += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if bytes > MAX_FILE_BYTES {
            return Err(Error::FileTooLarge { limit_bytes: MAX_FILE_BYTES });
        }
        upload.write(&chunk).await?;
    }
    Ok(())
}
