//! Workspaces: the customers of partners, with their seats.
//!
//! `seats_used <= seats_total` is a constraint of the database; every change of either is one guarded statement in
//! the transaction that needs it. Every function takes the partner first: another partner's workspace does not exist.

use entity::{
    id::{GroupId, PartnerId, PlanId, UserId, WorkspaceSlug},
    timestamp::Timestamp,
    user,
    workspace::{Model, Status},
};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Result};

pub mod create;
pub mod list;
pub mod overview;
pub mod seats;
pub mod slug;
mod store;
pub mod update;

pub(crate) use store::{by_id, lock, take_seats};

/// Fewest and most seats of a workspace.
pub const SEATS: std::ops::RangeInclusive<i32> = 1..=999;
const MAX_NAME_CHARS: usize = 100;

/// A name for people: 1 to 100 characters, no control characters, no white space around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DisplayName(String);

impl DisplayName {
    /// Reads a name.
    ///
    /// # Errors
    /// `invalid_request` naming `display_name`.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let length = text.chars().count();
        if !(1..=MAX_NAME_CHARS).contains(&length) {
            return Err(Error::field("display_name", format!("must be 1 to {MAX_NAME_CHARS} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(Error::field("display_name", "must not contain control characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for search and order, alike on both databases.
    #[must_use]
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

/// Folds text for search and order.
#[must_use]
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// The canonical composition of text (Unicode's NFC): what looks alike in it is alike. Names are kept so.
#[must_use]
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// A number of seats, 1 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Seats(i32);

impl Seats {
    /// Reads a number of seats.
    ///
    /// # Errors
    /// `invalid_request` naming `seats_purchased`.
    pub fn parse(count: i64) -> Result<Self> {
        let seats = i32::try_from(count).ok().filter(|seats| SEATS.contains(seats));
        seats
            .map(Self)
            .ok_or_else(|| Error::field("seats_purchased", format!("must be {} to {}", SEATS.start(), SEATS.end())))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

/// An IANA time zone that the calendar knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TimeZoneName(String);

impl TimeZoneName {
    /// Reads a zone and gives it its canonical spelling.
    ///
    /// # Errors
    /// `invalid_request` naming `time_zone`.
    pub fn parse(text: &str) -> Result<Self> {
        let zone = jiff::tz::TimeZone::get(text).ok();
        let name = zone.as_ref().and_then(|zone| zone.iana_name());
        name.map(|name| Self(name.to_owned()))
            .ok_or_else(|| Error::field("time_zone", "must be an IANA zone such as Europe/Paris"))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TimeZoneName {
    fn default() -> Self {
        Self("UTC".to_owned())
    }
}

/// A workspace as an answer showed it. Answers are kept for replays, so what is added here later needs a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the column of the same name")]
pub struct Snapshot {
    pub slug: WorkspaceSlug,
    pub display_name: String,
    pub plan_id: PlanId,
    pub status: Status,
    pub seats_total: i32,
    pub seats_used: i32,
    pub owner_user_id: Option<UserId>,
    pub group_id: Option<GroupId>,
    pub time_zone: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl From<&Model> for Snapshot {
    fn from(workspace: &Model) -> Self {
        Self {
            slug: workspace.slug.clone(),
            display_name: workspace.display_name.clone(),
            plan_id: workspace.plan_id,
            status: workspace.status,
            seats_total: workspace.seats_total,
            seats_used: workspace.seats_used,
            owner_user_id: workspace.owner_user_id,
            group_id: workspace.group_id,
            time_zone: workspace.time_zone.clone(),
            created_at: workspace.created_at,
            updated_at: workspace.updated_at,
        }
    }
}

/// A user that lost its seat in a downgrade, with the account that stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspendedMember {
    /// The user.
    pub user_id: UserId,
    /// Its account, if one was connected.
    pub account: Option<(entity::id::AccountId, String)>,
}

/// The partner's workspace of this id.
///
/// # Errors
/// `workspace_not_found`, for another partner's too.
pub async fn find(db: &impl ConnectionTrait, partner_id: &PartnerId, slug: &str) -> Result<Model> {
    let slug = WorkspaceSlug::parse(slug).map_err(|_| Error::WorkspaceNotFound)?;
    store::find(db, partner_id, &slug).await?.ok_or(Error::WorkspaceNotFound)
}

/// The user of this workspace.
///
/// # Errors
/// `user_not_found`, for another workspace's too.
pub async fn find_user(db: &impl ConnectionTrait, workspace: &Model, id: UserId) -> Result<user::Model> {
    crate::user::find(db, workspace.id, id).await?.ok_or(Error::UserNotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_seats_and_zones_are_parsed_once() {
        assert_eq!(DisplayName::parse("  Bakery North ").expect("name").as_str(), "Bakery North");
        assert!(DisplayName::parse(&"ä".repeat(100)).is_ok());
        for bad in ["", "   ", "a\u{0}b", "a\nb", &"x".repeat(101)] {
            assert!(DisplayName::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Seats::parse(999).expect("seats").get(), 999);
        for bad in [0, -1, 1000, i64::MAX, i64::MIN] {
            assert!(Seats::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(TimeZoneName::parse("europe/paris").expect("zone").as_str(), "Europe/Paris");
        for bad in ["", "Mars/Olympus", "+02:00", "Europe/Paris\u{0}", "../../etc/passwd"] {
            assert!(TimeZoneName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
