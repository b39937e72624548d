//! A database of its own for each test: a fresh SQLite file, or a PostgreSQL database cloned from a migrated template.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use migration::Migrator;
use quartermaster::{clock::Clock, config::Config, db::Database, secret::Vault};
use sea_orm::{ConnectOptions, ConnectionTrait, Database as SeaDatabase, DatabaseConnection, Statement, Value};
use sea_orm_migration::MigratorTrait;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// Which of the two ways to run is tested.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Embedded,
    Clustered,
}

impl Mode {
    pub(crate) fn current() -> Self {
        match std::env::var("QMTEST_MODE").as_deref() {
            Ok("clustered") => Self::Clustered,
            _ => Self::Embedded,
        }
    }
}

/// Where the state of a test lives.
#[derive(Clone)]
pub(crate) struct Place {
    folder: Arc<tempfile::TempDir>,
    database_url: Option<SecretString>,
    redis_url: Option<SecretString>,
    master_key: SecretString,
    redis_prefix: String,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let (database_url, redis_url) = match Mode::current() {
            Mode::Embedded => (None, None),
            Mode::Clustered => (Some(clone_of_template().await.into()), Some(redis_url().into())),
        };
        Self {
            folder: Arc::new(tempfile::tempdir().expect("a folder")),
            database_url,
            redis_url,
            master_key: Vault::generate(&Clock::system()),
            redis_prefix: new_name(),
        }
    }

    /// The same place over other wires.
    pub(crate) fn over(&self, database_url: &str, redis_url: Option<&str>) -> Self {
        Self {
            database_url: Some(database_url.to_owned().into()),
            redis_url: redis_url.map_or_else(|| self.redis_url.clone(), |url| Some(url.to_owned().into())),
            ..self.clone()
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn config(&self) -> Config {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config::standalone(self.path(), anywhere).expect("a configuration");
        config.master_key = Some(self.master_key.clone());
        config.redis_url.clone_from(&self.redis_url);
        config.redis_prefix.clone_from(&self.redis_prefix);
        // Many tests run at once, each on a pool of its own.
        config.database_pool_size = 8;
        if let Some(url) = &self.database_url {
            config.database_url = url.clone();
        }
        config
    }
}

pub(crate) fn redis_url() -> String {
    needed("QMTEST_REDIS_URL")
}

pub(crate) fn postgres_url() -> String {
    needed("QMTEST_POSTGRES_URL")
}

fn needed(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run scripts/test, which starts servers"))
}

/// Takes the schema of an application back to before a step, and up again.
pub(crate) async fn step_again(db: &Database, step: &str) {
    let stepping = quartermaster::db::write(db, "test", async |tx| {
        Migrator::down(tx, Some(steps_since(step))).await?;
        Ok(Migrator::up(tx, None).await?)
    });
    stepping.await.expect("down and up");
}

/// How many steps there are from this one on.
fn steps_since(step: &str) -> u32 {
    let steps = Migrator::migrations();
    let before = steps.iter().position(|one| one.name() == step).expect("the step");
    u32::try_from(steps.len() - before).expect("few")
}

/// A database whose schema is that of a release before.
pub(crate) struct Upgrade {
    pub(crate) db: DatabaseConnection,
    step: &'static str,
    _folder: tempfile::TempDir,
}

impl Upgrade {
    /// One that all steps before this one have been done in.
    pub(crate) async fn before(step: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = match Mode::current() {
            Mode::Embedded => format!("sqlite://{}", folder.path().join("upgrade.db").display()),
            Mode::Clustered => empty_postgres().await,
        };
        Database::open(&url, 2).await.expect("a database").close().await;
        // One connection: others would look at an older schema.
        let mut options = ConnectOptions::new(&url);
        options.max_connections(1).sqlx_logging(false);
        let db = SeaDatabase::connect(options).await.expect("a connection");
        let all = u32::try_from(Migrator::migrations().len()).expect("few");
        Migrator::up(&db, Some(all - steps_since(step))).await.expect("up to there");
        Self { db, step, _folder: folder }
    }

    pub(crate) async fn up(&self) {
        Migrator::up(&self.db, None).await.expect("up");
    }

    /// Does one statement.
    pub(crate) async fn run(&self, sql: &str, values: Vec<Value>) {
        let statement = Statement::from_sql_and_values(self.db.get_database_backend(), sql, values);
        self.db.execute_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The workspace 1 of the partner `acme`, with its owner.
    pub(crate) async fn open_workspace(&self) {
        for sql in [
            "INSERT INTO partners (id, name, plan_id, status, sandbox, embedding_origins, created_at, updated_at) \
             VALUES ('acme', 'Acme', 1, 'active', FALSE, '', 0, 0)",
            "INSERT INTO workspaces (partner_id, slug, display_name, display_name_folded, plan_id, status, seats_total, \
             seats_used, time_zone, created_at, updated_at) \
             VALUES ('acme', 'bakery', 'Bakery', 'bakery', 1, 'active', 2, 1, 'UTC', 0, 0)",
            "INSERT INTO groups (workspace_id, name) VALUES (1, 'Default')",
            "INSERT INTO users (workspace_id, group_id, role, display_name, email, status, created_at, updated_at) \
             VALUES (1, 1, 'owner', 'Owner', 'owner@example.com', 'activated', 0, 0)",
        ] {
            self.run(sql, vec![]).await;
        }
    }

    pub(crate) async fn down(&self) {
        Migrator::down(&self.db, Some(steps_since(self.step))).await.expect("down");
    }
}

/// A new database, empty.
pub(crate) async fn empty_postgres() -> String {
    let admin = admin().await;
    let name = new_name();
    execute(&admin, &format!("CREATE DATABASE {name}")).await;
    url_of(&name)
}

async fn clone_of_template() -> String {
    let admin = admin().await;
    let template = template_name();
    // Tests are processes: whoever comes first makes the template, the others wait.
    execute(&admin, "SELECT pg_advisory_lock(7311)").await;
    let known = admin
        .query_one_raw(Statement::from_string(
            sea_orm::DbBackend::Postgres,
            format!("SELECT 1 FROM pg_database WHERE datname = '{template}'"),
        ))
        .await
        .expect("a look at the databases");
    if known.is_none() {
        let draft = new_name();
        execute(&admin, &format!("CREATE DATABASE {draft}")).await;
        let db = Database::open(&url_of(&draft), 1).await.expect("the template");
        db.migrate().await.expect("the schema");
        db.close().await;
        execute(&admin, &format!("ALTER DATABASE {draft} RENAME TO {template}")).await;
    }
    let name = new_name();
    execute(&admin, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    execute(&admin, "SELECT pg_advisory_unlock(7311)").await;
    url_of(&name)
}

async fn admin() -> DatabaseConnection {
    let mut options = ConnectOptions::new(postgres_url());
    options.max_connections(1).sqlx_logging(false);
    SeaDatabase::connect(options).await.expect("PostgreSQL")
}

async fn execute(connection: &DatabaseConnection, sql: &str) {
    connection.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Named after the schema steps, so that a changed schema gets a template of its own.
fn template_name() -> String {
    let names: String = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let digest: String = Sha256::digest(names).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("template_{digest}")
}

fn new_name() -> String {
    format!("t_{}", Clock::system().uuid().simple())
}

fn url_of(name: &str) -> String {
    let url = postgres_url();
    let (server, _) = url.rsplit_once('/').expect("a database in the URL");
    format!("{server}/{name}")
}
