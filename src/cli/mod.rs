//! The command line: one file per command. Every command prints text, or one JSON document with `--json`.
//!
//! Commands of administration work on the database directly, beside a running server; what they change counts from
//! the commit on.

use std::{process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand};

use crate::{
    app::{App, StartError},
    clock::Clock,
    config::{Config, ConfigError, Flags},
    error::Error,
};

mod audit;
mod config;
mod connector;
mod credits;
mod demo;
mod logs;
mod migrate;
mod openapi;
mod operator_token;
mod output;
mod partner;
mod plan;
mod serve;
mod token;

/// Control plane with which a messaging platform lets partners provision, meter and sell it.
#[derive(Parser)]
#[command(name = "quartermaster", version, about)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Print one JSON document and nothing else.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve all HTTP surfaces.
    Serve,
    /// Do what is due: send messages, deliver webhooks, move onboarding attempts on.
    Work,
    /// Apply the schema steps that are missing.
    Migrate,
    /// Write the OpenAPI documents and the list of error codes.
    Openapi(openapi::Openapi),
    /// Show the configuration, secrets redacted, with where each value came from.
    Config,
    /// Play the product's story against its own HTTP surfaces, with nothing installed.
    Demo(demo::Demo),
    /// Plans: what a seat buys.
    #[command(subcommand)]
    Plan(plan::Plan),
    /// Partners: resellers, who own workspaces.
    #[command(subcommand)]
    Partner(partner::Partner),
    /// Connectors: who speaks to the networks' providers, for whom.
    #[command(subcommand)]
    Connector(connector::Connector),
    /// Credits of workspaces that do not expire.
    #[command(subcommand)]
    Credits(credits::Credits),
    /// Add the ledger up; exit 1 and a report if anything does not agree.
    Audit,
    /// API tokens of workspaces.
    #[command(subcommand)]
    Token(token::Token),
    /// Tokens of the platform's own staff and tools.
    #[command(subcommand)]
    OperatorToken(operator_token::OperatorToken),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{code}: {0}", code = .0.code())]
    Operation(#[from] Error),
    #[error(transparent)]
    Serve(#[from] crate::http::ServeError),
    #[error("the database failed: {0}")]
    Database(#[from] sea_orm::DbErr),
    #[error("{0}")]
    Other(String),
}

/// Reads the arguments, runs the command, and says how it went: 0 done, 1 failed, 2 misused.
pub async fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    match dispatch(arguments).await {
        Ok(code) => code,
        Err(error) => {
            output::failure(json, &error);
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(arguments: Arguments) -> Result<ExitCode, CommandError> {
    let Arguments { flags, json, command } = arguments;
    match command {
        None => serve::run(&flags, serve::Roles::Both).await?,
        Some(Command::Serve) => serve::run(&flags, serve::Roles::Serve).await?,
        Some(Command::Work) => serve::run(&flags, serve::Roles::Work).await?,
        Some(Command::Migrate) => migrate::run(&flags, json).await?,
        Some(Command::Openapi(command)) => return openapi::run(&command, json).await,
        Some(Command::Config) => config::run(&flags, json)?,
        Some(Command::Demo(command)) => return demo::run(&command, &flags, json).await,
        Some(Command::Plan(command)) => plan::run(&*app(&flags).await?, &command, json).await?,
        Some(Command::Partner(command)) => partner::run(&*app(&flags).await?, command, json).await?,
        Some(Command::Connector(command)) => connector::run(&*app(&flags).await?, command, json).await?,
        Some(Command::Credits(command)) => credits::run(&*app(&flags).await?, &command, json).await?,
        Some(Command::Audit) => return audit::run(&*app(&flags).await?, json).await,
        Some(Command::Token(command)) => token::run(&*app(&flags).await?, command, json).await?,
        Some(Command::OperatorToken(command)) => operator_token::run(&*app(&flags).await?, &command, json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The application for a command that works on the database.
async fn app(flags: &Flags) -> Result<Arc<App>, CommandError> {
    let config = Config::load(flags)?;
    logs::start(&config, logs::Level::Quiet)?;
    let app = App::start(config, Clock::system()).await?;
    match app.db.missing_migrations().await? {
        0 => Ok(app),
        missing => Err(CommandError::Other(format!("{missing} schema steps are missing: run quartermaster migrate"))),
    }
}
