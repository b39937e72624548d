//! Making a file of a content that is stored, sharing it with others of the workspace that are equal.

use std::borrow::Cow;

use entity::{
    file::{self, Kind},
    id::{FileId, UserId},
    workspace,
};
use sea_orm::{DatabaseTransaction, Set};
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::Origin,
    db,
    error::{Error, Result},
    file::{FileName, media, store, strays, upload::Stored},
    idempotency::Repeatable,
    workspace as workspaces,
};

/// How long a message has time to carry a file that came with it, in seconds.
pub const PROVISIONAL_SECONDS: i64 = 2 * 3600;
/// What a file is called that came without a name.
const NAMELESS: &str = "file";

/// What is made of a content.
pub struct NewFile<'a> {
    /// Whose it is.
    pub workspace: &'a workspace::Model,
    /// As whom it was uploaded.
    pub user_id: Option<UserId>,
    /// Its name.
    pub filename: FileName,
    /// Its media type.
    pub content_type: Cow<'static, str>,
    /// How a message shows it.
    pub kind: Kind,
    /// Whether it goes again if no message carries it.
    pub is_provisional: bool,
}

/// Makes a file of a stored content.
///
/// # Errors
/// `idempotency_key_reused`; `busy` if the database does not answer. Nothing is left of the content then.
pub async fn keep(
    app: &App,
    origin: &Origin,
    stored: Stored,
    new: &NewFile<'_>,
    request: &Repeatable,
) -> Result<FileId> {
    let id = FileId(app.clock.uuid());
    let kept = db::retried(|| keep_once(app, origin, id, &stored, new, request)).await;
    // An object that a content has claimed is no stray any more, so this takes back only what nobody needs, even if
    // the answer to the commit was lost.
    strays::discard(app, &stored.key).await;
    kept
}

/// Makes a file of what came from outside with a message, which goes again if no message carries it.
///
/// # Errors
/// `invalid_request` if it is nothing that may be a file; as [`keep`]. Nothing is left of the content then.
pub async fn keep_brought(
    app: &App,
    workspace: &workspace::Model,
    stored: Stored,
    filename: FileName,
    declared: Option<&str>,
) -> Result<FileId> {
    let media = match stored.shape.decide(declared, Some(filename.as_str())) {
        Ok(media) => media,
        Err(error) => {
            stored.discard(app).await;
            return Err(error);
        }
    };
    let content_type = media.content_type().into();
    let new = NewFile { workspace, user_id: None, filename, content_type, kind: Kind::Media, is_provisional: true };
    keep(app, &Origin::provider(), stored, &new, &Repeatable::never()).await
}

/// The same, whatever it is: what is of no type of ours is a document.
///
/// # Errors
/// As [`keep`]. Nothing is left of the content then.
pub async fn keep_anything(
    app: &App,
    workspace: &workspace::Model,
    stored: Stored,
    filename: Option<FileName>,
    declared: Option<&str>,
) -> Result<FileId> {
    let name = filename.as_ref().map(FileName::as_str);
    let (content_type, kind, ending) = match stored.shape.recognise(declared, name) {
        Some(media) => (media.content_type().into(), Kind::Media, media.endings().first().copied()),
        None => (media::called(declared), Kind::Document, None),
    };
    let filename = match filename {
        Some(name) => name,
        None => FileName::parse(&format!("{NAMELESS}.{}", ending.unwrap_or("bin")))?,
    };
    let new = NewFile { workspace, user_id: None, filename, content_type, kind, is_provisional: true };
    keep(app, &Origin::provider(), stored, &new, &Repeatable::never()).await
}

async fn keep_once(
    app: &App,
    origin: &Origin,
    id: FileId,
    stored: &Stored,
    new: &NewFile<'_>,
    request: &Repeatable,
) -> Result<FileId> {
    db::write(&app.db, "file.keep", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        insert(app, tx, id, stored, new).await?;
        let about = json!({ "filename": new.filename.as_str(), "content_type": new.content_type, "size": stored.size });
        let entry = audit::Entry::in_workspace("file.create", new.workspace, id).after(about);
        audit::record(app, tx, origin, entry).await?;
        request.finish(app, tx, &id).await?;
        Ok(id)
    })
    .await
}

async fn insert(app: &App, tx: &DatabaseTransaction, id: FileId, stored: &Stored, new: &NewFile<'_>) -> Result<()> {
    let workspace_id = new.workspace.id;
    let blob_id = match store::lock_blob(tx, workspace_id, &stored.sha256).await? {
        Some(known) => known,
        None => {
            if !strays::claim(app, tx, &stored.key).await? {
                return Err(Error::Internal("an upload took longer than any may".to_owned()));
            }
            store::insert_blob(app, tx, workspace_id, &stored.sha256, &stored.key).await?
        }
    };
    let now = app.clock.now();
    let row = file::ActiveModel {
        id: Set(id),
        workspace_id: Set(workspace_id),
        blob_id: Set(blob_id),
        filename: Set(new.filename.as_str().to_owned()),
        filename_folded: Set(workspaces::fold(new.filename.as_str())),
        content_type: Set(new.content_type.clone().into_owned()),
        size: Set(i64::try_from(stored.size).map_err(|_| Error::Internal("a file is beyond all sizes".to_owned()))?),
        kind: Set(new.kind),
        user_id: Set(new.user_id),
        provisional_until: Set(new.is_provisional.then(|| now.plus_seconds(PROVISIONAL_SECONDS))),
        created_at: Set(now),
        deleted_at: Set(None),
    };
    store::insert(tx, row).await
}
