//! Opening an invitation, which changes nothing, and accepting it, which takes a seat.

use entity::{id::UserId, invitation, partner, user, workspace};
use sea_orm::Set;

use crate::{
    app::App,
    audit,
    caller::{Actor, Origin},
    db,
    error::{Error, Result},
    invitation::{Standing, store},
    partner as partners, quota, secret,
    signal::Signal,
    token::access::{self, Access, Changed},
    user as users, workspace as workspaces,
};

const MAX_TOKEN_CHARS: usize = 64;

/// An invitation with all that its page shows.
pub struct Opened {
    /// The invitation.
    pub invitation: invitation::Model,
    /// How it stands.
    pub standing: Standing,
    /// Where to.
    pub workspace: workspace::Model,
    /// Who sells it; its brand is on the page.
    pub partner: partner::Model,
}

/// The invitation of this token, however it stands.
///
/// # Errors
/// `invitation_not_found`.
pub async fn open(app: &App, token: &str) -> Result<Opened> {
    if token.len() > MAX_TOKEN_CHARS {
        return Err(Error::InvitationNotFound);
    }
    let db = app.db.reader();
    let invitation = store::by_digest(db, &secret::digest(token)).await?.ok_or(Error::InvitationNotFound)?;
    let workspace = workspaces::by_id(db, invitation.workspace_id).await?.ok_or(Error::InvitationNotFound)?;
    let partner = partners::find(db, &workspace.partner_id).await?.ok_or(Error::InvitationNotFound)?;
    let standing = Standing::of(&invitation, app.clock.now());
    Ok(Opened { invitation, standing, workspace, partner })
}

/// Accepts an invitation: its user holds a seat then. Accepting it twice is harmless.
///
/// # Errors
/// `invitation_not_found`, `invitation_expired`, `workspace_suspended`; `seats_full`, and nothing is changed.
pub async fn accept(app: &App, token: &str, request_id: &str) -> Result<Opened> {
    let opened = open(app, token).await?;
    if opened.standing == Standing::Accepted {
        return Ok(opened);
    }
    if opened.partner.status != partner::Status::Active || opened.workspace.status != workspace::Status::Active {
        return Err(Error::WorkspaceSuspended);
    }
    let origin =
        Origin { actor: Actor::Invitation(opened.invitation.user_id), request_id: Some(request_id.to_owned()) };
    db::retried(|| accept_once(app, &origin, token, &opened)).await?;
    Access::forget(app, &Changed::from(&opened.workspace));
    app.signals.publish(Signal::Event);
    open(app, token).await
}

async fn accept_once(app: &App, origin: &Origin, token: &str, opened: &Opened) -> Result<UserId> {
    db::write(&app.db, "invitation.accept", async |tx| {
        // Before the user's row, here as everywhere: seats may be lowered and the invitation taken back meanwhile.
        let workspace = workspaces::lock(tx, opened.workspace.id).await?;
        let digest = secret::digest(token);
        let invitation = store::by_digest(tx, &digest).await?.ok_or(Error::InvitationNotFound)?;
        let user = users::lock(tx, workspace.id, invitation.user_id).await?.ok_or(Error::InvitationNotFound)?;
        let now = app.clock.now();
        match Standing::of(&invitation, now) {
            Standing::Accepted => return Ok(user.id),
            Standing::Expired => return Err(Error::InvitationExpired),
            Standing::Pending => {}
        }
        if !workspaces::take_seats(app, tx, &workspace.partner_id, &workspace.slug, 1).await? {
            let available = workspace.seats_total - workspace.seats_used;
            return Err(Error::SeatsFull { requested: 1, available });
        }
        let change = user::ActiveModel { status: Set(user::Status::Activated), ..Default::default() };
        store::save_user(app, tx, &user, change).await?;
        store::set_accepted(tx, &invitation, now).await?;
        let workspace = workspaces::by_id(tx, workspace.id).await?.ok_or(Error::WorkspaceNotFound)?;
        quota::notify::seats_changed(app, tx, &workspace).await?;
        access::record(app, tx, &Changed::from(&workspace)).await?;
        let entry = audit::Entry::in_workspace("invitation.accept", &workspace, user.id)
            .after(serde_json::json!({ "seats_used": workspace.seats_used }));
        audit::record(app, tx, origin, entry).await?;
        Ok(user.id)
    })
    .await
}
