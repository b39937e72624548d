//! Reading figures for many callers at once.
//!
//! All who ask while one query runs are answered by the next one, which begins after they asked: each sees everything
//! that was committed before it asked, and a thousand readers cost a few queries.

use std::{collections::HashMap, sync::Arc, time::Duration};

use entity::id::WorkspaceId;
use tokio::sync::{mpsc, oneshot};

use crate::{
    app::App,
    error::{Error, Kind, Result},
    quota::{Period, figures::Figures, store},
};

const WAITING_AT_MOST: usize = 8192;
const AT_ONCE: usize = 512;

/// Quotas of a workspace, its seats included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Quotas of the current period.
    pub figures: Figures,
    /// Seats bought.
    pub seats_total: i32,
    /// Seats in use.
    pub seats_used: i32,
}

struct Question {
    workspace_id: WorkspaceId,
    answer: oneshot::Sender<Result<Overview>>,
}

/// Where questions go.
pub struct Reader(mpsc::Sender<Question>);

/// Where they come out.
pub struct Questions(mpsc::Receiver<Question>);

impl Reader {
    /// A reader, and what [`serve`] answers.
    #[must_use]
    pub fn new() -> (Self, Questions) {
        let (sender, receiver) = mpsc::channel(WAITING_AT_MOST);
        (Self(sender), Questions(receiver))
    }

    /// The figures of a workspace, as of now or later.
    ///
    /// # Errors
    /// `busy` if too many wait; what the database says.
    pub async fn read(&self, workspace_id: WorkspaceId) -> Result<Overview> {
        let busy = || Error::Busy { retry_after: Duration::from_secs(1) };
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Question { workspace_id, answer }).map_err(|_| busy())?;
        answered.await.map_err(|_| busy())?
    }
}

/// Answers questions for as long as the application lives.
pub async fn serve(app: Arc<App>, mut questions: Questions) {
    let mut waiting = Vec::with_capacity(AT_ONCE);
    while questions.0.recv_many(&mut waiting, AT_ONCE).await > 0 {
        let mut ids: Vec<WorkspaceId> = waiting.iter().map(|question| question.workspace_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let found = read(&app, &ids).await;
        for question in waiting.drain(..) {
            // Whoever has stopped waiting needs no answer.
            let _ = question.answer.send(answer(&found, question.workspace_id));
        }
    }
}

fn answer(found: &Result<HashMap<WorkspaceId, Overview>>, id: WorkspaceId) -> Result<Overview> {
    match found {
        Ok(found) => found.get(&id).copied().ok_or(Error::WorkspaceNotFound),
        Err(error) if error.code().kind() == Kind::Unavailable => {
            Err(Error::Busy { retry_after: Duration::from_secs(1) })
        }
        Err(error) => Err(Error::Internal(format!("quotas: {error}"))),
    }
}

async fn read(app: &App, ids: &[WorkspaceId]) -> Result<HashMap<WorkspaceId, Overview>> {
    let period = Period::containing(app.clock.now())?;
    let rows = store::overviews(app.db.reader(), ids, period.start).await?;
    rows.into_iter()
        .map(|row| {
            let figures = row.figures(period)?;
            let overview = Overview { figures, seats_total: row.seats_total, seats_used: row.seats_used };
            Ok((row.workspace_id, overview))
        })
        .collect()
}
