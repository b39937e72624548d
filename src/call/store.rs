//! SQL of calls. The account, which a session has proved, comes first.

use entity::{
    call::{ActiveModel, Column, Entity, Model},
    channel,
};
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};

use crate::{db, error::Result};

pub(super) async fn by_provider_ref(
    tx: &DatabaseTransaction,
    channel: &channel::Model,
    provider_ref: &str,
) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::AccountId.eq(channel.account_id))
        .filter(Column::ProviderRef.eq(provider_ref))
        .one(tx)
        .await?)
}

/// Writes a call; tells whether the provider's id was new.
pub(super) async fn insert(tx: &DatabaseTransaction, call: &Model) -> Result<bool> {
    let insert = Entity::insert(ActiveModel::from(call.clone()).reset_all());
    let insert = insert.on_conflict_do_nothing_on([Column::AccountId, Column::ProviderRef]);
    db::insert_unless_known(insert, tx).await
}
