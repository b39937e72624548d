//! x
use crate::{cli::CommandError, config::Flags};
use std::process::ExitCode;
#[derive(clap::Args)]
pub(super) struct Demo {}
pub(super) async fn run(_: &Demo, _: &Flags, _: bool) -> Result<ExitCode, CommandError> {
    Ok(ExitCode::SUCCESS)
}
