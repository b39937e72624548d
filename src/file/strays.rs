//! Objects of the storage that belong to no content: noted before the first byte is written, forgotten when a content
//! claims them, removed when their time is over.
//!
//! A stray can be claimed only before it is due, and is removed only afterwards, so the two never meet.

use entity::{
    blob_stray::{ActiveModel, Column, Entity, Model},
    timestamp::Timestamp,
};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, sea_query::Expr,
};

use crate::{
    app::App,
    db,
    error::Result,
    file::pass::{AT_ONCE, Pass},
};

/// How long an upload may take before what it has written is removed: longer than any is let.
pub(super) const UPLOAD_SECONDS: i64 = 2 * 3600;

/// Notes an object that is going to be written.
pub(super) async fn note(app: &App, key: &str) -> Result<()> {
    let due_at = app.clock.now().plus_seconds(UPLOAD_SECONDS);
    db::write(&app.db, "file.begin", async |tx| insert(tx, key, due_at).await).await
}

/// Notes the name of an upload in parts.
pub(super) async fn note_parts(app: &App, key: &str, upload_id: &str) -> Result<()> {
    db::write(&app.db, "file.parts", async |tx| {
        Entity::update_many()
            .col_expr(Column::UploadId, Expr::value(upload_id))
            .filter(Column::ObjectKey.eq(key))
            .exec(tx)
            .await?;
        Ok(())
    })
    .await
}

/// Forgets a stray that a content claims; tells whether it was there in time.
pub(super) async fn claim(app: &App, tx: &DatabaseTransaction, key: &str) -> Result<bool> {
    let claimed = Entity::delete_many()
        .filter(Column::ObjectKey.eq(key))
        .filter(Column::DueAt.gt(app.clock.now()))
        .exec(tx)
        .await?;
    Ok(claimed.rows_affected == 1)
}

/// Makes an object that no content has any more a stray that is due.
pub(super) async fn abandon(app: &App, tx: &DatabaseTransaction, key: &str) -> Result<()> {
    insert(tx, key, app.clock.now()).await
}

async fn insert(tx: &DatabaseTransaction, key: &str, due_at: Timestamp) -> Result<()> {
    let row = ActiveModel { object_key: Set(key.to_owned()), upload_id: Set(None), due_at: Set(due_at) };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// Removes what an upload has written, if no content has claimed it. What fails here is left to the sweep.
pub(super) async fn discard(app: &App, key: &str) {
    let discarding = async {
        let stray = db::write(&app.db, "file.discard", async |tx| {
            Entity::update_many()
                .col_expr(Column::DueAt, Expr::value(app.clock.now()))
                .filter(Column::ObjectKey.eq(key))
                .exec(tx)
                .await?;
            Ok(Entity::find_by_id(key.to_owned()).one(tx).await?)
        })
        .await?;
        match stray {
            Some(stray) => remove(app, &stray).await,
            None => Ok(()),
        }
    };
    if let Err(error) = discarding.await {
        tracing::warn!(%error, object = key, "what an upload has left is removed later");
    }
}

/// Removes the strays that are due. What fails is tried again next time.
pub(super) async fn remove_due(app: &App) -> Result<()> {
    let (now, mut pass) = (app.clock.now(), Pass::default());
    loop {
        let due = Entity::find()
            .filter(Column::DueAt.lte(now))
            .order_by_asc(Column::DueAt)
            .order_by_asc(Column::ObjectKey)
            .limit(AT_ONCE)
            .offset(pass.failed());
        let due = due.all(app.db.reader()).await?;
        for stray in &due {
            pass.count(remove(app, stray).await.map(|()| true), |error| {
                tracing::warn!(%error, object = stray.object_key, "a stray is removed later");
            });
        }
        if !pass.goes_on(app, due.len()).await {
            return Ok(());
        }
    }
}

async fn remove(app: &App, stray: &Model) -> Result<()> {
    app.files.storage.remove(&stray.object_key, stray.upload_id.as_deref()).await?;
    db::write(&app.db, "file.removed", async |tx| {
        Entity::delete_by_id(stray.object_key.clone()).exec(tx).await?;
        Ok(())
    })
    .await
}
