//! SQL of slots. The workspace comes first.

use entity::{
    channel::Network,
    channel_slot::{ActiveModel, Column, Entity, Model},
    id::{AccountId, WorkspaceId},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, EntityTrait, Set, sea_query::OnConflict};

use crate::error::Result;

pub(super) async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    network: Network,
) -> Result<Option<Model>> {
    Ok(Entity::find_by_id((workspace_id, network)).one(db).await?)
}

/// Puts a channel into a slot; its campaign stays as it is.
pub(super) async fn put(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    network: Network,
    account_id: AccountId,
) -> Result<()> {
    let row = ActiveModel {
        workspace_id: Set(workspace_id),
        network: Set(network),
        account_id: Set(Some(account_id)),
        campaign_running: Set(false),
    };
    upsert(tx, row, Column::AccountId).await
}

/// Marks a slot as one on which a campaign runs, or not.
pub(super) async fn set_campaign(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    network: Network,
    running: bool,
) -> Result<()> {
    let row = ActiveModel {
        workspace_id: Set(workspace_id),
        network: Set(network),
        account_id: Set(None),
        campaign_running: Set(running),
    };
    upsert(tx, row, Column::CampaignRunning).await
}

async fn upsert(tx: &DatabaseTransaction, row: ActiveModel, changed: Column) -> Result<()> {
    let known = OnConflict::columns([Column::WorkspaceId, Column::Network]).update_column(changed).to_owned();
    Entity::insert(row).on_conflict(known).exec_without_returning(tx).await?;
    Ok(())
}
