//! The two databases behind one face.
//!
//! SQLite has one writer connection, one for batches, which take turns, and several readers; PostgreSQL has one pool that
//! is all of them. Transactions open in operations, through [`write()`], and nowhere else. Errors of the drivers become ours in [`From<DbErr>`].

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, path::Path, time::Duration};

use migration::Migrator;
use sea_orm::{
    ActiveModelTrait, ConnectOptions, Database as SeaDatabase, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, EntityTrait, ExprTrait, IntoActiveModel, IsolationLevel, RuntimeErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait, TryInsert, TryInsertResult,
    sea_query::{Expr, IntoColumnRef, LikeExpr},
    sqlx::{
        error::DatabaseError,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use sea_orm_migration::MigratorTrait;
use tracing::Instrument;

use crate::error::{Error, Result};

mod rows;
mod stepwise;

pub(crate) use rows::{Column, Rows};
pub(crate) use stepwise::Stepwise;

const SQLITE_READERS: u32 = 4;
/// The writer's connection keeps the pages that every batch changes, and keeps what a statement would need to be taken
/// back in memory, where it is next to nothing: by itself it goes to a file. It moves pages into the file itself only when
/// the log has grown to some 64 MB, because whoever commits then waits for it.
const WRITER_PRAGMAS: Pragmas = &[("cache_size", "-16384"), ("temp_store", "memory"), ("wal_autocheckpoint", "16000")];
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const OPEN_TRIES: u32 = 50;
const OPEN_PAUSE: Duration = Duration::from_millis(20);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection that was idle for as long is asked whether it still lives. One that was busy just now would be told by
/// its next statement, and the question would cost every transaction one more way to the database and back.
const ASK_AFTER_IDLE: Duration = Duration::from_secs(1);
/// One for a batch, and one that is being looked after since the last.
const BATCH_CONNECTIONS: u32 = 2;
const CONTENTION_TRIES: u32 = 4;
const MIGRATION_LOOKS: u32 = 50;
const MIGRATION_PAUSE: Duration = Duration::from_millis(100);

/// Where state lives.
#[derive(Clone)]
pub struct Database {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    batches: DatabaseConnection,
    stepwise: Option<Stepwise>,
}

impl Database {
    /// Opens `sqlite://path` (made if absent) or `postgres://…` with at most `pool_size` connections.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn open(url: &str, pool_size: u32) -> Result<Self, DbErr> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            if let Some(folder) = Path::new(path).parent() {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)
                    .map_err(|error| DbErr::Custom(format!("cannot make {}: {error}", folder.display())))?;
            }
            let writer = open_sqlite(url, 1, WRITER_PRAGMAS).await?;
            let reader = open_sqlite(url, SQLITE_READERS, &[]).await?;
            let stepwise = Some(Stepwise::open(url, WRITER_PRAGMAS)?);
            return Ok(Self { batches: writer.clone(), writer, reader, stepwise });
        }
        let pool = SeaDatabase::connect(postgres_options(url, pool_size, &[])).await?;
        // A batch's statements are long, and find all their rows by key however many there are: one plan is good for
        // ever, and making one takes longer than carrying it out.
        let settings = [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")];
        let batches = SeaDatabase::connect(postgres_options(url, BATCH_CONNECTIONS, &settings)).await?;
        Ok(Self { writer: pool.clone(), reader: pool, batches, stepwise: None })
    }

    /// For reads outside a transaction.
    #[must_use]
    pub fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For a batch that is one statement and a transaction by itself.
    pub(crate) fn batches(&self) -> &DatabaseConnection {
        &self.batches
    }

    /// For a batch of many small statements; on SQLite only.
    pub(crate) fn stepwise(&self) -> Option<&Stepwise> {
        self.stepwise.as_ref()
    }

    /// Whether this is the embedded store.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.writer.get_database_backend() == DbBackend::Sqlite
    }

    /// Applies the schema steps that are missing. Of several processes that do this at once one gets through; the
    /// others wait for it.
    ///
    /// # Errors
    /// What the driver says, if the schema is not complete some seconds later either.
    pub async fn migrate(&self) -> Result<(), DbErr> {
        let Err(error) = Migrator::up(&self.writer, None).await else { return Ok(()) };
        for _ in 0..MIGRATION_LOOKS {
            if matches!(self.missing_migrations().await, Ok(0)) {
                return Ok(());
            }
            tokio::time::sleep(MIGRATION_PAUSE).await;
        }
        Err(error)
    }

    /// Takes all schema steps back.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn migrate_down(&self) -> Result<(), DbErr> {
        Migrator::down(&self.writer, None).await
    }

    /// How many schema steps are missing; says also that the database answers.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn missing_migrations(&self) -> Result<usize, DbErr> {
        Migrator::get_pending_migrations_read_only(&self.reader).await.map(|steps| steps.len())
    }

    /// Closes the connections.
    pub async fn close(self) {
        if let Some(stepwise) = self.stepwise {
            stepwise.close().await;
        }
        for connection in [self.reader, self.writer, self.batches] {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "closing the database failed");
            }
        }
    }
}

