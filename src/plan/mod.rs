//! Plans: what a seat buys. The operator sets them; partners and workspaces refer to them.

use entity::{credits::Credits, id::PlanId, plan::Model};

use crate::{
    app::App,
    audit,
    caller::Origin,
    db,
    error::{Error, Result},
    partner,
    queue::{self, Work},
    signal::Signal,
    token::access::{self, Access, Changed},
};

mod store;

/// Largest amount of anything in a plan; times 999 seats it is far from where integers end.
const MAX_AMOUNT: i64 = 1_000_000_000;

/// What to make or change; absent members keep their value, or take the starter plan's for a new plan.
#[derive(Clone, Debug, Default, serde::Serialize)]
#[expect(missing_docs, reason = "each is the column of the same name")]
pub struct SetPlan {
    pub name: String,
    pub credits_per_seat: Option<Credits>,
    pub api_calls_per_period: Option<i64>,
    pub token_rate_per_second: Option<i32>,
    pub token_burst: Option<i32>,
    pub workspace_rate_per_second: Option<i32>,
    pub partner_rate_per_second: Option<i32>,
    pub pacing_ms: Option<i64>,
    pub max_channels: Option<i32>,
}

/// All plans, by id.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App) -> Result<Vec<Model>> {
    store::all(app.db.reader()).await
}

/// The plan with this name.
///
/// # Errors
/// `plan_not_found`.
pub async fn by_name(app: &App, name: &str) -> Result<Model> {
    store::by_name(app.db.reader(), name).await?.ok_or(Error::PlanNotFound)
}

/// The plan with this id, as a workspace refers to it.
///
/// # Errors
/// `plan_not_found`.
pub async fn by_id(db: &impl sea_orm::ConnectionTrait, id: PlanId) -> Result<Model> {
    store::by_id(db, id).await?.ok_or(Error::PlanNotFound)
}

/// Makes a plan, or changes the one of this name.
///
/// # Errors
/// `invalid_request` for a name that is not 1 to 30 of `[a-z0-9-]` or an amount out of range.
pub async fn set(app: &App, origin: &Origin, command: &SetPlan) -> Result<Model> {
    check(command)?;
    let (plan, changed) = db::write(&app.db, "plan.set", async |tx| {
        let before = store::by_name(tx, &command.name).await?;
        let after = store::save(app, tx, before.as_ref(), command).await?;
        let mut entry = audit::Entry::of_platform("plan.set", after.id).after(command);
        if let Some(before) = before {
            entry = entry.before(SetPlan::from(&before));
        }
        audit::record(app, tx, origin, entry).await?;
        let partners = partner::all(tx).await?;
        let changed: Vec<Changed> = partners.into_iter().map(|partner| Changed::Partner(partner.id)).collect();
        for one in &changed {
            access::record(app, tx, one).await?;
        }
        queue::enqueue(app, tx, &Work::PlanChanged { plan: after.id }).await?;
        Ok((after, changed))
    })
    .await?;
    for one in &changed {
        Access::forget(app, one);
    }
    app.signals.publish(Signal::Work);
    Ok(plan)
}

fn check(command: &SetPlan) -> Result<()> {
    entity::id::WorkspaceSlug::parse(&command.name).map_err(|error| Error::field("name", error.to_string()))?;
    let at_least = |field, value: Option<i64>, least: i64| match value {
        Some(value) if !(least..=MAX_AMOUNT).contains(&value) => {
            Err(Error::field(field, format!("must be {least} to {MAX_AMOUNT}")))
        }
        _ => Ok(()),
    };
    at_least("credits_per_seat", command.credits_per_seat.map(|credits| credits.0), 0)?;
    at_least("api_calls_per_period", command.api_calls_per_period, 0)?;
    at_least("token_rate_per_second", command.token_rate_per_second.map(i64::from), 1)?;
    at_least("token_burst", command.token_burst.map(i64::from), 0)?;
    at_least("workspace_rate_per_second", command.workspace_rate_per_second.map(i64::from), 1)?;
    at_least("partner_rate_per_second", command.partner_rate_per_second.map(i64::from), 1)?;
    at_least("pacing_ms", command.pacing_ms, 0)?;
    at_least("max_channels", command.max_channels.map(i64::from), 1)
}

impl From<&Model> for SetPlan {
    fn from(plan: &Model) -> Self {
        Self {
            name: plan.name.clone(),
            credits_per_seat: Some(plan.credits_per_seat),
            api_calls_per_period: Some(plan.api_calls_per_period),
            token_rate_per_second: Some(plan.token_rate_per_second),
            token_burst: Some(plan.token_burst),
            workspace_rate_per_second: Some(plan.workspace_rate_per_second),
            partner_rate_per_second: Some(plan.partner_rate_per_second),
            pacing_ms: Some(plan.pacing_ms),
            max_channels: plan.max_channels,
        }
    }
}
