//! Everything a partner sees of a workspace in one answer.

use entity::{channel, id::PartnerId, user, workspace::Model};

use crate::{
    app::App,
    channel as channels,
    error::Result,
    onboarding::{self, ActiveLink},
    quota::figures::{self, Figures},
    user as users, workspace,
};

/// A workspace with its quotas, users, accounts and open links.
pub struct Overview {
    /// The workspace.
    pub workspace: Model,
    /// Quotas of the current period.
    pub figures: Figures,
    /// Its users, by id.
    pub users: Vec<user::Model>,
    /// Its WhatsApp accounts, by id.
    pub channels: Vec<channel::Model>,
    /// Links that can still be opened.
    pub links: Vec<ActiveLink>,
}

/// The partner's workspace with all that belongs to it.
///
/// # Errors
/// `workspace_not_found`.
pub async fn overview(app: &App, partner_id: &PartnerId, slug: &str) -> Result<Overview> {
    let db = app.db.reader();
    let workspace = workspace::find(db, partner_id, slug).await?;
    Ok(Overview {
        figures: figures::figures(app, db, workspace.id).await?,
        users: users::all(db, workspace.id).await?,
        channels: channels::whatsapp_accounts(app, workspace.id).await?,
        links: onboarding::active_links(app, &workspace).await?,
        workspace,
    })
}