/// Settings of SQLite by name.
type Pragmas = &'static [(&'static str, &'static str)];

/// A file that another process makes, or closes as its last user, can be busy without SQLite waiting for it: the
/// change to WAL takes an exclusive lock.
async fn open_sqlite(url: &str, connections: u32, pragmas: Pragmas) -> Result<DatabaseConnection, DbErr> {
    for _ in 0..OPEN_TRIES {
        match SeaDatabase::connect(sqlite_options(url, connections, pragmas)).await {
            Err(error) if is_busy_file(&error) => tokio::time::sleep(OPEN_PAUSE).await,
            outcome => return outcome,
        }
    }
    SeaDatabase::connect(sqlite_options(url, connections, pragmas)).await
}

fn is_busy_file(error: &DbErr) -> bool {
    // SQLITE_BUSY, whatever reason its upper bytes give.
    let code = database_error(error).and_then(|cause| cause.code()?.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

fn sqlite_options(url: &str, connections: u32, pragmas: Pragmas) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).min_connections(1).acquire_timeout(LOCK_TIMEOUT).sqlx_logging(false);
    // A file does not hang up.
    options.test_before_acquire(false);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        let sqlite = pragmas.iter().fold(sqlite, |sqlite, (name, value)| sqlite.pragma(*name, *value));
        sqlite
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(LOCK_TIMEOUT)
            .optimize_on_close(true, None)
    });
    options
}

fn postgres_options(url: &str, connections: u32, settings: &[(&'static str, &'static str)]) -> ConnectOptions {
    let settings = settings.to_vec();
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT).sqlx_logging(false);
    options.test_before_acquire_if_idle_for(ASK_AFTER_IDLE);
    options.map_sqlx_postgres_opts(move |postgres| {
        let limits = [
            ("lock_timeout", "5s"),
            ("statement_timeout", "15s"),
            // Compiling a statement takes longer than any of ours should.
            ("jit", "off"),
            ("idle_in_transaction_session_timeout", "30s"),
        ];
        postgres.application_name("quartermaster").options(limits).options(settings.iter().copied())
    });
    options
}

/// Runs `work` in one transaction that may write: commits what returns `Ok`, takes back what returns `Err`.
/// On SQLite it begins `IMMEDIATE`, so that it never has to upgrade a read lock.
///
/// # Errors
/// What `work` returns, or what the database says to the commit.
pub async fn write<T, F>(db: &Database, name: &'static str, work: F) -> Result<T>
where
    F: for<'c> AsyncFnOnce(&'c DatabaseTransaction) -> Result<T> + Send,
    T: Send,
{
    write_over(db, &db.writer, name, work).await
}

/// [`write()`] for batches, whose connections they share with nothing else.
///
/// # Errors
/// As [`write()`].
pub(crate) async fn write_batch<T, F>(db: &Database, name: &'static str, work: F) -> Result<T>
where
    F: for<'c> AsyncFnOnce(&'c DatabaseTransaction) -> Result<T> + Send,
    T: Send,
{
    write_over(db, &db.batches, name, work).await
}

async fn write_over<T, F>(db: &Database, over: &DatabaseConnection, name: &'static str, work: F) -> Result<T>
where
    F: for<'c> AsyncFnOnce(&'c DatabaseTransaction) -> Result<T> + Send,
    T: Send,
{
    let options =
        TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
    let span = tracing::debug_span!("transaction", name);
    async {
        let _turn = match &db.stepwise {
            Some(stepwise) => Some(stepwise.turns().take().await?),
            None => None,
        };
        let tx = over.begin_with_options(options).await?;
        match work(&tx).await {
            Ok(value) => {
                tx.commit().await.map_err(of_commit)?;
                Ok(value)
            }
            Err(error) => {
                if let Err(rollback) = tx.rollback().await {
                    tracing::warn!(error = %rollback, name, "rollback failed");
                }
                Err(error)
            }
        }
    }
    .instrument(span)
    .await
}

/// Reads everything as of one moment.
///
/// # Errors
/// What `work` returns, or what the database says.
pub async fn snapshot<T, F>(db: &Database, work: F) -> Result<T>
where
    F: for<'c> AsyncFnOnce(&'c DatabaseTransaction) -> Result<T> + Send,
    T: Send,
{
    // SQLite's readers see the state of their first statement until they end.
    let isolation_level = (!db.is_sqlite()).then_some(IsolationLevel::RepeatableRead);
    let tx = db.reader.begin_with_options(TransactionOptions { isolation_level, ..Default::default() }).await?;
    let outcome = work(&tx).await;
    tx.rollback().await?;
    outcome
}

/// Repeats a whole operation while its transaction lost against another one.
///
/// # Errors
/// `Contention` after the last try, or any other error of the operation at once.
pub async fn retried<T, Fut>(mut operation: impl FnMut() -> Fut) -> Result<T>
where
    Fut: Future<Output = Result<T>>,
{
    for _ in 1..CONTENTION_TRIES {
        match operation().await {
            Err(Error::Contention) => {}
            other => return other,
        }
    }
    operation().await
}

