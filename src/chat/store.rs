//! SQL of chats; the workspace comes first.

use std::collections::{BTreeSet, HashMap};

use entity::{
    channel,
    chat::{ActiveModel, Column, Entity, Model},
    chat_label, chat_member,
    id::{AccountId, ChatId, WorkspaceId},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait,
    Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Set, Unchanged,
    sea_query::{Expr, LockType, NullOrdering, OnConflict},
};

use crate::{app::App, chat::visibility::View, db, error::Result, phone::Phone, workspace::fold};

pub(crate) async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: ChatId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await?)
}

/// Those of these chats that are the workspace's.
pub(crate) async fn by_ids(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    ids: impl IntoIterator<Item = ChatId>,
) -> Result<HashMap<ChatId, Model>> {
    let query = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::Id.is_in(ids));
    Ok(query.all(db).await?.into_iter().map(|chat| (chat.id, chat)).collect())
}

/// Takes the chat's row for this transaction. On SQLite the whole database is taken already.
pub(crate) async fn lock(tx: &DatabaseTransaction, workspace_id: WorkspaceId, id: ChatId) -> Result<Option<Model>> {
    let mut query = Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id));
    if tx.get_database_backend() == DbBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    Ok(query.one(tx).await?)
}

/// The chat's id, if it is seen.
pub(super) async fn visible(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    view: View,
    id: ChatId,
) -> Result<Option<ChatId>> {
    let query = Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id));
    Ok(seen(query, workspace_id, view).one(db).await?.map(|chat| chat.id))
}

/// The chat of this name, of this account or of any: one that was given it before those whose networks call them so, of
/// several the one with the newest message.
pub(super) async fn by_name(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    folded: &str,
    account: Option<AccountId>,
) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::NameFolded.eq(folded))
        .apply_if(account, |query, account| query.filter(Column::AccountId.eq(account)))
        .order_by_desc(Column::NameGiven)
        .order_by_with_nulls(Column::LastMessageAt, Order::Desc, NullOrdering::Last)
        .order_by_asc(Column::Id)
        .one(db)
        .await?)
}

/// Whether somebody else, not the same over another account, is called as this chat is: in this account, or in any.
pub(super) async fn has_namesake(db: &impl ConnectionTrait, chat: &Model, account: Option<AccountId>) -> Result<bool> {
    let namesake = Entity::find()
        .filter(Column::WorkspaceId.eq(chat.workspace_id))
        .filter(Column::NameFolded.eq(&chat.name_folded))
        .apply_if(account, |query, account| query.filter(Column::AccountId.eq(account)))
        .filter(Column::Jid.ne(&chat.jid))
        .one(db)
        .await?;
    Ok(namesake.is_some())
}

/// Another chat of the workspace that was given this name.
pub(super) async fn other_of_name(tx: &DatabaseTransaction, chat: &Model, folded: &str) -> Result<Option<ChatId>> {
    let other = Entity::find()
        .filter(Column::WorkspaceId.eq(chat.workspace_id))
        .filter(Column::NameFolded.eq(folded))
        .filter(Column::NameGiven.eq(true))
        .filter(Column::Id.ne(chat.id))
        .order_by_asc(Column::Id)
        .one(tx)
        .await?;
    Ok(other.map(|chat| chat.id))
}

/// Stops automatic answers in a chat that the transaction holds, as somebody's own message does.
pub(crate) async fn stop_autoresponse(app: &App, tx: &DatabaseTransaction, chat: &Model) -> Result<()> {
    let change = ActiveModel { autoresponse_locked: sea_orm::Set(true), ..Default::default() };
    save(app, tx, chat, change).await.map(drop)
}

/// Labels of one chat, in order.
pub(crate) async fn labels_of(db: &impl ConnectionTrait, workspace_id: WorkspaceId, id: ChatId) -> Result<Vec<String>> {
    Ok(labels(db, workspace_id, [id]).await?.remove(&id).unwrap_or_default())
}

/// Calls a chat as its network says, unless somebody has given it a name.
pub(crate) async fn tell_name(app: &App, tx: &DatabaseTransaction, chat: Model, name: &str) -> Result<Model> {
    if chat.name_given || chat.name == name {
        return Ok(chat);
    }
    let folded = fold(name);
    let told = Entity::update_many()
        .col_expr(Column::Name, Expr::value(name))
        .col_expr(Column::NameFolded, Expr::value(folded.as_str()))
        .col_expr(Column::UpdatedAt, Expr::value(app.clock.now()))
        .filter(Column::WorkspaceId.eq(chat.workspace_id))
        .filter(Column::Id.eq(chat.id))
        // Somebody may be giving it one at this moment.
        .filter(Column::NameGiven.eq(false))
        .exec(tx)
        .await?;
    if told.rows_affected == 0 {
        return Ok(chat);
    }
    Ok(Model { name: name.to_owned(), name_folded: folded, ..chat })
}

