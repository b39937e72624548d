//! Opening a link: who it is for, whose brand it carries, and how it stands. Changes nothing.

use entity::{attempt, channel::Network, id::LinkId, link, partner, user, workspace};

use crate::{
    app::App,
    error::{Error, LinkEnd, Result},
    onboarding::{MAX_ATTEMPTS, MAX_PAIRING_CODES, end_of, store},
    partner as partners, secret, user as users, workspace as workspaces,
};

const MAX_TOKEN_CHARS: usize = 64;

/// A link with all that its page shows.
pub struct Opened {
    /// The link.
    pub link: link::Model,
    /// Where it belongs.
    pub workspace: workspace::Model,
    /// Who sells it; its brand is on the page.
    pub partner: partner::Model,
}

/// How a link and its last attempt stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The network that it links an account of.
    pub network: Network,
    /// Why it opens nothing any more; `None` while it does.
    pub end: Option<LinkEnd>,
    /// The last attempt.
    pub attempt: Option<attempt::Model>,
    /// Attempts left.
    pub attempts_left: i32,
    /// Pairing codes left.
    pub pairing_codes_left: i32,
}

/// The link of this token, whatever its state.
///
/// # Errors
/// `link_not_found`.
pub async fn open(app: &App, token: &str) -> Result<Opened> {
    if token.len() > MAX_TOKEN_CHARS {
        return Err(Error::LinkNotFound);
    }
    let db = app.db.reader();
    let link = store::by_digest(db, &secret::digest(token)).await?.ok_or(Error::LinkNotFound)?;
    let workspace = super::workspace_of(db, link.workspace_id).await?;
    let partner = partners::find(db, &workspace.partner_id).await?.ok_or(Error::LinkNotFound)?;
    Ok(Opened { link, workspace, partner })
}

/// How the link stands now.
///
/// # Errors
/// `link_not_found`.
pub async fn standing(app: &App, id: LinkId) -> Result<Standing> {
    let db = app.db.reader();
    let link = store::by_id(db, id).await?.ok_or(Error::LinkNotFound)?;
    let attempt = store::last_attempt(db, id).await?;
    Ok(Standing {
        network: link.network,
        end: end_of(&link, app.clock.now()),
        attempt,
        attempts_left: MAX_ATTEMPTS - link.attempts_used,
        pairing_codes_left: MAX_PAIRING_CODES - link.pairing_codes_used,
    })
}

/// Whether the link may be used by whoever holds it: its partner, workspace and user are all served.
pub(super) async fn check_served(
    db: &impl sea_orm::ConnectionTrait,
    link: &link::Model,
) -> Result<(workspace::Model, partner::Model)> {
    let workspace = workspaces::by_id(db, link.workspace_id).await?.ok_or(Error::LinkNotFound)?;
    let partner = partners::find(db, &workspace.partner_id).await?.ok_or(Error::LinkNotFound)?;
    let user = users::find(db, workspace.id, link.user_id).await?.ok_or(Error::UserNotFound)?;
    if partner.status != partner::Status::Active || workspace.status != workspace::Status::Active {
        return Err(Error::WorkspaceSuspended);
    }
    if user.status != user::Status::Activated {
        return Err(Error::UserNotActive);
    }
    Ok((workspace, partner))
}
