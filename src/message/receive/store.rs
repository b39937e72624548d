//! SQL of receiving. The account, which a session has proved, comes first.

use entity::{
    channel::{self, Network},
    chat,
    id::{FileId, MessageId},
    message::{ActiveModel, Column, Direction, Entity, Model, Status},
    timestamp::Timestamp,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait, QueryFilter, QuerySelect,
    Select, Set, UpdateMany,
    sea_query::{Expr, LockType, OnConflict},
};

use crate::{
    app::App,
    chat::{self as chats, hour_of, update::Name},
    db,
    error::{Error, Result},
    message::{Jid, Text, receive::Sender},
    phone::Phone,
    workspace,
};

/// A message that a provider brought.
pub(super) struct NewMessage<'a> {
    pub(super) direction: Direction,
    pub(super) status: Status,
    pub(super) text: Option<&'a Text>,
    pub(super) file: Option<FileId>,
    pub(super) sender: Sender,
    /// The message that it answers.
    pub(super) reply_to: Option<MessageId>,
    pub(super) provider_ref: &'a str,
    /// When it was written, as its provider says.
    pub(super) told_at: Option<Timestamp>,
}

/// How long ago a message may have been written that comes now, in seconds. Clocks of phones are often wrong.
const OLDEST_SECONDS: i64 = 30 * 24 * 3600;

/// When something was done that comes now, if that can be true.
pub(crate) fn plausible(told_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    told_at.filter(|at| (now.plus_seconds(-OLDEST_SECONDS)..=now).contains(at))
}

/// What the wire calls messages that a provider brought. By this word is known which of those that were sent cost
/// nothing ([`crate::credit`]).
const fn origin(network: Network) -> &'static str {
    match network {
        Network::Whatsapp => "synced from WhatsApp",
        Network::Telegram => "synced from Telegram",
        Network::Sms => "synced from SMS",
        Network::Email => "synced from e-mail",
        Network::Voice => "synced from voice",
        Network::Webchat => "synced from web chat",
        Network::Facebook => "synced from Facebook",
        Network::Instagram => "synced from Instagram",
        Network::Rcs => "synced from RCS",
    }
}

pub(super) async fn by_provider_ref(
    db: &impl ConnectionTrait,
    channel: &channel::Model,
    provider_ref: &str,
) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::AccountId.eq(channel.account_id))
        .filter(Column::ProviderRef.eq(provider_ref))
        .one(db)
        .await?)
}

