//! A connection of SQLite for batches.
//!
//! A batch of messages is many small statements. Over the framework's connection each of them is a walk to another
//! thread and back, and rows that are bound as one JSON document cost more to be taken apart than to be stored. Here a
//! whole batch is done on the thread that asks for it, and its statements are prepared once and bound row by row.

use std::{
    path::Path,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use sea_orm::{DbErr, sqlx::sqlite::SqliteConnectOptions};
use tokio::sync::OwnedMutexGuard;

use crate::{
    db::{LOCK_TIMEOUT, Pragmas},
    error::{Error, Result},
};

const STATEMENTS: usize = 32;
/// After so many changed rows, some 40 megabytes of the log are moved into the file while others go on writing. Less at
/// a time would move the pages that every batch changes as much oftener.
const ROWS_BETWEEN_CHECKPOINTS: u64 = 24_000;

/// The connection.
#[derive(Clone)]
pub(crate) struct Stepwise {
    open: Arc<Mutex<Option<Open>>>,
    turns: Turns,
}

/// Whose turn it is to write: SQLite has one writer, and whoever finds it taken there tries again after a while, in no
/// order. Here they come one after another.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<tokio::sync::Mutex<()>>);

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
        let open = || connect(file.get_filename(), pragmas).map_err(custom);
        let open = Open { connection: open()?, checkpoints: Checkpoints::start(open()?)?, moved_at: 0 };
        Ok(Self { open: Arc::new(Mutex::new(Some(open))), turns: Turns::default() })
    }

    pub(super) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Runs `work` in one transaction that writes: commits what returns `Ok`, takes back what returns `Err`. The thread
    /// does nothing else meanwhile.
    ///
    /// # Errors
    /// `Busy` if nobody can write now, else what the database says.
    pub(crate) async fn write<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let _turn = self.turns.take().await?;
        let mut open = lock(&self.open);
        let open = open.as_mut().ok_or_else(|| Error::Internal("the connection for batches is closed".to_owned()))?;
        let value = in_transaction(&mut open.connection, work)?;
        open.keep_log_short();
        Ok(value)
    }

    /// Closes the connections: whoever closes SQLite's last one leaves a file that has everything.
    pub(super) async fn close(self) {
        let closing = tokio::task::spawn_blocking(move || lock(&self.open).take().map(Open::close));
        // A panic there closes them as well.
        let _ = closing.await;
    }
}

/// The connections while they are open.
struct Open {
    connection: Connection,
    checkpoints: Checkpoints,
    /// How many rows had been changed when the log was last asked to be moved.
    moved_at: u64,
}

impl Open {
    /// The log begins anew only when somebody writes after all of it was moved, and while batches follow one another
    /// there is always something more. So the last of it, which came meanwhile and is little, is moved between two.
    fn keep_log_short(&mut self) {
        if self.checkpoints.is_done.swap(false, Ordering::Relaxed) {
            checkpoint(&self.connection);
        }
        let rows = self.connection.total_changes();
        // Where one has been asked for already, that will do.
        if rows - self.moved_at >= ROWS_BETWEEN_CHECKPOINTS && self.checkpoints.asked.try_send(()).is_ok() {
            self.moved_at = rows;
        }
    }

    fn close(self) {
        let Checkpoints { asked, thread, .. } = self.checkpoints;
        drop((self.connection, asked));
        // A panic there has closed its connection.
        let _ = thread.join();
    }
}

/// A thread that moves the log into the file. It ends when nobody can ask it any more.
struct Checkpoints {
    asked: mpsc::SyncSender<()>,
    is_done: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Checkpoints {
    fn start(connection: Connection) -> Result<Self, DbErr> {
        let (asked, questions) = mpsc::sync_channel::<()>(1);
        let is_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&is_done);
        let work = move || {
            for () in questions {
                // What came during the first is a tenth of it, and what comes during the second much less.
                checkpoint(&connection);
                checkpoint(&connection);
                done.store(true, Ordering::Relaxed);
            }
        };
        let thread = thread::Builder::new().name("sqlite-checkpoints".to_owned()).spawn(work).map_err(custom)?;
        Ok(Self { asked, is_done, thread })
    }
}

fn lock(open: &Mutex<Option<Open>>) -> MutexGuard<'_, Option<Open>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(file: &Path, pragmas: Pragmas) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(LOCK_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    for (name, value) in [("synchronous", "full"), ("foreign_keys", "on")].iter().chain(pragmas) {
        connection.pragma_update(None, name, value)?;
    }
    Ok(connection)
}

/// Moves what nobody reads any more; waits for nobody.
fn checkpoint(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::info!(%error, "pages stay in the log of SQLite for now");
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::db::{self, Database};

    async fn new_table(folder: &Path) -> Database {
        let db = Database::open(&format!("sqlite://{}", folder.join("a.db").display()), 1).await.expect("a database");
        let stepwise = db.stepwise().expect("SQLite").clone();
        stepwise.write(|connection| connection.execute("CREATE TABLE t (n BIGINT)", [])).await.expect("a table");
        db
    }

    fn insert(connection: &Connection, n: i64) -> rusqlite::Result<usize> {
        connection.prepare_cached("INSERT INTO t (n) VALUES (?1)")?.execute([n])
    }

    #[tokio::test]
    async fn everything_or_nothing_is_written_and_closing_leaves_one_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = new_table(folder.path()).await;
        let stepwise = db.stepwise().expect("SQLite").clone();
        for from in 0..3 {
            let rows =
                move |connection: &Connection| (0..9000).try_for_each(|n| insert(connection, from + n).map(drop));
            stepwise.write(rows).await.expect("rows");
        }
        let failing = |connection: &Connection| {
            insert(connection, 1)?;
            connection.execute("INSERT INTO nothing VALUES (1)", [])
        };
        assert!(matches!(stepwise.write(failing).await, Err(Error::Database(_))));
        db.close().await;
        let files: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let count = Connection::open(folder.path().join("a.db")).expect("the file");
        assert_eq!(count.query_row("SELECT count(*) FROM t", [], |row| row.get(0)), Ok(27_000));
        assert!(stepwise.write(|_| Ok(())).await.is_err(), "it is closed");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_writes_over_either_connection_takes_turns() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = new_table(folder.path()).await;
        let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let enter = |at_once: &AtomicUsize, most: &AtomicUsize| {
            most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        };
        let writing = (0..50).map(|n| {
            let (db, at_once, most) = (db.clone(), Arc::clone(&at_once), Arc::clone(&most));
            tokio::spawn(async move {
                if n % 2 == 0 {
                    let work = move |connection: &Connection| {
                        enter(&at_once, &most);
                        insert(connection, n)?;
                        at_once.fetch_sub(1, Ordering::SeqCst);
                        Ok(())
                    };
                    return db.stepwise().expect("SQLite").write(work).await;
                }
                db::write(&db, "test", async |tx| {
                    enter(&at_once, &most);
                    sea_orm::ConnectionTrait::execute_unprepared(tx, "INSERT INTO t (n) VALUES (1)").await?;
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                })
                .await
            })
        });
        for outcome in futures_util::future::join_all(writing).await {
            outcome.expect("no panic").expect("written");
        }
        assert_eq!(most.load(Ordering::SeqCst), 1);
        db.close().await;
    }
}
