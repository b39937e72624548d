//! Users of the workspace, there called teammates (`contracts/timelines.md` §3.6).

use std::{collections::HashMap, sync::Arc};

use entity::{
    channel, group,
    id::{GroupId, UserId},
    user,
};
use poem_openapi::{Object, OpenApi, payload::Json};

use crate::{
    app::App,
    caller::WorkspaceCaller,
    channel as channels,
    error::{Error, Result},
    http::{
        formats::local_time,
        workspace_api::{Envelope, auth::TokenAuth, dialect::WorkspaceFailure, ok},
    },
    invitation::{self, Standing},
    token::Scope,
    user::{self as users, Roster},
};

pub(super) struct TeammatesApi {
    pub(super) app: Arc<App>,
}

/// A team.
#[derive(Object)]
#[oai(rename = "Team")]
struct TeamView {
    /// Its title.
    title: String,
}

/// A teammate.
#[derive(Object)]
#[oai(rename = "Teammate")]
pub(super) struct TeammateView {
    /// Number of the user.
    user_id: i64,
    /// Name for people.
    display_name: String,
    /// E-mail address.
    email: String,
    /// `Owner`, `Admin` or `Agent`.
    role: String,
    /// Title of the team.
    team: String,
    /// `Active`, `Suspended` or `Invited`.
    status: String,
    /// When the user was made.
    created_at: String,
    /// State of an invitation, `Pending`, `Accepted` or `Expired`; `null` where there was none.
    invitation_status: Option<String>,
    /// Ids of the user's accounts on WhatsApp.
    whatsapp_accounts: Vec<String>,
}

/// Teams and teammates.
#[derive(Object)]
#[oai(rename = "Teammates")]
struct TeammatesView {
    /// Teams of the workspace.
    teams: Vec<TeamView>,
    /// Users of the workspace, by id.
    teammates: Vec<TeammateView>,
}

/// What a teammate is shown with.
struct Surroundings<'a> {
    teams: HashMap<GroupId, &'a str>,
    channels: &'a [channel::Model],
    invitations: &'a HashMap<UserId, Standing>,
    zone: &'a str,
}

impl<'a> Surroundings<'a> {
    fn new(
        groups: &'a [group::Model],
        channels: &'a [channel::Model],
        invitations: &'a HashMap<UserId, Standing>,
        zone: &'a str,
    ) -> Self {
        let teams = groups.iter().map(|group| (group.id, group.name.as_str())).collect();
        Self { teams, channels, invitations, zone }
    }

    fn teammate(&self, user: &user::Model) -> TeammateView {
        let role = match user.role {
            user::Role::Owner => "Owner",
            user::Role::Admin => "Admin",
            user::Role::Agent => "Agent",
        };
        let status = match user.status {
            user::Status::Activated => "Active",
            user::Status::Suspended => "Suspended",
            user::Status::Invited => "Invited",
        };
        let invitation = self.invitations.get(&user.id).map(|standing| match standing {
            Standing::Pending => "Pending",
            Standing::Accepted => "Accepted",
            Standing::Expired => "Expired",
        });
        let own = self.channels.iter().filter(|channel| channel.user_id == user.id);
        TeammateView {
            user_id: user.id.0,
            display_name: user.display_name.clone(),
            email: user.email.clone(),
            role: role.to_owned(),
            team: self.teams.get(&user.group_id).copied().unwrap_or_default().to_owned(),
            status: status.to_owned(),
            created_at: local_time(user.created_at, self.zone),
            invitation_status: invitation.map(str::to_owned),
            whatsapp_accounts: own.map(|channel| channel.external_id.clone()).collect(),
        }
    }
}

/// One teammate of the caller.
pub(super) async fn teammate(app: &App, caller: &WorkspaceCaller, id: UserId) -> Result<TeammateView> {
    let Roster { users, groups } = users::roster(app, caller.workspace.id).await?;
    let user = users.iter().find(|user| user.id == id).ok_or(Error::UserNotFound)?;
    let channels = channels::whatsapp_accounts(app, caller.workspace.id).await?;
    let invitations = invitation::standings(app, caller.workspace.id).await?;
    Ok(Surroundings::new(&groups, &channels, &invitations, &caller.workspace.time_zone).teammate(user))
}

#[OpenApi]
impl TeammatesApi {
    /// List teammates
    #[oai(path = "/workspace/teammates", method = "get", operation_id = "list_teammates")]
    async fn list(&self, caller: TokenAuth) -> Result<Json<Envelope<TeammatesView>>, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::WorkspaceRead).await?.workspace;
        let Roster { users, groups } = users::roster(&self.app, workspace.id).await?;
        let channels = channels::whatsapp_accounts(&self.app, workspace.id).await?;
        let invitations = invitation::standings(&self.app, workspace.id).await?;
        let around = Surroundings::new(&groups, &channels, &invitations, &workspace.time_zone);
        Ok(ok(TeammatesView {
            teams: groups.iter().map(|group| TeamView { title: group.name.clone() }).collect(),
            teammates: users.iter().map(|user| around.teammate(user)).collect(),
        }))
    }

    /// Get the teammate that the token acts as
    #[oai(path = "/workspace/teammates/me", method = "get", operation_id = "get_current_teammate")]
    async fn me(&self, caller: TokenAuth) -> Result<Json<Envelope<TeammateView>>, WorkspaceFailure> {
        let caller = caller.admit(Scope::WorkspaceRead).await?;
        Ok(ok(teammate(&self.app, caller, caller.user.id).await?))
    }
}
