//! Where the product keeps its state for one part: a folder or database of its own, so that no part finds another's
//! rows.

use std::{net::SocketAddr, process::Command, sync::Arc};

use quartermaster::{app::App, clock::Clock, config::Config, secret::Vault};
use sea_orm::sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use crate::process::{Process, free_address};

const BINARY: &str = env!("CARGO_BIN_EXE_quartermaster");

/// The state of one installation.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    folder: TempDir,
    database_url: Option<String>,
    redis_url: Option<String>,
    master_key: SecretString,
}

impl Place {
    /// On SQLite, without Redis.
    pub(crate) fn embedded() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let master_key = Vault::generate(&Clock::system());
        Self { name: "embedded", folder, database_url: None, redis_url: None, master_key }
    }

    /// On a new PostgreSQL database of this name, with Redis.
    pub(crate) async fn clustered(database: &str) -> Self {
        let database_url = Some(new_database(database).await);
        Self { name: "clustered", database_url, redis_url: Some(redis_url()), ..Self::embedded() }
    }

    /// The application in this process, with the schema, to set things up or to serve from here.
    pub(crate) async fn app(&self) -> Arc<App> {
        let mut config = Config::standalone(self.folder.path().to_owned(), free_address()).expect("a configuration");
        config.database_url = self.database_url().into();
        config.redis_url = self.redis_url.clone().map(SecretString::from);
        config.master_key = Some(self.master_key.clone());
        let app = App::start(config, Clock::system()).await.expect("an application");
        app.db.migrate().await.expect("the schema");
        app
    }

    /// Where the rows are.
    pub(crate) fn database_url(&self) -> String {
        let file = self.folder.path().join("quartermaster.db");
        self.database_url.clone().unwrap_or_else(|| format!("sqlite://{}", file.display()))
    }

    /// The release binary in the role `serve`, in a process of its own.
    pub(crate) fn serve(&self) -> Process {
        self.start(&["serve"], &[])
    }

    /// The release binary in both roles, with simulated phones, for addresses of this machine too.
    pub(crate) fn both(&self) -> Process {
        self.start(&[], &[("QM_SANDBOX", "true"), ("QM_ALLOW_PRIVATE_TARGETS", "true")])
    }

    fn start(&self, role: &[&str], variables: &[(&str, &str)]) -> Process {
        let address: SocketAddr = free_address();
        let mut command = Command::new(BINARY);
        command.args(role).args(["--listen", &address.to_string(), "--data-dir"]).arg(self.folder.path());
        command.envs(variables.iter().copied());
        command.env("QM_LOG_FILTER", "warn").env("QM_MASTER_KEY", self.master_key.expose_secret());
        command.env("QM_DATABASE_URL", self.database_url());
        if let Some(url) = &self.redis_url {
            command.env("QM_REDIS_URL", url);
        }
        Process::start(command, address)
    }
}

/// The PostgreSQL that `scripts/bench` started.
pub(crate) fn postgres_url() -> String {
    std::env::var("QMTEST_POSTGRES_URL").expect("QMTEST_POSTGRES_URL: run scripts/bench")
}

/// The Redis that `scripts/bench` started.
pub(crate) fn redis_url() -> String {
    std::env::var("QMTEST_REDIS_URL").expect("QMTEST_REDIS_URL: run scripts/bench")
}

/// Makes an empty database, over one of the same name that an earlier run left; its URL.
pub(crate) async fn new_database(name: &str) -> String {
    let mut url: reqwest::Url = postgres_url().parse().expect("a URL");
    let mut connection = PgConnection::connect(url.as_str()).await.expect("PostgreSQL");
    for sql in [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")] {
        raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("a database");
    }
    url.set_path(name);
    url.into()
}
