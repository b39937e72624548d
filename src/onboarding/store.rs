//! SQL of links and attempts. The workspace or the link comes first, but for look-ups by token and by the worker.

use entity::{
    attempt::{self, Failure, State},
    channel::{ConnectorKind, Network},
    id::{AccountId, AttemptId, LinkId, UserId, WorkspaceId},
    link::{self, ActiveModel, Column, Entity, Model},
    timestamp::Timestamp,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait,
    QueryFilter, QueryOrder, QuerySelect, Select, Set, Unchanged,
    sea_query::{Expr, LockType},
};

use crate::{
    app::App,
    connector::{PairingCode, Qr, checkpoint::Asked},
    error::Result,
    onboarding::advance::After,
};

/// A link to be written.
pub(super) struct NewLink {
    pub(super) id: LinkId,
    pub(super) user_id: UserId,
    pub(super) network: Network,
    pub(super) digest: Vec<u8>,
    pub(super) sealed: Vec<u8>,
    pub(super) expires_at: Timestamp,
}

/// An attempt to be written.
pub(super) struct NewAttempt {
    pub(super) id: AttemptId,
    pub(super) connector: Option<ConnectorKind>,
    pub(super) state: State,
    pub(super) error_code: Option<Failure>,
    pub(super) expires_at: Timestamp,
    pub(super) due_at: Option<Timestamp>,
}

pub(super) async fn insert(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    new: NewLink,
) -> Result<Model> {
    let row = ActiveModel {
        id: Set(new.id),
        workspace_id: Set(workspace_id),
        user_id: Set(new.user_id),
        network: Set(new.network),
        digest: Set(new.digest),
        sealed: Set(new.sealed),
        state: Set(link::State::Active),
        expires_at: Set(new.expires_at),
        attempts_used: Set(0),
        pairing_codes_used: Set(0),
        created_at: Set(app.clock.now()),
        closed_at: Set(None),
    };
    Ok(row.insert(tx).await?)
}

pub(super) async fn by_digest(db: &impl ConnectionTrait, digest: &[u8]) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Digest.eq(digest)).one(db).await?)
}

pub(super) async fn by_id(db: &impl ConnectionTrait, id: LinkId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// Takes the link's row for this transaction. On SQLite the whole database is taken already.
pub(super) async fn lock(tx: &DatabaseTransaction, id: LinkId) -> Result<Option<Model>> {
    Ok(locked(tx, Entity::find_by_id(id)).one(tx).await?)
}

/// Takes the rows of a user's links that are not closed, in the order of their ids.
pub(super) async fn lock_open_of_user(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    user_id: UserId,
) -> Result<Vec<Model>> {
    let open = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::State.eq(link::State::Active))
        .order_by_asc(Column::Id);
    Ok(locked(tx, open).all(tx).await?)
}

fn locked(tx: &DatabaseTransaction, query: Select<Entity>) -> Select<Entity> {
    if tx.get_database_backend() == DbBackend::Postgres { query.lock(LockType::NoKeyUpdate) } else { query }
}

/// Links that can be opened at `now`.
pub(super) async fn active(db: &impl ConnectionTrait, workspace_id: WorkspaceId, now: Timestamp) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::State.eq(link::State::Active))
        .filter(Column::ExpiresAt.gt(now))
        .order_by_asc(Column::Id)
        .all(db)
        .await?)
}

pub(super) async fn close_link(app: &App, tx: &DatabaseTransaction, id: LinkId, state: link::State) -> Result<()> {
    let row = ActiveModel {
        id: Unchanged(id),
        state: Set(state),
        closed_at: Set(Some(app.clock.now())),
        ..Default::default()
    };
    row.update(tx).await?;
    Ok(())
}

pub(super) async fn count_pairing_code(tx: &DatabaseTransaction, link: &Model) -> Result<()> {
    let row = ActiveModel {
        id: Unchanged(link.id),
        pairing_codes_used: Set(link.pairing_codes_used + 1),
        ..Default::default()
    };
    row.update(tx).await?;
    Ok(())
}

