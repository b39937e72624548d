//! SQL of connectors' credentials and defaults. The owner, a partner or the platform, comes first.

use entity::{
    channel::{ConnectorKind, Network},
    connector_credential, connector_default,
    id::{CredentialId, PartnerId},
};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, sea_query::Expr};

use crate::error::Result;

/// What is an owner's.
fn owned<C: ColumnTrait>(column: C, owner: Option<&PartnerId>) -> Expr {
    match owner {
        Some(partner_id) => column.eq(partner_id.clone()),
        None => column.is_null(),
    }
}

pub(super) async fn credentials_of(
    db: &impl ConnectionTrait,
    owner: Option<&PartnerId>,
    connector: ConnectorKind,
) -> Result<Option<connector_credential::Model>> {
    use connector_credential::{Column, Entity};
    let query = Entity::find().filter(owned(Column::PartnerId, owner)).filter(Column::Connector.eq(connector));
    Ok(query.one(db).await?)
}

pub(super) async fn default_of(
    db: &impl ConnectionTrait,
    owner: Option<&PartnerId>,
    network: Network,
) -> Result<Option<connector_default::Model>> {
    use connector_default::{Column, Entity};
    let query = Entity::find().filter(owned(Column::PartnerId, owner)).filter(Column::Network.eq(network));
    Ok(query.one(db).await?)
}

/// The credentials of a session, which has proved who may use them.
pub(super) async fn by_id(db: &impl ConnectionTrait, id: CredentialId) -> Result<Option<connector_credential::Model>> {
    Ok(connector_credential::Entity::find_by_id(id).one(db).await?)
}

/// Everybody's, for the operator.
pub(super) async fn all_credentials(db: &impl ConnectionTrait) -> Result<Vec<connector_credential::Model>> {
    Ok(connector_credential::Entity::find().all(db).await?)
}

/// Everybody's, for the operator.
pub(super) async fn all_defaults(db: &impl ConnectionTrait) -> Result<Vec<connector_default::Model>> {
    Ok(connector_default::Entity::find().all(db).await?)
}

pub(super) async fn insert_credentials(tx: &DatabaseTransaction, row: connector_credential::ActiveModel) -> Result<()> {
    connector_credential::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn insert_default(tx: &DatabaseTransaction, row: connector_default::ActiveModel) -> Result<()> {
    connector_default::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}
