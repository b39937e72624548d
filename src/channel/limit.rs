//! How many channels a workspace can have: as many as its plan says, or as many as it has seats.
//!
//! A channel that was made over the Channels API takes a place until it is deleted. The accounts that a user's pages
//! have linked take one place together, since only one of them is connected at a time; they take none while the user
//! holds no seat. What is there stays, even if a plan comes to allow less. Whoever adds a channel holds the workspace's
//! row, so that nobody else takes the same place.

use std::collections::HashSet;

use entity::{
    channel::Model,
    id::{AccountId, UserId},
    plan, workspace,
};
use sea_orm::ConnectionTrait;

use crate::{
    channel::store::standalone,
    error::{Error, Result},
    plan as plans,
};

/// What takes a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A channel that was made over the Channels API.
    Channel(AccountId),
    /// All that a user's pages have linked.
    User(UserId),
}

/// Passes if the workspace can have one channel more.
pub(super) async fn require_place(
    db: &impl ConnectionTrait,
    workspace: &workspace::Model,
    plan: &plan::Model,
) -> Result<()> {
    let places = standalone::places(db, workspace.id).await?;
    let taken: HashSet<Place> = places.into_iter().map(|(_, place)| place).collect();
    within(plan, workspace, taken.len() + 1)
}

/// Passes if the workspace can have an account that a page of this user's links; `known` is its channel, where it has
/// been connected in the workspace before.
///
/// # Errors
/// `channel_limit_reached`.
pub(crate) async fn require_place_for(
    db: &impl ConnectionTrait,
    workspace: &workspace::Model,
    user_id: UserId,
    known: Option<&Model>,
) -> Result<()> {
    let places = standalone::places(db, workspace.id).await?;
    let before: HashSet<Place> = places.iter().map(|(_, place)| *place).collect();
    let others = places.into_iter().filter(|(id, _)| known.is_none_or(|known| known.account_id != *id));
    let mut after: HashSet<Place> = others.map(|(_, place)| place).collect();
    after.insert(match known {
        Some(known) if known.standalone => Place::Channel(known.account_id),
        _ => Place::User(user_id),
    });
    if after.len() <= before.len() {
        return Ok(());
    }
    within(&plans::by_id(db, workspace.plan_id).await?, workspace, after.len())
}

fn within(plan: &plan::Model, workspace: &workspace::Model, taken: usize) -> Result<()> {
    let limit = plan.max_channels.unwrap_or(workspace.seats_total);
    if taken <= usize::try_from(limit).unwrap_or(0) { Ok(()) } else { Err(Error::ChannelLimitReached { limit }) }
}
