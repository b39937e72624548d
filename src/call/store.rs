//! SQL of calls. The account, which a session has proved, comes first, or the workspace.

use std::collections::HashMap;

use entity::{
    call::{ActiveModel, Column, Direction, Entity, Model, Outcome},
    channel, chat,
    id::{CallId, MessageId, WorkspaceId},
    message,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, Set, sea_query::Expr,
};

use crate::{
    chat::{hour_of, one_more_unread},
    db,
    error::Result,
};

/// What the wire calls messages that a provider brought.
const ORIGIN: &str = "synced from WhatsApp";

/// The calls that these messages of the workspace stand for.
pub(crate) async fn by_ids(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    ids: impl IntoIterator<Item = MessageId>,
) -> Result<HashMap<MessageId, Model>> {
    let ids: Vec<CallId> = ids.into_iter().map(|id| CallId(id.0)).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let query = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::Id.is_in(ids));
    Ok(query.all(db).await?.into_iter().map(|call| (MessageId(call.id.0), call)).collect())
}

/// Writes the message that stands for a call.
pub(super) async fn insert_message(tx: &DatabaseTransaction, call: &Model) -> Result<()> {
    let (direction, status) = match call.direction {
        Direction::Incoming => (message::Direction::Received, message::Status::Received),
        Direction::Outgoing => (message::Direction::Sent, message::Status::Sent),
    };
    let row = message::ActiveModel {
        id: Set(MessageId(call.id.0)),
        workspace_id: Set(call.workspace_id),
        account_id: Set(call.account_id),
        chat_id: Set(call.chat_id),
        direction: Set(direction),
        status: Set(status),
        kind: Set(Some(message::Kind::Call)),
        origin: Set(ORIGIN.to_owned()),
        tries: Set(0),
        created_at: Set(call.created_at),
        updated_at: Set(call.created_at),
        ..Default::default()
    };
    message::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// Makes a call the newest of its chat, and the chat unread and open if it was missed.
pub(super) async fn touch_chat(tx: &DatabaseTransaction, call: &Model) -> Result<()> {
    let mut update = chat::Entity::update_many()
        .col_expr(chat::Column::LastMessageId, Expr::value(MessageId(call.id.0)))
        .col_expr(chat::Column::LastMessageAt, Expr::value(call.created_at))
        .col_expr(chat::Column::ActiveHour, Expr::value(hour_of(call.created_at)))
        .col_expr(chat::Column::UpdatedAt, Expr::value(call.created_at));
    if call.outcome == Outcome::Missed {
        update = update
            .col_expr(chat::Column::Read, Expr::value(false))
            .col_expr(chat::Column::Unread, one_more_unread())
            .col_expr(chat::Column::Closed, Expr::value(false));
    }
    update
        .filter(chat::Column::Id.eq(call.chat_id))
        .filter(chat::Column::AccountId.eq(call.account_id))
        .exec(tx)
        .await?;
    Ok(())
}

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
