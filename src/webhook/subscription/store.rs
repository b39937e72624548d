//! SQL of subscriptions; the workspace comes first. What workers do with them is in `deliver`'s own store.

use entity::{
    delivery, delivery_attempt, event,
    id::{DeliveryId, EventId, SubscriptionId, WorkspaceId},
    timestamp::Timestamp,
    webhook_subscription::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, NotSet, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait},
};

use uuid::Uuid;

use crate::{error::Result, secret};

/// Those that are not deleted, without the webhooks of the Channels API.
pub(super) async fn all(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Vec<Model>> {
    let live = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::DeletedAt.is_null());
    let live = live.filter(Column::Events.is_null());
    Ok(live.order_by_asc(Column::Id).all(db).await?)
}

pub(super) async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: SubscriptionId,
) -> Result<Option<Model>> {
    Ok(find_any(db, workspace_id, id).await?.filter(|row| row.events.is_none()))
}

/// One that is not deleted; a webhook of the Channels API too.
pub(super) async fn find_any(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: SubscriptionId,
) -> Result<Option<Model>> {
    let live = Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::DeletedAt.is_null());
    Ok(live.one(db).await?)
}

/// The deleted one of this type and address that was deleted last.
pub(super) async fn deleted(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    event_type: &str,
    url: &str,
) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::EventType.eq(event_type))
        .filter(Column::UrlDigest.eq(secret::digest(url)))
        .filter(Column::DeletedAt.is_not_null())
        .order_by_desc(Column::DeletedAt)
        .order_by_desc(Column::Id)
        .one(tx)
        .await?)
}

/// Writes a new one; its id is the database's.
pub(super) async fn insert(tx: &DatabaseTransaction, row: &Model) -> Result<Model> {
    let row = ActiveModel { id: NotSet, ..ActiveModel::from(row.clone()).reset_all() };
    Ok(row.insert(tx).await?)
}

/// Writes what the API can change. Counters belong to those who deliver and tell; the row may have been read before
/// they changed them.
pub(super) async fn save(tx: &DatabaseTransaction, row: &Model, counters: Counters) -> Result<Model> {
    let all = ActiveModel::from(row.clone()).reset_all();
    let errors_counter = match counters {
        Counters::Keep => NotSet,
        Counters::Reset => sea_orm::Set(0),
    };
    let change = ActiveModel {
        id: sea_orm::Unchanged(row.id),
        workspace_id: NotSet,
        last_sequence: NotSet,
        created_at: NotSet,
        errors_counter,
        ..all
    };
    Ok(change.update(tx).await?)
}

/// Subscriptions that something was stored for since then.
pub(super) async fn grown(db: &impl ConnectionTrait, since: Timestamp) -> Result<Vec<SubscriptionId>> {
    // Ids begin with the milliseconds of their time, so the index of a subscription's log tells at once.
    let millis = u128::try_from(since.0 / 1000).unwrap_or(0);
    let first = DeliveryId(Uuid::from_u128(millis << 80));
    let newer = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::Id)
        .filter(Expr::col((delivery::Entity, delivery::Column::SubscriptionId)).equals((Entity, Column::Id)))
        .filter(delivery::Column::Id.gte(first));
    let ids = Entity::find().select_only().column(Column::Id).filter(Expr::exists(newer.into_query()));
    Ok(ids.order_by_asc(Column::Id).into_tuple().all(db).await?)
}

/// Which deliveries are forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) enum Those {
    /// Those that ended before this instant.
    EndedBefore(Timestamp),
    /// Those of this subscription that have ended, but for so many of its newest ones.
    Beyond(SubscriptionId, u64),
}

/// Forgets deliveries, with their tries, and the events that no delivery is left of; returns how many deliveries.
pub(super) async fn forget(tx: &DatabaseTransaction, those: Those, limit: u64) -> Result<u64> {
    let ended = delivery::Entity::find()
        .select_only()
        .columns([delivery::Column::Id, delivery::Column::EventId])
        .filter(delivery::Column::FinishedAt.is_not_null());
    let query = match those {
        Those::EndedBefore(before) => ended
            .filter(delivery::Column::FinishedAt.lt(before))
            .filter(delivery::Column::SubscriptionId.is_not_null())
            .order_by_asc(delivery::Column::FinishedAt),
        Those::Beyond(id, most) => {
            let Some(last) = beyond(tx, id, most).await? else { return Ok(0) };
            ended
                .filter(delivery::Column::SubscriptionId.eq(id))
                .filter(delivery::Column::Id.lte(last))
                .order_by_asc(delivery::Column::Id)
        }
    };
    let old: Vec<(DeliveryId, EventId)> = query.limit(limit).into_tuple().all(tx).await?;
    if old.is_empty() {
        return Ok(0);
    }
    let (ids, events): (Vec<DeliveryId>, Vec<EventId>) = old.into_iter().unzip();
    let of_them = delivery_attempt::Column::DeliveryId.is_in(ids.iter().copied());
    delivery_attempt::Entity::delete_many().filter(of_them).exec(tx).await?;
    let gone = delivery::Entity::delete_many().filter(delivery::Column::Id.is_in(ids)).exec(tx).await?.rows_affected;
    let is_left = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::Id)
        .filter(Expr::col((delivery::Entity, delivery::Column::EventId)).equals((event::Entity, event::Column::Id)));
    event::Entity::delete_many()
        .filter(event::Column::Id.is_in(events))
        .filter(Expr::exists(is_left.into_query()).not())
        .exec(tx)
        .await?;
    Ok(gone)
}

/// The newest delivery of a subscription after so many.
async fn beyond(tx: &DatabaseTransaction, id: SubscriptionId, most: u64) -> Result<Option<DeliveryId>> {
    let log = delivery::Entity::find().select_only().column(delivery::Column::Id);
    let log = log.filter(delivery::Column::SubscriptionId.eq(id)).order_by_desc(delivery::Column::Id);
    Ok(log.offset(most).limit(1).into_tuple().one(tx).await?)
}

/// What happens to the counted errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counters {
    /// They stay.
    Keep,
    /// They begin anew: the address is another.
    Reset,
}
