//! `quartermaster credits grant|adjust|show`: credits of workspaces that do not expire.

use serde_json::json;

use crate::{
    app::App,
    caller::Origin,
    cli::{CommandError, output, token::address},
    credit::change::{self, ChangeBalance},
    idempotency::Repeatable,
};

/// What to do with credits. A workspace is named `partner/workspace`.
#[derive(clap::Subcommand)]
pub(super) enum Credits {
    /// Give a workspace credits that do not expire.
    Grant {
        #[command(flatten)]
        of: Of,
        /// How many, 1 to 1,000,000,000.
        #[arg(long, allow_negative_numbers = true)]
        credits: i64,
    },
    /// Correct the balance up or down; it never falls below zero.
    Adjust {
        #[command(flatten)]
        of: Of,
        /// How many, at most 1,000,000,000; negative to take away.
        #[arg(long, allow_negative_numbers = true)]
        credits: i64,
    },
    /// Show what a workspace may use and has used.
    Show {
        /// `partner/workspace`.
        #[arg(long)]
        workspace: String,
    },
}

/// Whose balance is changed, and why.
#[derive(clap::Args)]
pub(super) struct Of {
    /// `partner/workspace`.
    #[arg(long)]
    workspace: String,
    /// Why; it stays in the ledger.
    #[arg(long)]
    note: Option<String>,
}

pub(super) async fn run(app: &App, command: &Credits, json: bool) -> Result<(), CommandError> {
    match command {
        Credits::Grant { of, credits } => {
            let command = ChangeBalance::grant(*credits, of.note.as_deref())?;
            change(app, &of.workspace, &command, json).await
        }
        Credits::Adjust { of, credits } => {
            let command = ChangeBalance::adjust(*credits, of.note.as_deref())?;
            change(app, &of.workspace, &command, json).await
        }
        Credits::Show { workspace } => {
            let (partner_id, slug) = address(workspace)?;
            let figures = change::show(app, &partner_id, &slug).await?;
            let shown = json!({
                "workspace": workspace,
                "total": figures.messages_total,
                "used": figures.messages_used,
                "remaining_balance": figures.non_recurring_balance,
                "api_calls_total": figures.api_calls_total,
                "api_calls_used": figures.api_calls_used,
                "period_start": output::instant(figures.period.start),
                "period_end": output::instant(figures.period.end),
            });
            output::record(json, &shown);
            Ok(())
        }
    }
}

async fn change(app: &App, workspace: &str, command: &ChangeBalance, json: bool) -> Result<(), CommandError> {
    let (partner_id, slug) = address(workspace)?;
    let request = Repeatable::never();
    let changed = change::change(app, &Origin::operator(), &partner_id, &slug, command, &request).await?;
    output::record(json, &json!({ "workspace": workspace, "remaining_balance": changed.balance }));
    Ok(())
}
