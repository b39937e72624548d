//! SQL of the simulated provider.

use entity::{
    channel::Network,
    file::Kind,
    id::{AttemptId, MessageId, PartnerId},
    sandbox_code, sandbox_message, sandbox_reaction,
    sandbox_session::{ActiveModel, Column, Entity, Model, State},
    timestamp::Timestamp,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, QueryOrder, Select, Set,
    sea_query::{Expr, OnConflict},
};
use serde::Serialize;

use crate::{
    app::App,
    connector::{Account, Outgoing, OutgoingReaction, sandbox::phones::Scope, target::Target},
    db,
    error::{Error, Result},
    phone::Phone,
};

/// Whether a pairing code was stored.
pub(super) enum Pairing {
    /// It was.
    Stored,
    /// The session waits for no phone.
    NotWaiting,
    /// Another session of the partner has this code.
    Taken,
}

/// Tells whether the session is new.
pub(super) async fn insert_session(
    app: &App,
    tx: &DatabaseTransaction,
    id: AttemptId,
    partner_id: &PartnerId,
    network: Network,
) -> Result<bool> {
    let row = ActiveModel {
        id: Set(id),
        partner_id: Set(partner_id.clone()),
        network: Set(network),
        state: Set(State::Waiting),
        phone: Set(None),
        account: Set(None),
        checkpoint: Set(None),
        pairing_code: Set(None),
        pairing_phone: Set(None),
        pairing_expires_at: Set(None),
        created_at: Set(app.clock.now()),
    };
    db::insert_unless_known(Entity::insert(row).on_conflict_do_nothing_on([Column::Id]), tx).await
}

/// A session that is signed in to this account; one that is known stays as it is.
pub(super) async fn insert_signed_in(
    app: &App,
    tx: &DatabaseTransaction,
    target: &Target,
    account: &Account,
) -> Result<()> {
    let row = signed_in(app, target, account);
    db::insert_unless_known(Entity::insert(row).on_conflict_do_nothing_on([Column::Id]), tx).await.map(|_| ())
}

fn signed_in(app: &App, target: &Target, account: &Account) -> ActiveModel {
    ActiveModel {
        id: Set(target.session),
        partner_id: Set(target.partner_id.clone()),
        network: Set(target.network),
        state: Set(State::Linked),
        phone: Set(account.phone.as_ref().map(|phone| phone.as_str().to_owned())),
        account: Set(Some(account.external_id.clone())),
        checkpoint: Set(None),
        pairing_code: Set(None),
        pairing_phone: Set(None),
        pairing_expires_at: Set(None),
        created_at: Set(app.clock.now()),
    }
}

/// A session of an account that is asked something before it is signed in; one that is known stays as it is.
pub(super) async fn insert_asked(
    app: &App,
    tx: &DatabaseTransaction,
    target: &Target,
    account: &Account,
    checkpoint: &str,
) -> Result<()> {
    let row = ActiveModel {
        state: Set(State::Waiting),
        checkpoint: Set(Some(checkpoint.to_owned())),
        ..signed_in(app, target, account)
    };
    db::insert_unless_known(Entity::insert(row).on_conflict_do_nothing_on([Column::Id]), tx).await.map(|_| ())
}

