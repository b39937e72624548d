//! The workspace itself, with its quotas (`contracts/timelines.md` §3.6).

use std::sync::Arc;

use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::{
    app::App,
    error::Result,
    http::{
        formats::local_period,
        rendered::Rendered,
        workspace_api::{Envelope, auth::TokenAuth, dialect::WorkspaceFailure, ok_rendered},
    },
    quota::{Period, reader::Overview},
    token::Scope,
};

pub(super) struct WorkspaceApi {
    pub(super) app: Arc<App>,
}

/// A quota of the current period.
#[derive(Object, Serialize)]
#[oai(rename = "Quota", skip_serializing_if_is_none)]
struct QuotaView {
    /// What may be used.
    total: i64,
    /// What has been used.
    used: i64,
    /// First instant of the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    period_start: Option<String>,
    /// First instant of the next period.
    #[serde(skip_serializing_if = "Option::is_none")]
    period_end: Option<String>,
}

impl QuotaView {
    fn new((total, used): (i64, i64), period: Period, zone: &str) -> Self {
        let (start, end) = local_period(period, zone);
        Self { total, used, period_start: Some(start), period_end: Some(end) }
    }
}

/// Credits that do not expire.
#[derive(Object, Serialize)]
#[oai(rename = "NonRecurringQuota")]
struct NonRecurringView {
    /// Credits left.
    remaining_balance: i64,
}

/// The quotas.
#[derive(Object, Serialize)]
#[oai(rename = "Quotas")]
struct QuotasView {
    /// Message credits: granted for the period, and those that do not expire as far as they were used in it or are
    /// left.
    messaging_quota: QuotaView,
    /// API calls, reads included.
    api_calls_quota: QuotaView,
    /// Seats.
    seats: QuotaView,
    /// Credits that do not expire.
    non_recurring_quota: NonRecurringView,
}

impl QuotasView {
    fn new(overview: &Overview, calls: i64, zone: &str) -> Self {
        let Overview { figures, seats_total, seats_used } = overview;
        let quota = |amounts| QuotaView::new(amounts, figures.period, zone);
        Self {
            messaging_quota: quota((figures.messages_total.0, figures.messages_used.0)),
            api_calls_quota: quota((figures.api_calls_total, calls.max(figures.api_calls_used))),
            seats: QuotaView {
                total: i64::from(*seats_total),
                used: i64::from(*seats_used),
                period_start: None,
                period_end: None,
            },
            non_recurring_quota: NonRecurringView { remaining_balance: figures.non_recurring_balance.0 },
        }
    }
}

/// The workspace.
#[derive(Object, Serialize)]
#[oai(rename = "Workspace")]
struct WorkspaceView {
    /// Its id.
    workspace_id: String,
    /// Name for people.
    display_name: String,
    /// Name of its plan.
    plan: String,
    #[oai(flatten)]
    #[serde(flatten)]
    quotas: QuotasView,
}

#[OpenApi]
impl WorkspaceApi {
    /// Get the workspace
    ///
    /// Answered also when the API calls of the period are used up.
    #[oai(path = "/workspace", method = "get", operation_id = "get_workspace")]
    async fn get(&self, caller: TokenAuth) -> Result<Rendered<Envelope<WorkspaceView>>, WorkspaceFailure> {
        let (caller, calls) = caller.admit_always(Scope::WorkspaceRead).await?;
        let overview = self.app.figures.recent(&self.app, caller.workspace.id).await?;
        Ok(ok_rendered(WorkspaceView {
            workspace_id: caller.workspace.slug.to_string(),
            display_name: caller.workspace.display_name.clone(),
            plan: caller.plan.name.clone(),
            quotas: QuotasView::new(&overview, calls, &caller.workspace.time_zone),
        }))
    }

    /// Get the quotas
    ///
    /// The same figures as the workspace's. Answered also when the API calls of the period are used up.
    #[oai(path = "/workspace/quotas", method = "get", operation_id = "get_quotas")]
    async fn quotas(&self, caller: TokenAuth) -> Result<Rendered<Envelope<QuotasView>>, WorkspaceFailure> {
        let (caller, calls) = caller.admit_always(Scope::WorkspaceRead).await?;
        let overview = self.app.figures.recent(&self.app, caller.workspace.id).await?;
        Ok(ok_rendered(QuotasView::new(&overview, calls, &caller.workspace.time_zone)))
    }
}

#[cfg(test)]
mod tests {
    use entity::credits::Credits;
    use poem_openapi::types::ToJSON;

    use super::*;
    use crate::quota::figures::{Figures, Sums};

    #[test]
    fn what_is_written_is_what_the_document_says() {
        let period = Period { start: entity::timestamp::Timestamp(0), end: entity::timestamp::Timestamp(1) };
        let sums = Sums {
            period,
            recurring_granted: Credits(9),
            recurring_used: Credits(2),
            non_recurring_used: Credits(1),
            non_recurring_balance: Credits(4),
            api_calls_total: 10,
            api_calls_used: 3,
            revision: 0,
        };
        let figures = Figures::new(&sums).expect("figures");
        let quotas = QuotasView::new(&Overview { figures, seats_total: 3, seats_used: 1 }, 5, "Europe/Paris");
        let view = WorkspaceView {
            workspace_id: "w".to_owned(),
            display_name: "\"W\"".to_owned(),
            plan: "p".to_owned(),
            quotas,
        };
        let answer = ok_rendered(view).0;
        assert_eq!(serde_json::to_value(&answer).ok(), answer.to_json());
    }
}
