//! Messages whose commit was not answered. It is looked up what came of it until the database says so; then the callers
//! are told, if they still wait, and the holds end.
//!
//! What was not answered may still be under way. The look takes the rows that the commit takes, so it waits for one that
//! has them, and it counts their revisions on, so that one that comes later finds them changed and does nothing.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use entity::{
    id::{MessageId, WorkspaceId},
    timestamp::Timestamp,
};

use crate::{
    app::App,
    db,
    error::{Error, Result},
    message::{
        send::Sending,
        writer::{
            Asker, RETRY_AFTER,
            charge::{Accounts, Charged},
            conclude, store,
        },
    },
    quota::Period,
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A message that is stored, or not.
pub(super) struct Doubtful {
    id: MessageId,
    sending: Sending,
    asker: Asker,
}

impl Doubtful {
    /// From now on whoever waits knows which message it is.
    pub(super) fn new(id: MessageId, sending: Sending, asker: Asker) -> Self {
        // It is doubted once.
        let _ = asker.doubted.set(id);
        Self { id, sending, asker }
    }
}

/// What the database has.
struct Found {
    stored: HashSet<MessageId>,
    ledger: Vec<Charged>,
}

/// Finds out what came of messages of one batch, which began at this instant.
pub(super) async fn settle(app: Arc<App>, messages: Vec<Doubtful>, begun_at: Timestamp) {
    let found = find(&app, &messages, begun_at).await;
    tracing::info!(stored = found.stored.len(), of = messages.len(), "it is known what came of a batch of messages");
    let (mut sendings, mut answers) = (Vec::with_capacity(messages.len()), Vec::with_capacity(messages.len()));
    for one in messages {
        let is_stored = found.stored.contains(&one.id);
        answers.push((one.asker, if is_stored { Ok(one.id) } else { Err(Error::Busy { retry_after: RETRY_AFTER }) }));
        sendings.push(one.sending);
    }
    conclude(&app, &sendings, answers, &found.ledger, !found.stored.is_empty());
}

async fn find(app: &App, messages: &[Doubtful], begun_at: Timestamp) -> Found {
    let ids: Vec<MessageId> = messages.iter().map(|one| one.id).collect();
    let workspaces: BTreeSet<WorkspaceId> = messages.iter().map(|one| one.sending.caller.workspace.id).collect();
    let workspaces: Vec<WorkspaceId> = workspaces.into_iter().collect();
    let mut pause = FIRST_PAUSE;
    loop {
        match db::retried(|| look(app, &ids, &workspaces, begun_at)).await {
            Ok(found) => return found,
            Err(error) => tracing::debug!(%error, "it is not known yet what came of a batch of messages"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn look(app: &App, ids: &[MessageId], workspaces: &[WorkspaceId], begun_at: Timestamp) -> Result<Found> {
    db::write(&app.db, "message.look", async |tx| {
        let period = Period::containing(app.clock.now())?;
        // Opens the period if the commit may have been about to: then it waits for that.
        let accounts = Accounts::take(app, tx, workspaces, period).await?;
        store::bar(tx, workspaces, Period::containing(begun_at)?.start).await?;
        let stored = store::stored(tx, ids).await?.into_iter().collect();
        Ok(Found { stored, ledger: accounts.left(period)? })
    })
    .await
}
