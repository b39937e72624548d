//! Inviting somebody into a workspace.

use entity::{group, id::UserId, user, workspace};
use sea_orm::{DatabaseTransaction, Set};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    invitation::{MAX_OPEN, purpose, store, url},
    mail,
    queue::{self, Work},
    secret,
    signal::Signal,
    token::access::{self, Access, Changed},
    user as users, workspace as workspaces,
};

/// Longest part of a name, in characters.
pub const MAX_NAME_CHARS: usize = 150;
const NOT_IN_CHARGE: &str = "only the owner and admins invite";
const OWNER_STAYS: &str = "the owner's role cannot be changed";

/// Who is to be invited, and as what.
#[derive(Clone, Debug, Serialize)]
pub struct Invite {
    /// The address, folded.
    pub email: String,
    /// First name, possibly empty.
    pub first_name: String,
    /// Last name, possibly empty.
    pub last_name: String,
    /// Title of the team; the workspace's own where absent, or the one that a member is in.
    pub team: Option<String>,
    /// What the user is to be; an agent where absent, or what a member is.
    pub role: Option<user::Role>,
}

impl Invite {
    /// Reads an address and names.
    ///
    /// # Errors
    /// `invalid_request` naming the field.
    pub fn parse(email: &str, first_name: Option<String>, last_name: Option<String>) -> Result<Self> {
        let name = |field, text: Option<String>| {
            let text = text.unwrap_or_default().trim().to_owned();
            let fits = text.chars().count() <= MAX_NAME_CHARS && !text.chars().any(char::is_control);
            let reason = || format!("must be at most {MAX_NAME_CHARS} characters, none of them a control character");
            if fits { Ok(text) } else { Err(Error::field(field, reason())) }
        };
        Ok(Self {
            email: mail::parse_address(email)?,
            first_name: name("first_name", first_name)?,
            last_name: name("last_name", last_name)?,
            team: None,
            role: None,
        })
    }

    /// The whole name; the address where none was given.
    #[must_use]
    pub fn display_name(&self) -> String {
        let name = format!("{} {}", self.first_name, self.last_name);
        match name.trim() {
            "" => self.email.clone(),
            name => name.to_owned(),
        }
    }

    fn has_name(&self) -> bool {
        !self.first_name.is_empty() || !self.last_name.is_empty()
    }
}

/// What came of it. It may hold the link, so it is stored sealed only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invited {
    /// The user.
    pub user_id: UserId,
    /// The link, where it was not mailed.
    pub link: Option<String>,
}

/// Invites somebody, or gives a member the role and the team.
///
/// # Errors
/// `permission_denied` for those who are not in charge, and for a change of the owner's role; `team_not_found`;
/// `too_many_invitations`; `idempotency_key_reused`.
pub async fn invite(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    command: &Invite,
    request: &Repeatable,
) -> Result<Invited> {
    if !caller.user.is_in_charge() {
        return Err(Error::PermissionDenied(NOT_IN_CHARGE));
    }
    let mail_host = format!("@partners.{}", app.config.public_host());
    let invited = db::retried(|| invite_once(app, caller, origin, command, request, &mail_host)).await?;
    Access::forget(app, &Changed::from(&caller.workspace));
    app.signals.publish(Signal::Work);
    Ok(invited)
}

async fn invite_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    command: &Invite,
    request: &Repeatable,
    mail_host: &str,
) -> Result<Invited> {
    db::write(&app.db, "invitation.invite", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let team = match &command.team {
            Some(title) => Some(users::group_of_title(tx, workspace.id, title).await?),
            None => None,
        };
        let known = users::by_email(tx, workspace.id, &command.email).await?;
        let invited = match known {
            Some(user) if user.status != user::Status::Invited => {
                let user = change_member(app, tx, origin, &workspace, &user, command, team.as_ref()).await?;
                Invited { user_id: user.id, link: None }
            }
            known => {
                if known.is_none() && command.email.ends_with(mail_host) {
                    return Err(Error::field("email", "must not be one of the addresses that users without mail have"));
                }
                let user = place(app, tx, &workspace, known, command, team).await?;
                let link = send(app, tx, caller, origin, &workspace, &user).await?;
                Invited { user_id: user.id, link }
            }
        };
        request.finish(app, tx, &invited).await?;
        Ok(invited)
    })
    .await
}

