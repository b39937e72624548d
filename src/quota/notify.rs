//! Telling the partner that a quota runs low or has recovered, in the transaction that made it so.
//!
//! An event is unique per workspace, quota, threshold, period and arming, so whatever happens at the same time, a
//! crossing is told once.

use entity::{
    id::{PlanId, WorkspaceSlug},
    quota_period::Model,
    timestamp::Timestamp,
    workspace,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    credit, db,
    error::{Error, Result},
    partner, plan,
    quota::{
        Period,
        figures::{Figures, Sums},
        store,
        threshold::{Thresholds, percent},
    },
    webhook::{
        self, EventBody, NewEvent,
        event::{ApiCallsQuota, MessagingQuota},
    },
};

/// Full seats were told of in the period.
const SEATS_TOLD: i32 = 100;
/// Full seats were told of in a period before, and have not recovered since.
const SEATS_TOLD_BEFORE: i32 = 1;

/// What can run low.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Quota {
    /// Message credits.
    Messages,
    /// API calls.
    ApiCalls,
    /// Seats.
    Seats,
}

/// Whom an event is about.
pub(crate) struct Subject<'a> {
    pub(crate) partner_id: &'a entity::id::PartnerId,
    pub(crate) slug: &'a WorkspaceSlug,
}

impl<'a> From<&'a workspace::Model> for Subject<'a> {
    fn from(workspace: &'a workspace::Model) -> Self {
        Self { partner_id: &workspace.partner_id, slug: &workspace.slug }
    }
}

/// Message credits were used: stores an event for each threshold that this has reached. `row` is the period's row as
/// it was before, `figures` as they are now. Tells whether anything was stored.
///
/// # Errors
/// What the database says.
pub(crate) async fn messages_used(
    app: &App,
    tx: &DatabaseTransaction,
    subject: &Subject<'_>,
    row: &Model,
    figures: &Figures,
    thresholds: &Thresholds,
) -> Result<bool> {
    let quota = messaging(figures);
    let reached = thresholds.reached(row.messages_notified, quota.used.0, quota.total.0);
    for threshold in &reached {
        let body =
            if *threshold >= 100 { EventBody::MessagingFull(quota) } else { EventBody::MessagingNearFull(quota) };
        emit(app, tx, subject, row, Quota::Messages, Step::Reached(*threshold), body).await?;
    }
    let Some(highest) = reached.last() else { return Ok(false) };
    store::set_notified(tx, row, Quota::Messages, *highest, row.messages_arming).await?;
    Ok(true)
}

/// Credits were granted: stores an event if use fell below a threshold that was told of, and arms it anew.
///
/// # Errors
/// What the database says.
pub(crate) async fn messages_may_have_recovered(
    app: &App,
    tx: &DatabaseTransaction,
    workspace: &workspace::Model,
    period_start: Timestamp,
) -> Result<()> {
    let Some(row) = store::lock_of(tx, workspace.id, period_start).await?.filter(|row| row.messages_notified > 0)
    else {
        return Ok(());
    };
    let balance = credit::balance(tx, workspace.id).await?;
    let quota = messaging(&Figures::new(&Sums::of(&row, Period::containing(period_start)?, balance, 0))?);
    let thresholds = thresholds_of(tx, workspace).await?;
    let Some(still) = thresholds.recovered(row.messages_notified, quota.used.0, quota.total.0) else { return Ok(()) };
    let body = EventBody::MessagingRecovered(quota);
    emit(app, tx, &workspace.into(), &row, Quota::Messages, Step::Recovered, body).await?;
    store::set_notified(tx, &row, Quota::Messages, still, row.messages_arming + 1).await
}

/// API calls were counted; `row` is the period's row with them. Tells whether anything was stored.
///
/// # Errors
/// What the database says.
pub(crate) async fn api_calls_used(
    app: &App,
    tx: &DatabaseTransaction,
    workspace: &workspace::Model,
    row: &Model,
    limit: i64,
    thresholds: &Thresholds,
) -> Result<bool> {
    let reached = thresholds.reached(row.api_calls_notified, row.api_calls_used, limit);
    let Some(highest) = reached.last() else { return Ok(false) };
    let quota = api_calls(row, limit)?;
    for threshold in &reached {
        let body = if *threshold >= 100 { EventBody::ApiCallsFull(quota) } else { EventBody::ApiCallsNearFull(quota) };
        emit(app, tx, &workspace.into(), row, Quota::ApiCalls, Step::Reached(*threshold), body).await?;
    }
    store::set_notified(tx, row, Quota::ApiCalls, *highest, row.api_calls_arming).await?;
    Ok(true)
}

