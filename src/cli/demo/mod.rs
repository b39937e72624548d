//! `quartermaster demo`: the product's story, played against its own HTTP surfaces as an outside client would.
//!
//! It starts a server on the embedded store in a folder of its own, makes a sandbox partner as an operator would, and
//! from there on knows only addresses and the partner's secret: real JWTs, real requests, the QR code read from the
//! picture. Each step prints what was asked, what was answered and how long it took; a step that did not do what it
//! should makes the whole demo fail.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use entity::{credits::Credits, id::PartnerId};
use tokio::task::JoinHandle;

use crate::{
    app::App,
    caller::Origin,
    cli::{CommandError, logs, serve::stop_on_signal},
    clock::Clock,
    config::{Config, Flags},
    credit::verify,
    http::Server,
    job,
    partner::{
        WithSecret,
        admin::{self, CreatePartner},
    },
    plan::{self, SetPlan},
    token::operator,
};

mod client;
mod connecting;
mod conversation;
mod qr;
mod receiver;
mod report;
mod sending;
mod signatures;
mod story;
mod visitor;

const PARTNER: &str = "demo";
const PLAN: &str = "demo";
const CREDITS_PER_SEAT: i64 = 10;
const PACING_MS: i64 = 50;
const RATE_PER_SECOND: i32 = 1000;
const RECEIPT_MS: u64 = 100;

/// How the demo ends.
#[derive(clap::Args)]
pub(super) struct Demo {
    /// Exit after the story, 0 only if every step did what it should.
    #[arg(long)]
    once: bool,
}

/// A server in this process, reached over its socket.
struct Stage {
    app: Arc<App>,
    server: JoinHandle<()>,
    worker: JoinHandle<()>,
    // Dropped, and with it removed, after the database is closed.
    _folder: Option<tempfile::TempDir>,
}

pub(super) async fn run(command: &Demo, flags: &Flags, json: bool) -> Result<ExitCode, CommandError> {
    let (folder, data_dir) = data_dir(flags)?;
    let listen = flags.listen().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut config = Config::standalone(data_dir, listen)?;
    logs::start(&config, logs::Level::Quiet)?;
    config.listen = free_address(listen)?;
    config.public_url = format!("http://{}", config.listen);
    // Whoever opens the last page can play the phone with one curl.
    config.sandbox = true;
    // The partner of the story listens on this machine.
    config.allow_private_targets = true;
    config.sandbox_receipt_ms = RECEIPT_MS;
    let clock = Clock::system();
    let watch = clock.stopwatch();
    let app = App::start(config, clock.clone()).await?;
    let server = Server::bind(Arc::clone(&app)).await?;
    let mut report = report::Report::new(json, clock);
    report.started(server.address(), watch.elapsed());
    let stage = Stage {
        server: tokio::spawn(server.run(app.stop.subscribe())),
        worker: tokio::spawn(job::work(Arc::clone(&app), app.stop.subscribe())),
        app,
        _folder: folder,
    };
    let partner = make_partner(&stage.app).await?;
    let (_, operator) = operator::create(&stage.app, &Origin::operator(), "demo").await?;
    let page = story::play(&stage.app.config.public_url, &partner, &operator, &mut report).await;
    let is_clean = audit(&stage.app, &mut report).await?;
    let is_good = report.summary(page.as_deref()) && is_clean;
    if !command.once {
        report.keeps_serving(&stage.app.config.public_url);
        stop_on_signal(Arc::clone(&stage.app))?.await;
    }
    stage.close().await;
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Stage {
    async fn close(self) {
        self.app.stop.send_replace(true);
        for outcome in [self.worker.await.err(), self.server.await.err()].into_iter().flatten() {
            tracing::warn!(error = %outcome, "the demo's server did not stop cleanly");
        }
        self.app.db.clone().close().await;
    }
}

fn data_dir(flags: &Flags) -> Result<(Option<tempfile::TempDir>, PathBuf), CommandError> {
    match flags.data_dir() {
        Some(given) => Ok((None, given.clone())),
        None => {
            let folder = tempfile::tempdir().map_err(|error| CommandError::Other(format!("folder: {error}")))?;
            let path = folder.path().to_owned();
            Ok((Some(folder), path))
        }
    }
}

/// The address with a port that was free a moment ago: the public URL has to be known before the server listens.
fn free_address(listen: SocketAddr) -> Result<SocketAddr, CommandError> {
    if listen.port() != 0 {
        return Ok(listen);
    }
    let probe = std::net::TcpListener::bind(listen).and_then(|listener| listener.local_addr());
    probe.map_err(|error| CommandError::Other(format!("no free port: {error}")))
}

/// Adds the ledger up, as `quartermaster audit` does.
async fn audit(app: &App, report: &mut report::Report) -> Result<bool, CommandError> {
    let watch = report.stopwatch();
    let found = verify::verify(app).await?;
    let verdict = match found.drift.len() {
        0 => Ok(()),
        count => Err(format!("{count} sums do not agree: {:?}", found.drift)),
    };
    let answered = format!("{} entries, {} messages, {} drift", found.entries, found.messages, found.drift.len());
    report.step("The audit adds everything up", "quartermaster audit", &answered, watch.elapsed(), &verdict);
    Ok(verdict.is_ok())
}

/// What an operator does before the story begins. A folder that was used before already has the partner.
async fn make_partner(app: &App) -> Result<WithSecret, CommandError> {
    let id = PartnerId::parse(PARTNER).map_err(|error| CommandError::Other(error.to_string()))?;
    if admin::show(app, &id).await.is_ok() {
        return Ok(crate::partner::rotate_secret::rotate(app, &Origin::operator(), &id, 0).await?);
    }
    // So little and so fast that the story comes to its end within seconds.
    let plan = SetPlan {
        name: PLAN.to_owned(),
        credits_per_seat: Some(Credits(CREDITS_PER_SEAT)),
        pacing_ms: Some(PACING_MS),
        token_rate_per_second: Some(RATE_PER_SECOND),
        workspace_rate_per_second: Some(RATE_PER_SECOND),
        partner_rate_per_second: Some(RATE_PER_SECOND),
        ..SetPlan::default()
    };
    plan::set(app, &Origin::operator(), &plan).await?;
    let command = CreatePartner { id, name: "Demo Messaging".to_owned(), plan: PLAN.to_owned(), is_sandbox: true };
    Ok(admin::create(app, &Origin::operator(), &command).await?)
}
