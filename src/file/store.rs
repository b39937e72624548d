//! SQL of files and contents. The owner comes first, but for what sweeps look for.
//!
//! Rows are taken in the order file, content; statements about messages come after the file's row is held, so that a
//! message that is just being accepted with it has been seen.

use std::collections::HashMap;

use entity::{
    blob,
    file::{ActiveModel, Column, Entity, Model},
    id::{BlobId, FileId, WorkspaceId},
    message,
    timestamp::Timestamp,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Set,
    sea_query::{Expr, ExprTrait, LockType, Query},
};

use crate::{
    app::App,
    db,
    error::{Error, Result},
    file::{MAX_LISTED, pass::AT_ONCE},
    page::PageNumber,
};

pub(super) async fn insert(tx: &DatabaseTransaction, row: ActiveModel) -> Result<()> {
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// Files that are there for everybody in the workspace, the newest first.
pub(super) async fn list(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    needle: Option<&str>,
    page: PageNumber,
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::DeletedAt.is_null())
        .apply_if(needle, |query, needle| query.filter(db::contains(Column::FilenameFolded, needle)))
        .order_by_desc(Column::Id)
        .limit(MAX_LISTED)
        .offset(page.offset_in_pages_of(MAX_LISTED))
        .all(db)
        .await?)
}

/// A file that is there for everybody in the workspace.
pub(super) async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: FileId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id)
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::DeletedAt.is_null())
        .one(db)
        .await?)
}

/// A file by a uid that a signature has proved, deleted or not.
pub(super) async fn signed_for(db: &impl ConnectionTrait, id: FileId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// Those of these files that are the workspace's, deleted or not.
pub(crate) async fn by_ids(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    ids: impl IntoIterator<Item = FileId>,
) -> Result<HashMap<FileId, Model>> {
    let ids: Vec<FileId> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let query = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::Id.is_in(ids));
    Ok(query.all(db).await?.into_iter().map(|file| (file.id, file)).collect())
}

/// Those of these files that a new message may carry, whosever they are. They stay for the rest of the transaction.
pub(crate) async fn attachable(tx: &DatabaseTransaction, ids: Vec<FileId>) -> Result<HashMap<FileId, Model>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let query = Entity::find().filter(Column::Id.is_in(ids)).filter(Column::DeletedAt.is_null());
    let found = query.order_by_asc(Column::Id).lock(LockType::KeyShare).all(tx).await?;
    Ok(found.into_iter().map(|file| (file.id, file)).collect())
}

/// Holds a file's row; `None` if it is gone.
pub(super) async fn lock(tx: &DatabaseTransaction, workspace_id: WorkspaceId, id: FileId) -> Result<Option<Model>> {
    let query = Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id));
    Ok(query.lock(LockType::Update).one(tx).await?)
}

/// Whether a message carries the file; `since` narrows it down to those that still need it: younger, or waiting.
pub(super) async fn is_carried(tx: &DatabaseTransaction, file: &Model, since: Option<Timestamp>) -> Result<bool> {
    let carrying = message::Entity::find()
        .filter(message::Column::FileId.eq(file.id))
        .filter(message::Column::WorkspaceId.eq(file.workspace_id))
        .apply_if(since, |query, since| query.filter(needed_since(since)));
    Ok(carrying.count(tx).await? > 0)
}

fn needed_since(since: Timestamp) -> Expr {
    message::Column::CreatedAt
        .gt(since)
        .or(message::Column::Status.is_in([message::Status::Queued, message::Status::Sending]))
}

pub(super) async fn set_deleted(app: &App, tx: &DatabaseTransaction, file: &Model) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::DeletedAt, Expr::value(app.clock.now()))
        .filter(Column::Id.eq(file.id))
        .filter(Column::WorkspaceId.eq(file.workspace_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// A message carries the file: it stays.
pub(super) async fn set_lasting(tx: &DatabaseTransaction, file: &Model) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::ProvisionalUntil, Expr::value(None::<Timestamp>))
        .filter(Column::Id.eq(file.id))
        .filter(Column::WorkspaceId.eq(file.workspace_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes a file whose row is held, and its content if it was the last; tells the name of that content's object.
pub(super) async fn remove(tx: &DatabaseTransaction, file: &Model) -> Result<Option<String>> {
    let blob = blob::Entity::find_by_id(file.blob_id)
        .filter(blob::Column::WorkspaceId.eq(file.workspace_id))
        .lock(LockType::Update)
        .one(tx)
        .await?
        .ok_or_else(|| Error::Internal("a file has no content".to_owned()))?;
    Entity::delete_by_id(file.id).exec(tx).await?;
    if Entity::find().filter(Column::BlobId.eq(blob.id)).count(tx).await? > 0 {
        return Ok(None);
    }
    blob::Entity::delete_by_id(blob.id).exec(tx).await?;
    Ok(Some(blob.object_key))
}

/// The name of the file's content in the storage.
pub(super) async fn object_key(db: &impl ConnectionTrait, file: &Model) -> Result<Option<String>> {
    let query = blob::Entity::find_by_id(file.blob_id).filter(blob::Column::WorkspaceId.eq(file.workspace_id));
    Ok(query.one(db).await?.map(|blob| blob.object_key))
}

/// Holds the row of a content that the workspace has already.
pub(super) async fn lock_blob(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    sha256: &[u8],
) -> Result<Option<BlobId>> {
    let known = blob::Entity::find()
        .filter(blob::Column::WorkspaceId.eq(workspace_id))
        .filter(blob::Column::Sha256.eq(sha256.to_vec()))
        .lock(LockType::Update);
    Ok(known.one(tx).await?.map(|blob| blob.id))
}

/// # Errors
/// `Contention` if somebody else stores the same at the same time.
pub(super) async fn insert_blob(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    sha256: &[u8],
    object_key: &str,
) -> Result<BlobId> {
    let row = blob::ActiveModel {
        workspace_id: Set(workspace_id),
        sha256: Set(sha256.to_vec()),
        object_key: Set(object_key.to_owned()),
        created_at: Set(app.clock.now()),
        ..Default::default()
    };
    let insert = blob::Entity::insert(row).on_conflict_do_nothing_on([blob::Column::WorkspaceId, blob::Column::Sha256]);
    Ok(db::insert_or_none(insert, tx).await?.ok_or(Error::Contention)?.id)
}

/// Files whose message has not come in time, but for the first `skipped`.
pub(super) async fn overdue(db: &impl ConnectionTrait, now: Timestamp, skipped: u64) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::ProvisionalUntil.lte(now))
        .order_by_asc(Column::ProvisionalUntil)
        .order_by_asc(Column::Id)
        .limit(AT_ONCE)
        .offset(skipped)
        .all(db)
        .await?)
}

/// Files that were stored before this, which no younger message and none that waits carries, but for the first
/// `skipped`.
pub(super) async fn outlived(db: &impl ConnectionTrait, before: Timestamp, skipped: u64) -> Result<Vec<Model>> {
    let needing = Query::select()
        .expr(Expr::val(1))
        .from(message::Entity)
        .and_where(Expr::col((message::Entity, message::Column::FileId)).equals((Entity, Column::Id)))
        .and_where(needed_since(before))
        .to_owned();
    Ok(Entity::find()
        .filter(Column::CreatedAt.lte(before))
        .filter(Expr::exists(needing).not())
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .limit(AT_ONCE)
        .offset(skipped)
        .all(db)
        .await?)
}
