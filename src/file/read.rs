//! Files that exist: those of a workspace, one of them, and what is in it.

use std::ops::Range;

use entity::{
    file::Model,
    id::{FileId, WorkspaceId},
};

use crate::{
    app::App,
    error::{Error, Result},
    file::{FileDetails, parse_uid, storage::Content, store},
    page::PageNumber,
    user as users, workspace as workspaces,
};

/// The workspace's files, the newest first, in pages of [`crate::file::MAX_LISTED`]; `needle` is a part of their names,
/// without regard to case.
///
/// # Errors
/// What the database says.
pub async fn list(
    app: &App,
    workspace_id: WorkspaceId,
    needle: Option<&str>,
    page: PageNumber,
) -> Result<Vec<FileDetails>> {
    let db = app.db.reader();
    let needle = needle.filter(|needle| !needle.is_empty()).map(workspaces::fold);
    // No name has it, and PostgreSQL refuses to look for it.
    if needle.as_ref().is_some_and(|needle| needle.contains('\0')) {
        return Ok(Vec::new());
    }
    let files = store::list(db, workspace_id, needle.as_deref(), page).await?;
    let users = users::by_ids(db, workspace_id, files.iter().filter_map(|file| file.user_id)).await?;
    let with_uploader = |file: Model| {
        let uploader = file.user_id.and_then(|id| users.get(&id).cloned());
        FileDetails { file, uploader }
    };
    Ok(files.into_iter().map(with_uploader).collect())
}

/// One file.
///
/// # Errors
/// `file_not_found`.
pub async fn get(app: &App, workspace_id: WorkspaceId, uid: &str) -> Result<FileDetails> {
    let db = app.db.reader();
    let file = store::find(db, workspace_id, parse_uid(uid)?).await?;
    let file = file.ok_or_else(|| Error::FileNotFound(uid.to_owned()))?;
    let uploader = match file.user_id {
        Some(id) => users::find(db, workspace_id, id).await?,
        None => None,
    };
    Ok(FileDetails { file, uploader })
}

/// A file that a link was made for, deleted or not.
///
/// # Errors
/// `file_not_found` if it is gone since.
pub async fn linked(app: &App, id: FileId) -> Result<Model> {
    store::signed_for(app.db.reader(), id).await?.ok_or_else(|| Error::FileNotFound(id.to_string()))
}

/// What is in a file, or in a part of it, piece by piece.
///
/// # Errors
/// `file_not_found` if it has gone meanwhile; `busy` if the storage does not answer.
pub async fn open(app: &App, file: &Model, part: Option<Range<u64>>) -> Result<Content> {
    let key = store::object_key(app.db.reader(), file).await?;
    let key = key.ok_or_else(|| Error::FileNotFound(file.id.to_string()))?;
    app.files.storage.read(&key, part).await
}