/// Runs an insert that ignores a clash; tells whether a row was written. (The framework reports a clash as zero rows
/// here, not as a conflict.)
///
/// # Errors
/// What the database says.
pub async fn insert_unless_known<A>(insert: TryInsert<A>, tx: &DatabaseTransaction) -> Result<bool>
where
    A: ActiveModelTrait,
{
    Ok(matches!(insert.exec_without_returning(tx).await?, TryInsertResult::Inserted(rows) if rows > 0))
}

/// [`insert_unless_known`], with the row that was written.
///
/// # Errors
/// What the database says.
pub async fn insert_or_none<A>(
    insert: TryInsert<A>,
    tx: &DatabaseTransaction,
) -> Result<Option<<A::Entity as EntityTrait>::Model>>
where
    A: ActiveModelTrait,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    Ok(match insert.exec_with_returning_many(tx).await? {
        TryInsertResult::Inserted(mut rows) => rows.pop(),
        _ => None,
    })
}

/// Whether a column contains a text, in which `%` and `_` mean themselves. Both are folded before, or digits: the
/// databases do not agree on case.
#[must_use]
pub fn contains(column: impl IntoColumnRef, text: &str) -> Expr {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    Expr::col(column).like(LikeExpr::new(format!("%{escaped}%")).escape('\\'))
}

/// A column that is only compared, where another leads to the rows: to SQLite, which does not know how many rows there
/// are, an index that begins with the workspace is as good as one that begins with what is looked for.
#[must_use]
pub(crate) fn compared(column: impl IntoColumnRef) -> Expr {
    Expr::col(column).add(0_i64)
}

/// A condition that an id is one of a list, and the list as its one value.
#[must_use]
pub(crate) fn one_of<T: ToString>(backend: DbBackend, place: &str, ids: &[T]) -> (String, String) {
    let list = ids.iter().map(T::to_string).collect::<Vec<_>>().join(",");
    match backend {
        DbBackend::Postgres => (format!("= ANY(string_to_array({place}, ',')::bigint[])"), list),
        _ => (format!("IN (SELECT value FROM json_each({place}))"), format!("[{list}]")),
    }
}

/// The named constraint that refused a change: PostgreSQL names it; SQLite names a CHECK, and `table.column` lists
/// for unique ones.
#[must_use]
pub fn constraint_of(error: &DbErr) -> Option<String> {
    let error = database_error(error)?;
    if let Some(name) = error.constraint() {
        return Some(name.to_owned());
    }
    let (_, rest) = error.message().split_once("constraint failed: ")?;
    Some(rest.to_owned())
}

fn database_error(error: &DbErr) -> Option<&dyn DatabaseError> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause))
        | DbErr::Conn(RuntimeErr::SqlxError(cause)) => cause.as_database_error(),
        _ => None,
    }
}

/// What it means that a commit failed, or a statement that is a transaction by itself: where the connection broke off,
/// it may have been done all the same.
pub(crate) fn of_commit(error: DbErr) -> Error {
    let code = database_error(&error).and_then(|cause| cause.code().map(std::borrow::Cow::into_owned));
    // The last two: the server was stopped meanwhile.
    if is_connection_loss(&error) || matches!(code.as_deref(), Some("57P01" | "57P02")) {
        tracing::error!(%error, "the database did not say whether a change was done");
        return Error::OutcomeUnknown { message: None };
    }
    error.into()
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        let code = database_error(&error).and_then(|cause| cause.code().map(std::borrow::Cow::into_owned));
        match code.as_deref() {
            // Serialization failure, deadlock.
            Some("40001" | "40P01") => Self::Contention,
            // Lock not available, statement timed out, shutting down, starting up; SQLITE_BUSY and its snapshot kin.
            Some("55P03" | "57014" | "57P01" | "57P02" | "57P03" | "53300" | "5" | "261" | "517") => {
                tracing::warn!(%error, "the database is busy");
                Self::Busy { retry_after: Duration::from_secs(1) }
            }
            Some(_) => Self::Database(error),
            None => match &error {
                DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => unreachable_database(&error),
                DbErr::Exec(RuntimeErr::SqlxError(_)) | DbErr::Query(RuntimeErr::SqlxError(_))
                    if is_connection_loss(&error) =>
                {
                    unreachable_database(&error)
                }
                _ => Self::Database(error),
            },
        }
    }
}

fn is_connection_loss(error: &DbErr) -> bool {
    use sea_orm::sqlx::Error as SqlxError;
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error else {
        return false;
    };
    matches!(
        &**cause,
        SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::PoolTimedOut
            | SqlxError::PoolClosed
            | SqlxError::WorkerCrashed
    )
}

fn unreachable_database(error: &DbErr) -> Error {
    tracing::error!(%error, "the database does not answer");
    Error::Busy { retry_after: Duration::from_secs(1) }
}
