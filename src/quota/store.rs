//! SQL of billing periods. The workspace comes first.

use entity::{
    credits::Credits,
    id::{PlanId, WorkspaceId},
    quota_period::{ActiveModel, Column, Entity, Model},
    timestamp::Timestamp,
    workspace,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Set,
    sea_query::{Expr, LockType},
};

use crate::{
    db,
    error::{Error, Result},
    quota::notify::Quota,
};

/// What is added to the sums of a period, in one statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) period_start: Timestamp,
    pub(crate) seats_granted: i32,
    pub(crate) recurring_granted: Credits,
    pub(crate) recurring_used: Credits,
    pub(crate) recurring_expired: Credits,
    pub(crate) non_recurring_used: Credits,
}

impl Change {
    /// Nothing but a new revision.
    pub(crate) const fn of(row: &Model) -> Self {
        Self {
            workspace_id: row.workspace_id,
            period_start: row.period_start,
            seats_granted: 0,
            recurring_granted: Credits::ZERO,
            recurring_used: Credits::ZERO,
            recurring_expired: Credits::ZERO,
            non_recurring_used: Credits::ZERO,
        }
    }
}

/// Takes the rows that exist, in the order of the workspaces. On SQLite the whole database is taken already.
pub(super) async fn lock_all(
    tx: &DatabaseTransaction,
    ids: &[WorkspaceId],
    period_start: Timestamp,
) -> Result<Vec<Model>> {
    let mut query = Entity::find()
        .filter(Column::WorkspaceId.is_in(ids.iter().copied()))
        .filter(Column::PeriodStart.eq(period_start))
        .order_by_asc(Column::WorkspaceId);
    if tx.get_database_backend() == DbBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    Ok(query.all(tx).await?)
}

/// Takes the row of one period, past ones included.
pub(crate) async fn lock_of(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    period_start: Timestamp,
) -> Result<Option<Model>> {
    Ok(lock_all(tx, &[workspace_id], period_start).await?.pop())
}

/// Makes the period's row; `None` if it is there.
pub(super) async fn insert(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    period_start: Timestamp,
    seats: i32,
    granted: Credits,
) -> Result<Option<Model>> {
    let row = ActiveModel {
        workspace_id: Set(workspace_id),
        period_start: Set(period_start),
        seats_granted: Set(seats),
        recurring_granted: Set(granted),
        ..Default::default()
    };
    let insert = Entity::insert(row).on_conflict_do_nothing_on([Column::WorkspaceId, Column::PeriodStart]);
    db::insert_or_none(insert, tx).await
}

/// Adds to the sums of a period. The constraints of the table stand behind it.
pub(crate) async fn apply(tx: &DatabaseTransaction, change: &Change) -> Result<()> {
    let add = |column: Column, amount: Credits| Expr::col(column).add(amount.0);
    let updated = Entity::update_many()
        .col_expr(Column::SeatsGranted, Expr::col(Column::SeatsGranted).add(change.seats_granted))
        .col_expr(Column::RecurringGranted, add(Column::RecurringGranted, change.recurring_granted))
        .col_expr(Column::RecurringUsed, add(Column::RecurringUsed, change.recurring_used))
        .col_expr(Column::RecurringExpired, add(Column::RecurringExpired, change.recurring_expired))
        .col_expr(Column::NonRecurringUsed, add(Column::NonRecurringUsed, change.non_recurring_used))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .filter(Column::WorkspaceId.eq(change.workspace_id))
        .filter(Column::PeriodStart.eq(change.period_start))
        .exec(tx)
        .await?;
    if updated.rows_affected == 1 { Ok(()) } else { Err(Error::Internal("a period is not there".to_owned())) }
}

pub(super) async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    period_start: Timestamp,
) -> Result<Option<Model>> {
    Ok(Entity::find_by_id((workspace_id, period_start)).one(db).await?)
}

/// Remembers the highest threshold that was told of, and how often it was armed.
pub(super) async fn set_notified(
    tx: &DatabaseTransaction,
    row: &Model,
    quota: Quota,
    notified: i32,
    arming: i32,
) -> Result<()> {
    let (notified_column, arming_column) = match quota {
        Quota::Messages => (Column::MessagesNotified, Column::MessagesArming),
        Quota::ApiCalls => (Column::ApiCallsNotified, Column::ApiCallsArming),
        Quota::Seats => (Column::SeatsNotified, Column::SeatsArming),
    };
    Entity::update_many()
        .col_expr(notified_column, Expr::value(notified))
        .col_expr(arming_column, Expr::value(arming))
        .filter(Column::WorkspaceId.eq(row.workspace_id))
        .filter(Column::PeriodStart.eq(row.period_start))
        .exec(tx)
        .await?;
    Ok(())
}

/// Periods that have ended and still hold credits that nobody can use any more.
pub(super) async fn ended(db: &impl ConnectionTrait, current: Timestamp, most: u64) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::ClosedAt.is_null())
        .filter(Column::PeriodStart.lt(current))
        .order_by_asc(Column::PeriodStart)
        .order_by_asc(Column::WorkspaceId)
        .limit(most)
        .all(db)
        .await?)
}

pub(super) async fn set_closed(tx: &DatabaseTransaction, row: &Model, at: Timestamp) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::ClosedAt, Expr::value(at))
        .filter(Column::WorkspaceId.eq(row.workspace_id))
        .filter(Column::PeriodStart.eq(row.period_start))
        .exec(tx)
        .await?;
    Ok(())
}

/// Workspaces of a plan whose partner was told of their API calls.
pub(super) async fn with_api_calls_notified(
    db: &impl ConnectionTrait,
    plan: PlanId,
    period_start: Timestamp,
) -> Result<Vec<WorkspaceId>> {
    let of_plan = workspace::Entity::find()
        .select_only()
        .column(workspace::Column::Id)
        .filter(workspace::Column::PlanId.eq(plan))
        .into_query();
    let rows = Entity::find()
        .filter(Column::PeriodStart.eq(period_start))
        .filter(Column::ApiCallsNotified.gt(0))
        .filter(Column::WorkspaceId.in_subquery(of_plan))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.workspace_id).collect())
}
