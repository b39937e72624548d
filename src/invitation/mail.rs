//! Mailing an invitation. The link is read from what is stored when the mail goes out: an invitation that was renewed,
//! accepted or taken back meanwhile mails its new link, or nothing.

use entity::id::{UserId, WorkspaceId};
use secrecy::ExposeSecret;

use crate::{
    app::App,
    error::Result,
    invitation::{Standing, purpose, store, url},
    mail::Mail,
    partner as partners, user as users, workspace as workspaces,
};

/// Mails the link of a user's invitation, if it still can be accepted.
///
/// # Errors
/// `provider_unavailable` if the mail server does not take it now.
pub(crate) async fn send(app: &App, workspace_id: WorkspaceId, user_id: UserId) -> Result<()> {
    let db = app.db.reader();
    let Some(invitation) = store::find(db, workspace_id, user_id).await? else { return Ok(()) };
    let is_open = Standing::of(&invitation, app.clock.now()) == Standing::Pending;
    let Some(sealed) = invitation.sealed.filter(|_| is_open && app.mailer.is_configured()) else { return Ok(()) };
    let Some(user) = users::find(db, workspace_id, user_id).await? else { return Ok(()) };
    let Some(workspace) = workspaces::by_id(db, workspace_id).await? else { return Ok(()) };
    let Some(partner) = partners::find(db, &workspace.partner_id).await? else { return Ok(()) };
    let inviter = users::find(db, workspace_id, invitation.invited_by).await?;
    let inviter = inviter.map_or_else(|| workspace.display_name.clone(), |inviter| inviter.display_name);
    let token = app.vault.open_text(&purpose(user_id), &sealed)?;
    let link = url(app, &token);
    let name = &workspace.display_name;
    let text = format!(
        "Hello {},\n\n{inviter} invites you to work in {name}.\n\nTo accept, open this address within a week:\n\n\
         {}\n\nIf you do not know what this is about, do nothing.\n",
        user.display_name,
        link.expose_secret()
    );
    let subject = format!("You are invited to {name}");
    let from_name = partner.brand_name.as_deref().unwrap_or(&partner.name);
    app.mailer.send(&app.outbound, Mail { to: &user.email, from_name, subject: &subject, text }).await
}
