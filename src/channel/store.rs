//! SQL of channels. The workspace comes first, but for look-ups by a session or for one, which a provider's word starts
//! from.

use std::collections::HashMap;

use entity::{
    channel::{ActiveModel, Column, ConnectorKind, DisconnectReason, Entity, Model, Network, State},
    id::{AccountId, AttemptId, ChannelId, UserId, WorkspaceId},
    link, send_queue,
    timestamp::Timestamp,
    user,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Set, Unchanged,
    sea_query::{CaseStatement, Expr},
};

use crate::{app::App, connector::Account, db, error::Result, phone::Phone};

pub(super) mod settings;
pub(super) mod standalone;

/// An account that was just linked.
pub(super) struct Connection<'a> {
    pub(super) link: &'a link::Model,
    pub(super) session: AttemptId,
    pub(super) connector: ConnectorKind,
    pub(super) account: &'a Account,
    pub(super) external_id: String,
}

/// The channels of a workspace that are not deleted.
pub(crate) async fn all(db: &impl ConnectionTrait, workspace_id: WorkspaceId) -> Result<Vec<Model>> {
    let living = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::DeletedAt.is_null());
    Ok(living.order_by_asc(Column::AccountId).all(db).await?)
}

/// Those of these accounts that are the workspace's, deleted ones too.
pub(crate) async fn by_ids(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    ids: impl IntoIterator<Item = AccountId>,
) -> Result<HashMap<AccountId, Model>> {
    let query = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(Column::AccountId.is_in(ids));
    Ok(query.all(db).await?.into_iter().map(|channel| (channel.account_id, channel)).collect())
}

/// The workspace's channel of this id.
pub(crate) async fn by_channel_id(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: ChannelId,
) -> Result<Option<Model>> {
    let living = Entity::find().filter(Column::Id.eq(id)).filter(Column::DeletedAt.is_null());
    Ok(living.filter(Column::WorkspaceId.eq(workspace_id)).one(db).await?)
}

/// The workspace's channel of the account with this id on its network.
pub(crate) async fn by_account(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    external_id: &str,
) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::ExternalId.eq(external_id))
        .filter(Column::DeletedAt.is_null())
        .order_by_asc(Column::AccountId)
        .one(db)
        .await?)
}

pub(super) async fn by_external_id(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    network: Network,
    external_id: &str,
) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Network.eq(network))
        .filter(Column::ExternalId.eq(external_id))
        .one(tx)
        .await?)
}

pub(super) async fn connected_of_user(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    user_id: UserId,
    network: Option<Network>,
) -> Result<Option<Model>> {
    let connected = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::Standalone.eq(false))
        .filter(Column::State.eq(State::Connected));
    Ok(connected.apply_if(network, |query, network| query.filter(Column::Network.eq(network))).one(tx).await?)
}

/// Whether the channel's user has linked another account of its network, which is connected.
pub(super) async fn has_another(tx: &DatabaseTransaction, channel: &Model) -> Result<bool> {
    let found = Entity::find()
        .filter(Column::WorkspaceId.eq(channel.workspace_id))
        .filter(Column::UserId.eq(channel.user_id))
        .filter(Column::Network.eq(channel.network))
        .filter(Column::Standalone.eq(false))
        .filter(Column::State.eq(State::Connected))
        .filter(Column::AccountId.ne(channel.account_id));
    Ok(found.one(tx).await?.is_some())
}

/// A user's channels that were disconnected without anybody asking for it.
pub(super) async fn resting_of_user(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    user_id: UserId,
) -> Result<Vec<Model>> {
    let found = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::State.eq(State::Disconnected))
        .filter(Column::DisconnectReason.is_in([DisconnectReason::LoggedOut, DisconnectReason::Stopped]))
        .filter(Column::DeletedAt.is_null())
        .order_by_asc(Column::AccountId);
    Ok(found.all(tx).await?)
}

/// The account that a user's pages linked last on a network, connected or not.
pub(crate) async fn last_of_user(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    user_id: UserId,
    network: Network,
) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::Network.eq(network))
        .filter(Column::Standalone.eq(false))
        .filter(Column::DeletedAt.is_null())
        .order_by_desc(Column::ConnectedAt)
        .order_by_desc(Column::AccountId)
        .one(db)
        .await?)
}

/// The channel of this number, which a change has just been made to.
pub(super) async fn by_account_id(db: &impl ConnectionTrait, id: AccountId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

pub(crate) async fn connected_by_session(db: &impl ConnectionTrait, session: AttemptId) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Session.eq(session)).filter(Column::State.eq(State::Connected)).one(db).await?)
}

/// The channel whose session this is, connected or not.
pub(crate) async fn by_session(db: &impl ConnectionTrait, session: AttemptId) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Session.eq(session)).filter(Column::DeletedAt.is_null()).one(db).await?)
}

