//! What every operation needs: configuration, database, clock, vault, signals, connectors, the way out.

use std::{io, sync::Arc};

use secrecy::ExposeSecret;
use tokio::sync::watch;

use crate::{
    clock::Clock,
    config::Config,
    connector::Connectors,
    db::Database,
    file::Files,
    mail::Mailer,
    message::writer::{self, Queue, Writer},
    meter::Meter,
    outbound::Outbound,
    quota::{
        api_calls,
        reader::{self, Questions, Reader},
    },
    secret::Vault,
    signal::Signals,
    token::access::{self, Access},
};

/// One process's parts. Shared by reference; holds no state of the domain.
pub struct App {
    /// What was configured.
    pub config: Config,
    /// Where state lives.
    pub db: Database,
    /// Time, ids, randomness.
    pub clock: Clock,
    /// Seals secrets.
    pub vault: Vault,
    /// Between tasks and replicas.
    pub signals: Signals,
    /// Those who speak to providers.
    pub connectors: Connectors,
    /// Tokens that were checked.
    pub access: Access,
    /// Rates, calls and holds.
    pub meter: Meter,
    /// Quotas, read for many at once.
    pub figures: Reader,
    /// Messages, committed many at once.
    pub writer: Writer,
    /// Sends mail to people.
    pub mailer: Mailer,
    /// Dials addresses that customers gave.
    pub outbound: Outbound,
    /// Where contents of files are.
    pub files: Files,
    /// Says `true` once the process is to stop.
    pub stop: watch::Sender<bool>,
}

/// Why the parts could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is unfit.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The master key is unfit.
    #[error("configuration: {0}")]
    MasterKey(#[from] crate::secret::MasterKeyError),
    /// The database does not open.
    #[error("the database does not open: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// There can be no more threads.
    #[error("a thread does not start: {0}")]
    Thread(#[from] io::Error),
    /// The Redis URL is not one.
    #[error("configuration: redis_url: {0}")]
    Redis(#[from] redis::RedisError),
}

impl App {
    /// Opens the database (the embedded one is migrated at once) and joins the other replicas.
    ///
    /// # Errors
    /// Says which part is unfit.
    pub async fn start(mut config: Config, clock: Clock) -> Result<Arc<Self>, StartError> {
        let vault = Vault::parse(&config.require_master_key(&clock)?, clock.clone())?;
        let db = Database::open(config.database_url.expose_secret(), config.database_pool_size).await?;
        if db.is_sqlite() {
            db.migrate().await?;
        }
        let signals = match &config.redis_url {
            Some(url) => Signals::shared(url, &config.redis_prefix)?,
            None => Signals::local(),
        };
        let files = Files::open(&config)?;
        let mailer = config.mailer()?;
        let outbound = Outbound::new(config.allow_private_targets);
        let meter = match &config.redis_url {
            Some(url) => Meter::shared(url, &config.redis_prefix)?,
            None => Meter::default(),
        };
        let (figures, questions) = Reader::new();
        let (writer, queue) = Writer::new();
        let app = Arc::new(Self {
            config,
            db,
            clock,
            vault,
            signals,
            connectors: Connectors::default(),
            access: Access::default(),
            meter,
            figures,
            writer,
            mailer,
            outbound,
            files,
            stop: watch::Sender::new(false),
        });
        app.begin(questions, queue)?;
        Ok(app)
    }

    /// Starts what runs beside requests and work for as long as the application lives.
    fn begin(self: &Arc<Self>, questions: Questions, queue: Queue) -> io::Result<()> {
        let app = || Arc::clone(self);
        tokio::spawn(access::watch(app()));
        tokio::spawn(reader::serve(app(), questions));
        writer::start(app(), queue)?;
        let metered = app();
        tokio::spawn(async move { metered.meter.keep_connected(metered.stop.subscribe()).await });
        tokio::spawn(api_calls::keep_writing(app()));
        Ok(())
    }
}
