//! Work that must happen after a commit, stored in the transaction that makes it necessary.
//!
//! The runner is [`crate::job`]. Work is at least once: whoever does it reads the state again first. What has to keep its
//! order stands in one lane, of which one is done at a time, the oldest first.

use std::{collections::HashSet, time::Duration};

use entity::{
    channel::ConnectorKind,
    id::{AttemptId, JobId, MessageId, PlanId, SubscriptionId, UserId, WorkspaceId},
    job,
    timestamp::Timestamp,
};
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect, Set};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    connector::callback::Event,
    error::{Error, Result},
    message::status::Receipt,
};

/// What to do. Names stay readable for one release after they are dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// End a session at its provider, so that it neither rings on nor bills.
    EndSession {
        /// Who speaks to the provider.
        connector: ConnectorKind,
        /// Which session.
        session: AttemptId,
    },
    /// A provider says that a session changed.
    SessionChanged {
        /// Who speaks to the provider.
        connector: ConnectorKind,
        /// Which session.
        session: AttemptId,
    },
    /// A plan allows more or less than before: quotas of its workspaces may have recovered.
    PlanChanged {
        /// Which plan.
        plan: PlanId,
    },
    /// A provider says what became of a message.
    MessageStatus {
        /// What it says.
        receipt: Receipt,
        /// When we heard of it, where the message may be one that is only just being stored.
        #[serde(default)]
        heard_at: Option<Timestamp>,
    },
    /// A provider tells of something that happened in a session.
    ProviderEvent {
        /// Who speaks to the provider.
        connector: ConnectorKind,
        /// Which session.
        session: AttemptId,
        /// What.
        event: Box<Event>,
        /// When, as the provider says.
        happened_at: Timestamp,
        /// When we heard of it.
        heard_at: Timestamp,
    },
    /// The account's own reaction to a message has changed: its provider is to have it.
    SendReaction {
        /// Whose message.
        workspace: WorkspaceId,
        /// Which message.
        message: MessageId,
    },
    /// Somebody is to be told by mail that they are invited.
    SendInvitation {
        /// Where to.
        workspace: WorkspaceId,
        /// Who.
        user: UserId,
    },
    /// Somebody is to be told by mail that a webhook of their workspace does not work.
    WarnOfWebhook {
        /// Where.
        workspace: WorkspaceId,
        /// Who.
        user: UserId,
        /// Which webhook.
        subscription: SubscriptionId,
    },
}

impl Work {
    /// The line in which it stands: a session's, begun with who speaks to its provider; that of an account for what became
    /// of its messages; that of a message for what is done to it. `None` where it waits for nothing.
    #[must_use]
    pub fn lane(&self) -> Option<String> {
        match self {
            Self::EndSession { connector, session }
            | Self::SessionChanged { connector, session }
            | Self::ProviderEvent { connector, session, .. } => Some(format!("{connector}/{session}")),
            Self::MessageStatus { receipt, .. } => Some(format!("account/{}", receipt.account_id)),
            Self::SendReaction { message, .. } => Some(format!("message/{message}")),
            Self::PlanChanged { .. } | Self::SendInvitation { .. } | Self::WarnOfWebhook { .. } => None,
        }
    }
}

/// Stores work that is due at once. After the commit, publish [`crate::signal::Signal::Work`].
///
/// # Errors
/// What the database says.
pub async fn enqueue(app: &App, tx: &DatabaseTransaction, work: &Work) -> Result<()> {
    enqueue_after(app, tx, work, Duration::ZERO).await
}

/// Stores of this work what is not stored yet: what waits, is tried again later, or is being done, is not there twice.
/// Only for work in a lane, and that may miss what changes while it is done.
///
/// # Errors
/// What the database says.
pub async fn enqueue_unless_stored(app: &App, tx: &DatabaseTransaction, all: &[Work]) -> Result<()> {
    let texts: Vec<String> = all.iter().map(written).collect::<Result<_>>()?;
    let stored = job::Entity::find()
        .select_only()
        .column(job::Column::Work)
        .filter(job::Column::Lane.is_in(all.iter().filter_map(Work::lane)))
        .filter(job::Column::Work.is_in(texts));
    let stored: HashSet<String> = stored.into_tuple::<String>().all(tx).await?.into_iter().collect();
    for work in all {
        if !stored.contains(&written(work)?) {
            enqueue(app, tx, work).await?;
        }
    }
    Ok(())
}

fn written(work: &Work) -> Result<String> {
    serde_json::to_string(work).map_err(|error| Error::Internal(format!("job: {error}")))
}

/// Stores work that is due after a while.
///
/// # Errors
/// What the database says.
pub async fn enqueue_after(app: &App, tx: &DatabaseTransaction, work: &Work, wait: Duration) -> Result<()> {
    let now = app.clock.now();
    let due_at = Timestamp(now.0.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)));
    let row = job::ActiveModel {
        id: Set(JobId(app.clock.uuid())),
        work: Set(written(work)?),
        due_at: Set(due_at),
        tries: Set(0),
        last_error: Set(None),
        created_at: Set(now),
        lane: Set(work.lane()),
        placed_at: Set(due_at),
    };
    row.insert(tx).await?;
    Ok(())
}
