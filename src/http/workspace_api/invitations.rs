//! Invitations of teammates (`contracts/timelines.md` §3.6).

use std::sync::Arc;

use entity::id::UserId;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    payload::Json,
};
use serde::Deserialize;

use crate::{
    app::App,
    error::{Error, Result},
    http::{
        body::UnreadJson,
        workspace_api::{
            Envelope,
            auth::TokenAuth,
            dialect::WorkspaceFailure,
            ok,
            teammates::{TeammateView, teammate},
        },
    },
    idempotency::Repeatable,
    invitation::{
        invite::{self, Invite},
        parse_role, withdraw,
    },
    token::Scope,
};

pub(super) struct InvitationsApi {
    pub(super) app: Arc<App>,
}

/// Who is to be invited, and as what.
#[derive(Object, Deserialize)]
struct InviteRequest {
    /// E-mail address, at most 254 bytes.
    email: String,
    /// First name, at most 150 characters.
    first_name: Option<String>,
    /// Last name, at most 150 characters.
    last_name: Option<String>,
    /// Title of the team; the default team where absent.
    team_title: Option<String>,
    /// `admin`, `team_supervisor`, `teammate`, `agent`, which is the default, or `collaborator`, without regard to case.
    /// There are admins and agents here: all but `admin` become, and are shown as, an `Agent`.
    role: Option<String>,
}

impl InviteRequest {
    fn into_command(self) -> Result<Invite> {
        let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(Invite {
            team: given(self.team_title),
            role: given(self.role).as_deref().map(parse_role).transpose()?,
            ..Invite::parse(&self.email, self.first_name, self.last_name)?
        })
    }
}

/// A teammate who is invited.
#[derive(Object)]
#[oai(rename = "InvitedTeammate", skip_serializing_if_is_none)]
struct InvitedView {
    #[oai(flatten)]
    teammate: TeammateView,
    /// Address of the page on which the invitation is accepted; only where it is not mailed.
    invitation_link: Option<String>,
}

/// That an invitation was taken back.
#[derive(Object)]
#[oai(rename = "InvitationWithdrawn")]
struct WithdrawnView {
    /// Always `ok`.
    status: String,
    /// What was done.
    message: String,
}

#[OpenApi]
impl InvitationsApi {
    /// Invite a teammate
    ///
    /// The owner and admins may. The invitation works for a week and takes a seat when it is accepted. Somebody who is
    /// invited already gets a new one; a member gets the role and the team.
    #[oai(path = "/workspace/invitations", method = "post", operation_id = "invite_teammate")]
    async fn invite(
        &self,
        caller: TokenAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<InviteRequest>,
    ) -> Result<Json<Envelope<InvitedView>>, WorkspaceFailure> {
        let parsed = body.read().and_then(InviteRequest::into_command).and_then(|command| {
            let request = Repeatable::new(caller.repeat_scope(), key.0.as_deref(), "invite_teammate", &command)?;
            Ok((command, request))
        });
        let (command, request) = caller.understand(Scope::WorkspaceWrite, parsed).await?;
        let (origin, caller) = (caller.origin(), caller.admit(Scope::WorkspaceWrite).await?);
        let invited = invite::invite(&self.app, caller, &origin, &command, &request).await?;
        let teammate = teammate(&self.app, caller, invited.user_id).await?;
        Ok(ok(InvitedView { teammate, invitation_link: invited.link }))
    }

    /// Take an invitation back
    ///
    /// The owner and admins may, as long as it has not been accepted.
    #[oai(path = "/workspace/invitations/:user_id", method = "delete", operation_id = "withdraw_invitation")]
    async fn withdraw(
        &self,
        caller: TokenAuth,
        /// Number of the user who is invited.
        user_id: Path<String>,
    ) -> Result<Json<WithdrawnView>, WorkspaceFailure> {
        let (origin, caller) = (caller.origin(), caller.admit(Scope::WorkspaceWrite).await?);
        let id = user_id.0.parse().map(UserId).map_err(|_| Error::UserNotFound)?;
        withdraw::withdraw(&self.app, caller, &origin, id).await?;
        Ok(Json(WithdrawnView { status: "ok".to_owned(), message: "The invitation was taken back".to_owned() }))
    }
}