/// The connected one, unless it is switched off: what comes to it is not for us. One whose user lost the seat receives:
/// who writes to it knows nothing of seats, and what they write is there when the seat is back.
pub(crate) async fn open_by_session(db: &impl ConnectionTrait, session: AttemptId) -> Result<Option<Model>> {
    Ok(connected_by_session(db, session).await?.filter(|channel| !channel.deactivated))
}

/// The channel of this id. Whoever asks sees to whose it is.
pub(super) async fn by_id_alone(db: &impl ConnectionTrait, id: ChannelId) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Id.eq(id)).filter(Column::DeletedAt.is_null()).one(db).await?)
}

/// The channel of this id, if it is connected and not switched off. Whoever asks sees to whose it is.
pub(crate) async fn open_by_id(db: &impl ConnectionTrait, id: ChannelId) -> Result<Option<Model>> {
    let living = Entity::find().filter(Column::Id.eq(id)).filter(Column::DeletedAt.is_null());
    Ok(living.one(db).await?.filter(|channel| channel.state == State::Connected && !channel.deactivated))
}

/// Makes the channel; `None` if another attempt was faster with the same account.
pub(super) async fn insert(app: &App, tx: &DatabaseTransaction, new: &Connection<'_>) -> Result<Option<Model>> {
    let row = ActiveModel {
        id: Set(ChannelId(app.clock.uuid())),
        workspace_id: Set(new.link.workspace_id),
        network: Set(new.link.network),
        external_id: Set(new.external_id.clone()),
        phone: Set(new.account.phone.as_ref().map(Phone::as_str).unwrap_or_default().to_owned()),
        suspended: Set(false),
        deactivated: Set(false),
        standalone: Set(false),
        created_at: Set(app.clock.now()),
        ..connected(app, new)
    };
    let insert =
        Entity::insert(row).on_conflict_do_nothing_on([Column::WorkspaceId, Column::Network, Column::ExternalId]);
    let inserted = db::insert_or_none(insert, tx).await?;
    if let Some(channel) = &inserted {
        open_queue(tx, channel).await?;
    }
    Ok(inserted)
}

/// Makes the queue of a channel that has just been made.
async fn open_queue(tx: &DatabaseTransaction, channel: &Model) -> Result<()> {
    let queue = send_queue::ActiveModel {
        account_id: Set(channel.account_id),
        workspace_id: Set(channel.workspace_id),
        queued: Set(0),
        due_at: Set(None),
        rest_until: Set(Timestamp(0)),
        lease: Set(None),
    };
    send_queue::Entity::insert(queue).exec_without_returning(tx).await?;
    Ok(())
}

/// Gives a disconnected channel its new session; `None` if another attempt was faster with the same account.
pub(super) async fn revive(
    app: &App,
    tx: &DatabaseTransaction,
    known: &Model,
    new: &Connection<'_>,
) -> Result<Option<Model>> {
    let revived = Entity::update_many()
        .set(ActiveModel {
            suspended: Set(false),
            deactivated: Set(false),
            deleted_at: Set(None),
            ..connected(app, new)
        })
        .filter(Column::AccountId.eq(known.account_id))
        .filter(Column::State.eq(State::Disconnected))
        .exec(tx)
        .await?;
    if revived.rows_affected == 0 {
        return Ok(None);
    }
    wake(app, tx, known.account_id).await?;
    Ok(Entity::find_by_id(known.account_id).one(tx).await?)
}

/// Makes a channel that can send again due, if anything waits on it: at once, or when it has rested. A worker that is
/// looking at it just now holds its row: it either sees the change, or puts the channel aside before we wake it.
pub(super) async fn wake(app: &App, tx: &DatabaseTransaction, id: AccountId) -> Result<()> {
    use send_queue::Column;
    let is_free = Expr::col(Column::Lease).is_null();
    let now = app.clock.now();
    let rests = is_free.clone().and(Expr::col(Column::RestUntil).gt(now));
    let due_at = CaseStatement::new()
        .case(rests, Expr::col(Column::RestUntil))
        .case(is_free, Expr::value(now))
        .finally(Expr::col(Column::DueAt));
    send_queue::Entity::update_many()
        .col_expr(Column::DueAt, due_at.into())
        .filter(Column::AccountId.eq(id))
        .filter(Column::Queued.gt(0))
        .exec(tx)
        .await?;
    Ok(())
}

fn connected(app: &App, new: &Connection<'_>) -> ActiveModel {
    let now = app.clock.now();
    ActiveModel {
        user_id: Set(new.link.user_id),
        connector: Set(new.connector),
        session: Set(new.session),
        state: Set(State::Connected),
        account_name: Set(new.account.name.clone()),
        connected_at: Set(now),
        disconnected_at: Set(None),
        disconnect_reason: Set(None),
        updated_at: Set(now),
        ..Default::default()
    }
}

