//! Whom a token lets in.

use entity::{partner, user, workspace};

use crate::{
    app::App,
    caller::WorkspaceCaller,
    error::{Error, Result},
    partner as partners, secret,
    token::{PREFIX, Scopes, store},
    user as users, workspace as workspaces,
};

/// Finds out whose token this is.
///
/// # Errors
/// `invalid_token` for an unknown or revoked one; `workspace_suspended` if the workspace or its partner is kept out;
/// `member_not_found` if the token's user holds no seat.
pub async fn check(app: &App, token: &str) -> Result<WorkspaceCaller> {
    if !token.starts_with(PREFIX) {
        return Err(Error::InvalidToken);
    }
    let db = app.db.reader();
    let row = store::by_digest(db, &secret::digest(token)).await?.ok_or(Error::InvalidToken)?;
    let workspace = workspaces::by_id(db, row.workspace_id).await?.ok_or(Error::InvalidToken)?;
    let partner = partners::find(db, &workspace.partner_id).await?.ok_or(Error::InvalidToken)?;
    if workspace.status != workspace::Status::Active || partner.status != partner::Status::Active {
        return Err(Error::WorkspaceSuspended);
    }
    let user = users::find(db, workspace.id, row.user_id).await?.ok_or(Error::MemberNotFound)?;
    if user.status != user::Status::Activated {
        return Err(Error::MemberNotFound);
    }
    Ok(WorkspaceCaller { workspace, user, scopes: Scopes::from_stored(&row.scopes) })
}
