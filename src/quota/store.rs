//! SQL of billing periods. The workspace comes first.

use entity::{
    credits::Credits,
    id::{PartnerId, PlanId, WorkspaceId},
    quota_period::{ActiveModel, Column, Entity, Model},
    timestamp::Timestamp,
    workspace,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Set, Statement,
    sea_query::{Expr, LockType},
};

use crate::{
    db,
    error::{Error, Result},
    quota::{
        Period,
        figures::{Figures, Sums},
        notify::Quota,
        per_seats,
    },
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

/// The last period before one that is to be opened.
pub(super) async fn latest_before(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    period_start: Timestamp,
) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::PeriodStart.lt(period_start))
        .order_by_desc(Column::PeriodStart)
        .one(tx)
        .await?)
}

/// Makes the period's row; `None` if it is there. Full seats were told of, and armed, as the last says.
pub(super) async fn insert(
    tx: &DatabaseTransaction,
    (workspace_id, period_start): (WorkspaceId, Timestamp),
    seats: i32,
    granted: Credits,
    (seats_notified, seats_arming): (i32, i32),
) -> Result<Option<Model>> {
    let row = ActiveModel {
        workspace_id: Set(workspace_id),
        period_start: Set(period_start),
        seats_granted: Set(seats),
        recurring_granted: Set(granted),
        seats_notified: Set(seats_notified),
        seats_arming: Set(seats_arming),
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
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
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

/// What [`overviews`] reads: a workspace with its plan, its balance, and its period if that is open.
#[derive(FromQueryResult)]
pub(super) struct OverviewRow {
    pub(super) workspace_id: WorkspaceId,
    pub(super) seats_total: i32,
    pub(super) seats_used: i32,
    credits_per_seat: Credits,
    api_calls_per_period: i64,
    balance: Credits,
    recurring_granted: Option<Credits>,
    recurring_used: Option<Credits>,
    non_recurring_used: Option<Credits>,
    api_calls_used: Option<i64>,
    revision: Option<i64>,
}

impl OverviewRow {
    pub(super) fn figures(&self, period: Period) -> Result<Figures> {
        let granted = match self.recurring_granted {
            Some(granted) => granted,
            None => per_seats(self.credits_per_seat, self.seats_total)?,
        };
        Figures::new(&Sums {
            period,
            recurring_granted: granted,
            recurring_used: self.recurring_used.unwrap_or(Credits::ZERO),
            non_recurring_used: self.non_recurring_used.unwrap_or(Credits::ZERO),
            non_recurring_balance: self.balance,
            api_calls_total: self.api_calls_per_period,
            api_calls_used: self.api_calls_used.unwrap_or(0),
            revision: self.revision.unwrap_or(0),
        })
    }
}

/// Many workspaces with their quotas, in one statement whose text does not depend on their number.
pub(super) async fn overviews(
    db: &impl ConnectionTrait,
    ids: &[WorkspaceId],
    period_start: Timestamp,
) -> Result<Vec<OverviewRow>> {
    const SELECT: &str = "SELECT w.id AS workspace_id, w.seats_total, w.seats_used, p.credits_per_seat, \
        p.api_calls_per_period, b.balance, q.recurring_granted, q.recurring_used, q.non_recurring_used, \
        q.api_calls_used, q.revision \
        FROM workspaces w JOIN plans p ON p.id = w.plan_id JOIN wallets b ON b.workspace_id = w.id \
        LEFT JOIN quota_periods q ON q.workspace_id = w.id AND q.period_start = $1 WHERE w.id";
    let (one_of, list) = crate::db::one_of(db.get_database_backend(), "$2", ids);
    let values = [period_start.0.into(), list.into()];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), format!("{SELECT} {one_of}"), values);
    Ok(OverviewRow::find_by_statement(statement).all(db).await?)
}

/// What API calls of a workspace are measured against.
#[derive(FromQueryResult)]
pub(super) struct CallsRule {
    pub(super) workspace_id: WorkspaceId,
    pub(super) partner_id: PartnerId,
    pub(super) api_calls_per_period: i64,
    pub(super) thresholds: String,
}

pub(super) async fn calls_rules(tx: &DatabaseTransaction, ids: &[WorkspaceId]) -> Result<Vec<CallsRule>> {
    let (one_of, list) = crate::db::one_of(tx.get_database_backend(), "$1", ids);
    let sql = format!(
        "SELECT w.id AS workspace_id, w.partner_id, p.api_calls_per_period, r.thresholds FROM workspaces w \
         JOIN plans p ON p.id = w.plan_id JOIN partners r ON r.id = w.partner_id WHERE w.id {one_of}"
    );
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [list.into()]);
    Ok(CallsRule::find_by_statement(statement).all(tx).await?)
}

/// Adds API calls to periods whose rows are held.
pub(super) async fn add_calls(tx: &DatabaseTransaction, counts: &[(WorkspaceId, Timestamp, i64)]) -> Result<()> {
    let numbers = |of: fn(&(WorkspaceId, Timestamp, i64)) -> i64| db::Column::Numbers(counts.iter().map(of).collect());
    let rows = db::Rows::new(vec![
        ("w", numbers(|count| count.0.0)),
        ("p", numbers(|count| count.1.0)),
        ("n", numbers(|count| count.2)),
    ]);
    let mut values = vec![];
    let sql = format!(
        "UPDATE quota_periods SET api_calls_used = api_calls_used + x.n FROM {} \
         WHERE workspace_id = x.w AND period_start = x.p",
        rows.bind(tx.get_database_backend(), &mut values)
    );
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
    Ok(())
}
