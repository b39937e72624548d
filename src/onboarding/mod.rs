//! Onboarding: links, the attempts made on them, and how an attempt becomes a connected account.
//!
//! One link per user is active, one attempt per link is alive, and a link connects at most once; each is a unique
//! index or a locked row. Opening a link starts nothing. Every function that changes a link or an attempt locks the
//! link's row first, so that revoking, retrying and connecting never cross.
//!
//! Where a network links accounts with user name and password, an attempt begins with them. They go to the connector
//! and are forgotten: nothing of them is stored, so an attempt whose process dies meanwhile fails.

use entity::{
    channel::Network,
    id::{LinkId, UserId, WorkspaceId},
    link::{self, Model},
    timestamp::Timestamp,
    workspace,
};
use secrecy::SecretString;

use crate::{
    app::App,
    channel,
    connector::Observation,
    error::{LinkEnd, Result},
    page::{Page, PageRequest},
    workspace as workspaces,
};

pub mod advance;
pub mod answer;
pub mod create_link;
pub mod open;
pub mod pairing;
mod revoke;
pub mod start;
mod state;
mod store;

pub use revoke::revoke;
pub(crate) use revoke::revoke_of_user;

/// Most attempts on one link.
pub const MAX_ATTEMPTS: i32 = 5;
/// Most pairing codes on one link.
pub const MAX_PAIRING_CODES: i32 = 3;
/// Most wrong answers to what the network asks of one attempt.
pub const MAX_WRONG_ANSWERS: i32 = 5;

/// Whether an account of this network is linked with its user name and password, which the page asks for then.
#[must_use]
pub const fn asks_for_login(network: Network) -> bool {
    matches!(network, Network::Instagram)
}

/// A link that can still be opened, with its address.
pub struct ActiveLink {
    /// Its id.
    pub id: LinkId,
    /// The page's address.
    pub url: SecretString,
    /// Whose account it connects.
    pub user_id: UserId,
    /// The network that it is on.
    pub network: Network,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Why a link opens nothing any more; `None` while it does.
#[must_use]
pub fn end_of(link: &link::Model, now: Timestamp) -> Option<LinkEnd> {
    match LinkEnd::of(link.state) {
        Some(LinkEnd::Used) => Some(LinkEnd::Used),
        // What was revoked after its time was over had expired.
        _ if link.expires_at <= link.closed_at.unwrap_or(now) => Some(LinkEnd::Expired),
        end => end,
    }
}

/// Links of a workspace that can still be opened, oldest first.
///
/// # Errors
/// What the database says, or `Sealed`.
pub async fn active_links(app: &App, workspace: &workspace::Model) -> Result<Vec<ActiveLink>> {
    let rows = store::active(app.db.reader(), workspace.id, app.clock.now()).await?;
    rows.iter().map(|row| with_url(app, row)).collect()
}

/// One page of a workspace's open links.
///
/// # Errors
/// `workspace_not_found`.
pub async fn list(
    app: &App,
    partner_id: &entity::id::PartnerId,
    slug: &str,
    page: PageRequest,
) -> Result<Page<ActiveLink>> {
    let workspace = workspaces::find(app.db.reader(), partner_id, slug).await?;
    let links = active_links(app, &workspace).await?;
    // One user has one link, so a workspace has at most 999: ordered by user they page like everything else.
    let mut links: Vec<ActiveLink> = links.into_iter().filter(|link| link.user_id.0 > page.after).collect();
    links.sort_by_key(|link| link.user_id);
    links.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX) + 1);
    Ok(Page::of(links, page, |link| link.user_id.0))
}

fn with_url(app: &App, row: &link::Model) -> Result<ActiveLink> {
    let token = app.vault.open_text(&purpose(row.id), &row.sealed)?;
    let Model { id, user_id, network, expires_at, .. } = *row;
    Ok(ActiveLink { id, url: url(app, &token), user_id, network, expires_at })
}

fn url(app: &App, token: &SecretString) -> SecretString {
    use secrecy::ExposeSecret;
    format!("{}/qr/{}", app.config.public_url, token.expose_secret()).into()
}

fn purpose(id: LinkId) -> String {
    format!("links:{id}")
}

/// Something changed at a provider: looks at the session and draws the conclusions, for an attempt or a channel.
///
/// # Errors
/// What the connector or the database says; the call may be repeated.
pub async fn session_changed(
    app: &App,
    connector: entity::channel::ConnectorKind,
    session: entity::id::AttemptId,
) -> Result<()> {
    if advance::advance(app, session).await? == advance::Advanced::NotLive
        && !channel::link::session_changed(app, connector, session).await?
    {
        let observation = app.connectors.get(connector).observe(app, session).await;
        if let Ok(Observation::Connected(account)) = &observation {
            channel::reconnect::works_again(app, session, account).await?;
        }
        channel::health::observed(app, session, &observation).await?;
        if let Ok(Observation::Ended(failure)) = &observation {
            channel::disconnect::lost(app, session, *failure).await?;
        }
        // Also where nobody answers.
        channel::disconnect::let_go_old(app, session).await?;
        channel::disconnect::end_stray(app, connector, session).await?;
        observation?;
    }
    Ok(())
}

/// Owner of a link, for the audit.
pub(crate) async fn workspace_of(db: &impl sea_orm::ConnectionTrait, id: WorkspaceId) -> Result<workspace::Model> {
    workspaces::by_id(db, id).await?.ok_or(crate::error::Error::LinkNotFound)
}
