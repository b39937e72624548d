//! Taking an invitation back: the user that never held a seat is removed.

use entity::{id::UserId, user};
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    db,
    error::{Error, Result},
    invitation::store,
    user as users, workspace as workspaces,
};

const NOT_IN_CHARGE: &str = "only the owner and admins take invitations back";

/// Takes an invitation back.
///
/// # Errors
/// `permission_denied` for those who are not in charge; `user_not_found`; `invitation_accepted` for one who holds a
/// seat, or has held one.
pub async fn withdraw(app: &App, caller: &WorkspaceCaller, origin: &Origin, user_id: UserId) -> Result<()> {
    if !caller.user.is_in_charge() {
        return Err(Error::PermissionDenied(NOT_IN_CHARGE));
    }
    db::retried(|| withdraw_once(app, caller, origin, user_id)).await
}

async fn withdraw_once(app: &App, caller: &WorkspaceCaller, origin: &Origin, user_id: UserId) -> Result<()> {
    db::write(&app.db, "invitation.withdraw", async |tx| {
        // Before the user's row, here as everywhere: it may be accepted at the same time.
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let user = users::lock(tx, workspace.id, user_id).await?.ok_or(Error::UserNotFound)?;
        if user.status != user::Status::Invited {
            return Err(Error::InvitationAccepted);
        }
        store::remove(tx, &user).await?;
        let entry = audit::Entry::in_workspace("invitation.withdraw", &workspace, user.id)
            .before(json!({ "role": user.role, "group_id": user.group_id }));
        audit::record(app, tx, origin, entry).await
    })
    .await
}
