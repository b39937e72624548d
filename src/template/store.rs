//! SQL of text templates. The workspace comes first, or a template that was found in it.

use entity::{
    id::{TemplateId, WorkspaceId},
    text_template::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Unchanged,
    sea_query::{Expr, LockType},
};

use crate::{app::App, error::Result, template::MAX_TEMPLATES};

pub(super) async fn all(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .order_by_desc(Column::UpdatedAt)
        .order_by_desc(Column::Id)
        .limit(MAX_TEMPLATES)
        .all(db)
        .await?)
}

pub(super) async fn count(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<u64> {
    Ok(Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).count(db).await?)
}

pub(super) async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: TemplateId,
) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await?)
}

/// Takes the row for this transaction. On SQLite the whole database is taken already.
pub(super) async fn lock(tx: &DatabaseTransaction, workspace_id: WorkspaceId, id: TemplateId) -> Result<Option<Model>> {
    let mut query = Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id));
    if tx.get_database_backend() == DbBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    Ok(query.one(tx).await?)
}

pub(super) async fn insert(tx: &DatabaseTransaction, row: ActiveModel) -> Result<Model> {
    Ok(row.insert(tx).await?)
}

pub(super) async fn save(tx: &DatabaseTransaction, before: &Model, change: ActiveModel) -> Result<Model> {
    Ok(ActiveModel { id: Unchanged(before.id), ..change }.update(tx).await?)
}

pub(super) async fn delete(tx: &DatabaseTransaction, template: &Model) -> Result<()> {
    Entity::delete_by_id(template.id).exec(tx).await?;
    Ok(())
}

pub(super) async fn count_use(app: &App, tx: &DatabaseTransaction, template: &Model) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Uses, Expr::col(Column::Uses).add(1))
        .col_expr(Column::LastUsedAt, Expr::value(app.clock.now()))
        .filter(Column::Id.eq(template.id))
        .exec(tx)
        .await?;
    Ok(())
}
