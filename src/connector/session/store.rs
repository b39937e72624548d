//! SQL of sessions at real providers and of the callbacks about them.

use std::collections::HashMap;

use entity::{
    channel::ConnectorKind,
    connector_callback,
    connector_session::{ActiveModel, Column, Entity, Model},
    id::{AttemptId, CredentialId},
    timestamp::Timestamp,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect, Select, Set,
    sea_query::{Expr, LockBehavior, LockType},
};

use crate::{
    app::App,
    channel,
    connector::{Qr, bridge::Made},
    db,
    error::Result,
};

/// A session to be written.
pub(super) struct NewSession {
    pub(super) id: AttemptId,
    pub(super) connector: ConnectorKind,
    pub(super) credential_id: CredentialId,
    pub(super) callback_secret: Vec<u8>,
    /// Until when whoever writes it has the turn to make it.
    pub(super) made_until: Timestamp,
}

/// What became of noting that a session was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It is noted.
    Kept,
    /// The account is another session's.
    Duplicate,
    /// The session was ended meanwhile.
    Ended,
}

/// A callback that came.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) digest: Vec<u8>,
    pub(crate) about: Option<Vec<u8>>,
    pub(crate) happened_at: Timestamp,
}

pub(super) async fn find(db: &impl ConnectionTrait, id: AttemptId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// Takes the session's row for this transaction. On SQLite the whole database is taken already.
pub(super) async fn lock(tx: &DatabaseTransaction, id: AttemptId) -> Result<Option<Model>> {
    let mut query = Entity::find_by_id(id);
    if tx.get_database_backend() == DbBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    Ok(query.one(tx).await?)
}

/// With which credentials these sessions were begun, ended or not.
pub(crate) async fn credentials(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = AttemptId>,
) -> Result<HashMap<AttemptId, CredentialId>> {
    let rows = Entity::find().filter(Column::Id.is_in(ids)).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.credential_id)).collect())
}

/// Writes a session; one that is there stays as it is.
pub(super) async fn insert(app: &App, tx: &DatabaseTransaction, new: NewSession) -> Result<bool> {
    let row = ActiveModel {
        id: Set(new.id),
        connector: Set(new.connector),
        credential_id: Set(new.credential_id),
        external_id: Set(None),
        callback_secret: Set(new.callback_secret),
        qr_payload: Set(None),
        qr_seq: Set(0),
        qr_expires_at: Set(None),
        checkpoint: Set(None),
        linked_at: Set(None),
        repairs: Set(0),
        repair_at: Set(Some(new.made_until)),
        refused_at: Set(None),
        checked_at: Set(None),
        created_at: Set(app.clock.now()),
        ended_at: Set(None),
    };
    db::insert_unless_known(Entity::insert(row).on_conflict_do_nothing_on([Column::Id]), tx).await
}

/// Notes what came of making a session: the provider's id of it, the code that it shows, which is not shown yet, and
/// what the network asks. An account that its provider has begun anew under the id that it had is this session's now,
/// unless a channel is connected through the session that has it, or this one was ended meanwhile: then nothing is noted.
/// Otherwise the turn of whoever made it is over, and of one that was ended the id is noted, so that it can be removed.
pub(super) async fn set_made(
    app: &App,
    tx: &DatabaseTransaction,
    id: AttemptId,
    made: &Made,
    checkpoint: Option<&str>,
) -> Result<Noted> {
    let Some(row) = lock(tx, id).await? else { return Ok(Noted::Ended) };
    let mut update = Entity::update_many()
        .col_expr(Column::RepairAt, Expr::value(Option::<Timestamp>::None))
        .filter(Column::Id.eq(id));
    if let Some(external_id) = &made.external_id {
        let other = find_external(tx, row.credential_id, external_id).await?.filter(|other| other.id != id);
        if let Some(other) = other
            && (row.ended_at.is_some() || !take_over(app, tx, &other).await?)
        {
            return Ok(Noted::Duplicate);
        }
        update = update.col_expr(Column::ExternalId, Expr::value(external_id.as_str()));
    }
    if row.ended_at.is_none() && *made != Made::default() {
        update = update
            .col_expr(Column::QrPayload, Expr::value(made.code.as_deref()))
            .col_expr(Column::QrExpiresAt, Expr::value(Option::<Timestamp>::None))
            .col_expr(Column::Checkpoint, Expr::value(checkpoint));
    }
    update.exec(tx).await?;
    Ok(if row.ended_at.is_none() { Noted::Kept } else { Noted::Ended })
}

