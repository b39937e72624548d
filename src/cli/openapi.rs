//! `quartermaster openapi`: the documents under `openapi/`, written or compared.

use std::{fs, path::PathBuf, process::ExitCode};

use serde_json::json;

use crate::{
    app::App,
    cli::{CommandError, output},
    clock::Clock,
    config::Config,
    http::documents,
};

/// Where to write, or whether to compare.
#[derive(clap::Args)]
pub(super) struct Openapi {
    /// Folder of the documents.
    #[arg(long, default_value = "openapi")]
    out: PathBuf,
    /// Write nothing; fail if what is there differs.
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(command: &Openapi, json: bool) -> Result<ExitCode, CommandError> {
    let other = |error: std::io::Error| CommandError::Other(format!("{}: {error}", command.out.display()));
    let folder = tempfile::tempdir().map_err(other)?;
    // The documents come from the operations; the application behind them lives in a folder that goes again.
    let config = Config::standalone(folder.path().to_owned(), ([127, 0, 0, 1], 0).into())?;
    let app = App::start(config, Clock::system()).await?;
    let mut differing = Vec::new();
    let mut written = Vec::new();
    for (name, text) in documents(&app) {
        let path = command.out.join(name);
        if command.check {
            if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
                differing.push(path.display().to_string());
            }
        } else {
            fs::create_dir_all(&command.out).map_err(other)?;
            fs::write(&path, text).map_err(other)?;
            written.push(path.display().to_string());
        }
    }
    output::record(json, &json!({ "written": written, "differing": differing }));
    if differing.is_empty() { Ok(ExitCode::SUCCESS) } else { Ok(ExitCode::FAILURE) }
}
