//! The meter: a fast guess that may vanish (DESIGN Credits 2 and 4). It says no; only the ledger says yes.
//!
//! One call asks for everything at once: a place in every rate window (token, workspace, partner), one API call of the
//! period, and a hold on the message's credits. What is refused consumes nothing. The rules are integer arithmetic in
//! microseconds ([`rule`]); `admit.lua` on Redis is their twin, and a property test holds them together. Asks that
//! arrive while others are on their way to Redis go together, in one call per partner, whose keys share a hash tag.
//!
//! Holds live for one to two [`rule::HOLD_MICROS`] and end by themselves, so a process that dies gives them back. If
//! Redis does not answer within its time-outs, rates are limited in process and credits are left to the ledger, until
//! a task that keeps trying has it back. If the meter has lost what it knew of a workspace, it says so and is told
//! again from the ledger. API calls that it has missed it hears of when they have been written down.

use entity::{
    credits::Credits,
    id::{PartnerId, TokenId, WorkspaceId},
    plan,
    timestamp::Timestamp,
};

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use secrecy::SecretString;
use tokio::sync::watch;

use crate::{caller::WorkspaceCaller, quota::Period};

pub mod admission;
mod calls;
mod gather;
mod local;
pub mod rule;
mod shared;
mod unsettled;

pub use calls::{Calls, Counted};
pub use local::Local;
pub use shared::Shared;
use unsettled::Unsettled;

const SETTLE_EVERY: Duration = Duration::from_millis(500);
/// Most workspaces of one call: Redis does nothing else meanwhile.
const SETTLED_AT_ONCE: usize = 64;
/// Most calls on their way to Redis at once.
const SETTLING_AT_ONCE: usize = 8;

/// The meter of this process, on Redis where one is configured.
#[derive(Default)]
pub struct Meter {
    local: Local,
    shared: Option<Arc<Shared>>,
    unsettled: Unsettled,
    /// API calls that are not in the ledger yet.
    pub calls: Calls,
}

impl Meter {
    /// A meter that all replicas share. Redis need not answer now.
    ///
    /// # Errors
    /// If the URL is not one.
    pub fn shared(redis_url: &SecretString, prefix: &str) -> Result<Self, redis::RedisError> {
        Ok(Self { shared: Some(Arc::new(Shared::new(redis_url, prefix)?)), ..Self::default() })
    }

    /// Keeps the connection to Redis, if one is configured, and tells it of settlements, until `stop` says so.
    pub async fn keep_connected(&self, stop: watch::Receiver<bool>) {
        if let Some(shared) = &self.shared {
            tokio::spawn({
                let shared = Arc::clone(shared);
                async move { shared.carry().await }
            });
            tokio::join!(shared.keep_connected(stop.clone()), self.keep_settling(shared, stop));
        }
    }

    async fn keep_settling(&self, shared: &Shared, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(SETTLE_EVERY) => {}
                _ = stop.changed() => {}
            }
            let mut partners: HashMap<PartnerId, Vec<(WorkspaceId, Settlement)>> = HashMap::new();
            for (workspace_id, (partner_id, settlement)) in self.unsettled.take() {
                partners.entry(partner_id).or_default().push((workspace_id, settlement));
            }
            let mut calls = Vec::new();
            for (partner_id, all) in &partners {
                calls.extend(all.chunks(SETTLED_AT_ONCE).map(|some| self.settle_or_keep(shared, partner_id, some)));
            }
            stream::iter(calls).buffer_unordered(SETTLING_AT_ONCE).collect::<()>().await;
        }
    }

    /// Tells Redis of settlements; if it does not answer, they are told again later.
    async fn settle_or_keep(&self, shared: &Shared, partner_id: &PartnerId, some: &[(WorkspaceId, Settlement)]) {
        if !shared.settle_all(partner_id, some).await {
            some.iter().for_each(|(id, settlement)| self.unsettled.add(partner_id, *id, settlement));
        }
    }

    /// Answers an ask, with the credits that it holds. While Redis does not answer, rates and calls are limited in
    /// process, and nothing is held: the ledger alone decides.
    async fn admit(&self, subject: Subject<'_>, ask: &Ask) -> (Verdict, Credits) {
        let Some(shared) = &self.shared else { return (self.local.admit(subject, ask), ask.credits) };
        match shared.admit(subject, ask).await {
            Some(verdict) => (verdict, ask.credits),
            None => (self.local.admit(subject, &Ask { credits: Credits::ZERO, ..*ask }), Credits::ZERO),
        }
    }

    fn count(&self, workspace_id: WorkspaceId, period_start: Timestamp) {
        self.calls.count(workspace_id, period_start);
    }

    /// Ends holds and says what the ledger knows; on Redis within a second.
    pub fn settle(&self, partner_id: &PartnerId, workspace_id: WorkspaceId, settlement: &Settlement) {
        if self.shared.is_some() {
            self.unsettled.add(partner_id, workspace_id, settlement);
        }
        // What stands in for Redis hears of calls too, or it would go on from where it stood in last.
        if self.shared.is_none() || settlement.calls > 0 {
            self.local.settle(workspace_id, settlement);
        }
    }

    /// Forgets what says nothing any more.
    pub fn prune(&self, now: Timestamp) {
        self.local.prune(now);
    }
}

