//! SQL of billing periods.

use entity::{
    id::WorkspaceId,
    quota_period::{ActiveModel, Column, Entity},
    timestamp::Timestamp,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, Set, sea_query::Expr};

use crate::{db, error::Result};

pub(super) async fn seats_granted(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    period_start: Timestamp,
) -> Result<Option<i32>> {
    Ok(Entity::find_by_id((workspace_id, period_start)).one(db).await?.map(|row| row.seats_granted))
}

/// Makes the period's row hold at least `seats`.
pub(super) async fn raise(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    period_start: Timestamp,
    seats: i32,
) -> Result<()> {
    let row =
        ActiveModel { workspace_id: Set(workspace_id), period_start: Set(period_start), seats_granted: Set(seats) };
    let insert = Entity::insert(row).on_conflict_do_nothing_on([Column::WorkspaceId, Column::PeriodStart]);
    if !db::insert_unless_known(insert, tx).await? {
        Entity::update_many()
            .col_expr(Column::SeatsGranted, Expr::value(seats))
            .filter(Column::WorkspaceId.eq(workspace_id))
            .filter(Column::PeriodStart.eq(period_start))
            .filter(Column::SeatsGranted.lt(seats))
            .exec(tx)
            .await?;
    }
    Ok(())
}
