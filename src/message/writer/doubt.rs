//! Messages whose commit was not answered. It is looked up what came of it until the database says so; then the callers
//! are told, if they still wait, and the holds end. After ten minutes nobody waits any more and the holds have ended by
//! themselves, so it is left at that.
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
    signal::Signal,
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often it is said that nothing is known yet.
const SAID_EVERY: Duration = Duration::from_secs(60);
/// How long it is looked up.
const LOOKED_UP_FOR: Duration = Duration::from_secs(600);

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
    let workspaces: BTreeSet<WorkspaceId> = messages.iter().map(|one| one.sending.caller.workspace.id).collect();
    let workspaces: Vec<WorkspaceId> = workspaces.into_iter().collect();
    let Some(found) = find(&app, &messages, &workspaces, begun_at).await else {
        tracing::error!(of = messages.len(), "it stays unknown what came of a batch of messages");
        // They may be stored.
        workspaces.into_iter().for_each(|id| app.figures.forget(id));
        return app.signals.publish(Signal::Work);
    };
    tracing::info!(stored = found.stored.len(), of = messages.len(), "it is known what came of a batch of messages");
    let (mut sendings, mut answers) = (Vec::with_capacity(messages.len()), Vec::with_capacity(messages.len()));
    for one in messages {
        let is_stored = found.stored.contains(&one.id);
        answers.push((one.asker, if is_stored { Ok(one.id) } else { Err(Error::Busy { retry_after: RETRY_AFTER }) }));
        sendings.push(one.sending);
    }
    conclude(&app, &sendings, answers, &found.ledger, !found.stored.is_empty());
}

/// Looks until it is known, or for so long that nobody needs it any more.
async fn find(app: &App, messages: &[Doubtful], workspaces: &[WorkspaceId], begun_at: Timestamp) -> Option<Found> {
    let ids: Vec<MessageId> = messages.iter().map(|one| one.id).collect();
    let (doubted, mut patience) = (app.clock.stopwatch(), Patience::default());
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match db::retried(|| look(app, &ids, workspaces, begun_at)).await {
            Ok(found) => return Some(found),
            Err(error) => error,
        };
        match patience.after(doubted.elapsed()) {
            Step::Say => tracing::warn!(%error, "it is not known yet what came of a batch of messages"),
            Step::GoOn => tracing::debug!(%error, "it is not known yet what came of a batch of messages"),
            Step::GiveUp => return None,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What follows a look that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Say,
    GoOn,
    GiveUp,
}

/// When it was said last that nothing is known.
#[derive(Default)]
struct Patience {
    said_at: Option<Duration>,
}

impl Patience {
    /// What follows a look that failed so long after the first.
    fn after(&mut self, waited: Duration) -> Step {
        if waited >= LOOKED_UP_FOR {
            return Step::GiveUp;
        }
        if self.said_at.is_some_and(|said_at| waited < said_at + SAID_EVERY) {
            return Step::GoOn;
        }
        self.said_at = Some(waited);
        Step::Say
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_at_once_then_every_minute_and_ends_after_ten() {
        let mut patience = Patience::default();
        for (seconds, step) in [
            (1, Step::Say),
            (2, Step::GoOn),
            (60, Step::GoOn),
            (62, Step::Say),
            (121, Step::GoOn),
            (122, Step::Say),
            (599, Step::Say),
            (600, Step::GiveUp),
        ] {
            assert_eq!(patience.after(Duration::from_secs(seconds)), step, "{seconds}");
        }
    }
}