/// Whom the three windows are of.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The partner.
    pub partner_id: &'a PartnerId,
    /// Its workspace.
    pub workspace_id: WorkspaceId,
    /// The workspace's token.
    pub token_id: TokenId,
}

impl<'a> From<&'a WorkspaceCaller> for Subject<'a> {
    fn from(caller: &'a WorkspaceCaller) -> Self {
        Self { partner_id: &caller.workspace.partner_id, workspace_id: caller.workspace.id, token_id: caller.token_id }
    }
}

/// The windows of token, workspace and partner, in this order.
#[must_use]
pub fn windows(plan: &plan::Model) -> [rule::Window; 3] {
    [
        rule::Window::new(plan.token_rate_per_second, plan.token_burst),
        rule::Window::new(plan.workspace_rate_per_second, 0),
        rule::Window::new(plan.partner_rate_per_second, 0),
    ]
}

/// What is asked of the meter.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// When.
    pub now: Timestamp,
    /// The current period.
    pub period: Period,
    /// The windows of token, workspace and partner.
    pub windows: [rule::Window; 3],
    /// Most API calls of the period; `None` counts the call without refusing it.
    pub calls_limit: Option<i64>,
    /// Credits to hold, zero for none.
    pub credits: Credits,
    /// What the ledger knows, for a meter that does not.
    pub snapshot: Option<Snapshot>,
}

/// What the ledger knows of a workspace in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Counts the changes of what is left, so that an older figure does not replace a newer one.
    pub revision: i64,
    /// Credits left.
    pub left: Credits,
    /// API calls counted.
    pub calls: i64,
}

/// What the meter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be done.
    Allowed {
        /// Places left in each window.
        left: [rule::Left; 3],
        /// API calls counted, with this one.
        calls: i64,
        /// The generation of the hold, to give it back.
        generation: i64,
    },
    /// A window is full.
    Limited {
        /// Which.
        window: usize,
        /// When there is a place, in microseconds from now.
        wait_micros: i64,
    },
    /// The period's API calls are used up.
    CallsExhausted,
    /// As far as the meter knows there are not enough credits. It does not know of grants and refunds, so the ledger
    /// is to be asked.
    CreditsShort {
        /// Places left in each window.
        left: [rule::Left; 3],
    },
    /// The meter knows nothing of the workspace: ask again with a snapshot.
    Cold,
}

/// What became of holds, and of the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Settlement {
    /// When.
    pub now: Timestamp,
    /// The period that it is about.
    pub period: Period,
    /// What the ledger knows now; absent if nothing was learnt.
    pub snapshot: Option<Snapshot>,
    /// Holds that end, summed up by generation: the newest one seen and the one before it.
    pub generation: i64,
    /// Credits of that generation.
    pub held: Credits,
    /// Credits of the generation before.
    pub held_before: Credits,
    /// API calls that the ledger has counted; 0 if nothing was learnt of them.
    pub calls: i64,
}

impl Settlement {
    /// The end of one hold.
    #[must_use]
    pub const fn ending(now: Timestamp, period: Period, generation: i64, held: Credits) -> Self {
        Self { now, period, snapshot: None, generation, held, held_before: Credits::ZERO, calls: 0 }
    }

    /// What the ledger has counted.
    #[must_use]
    pub const fn counted(now: Timestamp, period: Period, calls: i64) -> Self {
        Self { calls, ..Self::ending(now, period, 0, Credits::ZERO) }
    }
}
