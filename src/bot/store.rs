//! SQL of bots; the workspace comes first.

use entity::{
    bot::{ActiveModel, Column, Entity, Model},
    channel_bot,
    id::{AccountId, BotId, WorkspaceId},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Set, Unchanged,
};

use crate::{app::App, error::Result};

pub(super) async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: BotId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await?)
}

pub(super) async fn count(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<u64> {
    Ok(Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).count(db).await?)
}

pub(super) async fn page(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    offset: u64,
    limit: u64,
) -> Result<Vec<Model>> {
    let all = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).order_by_asc(Column::Id);
    Ok(all.offset(offset).limit(limit).all(db).await?)
}

pub(super) async fn insert(tx: &DatabaseTransaction, row: &Model) -> Result<()> {
    Entity::insert(ActiveModel::from(row.clone()).reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn save(tx: &DatabaseTransaction, row: &Model) -> Result<()> {
    let change = ActiveModel { id: Unchanged(row.id), ..ActiveModel::from(row.clone()).reset_all() };
    change.update(tx).await?;
    Ok(())
}

/// Deletes a bot and takes it off its channels.
pub(super) async fn delete(tx: &DatabaseTransaction, workspace_id: WorkspaceId, id: BotId) -> Result<()> {
    use channel_bot::Column as OfChannel;
    channel_bot::Entity::delete_many()
        .filter(OfChannel::WorkspaceId.eq(workspace_id))
        .filter(OfChannel::BotId.eq(id))
        .exec(tx)
        .await?;
    Entity::delete_many().filter(Column::Id.eq(id)).filter(Column::WorkspaceId.eq(workspace_id)).exec(tx).await?;
    Ok(())
}

/// The channels of these bots, the longest attached first.
pub(super) async fn attached_to(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    bots: impl IntoIterator<Item = BotId>,
) -> Result<Vec<channel_bot::Model>> {
    use channel_bot::Column;
    let found = channel_bot::Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::BotId.is_in(bots))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::AccountId);
    Ok(found.all(db).await?)
}

/// The bot of an account.
pub(crate) async fn bot_of(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    account_id: AccountId,
) -> Result<Option<Model>> {
    use channel_bot::Column;
    let attached = channel_bot::Entity::find_by_id(account_id).filter(Column::WorkspaceId.eq(workspace_id));
    match attached.one(db).await? {
        Some(attached) => find(db, workspace_id, attached.bot_id).await,
        None => Ok(None),
    }
}

/// Gives an account this bot and no other.
pub(super) async fn attach(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    account_id: AccountId,
    bot: Option<BotId>,
) -> Result<()> {
    use channel_bot::Column;
    channel_bot::Entity::delete_many()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::WorkspaceId.eq(workspace_id))
        .exec(tx)
        .await?;
    if let Some(bot_id) = bot {
        let row = channel_bot::ActiveModel {
            account_id: Set(account_id),
            workspace_id: Set(workspace_id),
            bot_id: Set(bot_id),
            created_at: Set(app.clock.now()),
        };
        channel_bot::Entity::insert(row).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// The bots of these accounts.
pub(crate) async fn bots_of(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    ids: &[AccountId],
) -> Result<std::collections::HashMap<AccountId, Model>> {
    use channel_bot::Column as OfChannel;
    let attached = channel_bot::Entity::find()
        .filter(OfChannel::WorkspaceId.eq(workspace_id))
        .filter(OfChannel::AccountId.is_in(ids.iter().copied()))
        .all(db)
        .await?;
    let bots = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Id.is_in(attached.iter().map(|one| one.bot_id)))
        .all(db)
        .await?;
    let bot = |id: BotId| bots.iter().find(|bot| bot.id == id).cloned();
    Ok(attached.iter().filter_map(|one| Some((one.account_id, bot(one.bot_id)?))).collect())
}
