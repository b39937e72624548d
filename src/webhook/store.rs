//! SQL of endpoints, events and the log of their deliveries. The owner comes first. What workers do with deliveries
//! is in [`crate::webhook::deliver`]'s own store.

use entity::{
    delivery::{self, State},
    delivery_attempt, event,
    id::{DeliveryId, LeaseId, PartnerId},
    partner_webhook::{ActiveModel, Column, Entity, Model},
    timestamp::Timestamp,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, Set,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use crate::{
    app::App,
    db,
    error::Result,
    webhook::{
        Owner,
        log::{Filter, Place},
    },
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
    owner: &Owner,
    sequence: Option<i64>,
) -> Result<delivery::Model> {
    Ok(new_delivery(app, event, owner, sequence).insert(tx).await?)
}

/// Stores a delivery that somebody has leased already, until then.
pub(super) async fn insert_leased(
    app: &App,
    tx: &DatabaseTransaction,
    event: &event::Model,
    owner: &Owner,
    (lease, until): (LeaseId, Timestamp),
) -> Result<delivery::Model> {
    let row = delivery::ActiveModel {
        due_at: Set(Some(until)),
        lease: Set(Some(lease)),
        ..new_delivery(app, event, owner, None)
    };
    Ok(row.insert(tx).await?)
}

/// Stores a delivery that was given up before it was tried, and why.
pub(super) async fn insert_dead(
    app: &App,
    tx: &DatabaseTransaction,
    event: &event::Model,
    owner: &Owner,
    reason: String,
) -> Result<()> {
    let now = app.clock.now();
    let row = delivery::ActiveModel {
        state: Set(State::Dead),
        due_at: Set(None),
        finished_at: Set(Some(now)),
        ..new_delivery(app, event, owner, None)
    };
    let made = row.insert(tx).await?;
    let attempt = delivery_attempt::ActiveModel {
        delivery_id: Set(made.id),
        at: Set(now),
        duration_ms: Set(0),
        status: Set(None),
        error: Set(Some(reason)),
        ..Default::default()
    };
    delivery_attempt::Entity::insert(attempt).exec_without_returning(tx).await?;
    Ok(())
}

fn new_delivery(app: &App, event: &event::Model, owner: &Owner, sequence: Option<i64>) -> delivery::ActiveModel {
    let now = app.clock.now();
    let (partner_id, subscription_id) = match owner {
        Owner::Partner(id) => (Some(id.clone()), None),
        Owner::Subscription(id) => (None, Some(*id)),
    };
    delivery::ActiveModel {
        id: Set(DeliveryId(app.clock.uuid())),
        event_id: Set(event.id),
        partner_id: Set(partner_id),
        subscription_id: Set(subscription_id),
        sequence: Set(sequence),
        state: Set(State::Pending),
        tries: Set(0),
        due_at: Set(Some(now)),
        lease: Set(None),
        created_at: Set(now),
        finished_at: Set(None),
    }
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
    owner: &Owner,
    id: DeliveryId,
) -> Result<Option<delivery::Model>> {
    Ok(of_owner(owner).filter(delivery::Column::Id.eq(id)).one(db).await?)
}

fn of_owner(owner: &Owner) -> Select<delivery::Entity> {
    delivery::Entity::find().filter(match owner {
        Owner::Partner(id) => delivery::Column::PartnerId.eq(id.clone()),
        Owner::Subscription(id) => delivery::Column::SubscriptionId.eq(*id),
    })
}

/// The event of a delivery that was found under its owner.
pub(super) async fn event(db: &impl ConnectionTrait, delivery: &delivery::Model) -> Result<Option<event::Model>> {
    Ok(event::Entity::find_by_id(delivery.event_id).one(db).await?)
}

/// The events of deliveries that were found under their owner.
pub(super) async fn events(db: &impl ConnectionTrait, deliveries: &[delivery::Model]) -> Result<Vec<event::Model>> {
    let ids = deliveries.iter().map(|delivery| delivery.event_id);
    Ok(event::Entity::find().filter(event::Column::Id.is_in(ids)).all(db).await?)
}

/// An owner's deliveries, newest first, one more than the page holds.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    owner: &Owner,
    filter: &Filter,
    place: &Place,
) -> Result<Vec<delivery::Model>> {
    let mut query = of_owner(owner);
    if let Some(state) = filter.state {
        query = query.filter(delivery::Column::State.eq(state));
    }
    let kind = filter.event_type.map(|kind| kind.to_string());
    if let Some(kind) = kind.or_else(|| filter.hook_event.map(|kind| kind.to_string())) {
        // For each delivery its event, and not all events of the type: there are many of others.
        let is_of_type = event::Entity::find()
            .select_only()
            .column(event::Column::Id)
            .filter(Expr::col((event::Entity, event::Column::Id)).equals((delivery::Entity, delivery::Column::EventId)))
            .filter(event::Column::Kind.eq(kind));
        query = query.filter(Expr::exists(is_of_type.into_query()));
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