/// The plan allows more API calls than before.
///
/// # Errors
/// What the database says.
async fn api_calls_may_have_recovered(app: &App, tx: &DatabaseTransaction, workspace: &workspace::Model) -> Result<()> {
    let period = Period::containing(app.clock.now())?;
    let row = store::lock_of(tx, workspace.id, period.start).await?.filter(|row| row.api_calls_notified > 0);
    let Some(row) = row else { return Ok(()) };
    let limit = plan::by_id(tx, workspace.plan_id).await?.api_calls_per_period;
    let thresholds = thresholds_of(tx, workspace).await?;
    let Some(still) = thresholds.recovered(row.api_calls_notified, row.api_calls_used, limit) else { return Ok(()) };
    let body = EventBody::ApiCallsRecovered(api_calls(&row, limit)?);
    emit(app, tx, &workspace.into(), &row, Quota::ApiCalls, Step::Recovered, body).await?;
    store::set_notified(tx, &row, Quota::ApiCalls, still, row.api_calls_arming + 1).await
}

/// A plan changed: tells of the API calls of its workspaces that have recovered. Message credits are grants and stay.
///
/// # Errors
/// What the database says.
pub(crate) async fn plan_changed(app: &App, plan: PlanId) -> Result<()> {
    let period = Period::containing(app.clock.now())?;
    for id in store::with_api_calls_notified(app.db.reader(), plan, period.start).await? {
        db::retried(async || {
            db::write(&app.db, "quota.plan_changed", async |tx| {
                let workspace = crate::workspace::by_id(tx, id).await?.ok_or(Error::WorkspaceNotFound)?;
                api_calls_may_have_recovered(app, tx, &workspace).await
            })
            .await
        })
        .await?;
    }
    Ok(())
}

/// What a new period knows of full seats, from the one before: credits and calls begin anew, seats do not.
pub(super) const fn seats_from(before: Option<&Model>) -> (i32, i32) {
    match before {
        Some(row) if row.seats_notified > 0 => (SEATS_TOLD_BEFORE, row.seats_arming),
        Some(row) => (0, row.seats_arming),
        None => (0, 0),
    }
}

/// Seats were bought, given up, taken or freed; `workspace` is as it is now. Full seats are told of once per period,
/// until some are free; that is told also where they were full in a period before.
///
/// # Errors
/// What the database says.
pub(crate) async fn seats_changed(app: &App, tx: &DatabaseTransaction, workspace: &workspace::Model) -> Result<()> {
    let row = super::take(app, tx, workspace.id).await?;
    let (purchased, available) = (workspace.seats_total, workspace.seats_total - workspace.seats_used);
    if available <= 0 && row.seats_notified < SEATS_TOLD {
        let body = EventBody::SeatsFull { purchased, available };
        emit(app, tx, &workspace.into(), &row, Quota::Seats, Step::Reached(100), body).await?;
        store::set_notified(tx, &row, Quota::Seats, SEATS_TOLD, row.seats_arming).await
    } else if available > 0 && row.seats_notified > 0 {
        let body = EventBody::SeatsRecovered { purchased, available };
        emit(app, tx, &workspace.into(), &row, Quota::Seats, Step::Recovered, body).await?;
        store::set_notified(tx, &row, Quota::Seats, 0, row.seats_arming + 1).await
    } else {
        Ok(())
    }
}

/// What is told of.
enum Step {
    /// A threshold in percent.
    Reached(i32),
    /// Use fell below one.
    Recovered,
}

async fn emit(
    app: &App,
    tx: &DatabaseTransaction,
    subject: &Subject<'_>,
    row: &Model,
    quota: Quota,
    step: Step,
    body: EventBody,
) -> Result<()> {
    let arming = match quota {
        Quota::Messages => row.messages_arming,
        Quota::ApiCalls => row.api_calls_arming,
        Quota::Seats => row.seats_arming,
    };
    let step = match step {
        Step::Reached(threshold) => threshold.to_string(),
        Step::Recovered => "recovered".to_owned(),
    };
    let event = NewEvent {
        partner_id: subject.partner_id.clone(),
        workspace: (row.workspace_id, subject.slug.clone()),
        body,
        unique_key: Some(format!("{}:{quota}:{step}:{}:{arming}", row.workspace_id, row.period_start.0)),
    };
    webhook::emit(app, tx, &event).await.map(|_| ())
}

async fn thresholds_of(tx: &DatabaseTransaction, workspace: &workspace::Model) -> Result<Thresholds> {
    let partner = partner::find(tx, &workspace.partner_id).await?.ok_or(Error::PartnerNotFound)?;
    Ok(Thresholds::from_stored(&partner.thresholds))
}

fn messaging(figures: &Figures) -> MessagingQuota {
    MessagingQuota {
        total: figures.messages_total,
        used: figures.messages_used,
        utilization_pct: percent(figures.messages_used.0, figures.messages_total.0),
        period: figures.period,
    }
}

fn api_calls(row: &Model, limit: i64) -> Result<ApiCallsQuota> {
    Ok(ApiCallsQuota {
        limit,
        used: row.api_calls_used,
        utilization_pct: percent(row.api_calls_used, limit),
        period: Period::containing(row.period_start)?,
    })
}