/// What is asked of an account from now on.
pub(super) async fn set_asked(tx: &DatabaseTransaction, id: AttemptId, checkpoint: &str) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Checkpoint, Expr::value(checkpoint))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(State::Waiting))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn insert_codes(
    app: &App,
    tx: &DatabaseTransaction,
    session_id: AttemptId,
    payloads: Vec<String>,
    seconds: i64,
) -> Result<()> {
    let start = app.clock.now();
    let rows = payloads.into_iter().zip(0i32..).map(|(payload, index)| sandbox_code::ActiveModel {
        payload: Set(payload),
        session_id: Set(session_id),
        seq: Set(index + 1),
        issued_at: Set(start.plus_seconds(i64::from(index) * seconds)),
        expires_at: Set(start.plus_seconds((i64::from(index) + 1) * seconds)),
    });
    sandbox_code::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn find(db: &impl ConnectionTrait, id: AttemptId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

pub(super) async fn in_scope(db: &impl ConnectionTrait, scope: &Scope, id: AttemptId) -> Result<Option<Model>> {
    Ok(scoped(scope).filter(Column::Id.eq(id)).one(db).await?)
}

fn scoped(scope: &Scope) -> Select<Entity> {
    match scope.partner_id() {
        Some(partner_id) => Entity::find().filter(Column::PartnerId.eq(partner_id.clone())),
        None => Entity::find(),
    }
}

pub(super) async fn code(db: &impl ConnectionTrait, payload: &str) -> Result<Option<sandbox_code::Model>> {
    Ok(sandbox_code::Entity::find_by_id(payload.to_owned()).one(db).await?)
}

pub(super) async fn current_code(
    db: &impl ConnectionTrait,
    session_id: AttemptId,
    now: Timestamp,
) -> Result<Option<sandbox_code::Model>> {
    Ok(sandbox_code::Entity::find()
        .filter(sandbox_code::Column::SessionId.eq(session_id))
        .filter(sandbox_code::Column::IssuedAt.lte(now))
        .filter(sandbox_code::Column::ExpiresAt.gt(now))
        .one(db)
        .await?)
}

/// The newest session with this pairing code.
pub(super) async fn by_pairing_code(db: &impl ConnectionTrait, scope: &Scope, code: &str) -> Result<Option<Model>> {
    Ok(scoped(scope).filter(Column::PairingCode.eq(code)).order_by_desc(Column::Id).one(db).await?)
}

/// Sessions that this phone has linked, or WhatsApp has for its number.
pub(super) async fn linked_to(db: &impl ConnectionTrait, scope: &Scope, phone: &Phone) -> Result<Vec<Model>> {
    Ok(scoped(scope)
        .filter(Column::Network.is_in([Network::Whatsapp, Network::Telegram]))
        .filter(Column::Phone.eq(phone.as_str()))
        .filter(Column::State.eq(State::Linked))
        .order_by_asc(Column::Id)
        .all(db)
        .await?)
}

/// Those of them that are on WhatsApp.
pub(super) async fn whatsapp_of(db: &impl ConnectionTrait, scope: &Scope, phone: &Phone) -> Result<Vec<Model>> {
    let linked = linked_to(db, scope, phone).await?;
    Ok(linked.into_iter().filter(|session| session.network == Network::Whatsapp).collect())
}

pub(super) async fn is_linked(db: &impl ConnectionTrait, id: AttemptId) -> Result<bool> {
    Ok(find(db, id).await?.is_some_and(|session| session.state == State::Linked))
}

pub(super) async fn set_pairing(
    tx: &DatabaseTransaction,
    id: AttemptId,
    code: &str,
    phone: &Phone,
    expires_at: Timestamp,
) -> Result<Pairing> {
    let Some(session) = find(tx, id).await? else { return Ok(Pairing::NotWaiting) };
    let taken = by_pairing_code(tx, &Scope::Partner(session.partner_id), code).await?;
    if taken.is_some_and(|other| other.id != id) {
        return Ok(Pairing::Taken);
    }
    let updated = Entity::update_many()
        .col_expr(Column::PairingCode, Expr::value(code))
        .col_expr(Column::PairingPhone, Expr::value(phone.as_str()))
        .col_expr(Column::PairingExpiresAt, Expr::value(expires_at))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(State::Waiting))
        .exec(tx)
        .await?;
    Ok(if updated.rows_affected == 1 { Pairing::Stored } else { Pairing::NotWaiting })
}

/// Moves a session from one state to another; tells whether it was in the first.
pub(super) async fn set_state(
    tx: &DatabaseTransaction,
    id: AttemptId,
    from: State,
    to: State,
    phone: Option<&Phone>,
) -> Result<bool> {
    let updated = Entity::update_many()
        .col_expr(Column::State, Expr::value(to))
        .col_expr(Column::Phone, Expr::value(phone.map(Phone::as_str)))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(from))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

pub(super) async fn close(tx: &DatabaseTransaction, id: AttemptId) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Closed))
        .filter(Column::Id.eq(id))
        .filter(Column::State.is_in([State::Waiting, State::Linked]))
        .exec(tx)
        .await?;
    Ok(())
}

/// A file as the phone of a simulated recipient shows it.
#[derive(Serialize)]
pub(super) struct Shown {
    pub(super) filename: String,
    pub(super) content_type: String,
    pub(super) kind: Kind,
    pub(super) size: usize,
    pub(super) sha256: String,
}

/// Notes that a message was given to the provider once more; tells how often that was.
pub(super) async fn count_try(
    app: &App,
    tx: &DatabaseTransaction,
    outgoing: &Outgoing,
    attachment: Option<&Shown>,
) -> Result<i32> {
    let attachment = attachment.map(serde_json::to_string).transpose();
    let attachment = attachment.map_err(|error| Error::Internal(format!("attachment: {error}")))?;
    use sandbox_message::{ActiveModel, Column, Entity};
    let row = ActiveModel {
        id: Set(outgoing.message_id),
        session_id: Set(outgoing.session),
        recipient: Set(outgoing.recipient.as_str().to_owned()),
        text: Set(Some(outgoing.text.clone()).filter(|text| !text.is_empty())),
        attachment: Set(attachment),
        answered: Set(outgoing.answered.as_ref().map(|answered| answered.provider_ref.clone())),
        tries: Set(0),
        arrivals: Set(0),
        created_at: Set(app.clock.now()),
    };
    db::insert_unless_known(Entity::insert(row).on_conflict_do_nothing_on([Column::Id]), tx).await?;
    count(tx, outgoing.message_id, Column::Tries).await?;
    let row = Entity::find_by_id(outgoing.message_id).one(tx).await?;
    row.map(|row| row.tries).ok_or_else(|| Error::Internal("a simulated message is gone".to_owned()))
}

/// Notes the account's own reaction to a message.
pub(super) async fn set_reaction(app: &App, tx: &DatabaseTransaction, outgoing: &OutgoingReaction) -> Result<()> {
    use sandbox_reaction::{ActiveModel, Column, Entity};
    let row = ActiveModel {
        message_id: Set(outgoing.message_id),
        session_id: Set(outgoing.session),
        emoji: Set(outgoing.emoji.clone()),
        changes: Set(1),
        updated_at: Set(app.clock.now()),
    };
    let earlier = OnConflict::column(Column::MessageId)
        .update_columns([Column::SessionId, Column::Emoji, Column::UpdatedAt])
        .value(Column::Changes, Expr::col((Entity, Column::Changes)).add(1))
        .to_owned();
    Entity::insert(row).on_conflict(earlier).exec_without_returning(tx).await?;
    Ok(())
}

/// Notes that a message reached its recipient; once more each time, so that a message sent twice shows.
pub(super) async fn count_arrival(tx: &DatabaseTransaction, id: MessageId) -> Result<()> {
    count(tx, id, sandbox_message::Column::Arrivals).await
}

async fn count(tx: &DatabaseTransaction, id: MessageId, column: sandbox_message::Column) -> Result<()> {
    sandbox_message::Entity::update_many()
        .col_expr(column, Expr::col(column).add(1))
        .filter(sandbox_message::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}
