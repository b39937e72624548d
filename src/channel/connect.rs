//! An account has been linked: its channel is made or revived.

use entity::{
    attempt, channel,
    channel::{ConnectorKind, Model},
    link,
};
use sea_orm::DatabaseTransaction;

use crate::{app::App, channel::store, connector::Account, error::Result};

/// What came of it.
pub(crate) enum Connected {
    /// The channel.
    Channel(Model),
    /// The account is connected in this workspace already.
    Duplicate,
}

/// Records the account for the user of the link, in the transaction that uses the link up.
pub(crate) async fn record(
    app: &App,
    tx: &DatabaseTransaction,
    link: &link::Model,
    attempt: &attempt::Model,
    connector: ConnectorKind,
    account: &Account,
) -> Result<Connected> {
    let external_id = account.external_id.clone();
    let known = store::by_external_id(tx, link.workspace_id, link.network, &external_id).await?;
    let new = store::Connection { link, session: attempt.id, connector, account, external_id };
    let channel = match known {
        Some(known) if known.state == channel::State::Connected => None,
        Some(known) => store::revive(app, tx, &known, &new).await?,
        None => store::insert(app, tx, &new).await?,
    };
    Ok(channel.map_or(Connected::Duplicate, Connected::Channel))
}
