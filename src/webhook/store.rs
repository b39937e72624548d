//! SQL of endpoints, events and the log of their deliveries. The partner comes first. What workers do with deliveries
//! is in [`crate::webhook::deliver`]'s own store.

use entity::{
    delivery::{self, State},
    delivery_attempt, event,
    id::{DeliveryId, EventId, PartnerId},
    partner_webhook::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Set, sea_query::OnConflict,
};

use crate::{
    app::App,
    db,
    error::Result,
    webhook::log::{Filter, Place},
};

/// Stores an event; tells whether it is new.
pub(super) async fn insert_event(tx: &DatabaseTransaction, row: &event::Model) -> Result<bool> {
    let insert = event::Entity::insert(event::ActiveModel::from(row.clone()).reset_all());
    db::insert_unless_known(insert.on_conflict_do_nothing_on([event::Column::UniqueKey]), tx).await
}

/// Stores a delivery that is due at once.
pub(super) async fn insert_delivery(
    app: &App,
    tx: &DatabaseTransaction,
    event: &event::Model,
) -> Result<delivery::Model> {
    let now = app.clock.now();
    let row = delivery::ActiveModel {
        id: Set(DeliveryId(app.clock.uuid())),
        event_id: Set(event.id),
        partner_id: Set(event.partner_id.clone()),
        state: Set(State::Pending),
        tries: Set(0),
        due_at: Set(Some(now)),
        lease: Set(None),
        created_at: Set(now),
        finished_at: Set(None),
    };
    Ok(row.insert(tx).await?)
}

pub(super) async fn endpoint(db: &impl ConnectionTrait, partner_id: &PartnerId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(partner_id.clone()).one(db).await?)
}

/// Writes an endpoint, over the one that is there.
pub(super) async fn put_endpoint(tx: &DatabaseTransaction, endpoint: &Model) -> Result<()> {
    let row = ActiveModel::from(endpoint.clone()).reset_all();
    let replace = OnConflict::column(Column::PartnerId)
        .update_columns([Column::Url, Column::Enabled, Column::DisabledReason, Column::FailingSince, Column::UpdatedAt])
        .to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(tx).await?;
    Ok(())
}

/// Takes the endpoint away; tells whether there was one.
pub(super) async fn remove_endpoint(tx: &DatabaseTransaction, partner_id: &PartnerId) -> Result<bool> {
    Ok(Entity::delete_by_id(partner_id.clone()).exec(tx).await?.rows_affected > 0)
}

pub(super) async fn delivery(
    db: &impl ConnectionTrait,
    partner_id: &PartnerId,
    id: DeliveryId,
) -> Result<Option<delivery::Model>> {
    Ok(delivery::Entity::find_by_id(id).filter(delivery::Column::PartnerId.eq(partner_id.clone())).one(db).await?)
}

pub(super) async fn event(
    db: &impl ConnectionTrait,
    partner_id: &PartnerId,
    id: EventId,
) -> Result<Option<event::Model>> {
    Ok(event::Entity::find_by_id(id).filter(event::Column::PartnerId.eq(partner_id.clone())).one(db).await?)
}

/// The partner's events of these ids.
pub(super) async fn events(
    db: &impl ConnectionTrait,
    partner_id: &PartnerId,
    ids: Vec<EventId>,
) -> Result<Vec<event::Model>> {
    Ok(event::Entity::find()
        .filter(event::Column::PartnerId.eq(partner_id.clone()))
        .filter(event::Column::Id.is_in(ids))
        .all(db)
        .await?)
}

/// A partner's deliveries, newest first, one more than the page holds.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    partner_id: &PartnerId,
    filter: &Filter,
    place: &Place,
) -> Result<Vec<delivery::Model>> {
    let mut query = delivery::Entity::find().filter(delivery::Column::PartnerId.eq(partner_id.clone()));
    if let Some(state) = filter.state {
        query = query.filter(delivery::Column::State.eq(state));
    }
    if let Some(event_type) = filter.event_type {
        let events = event::Entity::find()
            .select_only()
            .column(event::Column::Id)
            .filter(event::Column::PartnerId.eq(partner_id.clone()))
            .filter(event::Column::Kind.eq(event_type.to_string()));
        query = query.filter(delivery::Column::EventId.in_subquery(events.into_query()));
    }
    if let Some(before) = place.before {
        query = query.filter(delivery::Column::Id.lt(before));
    }
    Ok(query.order_by_desc(delivery::Column::Id).limit(place.limit + 1).all(db).await?)
}

/// Tries of deliveries, in the order in which they were made.
pub(super) async fn attempts(db: &impl ConnectionTrait, ids: Vec<DeliveryId>) -> Result<Vec<delivery_attempt::Model>> {
    Ok(delivery_attempt::Entity::find()
        .filter(delivery_attempt::Column::DeliveryId.is_in(ids))
        .order_by_asc(delivery_attempt::Column::Id)
        .all(db)
        .await?)
}
