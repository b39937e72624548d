//! Invitations: somebody is asked into a workspace, and takes a seat when they accept.
//!
//! An invited user stands among the teammates without a seat. The link is mailed where mail is configured, and stands
//! in the answer where it is not. Opening it starts nothing, so that previews of links are harmless; accepting it takes
//! a seat or says that there is none. Inviting somebody once more sends a new link, and the one before stops working.
//!
//! | state of the user | invited once more | taken back |
//! |---|---|---|
//! | none | made, without a seat | not found |
//! | invited | new link, for a week again | removed |
//! | activated, suspended | role and team as asked for, nothing sent | refused |

use std::collections::HashMap;

use entity::{
    id::{UserId, WorkspaceId},
    invitation::Model,
    timestamp::Timestamp,
    user,
};
use secrecy::{ExposeSecret, SecretString};

use crate::{app::App, error::Result};

pub mod accept;
pub mod invite;
pub mod mail;
mod store;
pub mod withdraw;

/// How long a link works, in seconds.
pub const LINK_SECONDS: i64 = 7 * 24 * 3600;
/// Most users of one workspace that have not accepted yet.
pub const MAX_OPEN: u64 = 999;

/// How an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be accepted.
    Pending,
    /// It was.
    Accepted,
    /// Its week is over.
    Expired,
}

impl Standing {
    /// How an invitation stands at this instant.
    #[must_use]
    pub fn of(invitation: &Model, now: Timestamp) -> Self {
        match invitation.accepted_at {
            Some(_) => Self::Accepted,
            None if invitation.expires_at <= now => Self::Expired,
            None => Self::Pending,
        }
    }
}

/// How the invitations of a workspace's users stand.
///
/// # Errors
/// What the database says.
pub async fn standings(app: &App, workspace_id: WorkspaceId) -> Result<HashMap<UserId, Standing>> {
    let now = app.clock.now();
    let rows = store::all(app.db.reader(), workspace_id).await?;
    Ok(rows.into_iter().map(|row| (row.user_id, Standing::of(&row, now))).collect())
}

/// Reads a role that somebody is invited to, without regard to case: the contract has five, of which all but `admin` are
/// agents here. The owner is made with the workspace.
///
/// # Errors
/// `invalid_request` naming `role`.
pub fn parse_role(text: &str) -> Result<user::Role> {
    match text.trim().to_ascii_lowercase().as_str() {
        "admin" => Ok(user::Role::Admin),
        "agent" | "team_supervisor" | "teammate" | "collaborator" => Ok(user::Role::Agent),
        _ => {
            let reason = "must be admin, team_supervisor, teammate, agent or collaborator";
            Err(crate::error::Error::field("role", reason))
        }
    }
}

fn url(app: &App, token: &SecretString) -> SecretString {
    format!("{}/invite/{}", app.config.public_url, token.expose_secret()).into()
}

fn purpose(user_id: UserId) -> String {
    format!("invitations:{user_id}")
}
