//! SQL of channels that are made, switched and deleted over the Channels API. The workspace's row is locked by whoever
//! calls these.

use std::collections::{HashMap, HashSet};

use entity::{
    channel::{ActiveModel, Column, ConnectorKind, DisconnectReason, Entity, Model, Network, State},
    chat,
    id::{AccountId, AttemptId, ChannelId, UserId, WorkspaceId},
    timestamp::Timestamp,
    user, workspace,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Set,
    sea_query::{CaseStatement, Expr},
};

use crate::{
    app::App,
    channel::{limit::Place, store},
    connector::Account,
    error::Result,
    phone::Phone,
};

/// A channel to be made.
pub(in crate::channel) struct New {
    pub(in crate::channel) workspace_id: WorkspaceId,
    pub(in crate::channel) user_id: UserId,
    pub(in crate::channel) network: Network,
    pub(in crate::channel) connector: ConnectorKind,
}

/// Makes a channel that nobody has connected and nobody has switched on.
pub(in crate::channel) async fn insert(app: &App, tx: &DatabaseTransaction, new: &New) -> Result<Model> {
    let (id, now) = (ChannelId(app.clock.uuid()), app.clock.now());
    let row = ActiveModel {
        id: Set(id),
        workspace_id: Set(new.workspace_id),
        user_id: Set(new.user_id),
        network: Set(new.network),
        connector: Set(new.connector),
        session: Set(AttemptId(app.clock.uuid())),
        state: Set(State::Disconnected),
        suspended: Set(false),
        deactivated: Set(true),
        standalone: Set(true),
        external_id: Set(id.to_string()),
        phone: Set(String::new()),
        account_name: Set(String::new()),
        connected_at: Set(now),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let channel = Entity::insert(row).exec_with_returning(tx).await?;
    store::open_queue(tx, &channel).await?;
    Ok(channel)
}

/// The channels of a workspace that take a place, and which. Those that pages have linked for users who hold no seat,
/// or who have found no place since they were given one again, are left out.
pub(in crate::channel) async fn places(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
) -> Result<Vec<(AccountId, Place)>> {
    let seated = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::WorkspaceId.eq(workspace_id))
        .filter(user::Column::Status.eq(user::Status::Activated));
    let found: Vec<(AccountId, UserId, bool)> = Entity::find()
        .select_only()
        .columns([Column::AccountId, Column::UserId, Column::Standalone])
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::DeletedAt.is_null())
        .filter(
            Column::Standalone
                .eq(true)
                .or(Column::UserId.in_subquery(seated.into_query()).and(Column::Suspended.eq(false))),
        )
        .into_tuple()
        .all(db)
        .await?;
    let place = |(id, user_id, standalone)| (id, if standalone { Place::Channel(id) } else { Place::User(user_id) });
    Ok(found.into_iter().map(place).collect())
}

/// The channel of a network that was connected last, of those that are.
pub(in crate::channel) async fn connected_of_network(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    network: Network,
) -> Result<Option<Model>> {
    let connected = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::Network.eq(network))
        .filter(Column::State.eq(State::Connected))
        .filter(Column::DeletedAt.is_null());
    Ok(connected.order_by_desc(Column::ConnectedAt).order_by_desc(Column::AccountId).one(db).await?)
}

/// Of a user's channels of a network that were made over the Channels API, the one that was connected last, of those that
/// are.
pub(in crate::channel) async fn connected_of_user(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    user_id: UserId,
    network: Network,
) -> Result<Option<Model>> {
    let connected = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::Network.eq(network))
        .filter(Column::Standalone.eq(true))
        .filter(Column::State.eq(State::Connected))
        .filter(Column::DeletedAt.is_null());
    Ok(connected.order_by_desc(Column::ConnectedAt).order_by_desc(Column::AccountId).one(db).await?)
}

/// Another channel of the workspace that has or had this account.
pub(in crate::channel) async fn other_of_account(
    tx: &DatabaseTransaction,
    channel: &Model,
    account: &Account,
) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::WorkspaceId.eq(channel.workspace_id))
        .filter(Column::Network.eq(channel.network))
        .filter(Column::ExternalId.eq(account.external_id.as_str()))
        .filter(Column::AccountId.ne(channel.account_id))
        .one(tx)
        .await?)
}

/// Those of these channels of a workspace whose account another workspace of the same partner has connected too.
pub(in crate::channel) async fn duplicates(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    channels: &[&Model],
) -> Result<HashSet<AccountId>> {
    let connected = channels.iter().filter(|channel| channel.state == State::Connected);
    let accounts: HashMap<(Network, &str), AccountId> =
        connected.map(|channel| ((channel.network, channel.external_id.as_str()), channel.account_id)).collect();
    if accounts.is_empty() {
        return Ok(HashSet::new());
    }
    let partner = workspace::Entity::find()
        .select_only()
        .column(workspace::Column::PartnerId)
        .filter(workspace::Column::Id.eq(workspace_id));
    let others = workspace::Entity::find()
        .select_only()
        .column(workspace::Column::Id)
        .filter(workspace::Column::PartnerId.in_subquery(partner.into_query()))
        .filter(workspace::Column::Id.ne(workspace_id));
    let found: Vec<(Network, String)> = Entity::find()
        .select_only()
        .column(Column::Network)
        .column(Column::ExternalId)
        .filter(Column::ExternalId.is_in(accounts.keys().map(|(_, id)| *id)))
        .filter(Column::State.eq(State::Connected))
        .filter(Column::DeletedAt.is_null())
        .filter(Column::WorkspaceId.in_subquery(others.into_query()))
        .into_tuple()
        .all(db)
        .await?;
    Ok(found.iter().filter_map(|(network, id)| accounts.get(&(*network, id.as_str())).copied()).collect())
}

