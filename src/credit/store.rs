//! SQL of the ledger. The workspace comes first.

use std::collections::HashMap;

use entity::{
    credit_entry::{ActiveModel, Bucket, Column, Entity, Kind, Model},
    credits::Credits,
    id::{MessageId, WorkspaceId},
    quota_period, wallet,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, Set, sea_query::Expr,
};

use crate::{
    app::App,
    error::{Error, Result},
};

/// An entry to be written.
pub(super) struct NewEntry {
    pub(super) bucket: Bucket,
    pub(super) kind: Kind,
    pub(super) amount: Credits,
    pub(super) message_id: Option<MessageId>,
    pub(super) note: Option<String>,
}

/// Writes an entry. A second of its kind for a message is refused by the database.
pub(super) async fn insert(
    app: &App,
    tx: &DatabaseTransaction,
    period: &quota_period::Model,
    new: NewEntry,
) -> Result<()> {
    let row = ActiveModel {
        workspace_id: Set(period.workspace_id),
        period_start: Set(period.period_start),
        bucket: Set(new.bucket),
        kind: Set(new.kind),
        amount: Set(new.amount),
        message_id: Set(new.message_id),
        note: Set(new.note),
        created_at: Set(app.clock.now()),
        ..Default::default()
    };
    row.insert(tx).await?;
    Ok(())
}

/// What a message was charged and given back.
pub(super) async fn of_message(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    message_id: MessageId,
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::MessageId.eq(message_id))
        .order_by_asc(Column::Id)
        .all(db)
        .await?)
}

/// Makes a workspace's balance of credits that do not expire: none.
pub(crate) async fn open_wallet(tx: &DatabaseTransaction, workspace_id: WorkspaceId) -> Result<()> {
    let row = wallet::ActiveModel { workspace_id: Set(workspace_id), balance: Set(Credits::ZERO) };
    wallet::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// Adds to the credits that do not expire, or takes from them; they never fall below zero.
pub(crate) async fn add_wallet(tx: &DatabaseTransaction, workspace_id: WorkspaceId, amount: Credits) -> Result<()> {
    let updated = wallet::Entity::update_many()
        .col_expr(wallet::Column::Balance, Expr::col(wallet::Column::Balance).add(amount.0))
        .filter(wallet::Column::WorkspaceId.eq(workspace_id))
        .filter(Expr::col(wallet::Column::Balance).add(amount.0).gte(0))
        .exec(tx)
        .await?;
    if updated.rows_affected == 1 {
        return Ok(());
    }
    Err(Error::InsufficientCredits { available: balance(tx, workspace_id).await? })
}

/// Credits of a workspace that do not expire.
pub(crate) async fn balance(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Credits> {
    let row = wallet::Entity::find_by_id(workspace_id).one(db).await?;
    Ok(row.map_or(Credits::ZERO, |row| row.balance))
}

/// [`balance`] of several workspaces.
pub(crate) async fn balances(db: &impl ConnectionTrait, ids: &[WorkspaceId]) -> Result<HashMap<WorkspaceId, Credits>> {
    let query = wallet::Entity::find().filter(wallet::Column::WorkspaceId.is_in(ids.iter().copied()));
    Ok(query.all(db).await?.into_iter().map(|row| (row.workspace_id, row.balance)).collect())
}
