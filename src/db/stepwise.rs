//! A connection of SQLite for batches, on a thread of its own.
//!
//! A batch of messages is many small statements. Over the framework's connection each of them is a walk to another
//! thread and back, and rows that are bound as one JSON document cost more to be taken apart than to be stored. Here a
//! whole batch is one walk, and its statements are prepared once and bound row by row.

use std::{
    str::FromStr,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use sea_orm::{DbErr, sqlx::sqlite::SqliteConnectOptions};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::{
    db::{LOCK_TIMEOUT, Pragmas},
    error::{Error, Result},
};

const STATEMENTS: usize = 32;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The connection. Its thread ends with the last of its owners.
#[derive(Clone)]
pub(crate) struct Stepwise {
    jobs: mpsc::Sender<Job>,
    turns: Turns,
}

/// Whose turn it is to write: SQLite has one writer, and whoever finds it taken there tries again after a while, in no
/// order. Here they come one after another.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<()>>);

impl Turns {
    /// Waits for the turn, which lasts as long as what is returned.
    ///
    /// # Errors
    /// `Busy` after five seconds.
    pub(crate) async fn take(&self) -> Result<OwnedMutexGuard<()>> {
        if let Ok(turn) = Arc::clone(&self.0).try_lock_owned() {
            return Ok(turn);
        }
        let turn = tokio::time::timeout(LOCK_TIMEOUT, Arc::clone(&self.0).lock_owned()).await;
        turn.map_err(|_| {
            tracing::warn!("no turn to write came up");
            Error::Busy { retry_after: Duration::from_secs(1) }
        })
    }
}

impl Stepwise {
    /// Opens the file of this URL, which is there, with these settings.
    pub(super) fn open(url: &str, pragmas: Pragmas) -> Result<Self, DbErr> {
        let file = SqliteConnectOptions::from_str(url).map_err(custom)?;
        let mut connection = Connection::open(file.get_filename()).map_err(custom)?;
        connection.busy_timeout(LOCK_TIMEOUT).map_err(custom)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let always = [("synchronous", "full"), ("foreign_keys", "on")];
        for (name, value) in always.iter().chain(pragmas) {
            connection.pragma_update(None, name, value).map_err(custom)?;
        }
        let (jobs, queue) = mpsc::channel::<Job>();
        let thread = thread::Builder::new().name("sqlite-batches".to_owned());
        let work = move || queue.into_iter().for_each(|job| job(&mut connection));
        thread.spawn(work).map_err(custom)?;
        Ok(Self { jobs, turns: Turns::default() })
    }

    pub(super) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Runs `work` in one transaction that writes: commits what returns `Ok`, takes back what returns `Err`.
    ///
    /// # Errors
    /// `Busy` if nobody can write now, else what the database says.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let turn = self.turns.take().await?;
        let (answer, answered) = oneshot::channel();
        let job = move |connection: &mut Connection| {
            let outcome = in_transaction(connection, work);
            drop(turn);
            // Whoever asked may have gone; what was committed stays.
            let _ = answer.send(outcome);
        };
        self.jobs.send(Box::new(job)).map_err(|_| gone())?;
        Ok(answered.await.map_err(|_| gone())??)
    }

    /// Waits until everything that was begun is done.
    pub(super) async fn close(self) {
        let (answer, answered) = oneshot::channel();
        let last = Box::new(move |_: &mut Connection| {
            let _ = answer.send(());
        });
        if self.jobs.send(last).is_ok() {
            // An error says that the thread has ended.
            let _ = answered.await;
        }
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn gone() -> Error {
    Error::Internal("the thread for batches has ended".to_owned())
}

fn custom(error: impl ToString) -> DbErr {
    DbErr::Custom(error.to_string())
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                tracing::warn!(%error, "the database is busy");
                Self::Busy { retry_after: Duration::from_secs(1) }
            }
            _ => Self::Database(custom(error)),
        }
    }
}
