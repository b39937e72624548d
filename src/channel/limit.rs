//! How many channels a workspace can have: as many as its plan says, or as many as it has seats.
//!
//! A channel that was made over the Channels API takes a place until it is deleted. The accounts that a user's pages
//! have linked take one place together, since only one of them is connected at a time; they take none while the user
//! holds no seat. If somebody else has their place when the user is given a seat again, they stay switched off, and take
//! none until they find one: when seats are set the next time, or when the user links an account. What is there stays,
//! even if a plan comes to allow less. Whoever adds a channel, or gives one its place again, holds the workspace's row, so
//! that nobody else takes the same place.

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
    within(limit(plan, workspace), taken(db, workspace).await?.len() + 1)
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
    within(limit(&plans::by_id(db, workspace.plan_id).await?, workspace), after.len())
}

/// The places of a workspace, given to users who come back.
pub(crate) struct Places {
    taken: HashSet<Place>,
    limit: i32,
}

impl Places {
    /// Those that are taken now, of as many as its plan and its seats allow.
    pub(crate) async fn of(db: &impl ConnectionTrait, workspace: &workspace::Model) -> Result<Self> {
        let limit = limit(&plans::by_id(db, workspace.plan_id).await?, workspace);
        Ok(Self { taken: taken(db, workspace).await?, limit })
    }

    /// Whether what this user's pages have linked has a place, or would find one.
    pub(crate) fn has_one_for(&self, user_id: UserId) -> bool {
        self.taken.contains(&Place::User(user_id)) || within(self.limit, self.taken.len() + 1).is_ok()
    }

    /// Gives the user's accounts the place that there is for them.
    pub(crate) fn give(&mut self, user_id: UserId) {
        self.taken.insert(Place::User(user_id));
    }
}

async fn taken(db: &impl ConnectionTrait, workspace: &workspace::Model) -> Result<HashSet<Place>> {
    Ok(standalone::places(db, workspace.id).await?.into_iter().map(|(_, place)| place).collect())
}

fn limit(plan: &plan::Model, workspace: &workspace::Model) -> i32 {
    plan.max_channels.unwrap_or(workspace.seats_total)
}

fn within(limit: i32, taken: usize) -> Result<()> {
    if taken <= usize::try_from(limit).unwrap_or(0) { Ok(()) } else { Err(Error::ChannelLimitReached { limit }) }
}
