//! Work that must happen after a commit, stored in the transaction that makes it necessary.
//!
//! The runner is [`crate::job`]. Work is at least once: whoever does it reads the state again first.

use entity::{
    channel::ConnectorKind,
    id::{AttemptId, JobId, PlanId},
    job,
};
use sea_orm::{ActiveModelTrait, DatabaseTransaction, Set};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    error::{Error, Result},
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
}

/// Stores work that is due at once. After the commit, publish [`crate::signal::Signal::Work`].
///
/// # Errors
/// What the database says.
pub async fn enqueue(app: &App, tx: &DatabaseTransaction, work: &Work) -> Result<()> {
    let now = app.clock.now();
    let work = serde_json::to_string(work).map_err(|error| Error::Internal(format!("job: {error}")))?;
    let row = job::ActiveModel {
        id: Set(JobId(app.clock.uuid())),
        work: Set(work),
        due_at: Set(now),
        tries: Set(0),
        last_error: Set(None),
        created_at: Set(now),
    };
    row.insert(tx).await?;
    Ok(())
}