/// Writes an attempt and counts it on its link, whose row is locked.
pub(super) async fn insert_attempt(
    app: &App,
    tx: &DatabaseTransaction,
    link: &Model,
    new: NewAttempt,
) -> Result<attempt::Model> {
    let count =
        ActiveModel { id: Unchanged(link.id), attempts_used: Set(link.attempts_used + 1), ..Default::default() };
    count.update(tx).await?;
    let now = app.clock.now();
    let row = attempt::ActiveModel {
        id: Set(new.id),
        link_id: Set(link.id),
        workspace_id: Set(link.workspace_id),
        connector: Set(new.connector),
        state: Set(new.state),
        qr_payload: Set(None),
        qr_seq: Set(0),
        qr_expires_at: Set(None),
        pairing_code: Set(None),
        pairing_expires_at: Set(None),
        checkpoint: Set(None),
        checkpoint_expires_at: Set(None),
        question_seq: Set(0),
        wrong_answers: Set(0),
        answering_until: Set(None),
        expires_at: Set(new.expires_at),
        due_at: Set(new.due_at),
        error_code: Set(new.error_code),
        account_id: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        revision: Set(1),
    };
    Ok(row.insert(tx).await?)
}

pub(super) async fn attempt(db: &impl ConnectionTrait, id: AttemptId) -> Result<Option<attempt::Model>> {
    Ok(attempt::Entity::find_by_id(id).one(db).await?)
}

pub(super) async fn live_attempt(db: &impl ConnectionTrait, link_id: LinkId) -> Result<Option<attempt::Model>> {
    Ok(attempt::Entity::find()
        .filter(attempt::Column::LinkId.eq(link_id))
        .filter(attempt::Column::DueAt.is_not_null())
        .one(db)
        .await?)
}

pub(super) async fn last_attempt(db: &impl ConnectionTrait, link_id: LinkId) -> Result<Option<attempt::Model>> {
    Ok(attempt::Entity::find()
        .filter(attempt::Column::LinkId.eq(link_id))
        .order_by_desc(attempt::Column::Id)
        .one(db)
        .await?)
}

/// Attempts that are due, the oldest first, but for those of these connectors.
pub(super) async fn due(
    db: &impl ConnectionTrait,
    now: Timestamp,
    limit: u64,
    without: &[ConnectorKind],
) -> Result<Vec<attempt::Model>> {
    let connector = attempt::Column::Connector;
    let is_wanted = Condition::any().add(connector.is_null()).add(connector.is_not_in(without.iter().copied()));
    Ok(attempt::Entity::find()
        .filter(attempt::Column::DueAt.lte(now))
        .filter(is_wanted)
        .order_by_asc(attempt::Column::DueAt)
        .limit(limit)
        .all(db)
        .await?)
}

pub(super) async fn next_due(db: &impl ConnectionTrait) -> Result<Option<Timestamp>> {
    let first = attempt::Entity::find()
        .filter(attempt::Column::DueAt.is_not_null())
        .order_by_asc(attempt::Column::DueAt)
        .one(db)
        .await?;
    Ok(first.and_then(|attempt| attempt.due_at))
}

