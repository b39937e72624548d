//! `quartermaster audit`: adds the ledger up; exit 1 and a report if anything does not agree.

use std::process::ExitCode;

use serde_json::json;

use crate::{
    app::App,
    cli::{CommandError, output},
    credit::verify,
};

pub(super) async fn run(app: &App, json: bool) -> Result<ExitCode, CommandError> {
    let report = verify::verify(app).await?;
    if json {
        output::record(json, &report);
    } else {
        let checked = json!({
            "periods": report.periods,
            "entries": report.entries,
            "messages": report.messages,
            "drift": report.drift.len(),
        });
        output::record(json, &checked);
        if !report.drift.is_empty() {
            println!();
            output::list(json, &report.drift);
        }
    }
    Ok(if report.drift.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