/// Takes its account from a session, unless a channel is connected through it.
async fn take_over(app: &App, tx: &DatabaseTransaction, other: &Model) -> Result<bool> {
    lock(tx, other.id).await?;
    if channel::connected_by_session(tx, other.id).await?.is_some() {
        return Ok(false);
    }
    Entity::update_many()
        .col_expr(Column::ExternalId, Expr::value(Option::<String>::None))
        .col_expr(Column::EndedAt, Expr::col(Column::EndedAt).if_null(Expr::value(app.clock.now())))
        .filter(Column::Id.eq(other.id))
        .exec(tx)
        .await?;
    Ok(true)
}

pub(super) async fn find_external(
    db: &impl ConnectionTrait,
    credential_id: CredentialId,
    external_id: &str,
) -> Result<Option<Model>> {
    let found =
        Entity::find().filter(Column::CredentialId.eq(credential_id)).filter(Column::ExternalId.eq(external_id));
    Ok(found.one(db).await?)
}

pub(super) async fn has_open(db: &impl ConnectionTrait, credential_id: CredentialId) -> Result<bool> {
    let open = Entity::find().filter(Column::CredentialId.eq(credential_id)).filter(Column::EndedAt.is_null());
    Ok(open.one(db).await?.is_some())
}

/// The code that a session shows: the one before, or its successor with the next place in the row; `None` for one that is
/// linked or over by now.
pub(crate) async fn show_code(
    tx: &DatabaseTransaction,
    id: AttemptId,
    payload: &str,
    expires_at: impl Fn(i32) -> Timestamp,
) -> Result<Option<Qr>> {
    let found = find(tx, id).await?.filter(|row| row.linked_at.is_none() && row.ended_at.is_none());
    let Some(row) = found else { return Ok(None) };
    if let (Some(shown), Some(until)) = (&row.qr_payload, row.qr_expires_at)
        && shown == payload
    {
        return Ok(Some(Qr { payload: payload.to_owned(), seq: row.qr_seq, expires_at: until }));
    }
    let qr = Qr { payload: payload.to_owned(), seq: row.qr_seq + 1, expires_at: expires_at(row.qr_seq + 1) };
    let updated = Entity::update_many()
        .col_expr(Column::QrPayload, Expr::value(payload))
        .col_expr(Column::QrSeq, Expr::value(qr.seq))
        .col_expr(Column::QrExpiresAt, Expr::value(qr.expires_at))
        .filter(Column::Id.eq(id))
        .filter(Column::QrSeq.eq(row.qr_seq))
        .filter(Column::LinkedAt.is_null())
        .filter(Column::EndedAt.is_null())
        .exec(tx)
        .await?;
    if updated.rows_affected == 0 {
        // Whoever was faster has shown the same, or what follows it, or it is linked or over.
        return Err(crate::error::Error::Contention);
    }
    Ok(Some(qr))
}

/// Notes that a session works: it is linked, nothing of its code is kept, it needs no repair and is not in doubt.
pub(crate) async fn mend(app: &App, tx: &DatabaseTransaction, id: AttemptId) -> Result<()> {
    let now = Expr::value(app.clock.now());
    Entity::update_many()
        .col_expr(Column::LinkedAt, Expr::col(Column::LinkedAt).if_null(now))
        .col_expr(Column::QrPayload, Expr::value(Option::<String>::None))
        .col_expr(Column::QrExpiresAt, Expr::value(Option::<Timestamp>::None))
        .col_expr(Column::Checkpoint, Expr::value(Option::<String>::None))
        .col_expr(Column::Repairs, Expr::value(0))
        .col_expr(Column::RepairAt, Expr::value(Option::<Timestamp>::None))
        .col_expr(Column::RefusedAt, Expr::value(Option::<Timestamp>::None))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Notes whether a session has just refused a message or taken one.
pub(super) async fn set_refused(tx: &DatabaseTransaction, id: AttemptId, at: Option<Timestamp>) -> Result<()> {
    Entity::update_many().col_expr(Column::RefusedAt, Expr::value(at)).filter(Column::Id.eq(id)).exec(tx).await?;
    Ok(())
}

/// Notes the code that a session says it has which was linked, to know it again.
pub(crate) async fn note_code(tx: &DatabaseTransaction, id: AttemptId, code: Option<&str>) -> Result<()> {
    Entity::update_many().col_expr(Column::QrPayload, Expr::value(code)).filter(Column::Id.eq(id)).exec(tx).await?;
    Ok(())
}

/// Takes a step of a session's repair, which uses up what was refused; tells whether nobody else did.
pub(crate) async fn take_repair(
    tx: &DatabaseTransaction,
    session: &Model,
    repairs: i32,
    next_at: Timestamp,
) -> Result<bool> {
    let as_it_was = match session.repair_at {
        Some(at) => Column::RepairAt.eq(at),
        None => Column::RepairAt.is_null(),
    };
    let updated = Entity::update_many()
        .col_expr(Column::Repairs, Expr::value(repairs))
        .col_expr(Column::RepairAt, Expr::value(next_at))
        .col_expr(Column::RefusedAt, Expr::value(Option::<Timestamp>::None))
        .filter(Column::Id.eq(session.id))
        .filter(Column::Repairs.eq(session.repairs))
        .filter(as_it_was)
        .filter(Column::EndedAt.is_null())
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Ends a turn that was taken until this moment.
pub(super) async fn end_turn(tx: &DatabaseTransaction, id: AttemptId, until: Timestamp) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::RepairAt, Expr::value(Option::<Timestamp>::None))
        .filter(Column::Id.eq(id))
        .filter(Column::RepairAt.eq(until))
        .exec(tx)
        .await?;
    Ok(())
}

