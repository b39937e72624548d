//! SQL of the job queue.

use entity::{
    id::JobId,
    job::{ActiveModel, Column, Entity, Model},
    timestamp::Timestamp,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set, Unchanged, sea_query::Expr,
};

use crate::error::Result;

pub(super) async fn due(db: &impl ConnectionTrait, now: Timestamp, limit: u64) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::DueAt.lte(now))
        .order_by_asc(Column::DueAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(db)
        .await?)
}

pub(super) async fn next_due(db: &impl ConnectionTrait) -> Result<Option<Timestamp>> {
    Ok(Entity::find().order_by_asc(Column::DueAt).one(db).await?.map(|job| job.due_at))
}

/// Moves a due job past the lease; tells whether nobody else did.
pub(super) async fn lease(tx: &DatabaseTransaction, seen: &Model, until: Timestamp) -> Result<bool> {
    let updated = Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(until))
        .filter(Column::Id.eq(seen.id))
        .filter(Column::DueAt.eq(seen.due_at))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

pub(super) async fn postpone(
    tx: &DatabaseTransaction,
    id: JobId,
    tries: i32,
    due_at: Timestamp,
    reason: &str,
) -> Result<()> {
    let row = ActiveModel {
        id: Unchanged(id),
        tries: Set(tries),
        due_at: Set(due_at),
        last_error: Set(Some(reason.to_owned())),
        ..Default::default()
    };
    row.update(tx).await?;
    Ok(())
}

pub(super) async fn remove(tx: &DatabaseTransaction, id: JobId) -> Result<()> {
    Entity::delete_by_id(id).exec(tx).await?;
    Ok(())
}
