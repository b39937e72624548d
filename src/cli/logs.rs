//! Logs go to standard error, so that standard output holds answers only.

use std::io::stderr;

use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    cli::CommandError,
    config::{Config, LogFormat},
};

/// How much a command says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// What is configured: for processes that serve.
    Configured,
    /// Warnings only: for commands with an answer.
    Quiet,
}

/// Starts logging, once per process.
pub(super) fn start(config: &Config, level: Level) -> Result<(), CommandError> {
    let filter = match level {
        Level::Configured => config.log_filter.as_str(),
        Level::Quiet => "warn",
    };
    let filter = EnvFilter::try_new(filter).map_err(|error| CommandError::Other(format!("log_filter: {error}")))?;
    let builder = fmt().with_env_filter(filter).with_writer(stderr).with_ansi(false);
    let started = match config.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| CommandError::Other(format!("logging: {error}")))
}
