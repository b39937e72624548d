//! SQL of visitors and their windows. The account comes first, or a visitor that was found in it.

use entity::{
    chat,
    id::{AccountId, MessageId, VisitorId},
    webchat_entry as entry, webchat_visitor,
    webchat_visitor::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait, Order,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Set, Unchanged,
    sea_query::{Expr, LockType},
};

use crate::{
    app::App,
    channel::widget::Widget,
    chat as chats, db,
    error::{Error, Result},
    message::Jid,
};

pub(super) async fn find(db: &impl ConnectionTrait, account_id: AccountId, id: VisitorId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).filter(Column::AccountId.eq(account_id)).one(db).await?)
}

/// The visitor whom the customer's own system calls so.
pub(super) async fn by_external_id(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    external_id: &str,
) -> Result<Option<Model>> {
    let of_channel = Entity::find().filter(Column::AccountId.eq(account_id));
    Ok(of_channel.filter(Column::ExternalId.eq(external_id)).one(db).await?)
}

/// The visitor, whom nobody else changes before the commit.
pub(super) async fn lock(tx: &DatabaseTransaction, account_id: AccountId, id: VisitorId) -> Result<Option<Model>> {
    let mut query = Entity::find_by_id(id).filter(Column::AccountId.eq(account_id));
    if tx.get_database_backend() == DbBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    Ok(query.one(tx).await?)
}

/// The visitor, who is written down now if this is their first word.
pub(super) async fn find_or_insert(
    app: &App,
    tx: &DatabaseTransaction,
    widget: &Widget,
    id: VisitorId,
) -> Result<Model> {
    if let Some(known) = lock(tx, widget.channel.account_id, id).await? {
        return Ok(known);
    }
    let now = app.clock.now();
    let row = ActiveModel {
        id: Set(id),
        account_id: Set(widget.channel.account_id),
        workspace_id: Set(widget.channel.workspace_id),
        external_id: Set(None),
        email: Set(None),
        name: Set(None),
        last_entry: Set(0),
        delivered_entry: Set(0),
        read_entry: Set(0),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let insert = Entity::insert(row).on_conflict_do_nothing();
    // Another of their windows was faster; the repeated operation finds the row.
    db::insert_or_none(insert, tx).await?.ok_or(Error::Contention)
}

/// What is known of a visitor.
pub(super) struct Details {
    pub(super) external_id: Option<String>,
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
}

pub(super) async fn set_details(
    app: &App,
    tx: &DatabaseTransaction,
    visitor: &Model,
    details: Details,
) -> Result<Model> {
    let change = ActiveModel {
        id: Unchanged(visitor.id),
        external_id: Set(details.external_id),
        email: Set(details.email),
        name: Set(details.name),
        updated_at: Set(app.clock.now()),
        ..Default::default()
    };
    change.update(tx).await.map_err(|error| match db::constraint_of(&error) {
        // Somebody else was named so at the same time; the repeated operation finds them.
        Some(_) => Error::Contention,
        None => error.into(),
    })
}

/// How far a visitor has their entries, and has seen them.
pub(super) async fn set_seen(
    app: &App,
    tx: &DatabaseTransaction,
    visitor: &Model,
    delivered: i64,
    read: i64,
) -> Result<()> {
    let change = ActiveModel {
        id: Unchanged(visitor.id),
        delivered_entry: Set(delivered),
        read_entry: Set(read),
        updated_at: Set(app.clock.now()),
        ..Default::default()
    };
    change.update(tx).await?;
    Ok(())
}

/// Puts a message at the end of a visitor's window, once. The visitor's row is taken first and kept until the commit,
/// so that numbers become visible in their order.
pub(super) async fn push(app: &App, tx: &DatabaseTransaction, id: VisitorId, message_id: MessageId) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::LastEntry, Expr::col(Column::LastEntry).add(1))
        .col_expr(Column::UpdatedAt, Expr::value(app.clock.now()))
        .filter(Column::Id.eq(id))
        .filter(Expr::exists(by_message(message_id).into_query()).not())
        .exec(tx)
        .await?;
    if by_message(message_id).one(tx).await?.is_some() {
        return Ok(());
    }
    let visitor = Entity::find_by_id(id).one(tx).await?;
    let number = visitor.ok_or_else(|| Error::Internal("a visitor is not there".to_owned()))?.last_entry;
    let row = entry::ActiveModel { visitor_id: Set(id), number: Set(number), message_id: Set(message_id) };
    entry::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

fn by_message(message_id: MessageId) -> sea_orm::Select<entry::Entity> {
    entry::Entity::find().filter(entry::Column::MessageId.eq(message_id))
}

/// The entry of a message in a visitor's window.
pub(super) async fn entry_of(
    db: &impl ConnectionTrait,
    id: VisitorId,
    message_id: MessageId,
) -> Result<Option<entry::Model>> {
    Ok(by_message(message_id).filter(entry::Column::VisitorId.eq(id)).one(db).await?)
}

/// Those of these messages that are in a visitor's window.
pub(super) async fn entries_of(
    db: &impl ConnectionTrait,
    id: VisitorId,
    messages: impl IntoIterator<Item = MessageId>,
) -> Result<Vec<entry::Model>> {
    let own = entry::Entity::find().filter(entry::Column::VisitorId.eq(id));
    Ok(own.filter(entry::Column::MessageId.is_in(messages)).all(db).await?)
}

/// Which entries of a window.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// The first ones after this number.
    After(i64),
    /// The last ones before this number.
    Before(i64),
}

/// Entries of a visitor's window, in their order.
pub(super) async fn entries(
    db: &impl ConnectionTrait,
    id: VisitorId,
    part: Part,
    most: u64,
) -> Result<Vec<entry::Model>> {
    use entry::Column;
    let own = entry::Entity::find().filter(Column::VisitorId.eq(id)).limit(most);
    Ok(match part {
        Part::After(number) => {
            own.filter(Column::Number.gt(number)).order_by(Column::Number, Order::Asc).all(db).await?
        }
        Part::Before(number) => {
            let own = own.filter(Column::Number.lt(number)).order_by(Column::Number, Order::Desc);
            let mut newest_first = own.all(db).await?;
            newest_first.reverse();
            newest_first
        }
    })
}

/// Calls a visitor's chat by their name, unless somebody has given it one.
pub(super) async fn name_chat(
    app: &App,
    tx: &DatabaseTransaction,
    visitor: &webchat_visitor::Model,
    jid: &Jid,
    name: &str,
) -> Result<()> {
    let of_account = chat::Entity::find().filter(chat::Column::AccountId.eq(visitor.account_id));
    match of_account.filter(chat::Column::Jid.eq(jid.as_str())).one(tx).await? {
        Some(chat) => chats::tell_name(app, tx, chat, name).await.map(drop),
        None => Ok(()),
    }
}
