//! SQL of the job queue.

use entity::{
    channel::ConnectorKind,
    id::JobId,
    job::{ActiveModel, Column, Entity, Model},
    timestamp::Timestamp,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set, Unchanged, sea_query::Expr,
};

use crate::error::Result;

/// What is due, the oldest first, but for what is a connector's of these.
pub(super) async fn due(
    db: &impl ConnectionTrait,
    now: Timestamp,
    limit: u64,
    without: &[ConnectorKind],
) -> Result<Vec<Model>> {
    let mut query = Entity::find().filter(Column::DueAt.lte(now));
    for kind in without {
        query = query.filter(Column::Work.not_like(format!("%{}%", mark_of(*kind))));
    }
    Ok(query.order_by_asc(Column::DueAt).order_by_asc(Column::Id).limit(limit).all(db).await?)
}

/// What stands in the JSON of all work of a connector, and of no other: in texts that somebody wrote, quotes are escaped.
pub(super) fn mark_of(kind: ConnectorKind) -> String {
    format!("\"connector\":\"{kind}\"")
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
