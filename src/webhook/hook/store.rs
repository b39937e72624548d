//! SQL of webhooks of the Channels API; the workspace comes first.

use entity::{
    id::{SubscriptionId, WorkspaceId},
    webhook_subscription::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, NotSet, QueryFilter, QueryOrder,
    Select, Unchanged,
};

use crate::error::Result;

fn living(workspace_id: WorkspaceId) -> Select<Entity> {
    Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Events.is_not_null())
        .filter(Column::DeletedAt.is_null())
        .order_by_asc(Column::Id)
}

pub(super) async fn all(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Vec<Model>> {
    Ok(living(workspace_id).all(db).await?)
}

pub(super) async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: SubscriptionId,
) -> Result<Option<Model>> {
    Ok(living(workspace_id).filter(Column::Id.eq(id)).one(db).await?)
}

/// Writes a new one; its id is the database's.
pub(super) async fn insert(tx: &DatabaseTransaction, row: &Model) -> Result<Model> {
    let row = ActiveModel { id: NotSet, ..ActiveModel::from(row.clone()).reset_all() };
    Ok(row.insert(tx).await?)
}

/// Writes what the API can change; the counters are of those who deliver.
pub(super) async fn save(tx: &DatabaseTransaction, row: &Model) -> Result<Model> {
    let all = ActiveModel::from(row.clone()).reset_all();
    let change = ActiveModel {
        id: Unchanged(row.id),
        workspace_id: NotSet,
        errors_counter: NotSet,
        last_sequence: NotSet,
        created_at: NotSet,
        ..all
    };
    Ok(change.update(tx).await?)
}
