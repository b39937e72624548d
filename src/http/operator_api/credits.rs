//! Credits of workspaces that do not expire: balance, ledger, grants and adjustments.

use std::sync::Arc;

use entity::{credit_entry::Model, id::PartnerId};
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    caller::Origin,
    credit::change::{self, ChangeBalance},
    error::{Error, Result},
    http::{
        body::JsonBody,
        formats::IsoTime,
        operator_api::{OperatorFailure, auth::OperatorAuth},
    },
    page::PageRequest,
};

pub(super) struct CreditsApi {
    pub(super) app: Arc<App>,
}

/// What to do with the balance.
#[derive(Clone, Copy, Enum, Serialize, Deserialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum ChangeKind {
    /// More credits, 1 to 1,000,000,000.
    Grant,
    /// A correction up or down; the balance never falls below zero.
    Adjust,
}

/// A change of the balance.
#[derive(Object, Serialize, Deserialize)]
struct ChangeRequest {
    /// `grant` or `adjust`.
    kind: ChangeKind,
    /// How many; negative only in an adjustment.
    credits: i64,
    /// Why, at most 200 characters. It stays in the ledger.
    note: Option<String>,
}

/// The balance after a change.
#[derive(Object)]
struct ChangeResponse {
    /// Credits that do not expire.
    remaining_balance: i64,
}

/// One entry of the ledger.
#[derive(Object)]
#[oai(rename = "CreditEntry", skip_serializing_if_is_none)]
struct EntryView {
    /// Its number, in the order of writing.
    id: i64,
    /// First instant of the period that it counts for.
    period_start: IsoTime,
    /// `recurring` or `non_recurring`.
    bucket: String,
    /// `grant`, `charge`, `refund`, `expire`, `adjust` or `allocate`.
    kind: String,
    /// What it adds to what is left.
    amount: i64,
    /// The message that was charged or refunded.
    message_uid: Option<String>,
    /// Why.
    note: Option<String>,
    /// When it was written.
    created_at: IsoTime,
}

impl From<&Model> for EntryView {
    fn from(entry: &Model) -> Self {
        Self {
            id: entry.id.0,
            period_start: entry.period_start.into(),
            bucket: entry.bucket.to_string(),
            kind: entry.kind.to_string(),
            amount: entry.amount.0,
            message_uid: entry.message_id.map(|id| id.to_string()),
            note: entry.note.clone(),
            created_at: entry.created_at.into(),
        }
    }
}

/// Credits of a workspace, with a page of its ledger.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct CreditsResponse {
    /// Credits that may be used in the current period, of both kinds.
    total: i64,
    /// Credits used in it, of both kinds.
    used: i64,
    /// Credits that do not expire.
    remaining_balance: i64,
    /// First instant of the current period.
    period_start: IsoTime,
    /// First instant of the next.
    period_end: IsoTime,
    /// Entries, in the order of writing.
    entries: Vec<EntryView>,
    /// Send it as `cursor` for the next page; absent on the last.
    next_cursor: Option<String>,
}

fn partner(id: &str) -> Result<PartnerId> {
    PartnerId::parse(id).map_err(|_| Error::WorkspaceNotFound)
}

#[OpenApi]
impl CreditsApi {
    /// Get the credits of a workspace
    ///
    /// Figures of the current period and a page of the ledger.
    #[oai(path = "/workspaces/:partner/:workspace/credits", method = "get", operation_id = "get_credits")]
    async fn get(
        &self,
        _caller: OperatorAuth,
        /// Id of the partner.
        #[oai(name = "partner")]
        partner_id: Path<String>,
        /// Id of the workspace.
        workspace: Path<String>,
        /// Where the page before ended.
        cursor: Query<Option<String>>,
        /// Most entries, 1 to 200; 50 where absent.
        limit: Query<Option<i64>>,
    ) -> Result<Json<CreditsResponse>, OperatorFailure> {
        let partner_id = partner(&partner_id.0)?;
        let page = PageRequest::parse(cursor.0.as_deref(), limit.0)?;
        let figures = change::show(&self.app, &partner_id, &workspace.0).await?;
        let page = change::entries(&self.app, &partner_id, &workspace.0, page).await?;
        Ok(Json(CreditsResponse {
            total: figures.messages_total.0,
            used: figures.messages_used.0,
            remaining_balance: figures.non_recurring_balance.0,
            period_start: figures.period.start.into(),
            period_end: figures.period.end.into(),
            entries: page.items.iter().map(EntryView::from).collect(),
            next_cursor: page.next_cursor,
        }))
    }

    /// Grant or adjust the credits of a workspace
    ///
    /// Of the credits that do not expire. 409 `insufficient_credits` if the balance would fall below zero.
    #[oai(path = "/workspaces/:partner/:workspace/credits", method = "post", operation_id = "change_credits")]
    async fn change(
        &self,
        caller: OperatorAuth,
        /// Id of the partner.
        #[oai(name = "partner")]
        partner_id: Path<String>,
        /// Id of the workspace.
        workspace: Path<String>,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<ChangeRequest>,
    ) -> Result<Json<ChangeResponse>, OperatorFailure> {
        let target = (&partner_id.0, &workspace.0, &body.0);
        let request = caller.repeatable(key.0.as_deref(), "change_credits", &target)?;
        let note = body.0.note.as_deref();
        let command = match body.0.kind {
            ChangeKind::Grant => ChangeBalance::grant(body.0.credits, note)?,
            ChangeKind::Adjust => ChangeBalance::adjust(body.0.credits, note)?,
        };
        let partner_id = partner(&partner_id.0)?;
        let origin = Origin::from(&caller.0);
        let changed = change::change(&self.app, &origin, &partner_id, &workspace.0, &command, &request).await?;
        Ok(Json(ChangeResponse { remaining_balance: changed.balance.0 }))
    }
}
