//! The roles that run until they are told to stop: `serve`, `work`, and both.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    app::App,
    cli::{CommandError, logs},
    clock::Clock,
    config::{Config, Flags},
    http::Server,
    job,
    quota::api_calls,
};

/// What this process does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Roles {
    /// HTTP and work.
    Both,
    /// HTTP only.
    Serve,
    /// Work only.
    Work,
}

/// Runs until SIGTERM or SIGINT: stops accepting, finishes what is open, closes the database.
pub(super) async fn run(flags: &Flags, roles: Roles) -> Result<(), CommandError> {
    let config = Config::load(flags)?;
    logs::start(&config, logs::Level::Configured)?;
    for line in Config::report(flags)? {
        tracing::debug!(key = line.key, value = %line.value, source = line.source, "configured");
    }
    let watch = Clock::system().stopwatch();
    let app = App::start(config, Clock::system()).await?;
    if !app.db.is_sqlite() && app.config.redis_url.is_none() {
        tracing::warn!("PostgreSQL without redis_url: run one process only");
    }
    if !app.db.is_sqlite() && app.files.is_local() {
        let folder = app.config.data_dir.join("files");
        tracing::warn!(folder = %folder.display(), "files lie in a folder: all processes have to share it");
    }
    let server = match roles {
        Roles::Work => None,
        _ => Some(Server::bind(Arc::clone(&app)).await?),
    };
    if let Some(server) = &server {
        let address = server.address();
        tracing::info!(%address, public_url = app.config.public_url, started_in_ms = watch.elapsed_ms(), "ready");
    }
    let worker = (roles != Roles::Serve).then(|| tokio::spawn(work(Arc::clone(&app))));
    tokio::spawn(stop_on_signal(Arc::clone(&app))?);
    match server {
        Some(server) => server.run(app.stop.subscribe()).await,
        None => {
            let mut stop = app.stop.subscribe();
            // The sender lives as long as the application.
            let _ = stop.wait_for(|is_stopping| *is_stopping).await;
        }
    }
    // A server that ended by itself takes its worker along.
    app.stop.send_replace(true);
    if let Some(worker) = worker
        && let Err(error) = worker.await
    {
        return Err(CommandError::Other(format!("the worker failed: {error}")));
    }
    if let Err(error) = api_calls::write(&app).await {
        tracing::warn!(%error, "the last API calls were not written down");
    }
    app.db.clone().close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Works until the process stops. If it fails instead, the process stops, so that whoever started it notices.
async fn work(app: Arc<App>) {
    let stop = StopOnDrop(Arc::clone(&app));
    job::work(app, stop.0.stop.subscribe()).await;
}

struct StopOnDrop(Arc<App>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.send_replace(true);
    }
}

/// Waits for SIGTERM or SIGINT and says stop.
pub(super) fn stop_on_signal(app: Arc<App>) -> Result<impl Future<Output = ()>, CommandError> {
    let listen = |kind| signal(kind).map_err(|error| CommandError::Other(format!("signals: {error}")));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        app.stop.send_replace(true);
    })
}
