//! What the operator does to tokens of workspaces: make, list, revoke.

use entity::{
    id::{PartnerId, TokenId, UserId},
    token::{Kind, Model},
};
use secrecy::ExposeSecret;

use crate::{
    app::App,
    audit,
    caller::Origin,
    db,
    error::{Error, Result},
    secret,
    token::{
        NewToken, PREFIX, Scopes,
        access::{self, Access, Changed},
        store,
    },
    workspace as workspaces,
};

/// A token to be made.
pub struct CreateToken {
    /// The workspace's partner.
    pub partner_id: PartnerId,
    /// The workspace.
    pub workspace: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// As whom it acts; the owner where absent.
    pub user_id: Option<UserId>,
}

/// Makes a token that is shown once.
///
/// # Errors
/// `workspace_not_found`, `user_not_found`, `user_not_active`.
pub async fn create(app: &App, origin: &Origin, command: &CreateToken) -> Result<NewToken> {
    let name = crate::partner::parse_name(&command.name)?;
    let token = secret::generate(&app.clock, PREFIX);
    let id = TokenId(app.clock.uuid());
    let created_at = app.clock.now();
    let user_id = db::write(&app.db, "token.create", async |tx| {
        let workspace = workspaces::find(tx, &command.partner_id, &command.workspace).await?;
        let user_id = command.user_id.or(workspace.owner_user_id).ok_or(Error::UserNotFound)?;
        let user = workspaces::find_user(tx, &workspace, user_id).await?;
        if user.status != entity::user::Status::Activated {
            return Err(Error::UserNotActive);
        }
        let row = store::NewRow {
            id,
            user_id,
            kind: Kind::Issued,
            name,
            scopes: command.scopes.clone(),
            digest: secret::digest(token.expose_secret()),
            sealed: None,
        };
        store::insert(app, tx, workspace.id, row).await?;
        let entry = audit::Entry::in_workspace("token.create", &workspace, id)
            .after(serde_json::json!({ "user_id": user_id, "scopes": command.scopes.to_text() }));
        audit::record(app, tx, origin, entry).await?;
        Ok(user_id)
    })
    .await?;
    Ok(NewToken { id, token, user_id, scopes: command.scopes.clone(), created_at })
}

/// All tokens of a workspace, revoked ones included.
///
/// # Errors
/// `workspace_not_found`.
pub async fn list(app: &App, partner_id: &PartnerId, workspace: &str) -> Result<Vec<Model>> {
    let workspace = workspaces::find(app.db.reader(), partner_id, workspace).await?;
    store::all(app.db.reader(), workspace.id).await
}

/// Revokes a token; a second time changes nothing.
///
/// # Errors
/// `workspace_not_found`, `token_not_found`.
pub async fn revoke(app: &App, origin: &Origin, partner_id: &PartnerId, workspace: &str, id: TokenId) -> Result<Model> {
    let (row, changed) = db::write(&app.db, "token.revoke", async |tx| {
        let workspace = workspaces::find(tx, partner_id, workspace).await?;
        let changed = Changed::from(&workspace);
        let row = store::find(tx, workspace.id, id).await?.ok_or(Error::TokenNotFound)?;
        if row.revoked_at.is_some() {
            return Ok((row, changed));
        }
        let row = store::revoke(tx, &row, app.clock.now()).await?;
        access::record(app, tx, &changed).await?;
        audit::record(app, tx, origin, audit::Entry::in_workspace("token.revoke", &workspace, id)).await?;
        Ok((row, changed))
    })
    .await?;
    Access::forget(app, &changed);
    Ok(row)
}
