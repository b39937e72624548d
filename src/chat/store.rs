//! SQL of chats; the workspace comes first.

use std::collections::HashMap;

use entity::{
    channel,
    chat::{Column, Entity, Model},
    chat_label,
    id::{ChatId, WorkspaceId},
    user,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select, sea_query::NullOrdering,
};

use crate::{
    chat::filter::{Filter, PhoneFilter},
    db,
    error::Result,
    page::PageNumber,
    phone::Phone,
};

pub(crate) async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: ChatId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await?)
}

/// One row more than the page holds.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    filter: &Filter,
    page: PageNumber,
) -> Result<Vec<Model>> {
    let query = Entity::find().filter(Column::WorkspaceId.eq(workspace_id));
    let query = among_others(about_itself(query, filter), workspace_id, filter);
    Ok(query
        .order_by_desc(Column::ActiveHour)
        .order_by_with_nulls(Column::LastMessageAt, Order::Desc, NullOrdering::Last)
        .order_by_asc(Column::NameFolded)
        .order_by_asc(Column::Id)
        .limit(PageNumber::SIZE + 1)
        .offset(page.offset())
        .all(db)
        .await?)
}

/// What the chat's own columns say.
fn about_itself(mut query: Select<Entity>, filter: &Filter) -> Select<Entity> {
    if !filter.names.is_empty() {
        let is_one = |any: Condition, name: &String| any.add(db::contains(Column::NameFolded, name));
        query = query.filter(filter.names.iter().fold(Condition::any(), is_one));
    }
    if filter.phone.is_some() || !filter.phones.is_empty() {
        query = query.filter(Column::IsGroup.eq(false));
    }
    match &filter.phone {
        Some(PhoneFilter::Whole(phone)) => query = query.filter(Column::Phone.eq(phone.as_str())),
        Some(PhoneFilter::Part(digits)) => query = query.filter(db::contains(Column::Phone, digits)),
        None => {}
    }
    if !filter.phones.is_empty() {
        query = query.filter(Column::Phone.is_in(filter.phones.iter().map(Phone::as_str)));
    }
    for (column, wanted) in
        [(Column::Closed, filter.closed), (Column::Read, filter.read), (Column::IsGroup, filter.group)]
    {
        query = query.apply_if(wanted, |query, wanted| query.filter(column.eq(wanted)));
    }
    query
        .apply_if(filter.created_from, |query, from| query.filter(Column::CreatedAt.gte(from)))
        .apply_if(filter.created_until, |query, until| query.filter(Column::CreatedAt.lte(until)))
}

/// What other tables say of it.
fn among_others(mut query: Select<Entity>, workspace_id: WorkspaceId, filter: &Filter) -> Select<Entity> {
    if !filter.labels.is_empty() {
        let labelled = chat_label::Entity::find()
            .select_only()
            .column(chat_label::Column::ChatId)
            .filter(chat_label::Column::WorkspaceId.eq(workspace_id))
            .filter(chat_label::Column::Label.is_in(&filter.labels));
        query = query.filter(Column::Id.in_subquery(labelled.into_query()));
    }
    if !filter.account_ids.is_empty() {
        let accounts = channel::Entity::find()
            .select_only()
            .column(channel::Column::AccountId)
            .filter(channel::Column::WorkspaceId.eq(workspace_id))
            .filter(channel::Column::ExternalId.is_in(&filter.account_ids));
        query = query.filter(Column::AccountId.in_subquery(accounts.into_query()));
    }
    if !filter.responsible.is_empty() {
        let users = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::WorkspaceId.eq(workspace_id))
            .filter(user::Column::Email.is_in(&filter.responsible));
        query = query.filter(Column::ResponsibleUserId.in_subquery(users.into_query()));
    }
    query
}

/// Labels of these chats, in order.
pub(super) async fn labels(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    chats: impl IntoIterator<Item = ChatId>,
) -> Result<HashMap<ChatId, Vec<String>>> {
    let rows = chat_label::Entity::find()
        .filter(chat_label::Column::WorkspaceId.eq(workspace_id))
        .filter(chat_label::Column::ChatId.is_in(chats))
        .order_by_asc(chat_label::Column::Label)
        .all(db)
        .await?;
    let mut labels: HashMap<ChatId, Vec<String>> = HashMap::new();
    for row in rows {
        labels.entry(row.chat_id).or_default().push(row.label);
    }
    Ok(labels)
}
