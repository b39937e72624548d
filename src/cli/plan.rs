//! `quartermaster plan list|set`.

use entity::{credits::Credits, plan::Model};
use serde_json::{Value, json};

use crate::{
    app::App,
    caller::Origin,
    cli::{CommandError, output},
    plan::{self, SetPlan},
};

/// What to do with plans.
#[derive(clap::Subcommand)]
pub(super) enum Plan {
    /// List all plans.
    List,
    /// Make a plan, or change the one of this name; what is not said keeps its value.
    Set(Set),
}

/// A plan's amounts.
#[derive(clap::Args)]
pub(super) struct Set {
    /// Name, 1 to 30 of a-z, 0-9 and dashes.
    name: String,
    /// Recurring credits per seat and month.
    #[arg(long)]
    credits_per_seat: Option<i64>,
    /// API calls per workspace and month.
    #[arg(long)]
    api_calls: Option<i64>,
    /// Sustained requests per second of one token.
    #[arg(long)]
    token_rate: Option<i32>,
    /// Requests that one token may make at once above its rate.
    #[arg(long)]
    token_burst: Option<i32>,
    /// Sustained requests per second of one workspace.
    #[arg(long)]
    workspace_rate: Option<i32>,
    /// Sustained requests per second of one partner.
    #[arg(long)]
    partner_rate: Option<i32>,
    /// Milliseconds between two messages of one channel.
    #[arg(long)]
    pacing_ms: Option<i64>,
    /// Most channels of one workspace.
    #[arg(long)]
    max_channels: Option<i32>,
}

pub(super) async fn run(app: &App, command: &Plan, json: bool) -> Result<(), CommandError> {
    match command {
        Plan::List => {
            let plans: Vec<Value> = plan::list(app).await?.iter().map(view).collect();
            output::list(json, &plans);
        }
        Plan::Set(set) => {
            let command = SetPlan {
                name: set.name.clone(),
                credits_per_seat: set.credits_per_seat.map(Credits),
                api_calls_per_period: set.api_calls,
                token_rate_per_second: set.token_rate,
                token_burst: set.token_burst,
                workspace_rate_per_second: set.workspace_rate,
                partner_rate_per_second: set.partner_rate,
                pacing_ms: set.pacing_ms,
                max_channels: set.max_channels,
            };
            let plan = plan::set(app, &Origin::operator(), &command).await?;
            output::record(json, &view(&plan));
        }
    }
    Ok(())
}

fn view(plan: &Model) -> Value {
    json!({
        "plan_id": plan.id,
        "name": plan.name,
        "credits_per_seat": plan.credits_per_seat,
        "api_calls_per_period": plan.api_calls_per_period,
        "token_rate_per_second": plan.token_rate_per_second,
        "token_burst": plan.token_burst,
        "workspace_rate_per_second": plan.workspace_rate_per_second,
        "partner_rate_per_second": plan.partner_rate_per_second,
        "pacing_ms": plan.pacing_ms,
        "max_channels": plan.max_channels,
    })
}