/// Takes the account from a channel that is deleted, so that another can have it.
pub(in crate::channel) async fn forget_account(tx: &DatabaseTransaction, deleted: &Model) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::ExternalId, Expr::value(deleted.id.to_string()))
        .filter(Column::AccountId.eq(deleted.account_id))
        .filter(Column::DeletedAt.is_not_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// Gives a channel that is not connected a session that nobody has used.
pub(in crate::channel) async fn set_session(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &Model,
    session: AttemptId,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Session, Expr::value(session))
        .col_expr(Column::UpdatedAt, Expr::value(app.clock.now()))
        .filter(Column::AccountId.eq(channel.account_id))
        .filter(Column::State.eq(State::Disconnected))
        .exec(tx)
        .await?;
    Ok(())
}

/// Connects a channel to the account that its session has signed in.
pub(in crate::channel) async fn connect(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &Model,
    account: &Account,
) -> Result<Option<Model>> {
    let now = app.clock.now();
    let change = ActiveModel {
        state: Set(State::Connected),
        external_id: Set(account.external_id.clone()),
        phone: Set(account.phone.as_ref().map(Phone::as_str).unwrap_or_default().to_owned()),
        account_name: Set(account.name.clone()),
        connected_at: Set(now),
        disconnected_at: Set(None),
        disconnect_reason: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    Entity::update_many().set(change).filter(Column::AccountId.eq(channel.account_id)).exec(tx).await?;
    store::wake(app, tx, channel.account_id).await?;
    Ok(Entity::find_by_id(channel.account_id).one(tx).await?)
}

/// Notes when a channel was changed that has no settings.
pub(in crate::channel) async fn set_updated(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    id: AccountId,
    at: Timestamp,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(at))
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::AccountId.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Switches a channel on or off.
pub(in crate::channel) async fn set_deactivated(
    app: &App,
    tx: &DatabaseTransaction,
    id: AccountId,
    deactivated: bool,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Deactivated, Expr::value(deactivated))
        .col_expr(Column::UpdatedAt, Expr::value(app.clock.now()))
        .filter(Column::AccountId.eq(id))
        .exec(tx)
        .await?;
    if !deactivated {
        store::wake(app, tx, id).await?;
    }
    Ok(())
}

/// Marks a channel as deleted; what waits on it fails at once.
pub(in crate::channel) async fn set_deleted(app: &App, tx: &DatabaseTransaction, channel: &Model) -> Result<()> {
    let now = app.clock.now();
    let change = ActiveModel {
        state: Set(State::Disconnected),
        deactivated: Set(true),
        disconnected_at: Set(Some(channel.disconnected_at.unwrap_or(now))),
        disconnect_reason: Set(Some(channel.disconnect_reason.unwrap_or(DisconnectReason::Deleted))),
        updated_at: Set(now),
        deleted_at: Set(Some(now)),
        ..Default::default()
    };
    Entity::update_many().set(change).filter(Column::AccountId.eq(channel.account_id)).exec(tx).await?;
    store::wake(app, tx, channel.account_id).await
}

/// How many conversations a channel has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::channel) struct Conversations {
    pub(in crate::channel) open: i64,
    pub(in crate::channel) all: i64,
}

/// How many conversations each of these channels has; those without any are absent.
pub(in crate::channel) async fn conversations(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, Conversations>> {
    #[derive(FromQueryResult)]
    struct Counted {
        account_id: AccountId,
        open: Option<i64>,
        all: i64,
    }
    use chat::Column;
    let is_open = CaseStatement::new().case(Expr::col(Column::Closed).eq(false), Expr::value(1i64)).finally(0i64);
    let rows: Vec<Counted> = chat::Entity::find()
        .select_only()
        .column(Column::AccountId)
        .column_as(Expr::expr(is_open).sum().cast_as("BIGINT"), "open")
        .column_as(Column::Id.count(), "all")
        .filter(Column::WorkspaceId.eq(workspace_id))
        .filter(Column::AccountId.is_in(ids.iter().copied()))
        .group_by(Column::AccountId)
        .into_model()
        .all(db)
        .await?;
    let counted = |row: Counted| (row.account_id, Conversations { open: row.open.unwrap_or(0), all: row.all });
    Ok(rows.into_iter().map(counted).collect())
}

/// Closes the open conversations of a channel; tells how many, and how old they were in all, in seconds.
pub(in crate::channel) async fn close_conversations(
    app: &App,
    tx: &DatabaseTransaction,
    channel: &Model,
) -> Result<(i64, i64)> {
    use chat::Column;
    let now = app.clock.now();
    let begun: Vec<Timestamp> = chat::Entity::find()
        .select_only()
        .column(Column::CreatedAt)
        .filter(Column::AccountId.eq(channel.account_id))
        .filter(Column::Closed.eq(false))
        .into_tuple()
        .all(tx)
        .await?;
    chat::Entity::update_many()
        .col_expr(Column::Closed, Expr::value(true))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::WorkspaceId.eq(channel.workspace_id))
        .filter(Column::AccountId.eq(channel.account_id))
        .filter(Column::Closed.eq(false))
        .exec(tx)
        .await?;
    let seconds = begun.iter().map(|begun| begun.millis_until(now) / 1000).sum();
    Ok((i64::try_from(begun.len()).unwrap_or(i64::MAX), seconds))
}
