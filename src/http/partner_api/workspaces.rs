//! Workspaces: create, list, get, update (`contracts/timelines.md` §1.3, 1 to 3).

use std::sync::Arc;

use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};
use serde::Deserialize;

use crate::{
    app::App,
    error::{Error, Result},
    http::{
        body::JsonBody,
        partner_api::{
            auth::PartnerAuth,
            dialect::PartnerFailure,
            views::{Created, OverviewView, WorkspaceView},
        },
    },
    page::PageRequest,
    workspace::{
        DisplayName, Seats, TimeZoneName,
        create::{self, CreateWorkspace},
        list::{self, Filter},
        overview,
        update::{self, UpdateWorkspace},
    },
};

pub(super) struct WorkspacesApi {
    pub(super) app: Arc<App>,
}

/// A workspace to be made.
#[derive(Object, Deserialize)]
struct CreateWorkspaceRequest {
    /// Name for people, 1 to 100 characters; the id is derived from it.
    display_name: String,
    /// Seats, 1 to 999, the owner's included; 1 where absent.
    seats_purchased: Option<i64>,
    /// IANA zone of the Public API's times, `UTC` where absent (extension).
    time_zone: Option<String>,
}

impl TryFrom<CreateWorkspaceRequest> for CreateWorkspace {
    type Error = Error;

    fn try_from(request: CreateWorkspaceRequest) -> Result<Self> {
        Ok(Self {
            display_name: DisplayName::parse(&request.display_name)?,
            seats: Seats::parse(request.seats_purchased.unwrap_or(1))?,
            time_zone: request
                .time_zone
                .map_or_else(|| Ok(TimeZoneName::default()), |zone| TimeZoneName::parse(&zone))?,
        })
    }
}

/// What to change; absent fields stay as they are.
#[derive(Object, Deserialize)]
struct UpdateWorkspaceRequest {
    /// Name for people, 1 to 100 characters; the id stays.
    display_name: Option<String>,
    /// Seats, 1 to 999. Fewer than are held suspends users; more restores the latest suspended first. Their accounts
    /// stay suspended where the plan allows no more channels by now; the same number again resumes those that it does.
    seats_purchased: Option<i64>,
    /// IANA zone of the Public API's times (extension).
    time_zone: Option<String>,
}

impl TryFrom<UpdateWorkspaceRequest> for UpdateWorkspace {
    type Error = Error;

    fn try_from(request: UpdateWorkspaceRequest) -> Result<Self> {
        Ok(Self {
            display_name: request.display_name.as_deref().map(DisplayName::parse).transpose()?,
            seats: request.seats_purchased.map(Seats::parse).transpose()?,
            time_zone: request.time_zone.as_deref().map(TimeZoneName::parse).transpose()?,
        })
    }
}

/// One page of workspaces.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct WorkspaceList {
    /// Workspaces in the order in which they were made.
    workspaces: Vec<WorkspaceView>,
    /// Send it as `cursor` for the next page; absent on the last.
    next_cursor: Option<String>,
}

#[OpenApi]
impl WorkspacesApi {
    /// Create a workspace
    ///
    /// On the partner's plan, with an owner who holds one seat. 409 `workspace_creation_failed` if the derived id is
    /// taken.
    #[oai(path = "/workspaces", method = "post", operation_id = "create_workspace")]
    async fn create(
        &self,
        caller: PartnerAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<CreateWorkspaceRequest>,
    ) -> Result<Created<WorkspaceView>, PartnerFailure> {
        let command = CreateWorkspace::try_from(body.0)?;
        let request = caller.repeatable(key.0.as_deref(), "create_workspace", &command)?;
        let created = create::create(&self.app, &caller.0, &command, &request).await?;
        Ok(Created::Created(Json(WorkspaceView::from(&created.workspace))))
    }

    /// List workspaces
    ///
    /// An extension: all of the partner's workspaces, so that no id is ever lost.
    #[oai(path = "/workspaces", method = "get", operation_id = "list_workspaces")]
    async fn list(
        &self,
        caller: PartnerAuth,
        /// Where the page before ended.
        cursor: Query<Option<String>>,
        /// Most workspaces, 1 to 200; 50 where absent.
        limit: Query<Option<i64>>,
        /// Part of the name or the id, without regard to case.
        q: Query<Option<String>>,
        /// `active` or `suspended`.
        status: Query<Option<String>>,
    ) -> Result<Json<WorkspaceList>, PartnerFailure> {
        let page = PageRequest::parse(cursor.0.as_deref(), limit.0)?;
        let filter = Filter::parse(q.0.as_deref(), status.0.as_deref())?;
        let page = list::list(&self.app, &caller.0.partner.id, &filter, page).await?;
        let workspaces = page.items.iter().map(WorkspaceView::from).collect();
        Ok(Json(WorkspaceList { workspaces, next_cursor: page.next_cursor }))
    }

    /// Get a workspace
    ///
    /// Seats, quotas, users, accounts and open links in one answer.
    #[oai(path = "/workspaces/:workspace_id", method = "get", operation_id = "get_workspace")]
    async fn get(
        &self,
        caller: PartnerAuth,
        /// Id of the workspace.
        workspace_id: Path<String>,
    ) -> Result<Json<OverviewView>, PartnerFailure> {
        let overview = overview::overview(&self.app, &caller.0.partner.id, &workspace_id.0).await?;
        Ok(Json(OverviewView::from(&overview)))
    }

    /// Update a workspace
    ///
    /// Lowering the seats below those held suspends users: first those without a connected account, then the newest,
    /// never the owner.
    #[oai(path = "/workspaces/:workspace_id", method = "patch", operation_id = "update_workspace")]
    async fn update(
        &self,
        caller: PartnerAuth,
        /// Id of the workspace.
        workspace_id: Path<String>,
        body: JsonBody<UpdateWorkspaceRequest>,
    ) -> Result<Json<WorkspaceView>, PartnerFailure> {
        let command = UpdateWorkspace::try_from(body.0)?;
        let updated = update::update(&self.app, &caller.0, &workspace_id.0, &command).await?;
        Ok(Json(WorkspaceView::with_suspended(&updated.workspace, &updated.suspended)))
    }
}
