//! The workspace itself, with its quotas (`contracts/timelines.md` §3.6).

use std::sync::Arc;

use poem_openapi::{Object, OpenApi, payload::Json};

use crate::{
    app::App,
    error::Result,
    http::{
        formats::local_time,
        workspace_api::{Envelope, auth::TokenAuth, dialect::WorkspaceFailure, ok},
    },
    plan,
    quota::{Period, figures},
    token::Scope,
};

pub(super) struct WorkspaceApi {
    pub(super) app: Arc<App>,
}

/// A quota of the current period.
#[derive(Object)]
#[oai(rename = "Quota", skip_serializing_if_is_none)]
struct QuotaView {
    /// What may be used.
    total: i64,
    /// What has been used.
    used: i64,
    /// First instant of the period.
    period_start: Option<String>,
    /// First instant of the next period.
    period_end: Option<String>,
}

impl QuotaView {
    fn new((total, used): (i64, i64), period: Period, zone: &str) -> Self {
        let written = |at| Some(local_time(at, zone));
        Self { total, used, period_start: written(period.start), period_end: written(period.end) }
    }
}

/// Credits that do not expire.
#[derive(Object)]
#[oai(rename = "NonRecurringQuota")]
struct NonRecurringView {
    /// Credits left.
    remaining_balance: i64,
}

/// The workspace.
#[derive(Object)]
#[oai(rename = "Workspace")]
struct WorkspaceView {
    /// Its id.
    workspace_id: String,
    /// Name for people.
    display_name: String,
    /// Name of its plan.
    plan: String,
    /// Message credits.
    messaging_quota: QuotaView,
    /// API calls, reads included.
    api_calls_quota: QuotaView,
    /// Seats.
    seats: QuotaView,
    /// Credits that do not expire.
    non_recurring_quota: NonRecurringView,
}

#[OpenApi]
impl WorkspaceApi {
    /// Get the workspace
    #[oai(path = "/workspace", method = "get", operation_id = "get_workspace")]
    async fn get(&self, caller: TokenAuth) -> Result<Json<Envelope<WorkspaceView>>, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::WorkspaceRead).await?.workspace;
        let db = self.app.db.reader();
        let plan = plan::by_id(db, workspace.plan_id).await?;
        let figures = figures::figures(&self.app, db, workspace, &plan).await?;
        let quota = |amounts| QuotaView::new(amounts, figures.period, &workspace.time_zone);
        let seats = (i64::from(workspace.seats_total), i64::from(workspace.seats_used));
        Ok(ok(WorkspaceView {
            workspace_id: workspace.slug.to_string(),
            display_name: workspace.display_name.clone(),
            messaging_quota: quota((figures.messages_total.0, figures.messages_used.0)),
            api_calls_quota: quota((figures.api_calls_total, figures.api_calls_used)),
            seats: QuotaView { total: seats.0, used: seats.1, period_start: None, period_end: None },
            non_recurring_quota: NonRecurringView { remaining_balance: figures.non_recurring_balance.0 },
            plan: plan.name,
        }))
    }
}