/// Chats of the workspace that were given one of these names, with it.
pub(crate) async fn of_names(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    folded: impl IntoIterator<Item = String>,
) -> Result<Vec<(ChatId, String)>> {
    Ok(Entity::find()
        .select_only()
        .columns([Column::Id, Column::NameFolded])
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::NameFolded.is_in(folded))
        .filter(Column::NameGiven.eq(true))
        .order_by_asc(Column::Id)
        .into_tuple()
        .all(tx)
        .await?)
}

pub(super) async fn save(app: &App, tx: &DatabaseTransaction, before: &Model, change: ActiveModel) -> Result<Model> {
    let row = ActiveModel { id: Unchanged(before.id), updated_at: Set(app.clock.now()), ..change };
    Ok(row.update(tx).await?)
}

/// Leaves what the caller sees.
fn seen(query: Select<Entity>, workspace_id: WorkspaceId, view: View) -> Select<Entity> {
    let View::Of(user_id) = view else { return query };
    let own = channel::Entity::find()
        .select_only()
        .column(channel::Column::AccountId)
        .filter(channel::Column::WorkspaceId.eq(workspace_id))
        .filter(channel::Column::UserId.eq(user_id));
    let is_one = Condition::any()
        .add(Column::ResponsibleUserId.eq(user_id))
        .add(Column::AccountId.in_subquery(own.into_query()));
    query.filter(is_one)
}

pub(super) async fn drop_labels(
    tx: &DatabaseTransaction,
    chat: &Model,
    labels: impl Iterator<Item = &String>,
) -> Result<()> {
    let labels: Vec<&str> = labels.map(String::as_str).collect();
    if !labels.is_empty() {
        chat_label::Entity::delete_many()
            .filter(chat_label::Column::WorkspaceId.eq(chat.workspace_id))
            .filter(chat_label::Column::ChatId.eq(chat.id))
            .filter(chat_label::Column::Label.is_in(labels))
            .exec(tx)
            .await?;
    }
    Ok(())
}

pub(super) async fn put_labels(
    tx: &DatabaseTransaction,
    chat: &Model,
    labels: impl Iterator<Item = &String>,
) -> Result<()> {
    let row = |label: &String| chat_label::ActiveModel {
        chat_id: Set(chat.id),
        label: Set(label.clone()),
        workspace_id: Set(chat.workspace_id),
    };
    let rows: Vec<_> = labels.map(row).collect();
    if !rows.is_empty() {
        // A message that is being sent may put the same label on the chat.
        let known =
            OnConflict::columns([chat_label::Column::ChatId, chat_label::Column::Label]).do_nothing().to_owned();
        chat_label::Entity::insert_many(rows).on_conflict(known).try_insert().exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Labels of these chats, in order.
pub(super) async fn labels(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    chats: impl IntoIterator<Item = ChatId>,
) -> Result<HashMap<ChatId, Vec<String>>> {
    let rows = chat_label::Entity::find()
        .filter(db::compared((chat_label::Entity, chat_label::Column::WorkspaceId)).eq(workspace_id))
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

/// Most members of groups that are shown with a page of them.
const MOST_MEMBERS: u64 = 10_000;

/// Remembers that somebody is in a group.
pub(crate) async fn remember_member(tx: &DatabaseTransaction, group: &Model, phone: &Phone) -> Result<()> {
    let row = chat_member::ActiveModel {
        chat_id: Set(group.id),
        phone: Set(phone.as_str().to_owned()),
        workspace_id: Set(group.workspace_id),
    };
    let known = OnConflict::columns([chat_member::Column::ChatId, chat_member::Column::Phone]).do_nothing().to_owned();
    chat_member::Entity::insert(row).on_conflict(known).try_insert().exec_without_returning(tx).await?;
    Ok(())
}

/// Known members of these groups, by number.
pub(super) async fn members(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    groups: impl IntoIterator<Item = ChatId>,
) -> Result<Vec<chat_member::Model>> {
    Ok(chat_member::Entity::find()
        .filter(db::compared((chat_member::Entity, chat_member::Column::WorkspaceId)).eq(workspace_id))
        .filter(chat_member::Column::ChatId.is_in(groups))
        .order_by_asc(chat_member::Column::ChatId)
        .order_by_asc(chat_member::Column::Phone)
        .limit(MOST_MEMBERS)
        .all(db)
        .await?)
}

/// Chats of these accounts with these ids on the network.
pub(super) async fn by_jids(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    accounts: BTreeSet<AccountId>,
    jids: BTreeSet<String>,
) -> Result<Vec<Model>> {
    if jids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::AccountId.is_in(accounts))
        .filter(Column::Jid.is_in(jids))
        .all(db)
        .await?)
}

/// Takes the rows of these chats for this transaction, in the order of their ids, and reads their labels.
pub(crate) async fn hold_labels(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    chats: BTreeSet<ChatId>,
) -> Result<HashMap<ChatId, Vec<String>>> {
    if tx.get_database_backend() == DbBackend::Postgres {
        Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::WorkspaceId.eq(workspace_id))
            .filter(Column::Id.is_in(chats.iter().copied()))
            .order_by_asc(Column::Id)
            .lock(LockType::NoKeyUpdate)
            .into_tuple::<ChatId>()
            .all(tx)
            .await?;
    }
    labels(tx, workspace_id, chats).await
}
