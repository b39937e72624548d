//! SQL of reading messages; the workspace comes first, or a message that was found in it.

use entity::{
    chat,
    id::{ChatId, MessageId, WorkspaceId},
    message::{Column, Entity, Model, Status},
    message_status,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, sea_query::Expr,
};

use crate::{
    error::Result,
    message::read::{
        ById,
        filter::{Filter, SortingOrder},
    },
    page::PageNumber,
};

/// Steps that callers are told of; what lies before them is our own business.
const SHOWN: [Status; 4] = [Status::Sent, Status::Delivered, Status::Read, Status::Failed];
/// Most steps of one message that are shown; there are fewer unless a provider repeats itself.
const MAX_STEPS: u64 = 200;

pub(crate) async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: MessageId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await?)
}

/// Those of these messages that are the workspace's.
pub(crate) async fn by_ids(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    ids: impl IntoIterator<Item = MessageId>,
) -> Result<ById> {
    let query = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::Id.is_in(ids));
    Ok(query.all(db).await?.into_iter().map(|message| (message.id, message)).collect())
}

/// The last messages of a chat until this one, oldest first, notes left out.
pub(crate) async fn until(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    chat_id: ChatId,
    until: MessageId,
    limit: u64,
) -> Result<Vec<Model>> {
    let mut newest_first = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::ChatId.eq(chat_id))
        .filter(Column::Kind.is_null())
        .filter(Column::Id.lte(until))
        .order_by(Column::Id, Order::Desc)
        .limit(limit)
        .all(db)
        .await?;
    newest_first.reverse();
    Ok(newest_first)
}

/// One row more than the page of this chat holds.
///
/// # Errors
/// What the database says.
pub async fn page(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    chat_id: ChatId,
    filter: &Filter,
    page: PageNumber,
) -> Result<Vec<Model>> {
    let order = match filter.order {
        SortingOrder::Ascending => Order::Asc,
        SortingOrder::Descending => Order::Desc,
    };
    // The index of a chat's messages has what a filter asks for; rows are read for the page only.
    let chat = chat::Entity::find_by_id(chat_id).filter(chat::Column::WorkspaceId.eq(workspace_id)).select_only();
    let on_page = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Expr::exists(chat.expr(Expr::value(1)).into_query()))
        .filter(Column::ChatId.eq(chat_id))
        .apply_if(filter.direction, |query, direction| query.filter(Column::Direction.eq(direction)))
        .apply_if(filter.from, |query, from| query.filter(Column::CreatedAt.gte(from)))
        .apply_if(filter.until, |query, until| query.filter(Column::CreatedAt.lte(until)))
        .apply_if(filter.newer_than, |query, id| query.filter(Column::Id.gt(id)))
        .apply_if(filter.older_than, |query, id| query.filter(Column::Id.lt(id)))
        .order_by(Column::Id, order.clone())
        .limit(PageNumber::SIZE + 1)
        .offset(page.offset());
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Id.in_subquery(on_page.into_query()))
        .order_by(Column::Id, order)
        .all(db)
        .await?)
}

/// What became of the message, in the order of time.
pub(super) async fn history(db: &impl ConnectionTrait, message: &Model) -> Result<Vec<message_status::Model>> {
    Ok(message_status::Entity::find()
        .filter(message_status::Column::MessageId.eq(message.id))
        .filter(message_status::Column::Status.is_in(SHOWN))
        .order_by_asc(message_status::Column::At)
        .order_by_asc(message_status::Column::Id)
        .limit(MAX_STEPS)
        .all(db)
        .await?)
}
