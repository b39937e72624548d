//! Users: the seat holders of a workspace. Created by number, named by the system, at most one channel each.

use entity::{
    id::{GroupId, PartnerId, UserId, WorkspaceId},
    timestamp::Timestamp,
    user,
};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    error::{Error, Result},
    page::{Page, PageRequest},
    workspace,
};

pub mod create;
mod store;

pub(crate) use store::{
    all, by_email, by_ids, find, group_of_title, groups, holders, in_charge, insert_default_group, latest_suspended,
    lock, restore, suspend,
};

/// Most users of one request.
pub const MAX_COUNT: i32 = 99;

/// A number of users to create, 1 to 99.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Count(i32);

impl Count {
    /// Reads a number of users.
    ///
    /// # Errors
    /// `invalid_request` naming `count`.
    pub fn parse(count: i64) -> Result<Self> {
        let count = i32::try_from(count).ok().filter(|count| (1..=MAX_COUNT).contains(count));
        count.map(Self).ok_or_else(|| Error::field("count", format!("must be 1 to {MAX_COUNT}")))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

/// A user as an answer showed it. Answers are kept for replays, so what is added here later needs a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the column of the same name")]
pub struct Snapshot {
    pub id: UserId,
    pub display_name: String,
    pub email: String,
    pub role: user::Role,
    pub status: user::Status,
    pub created_at: Timestamp,
}

impl From<&user::Model> for Snapshot {
    fn from(user: &user::Model) -> Self {
        Self {
            id: user.id,
            display_name: user.display_name.clone(),
            email: user.email.clone(),
            role: user.role,
            status: user.status,
            created_at: user.created_at,
        }
    }
}

/// Users to be written.
pub(crate) struct NewUsers {
    /// What they are.
    pub role: user::Role,
    /// How many.
    pub count: i32,
    /// Their group.
    pub group_id: GroupId,
}

/// One page of the users of the partner's workspace, by id.
///
/// # Errors
/// `workspace_not_found`.
pub async fn list(app: &App, partner_id: &PartnerId, slug: &str, page: PageRequest) -> Result<Page<user::Model>> {
    let workspace = workspace::find(app.db.reader(), partner_id, slug).await?;
    let rows = store::page(app.db.reader(), workspace.id, page).await?;
    Ok(Page::of(rows, page, |user| user.id.0))
}

/// Everybody in a workspace.
pub struct Roster {
    /// Users, by id.
    pub users: Vec<user::Model>,
    /// Groups, by id.
    pub groups: Vec<entity::group::Model>,
}

/// Everybody in a workspace that a caller has proved to be in.
///
/// # Errors
/// What the database says.
pub async fn roster(app: &App, workspace_id: WorkspaceId) -> Result<Roster> {
    let db = app.db.reader();
    Ok(Roster { users: all(db, workspace_id).await?, groups: groups(db, workspace_id).await? })
}
