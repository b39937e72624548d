//! Flags that stand for configuration keys, on every command.

use std::{net::SocketAddr, path::PathBuf};

use serde::Serialize;

use crate::config::LogFormat;

/// Flags that override file and environment. Secrets have no flag: arguments can be read by other processes.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// TOML file with configuration keys.
    #[arg(long, global = true, value_name = "FILE", env = "QUARTERMASTER_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
}

/// Only what was given on the command line is serialised.
#[derive(Clone, Debug, Default, Serialize, clap::Args)]
pub struct Given {
    /// Address to listen on.
    #[arg(long, global = true, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    /// Address under which the world reaches us.
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,
    /// Where the embedded store and its master key live.
    #[arg(long, global = true, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    /// How logs are written.
    #[arg(long, global = true, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_format: Option<LogFormat>,
    /// What is logged, such as `info` or `quartermaster=debug`.
    #[arg(long, global = true, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_filter: Option<String>,
}

impl Flags {
    /// What was given.
    #[must_use]
    pub fn given(&self) -> &Given {
        &self.given
    }

    /// The folder that was given.
    #[must_use]
    pub fn data_dir(&self) -> Option<&PathBuf> {
        self.given.data_dir.as_ref()
    }

    /// The address that was given.
    #[must_use]
    pub fn listen(&self) -> Option<SocketAddr> {
        self.given.listen
    }
}
