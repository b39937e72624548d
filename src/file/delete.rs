//! Deleting a file: at once if no message carries it, else for everybody but these messages.

use entity::{file::Model, id::FileId, workspace};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::Origin,
    db,
    error::{Error, Result},
    file::{parse_uid, store, strays},
};

/// Deletes a file. Messages that carry it go on showing it until it has been kept for as long as is configured.
///
/// # Errors
/// `file_not_found`, also the second time.
pub async fn delete(app: &App, workspace: &workspace::Model, origin: &Origin, uid: &str) -> Result<()> {
    let id = parse_uid(uid)?;
    let removed = db::retried(|| delete_once(app, workspace, origin, id)).await?;
    if let Some(key) = removed {
        strays::discard(app, &key).await;
    }
    Ok(())
}

async fn delete_once(app: &App, workspace: &workspace::Model, origin: &Origin, id: FileId) -> Result<Option<String>> {
    db::write(&app.db, "file.delete", async |tx| {
        let file = store::lock(tx, workspace.id, id).await?.filter(|file| file.deleted_at.is_none());
        let file = file.ok_or_else(|| Error::FileNotFound(id.to_string()))?;
        let before = json!({ "filename": file.filename, "content_type": file.content_type, "size": file.size });
        let entry = audit::Entry::in_workspace("file.delete", workspace, id).before(before);
        audit::record(app, tx, origin, entry).await?;
        if store::is_carried(tx, &file, None).await? {
            store::set_deleted(app, tx, &file).await?;
            return Ok(None);
        }
        remove(app, tx, &file).await
    })
    .await
}

/// Takes a file back that came with a message, unless a message carries it. What fails here is left to the sweep.
pub async fn discard_unless_carried(app: &App, workspace_id: entity::id::WorkspaceId, id: FileId) {
    if let Err(error) = db::retried(|| discard_once(app, workspace_id, id)).await {
        tracing::warn!(%error, file.id = %id, "a file without its message is removed later");
    }
}

async fn discard_once(app: &App, workspace_id: entity::id::WorkspaceId, id: FileId) -> Result<()> {
    let removed = db::write(&app.db, "file.discard", async |tx| match store::lock(tx, workspace_id, id).await? {
        Some(file) if !store::is_carried(tx, &file, None).await? => remove(app, tx, &file).await,
        _ => Ok(None),
    })
    .await?;
    if let Some(key) = removed {
        strays::discard(app, &key).await;
    }
    Ok(())
}

/// Removes a file whose row is held; tells the name of its content's object if that is a stray now.
pub(super) async fn remove(app: &App, tx: &DatabaseTransaction, file: &Model) -> Result<Option<String>> {
    let key = store::remove(tx, file).await?;
    if let Some(key) = &key {
        strays::abandon(app, tx, key).await?;
    }
    Ok(key)
}