/// Ends a connected channel; `None` if it was not connected any more.
pub(super) async fn set_disconnected(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &Model,
    reason: DisconnectReason,
) -> Result<Option<Model>> {
    let now = app.clock.now();
    let updated = Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Disconnected))
        .col_expr(Column::DisconnectedAt, Expr::value(now))
        .col_expr(Column::DisconnectReason, Expr::value(reason))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::AccountId.eq(channel.account_id))
        .filter(Column::Session.eq(channel.session))
        .filter(Column::State.eq(State::Connected))
        .exec(tx)
        .await?;
    if updated.rows_affected == 0 {
        return Ok(None);
    }
    Ok(Entity::find_by_id(channel.account_id).one(tx).await?)
}

/// Notes another reason for a channel that is disconnected; tells whether it still is, with this session.
pub(super) async fn set_reason(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &Model,
    reason: DisconnectReason,
) -> Result<bool> {
    let updated = Entity::update_many()
        .col_expr(Column::DisconnectReason, Expr::value(reason))
        .col_expr(Column::UpdatedAt, Expr::value(app.clock.now()))
        .filter(Column::AccountId.eq(channel.account_id))
        .filter(Column::Session.eq(channel.session))
        .filter(Column::State.eq(State::Disconnected))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Connects a channel again whose session works again; `None` if it has another by now, was let go, or was lost for another
/// reason meanwhile.
pub(super) async fn set_reconnected(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &Model,
    suspended: bool,
) -> Result<Option<Model>> {
    let now = app.clock.now();
    let change = ActiveModel {
        state: Set(State::Connected),
        suspended: Set(suspended),
        connected_at: Set(now),
        disconnected_at: Set(None),
        disconnect_reason: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    let updated = Entity::update_many()
        .set(change)
        .filter(Column::AccountId.eq(channel.account_id))
        .filter(Column::Session.eq(channel.session))
        .filter(Column::State.eq(State::Disconnected))
        .filter(Column::DisconnectReason.eq(channel.disconnect_reason))
        .filter(Column::DeletedAt.is_null())
        .exec(tx)
        .await?;
    if updated.rows_affected == 0 {
        return Ok(None);
    }
    wake(app, tx, channel.account_id).await?;
    Ok(Entity::find_by_id(channel.account_id).one(tx).await?)
}

/// Switches the user's connected account off; tells which, and whether it was on.
pub(crate) async fn suspend_of_user(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    user_id: UserId,
) -> Result<Option<(Model, bool)>> {
    let Some(channel) = connected_of_user(tx, workspace_id, user_id, None).await? else { return Ok(None) };
    if channel.suspended {
        return Ok(Some((channel, false)));
    }
    let row = ActiveModel {
        account_id: Unchanged(channel.account_id),
        suspended: Set(true),
        updated_at: Set(app.clock.now()),
        ..Default::default()
    };
    Ok(Some((row.update(tx).await?, true)))
}

/// Wakes the account of a user that works again, if there is one; tells which.
pub(crate) async fn resume_of_user(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    user_id: UserId,
) -> Result<Option<Model>> {
    let Some(channel) = connected_of_user(tx, workspace_id, user_id, None).await? else { return Ok(None) };
    wake(app, tx, channel.account_id).await?;
    Ok(Some(channel))
}

/// Switches all that a user's pages have linked on or off; tells whether there is anything.
pub(crate) async fn set_suspended_of_user(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    user_id: UserId,
    suspended: bool,
) -> Result<bool> {
    let linked = Column::WorkspaceId
        .eq(workspace_id)
        .and(Column::UserId.eq(user_id))
        .and(Column::Standalone.eq(false))
        .and(Column::DeletedAt.is_null());
    let written = Entity::update_many()
        .col_expr(Column::Suspended, Expr::value(suspended))
        .col_expr(Column::UpdatedAt, Expr::value(app.clock.now()))
        .filter(linked.clone())
        .filter(Column::Suspended.ne(suspended))
        .exec(tx)
        .await?;
    Ok(written.rows_affected > 0 || Entity::find().filter(linked).one(tx).await?.is_some())
}

/// Users who hold a seat and whose connected accounts are switched off, because there was no place for them; the
/// accounts that were connected first come first.
pub(crate) async fn kept_off(tx: &DatabaseTransaction, workspace_id: WorkspaceId) -> Result<Vec<UserId>> {
    let seated = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::WorkspaceId.eq(workspace_id))
        .filter(user::Column::Status.eq(user::Status::Activated));
    Ok(Entity::find()
        .select_only()
        .column(Column::UserId)
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Standalone.eq(false))
        .filter(Column::State.eq(State::Connected))
        .filter(Column::Suspended.eq(true))
        .filter(Column::UserId.in_subquery(seated.into_query()))
        .order_by_asc(Column::ConnectedAt)
        .order_by_asc(Column::AccountId)
        .into_tuple()
        .all(tx)
        .await?)
}
