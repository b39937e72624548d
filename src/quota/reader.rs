//! Reading figures for many callers at once.
//!
//! All who ask while one query runs are answered by the next one, which begins after they asked: each sees everything
//! that was committed before it asked, and a thousand readers cost a few queries.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use entity::id::WorkspaceId;
use moka::future::Cache;
use tokio::{
    sync::{mpsc, oneshot},
    time::MissedTickBehavior,
};

use crate::{
    app::App,
    clock::Stopwatch,
    error::{Error, Kind, Result},
    quota::{Period, figures::Figures, store},
};

const WAITING_AT_MOST: usize = 8192;
const AT_ONCE: usize = 512;
/// How long an answer is good for those who need not know what other processes did in that time.
const KEEP_RECENT: Duration = Duration::from_secs(1);
/// How old an answer gets before it is read again for those who will want it next.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How often answers that grow old are read again, many at once.
const REFRESH_EVERY: Duration = Duration::from_millis(50);
const MOST_RECENT: u64 = 50_000;
const STRIPES: usize = 4096;
/// Least time between two queries.
const GATHERING: Duration = Duration::from_millis(2);

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

/// Where questions go, and what was answered lately.
pub struct Reader {
    questions: mpsc::Sender<Question>,
    recent: Cache<WorkspaceId, Arc<Recent>>,
    aging: Mutex<Vec<WorkspaceId>>,
    /// Counts what this process has written, in stripes of workspaces.
    epochs: Box<[AtomicU64]>,
}

/// An answer, and what this process had written when it was asked for.
struct Recent {
    overview: Overview,
    epoch: u64,
    age: Stopwatch,
    is_asked_again: AtomicBool,
}

/// Where they come out.
pub struct Questions(mpsc::Receiver<Question>);

impl Reader {
    /// A reader, and what [`serve`] answers.
    #[must_use]
    pub fn new() -> (Self, Questions) {
        let (questions, receiver) = mpsc::channel(WAITING_AT_MOST);
        let recent = Cache::builder().max_capacity(MOST_RECENT).time_to_live(KEEP_RECENT).build();
        let epochs = (0..STRIPES).map(|_| AtomicU64::new(0)).collect();
        (Self { questions, recent, aging: Mutex::default(), epochs }, Questions(receiver))
    }

    fn epoch(&self, workspace_id: WorkspaceId) -> &AtomicU64 {
        &self.epochs[usize::try_from(workspace_id.0).unwrap_or(0) % STRIPES]
    }

    /// This process has committed a change of the workspace's quotas: what was answered before counts no more.
    pub fn forget(&self, workspace_id: WorkspaceId) {
        self.epoch(workspace_id).fetch_add(1, Ordering::SeqCst);
    }

    /// The figures of a workspace: with everything that this process has written, and what others wrote a second ago.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn recent(&self, app: &App, workspace_id: WorkspaceId) -> Result<Overview> {
        let epoch = self.epoch(workspace_id).load(Ordering::SeqCst);
        if let Some(recent) = self.recent.get(&workspace_id).await
            && recent.epoch == epoch
            && recent.overview.figures.period == Period::containing(app.clock.now())?
        {
            // Where it is wanted often it is read again before its time, and nobody waits for that.
            if recent.age.elapsed() > ASK_AGAIN_AFTER && !recent.is_asked_again.swap(true, Ordering::Relaxed) {
                self.aging().push(workspace_id);
            }
            return Ok(recent.overview);
        }
        self.read(workspace_id).await
    }

    /// Workspaces whose answers are to be read again.
    fn aging(&self) -> MutexGuard<'_, Vec<WorkspaceId>> {
        // A list of ids is right after each statement, so a panic elsewhere spoils nothing.
        self.aging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn remember(&self, app: &App, workspace_id: WorkspaceId, overview: Overview, epoch: u64) {
        let recent = Recent { overview, epoch, age: app.clock.stopwatch(), is_asked_again: AtomicBool::new(false) };
        self.recent.insert(workspace_id, Arc::new(recent)).await;
    }

    /// The figures of a workspace, as of now or later.
    ///
    /// # Errors
    /// `busy` if too many wait; what the database says.
    pub async fn read(&self, workspace_id: WorkspaceId) -> Result<Overview> {
        let busy = || Error::Busy { retry_after: Duration::from_secs(1) };
        let (answer, answered) = oneshot::channel();
        self.questions.try_send(Question { workspace_id, answer }).map_err(|_| busy())?;
        answered.await.map_err(|_| busy())?
    }
}

/// Answers questions for as long as the application lives.
pub async fn serve(app: Arc<App>, mut questions: Questions) {
    let mut waiting = Vec::with_capacity(AT_ONCE);
    let mut begun = app.clock.stopwatch();
    let mut is_first = true;
    let mut refreshing = tokio::time::interval(REFRESH_EVERY);
    refreshing.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            count = questions.0.recv_many(&mut waiting, 1) => if count == 0 { return },
            _ = refreshing.tick() => if app.figures.aging().is_empty() { continue },
        }
        // Whoever comes after a pause is answered at once; under load more are gathered for each query.
        let since = begun.elapsed();
        if !is_first && since < GATHERING {
            tokio::time::sleep(GATHERING - since).await;
        }
        (is_first, begun) = (false, app.clock.stopwatch());
        while waiting.len() < AT_ONCE
            && let Ok(question) = questions.0.try_recv()
        {
            waiting.push(question);
        }
        let mut ids: Vec<WorkspaceId> = waiting.iter().map(|question| question.workspace_id).collect();
        let aging: Vec<WorkspaceId> = {
            let mut aging = app.figures.aging();
            let most = aging.len().min(AT_ONCE);
            aging.drain(..most).collect()
        };
        ids.extend(aging);
        ids.sort_unstable();
        ids.dedup();
        let epochs: Vec<u64> = ids.iter().map(|id| app.figures.epoch(*id).load(Ordering::SeqCst)).collect();
        let found = read(&app, &ids).await;
        if let Ok(found) = &found {
            for (id, epoch) in ids.iter().zip(epochs) {
                let Some(overview) = found.get(id) else { continue };
                app.figures.remember(&app, *id, *overview, epoch).await;
            }
        }
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
