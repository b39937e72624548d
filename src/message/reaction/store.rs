//! SQL of reactions. The workspace comes first, or a message or an account that was found in it.

use entity::{
    channel,
    id::{MessageId, WorkspaceId},
    message,
    reaction::{ActiveModel, Column, Entity, Model},
    timestamp::Timestamp,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Set,
    sea_query::{LockType, OnConflict},
};

use crate::{
    error::Result,
    message::reaction::{Emoji, MAX_SHOWN},
};

/// Who reacts.
pub(super) struct Reactor<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) phone: Option<&'a str>,
    pub(super) is_own: bool,
    pub(super) at: Timestamp,
}

pub(super) async fn of_messages(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    ids: Vec<MessageId>,
) -> Result<Vec<Model>> {
    let most = MAX_SHOWN.saturating_mul(u64::try_from(ids.len()).unwrap_or(1));
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::MessageId.is_in(ids))
        .order_by_asc(Column::ReactedAt)
        .order_by_asc(Column::Reactor)
        .limit(most)
        .all(db)
        .await?)
}

pub(super) async fn of(db: &impl ConnectionTrait, message: &message::Model, reactor: &str) -> Result<Option<Model>> {
    Ok(Entity::find_by_id((message.id, reactor.to_owned()))
        .filter(Column::WorkspaceId.eq(message.workspace_id))
        .one(db)
        .await?)
}

/// Takes the message, so that reactions to it come one after the other and each is told with all that were before.
pub(super) async fn lock(tx: &DatabaseTransaction, message: &message::Model) -> Result<()> {
    let mut query =
        message::Entity::find_by_id(message.id).filter(message::Column::WorkspaceId.eq(message.workspace_id));
    if tx.get_database_backend() == DbBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    query.one(tx).await?;
    Ok(())
}

pub(super) async fn message_of_provider(
    tx: &DatabaseTransaction,
    channel: &channel::Model,
    provider_ref: &str,
) -> Result<Option<message::Model>> {
    Ok(message::Entity::find()
        .filter(message::Column::AccountId.eq(channel.account_id))
        .filter(message::Column::ProviderRef.eq(provider_ref))
        .one(tx)
        .await?)
}

/// Places a reaction in the place of the reactor's earlier one, or takes it back.
pub(super) async fn set(
    tx: &DatabaseTransaction,
    message: &message::Model,
    reactor: &Reactor<'_>,
    emoji: Option<&Emoji>,
) -> Result<()> {
    let Some(emoji) = emoji else {
        Entity::delete_by_id((message.id, reactor.id.to_owned())).exec(tx).await?;
        return Ok(());
    };
    let row = ActiveModel {
        message_id: Set(message.id),
        reactor: Set(reactor.id.to_owned()),
        workspace_id: Set(message.workspace_id),
        name: Set(reactor.name.to_owned()),
        phone: Set(reactor.phone.map(str::to_owned)),
        emoji: Set(emoji.as_str().to_owned()),
        is_own: Set(reactor.is_own),
        reacted_at: Set(reactor.at),
    };
    let earlier = OnConflict::columns([Column::MessageId, Column::Reactor])
        .update_columns([Column::Emoji, Column::Name, Column::Phone, Column::ReactedAt])
        .to_owned();
    Entity::insert(row).on_conflict(earlier).exec_without_returning(tx).await?;
    Ok(())
}