/// The chat with this id on the network, made if there is none, and whether it was made; its row is taken for this
/// transaction, so that the id of what is stored in it may be drawn. A new one is named after the number.
pub(crate) async fn open_chat(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &channel::Model,
    jid: &Jid,
) -> Result<(chat::Model, bool)> {
    let mut known = by_jid(channel, jid);
    if tx.get_database_backend() == DbBackend::Postgres {
        known = known.lock(LockType::NoKeyUpdate);
    }
    if let Some(known) = known.one(tx).await? {
        return Ok((known, false));
    }
    let phone = jid.phone();
    let name = phone.as_ref().map_or(jid.as_str(), Phone::as_str).to_owned();
    let now = app.clock.now();
    let row = chat::ActiveModel {
        workspace_id: Set(channel.workspace_id),
        account_id: Set(channel.account_id),
        jid: Set(jid.as_str().to_owned()),
        phone: Set(phone.as_ref().map(Phone::as_str).map(str::to_owned)),
        name_folded: Set(workspace::fold(&name)),
        name: Set(name),
        name_given: Set(false),
        is_group: Set(jid.is_group()),
        closed: Set(false),
        read: Set(true),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let insert = chat::Entity::insert(row).on_conflict_do_nothing_on([chat::Column::AccountId, chat::Column::Jid]);
    let made = db::insert_or_none(insert, tx).await?.ok_or(Error::Contention)?;
    Ok((made, true))
}

/// Calls a chat as its network does. Anybody can choose such a name, so what looks like a number is none.
pub(super) async fn name_chat(
    app: &App,
    tx: &DatabaseTransaction,
    chat: chat::Model,
    name: &Name,
) -> Result<chat::Model> {
    let is_number = name.as_str().chars().all(|char| char.is_ascii_digit() || "+-()./ ".contains(char));
    if is_number { Ok(chat) } else { chats::tell_name(app, tx, chat, name.as_str()).await }
}

/// The message of a chat that the provider knows under one of these ids.
pub(super) async fn answered(
    tx: &DatabaseTransaction,
    chat: &chat::Model,
    provider_refs: &[String],
) -> Result<Option<MessageId>> {
    if provider_refs.is_empty() {
        return Ok(None);
    }
    let found = Entity::find()
        .filter(Column::AccountId.eq(chat.account_id))
        .filter(Column::ProviderRef.is_in(provider_refs.iter().map(String::as_str)))
        .filter(Column::ChatId.eq(chat.id))
        .filter(Column::Kind.is_null())
        .one(tx)
        .await?;
    Ok(found.map(|message| message.id))
}

/// The chat of the account with this id on the network.
pub(crate) async fn find_chat(
    tx: &DatabaseTransaction,
    channel: &channel::Model,
    jid: &Jid,
) -> Result<Option<chat::Model>> {
    Ok(by_jid(channel, jid).one(tx).await?)
}

fn by_jid(channel: &channel::Model, jid: &Jid) -> Select<chat::Entity> {
    chat::Entity::find()
        .filter(chat::Column::AccountId.eq(channel.account_id))
        .filter(chat::Column::Jid.eq(jid.as_str()))
}

/// Writes a message that costs nothing; tells whether the provider's id was new.
pub(super) async fn insert(
    app: &App,
    tx: &DatabaseTransaction,
    id: MessageId,
    (channel, chat): (&channel::Model, &chat::Model),
    new: NewMessage<'_>,
) -> Result<bool> {
    let now = app.clock.now();
    let row = ActiveModel {
        id: Set(id),
        workspace_id: Set(chat.workspace_id),
        account_id: Set(chat.account_id),
        chat_id: Set(chat.id),
        direction: Set(new.direction),
        status: Set(new.status),
        text: Set(new.text.map(|text| text.as_str().to_owned())),
        file_id: Set(new.file),
        sender_name: Set(new.sender.name),
        sender_phone: Set(new.sender.phone),
        reply_to: Set(new.reply_to),
        origin: Set(origin(channel.network).to_owned()),
        provider_ref: Set(Some(new.provider_ref.to_owned())),
        tries: Set(0),
        told_at: Set(plausible(new.told_at, now)),
        sent_at: Set((new.status == Status::Sent).then_some(now)),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    // The index that refuses a second one is a partial one, and is named by its condition too.
    let known = OnConflict::columns([Column::AccountId, Column::ProviderRef])
        .target_and_where(Expr::col(Column::ProviderRef).is_not_null())
        .do_nothing()
        .to_owned();
    db::insert_unless_known(Entity::insert(row).on_conflict(known).try_insert(), tx).await
}

/// Opens a chat for a message that has come.
pub(super) async fn set_unread(app: &App, tx: &DatabaseTransaction, chat: &chat::Model, id: MessageId) -> Result<()> {
    let opened = newest(app, chat, id)
        .col_expr(chat::Column::Read, Expr::value(false))
        .col_expr(chat::Column::Unread, chats::one_more_unread())
        .col_expr(chat::Column::Closed, Expr::value(false));
    opened.exec(tx).await?;
    Ok(())
}

/// Leaves a chat as somebody's own message does: read, and its bot stopped.
pub(super) async fn set_answered(app: &App, tx: &DatabaseTransaction, chat: &chat::Model, id: MessageId) -> Result<()> {
    let answered = newest(app, chat, id)
        .col_expr(chat::Column::Read, Expr::value(true))
        .col_expr(chat::Column::Unread, Expr::value(0))
        .col_expr(chat::Column::AutoresponseLocked, Expr::col(chat::Column::Autoresponse));
    answered.exec(tx).await?;
    Ok(())
}

/// Makes a message the newest of its chat.
fn newest(app: &App, chat: &chat::Model, id: MessageId) -> UpdateMany<chat::Entity> {
    let now = app.clock.now();
    chat::Entity::update_many()
        .col_expr(chat::Column::LastMessageId, Expr::value(id))
        .col_expr(chat::Column::LastMessageAt, Expr::value(now))
        .col_expr(chat::Column::ActiveHour, Expr::value(hour_of(now)))
        .col_expr(chat::Column::UpdatedAt, Expr::value(now))
        .filter(chat::Column::Id.eq(chat.id))
        .filter(chat::Column::AccountId.eq(chat.account_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_believed_that_can_be_true() {
        let now = Timestamp(1_789_027_200_000_000);
        for (seconds, is_believed) in
            [(0, true), (-1, true), (-OLDEST_SECONDS, true), (1, false), (-OLDEST_SECONDS - 1, false)]
        {
            let told_at = Some(now.plus_seconds(seconds));
            assert_eq!(plausible(told_at, now), told_at.filter(|_| is_believed), "{seconds}");
        }
        assert_eq!(plausible(None, now), None);
        assert_eq!(plausible(Some(Timestamp(i64::MIN)), now), None);
    }
}