/// Moves a due attempt's next look past the lease; tells whether nobody else did.
pub(super) async fn lease(tx: &DatabaseTransaction, seen: &attempt::Model, until: Timestamp) -> Result<bool> {
    let updated = attempt::Entity::update_many()
        .col_expr(attempt::Column::DueAt, Expr::value(until))
        .filter(attempt::Column::Id.eq(seen.id))
        .filter(attempt::Column::DueAt.eq(seen.due_at))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Says when an attempt is looked at again of which there is no news.
pub(super) async fn look_again(tx: &DatabaseTransaction, attempt: &attempt::Model, due_at: Timestamp) -> Result<()> {
    let row = attempt::ActiveModel { id: Unchanged(attempt.id), due_at: Set(Some(due_at)), ..Default::default() };
    row.update(tx).await?;
    Ok(())
}

/// Shows the code that the connector shows; tells whether that is news to the page.
pub(super) async fn set_waiting(
    app: &App,
    tx: &DatabaseTransaction,
    attempt: &attempt::Model,
    state: State,
    qr: Option<&Qr>,
    due_at: Timestamp,
) -> Result<bool> {
    let mut row = attempt::ActiveModel { id: Unchanged(attempt.id), due_at: Set(Some(due_at)), ..Default::default() };
    let is_other_code = attempt.qr_payload.as_deref() != qr.map(|qr| &*qr.payload);
    let is_news = attempt.state != state || is_other_code || attempt.checkpoint.is_some();
    if is_news {
        row.state = Set(state);
        row.qr_payload = Set(qr.map(|qr| qr.payload.clone()));
        row.qr_seq = Set(qr.map_or(attempt.qr_seq, |qr| qr.seq));
        row.qr_expires_at = Set(qr.map(|qr| qr.expires_at));
        row.checkpoint = Set(None);
        row.checkpoint_expires_at = Set(None);
        row.updated_at = Set(app.clock.now());
        row.revision = Set(attempt.revision + 1);
    }
    row.update(tx).await?;
    Ok(is_news)
}

/// Shows what the network asks; tells whether that is news to the page.
pub(super) async fn set_asking(
    app: &App,
    tx: &DatabaseTransaction,
    attempt: &attempt::Model,
    state: State,
    asked: &Asked,
    after: After,
) -> Result<bool> {
    let question = asked.checkpoint.stored()?;
    let due_at = asked.look_again_at.min(attempt.expires_at);
    let mut row = attempt::ActiveModel { id: Unchanged(attempt.id), due_at: Set(Some(due_at)), ..Default::default() };
    let is_news = after == After::Answer || attempt.checkpoint.as_ref() != Some(&question);
    if is_news {
        row.state = Set(state);
        row.qr_payload = Set(None);
        row.qr_expires_at = Set(None);
        row.checkpoint = Set(Some(question));
        row.checkpoint_expires_at = Set(Some(asked.expires_at.min(attempt.expires_at)));
        row.question_seq = Set(attempt.question_seq + 1);
        row.answering_until = Set(None);
        row.updated_at = Set(app.clock.now());
        row.revision = Set(attempt.revision + 1);
    }
    row.update(tx).await?;
    Ok(is_news)
}

/// Keeps others from answering, while an answer is on its way.
pub(super) async fn take_answer(
    tx: &DatabaseTransaction,
    attempt: &attempt::Model,
    until: Timestamp,
) -> Result<attempt::Model> {
    let row =
        attempt::ActiveModel { id: Unchanged(attempt.id), answering_until: Set(Some(until)), ..Default::default() };
    Ok(row.update(tx).await?)
}

/// Lets others answer again; a wrong answer is counted.
pub(super) async fn release_answer(
    app: &App,
    tx: &DatabaseTransaction,
    attempt: &attempt::Model,
    wrong_answers: i32,
) -> Result<attempt::Model> {
    let row = attempt::ActiveModel {
        id: Unchanged(attempt.id),
        answering_until: Set(None),
        wrong_answers: Set(wrong_answers),
        updated_at: Set(app.clock.now()),
        revision: Set(attempt.revision + 1),
        ..Default::default()
    };
    Ok(row.update(tx).await?)
}

/// Shows a pairing code, and lets the attempt live as long as it.
pub(super) async fn set_pairing_code(
    app: &App,
    tx: &DatabaseTransaction,
    attempt: &attempt::Model,
    code: &PairingCode,
    attempt_ends: Timestamp,
) -> Result<()> {
    let row = attempt::ActiveModel {
        id: Unchanged(attempt.id),
        pairing_code: Set(Some(code.code.clone())),
        pairing_expires_at: Set(Some(code.expires_at)),
        expires_at: Set(attempt_ends),
        updated_at: Set(app.clock.now()),
        revision: Set(attempt.revision + 1),
        ..Default::default()
    };
    row.update(tx).await?;
    Ok(())
}

/// Ends an attempt: nothing of its codes is kept.
pub(super) async fn end_attempt(
    app: &App,
    tx: &DatabaseTransaction,
    attempt: &attempt::Model,
    state: State,
    error_code: Option<Failure>,
    account_id: Option<AccountId>,
) -> Result<()> {
    let row = attempt::ActiveModel {
        id: Unchanged(attempt.id),
        state: Set(state),
        qr_payload: Set(None),
        qr_expires_at: Set(None),
        pairing_code: Set(None),
        pairing_expires_at: Set(None),
        checkpoint: Set(None),
        checkpoint_expires_at: Set(None),
        answering_until: Set(None),
        due_at: Set(None),
        error_code: Set(error_code),
        account_id: Set(account_id),
        updated_at: Set(app.clock.now()),
        revision: Set(attempt.revision + 1),
        ..Default::default()
    };
    row.update(tx).await?;
    Ok(())
}
