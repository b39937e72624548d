//! SQL of plans.

use entity::{
    id::PlanId,
    plan::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Set, Unchanged};

use crate::{
    app::App,
    error::{Error, Result},
    plan::SetPlan,
};

/// The name of the plan that every installation starts with.
pub(crate) const STARTER: &str = "starter";

pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>> {
    Ok(Entity::find().order_by_asc(Column::Id).all(db).await?)
}

pub(crate) async fn by_name(db: &impl ConnectionTrait, name: &str) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Name.eq(name)).one(db).await?)
}

pub(crate) async fn by_id(db: &impl ConnectionTrait, id: PlanId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// Writes a plan: over `before`, or new with what the starter plan has where nothing is said.
pub(crate) async fn save(
    app: &App,
    db: &impl ConnectionTrait,
    before: Option<&Model>,
    command: &SetPlan,
) -> Result<Model> {
    let base = match before {
        Some(before) => before.clone(),
        None => by_name(db, STARTER).await?.ok_or(Error::PlanNotFound)?,
    };
    let now = app.clock.now();
    let row = ActiveModel {
        id: before.map_or_else(Default::default, |before| Unchanged(before.id)),
        name: Set(command.name.clone()),
        credits_per_seat: Set(command.credits_per_seat.unwrap_or(base.credits_per_seat)),
        api_calls_per_period: Set(command.api_calls_per_period.unwrap_or(base.api_calls_per_period)),
        token_rate_per_second: Set(command.token_rate_per_second.unwrap_or(base.token_rate_per_second)),
        token_burst: Set(command.token_burst.unwrap_or(base.token_burst)),
        workspace_rate_per_second: Set(command.workspace_rate_per_second.unwrap_or(base.workspace_rate_per_second)),
        partner_rate_per_second: Set(command.partner_rate_per_second.unwrap_or(base.partner_rate_per_second)),
        pacing_ms: Set(command.pacing_ms.unwrap_or(base.pacing_ms)),
        max_channels: Set(command.max_channels.or(base.max_channels)),
        created_at: before.map_or(Set(now), |before| Unchanged(before.created_at)),
        updated_at: Set(now),
    };
    Ok(match before {
        Some(_) => row.update(db).await?,
        None => row.insert(db).await?,
    })
}