/// Gives a member the role and the team.
async fn change_member(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    workspace: &workspace::Model,
    before: &user::Model,
    command: &Invite,
    team: Option<&group::Model>,
) -> Result<user::Model> {
    let role = command.role.unwrap_or(before.role);
    if before.role == user::Role::Owner && role != before.role {
        return Err(Error::PermissionDenied(OWNER_STAYS));
    }
    let group_id = team.map_or(before.group_id, |group| group.id);
    if (role, group_id) == (before.role, before.group_id) {
        return Ok(before.clone());
    }
    let change = user::ActiveModel { role: Set(role), group_id: Set(group_id), ..Default::default() };
    let after = store::save_user(app, tx, before, change).await?;
    access::record(app, tx, &Changed::from(workspace)).await?;
    let entry = audit::Entry::in_workspace("user.update", workspace, before.id)
        .before(json!({ "role": before.role, "group_id": before.group_id }))
        .after(json!({ "role": after.role, "group_id": after.group_id }));
    audit::record(app, tx, origin, entry).await?;
    Ok(after)
}

/// The invited user, made or changed to what is asked for.
async fn place(
    app: &App,
    tx: &DatabaseTransaction,
    workspace: &workspace::Model,
    known: Option<user::Model>,
    command: &Invite,
    team: Option<group::Model>,
) -> Result<user::Model> {
    if let Some(before) = known {
        let mut change = user::ActiveModel {
            role: Set(command.role.unwrap_or(before.role)),
            group_id: Set(team.map_or(before.group_id, |group| group.id)),
            ..Default::default()
        };
        if command.has_name() {
            change.display_name = Set(command.display_name());
        }
        return store::save_user(app, tx, &before, change).await;
    }
    if store::open(tx, workspace.id).await? >= MAX_OPEN {
        return Err(Error::TooManyInvitations(MAX_OPEN));
    }
    let group = match team {
        Some(group) => Some(group),
        None => users::groups(tx, workspace.id).await?.into_iter().find(|group| Some(group.id) == workspace.group_id),
    };
    let group = group.ok_or_else(|| Error::Internal("no default group".to_owned()))?;
    store::insert_user(app, tx, workspace.id, &group, command).await
}

/// Makes a link, and has it mailed or gives it back.
async fn send(
    app: &App,
    tx: &DatabaseTransaction,
    caller: &WorkspaceCaller,
    origin: &Origin,
    workspace: &workspace::Model,
    user: &user::Model,
) -> Result<Option<String>> {
    let token = secret::generate(&app.clock, "");
    let sealed = app.vault.seal(&purpose(user.id), token.expose_secret().as_bytes())?;
    let link = store::NewLink { digest: secret::digest(token.expose_secret()), sealed };
    store::put_link(app, tx, user, caller.user.id, &link).await?;
    let is_mailed = app.mailer.is_configured();
    let entry = audit::Entry::in_workspace("invitation.invite", workspace, user.id)
        .after(json!({ "role": user.role, "group_id": user.group_id, "is_mailed": is_mailed }));
    audit::record(app, tx, origin, entry).await?;
    if is_mailed {
        queue::enqueue(app, tx, &Work::SendInvitation { workspace: workspace.id, user: user.id }).await?;
        return Ok(None);
    }
    Ok(Some(url(app, &token).expose_secret().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gives_no_name_is_called_by_the_address() {
        let parse = |first: &str, last: &str| {
            Invite::parse("A@b.cd", Some(first.to_owned()), Some(last.to_owned())).map(|one| one.display_name())
        };
        assert_eq!(parse(" Ann ", "Lee").expect("an invitation"), "Ann Lee");
        assert_eq!(parse("", "Lee").expect("an invitation"), "Lee");
        assert_eq!(parse("", " ").expect("an invitation"), "a@b.cd");
        assert!(parse(&"x".repeat(MAX_NAME_CHARS + 1), "").is_err());
        assert!(parse("", "a\nb").is_err());
    }
}