/// Notes that a session is over; nothing of its code is kept.
pub(crate) async fn end(app: &App, tx: &DatabaseTransaction, id: AttemptId) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(app.clock.now()))
        .col_expr(Column::QrPayload, Expr::value(Option::<String>::None))
        .col_expr(Column::Checkpoint, Expr::value(Option::<String>::None))
        .filter(Column::Id.eq(id))
        .filter(Column::EndedAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn set_checked(tx: &DatabaseTransaction, ids: &[AttemptId], now: Timestamp) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::CheckedAt, Expr::value(now))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Linked sessions that nobody has looked at since `before`.
fn unchecked_since(before: Timestamp) -> Select<Entity> {
    Entity::find()
        .filter(Column::LinkedAt.is_not_null())
        .filter(Column::EndedAt.is_null())
        .filter(Column::CheckedAt.lt(before))
}

pub(super) async fn has_unchecked_since(db: &impl ConnectionTrait, before: Timestamp) -> Result<bool> {
    Ok(unchecked_since(before).one(db).await?.is_some())
}

/// Those that nobody has looked at the longest; no other transaction gets the same.
pub(super) async fn take_unchecked_since(
    tx: &DatabaseTransaction,
    before: Timestamp,
    limit: u64,
) -> Result<Vec<Model>> {
    let mut query = unchecked_since(before).order_by_asc(Column::CheckedAt).limit(limit);
    if tx.get_database_backend() == DbBackend::Postgres {
        query = query.lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked);
    }
    Ok(query.all(tx).await?)
}

/// Notes a callback; tells whether it is new.
pub(crate) async fn take_callback(
    app: &App,
    tx: &DatabaseTransaction,
    session_id: AttemptId,
    taken: Taken,
) -> Result<bool> {
    use connector_callback::{ActiveModel, Column, Entity};
    let row = ActiveModel {
        session_id: Set(session_id),
        digest: Set(taken.digest),
        about: Set(taken.about),
        happened_at: Set(taken.happened_at),
        received_at: Set(app.clock.now()),
    };
    let known = Entity::insert(row).on_conflict_do_nothing_on([Column::SessionId, Column::Digest]);
    db::insert_unless_known(known, tx).await
}

/// Whether something later is known about what a callback changes.
pub(crate) async fn is_overtaken(
    db: &impl ConnectionTrait,
    session_id: AttemptId,
    about: &[u8],
    happened_at: Timestamp,
) -> Result<bool> {
    use connector_callback::{Column, Entity};
    let later = Entity::find()
        .filter(Column::SessionId.eq(session_id))
        .filter(Column::About.eq(about))
        .filter(Column::HappenedAt.gt(happened_at));
    Ok(later.one(db).await?.is_some())
}

pub(crate) async fn forget_callbacks(tx: &DatabaseTransaction, before: Timestamp) -> Result<u64> {
    use connector_callback::{Column, Entity};
    let gone = Entity::delete_many().filter(Column::ReceivedAt.lt(before)).exec(tx).await?;
    Ok(gone.rows_affected)
}
